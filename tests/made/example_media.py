"""The files that the examples are about: run this module to make them afresh.

PYTHONPATH=tests python -m made.example_media examples/media
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from made.films import card, film
from made.pictures import receipt
from made.sounds import silence, spoken, write_sound

TITLE = "Northwind Trading: report of the third quarter"
PAGES = (
    (
        "Summary",
        (
            "Sales rose by 12 percent to 1.4 million euro. Furniture did best; lamps came second.",
            "Two shops were opened, in Bergen and in Porto. No shop was closed.",
            "The board meets again on 14 December in Vienna.",
        ),
    ),
    (
        "Sales by city",
        (
            "In Bergen 340 lamps were sold, in Porto 275, in Vienna 512.",
            "Desks went best in Vienna, where offices moved to the new business park.",
            "The price of oak rose by 8 percent; our own prices stay as they are until spring.",
        ),
    ),
    (
        "People and places",
        (
            "Ingrid Solberg is responsible for the warehouse since August.",
            "The warehouse moved to Harbour Street 12 and has room for 9,000 pallets.",
            "Paulo Reis leads the shop in Porto, with six people.",
        ),
    ),
)
MEETING = (
    ("en-us", "Good morning. We decide today about the new shop in Porto. It opens on Monday."),
    ("en-gb-x-rp", "Good. Anna writes to the landlord, and I order the lamps before Friday."),
    ("en-us", "We also agreed that the old price list stays until spring. Thank you all."),
)
SCENES = (
    (3.0, "How to plant a tree"),
    (4.0, "Step 1: dig a hole\n40 cm deep"),
    (4.0, "Step 2: water it\n10 litres"),
)
NARRATION = "Today we plant a small tree. First we dig a deep hole. Then we give it plenty of water."


def report(path: Path) -> Path:
    """A PDF of three pages of text."""
    sheet = Canvas(str(path), pagesize=A4, invariant=1)
    sheet.setTitle(TITLE)
    for heading, sentences in PAGES:
        sheet.setFont("Helvetica-Bold", 16)
        sheet.drawString(60, 780, TITLE if heading == PAGES[0][0] else heading)
        sheet.setFont("Helvetica", 11)
        for number, sentence in enumerate(sentences):
            sheet.drawString(60, 740 - 22 * number, sentence)
        sheet.showPage()
    sheet.save()
    return path


def meeting(path: Path) -> Path:
    """Two people speak in a meeting."""
    said = [part for voice, text in MEETING for part in (spoken(text, voice=voice), silence(0.6))]
    return write_sound(path, np.concatenate(said))


def talk(path: Path) -> Path:
    """A film with titles on screen and a voice."""
    return film(path, [(seconds, card(text)) for seconds, text in SCENES], sound=spoken(NARRATION))


def make(folder: Path) -> None:
    """Write every file."""
    folder.mkdir(parents=True, exist_ok=True)
    report(folder / "report.pdf")
    receipt(folder / "receipt.png")
    meeting(folder / "meeting.ogg")
    talk(folder / "talk.mp4")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
