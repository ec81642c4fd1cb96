"""Text files are read in whatever encoding they are; HTML and RTF lose their markup; binary is refused."""

import codecs
import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.reading import Ask, Passage
from geminid.media.text import decode, read_text
from geminid.media.text_encoding import encoding_of, looks_like_text
from geminid.media.text_html import markdown_of
from geminid.media.tools import Tools

SAID = {
    "utf-8": "Grüße, 日本語, 🦊",
    "utf-8-sig": "Grüße, 日本語",
    "utf-16": "Grüße, 日本語",
    "utf-16-le": "Plain words and Grüße",
    "utf-16-be": "Plain words and Grüße",
    "utf-32": "Grüße",
    "utf-32-le": "Plain words",
    "cp1252": "Price: 5 € – “quoted”, Straße, Fußgänger, geöffnet",
    "latin-1": "name,city\nJosé,Málaga\nSøren,København\nJürgen,Köln\n",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "iso8859-2": "Řeka, hory, údolí, město",
    "cp1254": "Türkçe: İstanbul'da güneşli bir gün, çok güzel",
    "cp850": "Grüße aus München, die Straße ist für Fußgänger geöffnet",
    "cp1251": "Привет, мир! Это обычный русский текст, который нужно прочитать.",
    "koi8-r": "Привет, мир! Это обычный русский текст, который нужно прочитать.",
    "cp866": "Привет, мир! Это обычный русский текст, который нужно прочитать.",
    "cp1253": "Καλημέρα κόσμε, αυτό είναι ένα κείμενο στα ελληνικά.",
    "cp1255": "שלום עולם, זהו טקסט בעברית לבדיקה",
    "cp1256": "مرحبا بالعالم، هذا نص عربي للاختبار",
    "shift_jis": "日本語のテキストファイルです。文字コードはシフトJISです。",
    "euc_jp": "日本語のテキストファイルです。文字コードはEUCです。",
    "iso2022_jp": "日本語のテキスト",
    "gb18030": "这是一个简体中文的文本文件，用来测试编码检测。",
    "big5": "這是一個繁體中文的文字檔案，用來測試編碼偵測。",
    "euc_kr": "한국어 텍스트 파일입니다. 인코딩을 확인하기 위한 것입니다.",
}


@pytest.fixture
def read(tmp_path):
    def run(content, mime_type="", **bounds):
        path = tmp_path / "file"
        path.write_bytes(content)
        return read_text(path, Ask(mime_type=mime_type), Bounds(**bounds), Tools(ocr=None))

    return run


@pytest.mark.parametrize("ascii_lines", [0, 20_000], ids=["at once", "far into the file"])
@pytest.mark.parametrize("encoding", SAID)
def test_text_is_read_whatever_its_encoding(read, encoding, ascii_lines):
    text = "plain line\n" * ascii_lines + SAID[encoding]
    reading = read(text.encode(encoding))
    assert reading.parts == (Passage(text, "text"),)
    assert (reading.kind, reading.mime_type, reading.notes) == ("text", "text/plain", ())


@pytest.mark.parametrize("mime_type", ["text/csv", "application/json", "text/x-python", "text/markdown"])
def test_data_and_code_stay_as_they_are(read, mime_type):
    body = 'a,b\r\n"1 <b>",{"x": [2]}\n\tdef f(): pass\n'
    reading = read(body.encode(), mime_type)
    assert reading.text == body
    assert reading.mime_type == mime_type


def test_html_becomes_markdown_without_scripts_and_styles(read):
    page = """<!doctype html><html><head><title>Rates &amp; fees</title><style>p {color: red}</style></head>
    <body><script>steal()</script><!-- secret --><h2>Rates</h2><p>The <b>daily</b> rate is
    <a href="https://example.org/rates">here</a>.</p><ul><li>one<li>two</ul>
    <table><tr><th>City</th><th>Rate</th></tr><tr><td>Vienna</td><td>4_0</td></tr></table>
    <img src="data:image/png;base64,AAAA" alt="logo"><pre>x = 1\n  y</pre></body></html>"""
    text = read(page.encode()).text
    assert text == (
        "# Rates & fees\n\n## Rates\n\nThe **daily** rate is\n[here](https://example.org/rates).\n\n- one\n- two\n\n"
        "| City | Rate |\n| --- | --- |\n| Vienna | 4_0 |\n\n[logo]\n\n```\nx = 1\n  y\n```"
    )


@pytest.mark.parametrize(
    "declared", ["<meta charset=shift_jis>", '<meta http-equiv=x content="text/html; charset=shift_jis">']
)
def test_html_is_believed_about_its_encoding(read, declared):
    assert read(f"{declared}<p>日本".encode("shift_jis"), "text/html").text == "日本"


@pytest.mark.parametrize("declared", ["unicode_escape", "utf-7", "hex", "nonsense", "idna", "utf-16"])
def test_html_is_not_believed_about_encodings_that_it_is_not_in(read, declared):
    assert (
        read(f'<meta charset="{declared}"><p>a\\x41 +ADw- é'.encode(), "text/html").text == "a\\x41 +ADw- é"
    )


def test_rtf_loses_its_markup(read):
    body = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}} Hello \b bold\b0\par Gr\'fc\'dfe, \u-10179?\u-8704? and 5\u8364?}"
    reading = read(body)
    assert reading.mime_type == "text/rtf"
    assert reading.text.split("\n") == ["Hello bold", "Grüße, 😀 and 5€"]


def test_a_few_broken_characters_are_told_not_guessed_at(read):
    reading = read("Grüße, Köln, Straße, Höhe, Öl ".encode() + b"\xc3" + b" end")
    assert reading.text == "Grüße, Köln, Straße, Höhe, Öl \ufffd end"
    assert reading.notes == ("1 bytes are of no character",)


@pytest.mark.parametrize(
    "content", [b"abc\0def", b"hello " * 10_000 + b"\0", b"\xff\xfea", b"\xff\xfe\0\xd8\0\xd8"]
)
def test_what_is_not_text_is_refused(read, content):
    with pytest.raises(Unreadable):
        read(content, "text/plain")


def test_text_beyond_the_bounds_is_refused_unread(read):
    with pytest.raises(Unreadable, match="at most 100 characters"):
        read(b"a" * 401, characters_max=100)


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000 + "deep" + "</div>" * 100_000,
        "<b><i>" * 3000 + "deep",
        "<table><tr><td>" * 2000 + "deep",
        "<ul><li>" * 2000 + "deep",
        "<blockquote>" * 5000 + "deep",
        "<a " * 100_000 + "><p>deep",
        "<![CDATA[" * 50_000 + "]]><p>deep",
        "<svg>" * 5000 + "</svg>" * 5000 + "<p>deep",
        "&#" * 50_000 + "<p>deep",
    ],
    ids=lambda page: page[:8],
)
def test_hostile_nesting_ends_in_text(read, page):
    assert "deep" in read(page.encode(), "text/html").text


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<table>",
                "<tr>",
                "<td colspan=9>",
                "<li>",
                "<a href=x>",
                "</a>",
                "<b>",
                "&lt;",
                "<!--",
                "-->",
                "<h1>",
                "<pre>",
                "word ",
                "\n",
                "<img alt=y>",
                "<script>",
                "</script>",
                "<br>",
                "\x0b",
            ]
        ),
        max_size=40,
    )
)
def test_any_tags_become_markdown(pieces):
    text, _ = markdown_of("".join(pieces))
    assert "<script" not in text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200))
def test_utf8_is_always_utf8(text):
    if "\x1b$" not in text and not text.startswith("\ufeff"):
        assert decode(text.encode()).text == text


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_decoded_without_loss_or_refused(content):
    encoding = encoding_of(content)
    if encoding is not None:
        content.decode(encoding)
    try:
        found = decode(content)
    except Unreadable:
        return
    found.text.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32-be", "cp1252"])
def test_text_that_is_cut_anywhere_still_looks_like_text(encoding):
    body = ("Grüße und mehr Wörter aus dem Süden. " * 20).encode(encoding)
    assert all(looks_like_text(body[:size]) for size in range(8, 200))


def test_a_mark_decides_before_anything_else():
    assert encoding_of(codecs.BOM_UTF32_LE + "a".encode("utf-32-le")) == "utf-32"
    assert encoding_of(codecs.BOM_UTF16_LE + "a".encode("utf-16-le")) == "utf-16"


@pytest.mark.parametrize("seed", range(30))
def test_mutated_rtf_ends_in_text_or_a_refusal(read, seed):
    chance = random.Random(seed)
    body = bytearray(
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\pict\pngblip 89504e}\trowd\cellx100 a\cell\row \u8364?\par\'e4}"
    )
    for _ in range(chance.randint(1, 12)):
        body[chance.randrange(5, len(body))] = chance.choice(b"{}\\'u0-9*\x80\xff b")
    with contextlib.suppress(Unreadable):
        read(bytes(body)).text.encode()
