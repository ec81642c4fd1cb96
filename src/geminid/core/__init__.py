"""The words every room speaks: frozen values without IO, wire spelling or storage ids."""
