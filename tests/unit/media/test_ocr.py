"""Printed text is read from pictures, its layout kept; where words stand becomes lines and columns."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geminid.media.ocr import PaddleOcr
from geminid.media.ocr_layout import Span, laid_out
from made.pictures import INVOICE_ITEMS, error_rate, invoice, printed_page, prose, receipt, worn


@pytest.fixture(scope="module")
def ocr():
    return PaddleOcr(threads=2)


def words(*lines, left=0.0, top=0.0, character=6.0, leading=14.0):
    """A span for each line, one below the other."""
    return [
        Span(left, top + row * leading, left + len(line) * character, top + row * leading + 10, line)
        for row, line in enumerate(lines)
    ]


def test_an_invoice_is_read_with_its_rows(ocr, tmp_path):
    said = invoice(tmp_path / "p.png")
    text = ocr.read(Image.open(tmp_path / "p.png"))
    lines = [line.split() for line in text.splitlines()]
    assert all(" ".join(item).split() in lines for item in INVOICE_ITEMS)
    assert all(value in text for value in said.values())


def test_a_receipt_is_read_with_its_prices(ocr, tmp_path):
    said = receipt(tmp_path / "p.png")
    text = ocr.read(Image.open(tmp_path / "p.png"))
    assert ["TOTAL", "EUR", said["total"]] in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(("font", "capital_px"), [("times", 9), ("aileron", 16)])
def test_printed_pages_are_read_without_errors_to_speak_of(ocr, font, capital_px):
    meant = prose(random.Random(capital_px), 5, 50)
    errors, length = error_rate(ocr.read(printed_page(meant, font, capital_px)), meant)
    assert errors <= 0.02 * length


@pytest.mark.parametrize("turned", [90, 180])
def test_a_page_that_lies_is_stood_up(ocr, turned):
    meant = prose(random.Random(4), 4, 40)
    page = printed_page(meant, "vera", 16).rotate(turned, expand=True)
    errors, length = error_rate(ocr.read(page), meant)
    assert errors <= 0.02 * length


def test_a_worn_scan_is_read(ocr):
    chance = random.Random(2)
    meant = prose(chance, 4, 45)
    errors, length = error_rate(ocr.read(worn(printed_page(meant, "helvetica", 18), chance)), meant)
    assert errors <= 0.02 * length


@pytest.mark.parametrize("size", [(1, 1), (2, 3000), (640, 480)])
def test_there_is_no_text_where_there_is_none(ocr, size):
    assert ocr.read(Image.new("RGB", size, "white")) == ""


def test_columns_of_prose_are_read_one_after_the_other():
    left = [
        "this is a line of running text",
        "and one more line of the text",
        "which goes on in this column",
        "until the column has its end",
    ]
    right = [
        "the second column begins here",
        "with a line of its own words,",
        "and is read when the first is",
        "at an end, never before that.",
    ]
    spans = (
        words("A heading over both of the columns", left=60)
        + words(*left, top=30)
        + words(*right, left=220, top=30)
    )
    random.Random(1).shuffle(spans)
    said = laid_out(spans).split("\n\n")
    assert [each.splitlines() for each in said[-2:]] == [left, right]


def test_tables_stay_rows():
    rows = [
        ("Oak desk", "2", "840.00"),
        ("Lamp", "4", "145.00"),
        ("Cabinet", "1", "199.50"),
        ("Total", "", "1184.50"),
        ("Due", "", "1 May"),
    ]
    spans = [
        Span(left, row * 14, left + 6 * len(cell), row * 14 + 10, cell)
        for row, cells in enumerate(rows)
        for left, cell in zip((0, 150, 220), cells, strict=True)
        if cell
    ]
    said = laid_out(spans)
    assert [line.split() for line in said.splitlines()] == [" ".join(row).split() for row in rows]
    assert (
        len({line.rfind("840.00") for line in said.splitlines()[:1]} | {said.splitlines()[1].rfind("145.00")})
        == 1
    )


def test_paragraphs_have_an_empty_line_between_them():
    assert laid_out(words("one", "two") + words("three", "four", top=60)) == "one\ntwo\n\nthree\nfour"


def test_pieces_of_a_word_are_joined_only_where_words_may_come_in_pieces():
    spans = [Span(0, 0, 30, 10, "Hello"), Span(30.5, 0, 48, 10, "wor"), Span(48.2, 0, 60, 10, "ld")]
    assert laid_out(spans, tight=True) == "Helloworld"
    assert laid_out(spans) == "Hello wor ld"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 600),
            st.floats(0, 800),
            st.floats(0.1, 300),
            st.floats(0.1, 40),
            st.sampled_from("abcde"),
        ),
        max_size=40,
    ),
    st.booleans(),
)
def test_every_span_is_in_the_text_once(boxes, tight):
    spans = [Span(x, y, x + w, y + h, f"{letter}{n}") for n, (x, y, w, h, letter) in enumerate(boxes)]
    text = laid_out(spans, tight=tight)
    assert sorted(text.replace(" ", "").replace("\n", "")) == sorted("".join(span.text for span in spans))
