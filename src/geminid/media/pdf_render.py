"""Pages of a PDF as pictures of bounded size, whatever the page says of its own."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

SIDE_MAX_PX = 16_000


def rendered(page: Any, scale: float, pixels_max: int) -> Image.Image:
    """Return a page as a picture; ``scale`` 1 is 72 pixels an inch, and less where bounds ask for it."""
    width, height = page.get_size()
    if not (math.isfinite(width * height) and width > 0 and height > 0):
        raise ValueError("a page without size")
    bounded = min(scale, math.sqrt(pixels_max / (width * height)), SIDE_MAX_PX / max(width, height))
    image: Image.Image = page.render(scale=bounded).to_pil()
    return image.convert("RGB")
