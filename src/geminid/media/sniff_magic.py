"""How files of each type begin: tables of signatures, and what must be looked at beyond them.

It knows bytes, no parser. Invariant: what is looked at is the beginning that it is given, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

PDF = "application/pdf"
PDF_MARK = b"%PDF-"
PDF_MARK_WITHIN = 1024
"""Readers of PDF take so much of something else before the mark."""

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, PDF_MARK, PDF),
    (0, b"{\\rtf", "text/rtf"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"caff\0\1", "audio/x-caf"),
    (0, b".snd\0\0\0", "audio/basic"),
    (0, b"FLV\1", "video/x-flv"),
    (0, b"\0\0\1\xba", "video/mpeg"),
    (0, b"\0\0\1\xb3", "video/mpeg"),
)
"""Offset, bytes, type."""

FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (0, b"(\xb5/\xfd", "a Zstandard archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"8BPS", "a Photoshop picture"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"MThd", "a MIDI file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
)
"""Types that are known, not read, and better named than called unknown."""

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF_BRANDS = {b"avif", b"avis"}
AUDIO_BRANDS = {b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "}
QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
RIFF: dict[bytes, str] = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
FRAMES_IN_A_ROW = 3
"""So many frames of MP3 or AAC one behind the other are no accident."""
FRAMES_BEGIN_WITHIN = 4096

_BITRATES: dict[tuple[bool, int], tuple[int, ...]] = {
    (True, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""In kilobits a second, by whether it is MPEG 1 and by the code of the layer (ISO 11172-3, 13818-3)."""
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def by_signature(head: bytes) -> str | None:
    """Return the type of a file by how it begins; None when nothing is known to begin so."""
    for offset, signature, mime_type in SIGNATURES:
        if head.startswith(signature, offset):
            return mime_type
    return next((found for look in _LOOKS if (found := look(head))), None)


def foreign(head: bytes) -> str | None:
    """Return the name of a type that is known but not read."""
    return next((name for offset, mark, name in FOREIGN if head.startswith(mark, offset)), None)


def _riff(head: bytes) -> str | None:
    return RIFF.get(head[8:12]) if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") else None


def _aiff(head: bytes) -> str | None:
    return "audio/aiff" if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def _bitmap(head: bytes) -> str | None:
    known = head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BITMAP_HEADERS
    return "image/bmp" if known else None


def _boxes(head: bytes) -> str | None:
    """ISO base media and QuickTime: MP4, MOV, M4A, 3GP, HEIC, AVIF."""
    if head[4:8] in QUICKTIME_BOXES and head[:4] not in (b"\0\0\0\0", b"\0\0\0\2"):
        return "video/quicktime"
    if head[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major, minor = head[8:12], {head[at : at + 4] for at in range(16, size - 3, 4)}
    if major in AVIF_BRANDS or (major in (b"mif1", b"msf1", b"miaf") and minor & AVIF_BRANDS):
        return "image/avif"
    if major in HEIF_BRANDS:
        return "image/heic"
    if major in (b"mif1", b"msf1"):
        return "image/heif"
    if major in AUDIO_BRANDS:
        return "audio/mp4"
    if major == b"crx ":  # raw pictures of cameras
        return None
    return "video/quicktime" if major == b"qt  " else "video/3gpp" if major[:2] == b"3g" else "video/mp4"


def _matroska(head: bytes) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return "video/webm" if b"\x42\x82\x84webm" in head[:64] else "video/x-matroska"


def _ogg(head: bytes) -> str | None:
    """The first pages of an Ogg name the codecs of all its streams."""
    if not head.startswith(b"OggS"):
        return None
    return "video/ogg" if b"\x80theora" in head or b"OVP80" in head else "audio/ogg"


def _windows_media(head: bytes) -> str | None:
    return "video/x-ms-wmv" if head.startswith(ASF) else None


def _transport_stream(head: bytes) -> str | None:
    """Packets of 188 bytes, or of 192 with a time before each."""
    for first, length in ((0, 188), (4, 192)):
        marks = head[first : first + 5 * length : length]
        if len(marks) == 5 and marks == b"G" * 5:
            return "video/mp2t"
    return None


def _frames(head: bytes) -> str | None:
    """MP3 and AAC, which have no header: frames in a row, perhaps behind a tag or the end of a frame."""
    if head.startswith(b"ID3"):
        return "audio/mpeg"
    for begin in range(min(FRAMES_BEGIN_WITHIN, len(head))):
        if head[begin] == 0xFF and (found := _frames_from(head, begin)):
            return found
    return None


def _frames_from(head: bytes, at: int) -> str | None:
    begin, aac = at, head[at + 1 : at + 2] in (b"\xf0", b"\xf1", b"\xf8", b"\xf9")
    for count in range(FRAMES_IN_A_ROW):
        if at == len(head) and count and begin == 0:
            break  # a short file, of whole frames only
        length = (_aac_bytes if aac else _mp3_bytes)(head[at : at + 6])
        if not length:
            return None
        at += length
    return "audio/aac" if aac else "audio/mpeg"


def _mp3_bytes(header: bytes) -> int:
    """Return the length of an MP1, MP2 or MP3 frame; 0 when it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kilobits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 0 or kilobits in (0, 15) or rate == 3:
        return 0
    bits, hertz = _BITRATES[version == 3, layer][kilobits] * 1000, _RATES[version][rate]
    padding = header[2] >> 1 & 1
    if layer == 3:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits // hertz + padding


def _aac_bytes(header: bytes) -> int:
    """Return the length of an ADTS frame; 0 when it is none."""
    if len(header) < 6 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    return (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5


_LOOKS: tuple[Callable[[bytes], str | None], ...] = (
    _riff,
    _aiff,
    _bitmap,
    _boxes,
    _matroska,
    _ogg,
    _windows_media,
    _transport_stream,
    _frames,
)
