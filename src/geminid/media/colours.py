"""The main colours of a picture, in plain words. It knows no format; what is transparent has no colour."""

from __future__ import annotations

import colorsys
from collections import Counter

import numpy as np
from PIL import Image

SIDE = 96
"""Colours are counted on so small a copy."""
SHARE_MIN = 0.06
NAMES_MAX = 4
HUES = (
    (15, "red"),
    (42, "orange"),
    (68, "yellow"),
    (165, "green"),
    (188, "turquoise"),
    (255, "blue"),
    (306, "purple"),
    (335, "pink"),
    (361, "red"),
)
"""Where on the circle of hues each name ends, in degrees."""


def colours(image: Image.Image) -> list[tuple[str, float]]:
    """Return names of the dominant colours and their shares of the picture, the largest first."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)
    values, counts = np.unique(np.asarray(small).reshape(-1, 3) >> 3, axis=0, return_counts=True)
    shares: Counter[str] = Counter()
    for (red, green, blue), count in zip(values.tolist(), counts.tolist(), strict=True):
        shares[name_of(red * 255 // 31, green * 255 // 31, blue * 255 // 31)] += count
    total = SIDE * SIDE
    found = [(name, count / total) for name, count in shares.most_common(NAMES_MAX)]
    return [each for each in found if each[1] >= SHARE_MIN] or found[:1]


def in_words(found: list[tuple[str, float]]) -> str:
    """Return ``white 92 %, black 8 %``."""
    return ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in found)


def name_of(red: int, green: int, blue: int) -> str:
    """Return the everyday name of a colour."""
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.2:
        return "black"
    if saturation < 0.12 or (saturation < 0.25 and value < 0.35):
        return (
            "white"
            if value > 0.92
            else "light grey"
            if value > 0.7
            else "grey"
            if value > 0.4
            else "dark grey"
        )
    degrees = hue * 360
    if 12 <= degrees < 50 and value < 0.65:
        return "brown"
    if 20 <= degrees < 60 and saturation < 0.35 and value > 0.75:
        return "beige"
    if (degrees < 15 or degrees >= 335) and saturation < 0.55 and value > 0.75:
        return "pink"
    name = next(name for end, name in HUES if degrees < end)
    return f"dark {name}" if value < 0.45 else f"light {name}" if saturation < 0.35 and value > 0.75 else name
