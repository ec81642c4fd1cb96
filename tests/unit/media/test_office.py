"""Documents, workbooks and presentations become Markdown; archives that are traps are refused unopened."""

import contextlib
import datetime
import random
import struct
import zipfile
from io import BytesIO

import pytest
from PIL import Image

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.office import read_office
from geminid.media.office_pictures import PICTURES_MAX
from geminid.media.office_sheet import shown
from geminid.media.office_table import markdown_table
from geminid.media.reading import Ask, Passage, Still
from geminid.media.tools import Tools
from made.documents import presentation, printed, with_member, word, workbook

TABLE = [["Item", "Price"], ["Oak desk", 420], ["Lamp", 12.5]]


class SizeReader:
    """Reads the width of a picture, as if it were written there."""

    def read(self, image):
        return f"{image.width} wide"


def read(path, *, eyes=False, **bounds):
    return read_office(path, Ask(mime_type="", eyes=eyes), Bounds(**bounds), Tools(ocr=SizeReader()))


def test_a_document_keeps_headings_lists_tables_and_margins(tmp_path):
    reading = read(word(tmp_path / "a.docx"))
    assert reading.text == (
        "[Word document, as Markdown:]\n[Header of the pages: Contract 4711]\n\n# Terms of Delivery\n\n"
        "The goods are sent within **ten days**\n\n## What is sent\n\n- desks\n- lamps\n\n"
        "| Item | Count |\n| --- | --- |\n| Oak desk | 12 |"
    )
    assert (reading.kind, reading.notes) == ("office", ())
    assert {part.modality for part in reading.parts} == {"document"}


def test_a_picture_in_a_document_is_named_where_it_stands_and_read_behind(tmp_path):
    path = word(tmp_path / "a.docx", printed("hello"))
    assert read(path).text.endswith("[Picture 1]\n[Picture 1. Text in it, read by OCR:]\n900 wide")
    *_, mark, still = read(path, eyes=True).parts
    assert mark == Passage("[Picture 1:]", "image")
    assert isinstance(still, Still)


def test_a_document_opens_nothing_outside_itself(tmp_path):
    secret = tmp_path / "secret.png"
    printed("secret").save(secret)
    path = word(tmp_path / "a.docx", printed("hello"))
    with zipfile.ZipFile(path) as archive:
        links = archive.read("word/_rels/document.xml.rels").decode()
        text = archive.read("word/document.xml").decode()
    links = links.replace('Target="media/image1.png"', f'TargetMode="External" Target="{secret}"')
    with_member(path, "word/_rels/document.xml.rels", links.encode())
    with_member(path, "word/document.xml", text.replace("r:embed", "r:link").encode())
    reading = read(path)
    assert "wide" not in reading.text
    assert reading.notes == ("1 pictures could not be read and were left out",)


def test_a_workbook_is_a_table_for_each_sheet(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        {
            "Prices": [*TABLE, [], ["pipe | and\nbreak", None, None], [None] * 9],
            "Empty": [],
            "Notes": [[None, "only here"]],
        },
        hidden="Notes",
    )
    assert read(path).text == (
        "[Workbook, 3 sheets, as Markdown:]\n## Sheet: Prices\n\n| Item | Price |\n| --- | --- |\n| Oak desk | 420 |\n"
        "| Lamp | 12.5 |\n|  |  |\n| pipe \\| and break |  |\n\n## Sheet: Empty\n\n(empty)\n\n"
        "## Sheet: Notes (hidden)\n\n| only here |\n| --- |"
    )


def test_a_formula_that_was_never_calculated_is_given_itself(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"S": [[1, 2, "=SUM(A1:B1)"], ["=A1", None, "x"]]})
    reading = read(path)
    assert "| 1 | 2 | =SUM(A1:B1) |" in reading.text
    assert "| =A1 |  | x |" in reading.text
    assert reading.notes == ("2 formulas had no value stored and are given as they are",)
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert sheet.count(b"<v />") + sheet.count(b"<v></v>") + sheet.count(b"<v/>") == 2
    for empty in (b"<v />", b"<v></v>", b"<v/>"):
        sheet = sheet.replace(empty, b"<v>3</v>")
    calculated = read(with_member(path, "xl/worksheets/sheet1.xml", sheet))
    assert "| 1 | 2 | 3 |" in calculated.text
    assert calculated.notes == ()


@pytest.mark.parametrize(
    ("value", "number_format", "words"),
    [
        (None, "General", ""),
        (True, "General", "TRUE"),
        (420, "General", "420"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (1234.5, '#,##0.00\\ "€"', "1,234.50"),
        (0.125, "0.0%", "12.5%"),
        (0.5, "0%", "50%"),
        (3.7, "0", "3.7"),
        (1e300, "General", "1e+300"),
        (12.0, "weird ;;; format", "12"),
        ("#DIV/0!", "General", "#DIV/0!"),
        (datetime.datetime(2026, 4, 17), "mm/dd/yy", "2026-04-17"),
        (datetime.datetime(2026, 4, 17, 8, 5), "", "2026-04-17 08:05"),
        (datetime.datetime(2026, 4, 17, 8, 5, 9), "", "2026-04-17 08:05:09"),
        (datetime.time(8, 5), "", "08:05:00"),
        (datetime.timedelta(hours=30), "[h]:mm", "1 day, 6:00:00"),
    ],
)
def test_values_are_shown_as_people_see_them(value, number_format, words):
    assert shown(value, number_format) == words


def test_what_a_sheet_says_of_its_size_is_not_believed(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"S": TABLE})
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    lying = sheet.replace(b'ref="A1:B3"', b'ref="A1:XFD1048576"')
    assert lying != sheet
    assert read(with_member(path, "xl/worksheets/sheet1.xml", lying)).text.endswith("| Lamp | 12.5 |")
    far = sheet.replace(b'r="3"', b'r="99999999999"')
    with pytest.raises(Unreadable, match="1,048,576 rows"):
        read(with_member(path, "xl/worksheets/sheet1.xml", far))


def test_a_presentation_is_read_slide_by_slide(tmp_path):
    reading = read(presentation(tmp_path / "a.pptx", printed("x")))
    assert reading.text == (
        "[Presentation, 3 slides, as Markdown:]\n## Slide 1 of 3: Results of the Year\n\n- Sales grew\n"
        "  - by nine per cent\n\n[Notes: Thank the team.]\n\n## Slide 2 of 3: Offices\n\n"
        "| City | People |\n| --- | --- |\n| Vienna | 40 |\n\nBeside the table\n\n[Picture 1]\n\n"
        "## Slide 3 of 3 (hidden)\n\n[Chart]\n\n|  | Orders |\n| --- | --- |\n| Spring | 120 |\n| Summer | 210.5 |\n"
        "[Picture 1. Text in it, read by OCR:]\n900 wide"
    )


def test_pictures_are_read_once_and_only_so_many(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"S": TABLE})
    for number in range(PICTURES_MAX + 3):
        body = BytesIO()
        Image.new("RGB", (40 + number, 40), "red").save(body, "PNG")
        with_member(path, f"xl/media/image{number:03}.png", body.getvalue())
        with_member(path, f"xl/media/same{number:03}.png", body.getvalue())
    with_member(path, "xl/media/a.emf", b"\x01\x00\x00\x00 EMF")
    body = BytesIO()
    Image.new("RGB", (8, 8), "red").save(body, "PNG")
    with_member(path, "xl/media/bullet.png", body.getvalue())
    reading = read(path)
    assert reading.text.count("read by OCR") == PICTURES_MAX
    assert reading.notes == (
        f"3 pictures beyond the first {PICTURES_MAX} were left out",
        "1 pictures of less than 32 pixels were left out",
        "1 pictures could not be read and were left out",
    )


def test_tables_are_cut_to_what_is_in_them():
    assert (
        markdown_table([[], ["", ""], ["", "a", ""], ["", "", "b"], [""]])
        == "| a |  |\n| --- | --- |\n|  | b |"
    )
    assert markdown_table([["", " "], []]) == ""


def test_an_archive_that_unpacks_to_too_much_is_refused_unopened(tmp_path):
    path = with_member(word(tmp_path / "a.docx"), "word/media/bomb.xml", b" " * 3_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(Unreadable, match="at most 1,000,000 are read"):
        read(path, expanded_bytes_max=1_000_000)


def test_a_directory_that_lies_about_sizes_cuts_its_own_parts_short(tmp_path):
    path = word(tmp_path / "a.docx")
    bomb = b"<w:document>" + b"a" * 50_000_000
    with_member(path, "word/document.xml", bomb)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\1\2", 0, content.rindex(b"word/document.xml"))
    content[at + 24 : at + 28] = struct.pack("<I", 1000)
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        read(path, expanded_bytes_max=10_000_000)


def test_an_archive_of_too_many_files_is_refused(tmp_path):
    path = tmp_path / "many.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        for number in range(20_001):
            archive.writestr(f"word/{number}", b"")
    with pytest.raises(Unreadable, match="more than 20,000 files"):
        read(path)


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "bbbbbbbb">'
    + "".join(f'<!ENTITY b{n} "&b{n - 1 or ""};&b{n - 1 or ""};">' for n in range(1, 30))
    + "]><a>&b29;</a>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-7", "cp037", "utf-32"])
@pytest.mark.parametrize("part", ["word/document.xml", "word/_rels/document.xml.rels", "[Content_Types].xml"])
def test_entities_are_refused_in_every_encoding(tmp_path, part, encoding):
    content = f'<?xml version="1.0" encoding="{encoding}"?>{BOMB}'.encode(encoding)
    with pytest.raises(Unreadable, match=r"entities|encoding"):
        read(with_member(word(tmp_path / "a.docx"), part, content))


def test_a_declaration_across_two_reads_is_seen(tmp_path):
    content = b"<a>" + b" " * (256 * 1024 - 7) + b"<!DOCTYPE x>" + b"</a>"
    with pytest.raises(Unreadable, match="entities"):
        read(with_member(word(tmp_path / "a.docx"), "word/document.xml", content))


def test_an_encrypted_part_is_told(tmp_path):
    path = word(tmp_path / "a.docx")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\1\2", 0, content.rindex(b"word/document.xml"))
    content[at + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="encrypted with a password"):
        read(path)


def test_deep_nesting_in_a_document_does_not_end_the_process(tmp_path):
    namespace = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    deep = (
        f"<w:document {namespace}><w:body>"
        + "<w:tbl><w:tr><w:tc>" * 3000
        + "</w:tc></w:tr></w:tbl>" * 3000
        + "</w:body></w:document>"
    )
    with pytest.raises((Unreadable, RecursionError)):
        read(with_member(word(tmp_path / "a.docx"), "word/document.xml", deep.encode()))


MADE = {"docx": word, "xlsx": lambda path: workbook(path, {"S": TABLE}), "pptx": presentation}


@pytest.mark.parametrize("kind", MADE)
def test_mutated_files_are_read_or_refused(tmp_path, kind):
    body = MADE[kind](tmp_path / "whole").read_bytes()
    path = tmp_path / "mutated"
    for seed in range(12):
        chance = random.Random(seed)
        mutated = bytearray(body)
        for _ in range(chance.randint(1, 30)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        path.write_bytes(mutated[: chance.choice([len(mutated), chance.randrange(len(mutated))])])
        with contextlib.suppress(Unreadable):
            read(path)


@pytest.mark.parametrize("kind", MADE)
def test_mutated_parts_are_read_or_refused(tmp_path, kind):
    whole = MADE[kind](tmp_path / "whole")
    with zipfile.ZipFile(whole) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name.endswith((".xml", ".rels"))}
    for seed in range(12):
        chance = random.Random(seed)
        name = chance.choice(sorted(parts))
        content = bytearray(parts[name])
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(content))
            content[at : at + chance.randrange(12)] = chance.choice(
                [b"", b"9" * 12, b"<a>", b'"', b"-1", b"&#0;", b"/"]
            )
        path = tmp_path / "mutated"
        path.write_bytes(whole.read_bytes())
        with contextlib.suppress(Unreadable):
            read(with_member(path, name, bytes(content)))
