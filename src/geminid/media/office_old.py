"""OLE containers: what Office wrote before 2007, and what it still puts encrypted files into. None is read.

It looks at the names in the container's directory, to say which of them a file is.
"""

from __future__ import annotations

from pathlib import Path

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
LOOKED_BYTES = 4096
"""Of the directory; each entry has 128."""
SENTENCES = (
    ("EncryptedPackage", "The file is an office file that is encrypted with a password."),
    (
        "WordDocument",
        "The file is an old Word document (.doc), which cannot be read: save it as .docx or PDF.",
    ),
    ("Workbook", "The file is an old Excel workbook (.xls), which cannot be read: save it as .xlsx or PDF."),
    ("Book", "The file is an old Excel workbook (.xls), which cannot be read: save it as .xlsx or PDF."),
    (
        "PowerPoint Document",
        "The file is an old PowerPoint presentation (.ppt), which cannot be read: save it as .pptx or PDF.",
    ),
)
OTHER = "The file is an OLE container, such as old Office or Outlook files are, which cannot be read."


def old_office(source: Path) -> str:
    """Return the sentence with which an OLE container is refused."""
    with source.open("rb") as stream:
        header = stream.read(80)
        sector_bytes = 1 << min(int.from_bytes(header[30:32], "little"), 12)
        stream.seek((int.from_bytes(header[48:52], "little") + 1) * sector_bytes)
        directory = stream.read(LOOKED_BYTES)
    return next((words for name, words in SENTENCES if _named(directory, name)), OTHER)


def _named(directory: bytes, name: str) -> bool:
    wanted = f"{name}\0".encode("utf-16-le")
    return any(directory.startswith(wanted, at) for at in range(0, len(directory), 128))
