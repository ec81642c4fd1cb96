"""How much may be uploaded and kept, and what callers are told when it is more."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from geminid.core.errors import InvalidArgument, ResourceExhausted
from geminid.store import files, uploads
from geminid.store.uploads import Upload


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits. ``ttl_s``: how long a file lives. ``upload_idle_s``: how long an upload waits to go on."""

    ttl_s: int = 48 * 3600
    file_bytes_max: int = 2 * 1024**3
    project_bytes_max: int = 20 * 1024**3
    upload_idle_s: int = 24 * 3600

    def check_size(self, size_bytes: int) -> None:
        """Raise ``InvalidArgument`` for a file that is larger than any may be."""
        most = self.file_bytes_max
        if size_bytes > most:
            raise InvalidArgument(f"The file has {size_bytes} bytes or more; at most {most} are allowed.")

    def room(self, connection: Connection, upload: Upload, size_bytes: int) -> int:
        """Return how large an upload may become; raises ``ResourceExhausted`` if ``size_bytes`` is more."""
        held = files.bytes_of(connection, upload.project) + uploads.bytes_of(connection, upload.project)
        others = held - upload.reserved_bytes
        most = self.project_bytes_max
        if others + size_bytes > most:
            raise ResourceExhausted(
                f"All files of a project together may have {most} bytes; {others} are taken, and this file "
                f"needs {size_bytes}. Delete files, or wait until they expire."
            )
        return min(most - others, self.file_bytes_max)
