"""Sound and film that never ends, lies about its length and sizes, or is a list of other files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache

from made.hostile import Hostile, made
from made.hostile_pictures import zeros
from made.seeds import picture, saved, seeds

HOUR_S = 3600
SECRET_FILE = "secret.wav"
"""A sound beside the hostile ones, which some of them try to have heard in their place."""
BIG = (1 << 63) - 1


def sounds() -> Iterator[Hostile]:
    yield from made(LISTS, must=True)
    yield from made(ENDLESS, must=True)
    yield from made(LIES)


# -- sound ---------------------------------------------------------------------------------------------


def wav(
    data: bytes, *, rate: int = 8_000, channels: int = 1, bits: int = 8, said: int | None = None, tag: int = 1
) -> bytes:
    width = channels * bits // 8
    form = struct.pack(
        "<HHIIHH", tag, channels & 0xFFFF, rate, rate * width & 0xFFFF_FFFF, width & 0xFFFF, bits
    )
    size = len(data) if said is None else said
    return (
        b"RIFF"
        + struct.pack("<I", min(size + 36, 0xFFFF_FFFF))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size)
        + data
    )


@cache
def _ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ 0x04C1_1DB7 if crc & 0x8000_0000 else crc << 1
        table.append(crc & 0xFFFF_FFFF)
    return table


def ogg_page(packets: list[bytes], granule: int, number: int, flags: int = 0) -> bytes:
    lacing = bytes(len(packet) for packet in packets)
    head = b"OggS" + struct.pack("<BBqIII", 0, flags, granule, 1, number, 0) + bytes([len(packets)]) + lacing
    body, crc, table = bytearray(head + b"".join(packets)), 0, _ogg_table()
    for byte in body:
        crc = (crc << 8 & 0xFFFF_FFFF) ^ table[(crc >> 24) ^ byte]
    body[22:26] = struct.pack("<I", crc)
    return bytes(body)


def opus_silence(hours: float) -> bytes:
    """Packets of two bytes, each of which is 120 ms of nothing."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
    pages = [ogg_page([head], 0, 0, 2), ogg_page([tags], 0, 1)]
    packet, each = bytes([0x0B, 0x06]), 255
    for number in range(int(hours * HOUR_S / 0.12 / each) + 1):
        pages.append(ogg_page([packet] * each, (number + 1) * each * 5_760, number + 2))
    return b"".join(pages)


def mp3_silence(hours: float) -> bytes:
    """Frames of 72 bytes, each of which is 72 ms of nothing."""
    return (b"\xff\xe3\x18\xc0" + bytes(68)) * int(hours * HOUR_S / 0.072)


def aiff(rate: bytes, frames: int = 800, said: int | None = None) -> bytes:
    form = struct.pack(">hIh", 1, frames, 8) + rate
    data = struct.pack(">II", 0, 0) + bytes(800)
    inside = (
        b"COMM" + struct.pack(">I", len(form)) + form + b"SSND" + struct.pack(">I", said or len(data)) + data
    )
    return b"FORM" + struct.pack(">I", len(inside) + 4) + b"AIFF" + inside


def id3(behind: bytes) -> bytes:
    """What lies behind a tag of ID3 is looked at as if the tag were not there."""
    return b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + behind


PLAYLIST = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{SECRET_FILE}\n#EXT-X-ENDLIST\n".encode()
CONCAT = f"ffconcat version 1.0\nfile {SECRET_FILE}\n".encode()
SESSION = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
MANIFEST = (
    f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S">'
    f'<Period><AdaptationSet><Representation id="1" mimeType="audio/wav"><BaseURL>{SECRET_FILE}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
).encode()

LISTS = {
    "playlist": ("audio/mpeg", lambda: PLAYLIST),
    "playlist-apple": ("audio/x-mpegurl", lambda: PLAYLIST),
    "playlist-remote": (
        "video/mp4",
        lambda: PLAYLIST.replace(SECRET_FILE.encode(), b"http://127.0.0.1:9/x.ts"),
    ),
    "concat": ("audio/wav", lambda: CONCAT),
    "session": ("audio/mpeg", lambda: SESSION),
    "manifest": ("video/mp4", lambda: MANIFEST),
    "tagged-playlist": ("audio/mpeg", lambda: id3(PLAYLIST)),
    "tagged-concat": ("audio/mpeg", lambda: id3(CONCAT)),
    "tagged-session": ("audio/mpeg", lambda: id3(SESSION)),
    "tagged-manifest": ("audio/mpeg", lambda: id3(MANIFEST)),
}
ENDLESS = {
    "opus-10-hours": ("audio/ogg", lambda: opus_silence(10)),
    "mp3-3-hours": ("audio/mpeg", lambda: mp3_silence(3)),
    "wav-of-1-hertz": ("audio/wav", lambda: wav(bytes(360_000), rate=1)),
    "wav-of-8-hertz": ("audio/wav", lambda: wav(bytes(2_880_000), rate=8)),
    "wav-no-rate": ("audio/wav", lambda: wav(bytes(8_000), rate=0)),
    "aiff-no-rate": ("audio/aiff", lambda: aiff(bytes(10))),
    "mp3-of-nothing": ("audio/mpeg", lambda: id3(bytes(50_000))),
    "raw-samples": ("audio/l16", lambda: bytes(range(256)) * 40),
    "ogg-that-is-picture": ("audio/ogg", lambda: seeds()["png"][1]),
    "mp4-that-is-text": ("video/mp4", lambda: b"ftypmp42 is only text\n" * 20),
}


# -- film ----------------------------------------------------------------------------------------------


def box(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I", len(body) + 8 if size is None else size) + name + body


def _patched(kind: str, mark: bytes, offset: int, new: bytes, *, every: bool = False) -> bytes:
    """Write something over what lies behind a mark."""
    body = bytearray(seeds()[kind][1])
    at = body.find(mark)
    assert at >= 0, (kind, mark)
    while at >= 0:
        body[at + offset : at + offset + len(new)] = new
        at = body.find(mark, at + 1) if every else -1
    return bytes(body)


def _nested(depth: int) -> bytes:
    inside = b""
    for _ in range(depth):
        inside = box(b"moov", inside)
    return box(b"ftyp", b"isom\0\0\0\0isom") + inside


def _endless_atom() -> bytes:
    return box(b"ftyp", b"isom\0\0\0\0isom") + struct.pack(">I4sQ", 1, b"moov", BIG) + bytes(64)


def _edits(seconds: int) -> bytes:
    """A track whose edit list begins with hours of nothing."""
    body = seeds()["film.mp4"][1]
    at = body.find(b"elst")
    entry = struct.pack(">IIIiI", 0, 1, seconds * 1000, -1, 1 << 16)
    return body[: at + 4] + entry + body[at + 4 + len(entry) :]


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def listed(name: bytes, *inside: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(inside))


def avi(
    frames: list[bytes],
    width: int,
    height: int,
    *,
    rate: int = 4,
    scale: int = 1,
    codec: bytes = b"MJPG",
    script: bytes = b"",
) -> bytes:
    """Motion JPEG, or what ``codec`` says; ``script`` are subtitles beside it."""
    main = struct.pack(
        "<14I", 250_000, 0, 0, 0x10, len(frames), 0, 1 + bool(script), 0, width, height, 0, 0, 0, 0
    )
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, codec, 0, 0, 0, 0, 0)
    streams = [
        listed(
            b"strl", chunk(b"strh", _stream(b"vids", codec, scale, rate, len(frames))), chunk(b"strf", form)
        )
    ]
    if script:
        streams.append(
            listed(b"strl", chunk(b"strh", _stream(b"txts", bytes(4), 1, 1, 1)), chunk(b"strf", b""))
        )
    shown = [chunk(b"00dc", frame) for frame in frames] + [chunk(b"01tx", script)] * bool(script)
    body = listed(b"hdrl", chunk(b"avih", main), *streams) + listed(b"movi", *shown)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body


def _stream(kind: bytes, codec: bytes, scale: int, rate: int, length: int) -> bytes:
    return struct.pack("<4s4s10I4H", kind, codec, 0, 0, 0, scale, rate, 0, length, 0, 0, 0, 0, 0, 0, 0)


def _jpeg(width: int, height: int) -> bytes:
    body = bytearray(saved(picture(), "JPEG"))
    at = body.index(b"\xff\xc0") + 5
    body[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(body)


def _subtitles() -> bytes:
    """Subtitles inside an AVI, which are a playlist."""
    script = b"GAB2\0" + struct.pack("<HIHI", 2, 0, 4, len(PLAYLIST)) + PLAYLIST
    return avi([_jpeg(96, 48)], 96, 48, script=script)


def element(name: int, body: bytes, size: bytes | None = None) -> bytes:
    length = size or ((1 << 56) | len(body)).to_bytes(8, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + length + body


def matroska(*inside: bytes) -> bytes:
    head = element(0x1A45DFA3, element(0x4282, b"matroska") + element(0x4287, b"\4") + element(0x4285, b"\2"))
    return head + element(0x18538067, b"".join(inside))


def _packed_track() -> bytes:
    """A track whose one block is deflated, and is a quarter of a gigabyte when it is not."""
    packing = element(0x6D80, element(0x6240, element(0x5034, element(0x4254, b"\0"))))
    sound = element(
        0xE1, element(0xB5, struct.pack(">d", 8000.0)) + element(0x9F, b"\1") + element(0x6264, b"\x10")
    )
    track = element(
        0xAE,
        element(0xD7, b"\1")
        + element(0x73C5, b"\1")
        + element(0x83, b"\2")
        + element(0x86, b"A_PCM/INT/LIT")
        + sound
        + packing,
    )
    block = element(0xA3, b"\x81\0\0\x80" + zeros(1 << 28))
    return matroska(element(0x1654AE6B, track), element(0x1F43B675, element(0xE7, b"\0") + block))


def _deep_tags(depth: int) -> bytes:
    inside = b""
    for _ in range(depth):
        inside = element(0x67C8, element(0x45A3, b"a") + inside)
    return matroska(element(0x1254C367, element(0x7373, inside)))


LIES = {
    "wav-of-4-gib": ("audio/wav", lambda: wav(bytes(800), said=0xFFFF_FFFF)),
    "wav-of-65535-channels": ("audio/wav", lambda: wav(bytes(800), channels=65_535)),
    "wav-no-channels": ("audio/wav", lambda: wav(bytes(800), channels=0)),
    "wav-of-2-to-31-hertz": ("audio/wav", lambda: wav(bytes(8_000), rate=0x7FFF_FFFF)),
    "wav-no-bits": ("audio/wav", lambda: wav(bytes(800), bits=0)),
    "wav-unknown-codec": ("audio/wav", lambda: wav(bytes(800), tag=0x9999)),
    "aiff-infinite-rate": ("audio/aiff", lambda: aiff(b"\x7f\xff" + bytes(8))),
    "aiff-of-2-to-32": ("audio/aiff", lambda: aiff(b"\x40\x0b\xfa" + bytes(7), 0xFFFF_FFFF, 0xFFFF_FFFF)),
    "ogg-late-granule": ("audio/ogg", lambda: ogg_page([b"OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0"], BIG, 0, 2) + ogg_page([b"\x0b\x06"], BIG, 1)),
    "ogg-of-many-streams": ("audio/ogg", lambda: b"".join(b"OggS\0\2" + bytes(8) + struct.pack("<III", i, 0, 0) + b"\1\x08OpusHead" for i in range(20_000))),
    "caf-of-packets": ("audio/x-caf", lambda: b"caff\0\1\0\0desc" + struct.pack(">q", 32) + struct.pack(">d4sIIIII", 8000.0, b"aac ", 0, 0, 0, 1, 0) + b"pakt" + struct.pack(">qqqii", 24, BIG, BIG, 0, 0)),
    "au-of-4-gib": ("audio/basic", lambda: b".snd" + struct.pack(">IIIII", 24, 0xFFFF_FFFF, 1, 8_000, 1) + bytes(800)),
    "amr-of-garbage": ("audio/amr", lambda: b"#!AMR\n" + bytes(range(256)) * 30),
    "aac-of-garbage": ("audio/aac", lambda: b"\xff\xf1\x50\x80\x01\x1f\xfc" * 2_000),
    "mp4-endless-atom": ("video/mp4", _endless_atom),
    "mp4-nested-atoms": ("video/mp4", lambda: _nested(20_000)),
    "mp4-of-2-to-31-ms": ("video/mp4", lambda: _patched("film.mp4", b"mvhd", 20, b"\x7f\xff\xff\xff")),
    "mp4-media-of-2-to-32": ("video/mp4", lambda: _patched("film.mp4", b"mdhd", 20, b"\xff\xff\xff\xff", every=True)),
    "mp4-no-timescale": ("video/mp4", lambda: _patched("film.mp4", b"mdhd", 16, bytes(4), every=True)),
    "mp4-many-samples": ("video/mp4", lambda: _patched("film.mp4", b"stsz", 8, b"\0\0\0\1\x7f\xff\xff\xff", every=True)),
    "mp4-long-samples": ("video/mp4", lambda: _patched("film.mp4", b"stts", 8, b"\0\0\0\x04\x7f\xff\xff\xff", every=True)),
    "mp4-many-times": ("video/mp4", lambda: _patched("film.mp4", b"stts", 4, b"\x0f\xff\xff\xff", every=True)),
    "mp4-edit-of-hours": ("video/mp4", lambda: _edits(400_000)),
    "mp4-chunks-beyond": ("video/mp4", lambda: _patched("film.mp4", b"stco", 8, b"\xff\xff\xff\xf0", every=True)),
    "mp4-of-65535-pixels": ("video/mp4", lambda: _patched("film.mp4", b"mp4v", 28, b"\xff\xff\xff\xff")),
    "mov-of-2-to-31-ms": ("video/quicktime", lambda: _patched("film.mov", b"mvhd", 20, b"\x7f\xff\xff\xff")),
    "avi-of-65535-pixels": ("video/x-msvideo", lambda: avi([_jpeg(65_500, 65_500)], 65_500, 65_500)),
    "avi-that-grows": ("video/x-msvideo", lambda: avi([_jpeg(96, 48), _jpeg(65_500, 65_500), _jpeg(20_000, 20_000)], 96, 48)),
    "avi-raw-of-2-to-31": ("video/x-msvideo", lambda: avi([bytes(4_000)], 0x7FFF_FFFF, 0x7FFF_FFFF, codec=b"\0\0\0\0")),
    "avi-no-rate": ("video/x-msvideo", lambda: avi([_jpeg(96, 48)] * 3, 96, 48, rate=0, scale=0)),
    "avi-a-frame-a-day": ("video/x-msvideo", lambda: avi([_jpeg(96, 48)] * 9, 96, 48, scale=86_400, rate=1)),
    "avi-million-a-second": ("video/x-msvideo", lambda: avi([_jpeg(96, 48)] * 900, 96, 48, rate=1_000_000)),
    "avi-50000-frames": ("video/x-msvideo", lambda: avi([b""] * 50_000, 96, 48)),
    "avi-subtitles": ("video/x-msvideo", _subtitles),
    "mkv-endless": ("video/x-matroska", lambda: matroska(element(0x1F43B675, b"", b"\x01" + b"\xff" * 7))),
    "mkv-of-2-to-56": ("video/x-matroska", lambda: matroska(element(0x1654AE6B, b"", b"\x01" + b"\x7f" * 7))),
    "mkv-deep-tags": ("video/x-matroska", lambda: _deep_tags(3_000)),
    "mkv-packed": ("video/x-matroska", _packed_track),
    "webm-long": ("video/webm", lambda: _patched("film.webm", b"\x44\x89\x88", 3, struct.pack(">d", 1e18))),
    "flv-circles": ("video/x-flv", lambda: b"FLV\1\5\0\0\0\x09" + bytes(4) + b"\x12\0\0\0\0\0\0\0\0\0\0" * 5_000),
    "mpeg-of-garbage": ("video/mpeg", lambda: b"\0\0\1\xba" + b"\x44\0\4\0\4\1\0\0\3\xf8" + b"\0\0\1\xe0\0\0\x80\0\0" * 5_000),
    "ts-of-garbage": ("video/mp2t", lambda: (b"G" + bytes(range(187))) * 2_000),
    "wmv-of-garbage": ("video/x-ms-wmv", lambda: bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QI", BIG, 0x7FFF_FFFF) + bytes(500)),
    "film-that-is-gif": ("video/mp4", lambda: seeds()["gif-animated"][1]),
}  # fmt: skip
