"""What is taken for an address, and what is not: no spelling may mean two things."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.fetch.address import BAD_PORTS, read_address, redirected
from geminid.fetch.faults import BAD_PORT, DOWNGRADE, NOT_A_URL, NOT_HTTP, USER_INFO, Unfetchable

READ = {
    "http://a.example": "http://a.example/",
    "HTTPS://A.Example:443/x": "https://a.example/x",
    "http://a.example:80?q=1": "http://a.example/?q=1",
    "http://a.example:/x": "http://a.example/x",
    "http://a.example:8080/x": "http://a.example:8080/x",
    "http://a.example./x#part": "http://a.example/x",
    "http://a.example/a b/é?ü=%20": "http://a.example/a%20b/%C3%A9?%C3%BC=%20",
    "http://a.example//x//": "http://a.example//x//",
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://my_bucket.a.example/": "http://my_bucket.a.example/",
    "http://8.8.8.8/": "http://8.8.8.8/",
    "http://８．８．８．８/": "http://8.8.8.8/",
    "http://8.8.8.8./": "http://8.8.8.8/",
    "http://[2A00::0:1]:81/".replace(":81", ""): "http://[2a00::1]/",
    "https://[2a00::1]:8443/": "https://[2a00::1]:8443/",
    "http://a.example/x?u=http://u:p@b.example/": "http://a.example/x?u=http://u:p@b.example/",
    "http://0x.example/": "http://0x.example/",
    "http://1.2.example/": "http://1.2.example/",
}

REFUSED = {
    NOT_HTTP: [
        *("file:///etc/passwd", "gopher://a.example/", "ftp://a.example/", "FILE://a.example/", "data:,x"),
        *("unix:/run/x", "ws://a.example/", "javascript:x", "httpx://a.example/", "view-source:http://a.b/"),
    ],
    USER_INFO: [
        *(
            "http://u@a.example/",
            "http://u:p@a.example/",
            "http://@a.example/",
            "http://a.example@127.0.0.1/",
        ),
        "http://a.example:80@127.0.0.1/",
    ],
    BAD_PORT: [
        *("http://a.example:0/", "http://a.example:22/", "http://a.example:25/", "http://a.example:6000/"),
        *("http://a.example:81/", "http://a.example:65536/", "http://a.example:99999/"),
        *(f"http://a.example:{port}/" for port in sorted(BAD_PORTS)),
    ],
    NOT_A_URL: [
        *("", "a.example", "//a.example/", "/x", "http", "http:", "http:/", "http://", "http:///x"),
        *(
            "http:a.example",
            "http:/a.example",
            "http:/\\a.example",
            "http:\\\\a.example",
            "http://?x",
            "http://:80/",
        ),
        *("http://a.example\\@b.example/", "http://a.example/\\b", "http://a.example/?\\"),
        *(
            "http://a.example\n/",
            "http://a.example/\nx",
            "\nhttp://a.example/",
            "http://a.ex\tample/",
            " http://a.b/",
        ),
        *(
            "http://a.example/\x00",
            "http://a.example/\x7f",
            "http://a.example/\x85",
            "http://a.example/\r\nHost: b",
        ),
        *("http://a b.example/", "http://a.example /", "http://a..example/", "http://.example/", "http://./"),
        *("http://a.example../", "http://a%2eexample/", "http://%31%32%37.0.0.1/", "http://a.example:x/"),
        *(
            "http://a.example:-1/",
            "http://a.example:+80/",
            "http://a.example:８０/",
            "http://a.example:123456/",
        ),
        *("http://a.example:80:80/", "http://a!b.example/", "http://a*.example/", "http://a,b.example/"),
        *(
            "http://[::1/",
            "http://::1/",
            "http://[]/",
            "http://[::1]x/",
            "http://[[::1]]/",
            "http://[127.0.0.1]/",
        ),
        *(
            "http://[fe80::1%eth0]/",
            "http://[fe80::1%25eth0]/",
            "http://[::1%00]/",
            "http://[v1.x]/",
            "http://[:::]/",
        ),
        *(
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://127.1/",
        ),
        *(
            "http://127.0.1/",
            "http://017700000001/",
            "http://0/",
            "http://0x/",
            "http://1.2.3.4.5/",
            "http://256.1.1.1/",
        ),
        *(
            "http://8.8.8.08/",
            "http://134744072/",
            "http://0X7F.0.0.1/",
            "http://127.0.0.0x1/",
            "http://a.example.1/",
        ),
        *("http://１２７.１/", "http://0ₓ7f.1/", "http://127。1/", "http://a.①/"),
        *(f"http://{'a' * 64}.example/", f"http://{'a.' * 127}example/", f"http://a.example/{'x' * 9000}"),
        *(
            "http://\u00ad/",
            "http://a\u200b\u2028.example/",
            "http://xn--\u00e9.example/",
            "http://a.example/\ud800",
        ),
    ],
}


@pytest.mark.parametrize(("spelled", "meant"), READ.items())
def test_an_address_has_one_spelling(spelled, meant):
    address = read_address(spelled)
    assert address.url == meant
    assert read_address(meant) == address


@pytest.mark.parametrize(
    ("reason", "spelled"), [(why, each) for why, all_ in REFUSED.items() for each in all_]
)
def test_what_is_refused_says_why(reason, spelled):
    with pytest.raises(Unfetchable) as caught:
        read_address(spelled)
    assert caught.value.reason == reason
    assert caught.value.message == f"Cannot fetch content from the provided URL. {reason}"


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        ("/y", "https://a.example:8443/y"),
        ("y", "https://a.example:8443/x/y"),
        ("?q", "https://a.example:8443/x/z?q"),
        ("//b.example/", "https://b.example/"),
        ("https://b.example/ä b", "https://b.example/%C3%A4%20b"),
        ("http:/y", NOT_A_URL),
        ("http://b.example/", DOWNGRADE),
        ("file:///etc/passwd", NOT_HTTP),
        ("gopher://b.example/", NOT_HTTP),
        ("https://u:p@b.example/", USER_INFO),
        ("//u@b.example/", USER_INFO),
        ("https://b.example:25/", BAD_PORT),
        ("//2130706433/", NOT_A_URL),
        ("\\\\b.example/", NOT_A_URL),
        ("/\\b.example/", NOT_A_URL),
        ("//[::1", NOT_A_URL),
        ("/\ty", NOT_A_URL),
    ],
)
def test_a_redirect_is_read_by_the_same_rules(location, meant):
    address = read_address("https://a.example:8443/x/z")
    if meant.startswith("https"):
        assert redirected(address, location).url == meant
    else:
        with pytest.raises(Unfetchable) as caught:
            redirected(address, location)
        assert caught.value.reason == meant


def test_a_redirect_may_leave_http_for_https():
    assert redirected(read_address("http://a.example/"), "https://a.example/").url == "https://a.example/"


parts = st.sampled_from(
    [
        *"http:/\\@[]?#%.",
        "https://",
        "http://",
        "a.example",
        "127.0.0.1",
        "::1",
        "0x7f",
        "\n",
        "1",
        "。",
        "é",
        ":80",
    ]
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(parts, max_size=12).map("".join)))
def test_any_text_is_an_address_or_refused(text):
    for spelled in (text, f"http://{text}/", f"http://a.example/{text}"):
        try:
            address = read_address(spelled)
        except Unfetchable:
            continue
        assert address.url.isascii()
        assert address.url.isprintable()
        assert " " not in address.url
        assert read_address(address.url) == address
