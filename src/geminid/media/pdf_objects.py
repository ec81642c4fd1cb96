"""What is drawn on a PDF page beside its text: pictures, and lines that may rule a table.

It knows pdfium's page objects. Coordinates come out as on the upright page, y downwards, in points.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

OBJECTS_MAX = 20_000
SEGMENTS_MAX = 20_000
"""A page that is drawn of more is a map, not a table."""
STRAIGHT = 0.5
EDGE_MIN = 4.0
"""Shorter lines are parts of drawings."""


class Edge(NamedTuple):
    """A line that is level or upright."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def level(self) -> bool:
        """Whether it runs from left to right."""
        return self.bottom - self.top <= STRAIGHT


class Drawn(NamedTuple):
    """Lines, the share of the page that pictures cover, and how many drawings there are."""

    edges: list[Edge]
    covered: float
    drawings: int


def drawn_on(page: Any, turned: int) -> Drawn:
    """Return what is drawn on a page; ``turned`` is in degrees."""
    edges: list[Edge] = []
    covered, drawings, segments = 0.0, 0, 0
    for index in range(min(pdfium.FPDFPage_CountObjects(page), OBJECTS_MAX)):
        thing = pdfium.FPDFPage_GetObject(page, index)
        kind = pdfium.FPDFPageObj_GetType(thing)
        if kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM):
            covered += _area(thing) if kind == pdfium.FPDF_PAGEOBJ_IMAGE else _area_of_pictures(thing)
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            drawings += 1
            segments += max(0, pdfium.FPDFPath_CountSegments(thing))
            if segments <= SEGMENTS_MAX:
                edges += _edges(thing, turned)
    width, height = page.get_size()
    return Drawn(edges if segments <= SEGMENTS_MAX else [], covered / max(width * height, 1.0), drawings)


def _area(thing: Any) -> float:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(thing, left, bottom, right, top):
        return 0.0
    return abs((right.value - left.value) * (top.value - bottom.value))


def _area_of_pictures(form: Any) -> float:
    """The area of a group of objects if there is a picture in it, else none."""
    inside = range(min(pdfium.FPDFFormObj_CountObjects(form), OBJECTS_MAX))
    kinds = {pdfium.FPDFPageObj_GetType(pdfium.FPDFFormObj_GetObject(form, index)) for index in inside}
    return _area(form) if kinds & {pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM} else 0.0


def _edges(path: Any, turned: int) -> list[Edge]:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(path, matrix):
        return []
    edges: list[Edge] = []
    x, y = ctypes.c_float(), ctypes.c_float()
    start = before = (0.0, 0.0)
    for index in range(pdfium.FPDFPath_CountSegments(path)):
        segment = pdfium.FPDFPath_GetPathSegment(path, index)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = _placed(matrix, x.value, y.value, turned)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            edges += _edge(before, point)
        before = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            edges += _edge(before, start)
    return edges


def _placed(matrix: Any, x: float, y: float, turned: int) -> tuple[float, float]:
    right, up = matrix.a * x + matrix.c * y + matrix.e, matrix.b * x + matrix.d * y + matrix.f
    return {90: (up, right), 180: (-right, up), 270: (-up, -right)}.get(turned, (right, -up))


def _edge(one: tuple[float, float], other: tuple[float, float]) -> list[Edge]:
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    wide, high = right - left, bottom - top
    return (
        [Edge(left, top, right, bottom)]
        if max(wide, high) >= EDGE_MIN and min(wide, high) <= STRAIGHT
        else []
    )
