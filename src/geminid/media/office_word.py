"""Word documents (docx) to Markdown: headings, lists, tables, notes, comments, headers and footers.

It knows no other office format. Nothing outside the file is opened, whatever the document links to.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import mammoth
from lxml import etree

from geminid.media.bounds import Bounds
from geminid.media.office_pictures import OfficePictures
from geminid.media.office_told import Told
from geminid.media.text_html import markdown_of

STYLES = "comment-reference => sup"
"""Beyond the converter's own: comments, which it leaves out unless asked."""
MARGIN = re.compile(r"word/(header|footer)\d*\.xml")
PARAGRAPH = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p"
WORDS = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"
FORMULAS = re.compile(rb"<m:oMath[ >]")


def read_document(source: Path, bounds: Bounds, pictures: OfficePictures) -> Told:
    """Return a Word document as Markdown. Raises what its parser raises."""
    with source.open("rb") as stream:
        page = mammoth.convert_to_html(
            stream,
            convert_image=mammoth.images.img_element(_Shown(pictures)),
            style_map=STYLES,
            external_file_access=False,
        )
    markdown, notes = markdown_of(page.value)
    with zipfile.ZipFile(source) as archive:
        margins = _margins(archive)
        formulas = len(FORMULAS.findall(archive.read("word/document.xml"))) if _main(archive) else 0
    if formulas:
        notes.append(f"{formulas} formulas were left out")
    return Told("Word document", "\n\n".join(filter(None, (*margins, markdown))), tuple(notes))


def _main(archive: zipfile.ZipFile) -> bool:
    return "word/document.xml" in archive.NameToInfo


class _Shown:
    """What stands in the text where a picture is."""

    def __init__(self, pictures: OfficePictures) -> None:
        self._pictures = pictures

    def __call__(self, image: Any) -> dict[str, str]:
        try:
            with image.open() as stream:
                name = self._pictures.add(stream.read())
        except (ValueError, KeyError, OSError):  # a link to somewhere else, or to nothing
            self._pictures.lost()
            name = ""
        said = " ".join(filter(None, (name, image.alt_text and f"({image.alt_text})")))
        return {"alt": said or "picture", "src": ""}


def _margins(archive: zipfile.ZipFile) -> list[str]:
    """Return what stands above and below the pages, each text once."""
    said: dict[str, None] = {}
    for name in sorted(archive.namelist()):
        if (found := MARGIN.fullmatch(name)) and (text := _text(archive.read(name))):
            said[f"[{found[1].capitalize()} of the pages: {text}]"] = None
    return list(said)


def _text(part: bytes) -> str:
    root = etree.fromstring(part, etree.XMLParser(resolve_entities=False, no_network=True))
    paragraphs = ("".join(t.text or "" for t in each.iter(WORDS)) for each in root.iter(PARAGRAPH))
    return " · ".join(filter(None, (" ".join(each.split()) for each in paragraphs)))
