"""PDFs are read page by page: words in order, tables as tables, what has no text by looking at it."""

import contextlib
import itertools
import random
import re
from io import BytesIO

import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from geminid.core.content import Look
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.pdf import OCR_PIXELS_MAX, read_pdf
from geminid.media.pdf_page import PageText, needs_ocr
from geminid.media.reading import Ask, Passage, Still
from geminid.media.tools import Tools
from made.documents import (
    form_pdf,
    landscape_pdf,
    long_pdf,
    pdf,
    printed,
    ruled_pdf,
    scanned_pdf,
    soup_pdf,
    turned_text_pdf,
    two_columns,
)

TABLE = [["Item", "2025", "2026"], ["Oak desk", "420.00", "433.10"], ["Desk lamp", "", "12.00"]]


class Looked:
    """Reads ``seen`` on every page, and remembers how large it was."""

    def __init__(self, text="seen"):
        self.text = text
        self.sizes = []

    def read(self, image):
        self.sizes.append(image.size)
        return self.text


def read(path, *, ocr=None, clock=None, resolution=None, eyes=False, **bounds):
    tools = Tools(ocr=ocr or Looked())
    ask = Ask(mime_type="application/pdf", eyes=eyes, look=Look(resolution=resolution))
    return read_pdf(path, ask, Bounds(**bounds), tools, clock or (lambda: 0.0))


def test_pages_have_marks_and_their_own_words(tmp_path):
    reading = read(pdf(tmp_path / "a.pdf", ["First page.\nIts second line.", "The last page."]))
    assert reading.parts == (
        Passage(
            "[PDF, 2 pages:]\n[Page 1 of 2]\nFirst page.\nIts second line.\n[Page 2 of 2]\nThe last page.",
            "document",
        ),
    )
    assert (reading.kind, reading.mime_type, reading.notes) == ("pdf", "application/pdf", ())
    assert reading.measures.pages == 2


def test_columns_are_read_one_after_the_other(tmp_path):
    first, second = two_columns(tmp_path / "a.pdf")
    title = "A Study of Rivers and Their Names"
    assert read(tmp_path / "a.pdf").text == f"[PDF, 1 page:]\n[Page 1 of 1]\n{title}\n\n{first}\n\n{second}"


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_ruled_table_is_a_table_in_its_place_whichever_way_the_page_is_turned(tmp_path, turned):
    reading = read(ruled_pdf(tmp_path / "a.pdf", TABLE, turned=turned))
    assert reading.text == (
        "[PDF, 1 page:]\n[Page 1 of 1]\nPrices of this year, in euro:\n\n| Item | 2025 | 2026 |\n| --- | --- | --- |\n"
        "| Oak desk | 420.00 | 433.10 |\n| Desk lamp |  | 12.00 |\n\nAll prices include delivery."
    )


def test_a_landscape_page_that_was_drawn_turned_reads_like_any_other(tmp_path):
    lines = ["A wide page, printed across the paper.", "Its second line, below the first."]
    assert read(landscape_pdf(tmp_path / "a.pdf", lines)).text.splitlines()[2:] == lines


def test_lines_that_are_no_table_leave_the_text_alone(tmp_path):
    path = tmp_path / "a.pdf"
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    pen.rect(40, 40, 500, 760)  # a frame around the page
    pen.grid(range(100, 500, 10), range(100, 300, 10))  # a chart
    pen.drawString(60, 760, "A page within a frame.")
    pen.drawString(60, 740, "It has a chart below.")
    pen.save()
    assert read(path).text.splitlines()[2:] == ["A page within a frame.", "It has a chart below."]


def test_a_stamp_along_the_margin_does_not_mix_with_the_lines(tmp_path):
    path = turned_text_pdf(
        tmp_path / "a.pdf", "First line of text.\nSecond line of text.", "Stamp 2401.01234"
    )
    assert read(path).text.splitlines()[2:] == [
        "First line of text.",
        "Second line of text.",
        "",
        "Stamp 2401.01234",
    ]


def test_filled_fields_of_a_form_are_told(tmp_path):
    text = read(
        form_pdf(tmp_path / "a.pdf", {"name": "Maria Keller", "city": "Köln", "fax": ""}, checked="agree")
    ).text
    assert text.splitlines()[3:] == [
        "[Form field name: Maria Keller]",
        "[Form field city: Köln]",
        "[Form field agree: checked]",
    ]


def test_dots_before_page_numbers_are_cut_short(tmp_path):
    assert read(pdf(tmp_path / "a.pdf", [f"1 Introduction {'.' * 80} 7"])).text.endswith(
        "1 Introduction ... 7"
    )


@pytest.mark.parametrize("stamp", ["", "Scanned by machine 7 - page 12 of the archive"])
def test_a_scanned_page_is_looked_at(tmp_path, stamp):
    ocr = Looked("What the scan says")
    reading = read(scanned_pdf(tmp_path / "a.pdf", [printed("x")] * 2, stamp=stamp), ocr=ocr)
    assert reading.text == (
        "[PDF, 2 pages:]\n[Page 1 of 2, read by OCR]\nWhat the scan says\n[Page 2 of 2, read by OCR]\nWhat the scan says"
    )
    assert ocr.sizes == [(1654, 2339)] * 2  # A4 at 200 dots an inch


def test_a_page_whose_letters_mean_nothing_is_looked_at(tmp_path):
    path = soup_pdf(tmp_path / "a.pdf", "The quick brown fox\njumps over the lazy dog")
    assert read(path).text.endswith("[Page 1 of 1, read by OCR]\nseen")


def test_pictures_beside_text_are_told_not_looked_at(tmp_path):
    path = tmp_path / "a.pdf"
    pen = Canvas(str(path), pagesize=A4, invariant=1)
    for row in range(20):
        pen.drawString(60, 800 - 15 * row, "There is plenty of text on this page.")
    pen.drawInlineImage(printed("x"), 60, 60, 400, 300)
    pen.save()
    ocr = Looked()
    reading = read(path, ocr=ocr)
    assert not ocr.sizes
    assert reading.notes == ("pictures on 1 pages with text were not looked at",)


def test_an_empty_page_is_said_to_be_empty(tmp_path):
    ocr = Looked()
    assert read(pdf(tmp_path / "a.pdf", [""]), ocr=ocr).text == "[PDF, 1 page:]\n[Page 1 of 1; no text on it]"
    assert not ocr.sizes
    scan = scanned_pdf(tmp_path / "b.pdf", [Image.new("RGB", (100, 140), "white")])
    assert read(scan, ocr=Looked("")).text.endswith("[Page 1 of 1; no text was found on it]")


def test_when_time_runs_out_pages_are_told_as_not_read(tmp_path):
    path = scanned_pdf(tmp_path / "a.pdf", [printed("x")] * 4)
    ticks = itertools.count(0, 30)
    reading = read(path, clock=lambda: next(ticks), time_ms_max=100_000)
    assert reading.text.count("read by OCR]\nseen") == 2
    assert "[Page 3 of 4; a picture, not read by OCR]" in reading.text
    assert reading.notes == ("2 pages have no text and were not read by OCR, which would take too long",)


@pytest.mark.parametrize(("resolution", "side"), [(None, 1344), ("low", 448)])
def test_a_model_with_eyes_is_given_the_pages(tmp_path, resolution, side):
    reading = read(pdf(tmp_path / "a.pdf", ["x", "y"]), eyes=True, resolution=resolution)
    head, first, picture, second, _ = reading.parts
    assert [part.text for part in (head, first, second)] == [
        "[PDF, 2 pages:]",
        "[Page 1 of 2]",
        "[Page 2 of 2]",
    ]
    assert {part.modality for part in reading.parts} == {"image"}
    assert isinstance(picture, Still)
    assert max(Image.open(BytesIO(picture.data)).size) == side


def test_pages_beyond_what_a_model_with_eyes_can_be_given_are_text(tmp_path, monkeypatch):
    monkeypatch.setattr("geminid.media.pdf.STILLS_BYTES_MAX", 1)
    reading = read(pdf(tmp_path / "a.pdf", ["x", "a second page", "a third page"]), eyes=True)
    assert [type(part) for part in reading.parts] == [Passage, Passage, Still, Passage]
    assert reading.parts[-1] == Passage(
        "[Page 2 of 3]\na second page\n[Page 3 of 3]\na third page", "document"
    )
    assert reading.notes == ("2 pages were given as text, since all pictures would be too large",)


def test_a_hundred_pages_are_read_to_the_last(tmp_path):
    said = long_pdf(tmp_path / "a.pdf", 100)
    pages = re.split(r"\[Page \d+ of 100\]\n", read(tmp_path / "a.pdf").text)[1:]
    assert [page.strip() for page in pages] == said


@pytest.mark.parametrize("size", [(1, 1), (14_400, 14_400), (1e6, 2), (3e8, 3e8)])
def test_pages_of_any_size_are_looked_at_within_bounds(tmp_path, size):
    ocr = Looked()
    path = tmp_path / "a.pdf"
    pen = Canvas(str(path), pagesize=size, invariant=1)
    pen.drawInlineImage(Image.new("RGB", (20, 20), "red"), 0, 0, *size)
    pen.save()
    with contextlib.suppress(Unreadable):
        read(path, ocr=ocr)
    assert all(width * height <= OCR_PIXELS_MAX * 1.01 for width, height in ocr.sizes)


def test_what_is_refused_is_told_in_one_sentence(tmp_path):
    with pytest.raises(Unreadable, match=r"^The PDF has 3 pages; at most 2 are read\.$"):
        read(pdf(tmp_path / "a.pdf", ["x"] * 3), pages_max=2)
    with pytest.raises(Unreadable, match=r"^The PDF is encrypted with a password\.$"):
        read(pdf(tmp_path / "b.pdf", ["x"], password="secret"))
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7\n" + bytes(100))
    with pytest.raises(Unreadable, match=r"^The PDF is broken: it cannot be opened\.$"):
        read(tmp_path / "c.pdf")


def test_a_pdf_that_only_forbids_changes_is_read(tmp_path):
    path = pdf(tmp_path / "a.pdf", ["Open to read."], password="")
    with pypdfium2.PdfDocument(path) as document:
        assert len(document) == 1
    assert "Open to read." in read(path).text


def test_a_broken_page_costs_itself_alone(tmp_path):
    path = pdf(tmp_path / "a.pdf", ["first", "second", "third"], pageCompression=0)
    content = path.read_bytes()
    second = [match.start() for match in re.finditer(rb"/Type /Page\b(?!s)", content)][1]
    path.write_bytes(content[:second] + b"/Type /Nope" + content[second + 11 :])
    reading = read(path)
    assert "first" in reading.text
    assert "third" in reading.text


@pytest.mark.parametrize(
    ("letters", "soup", "covered", "drawings", "looked"),
    [
        (0, 0.0, 0.0, 0, False),
        (0, 0.0, 0.9, 0, True),
        (10, 0.0, 0.0, 500, True),
        (30, 0.0, 0.95, 0, True),
        (30, 0.0, 0.1, 0, False),
        (3000, 0.0, 1.0, 0, False),
        (3000, 0.5, 0.0, 0, True),
        (3000, 0.02, 0.0, 0, False),
    ],
)
def test_which_pages_are_looked_at(letters, soup, covered, drawings, looked):
    page = PageText(text="", letters=letters, soup=soup, covered=covered, drawings=drawings)
    assert needs_ocr(page) == looked


def test_mutated_files_are_read_or_refused(tmp_path):
    path = tmp_path / "mutated.pdf"
    sources = [
        ruled_pdf(tmp_path / "a", TABLE).read_bytes(),
        form_pdf(tmp_path / "b", {"name": "x"}).read_bytes(),
        pdf(tmp_path / "c", ["x " * 30, "y"], pageCompression=0).read_bytes(),
        scanned_pdf(tmp_path / "d", [Image.new("RGB", (40, 60), "grey")]).read_bytes(),
    ]
    for seed in range(200):
        chance = random.Random(seed)
        mutated = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 25)):
            at = chance.randrange(len(mutated))
            mutated[at : at + chance.choice([1, 1, 3])] = chance.choice(
                [chance.randbytes(1), b"9", b"-", b" 0 ", b"99999999", b"<<", b"[", b"1 0 R", b""]
            )
        path.write_bytes(mutated[: chance.choice([len(mutated), chance.randrange(len(mutated))])])
        with contextlib.suppress(Unreadable):
            reading = read(path)
            assert reading.text.count("[Page ") >= reading.measures.pages
            reading.text.encode()
