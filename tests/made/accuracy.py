"""Seeded sets of print and speech with known words, on which errors are counted.

The same sets for the tests and for the benchmark. What is read may be the reading as a model is given it:
:func:`printed_words` and :func:`spoken_words` take the words about it off.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from made.films import card, film
from made.pictures import FONTS, printed_page, prose, worn
from made.recitals import RECORDED, SPOKEN, VOICES
from made.sounds import CODECS, recording, silence, spoken, write_sound

CAPITALS_PX = (8, 10, 14, 20, 30)
"""Heights of capitals: 8 is 8 points on a screen, 30 is 10 points scanned at 300 dots an inch."""
LINES = 12
NOISE_DB = -10
FILM_SIZE = (1280, 720)
A4_PX = (1240, 1754)
PAGE_LINES = 48


class Print(NamedTuple):
    """A page: ``state`` is ``clean`` or ``worn``."""

    font: str
    capital_px: int
    state: str
    text: str
    image: Image.Image


class Speech(NamedTuple):
    """A sound in which ``text`` is said; ``kind`` names the set it belongs to."""

    kind: str
    name: str
    path: Path
    text: str


def pages(capitals_px: tuple[int, ...] = CAPITALS_PX, lines: int = LINES) -> Iterator[Print]:
    """Every font in every size, clean and worn, each with words of its own."""
    for font in FONTS:
        for capital_px in capitals_px:
            chance = random.Random(f"{font} {capital_px}")
            text = prose(chance, lines)
            clean = printed_page(text, font, capital_px)
            yield Print(font, capital_px, "clean", text, clean)
            yield Print(font, capital_px, "worn", text, worn(clean, chance))


def recordings(kept: Path) -> Iterator[Speech]:
    """People who speak; ``kept`` is where recordings are kept from one run to the next."""
    for name, text in RECORDED.items():
        yield Speech("recordings", name, recording(kept, name), text)


def noisy_recordings(kept: Path, folder: Path) -> Iterator[Speech]:
    """The same with noise, which is a third as loud as the voices."""
    for each in recordings(kept):
        samples, rate = _samples(each.path)
        loudness = np.sqrt(np.mean(np.square(samples.astype(np.float64)))) * 10 ** (NOISE_DB / 20)
        noise = np.random.default_rng(len(samples)).normal(0, loudness, len(samples))
        mixed = np.clip(samples + noise, -32768, 32767).astype(np.int16)
        path = write_sound(folder / f"noisy-{each.name}", mixed, rate=rate)
        yield each._replace(kind="recordings, noisy", path=path)


def synthesised(folder: Path, voices: tuple[str, ...] = VOICES) -> Iterator[Speech]:
    """Synthesised voices, in every form of sound in turn."""
    suffixes = list(CODECS)
    for voice in voices:
        for number, text in enumerate(SPOKEN):
            path = folder / f"{voice}-{number}{suffixes[number % len(suffixes)]}"
            write_sound(path, spoken(text, voice=voice))
            yield Speech(f"synthesised, {voice}", path.name, path, text)


def lecture(path: Path) -> Path:
    """A film of a minute: six slides beside a moving picture, and six sentences of speech."""
    sound = np.concatenate([part for text in SPOKEN for part in (spoken(text), silence(3.5))])
    field = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    moving = Image.fromarray(field).resize((320, 180), Image.Resampling.BICUBIC)

    def slide(number: int):
        still = card(slide_text(number), size=FILM_SIZE, letters_px=48)

        def at(frame: int) -> Image.Image:
            image = still.copy()
            image.paste(moving.rotate(2 * frame % 360), (900, 500))
            return image

        return at

    scenes = [(10, slide(number)) for number in range(len(SPOKEN))]
    return film(path, scenes, sound=sound, fps=5, codec="libx264", options={"preset": "ultrafast"})


def page_picture(chance: random.Random) -> Image.Image:
    """A4 with 10 points at 150 dots an inch."""
    sheet = Image.new("RGB", A4_PX, "white")
    sheet.paste(printed_page(prose(chance, PAGE_LINES), "helvetica", 15), (40, 60))
    return sheet


def scanned_pdf(path: Path, count: int) -> Path:
    """A PDF of pictures of pages, as a scanner writes it."""
    first, *others = (
        worn(page_picture(random.Random(number)), random.Random(number)) for number in range(count)
    )
    first.save(path, save_all=True, append_images=others, resolution=150)
    return path


def text_pdf(path: Path, count: int) -> Path:
    """A PDF of written pages."""
    canvas = Canvas(str(path), pagesize=A4)
    for number in range(count):
        words = canvas.beginText(60, A4[1] - 60)
        words.setFont("Helvetica", 10)
        words.textLines(prose(random.Random(number), PAGE_LINES))
        canvas.drawText(words)
        canvas.showPage()
    canvas.save()
    return path


def slide_text(number: int) -> str:
    """What stands on a slide of :func:`lecture`."""
    return f"Chapter {number + 1} of 6\nSales rose by {3 * number + 2} percent\nOrders: {417 * (number + 1)}"


def printed_words(reading: str) -> str:
    """What was read of a page, without the line about the picture."""
    return reading.partition("\n")[2]


def spoken_words(reading: str) -> str:
    """What was understood of a sound, without times and the line about it."""
    return re.sub(r"^\[[\d:]+\] ", "", reading.partition("\n")[2], flags=re.MULTILINE)


def _samples(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        frames = [each for frame in container.decode(audio=0) for each in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]), rate
