"""Presentations (pptx) to Markdown: slides by number, with titles, bullets, tables, charts and notes.

It knows no other office format. Shapes are read from top to bottom and from left to right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pptx
from pptx.enum.shapes import MSO_SHAPE_TYPE

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.office_pictures import OfficePictures
from geminid.media.office_table import markdown_table
from geminid.media.office_told import Told

SHAPES_MAX = 100_000
ROW_EMU = 360_000
"""Shapes whose tops are within one centimetre stand beside each other."""
BULLETED = ("BODY", "OBJECT", "VERTICAL_BODY", "VERTICAL_OBJECT")
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
GRAPHIC = "{http://schemas.openxmlformats.org/drawingml/2006/main}graphicData"


def read_presentation(source: Path, bounds: Bounds, pictures: OfficePictures) -> Told:
    """Return a presentation as Markdown. Raises ``Unreadable``, and what its parser raises."""
    slides = list(pptx.Presentation(str(source)).slides)
    if len(slides) > bounds.pages_max:
        raise Unreadable(f"The presentation has {len(slides)} slides; at most {bounds.pages_max} are read.")
    reader = _Slides(len(slides), pictures)
    said = [reader.read(number, slide) for number, slide in enumerate(slides, 1)]
    count = f"{len(slides)} slide{'' if len(slides) == 1 else 's'}"
    return Told(f"Presentation, {count}", "\n\n".join(said), tuple(reader.notes()))


class _Slides:
    """Reads the slides of one file, and counts what it leaves out."""

    def __init__(self, count: int, pictures: OfficePictures) -> None:
        self._count = count
        self._pictures = pictures
        self._shapes = 0
        self._diagrams = 0

    def notes(self) -> Iterator[str]:
        if self._diagrams:
            yield f"{self._diagrams} diagrams (SmartArt) were left out"

    def read(self, number: int, slide: Any) -> str:
        title = slide.shapes.title
        name = " ".join(title.text_frame.text.split()) if title is not None else ""
        hidden = " (hidden)" if slide._element.get("show") == "0" else ""
        head = f"## Slide {number} of {self._count}{hidden}{': ' if name else ''}{name}"
        own = None if title is None else title.shape_id
        shapes = [shape for shape in self._flat(slide.shapes) if shape.shape_id != own]
        said = [words for shape in sorted(shapes, key=_place) if (words := self._words(shape))]
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) and frame.text.strip():
            said.append(f"[Notes: {frame.text.strip()}]")
        return "\n\n".join([head, *said])

    def _flat(self, shapes: Any) -> Iterator[Any]:
        """Yield shapes, those in groups in the place of their group."""
        waiting = list(shapes)[::-1]
        while waiting:
            shape = waiting.pop()
            self._shapes += 1
            if self._shapes > SHAPES_MAX:
                raise Unreadable(f"The presentation has more than {SHAPES_MAX:,} shapes.")
            if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
                waiting += list(shape.shapes)[::-1]
            else:
                yield shape

    def _words(self, shape: Any) -> str:
        if getattr(shape, "has_table", False):
            return markdown_table([[cell.text for cell in row.cells] for row in shape.table.rows])
        if getattr(shape, "has_chart", False):
            return _chart(shape.chart)
        if shape.has_text_frame:
            return _text(shape)
        if hasattr(shape, "image"):
            return self._picture(shape)
        self._diagrams += any(data.get("uri") == DIAGRAM for data in shape._element.iter(GRAPHIC))
        return ""

    def _picture(self, shape: Any) -> str:
        try:
            name = self._pictures.add(shape.image.blob)
        except (ValueError, KeyError, AttributeError):  # linked, not embedded
            self._pictures.lost()
            return ""
        return f"[{name}]" if name else ""


def _place(shape: Any) -> tuple[int, int]:
    return (shape.top or 0) // ROW_EMU, shape.left or 0


def _text(shape: Any) -> str:
    bulleted = shape.is_placeholder and shape.placeholder_format.type.name in BULLETED
    lines = []
    for paragraph in shape.text_frame.paragraphs:
        words = " ".join(paragraph.text.split())
        if words:
            bullet = "- " if bulleted or paragraph.level else ""
            lines.append("  " * paragraph.level + bullet + words)
    return "\n".join(lines)


def _chart(chart: Any) -> str:
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    tables = [_plot(plot) for plot in chart.plots]
    return "\n\n".join(filter(None, (f"[Chart{': ' if title else ''}{title}]", *tables)))


def _plot(plot: Any) -> str:
    series = list(plot.series)
    names = [str(category) for category in plot.categories]
    length = max([len(names), *(len(list(each.values)) for each in series)], default=0)
    columns = [names, *([_figure(value) for value in each.values] for each in series)]
    rows = [[column[at] if at < len(column) else "" for column in columns] for at in range(length)]
    return markdown_table([["", *(str(each.name or "") for each in series)], *rows])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"
