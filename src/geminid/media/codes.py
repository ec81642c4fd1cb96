"""Barcodes and QR codes in a picture. It knows no format."""

from __future__ import annotations

import msgspec
import numpy as np
import zxingcpp
from PIL import Image

SIDE_MAX = 2400
"""Larger pictures are looked at smaller: a code that is lost by this is not one that a phone would read."""
CODES_MAX = 32
CHARACTERS_MAX = 4_000


class Code(msgspec.Struct, frozen=True):
    """One code: what kind it is of, and what it says."""

    kind: str
    text: str


def codes(image: Image.Image) -> list[Code]:
    """Return what can be decoded, each code once, from top to bottom."""
    grey = image.convert("L")
    grey.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.BOX)
    found = zxingcpp.read_barcodes(np.asarray(grey))
    ordered = sorted(found, key=lambda each: (each.position.top_left.y, each.position.top_left.x))
    said = {Code(_kind(each), each.text[:CHARACTERS_MAX]): None for each in ordered if each.text}
    return list(said)[:CODES_MAX]


def _kind(found: zxingcpp.Barcode) -> str:
    return str(found.format)
