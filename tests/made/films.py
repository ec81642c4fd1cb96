"""Films made in the tests: text on screen that changes at known times, and speech."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from made.sounds import encode

SIZE = (640, 360)
FPS = 10
CONTAINERS = {
    ".mp4": ("mp4", "mpeg4", "aac"),
    ".mkv": ("matroska", "mpeg4", "aac"),
    ".mov": ("mov", "mpeg4", "aac"),
    ".3gp": ("3gp", "mpeg4", "aac"),
    ".avi": ("avi", "mpeg4", "libmp3lame"),
    ".webm": ("webm", "libvpx", "libopus"),
    ".mpg": ("mpeg", "mpeg2video", "mp2"),
    ".ts": ("mpegts", "mpeg2video", "mp2"),
    ".wmv": ("asf", "wmv2", "wmav2"),
    ".flv": ("flv", "flv1", "libmp3lame"),
}
"""By suffix: container, codec of pictures, codec of sound."""
RATES = {"libopus": 48_000}


def card(
    text: str, *, size: tuple[int, int] = SIZE, colour: str = "white", letters_px: int = 40
) -> Image.Image:
    """A frame with lines of text."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).multiline_text(
        (40, 60), text, fill="black", font=ImageFont.load_default(letters_px)
    )
    return image


def film(
    path: Path,
    scenes: Sequence[tuple[float, Image.Image | Callable[[int], Image.Image]]],
    *,
    sound: np.ndarray | None = None,
    fps: int = FPS,
    codec: str = "",
    options: dict[str, str] | None = None,
) -> Path:
    """Write scenes, each of some seconds: one picture, or a picture for each frame by its number.

    ``options`` are those of the codec of pictures.
    """
    container, picture_codec, sound_codec = CONTAINERS[path.suffix]
    first = _picture(scenes[0][1], 0)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec or picture_codec, rate=fps)
        stream.width, stream.height = first.size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 1_000_000
        stream.options = options or {}
        heard = None
        if sound is not None:
            heard = output.add_stream(sound_codec, rate=RATES.get(sound_codec, 44_100), layout="mono")
            heard.bit_rate = 96_000
        number = 0
        for seconds, scene in scenes:
            for _ in range(round(seconds * fps)):
                frame = av.VideoFrame.from_image(_picture(scene, number))
                frame.pts, frame.time_base = number, Fraction(1, fps)
                output.mux(stream.encode(frame))
                number += 1
        output.mux(stream.encode(None))
        if heard is not None:
            encode(output, heard, sound)
    return path


def _picture(scene, number: int) -> Image.Image:
    return scene(number) if callable(scene) else scene


def turned(path: Path) -> Path:
    """Have the players of an MP4 turn it by a quarter clockwise, as telephones do."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    matrix = at + (4 + 4 * 5 + 8 + 8 if content[at] == 0 else 4 + 8 * 2 + 8 + 8 + 8 + 8)
    one = 1 << 16
    content[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path
