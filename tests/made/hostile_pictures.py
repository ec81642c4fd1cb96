"""Pictures that are bombs, lie about their size, run in circles or are something else."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from made.hostile import Hostile, made
from made.seeds import picture, saved, seeds

LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
"""A billion of them, when expanded."""


def pictures() -> Iterator[Hostile]:
    yield from made(BOMBS, must=True)
    yield from made(ODD)


def png(
    width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colour: int = 0, lace: int = 0
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lace)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(*each) for each in ((b"IHDR", header), *chunks, (b"IEND", b""))
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def zeros(size: int) -> bytes:
    """Deflated zeros, without ever holding all of them."""
    packer, block = zlib.compressobj(1), bytes(1 << 20)
    return (
        b"".join(packer.compress(block[: min(1 << 20, size - at)]) for at in range(0, size, 1 << 20))
        + packer.flush()
    )


def _jpeg_of_size(width: int, height: int) -> bytes:
    body = bytearray(saved(picture(), "JPEG"))
    at = body.index(b"\xff\xc0") + 5
    body[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(body)


def _jpeg_of_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan, which refines the whole picture, comes again and again."""
    body = saved(Image.new("L", (3000, 3000), 128), "JPEG", progressive=True)
    last = body.rindex(b"\xff\xda")
    return body[:last] + body[last:-2] * scans + body[-2:]


def tiff(entries: list[tuple[int, int, int, int]], *, following: int = 0, data: bytes = b"") -> bytes:
    """One directory at 8, with entries of tag, type, count, value; ``data`` comes behind it."""
    fields = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + struct.pack("<H", len(entries))
        + fields
        + struct.pack("<I", following)
        + data
    )


def _tiff_picture(
    width: int, height: int, *, compression: int = 1, following: int = 0, data: bytes = b""
) -> bytes:
    count = 8
    at = 8 + 2 + 12 * count + 4
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, compression),
        (262, 3, 1, 1),
        (273, 4, 1, at),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
    ]
    return tiff(entries, following=following, data=data)


def _tiff_pages(count: int) -> bytes:
    body = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(count):
        fields = (
            (256, 4, 1, 1),
            (257, 4, 1, 1),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 1, 4),
        )
        more = ((278, 4, 1, 1), (279, 4, 1, 1))
        body += struct.pack("<H", 8) + b"".join(struct.pack("<HHII", *each) for each in fields + more)
        body += struct.pack("<I", len(body) + 4 if number + 1 < count else 0)
    return bytes(body)


def _gif(width: int, height: int, frames: int, frame: bytes = b"\x02\x02\x44\x01\x00") -> bytes:
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + frame
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + image * frames + b"\x3b"


def _webp_of_size(side: int) -> bytes:
    canvas = (side - 1).to_bytes(3, "little") * 2
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
    still = seeds()["webp"][1][12:]
    return b"RIFF" + struct.pack("<I", 4 + len(chunk) + len(still)) + b"WEBP" + chunk + still


def _ispe(kind: str, side: int) -> bytes:
    """HEIF and AVIF that say another size; their frames say the true one."""
    body = bytearray(seeds()[kind][1])
    at = body.index(b"ispe") + 8
    body[at : at + 8] = struct.pack(">II", side, side)
    return bytes(body)


def bmp(width: int, height: int, data: bytes, *, bits: int = 8, compression: int = 0) -> bytes:
    palette = bytes(4 * 256) if bits == 8 else b""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + palette + data


def _apng(frames: int) -> bytes:
    control = struct.pack(">II", frames, 0)
    frame = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 100, 0, 0)
    return png(1, 1, (b"acTL", control), (b"fcTL", frame), (b"IDAT", zlib.compress(b"\0\0")))


def _icc_bomb() -> bytes:
    profile = b"ICC\0\0" + zeros(1 << 28)
    return png(8, 8, (b"iCCP", profile), (b"IDAT", zlib.compress(bytes(72))))


def _exif_of_circles() -> bytes:
    """Directories of Exif that name each other."""
    circle = tiff([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8), (0x112, 3, 1, 6)], following=8)
    return saved(picture(), "JPEG", exif=b"Exif\0\0" + circle)


def svg(inside: str, doctype: str = "") -> bytes:
    return f'<?xml version="1.0"?>{doctype}<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode()


def _gzipped(size: int) -> bytes:
    body = io.BytesIO()
    with gzip.GzipFile(fileobj=body, mode="wb", mtime=0) as packed:
        packed.write(b"<svg>")
        for _ in range(size >> 20):
            packed.write(b" " * (1 << 20))
    return body.getvalue()


PROGRAM = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch geminid-was-here) (r) file\n"
MAGICK = b"push graphic-context\nviewbox 0 0 9 9\nfill 'url(https://localhost/x.jpg\"|touch \"geminid-was-here)'\npop graphic-context\n"

BOMBS = {
    "png-50000-zeros": ("image/png", lambda: png(50_000, 50_000, (b"IDAT", zeros(50_000 * 6_251)), depth=1)),
    "png-of-2-to-31": ("image/png", lambda: png(0x7FFF_FFFF, 0x7FFF_FFFF, (b"IDAT", b""))),
    "png-wide": ("image/png", lambda: png(0x7FFF_FFFF, 1, (b"IDAT", zlib.compress(b"\0")))),
    "png-no-size": ("image/png", lambda: png(0, 0, (b"IDAT", zlib.compress(b"")))),
    "png-interlaced": ("image/png", lambda: png(60_000, 60_000, (b"IDAT", zeros(1 << 20)), lace=1)),
    "jpeg-65500": ("image/jpeg", lambda: _jpeg_of_size(65_500, 65_500)),
    "jpeg-no-height": ("image/jpeg", lambda: _jpeg_of_size(96, 0)),
    "gif-65535": ("image/gif", lambda: _gif(65_535, 65_535, 1)),
    "tiff-of-2-to-32": ("image/tiff", lambda: _tiff_picture(0xFFFF_FFFF, 0xFFFF_FFFF)),
    "tiff-deflated": (
        "image/tiff",
        lambda: _tiff_picture(40_000, 40_000, compression=8, data=zeros(1 << 28)),
    ),
    "webp-16384": ("image/webp", lambda: _webp_of_size(16_384)),
    "heic-of-2-to-30": ("image/heic", lambda: _ispe("heic", 1 << 30)),
    "heic-no-size": ("image/heic", lambda: _ispe("heic", 0)),
    "avif-of-2-to-30": ("image/avif", lambda: _ispe("avif", 1 << 30)),
    "bmp-of-2-to-31": ("image/bmp", lambda: bmp(0x7FFF_FFFF, 0x7FFF_FFFF, b"")),
    "svg-gzipped": ("image/svg+xml", lambda: _gzipped(1 << 28)),
    "photoshop": ("image/png", lambda: b"8BPS\0\1" + bytes(200)),
    "icon": ("image/png", lambda: b"\0\0\1\0\1\0" + bytes(200)),
    "png-that-is-pdf": ("image/png", lambda: seeds()["pdf"][1]),
    "png-that-is-program": ("image/png", lambda: b"\x7fELF\2\1\1" + bytes(500)),
    "png-that-is-zip": ("image/png", lambda: seeds()["docx"][1]),
    "png-that-is-html": ("image/png", lambda: seeds()["html"][1]),
    "png-that-is-film": ("image/png", lambda: seeds()["film.mp4"][1]),
    "png-that-is-postscript": ("image/png", lambda: PROGRAM),
    "jpeg-that-is-magick": ("image/jpeg", lambda: MAGICK),
}
ODD = {
    "png-largest": ("image/png", lambda: png(10_000, 10_000, (b"IDAT", zeros(10_000 * 1_251)), depth=1)),
    "png-icc-bomb": ("image/png", _icc_bomb),
    "png-text-bomb": ("image/png", lambda: png(8, 8, (b"zTXt", b"a\0\0" + zeros(1 << 28)), (b"IDAT", zlib.compress(bytes(72))))),
    "png-no-palette": ("image/png", lambda: png(8, 8, (b"IDAT", zlib.compress(bytes(72))), colour=3)),
    "png-animated": ("image/png", lambda: _apng(0x7FFF_FFFF)),
    "png-short-of-data": ("image/png", lambda: png(900, 900, (b"IDAT", zlib.compress(b"\0")))),
    "png-too-much-data": ("image/png", lambda: png(8, 8, (b"IDAT", zeros(1 << 28)))),
    "png-million-chunks": ("image/png", lambda: png(8, 8, *[(b"tEXt", b"a\0b")] * 200_000)),
    "jpeg-scans": ("image/jpeg", lambda: _jpeg_of_scans(100)),
    "jpeg-exif-circles": ("image/jpeg", _exif_of_circles),
    "jpeg-and-zip": ("image/jpeg", lambda: seeds()["jpeg"][1] + seeds()["docx"][1]),
    "gif-100000-frames": ("image/gif", lambda: _gif(1, 1, 100_000)),
    "gif-and-script": ("image/gif", lambda: _gif(0x2A2F, 1, 1) + b"*/=1;alert(1)//"),
    "gif-frame-outside": ("image/gif", lambda: _gif(1, 1, 1).replace(b"\x2c\0\0\0\0", b"\x2c\xff\xff\xff\xff")),
    "png-and-pdf": ("image/png", lambda: seeds()["png"][1] + seeds()["pdf"][1]),
    "tiff-circle": ("image/tiff", lambda: _tiff_picture(8, 8, following=8, data=bytes(64))),
    "tiff-20000-pages": ("image/tiff", lambda: _tiff_pages(20_000)),
    "tiff-many-entries": ("image/tiff", lambda: tiff([(40_000 + i % 9_000, 4, 0xFFFF_FFFF, 8) for i in range(60_000)])),
    "tiff-strips-beyond": ("image/tiff", lambda: tiff([(256, 4, 1, 99), (257, 4, 1, 99), (273, 4, 0x3FFF_FFFF, 8), (279, 4, 0x3FFF_FFFF, 8)])),
    "bmp-run-lengths": ("image/bmp", lambda: bmp(10_000, 9_000, b"\xff\0" * 100_000, compression=1)),
    "bmp-upside-down": ("image/bmp", lambda: bmp(8, -0x8000_0000, bytes(64))),
    "svg-laughs": ("image/svg+xml", lambda: svg("<text>&l9;</text>", f'<!DOCTYPE s [<!ENTITY l0 "ha">{LAUGHS}]>')),
    "svg-files": ("image/svg+xml", lambda: svg('<image href="file:///etc/passwd"/>&x;', '<!DOCTYPE s [<!ENTITY x SYSTEM "secret.wav">]>')),
    "eps": ("application/octet-stream", lambda: PROGRAM),
    "magick": ("text/plain", lambda: MAGICK),
}  # fmt: skip
