"""PDF: text in reading order with page marks, tables as tables; pages without text are read by OCR.

For a model with eyes, pages are pictures. It knows no model by name. Invariant: every page has its mark, and
what could not be read of it is said there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from geminid.media.bounds import Bounds
from geminid.media.cpu_time import within
from geminid.media.faults import Unreadable
from geminid.media.pdf_forms import form_fields
from geminid.media.pdf_page import needs_ocr, page_text
from geminid.media.pdf_render import rendered
from geminid.media.picture_file import STILL_SIDE_PX, still
from geminid.media.reading import Ask, Measures, Passage, Reading, Still
from geminid.media.tools import Tools

OCR_DPI = 200
OCR_PIXELS_MAX = 8_000_000
OCR_TIME_SHARE = 0.7
"""Of the time for a file; pages that are left then are told as not read, instead of losing the whole file."""
STILLS_BYTES_MAX = 256 * 1024 * 1024
"""Pages beyond are given as text, to a model with eyes too."""
PAGE_CPU_MS = 60_000
"""Processor time of one page, OCR included, which takes some 4 s; a page of endless tiles takes for ever."""
MIME_TYPE = "application/pdf"

Clock = Callable[[], float]


def read_pdf(source: Path, ask: Ask, bounds: Bounds, tools: Tools, clock: Clock = time.monotonic) -> Reading:
    """Read a PDF; ``clock`` tells seconds. Raises ``Unreadable``."""
    with _opened(source) as document:
        pages = len(document)
        if pages > bounds.pages_max:
            raise Unreadable(f"The PDF has {pages} pages; at most {bounds.pages_max} are read.")
        if not pages:
            raise Unreadable("The PDF has no pages.")
        reader = _Pages(document, ask, bounds, tools, clock)
        read = (part for number in range(1, pages + 1) for part in reader.read(number))
        parts = tuple(_joined([reader.head(), *read]))
        if reader.broken == pages:
            raise Unreadable("None of the PDF's pages can be read: the file is broken.")
        return Reading(
            kind="pdf",
            mime_type=MIME_TYPE,
            parts=parts,
            measures=Measures(pages=pages),
            notes=tuple(reader.notes()),
        )


@contextmanager
def _opened(source: Path) -> Iterator[Any]:
    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise Unreadable("The PDF is encrypted with a password.") from error
        raise Unreadable("The PDF is broken: it cannot be opened.") from error
    try:
        if document.get_formtype() != pdfium.FORMTYPE_NONE:
            document.init_forms()
        yield document
    finally:
        document.close()


class _Pages:
    """Reads the pages of one file, and counts what it could not."""

    def __init__(self, document: Any, ask: Ask, bounds: Bounds, tools: Tools, clock: Clock) -> None:
        self._document = document
        self._ask = ask
        self._tools = tools
        self._clock = clock
        self._count = len(document)
        self._pixels_max = min(bounds.pixels_max, OCR_PIXELS_MAX)
        self._ocr_until = clock() + bounds.time_ms_max / 1000 * OCR_TIME_SHARE
        self._stills_bytes = 0
        self.broken = self._unread = self._as_text = self._pictures = 0

    def head(self) -> Passage:
        """Return what is said before the pages."""
        what = f"[PDF, {self._count} page{'' if self._count == 1 else 's'}:]"
        return Passage(what, "image" if self._ask.eyes else "document")

    def read(self, number: int) -> list[Passage | Still]:
        """Return one page, counted from 1. A page that is broken costs itself alone."""
        try:
            page = self._document[number - 1]
            try:
                with within(PAGE_CPU_MS):
                    return self._page(page, number)
            finally:
                page.close()
        except (pypdfium2.PdfiumError, ValueError, OverflowError, ZeroDivisionError):
            self.broken += 1
            return [self._passage(number, "; the page is broken and could not be read", "")]

    def notes(self) -> Iterator[str]:
        """Yield what was left out, in words."""
        if self.broken:
            yield f"{self.broken} pages are broken and could not be read"
        if self._unread:
            yield f"{self._unread} pages have no text and were not read by OCR, which would take too long"
        if self._as_text:
            yield f"{self._as_text} pages were given as text, since all pictures would be too large"
        if self._pictures:
            yield f"pictures on {self._pictures} pages with text were not looked at"
        if attached := self._document.count_attachments():
            yield f"{attached} attached files were left out"

    def _page(self, page: Any, number: int) -> list[Passage | Still]:
        if self._ask.eyes and self._stills_bytes < STILLS_BYTES_MAX:
            return self._seen(page, number)
        self._as_text += self._ask.eyes
        return [self._told(page, number)]

    def _seen(self, page: Any, number: int) -> list[Passage | Still]:
        side = STILL_SIDE_PX[self._ask.look.resolution]
        image = rendered(page, side / max(page.get_size()), side * side)
        shown = still(image, self._ask.look.resolution)
        self._stills_bytes += len(shown.data)
        return [Passage(self._mark(number), "image"), shown]

    def _told(self, page: Any, number: int) -> Passage:
        found = page_text(page)
        if not needs_ocr(found):
            self._pictures += bool(found.pictured)
            return self._passage(
                number, "" if found.text else "; no text on it", found.text + self._fields(page)
            )
        if self._clock() > self._ocr_until:
            self._unread += 1
            return self._passage(number, "; a picture, not read by OCR", found.text + self._fields(page))
        read = self._tools.ocr.read(rendered(page, OCR_DPI / 72, self._pixels_max))
        if not read:
            return self._passage(number, "; no text was found on it" if not found.text else "", found.text)
        return self._passage(number, ", read by OCR", read)

    def _fields(self, page: Any) -> str:
        return form_fields(self._document, page)

    def _passage(self, number: int, remark: str, text: str) -> Passage:
        return Passage("\n".join(filter(None, (self._mark(number, remark), text.strip("\n")))), "document")

    def _mark(self, number: int, remark: str = "") -> str:
        return f"[Page {number} of {self._count}{remark}]"


def _joined(parts: Iterable[Passage | Still]) -> Iterator[Passage | Still]:
    """Yield parts in order, neighbouring pages of text as one passage."""
    words: list[str] = []
    for part in parts:
        if isinstance(part, Passage) and part.modality == "document":
            words.append(part.text)
            continue
        if words:
            yield Passage("\n".join(words), "document")
            words = []
        yield part
    if words:
        yield Passage("\n".join(words), "document")
