"""Memory: rows ⇄ values in a database, bytes on disk.

It invents nothing: ids, times and every rule come from whoever calls. What a write has returned is on
the disk.
"""
