"""Office files and texts that are bombs, run in circles, or look at other files."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache

from made.hostile import Hostile, made
from made.hostile_pictures import BOMBS as PICTURE_BOMBS
from made.hostile_pictures import LAUGHS
from made.seeds import DOCX, PPTX, XLSX, seeds

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPES = {"docx": DOCX, "xlsx": XLSX, "pptx": PPTX}
MAIN = {"docx": "word/document.xml", "xlsx": "xl/worksheets/sheet1.xml", "pptx": "ppt/slides/slide1.xml"}
MIB = 1 << 20
LAUGHING = f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'
LOOKING = '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'


def documents() -> Iterator[Hostile]:
    yield from made(REFUSED, must=True)
    yield from made(ODD)


def office(kind: str, parts: dict[str, bytes | None], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A valid file with some parts replaced, added, or left out (None)."""
    body = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(seeds()[kind][1])) as old, zipfile.ZipFile(body, "w", method) as new:
        for name in dict.fromkeys([*old.namelist(), *parts]):
            content = parts[name] if name in parts else old.read(name)
            if content is not None:
                new.writestr(zipfile.ZipInfo(name), content, method)
    return body.getvalue()


def _main(kind: str, content: bytes) -> bytes:
    return office(kind, {MAIN[kind]: content})


def _word(inside: str, doctype: str = "") -> bytes:
    text = (
        f'<?xml version="1.0"?>{doctype}<w:document xmlns:w="{WORD}"><w:body>{inside}</w:body></w:document>'
    )
    return _main("docx", text.encode())


def _rows(inside: str, doctype: str = "", before: str = "") -> bytes:
    text = f'<?xml version="1.0"?>{doctype}<worksheet xmlns="{SHEET}">{before}<sheetData>{inside}</sheetData></worksheet>'
    return _main("xlsx", text.encode())


def _slide(doctype: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(seeds()["pptx"][1])) as archive:
        text = archive.read(MAIN["pptx"]).decode()
    head, mark, rest = text.partition("<p:sld ")
    return _main("pptx", (head + doctype + mark + rest.replace("First", "&l9;")).encode())


@cache
def _swollen(kind: str, mib: int = 600, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The main part is so large, and of zeros; it is never held whole."""
    body, block = io.BytesIO(office(kind, {MAIN[kind]: None})), bytes(MIB)
    with zipfile.ZipFile(body, "a", method, compresslevel=1) as archive:
        member = zipfile.ZipInfo(MAIN[kind])
        member.compress_type = method
        with archive.open(member, "w") as part:
            for _ in range(mib):
                part.write(block)
    return body.getvalue()


def _lying(kind: str) -> bytes:
    """The directory says that its largest part is small."""
    body, mib = bytearray(_swollen(kind)), 600
    size = struct.pack("<I", mib * MIB)
    at = body.find(size)
    while at >= 0:
        body[at : at + 4] = struct.pack("<I", 2_000)
        at = body.find(size, at + 1)
    return bytes(body)


def _overlapping(kind: str, times: int) -> bytes:
    """Many names in the directory for the same swollen bytes."""
    part, name = bytes(8 * MIB), b"word/media/a000000.xml"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(part) + packer.flush()
    about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, zlib.crc32(part), len(packed), len(part), len(name), 0)
    body, entries = bytearray(b"PK\3\4" + about + name + packed), bytearray()
    with zipfile.ZipFile(io.BytesIO(seeds()[kind][1])) as archive:
        for member in ("[Content_Types].xml", MAIN[kind]):
            content, place = archive.read(member), len(body)
            plain = struct.pack(
                "<HHHHHIIIHH", 20, 0, 0, 0, 0, zlib.crc32(content), len(content), len(content), len(member), 0
            )
            body += b"PK\3\4" + plain + member.encode() + content
            entries += b"PK\1\2\x14\0" + plain + bytes(10) + struct.pack("<I", place) + member.encode()
    for number in range(times):
        entries += b"PK\1\2\x14\0" + about + bytes(14) + name.replace(b"000000", b"%06d" % number)
    at, count = len(body), times + 2
    return (
        bytes(body + entries) + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), at, 0)
    )


def _members(count: int) -> bytes:
    body = io.BytesIO(seeds()["docx"][1])
    with zipfile.ZipFile(body, "a") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"word/{number}"), b"")
    return body.getvalue()


def _nested_archives(times: int) -> bytes:
    inside = bytes(16 * MIB)
    for number in range(times):
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
            for copy in range(16):
                archive.writestr(zipfile.ZipInfo(f"{number}{copy:x}.zip"), inside, zipfile.ZIP_DEFLATED)
        inside = body.getvalue()
    return inside


def _encrypted() -> bytes:
    """Every part is marked as encrypted."""
    body = bytearray(seeds()["docx"][1])
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = body.find(mark)
        while at >= 0:
            body[at + offset] |= 1
            at = body.find(mark, at + 1)
    return bytes(body)


def _evil_names() -> bytes:
    names = [
        "../../../../tmp/geminid-was-here",
        "/tmp/geminid-was-here",
        "C:\\geminid-was-here",
        "word/" + "x" * 60_000,
        "a\nb\0c",
    ]
    return office("docx", dict.fromkeys(names, b"x"))


def _linked() -> bytes:
    """A picture and a template that lie elsewhere."""
    relations = "".join(
        f'<Relationship Id="r{number}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" '
        f'Target="{target}" TargetMode="External"/>'
        for number, (kind, target) in enumerate(
            [
                ("image", "file:///etc/passwd"),
                ("image", "http://127.0.0.1:9/x.png"),
                ("attachedTemplate", "http://127.0.0.1:9/"),
            ]
        )
    )
    drawn = (
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing">'
        '<a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData><pic:pic '
        'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:link="r0"/></pic:blipFill>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )
    text = f'<w:document xmlns:w="{WORD}"><w:body>{drawn}</w:body></w:document>'
    packages = "http://schemas.openxmlformats.org/package/2006/relationships"
    whole = f'<Relationships xmlns="{packages}">{relations}</Relationships>'
    return office("docx", {MAIN["docx"]: text.encode(), "word/_rels/document.xml.rels": whole.encode()})


def _tables(depth: int) -> str:
    return "<w:tbl><w:tr><w:tc>" * depth + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * depth


def _pictured() -> bytes:
    """A document in which every picture is a bomb."""
    pictures = {f"word/media/image{number}.png": PICTURE_BOMBS["png-interlaced"][1]() for number in range(40)}
    return office("docx", pictures)


def _shared_strings(count: int) -> bytes:
    text = f'<sst xmlns="{SHEET}">' + "<si><t>x</t></si>" * count + "</sst>"
    return office("xlsx", {"xl/sharedStrings.xml": text.encode()})


def _slide_circles() -> bytes:
    """A slide that is its own layout and master."""
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    text = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{relation}/slideLayout" Target="slide1.xml"/>'
        f'<Relationship Id="rId2" Type="{relation}/notesSlide" Target="slide1.xml"/></Relationships>'
    )
    return office("pptx", {"ppt/slides/_rels/slide1.xml.rels": text.encode()})


def tags(name: str, depth: int, inside: str = "x") -> bytes:
    return f"<html>{f'<{name}>' * depth}{inside}{f'</{name}>' * depth}</html>".encode()


REFUSED = {
    "docx-swollen": (DOCX, lambda: _swollen("docx")),
    "xlsx-swollen": (XLSX, lambda: _swollen("xlsx")),
    "docx-bzip2": (DOCX, lambda: _swollen("docx", 140, zipfile.ZIP_BZIP2)),
    "docx-lying": (DOCX, lambda: _lying("docx")),
    "xlsx-lying": (XLSX, lambda: _lying("xlsx")),
    "docx-overlapping": (DOCX, lambda: _overlapping("docx", 5_000)),
    "docx-50000-members": (DOCX, lambda: _members(50_000)),
    "docx-laughs": (DOCX, lambda: _word("<w:p><w:r><w:t>&l9;</w:t></w:r></w:p>", LAUGHING)),
    "docx-entities": (DOCX, lambda: _word("<w:p><w:r><w:t>&l9;</w:t></w:r></w:p>", LOOKING)),
    "xlsx-laughs": (XLSX, lambda: _rows('<row r="1"><c r="A1" t="str"><v>&l9;</v></c></row>', LAUGHING)),
    "pptx-laughs": (PPTX, lambda: _slide(LAUGHING)),
    "pptx-entities": (PPTX, lambda: _slide(LOOKING)),
    "docx-of-archives": (DOCX, lambda: _nested_archives(3)),
    "docx-encrypted": (DOCX, _encrypted),
    "docx-that-is-ole": (DOCX, lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3_000)),
    "docx-that-is-pdf": (DOCX, lambda: seeds()["pdf"][1]),
    "xlsx-that-is-text": (XLSX, lambda: b"name,amount\n"),
    "pptx-no-slides-part": (PPTX, lambda: office("pptx", {"ppt/presentation.xml": None})),
    "zip-of-nothing": ("application/octet-stream", lambda: b"PK\5\6" + bytes(18)),
    "text-of-nulls": ("text/plain", lambda: bytes(10_000)),
    "text-of-noise": ("text/plain", lambda: bytes(range(256)) * 50),
    "text-that-is-program": ("text/plain", lambda: b"\x7fELF\2\1\1" + bytes(500)),
    "text-too-long": ("text/plain", lambda: b"word " * 4_200_000),
    "gzip": ("application/octet-stream", lambda: b"\x1f\x8b\x08" + bytes(40)),
}
ODD = {
    "docx-deep": (DOCX, lambda: _word("<w:p>" * 100_000 + "</w:p>" * 100_000)),
    "docx-deep-tables": (DOCX, lambda: _word(_tables(2_000))),
    "docx-5000-paragraphs": (DOCX, lambda: _word("<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 5_000)),
    "docx-attributes": (DOCX, lambda: _word("<w:p " + " ".join(f'a{i}=""' for i in range(200_000)) + "/>")),
    "docx-names": (DOCX, _evil_names),
    "docx-linked": (DOCX, _linked),
    "docx-pictures": (DOCX, _pictured),
    "docx-lzma": (DOCX, lambda: office("docx", {}, zipfile.ZIP_LZMA)),
    "docx-not-xml": (DOCX, lambda: _main("docx", b"\xff\xfe<")),
    "docx-no-main": (DOCX, lambda: office("docx", {MAIN["docx"]: None})),
    "docx-no-types": (DOCX, lambda: office("docx", {"[Content_Types].xml": b"<Types/>"})),
    "xlsx-last-cell": (XLSX, lambda: _rows('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')),
    "xlsx-row-of-2-to-31": (XLSX, lambda: _rows('<row r="2147483647"><c r="A2147483647"><v>1</v></c></row>')),
    "xlsx-wide-rows": (XLSX, lambda: _rows("".join(f'<row r="{i}"><c r="XFD{i}"><v>1</v></c></row>' for i in range(1, 5_000)))),
    "xlsx-dimension": (XLSX, lambda: _rows('<row r="1"><c r="A1"><v>1</v></c></row>', before='<dimension ref="A1:XFD1048576"/>')),
    "xlsx-dates": (XLSX, lambda: _rows('<row r="1"><c r="A1" s="1" t="d"><v>99999-99-99</v></c><c r="B1"><v>1e400</v></c><c r="C1" t="s"><v>-99</v></c></row>')),
    "xlsx-strings": (XLSX, lambda: _shared_strings(2_000_000)),
    "xlsx-merged": (XLSX, lambda: _main("xlsx", f'<worksheet xmlns="{SHEET}"><sheetData/><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells></worksheet>'.encode())),
    "pptx-circles": (PPTX, _slide_circles),
    "html-deep": ("text/html", lambda: tags("div", 100_000)),
    "html-deep-lists": ("text/html", lambda: tags("ul><li", 20_000).replace(b"</ul><li>", b"</li></ul>")),
    "html-deep-quotes": ("text/html", lambda: tags("blockquote", 5_000)),
    "html-unclosed": ("text/html", lambda: b"<html>" + b"<b><i><a href=x>" * 30_000),
    "html-brackets": ("text/html", lambda: b"<html>" + b"<" * 2_000_000),
    "html-comments": ("text/html", lambda: b"<html>" + b"<!--" * 500_000),
    "html-entities": ("text/html", lambda: f"<!DOCTYPE html [<!ENTITY l0 'ha'>{LAUGHS}]><html>&l9;".encode()),
    "html-attributes": ("text/html", lambda: b"<html><p " + b"a=b " * 500_000 + b">x"),
    "html-spans": ("text/html", lambda: b"<html><table><tr>" + b"<td colspan=1000000 rowspan=1000000>x" * 2_000 + b"</table>"),
    "html-fetching": ("text/html", lambda: b"<html><img src=file:///etc/passwd><iframe src=http://127.0.0.1:9/></iframe><p>x"),
    "xml-laughs": ("text/xml", lambda: f"<?xml version='1.0'?>{LAUGHING}<x>&l9;</x>".encode()),
    "xhtml-laughs": ("application/xhtml+xml", lambda: f"<?xml version='1.0'?>{LAUGHING}<html><body>&l9;</body></html>".encode()),
    "json-deep": ("application/json", lambda: b"[" * 1_000_000),
    "json-numbers": ("application/json", lambda: b"[" + b"1" * 1_000_000 + b"]"),
    "csv-quotes": ("text/csv", lambda: b'"' * 3_000_001),
    "csv-columns": ("text/csv", lambda: b"," * 3_000_000),
    "rtf-deep": ("text/rtf", lambda: rb"{\rtf1 " + b"{" * 1_000_000),
    "rtf-binary": ("text/rtf", lambda: rb"{\rtf1 \bin2147483647 x}"),
    "rtf-unicode": ("text/rtf", lambda: rb"{\rtf1 " + rb"\u-99999999 ?\u55357 ?\uc2147483647 \'zz" * 1_000 + b"}"),
    "rtf-words": ("text/rtf", lambda: rb"{\rtf1 " + rb"\a" * 500_000 + b"}"),
    "utf-16-halves": ("text/plain", lambda: b"\xff\xfe" + b"\x3d\xd8a\0" * 5_000),
    "utf-16-odd": ("text/plain", lambda: b"\xff\xfea"),
    "utf-32-beyond": ("text/plain", lambda: b"\xff\xfe\0\0" + b"\xff\xff\xff\x7f" * 500),
    "mark-only": ("text/plain", lambda: b"\xef\xbb\xbf"),
    "utf-8-overlong": ("text/plain", lambda: b"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80" * 500),
    "one-long-line": ("text/plain", lambda: b"x" * 5_000_000),
    "backwards": ("text/plain", lambda: "\u202e\u0000txt.exe\u2066".encode() * 1_000),
    "terminal": ("text/plain", lambda: b"\x1b]0;geminid-was-here\x07\x1b[2J" * 100),
    "letters-of-codes": ("text/plain", lambda: bytes(range(128, 256)) * 9_000),
}  # fmt: skip
