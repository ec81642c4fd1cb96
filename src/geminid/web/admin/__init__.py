"""The administration API: routes under ``/admin/v1`` for bearers of an administrator's token alone."""
