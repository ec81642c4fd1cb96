"""PDFs that are bombs, run in circles or lie about themselves."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from made.hostile import Hostile, made
from made.hostile_pictures import zeros
from made.seeds import pdf_of_pages, seeds

PDF = "application/pdf"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
ONE_PAGE = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >> >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
TEXT = b"BT /F 18 Tf 40 100 Td (Hello out there) Tj ET "
DRAWN = b"q 200 0 0 100 20 20 cm /X Do Q "


def pdfs() -> Iterator[Hostile]:
    yield from made({name: (PDF, maker) for name, maker in REFUSED.items()}, must=True)
    yield from made({name: (PDF, maker) for name, maker in ODD.items()})


def stream(body: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(body), entries, body)


def pdf(*objects: bytes, trailer: bytes = b"", behind: bytes = b"") -> bytes:
    """Objects are numbered from 1; the first is the catalogue."""
    body, places = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    at = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        trailer,
        at,
    )
    return bytes(body) + behind


def _page(contents: bytes, entries: bytes = b"", *more: bytes, page: bytes = PAGE) -> bytes:
    """One page; ``more`` are objects from 6 on."""
    return pdf(CATALOG, ONE_PAGE, page, stream(contents, entries), FONT, *more)


def _nested_filters(size: int, times: int) -> bytes:
    body = zeros(size)
    for _ in range(times - 1):
        body = zlib.compress(body)
    return _page(body, b"/Filter [%s]" % (b"/FlateDecode " * times))


def _tree(depth: int) -> bytes:
    nodes = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 3) for number in range(depth)]
    return pdf(CATALOG, *nodes, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>")


def _many_pages(count: int) -> bytes:
    kids = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, b"3 0 R " * count)
    return pdf(CATALOG, kids, PAGE, stream(TEXT), FONT)


def _circle(kids: bytes, count: bytes = b"1") -> bytes:
    return pdf(CATALOG, b"<< /Type /Pages /Kids %s /Count %s >>" % (kids, count), PAGE, stream(TEXT), FONT)


def _box(box: bytes) -> bytes:
    return _page(TEXT, page=PAGE.replace(b"[0 0 300 200]", box))


def image(
    width: int,
    height: int,
    body: bytes,
    entries: bytes = b"/BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /FlateDecode",
) -> bytes:
    return stream(body, b"/Type /XObject /Subtype /Image /Width %d /Height %d %s" % (width, height, entries))


def _scanned_pages(count: int) -> bytes:
    """As many pages as there may be, each of which shows a picture and has to be looked at."""
    kids = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, b"3 0 R " * count)
    return pdf(CATALOG, kids, PAGE, stream(DRAWN), FONT, image(64, 64, zlib.compress(b"\xaa\x55" * 256)))


def _form(contents: bytes) -> bytes:
    form = stream(
        contents, b"/Type /XObject /Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /X 6 0 R >> >>"
    )
    return _page(DRAWN, b"", form)


def _tiled() -> bytes:
    """A page that is filled with tiles of a thousandth of a point."""
    entries = b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.001 /YStep 0.001 /Resources << >>"
    page = PAGE.replace(b"/XObject", b"/Pattern << /P 7 0 R >> /XObject")
    picture = image(8, 8, zlib.compress(bytes(8)))
    return _page(
        b"/Pattern cs /P scn 0 0 300 200 re f " + DRAWN,
        b"",
        picture,
        stream(b"0 0 1 1 re f", entries),
        page=page,
    )


def _object_streams() -> bytes:
    """Streams of objects that are extended by each other, and hold themselves."""
    packed = stream(b"2 0 3 40 " + ONE_PAGE + b" " + PAGE, b"/Type /ObjStm /N 2 /First 9 /Extends 6 0 R")
    again = stream(b"6 0 " + CATALOG, b"/Type /ObjStm /N 1 /First 4 /Extends 5 0 R")
    return pdf(CATALOG, ONE_PAGE, PAGE, stream(TEXT), packed, again)


def _outlines() -> bytes:
    catalog = CATALOG.replace(b" >>", b" /Outlines 6 0 R /Names 6 0 R /StructTreeRoot 6 0 R >>")
    circle = (
        b"<< /Title (x) /First 6 0 R /Last 6 0 R /Next 6 0 R /Parent 6 0 R /Kids [6 0 R] /K 6 0 R /Count 9 >>"
    )
    return pdf(catalog, ONE_PAGE, PAGE, stream(TEXT), FONT, circle)


def _fields() -> bytes:
    """Fields of a form that are each other's parents and children."""
    catalog = CATALOG.replace(
        b" >>", b" /AcroForm << /Fields [6 0 R] /NeedAppearances true /XFA (<x/>) >> >>"
    )
    page = PAGE.replace(b"/Parent", b"/Annots [6 0 R 7 0 R] /Parent")
    one = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V 7 0 R /Rect [0 0 9 9] /Parent 7 0 R /Kids [6 0 R 7 0 R] >>"
    other = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (b) /V 6 0 R /Rect [0 0 9 9] /Parent 6 0 R /Kids [6 0 R] >>"
    return pdf(catalog, ONE_PAGE, page, stream(TEXT), FONT, one, other)


def _acting() -> bytes:
    """A document that would run programs, scripts and other files when it is opened."""
    act = b" /OpenAction << /S /Launch /F (/bin/touch) /Win << /F (cmd.exe) >> /Next << /S /JavaScript /JS (while(1);) >> >> /AA << /O << /S /URI /URI (http://127.0.0.1:9/) >> >> >>"
    reference = b"/FFilter /FlateDecode /F << /Type /Filespec /F (secret.wav) >>"
    return pdf(CATALOG.replace(b" >>", act), ONE_PAGE, PAGE, stream(TEXT, reference), FONT)


def _cross_references() -> bytes:
    body = pdf(CATALOG, ONE_PAGE, PAGE, stream(TEXT), FONT)
    at = body.rindex(b"xref\n0")
    return body.replace(b"/Root", b"/Prev %d /XRefStm %d /Root" % (at, at))


def _type_3() -> bytes:
    """A font whose letter is drawn with the letter itself."""
    font = b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /FirstChar 72 /LastChar 72 /Widths [9] /Encoding << /Differences [72 /H] >> /CharProcs << /H 7 0 R >> /Resources << /Font << /F 5 0 R >> >> >>"
    return pdf(
        CATALOG,
        ONE_PAGE,
        PAGE,
        stream(b"BT /F 9 Tf (HHHH) Tj ET " + DRAWN),
        font,
        image(8, 8, zlib.compress(bytes(8))),
        stream(b"9 0 d0 BT /F 9 Tf (HH) Tj ET"),
    )


def _ruled(lines: int) -> bytes:
    """A page of nothing but ruling lines, which might all be tables."""
    across = b"".join(b"0 %.3f m 300 %.3f l S " % (y, y) for y in (200 * i / lines for i in range(lines)))
    down = b"".join(b"%.3f 0 m %.3f 200 l S " % (x, x) for x in (300 * i / lines for i in range(lines)))
    return _page(zlib.compress(across + down + TEXT), b"/Filter /FlateDecode")


def _letters(count: int) -> bytes:
    words = b"BT /F 2 Tf 2 TL 1 199 Td " + b"(abcdefg hij) Tj T* " * (count // 11) + b"ET"
    return _page(zlib.compress(words), b"/Filter /FlateDecode")


REFUSED = {
    "pdf-that-is-text": lambda: b"%PDF-1.7\n" + b"not at all " * 99,
    "pdf-that-is-picture": lambda: seeds()["png"][1],
    "pdf-100000-pages": lambda: _many_pages(100_000),
    "pdf-no-pages": lambda: pdf(CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"),
    "pdf-password": lambda: pdf_of_pages(1, encrypt="sesame"),
    "pdf-header-only": lambda: b"%PDF-1.7",
}
ODD = {
    "pdf-no-catalogue": lambda: pdf(b"<< /Type /Catalog /Pages 1 0 R >>"),
    "pdf-flate-bomb": lambda: _page(zeros(1 << 28), b"/Filter /FlateDecode"),
    "pdf-nested-filters": lambda: _nested_filters(1 << 28, 3),
    "pdf-30-filters": lambda: _page(b"x", b"/Filter [%s]" % (b"/ASCIIHexDecode /LZWDecode /RunLengthDecode " * 30)),
    "pdf-lzw-garbage": lambda: _page(b"\x80\x0b\x60\x50" * 9_000, b"/Filter /LZWDecode"),
    "pdf-predictor": lambda: _page(zeros(1 << 24), b"/Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors 2147483647 /BitsPerComponent 32 /Columns 2147483647 >>"),
    "pdf-deep-tree": lambda: _tree(20_000),
    "pdf-kids-circle": lambda: _circle(b"[2 0 R 3 0 R 2 0 R]"),
    "pdf-kids-of-2-to-31": lambda: _circle(b"[3 0 R]", b"2147483647"),
    "pdf-kids-negative": lambda: _circle(b"[3 0 R]", b"-1"),
    "pdf-kids-missing": lambda: _circle(b"99 0 R"),
    "pdf-box-giant": lambda: _box(b"[0 0 1e9 1e9]"),
    "pdf-box-empty": lambda: _box(b"[0 0 0 0]"),
    "pdf-box-inverted": lambda: _box(b"[9999999 9999999 -9999999 -9999999]"),
    "pdf-box-no-numbers": lambda: _box(b"[/a (b) null 2 0 R]"),
    "pdf-long-strip": lambda: _page(DRAWN, b"", image(8, 8, zlib.compress(bytes(8))), page=PAGE.replace(b"[0 0 300 200]", b"[0 0 14400 1]")),
    "pdf-image-50000": lambda: _page(DRAWN, b"", image(50_000, 50_000, zeros(50_000 * 6_250))),
    "pdf-image-of-2-to-31": lambda: _page(DRAWN, b"", image(0x7FFF_FFFF, 0x7FFF_FFFF, zeros(4096))),
    "pdf-image-jpx": lambda: _page(DRAWN, b"", image(9, 9, b"\xff\x4f\xff\x51\0\x2f\0\0" + b"\x7f\xff\xff\xff" * 8 + b"\0\1\7\1\1", b"/Filter /JPXDecode")),
    "pdf-image-jbig2": lambda: _page(DRAWN, b"", image(9, 9, b"\0\0\0\0\x30\0\1\0\0\0\x13" + b"\x7f\xff\xff\xff" * 2 + bytes(11), b"/Filter /JBIG2Decode /ColorSpace /DeviceGray /BitsPerComponent 1")),
    "pdf-image-fax": lambda: _page(DRAWN, b"", image(60_000, 60_000, b"\0\1" * 50, b"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 60000 /Rows 60000 >> /ColorSpace /DeviceGray /BitsPerComponent 1")),
    "pdf-1000-scans": lambda: _scanned_pages(1_000),
    "pdf-form-circle": lambda: _form(DRAWN * 9),
    "pdf-saved-states": lambda: _page(zlib.compress(b"q " * 3_000_000 + TEXT), b"/Filter /FlateDecode"),
    "pdf-deep-arrays": lambda: _page(b"[" * 500_000 + TEXT),
    "pdf-deep-object": lambda: pdf(CATALOG, ONE_PAGE, PAGE, stream(TEXT), FONT, b"<< /A " * 50_000),
    "pdf-tiles": _tiled,
    "pdf-object-streams": _object_streams,
    "pdf-outlines": _outlines,
    "pdf-fields": _fields,
    "pdf-acting": _acting,
    "pdf-cross-references": _cross_references,
    "pdf-references-of-2-to-31": lambda: _circle(b"[3 0 R]").replace(b"xref\n0 6", b"xref\n0 2147483647"),
    "pdf-font-of-itself": _type_3,
    "pdf-rules": lambda: _ruled(3_000),
    "pdf-letters": lambda: _letters(1_000_000),
    "pdf-length-lies": lambda: _page(TEXT).replace(b"/Length ", b"/Length 99999999"),
    "pdf-length-is-itself": lambda: _page(TEXT).replace(b"/Length %d" % len(TEXT), b"/Length 4 0 R"),
    "pdf-and-zip": lambda: pdf_of_pages(1) + seeds()["docx"][1],
    "pdf-behind-text": lambda: b"#!/bin/sh\ntouch geminid-was-here\n" + pdf_of_pages(1),
}  # fmt: skip
