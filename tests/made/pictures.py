"""Pictures of print with known words: invoice, receipt, pages of prose in several fonts.

Fonts are those that every machine has: Aileron inside Pillow, Vera inside reportlab, and the faces that
pdfium draws the standard fonts of PDF with.
"""

from __future__ import annotations

import random
import textwrap
from functools import cache
from io import BytesIO
from pathlib import Path

import pypdfium2
import reportlab
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

VERA = {"vera": "Vera.ttf", "vera-bold": "VeraBd.ttf", "vera-italic": "VeraIt.ttf"}
STANDARD = {"times": ("Times-Roman", 0.662), "helvetica": ("Helvetica", 0.718), "courier": ("Courier", 0.562)}
"""Name in PDF and height of capitals over the size of the font."""
FONTS = ("aileron", *VERA, *STANDARD)

_PROSE = """
the and that have with this from they would there their about which when make like time just know take people
into year your good some could them other than then look only come over think also back after work first well
even want because these give most account balance payment delivery order customer address street number invoice
receipt total amount quantity price discount shipping product service contract meeting report schedule project
budget market company office manager department employee training equipment machine station railway bridge river
mountain village garden kitchen window summer winter morning evening yesterday tomorrow question answer letter
Monday Friday March October London Vienna Berlin Madrid Anna Thomas Quartz Jacket Zebra Hotel Unix Kyoto
"""
WORDS = _PROSE.split()

INVOICE = {
    "number": "INV-2026-0417",
    "date": "17 April 2026",
    "seller": "Northwind Trading Ltd",
    "buyer": "Maria Keller",
    "total": "1,284.50",
    "due": "1 May 2026",
}
INVOICE_ITEMS = (
    ("Oak desk 160 x 80", "2", "420.00", "840.00"),
    ("Desk lamp, black", "4", "36.25", "145.00"),
    ("Filing cabinet", "1", "199.50", "199.50"),
    ("Delivery", "1", "100.00", "100.00"),
)
RECEIPT = {"shop": "CORNER BAKERY", "date": "2026-03-09 08:14", "total": "11.40", "card": "**** 4821"}
RECEIPT_ITEMS = (("Rye bread", "4.20"), ("2 x Croissant", "3.80"), ("Coffee", "3.40"))


@cache
def face(name: str, size: float) -> ImageFont.FreeTypeFont:
    """Return a font that Pillow can draw with."""
    if name in VERA:
        return ImageFont.truetype(str(Path(reportlab.__file__).parent / "fonts" / VERA[name]), size)
    return ImageFont.load_default(size)


def drawn(
    size: tuple[int, int], words: list[tuple[int, int, str, int]], name: str = "aileron"
) -> Image.Image:
    """Return a white sheet with texts at (x, y), each of its own font size."""
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for x, y, text, points in words:
        pen.text((x, y), text, font=face(name, points), fill="black")
    return sheet


def invoice(path: Path) -> dict[str, str]:
    """Draw an invoice of 900×480 pixels; return what it says."""
    words = [
        (40, 24, INVOICE["seller"], 30),
        (620, 28, "INVOICE", 28),
        (40, 90, f"Invoice no: {INVOICE['number']}", 19),
        (560, 90, f"Date: {INVOICE['date']}", 19),
        (40, 120, f"Bill to: {INVOICE['buyer']}", 19),
    ]
    columns = (40, 440, 580, 740)
    for row, cells in enumerate((("Item", "Qty", "Price", "Amount"), *INVOICE_ITEMS)):
        words += [(x, 180 + 40 * row, cell, 19) for x, cell in zip(columns, cells, strict=True)]
    words += [(580, 400, "Total EUR", 21), (740, 400, INVOICE["total"], 21)]
    words.append((40, 440, f"Payable until {INVOICE['due']}.", 17))
    drawn((900, 480), words).save(path)
    return INVOICE


def receipt(path: Path) -> dict[str, str]:
    """Draw a narrow till receipt; return what it says."""
    words = [(60, 20, RECEIPT["shop"], 26), (60, 60, RECEIPT["date"], 18)]
    for row, (item, price) in enumerate(RECEIPT_ITEMS):
        words += [(24, 110 + 32 * row, item, 18), (300, 110 + 32 * row, price, 18)]
    words += [(24, 230, "TOTAL EUR", 24), (288, 230, RECEIPT["total"], 24)]
    words += [(24, 280, f"Card {RECEIPT['card']}", 18), (24, 320, "Thank you!", 18)]
    drawn((400, 380), words, "vera").save(path)
    return RECEIPT


def prose(chance: random.Random, lines: int, width: int = 60) -> str:
    """Return lines of words, figures, dates and prices, as they stand in letters and reports."""
    said: list[str] = []
    while len("\n".join(textwrap.wrap(" ".join(said), width)).splitlines()) <= lines:
        said += [_sentence(chance)]
    return "\n".join(textwrap.wrap(" ".join(said), width, break_on_hyphens=False)[:lines])


def _sentence(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=chance.randint(5, 12))
    extra = chance.choice(
        [
            f"{chance.randint(1, 28)} October {chance.randint(1990, 2030)}",
            f"{chance.randint(1, 9999)}.{chance.randint(10, 99)} EUR",
            f"No. {chance.randint(100, 99999)}-{chance.choice('ABCDEFGHKMNPRSTUVWXYZ')}",
            f"{chance.randint(2, 97)}%",
            f"({chance.choice(WORDS)})",
            f"{chance.choice(WORDS)}, {chance.choice(WORDS)}",
        ]
    )
    words.insert(chance.randint(1, len(words)), extra)
    said = " ".join(words)
    return said[0].upper() + said[1:] + chance.choice(".....?!;:")


def printed_page(text: str, font: str, capital_px: int) -> Image.Image:
    """Draw lines of text with capitals of a height in pixels."""
    if font in STANDARD:
        return _standard_page(text, font, capital_px)
    probe = face(font, 100).getbbox("H")
    letters = face(font, round(capital_px * 100 / (probe[3] - probe[1]), 1))
    lines = text.splitlines()
    leading = round(capital_px * 2.1)
    margin = 2 * capital_px + 10
    width = round(max(letters.getlength(line) for line in lines)) + 2 * margin
    sheet = Image.new("RGB", (width, leading * len(lines) + 2 * margin), "white")
    pen = ImageDraw.Draw(sheet)
    for row, line in enumerate(lines):
        pen.text((margin, margin + row * leading), line, font=letters, fill="black")
    return sheet


def _standard_page(text: str, font: str, capital_px: int) -> Image.Image:
    """One point is one pixel."""
    name, capitals = STANDARD[font]
    size, lines = capital_px / capitals, text.splitlines()
    leading, margin = capital_px * 2.1, 2 * capital_px + 10
    body = BytesIO()
    canvas = Canvas(body)
    width = max(canvas.stringWidth(line, name, size) for line in lines) + 2 * margin
    height = leading * len(lines) + 2 * margin
    canvas.setPageSize((width, height))
    canvas.setFont(name, size)
    for row, line in enumerate(lines):
        canvas.drawString(margin, height - margin - capital_px - row * leading, line)
    canvas.save()
    with pypdfium2.PdfDocument(body.getvalue()) as document:
        return document[0].render(scale=1).to_pil().convert("RGB")


def worn(page: Image.Image, chance: random.Random) -> Image.Image:
    """Return the page as a scanner might: slightly turned, grey, noisy, compressed."""
    turned = page.convert("L").rotate(chance.uniform(-1.0, 1.0), Image.Resampling.BICUBIC, fillcolor=255)
    noise = Image.effect_noise(turned.size, 24)
    mixed = Image.blend(turned, noise, 0.15)
    body = BytesIO()
    mixed.save(body, "JPEG", quality=60)
    return Image.open(BytesIO(body.getvalue())).convert("RGB")


def error_rate(read: str, meant: str) -> tuple[int, int]:
    """Return edit distance and length, runs of white space counted as one space."""
    found, wanted = " ".join(read.split()), " ".join(meant.split())
    previous = list(range(len(wanted) + 1))
    for row, letter in enumerate(found, 1):
        current = [row]
        for column, other in enumerate(wanted, 1):
            current.append(
                min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != other))
            )
        previous = current
    return previous[-1], len(wanted)
