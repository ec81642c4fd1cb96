"""Office files: documents, workbooks and presentations as Markdown.

It knows which reader is for which, and no format itself. Invariant: no parser sees an archive that was not
checked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.office_archive import TYPES, check_archive, office_type
from geminid.media.office_pictures import OfficePictures
from geminid.media.office_told import Told
from geminid.media.reading import Ask, Passage, Reading
from geminid.media.tools import Tools

Read = Callable[[Path, Bounds, OfficePictures], Told]


def read_office(source: Path, ask: Ask, bounds: Bounds, tools: Tools) -> Reading:
    """Read a docx, xlsx or pptx. Raises ``Unreadable``."""
    mime_type = office_type(source)
    check_archive(source, bounds)
    pictures = OfficePictures(ask, bounds, tools)
    try:
        with warnings.catch_warnings():
            # They are about what a parser leaves out of a file that it could write again.
            warnings.simplefilter("ignore")
            told = _readers()[mime_type](source, bounds, pictures)
    except (Unreadable, MemoryError, RecursionError):
        raise
    except Exception as error:  # the parsers believe what they read: KeyError, AttributeError, ValueError
        raise Unreadable("The office file is broken, or of a form that is not supported.") from error
    head = f"[{told.title}, as Markdown:]" if told.markdown else f"[{told.title}. No text in it.]"
    text = "\n".join(filter(None, (head, told.markdown)))
    return Reading(
        kind="office",
        mime_type=mime_type,
        parts=(Passage(text, "document"), *pictures.parts()),
        notes=(*told.notes, *pictures.notes()),
    )


def _readers() -> dict[str, Read]:
    from geminid.media.office_sheet import read_workbook
    from geminid.media.office_slides import read_presentation
    from geminid.media.office_word import read_document

    return dict(zip(TYPES.values(), (read_document, read_workbook, read_presentation), strict=True))
