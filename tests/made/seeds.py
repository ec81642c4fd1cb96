"""Small valid files of every kind that is read: what hostile ones are made from."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import docx
import openpyxl
import pillow_heif
import pptx
from PIL import Image, ImageDraw
from reportlab.pdfgen.canvas import Canvas

from made.films import card, film
from made.sounds import CODECS, tone, write_sound

OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = f"{OFFICE}wordprocessingml.document"
XLSX = f"{OFFICE}spreadsheetml.sheet"
PPTX = f"{OFFICE}presentationml.presentation"
PICTURES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}
SOUND_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".aiff": "audio/aiff",
    ".webm": "audio/webm",
}
FILM_TYPES = {
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".webm": "video/webm",
}


@cache
def seeds() -> dict[str, tuple[str, bytes]]:
    """Return type and content by a name for each kind."""
    return {**_pictures(), **_timed(), **_documents(), **_texts()}


def picture(size: tuple[int, int] = (96, 48)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((8, 8), "Hi 42", fill="black", font_size=24)
    return image


def saved(image: Image.Image, form: str, **options) -> bytes:
    body = io.BytesIO()
    image.save(body, form, **options)
    return body.getvalue()


def _pictures() -> dict[str, tuple[str, bytes]]:
    pillow_heif.register_heif_opener()
    found = {form.lower(): (mime_type, saved(picture(), form)) for form, mime_type in PICTURES.items()}
    found["webp"] = ("image/webp", saved(picture(), "WEBP"))
    found["avif"] = ("image/avif", saved(picture(), "AVIF"))
    found["heic"] = ("image/heic", saved(picture(), "HEIF"))
    frames = [picture((32, 32)), Image.new("RGB", (32, 32), "red")]
    found["gif-animated"] = ("image/gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    return found


def _timed() -> dict[str, tuple[str, bytes]]:
    found = {}
    with TemporaryDirectory() as folder:
        for suffix in CODECS:
            path = write_sound(Path(folder, f"sound{suffix}"), tone(0.5))
            found[f"sound{suffix}"] = (SOUND_TYPES[suffix], path.read_bytes())
        for suffix, mime_type in FILM_TYPES.items():
            path = film(
                Path(folder, f"film{suffix}"), [(1, card("Hi", size=(96, 64)))], sound=tone(1.0), fps=4
            )
            found[f"film{suffix}"] = (mime_type, path.read_bytes())
    return found


def _documents() -> dict[str, tuple[str, bytes]]:
    return {
        "pdf": ("application/pdf", pdf_of_pages(2)),
        "docx": (DOCX, _docx()),
        "xlsx": (XLSX, _xlsx()),
        "pptx": (PPTX, _pptx()),
    }


def pdf_of_pages(count: int, **options) -> bytes:
    body = io.BytesIO()
    canvas = Canvas(body, pagesize=(300, 200), pageCompression=1, **options)
    for number in range(1, count + 1):
        canvas.drawString(40, 120, f"Page {number} of a small document")
        canvas.grid([40, 120, 200], [40, 70, 100])
        canvas.showPage()
    canvas.save()
    return body.getvalue()


def _docx() -> bytes:
    document, body = docx.Document(), io.BytesIO()
    document.add_heading("Heading", 1)
    document.add_paragraph("A paragraph.")
    document.add_table(2, 2).cell(0, 0).text = "cell"
    document.save(body)
    return body.getvalue()


def _xlsx() -> bytes:
    book, body = openpyxl.Workbook(), io.BytesIO()
    for row in (("Name", "Amount"), ("Ann", 12.5), ("Bob", 7)):
        book.active.append(row)
    book.save(body)
    return body.getvalue()


def _pptx() -> bytes:
    show, body = pptx.Presentation(), io.BytesIO()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Title"
    slide.placeholders[1].text = "First\nSecond"
    show.save(body)
    return body.getvalue()


def _texts() -> dict[str, tuple[str, bytes]]:
    return {
        "txt": ("text/plain", "A plain text with an é.\n".encode()),
        "latin": ("text/plain", "Café, naïve, Übermut: ein Text.\n".encode("latin-1")),
        "utf-16": ("text/plain", "Text of wide characters.\n".encode("utf-16")),
        "html": (
            "text/html",
            b"<!doctype html><html><body><h1>H</h1><ul><li>a<li>b</ul><table><tr><td>1</table>",
        ),
        "rtf": ("text/rtf", rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 Hello \b bold\b0 \u8364 ?\par}"),
        "csv": ("text/csv", b'name,amount\n"Ann, B.",12\nBob,7\n'),
        "json": ("application/json", b'{"a": [1, 2, {"b": null}], "c": "d"}'),
    }
