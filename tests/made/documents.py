"""Documents made in the tests: PDFs, office files and text, with known words."""

from __future__ import annotations

import random
import textwrap
import zipfile
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdfium2
from openpyxl.drawing.image import Image as SheetImage
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Cm
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from made.pictures import drawn, prose

LEADING, MARGIN = 15, 60


def pdf(path: Path, pages: Iterable[str], *, password: str = "", **canvas) -> Path:
    """Write pages of text, line by line as given."""
    encrypt = StandardEncryption(password) if password else None
    pen = Canvas(str(path), pagesize=A4, invariant=1, encrypt=encrypt, **canvas)
    for page in pages:
        for row, line in enumerate(page.splitlines()):
            pen.drawString(MARGIN, A4[1] - MARGIN - row * LEADING, line)
        pen.showPage()
    pen.save()
    return path


def long_pdf(path: Path, pages: int, seed: int = 7) -> list[str]:
    """Write a PDF of many pages of prose; return what each says. Each has a line of its own to be asked for."""
    chance = random.Random(seed)
    said = [
        f"Section {number}. The code of this page is {1000 + number * 7}.\n{prose(chance, 44, 80)}"
        for number in range(1, pages + 1)
    ]
    pdf(path, said)
    return said


def two_columns(path: Path, seed: int = 3) -> tuple[str, str]:
    """Write a page of two columns of prose under one heading; return the columns."""
    chance = random.Random(seed)
    columns = (prose(chance, 30, 40), prose(chance, 30, 40))
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    pen.setFont("Times-Roman", 18)
    pen.drawString(150, 790, "A Study of Rivers and Their Names")
    pen.setFont("Times-Roman", 11)
    for left, column in zip((60, 310), columns, strict=True):
        for row, line in enumerate(column.splitlines()):
            pen.drawString(left, 740 - row * 14, line)
    pen.save()
    return columns


def ruled_pdf(path: Path, rows: Sequence[Sequence[str]], *, turned: int = 0) -> Path:
    """Write a page with a table in ruling lines between two sentences."""
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    if turned:
        pen.setPageRotation(turned)
    pen.drawString(60, 760, "Prices of this year, in euro:")
    width, height, left, top = 120, 24, 60, 730
    lefts = [left + width * at for at in range(len(rows[0]) + 1)]
    tops = [top - height * at for at in range(len(rows) + 1)]
    pen.grid(lefts, tops)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            pen.drawString(left + width * column + 5, top - height * (row + 1) + 8, cell)
    pen.drawString(60, tops[-1] - 30, "All prices include delivery.")
    pen.save()
    return path


def scanned_pdf(path: Path, pages: Sequence[Image.Image], *, stamp: str = "") -> Path:
    """Write pages that are pictures, with a line of text over each if there is a stamp."""
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    for page in pages:
        pen.drawImage(ImageReader(page), 0, 0, *A4)
        pen.drawString(20, 20, stamp)
        pen.showPage()
    pen.save()
    return path


def form_pdf(path: Path, fields: dict[str, str], *, checked: str = "") -> Path:
    """Write a form whose fields are filled in."""
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    pen.drawString(60, 780, "Please fill in this form and send it back to us.")
    for row, (name, value) in enumerate(fields.items()):
        pen.acroForm.textfield(name=name, value=value, x=160, y=700 - 40 * row, width=200, height=20)
    if checked:
        pen.acroForm.checkbox(name=checked, checked=True, x=160, y=500)
    pen.save()
    return path


def soup_pdf(path: Path, text: str) -> Path:
    """Write a page that looks like text and whose layer says nothing: its letters are mapped to private ones."""
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    from made.pictures import VERA

    source = Path(reportlab.__file__).parent / "fonts" / VERA["vera"]
    pdfmetrics.registerFont(TTFont("Soup", str(source)))
    plain = BytesIO()
    pen = Canvas(plain, pagesize=A4, invariant=1, pageCompression=0)
    pen.setFont("Soup", 16)
    for row, line in enumerate(text.splitlines()):
        pen.drawString(60, 760 - 30 * row, line)
    pen.save()
    path.write_bytes(_mapped_away(plain.getvalue()))
    return path


def _mapped_away(content: bytes) -> bytes:
    """Have the font's table of characters tell private ones; its lengths stay what they are."""
    begin = content.index(b"begincmap")
    end = content.index(b"endcmap")
    import re

    table = re.sub(rb"<00[0-9A-Fa-f]{2}>(?=\s*[\n<\]])", b"<E042>", content[begin:end])
    table = re.sub(rb"<(\w\w)> <(\w\w)> <00\w\w>", rb"<\1> <\2> <E042>", table)
    assert len(table) == end - begin
    return content[:begin] + table + content[end:]


def turned_text_pdf(path: Path, text: str, margin: str) -> Path:
    """Write text with a stamp that runs up the left margin."""
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    for row, line in enumerate(text.splitlines()):
        pen.drawString(80, 760 - 15 * row, line)
    pen.saveState()
    pen.translate(30, 300)
    pen.rotate(90)
    pen.drawString(0, 0, margin)
    pen.restoreState()
    pen.save()
    return path


def pages_of(path: Path) -> int:
    with pypdfium2.PdfDocument(path) as document:
        return len(document)


def word(path: Path, picture: Image.Image | None = None) -> Path:
    """Write a document with headings, a list, a table, a header and perhaps a picture."""
    made = docx.Document()
    made.sections[0].header.paragraphs[0].text = "Contract 4711"
    made.add_heading("Terms of Delivery", 1)
    made.add_paragraph("The goods are sent within ").add_run("ten days").bold = True
    made.add_heading("What is sent", 2)
    for each in ("desks", "lamps"):
        made.add_paragraph(each, style="List Bullet")
    table = made.add_table(2, 2)
    for cell, words in zip(
        (c for row in table.rows for c in row.cells), ("Item", "Count", "Oak desk", "12"), strict=True
    ):
        cell.text = words
    if picture:
        made.add_picture(_png(picture))
    made.save(path)
    return path


def workbook(
    path: Path,
    sheets: dict[str, Sequence[Sequence[object]]],
    *,
    hidden: str = "",
    formats: dict[str, str] | None = None,
    picture: Image.Image | None = None,
) -> Path:
    """Write sheets of rows; ``formats`` gives cells of the first sheet their number format."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        if name == hidden:
            sheet.sheet_state = "hidden"
    first = made.worksheets[0]
    for place, number_format in (formats or {}).items():
        first[place].number_format = number_format
    if picture:
        first.add_image(SheetImage(_png(picture)), "H20")
    made.save(path)
    return path


def presentation(path: Path, picture: Image.Image | None = None) -> Path:
    """Write three slides: bullets with notes, a table, a chart; the last one is hidden."""
    made = pptx.Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Results of the Year"
    frame = first.placeholders[1].text_frame
    frame.text = "Sales grew"
    below = frame.add_paragraph()
    below.text, below.level = "by nine per cent", 1
    first.notes_slide.notes_text_frame.text = "Thank the team."
    second = made.slides.add_slide(made.slide_layouts[5])
    second.shapes.title.text = "Offices"
    table = second.shapes.add_table(2, 2, Cm(2), Cm(5), Cm(10), Cm(3)).table
    for cell, words in zip(table.iter_cells(), ("City", "People", "Vienna", "40"), strict=True):
        cell.text = words
    right = second.shapes.add_textbox(Cm(14), Cm(5), Cm(8), Cm(2))
    right.text_frame.text = "Beside the table"
    if picture:
        second.shapes.add_picture(_png(picture), Cm(2), Cm(10))
    third = made.slides.add_slide(made.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["Spring", "Summer"]
    data.add_series("Orders", (120, 210.5))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Cm(2), Cm(2), Cm(10), Cm(8), data)
    third._element.set("show", "0")
    made.save(path)
    return path


def with_member(source: Path, name: str, content: bytes) -> Path:
    """Replace or add a part of an office file."""
    body = BytesIO()
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as after:
        for member in before.infolist():
            if member.filename != name:
                after.writestr(member, before.read(member))
        after.writestr(name, content)
    source.write_bytes(body.getvalue())
    return source


def printed(text: str) -> Image.Image:
    """A picture of lines of text."""
    lines = textwrap.wrap(text, 40)
    return drawn(
        (900, 60 + 50 * len(lines)), [(30, 25 + 50 * row, line, 30) for row, line in enumerate(lines)]
    )


def _png(picture: Image.Image) -> BytesIO:
    body = BytesIO()
    picture.save(body, "PNG")
    body.seek(0)
    return body


def landscape_pdf(path: Path, lines: Sequence[str]) -> Path:
    """Write a page that is drawn upwards and shown turned, as drivers of printers do it."""
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    pen.setPageRotation(90)
    pen.translate(A4[0], 0)
    pen.rotate(90)
    for row, line in enumerate(lines):
        pen.drawString(60, A4[0] - 60 - LEADING * row, line)
    pen.save()
    return path
