"""Why a medium cannot be read. One error, whose message is for the caller."""

from __future__ import annotations

from geminid.core.errors import InvalidArgument


class Unreadable(InvalidArgument):
    """The medium is broken, of another type than it says, larger than the bounds allow, or of no known type.

    The message is one sentence about the file, such as ``The PDF has 1200 pages; at most 1000 are read.``
    """
