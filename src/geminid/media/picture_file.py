"""Picture files become pictures: of known formats only, bounded before they are decoded, right way up.

It knows no model. Invariant: no pixel is decoded of a file whose header says more than the bounds allow.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from geminid.core.content import Modality, Resolution
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.reading import Still

FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # several JPEGs in one file, as telephones make them
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
}
"""Pillow knows many more; some start other programs, none of the others is needed."""
OPENED = tuple(form for form in FORMATS if form != "MPO")
"""An MPO is opened as the JPEG that it begins as, and told afterwards."""
PAGES_MAX = 20
"""Of a TIFF."""
STILL_SIDE_PX: dict[Resolution | None, int] = {
    None: 1344,
    "low": 448,
    "medium": 896,
    "high": 1344,
    "ultra_high": 2048,
}
"""The longer side of what a model with eyes is given; nothing is enlarged."""
JPEG_QUALITY = 90
FLAT_COLOURS = 4096
"""Pictures of fewer colours are drawings or print: they stay free of JPEG's traces."""
BRIGHT = 160
"""What is visible of a transparent picture and brighter than this on average is put on black."""

pillow_heif.register_heif_opener()


class Pictures(msgspec.Struct, frozen=True):
    """What a file shows. Pages of a TIFF, else one frame; ``frames`` is how many there are in the file."""

    mime_type: str
    pages: tuple[Image.Image, ...]
    frames: int


def open_pictures(source: Path | BytesIO, bounds: Bounds) -> Pictures:
    """Decode a file, or what would be in one. Raises ``Unreadable``."""
    with _told(bounds), Image.open(source, formats=OPENED) as image:
        _check(image, bounds)
        kind = image.format or ""
        frames = int(getattr(image, "n_frames", 1)) if kind != "MPO" else 1
        pages = tuple(_pages(image, frames if kind == "TIFF" else 1, bounds))
    return Pictures(FORMATS[kind], pages, frames)


def still(image: Image.Image, resolution: Resolution | None, modality: Modality = "image") -> Still:
    """Encode a picture for a model with eyes."""
    side = STILL_SIDE_PX[resolution]
    smaller = image.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    body = BytesIO()
    if smaller.getcolors(FLAT_COLOURS) is not None:
        smaller.save(body, "PNG")
    else:
        smaller.save(body, "JPEG", quality=JPEG_QUALITY)
    return Still(body.getvalue(), modality)


@contextmanager
def _told(bounds: Bounds) -> Iterator[None]:
    """Whatever a decoder raises becomes a sentence about the file."""
    Image.MAX_IMAGE_PIXELS = bounds.pixels_max
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise Unreadable("The file is not a picture of a known type, or its beginning is broken.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"The picture has more than {bounds.pixels_max:,} pixels.") from error
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, IndexError
        raise Unreadable("The picture cannot be decoded: it is truncated or broken.") from error


def _check(image: Image.Image, bounds: Bounds) -> None:
    pixels = image.width * image.height
    if pixels > bounds.pixels_max:
        raise Unreadable(
            f"The picture has {image.width} × {image.height} pixels; at most {bounds.pixels_max:,} are read."
        )
    if not pixels:
        raise Unreadable("The picture has no pixels.")


def _pages(image: Image.Image, count: int, bounds: Bounds) -> Iterator[Image.Image]:
    pixels = 0
    for number in range(min(count, PAGES_MAX)):
        image.seek(number)
        _check(image, bounds)
        pixels += image.width * image.height
        if pixels > bounds.pixels_max:
            raise Unreadable(f"The pages of the picture have more than {bounds.pixels_max:,} pixels.")
        yield _plain(image)


def _plain(image: Image.Image) -> Image.Image:
    """Return a picture of red, green and blue, turned as its camera was held."""
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        upright = _eight_bits(upright)
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    return _on_sheet(upright.convert("RGBA"))


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image, np.float32)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    spread = (np.nan_to_num(values, nan=low) - low) * (255 / max(high - low, 1e-9))
    return Image.fromarray(spread.clip(0, 255).astype(np.uint8))


def _on_sheet(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white, or on black when it would be lost there."""
    small = np.asarray(image.resize((64, 64), Image.Resampling.NEAREST), np.float32)
    weights = small[:, :, 3]
    bright = float((small[:, :, :3].mean(axis=2) * weights).sum() / max(float(weights.sum()), 1.0))
    clear = float((weights < 128).mean())
    sheet = Image.new("RGBA", image.size, "black" if clear > 0.3 and bright > BRIGHT else "white")
    return Image.alpha_composite(sheet, image).convert("RGB")
