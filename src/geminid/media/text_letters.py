"""Encodings of one byte a letter: told apart by which language's letters come out.

Statistics of bytes fail on Latin scripts: a Spanish ñ is a Polish ń in another table, and both are letters.
A language's own letters do not fail, since in the wrong table some of its bytes become letters that it does
not have. Other scripts are told by their most frequent letters.
"""

from __future__ import annotations

from collections.abc import Iterable

WESTERN = (
    "äöüß",
    "àâæçéèêëîïôœùûüÿ",
    "áéíñóúü",
    "áâãàçéêíóôõúü",
    "àèéìíîòóù",
    "æøåéäöü",
    "áéíóúýþæöð",
    "áéëïóöüèê",
    "àèéíïòóúüç",
)
CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîșțşţ")
TURKISH = ("çğıiöşüâîû",)
BALTIC = ("āčēģīķļņšūž", "ąčęėįšųūž", "äöõüšž")
LATIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cp1252", WESTERN),
    ("cp1250", CENTRAL),
    ("cp1254", TURKISH),
    ("cp1257", BALTIC),
    ("cp850", WESTERN[:4]),
    ("mac_roman", WESTERN[:4]),
    ("cp852", CENTRAL[:4]),
)
"""Encodings with the letters of the languages written in them, lower case; the more usual ones first."""
RUSSIAN, GREEK, HEBREW, ARABIC = "оеаинтсрвлк", "αοιετσνρπκη", "יוהלאתרבשמ", "ايلمنوترهبع"
SCRIPTS = (
    *(("cp1251", RUSSIAN), ("koi8-r", RUSSIAN), ("cp866", RUSSIAN), ("iso8859-5", RUSSIAN)),
    ("cp1253", GREEK),
    ("cp1255", HEBREW),
    ("cp1256", ARABIC),
)
"""Encodings with the letters that more than half of their text consists of."""
FREQUENT_MIN = 0.5
MIXED = 0.97
"""Several languages of one table in one file are likelier than one of another, if only just not certain."""
COVERED_MIN = 0.9
LETTERS_SHARE_MAX = 0.45
"""Of all letters, those that are not ASCII. Scripts that are not Latin have more of them."""
MARKS = "“”„‘’‚–—…•€£¥§°±²³µ·¹º»«¿¡ª¼½¾©®™×÷´¨¦¬¢¤ ¯¸‹›†‡‰\u00ad\u00a0"


def letters_encoding(sample: bytes) -> str | None:
    """Return the encoding of text of one byte a letter, None when it is in none of those known here."""
    high = bytes(byte for byte in sample if byte > 127)
    ascii_letters = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in sample)
    if not high:
        return None
    if len(high) > LETTERS_SHARE_MAX * (ascii_letters + len(high)):
        return _best(((_share(_decoded(high, name), often), name) for name, often in SCRIPTS), FREQUENT_MIN)
    return _best(
        ((_covered(_decoded(high, name), alphabets), name) for name, alphabets in LATIN), COVERED_MIN
    )


def _best(scored: Iterable[tuple[float, str]], least: float) -> str | None:
    share, name = max(scored, key=lambda each: each[0])
    return name if share >= least else None


def _decoded(high: bytes, encoding: str) -> str:
    try:
        return high.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _covered(text: str, languages: tuple[str, ...]) -> float:
    """Return the share of letters that the best language has."""
    letters = "".join(c for c in text if c not in MARKS)
    if not letters:
        return float(bool(text))
    return max(*(_share(letters, each) for each in languages), MIXED * _share(letters, "".join(languages)))


def _share(text: str, letters: str) -> float:
    if not text:
        return 0.0
    known = {*letters, *letters.upper(), *("İ" if "ı" in letters else "")}
    return sum(text.count(c) for c in known) / len(text)
