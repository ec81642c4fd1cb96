"""Fetching, against real servers on the loopback: what is kept, what is refused, and what is never touched."""

import asyncio
import contextlib
import errno
import gzip
import hashlib
import resource
import socket
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.errors import Unavailable
from geminid.fetch.faults import (
    BAD_ANSWER,
    BAD_CERTIFICATE,
    BROKEN_OFF,
    COMPRESSED,
    NOT_HTTP,
    NOT_PUBLIC,
    PREFIX,
    UNREACHABLE,
    Unfetchable,
)
from geminid.fetch.machine import SystemResolver
from geminid.fetch.networks import IPV4_REFUSED, IPV6_REFUSED, is_public
from unit.fetch.origin import Names, fetcher, head, moved, ok, origin

TOO_LARGE = "It is larger than 1000 bytes."


async def refusal(fetching, uri, path):
    """Return why an address is not fetched, having seen that nothing is left of it."""
    with pytest.raises(Unfetchable) as caught:
        await fetching.fetch(uri, path)
    assert not path.exists()
    assert caught.value.message == f"{PREFIX} {caught.value.reason}"
    return caught.value.reason


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fetched"


# What is kept


async def test_a_file_is_kept_with_its_hash_and_type(path):
    body = bytes(range(256)) * 20_000
    async with origin(ok(body, Content_Type='Image/PNG; name="x"')) as server:
        fetched = await fetcher().fetch(server.url("/a b?q#f"), path)
    assert path.read_bytes() == body
    assert fetched.sha256 == hashlib.sha256(body).hexdigest()
    assert fetched.mime_type == "image/png"


async def test_little_is_told_to_the_server(path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with origin(lambda at: moved("/y") if at == "/x" else ok(Set_Cookie="a=b")) as server:
        await fetcher().fetch(server.url("/x"), path)
    told = [
        *(f"Host: 127.0.0.1:{server.port}", f"User-Agent: geminid/{version('geminid')}", "Accept: */*"),
        *("Accept-Encoding: identity", "Connection: close"),
    ]
    assert server.asked == ["\r\n".join([f"GET {at} HTTP/1.1", *told, "", ""]) for at in ("/x", "/y")]


@pytest.mark.parametrize(
    ("said", "mime_type"),
    [
        (None, ""),
        ("", ""),
        ("text/csv", "text/csv"),
        ("Application/PDF ;x=y", "application/pdf"),
        ("application/octet-stream", ""),
        ("binary/octet-stream", ""),
        ("nonsense", ""),
        ("a/b/c", ""),
        ("text/<x>", ""),
    ],
)
async def test_a_type_is_bare_or_unsaid(path, said, mime_type):
    async with origin(ok(Content_Type=said)) as server:
        assert (await fetcher().fetch(server.url(), path)).mime_type == mime_type


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"hello"),
        head(203, Content_Length=5) + b"hello",
        head(200) + b"hello",
        head(200, Transfer_Encoding="chunked") + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx: y\r\n\r\n",
        head(200, Content_Length=5, Content_Encoding="identity") + b"hello",
        head(103, Link="x") + ok(b"hello"),
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ],
)
async def test_every_framing_of_a_body_is_understood(path, answer):
    async with origin(answer) as server:
        await fetcher().fetch(server.url(), path)
    assert path.read_bytes() == b"hello"


async def test_an_empty_file_is_a_file(path):
    async with origin(ok(b"")) as server:
        await fetcher().fetch(server.url(), path)
    assert path.read_bytes() == b""


async def test_a_file_of_somebody_else_is_left_alone(path):
    path.write_text("mine")
    async with origin(ok()) as server:
        with pytest.raises(Unavailable):
            await fetcher().fetch(server.url(), path)
    assert path.read_text() == "mine"


async def test_memory_is_flat(path):
    async def much():
        yield head(200)
        for _ in range(128):
            yield bytes(1024 * 1024)

    async with origin(lambda _: ok()) as server:
        await fetcher().fetch(server.url(), path)
    path.unlink()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with origin(much()) as server:
        await fetcher(bytes_max=2**30).fetch(server.url(), path)
    assert path.stat().st_size == 128 * 1024 * 1024
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 32 * 1024


# What is refused for its place


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.255.1.2",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
        ),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]"),
        *("[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]", "[2001::1]", "[ff02::1]"),
        *(
            "private.example",
            "mixed.example",
            "last.example",
            "metadata.example",
            "mapped.example",
            "none.example",
        ),
        *(
            "zone.example",
            "unknown.example",
            "localhost",
            "127.0.0.1.",
            "１２７.0.0.1",
            "①②⑦.0.0.1",
            "ⓛocalhost",
        ),
    ],
)
async def test_what_is_not_public_is_refused_in_the_same_words(path, host, connections):
    names = Names(
        private__example="10.0.0.1",
        mixed__example="1.1.1.1 127.0.0.1",
        last__example="2606:4700::1111 1.1.1.1 fe80::1",
        metadata__example="169.254.169.254",
        mapped__example="::ffff:127.0.0.1",
        none__example="",
        zone__example="2606:4700::1111%2",
        localhost="127.0.0.1",
    )
    assert await refusal(fetcher(names, allow=()), f"http://{host}/", path) == NOT_PUBLIC
    assert connections == []


async def test_localhost_is_refused_by_the_systems_own_names(path):
    async with origin(ok()) as server:
        fetching = fetcher(SystemResolver(1), allow=())
        assert await refusal(fetching, server.url(host="localhost"), path) == NOT_PUBLIC
        assert await refusal(fetching, server.url(host="LOCALHOST."), path) == NOT_PUBLIC
    assert server.connections == 0


async def test_a_name_is_found_by_the_system(path):
    async with origin(ok(), host="127.0.0.1") as server:
        own = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
        await fetcher(SystemResolver(1), allow=own).fetch(server.url(host="localhost"), path)
    assert path.read_bytes() == b"hello"


async def test_networks_that_the_machine_stands_in_are_refused_though_public(path, connections):
    fetching = fetcher(Names(own__example="2a00::5"), own=lambda: (ip_network("2a00::/64"),))
    assert await refusal(fetching, "http://own.example/", path) == NOT_PUBLIC
    assert await refusal(fetching, "http://[2a00::7]/", path) == NOT_PUBLIC
    assert connections == []


async def test_an_allowed_network_opens_itself_only(path):
    names = Names(inside__example="127.0.0.5", outside__example="127.0.0.1")
    async with origin(ok(), host="0.0.0.0") as server:
        fetching = fetcher(names, allow=(ip_network("127.0.0.5/32"),))
        await fetching.fetch(server.url(host="inside.example"), path)
        path.unlink()
        assert await refusal(fetching, server.url(host="outside.example"), path) == NOT_PUBLIC
        assert await refusal(fetching, server.url(host="[::ffff:127.0.0.1]"), path) == NOT_PUBLIC
        assert server.connections == 1


def spellings(ip):
    """Yield spellings of an address that some resolver, library or shell understands."""
    if isinstance(ip, IPv4Address):
        a, b, c, d = ip.packed
        number = int(ip)
        yield from (f"{a}.{b}.{c}.{d}", f"{number}", f"0x{number:x}", f"0X{number:X}", f"0{number:o}")
        yield from (
            f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
            f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
            f"{a:03}.{b:03}.{c:03}.{d:03}",
        )
        yield from (f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}", f"{a:#x}.{b}.0{c:o}.{d}")
        yield from (
            f"[::ffff:{ip}]",
            f"[::{ip}]",
            f"[64:ff9b::{ip}]",
            f"[::ffff:0:{ip}]",
            f"[0:0:0:0:0:ffff:{ip}]",
        )
        yield from (
            f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
            f"{a}%2e{b}.{c}.{d}",
            f"{a}。{b}．{c}｡{d}",
        )
        yield f"[2001:0:1:2:3:4:{(number ^ 0xFFFFFFFF) >> 16:x}:{(number ^ 0xFFFFFFFF) & 0xFFFF:x}]"
    else:
        yield from (
            f"[{ip}]",
            f"[{ip.exploded}]",
            f"[{str(ip).upper()}]",
            f"[{ip}%25eth0]",
            f"[{ip}%1]",
            f"{ip}",
        )


def dressed(host, data):
    """Return a URL around a host, in a shape that may distract a reader."""
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    for change in data.draw(st.sets(st.sampled_from(["wide", "dot", "port", "user", "back", "case"]))):
        match change:
            case "wide":
                host = host.translate(wide)
            case "dot":
                host = f"{host}."
            case "port":
                host = f"{host}:8080"
            case "user":
                host = f"public.example@{host}"
            case "back":
                host = f"public.example\\@{host}"
            case "case":
                host = host.upper()
    scheme = data.draw(
        st.sampled_from(["http://", "https://", "HTTP://", "http:/\\", "http:\\\\", "http:///", "http:"])
    )
    return f"{scheme}{host}{data.draw(st.sampled_from(['', '/', '/x?y', '#@public.example', '?@public.example/']))}"


class Lenient:
    """A resolver that takes every spelling that the C library takes, and knows one public name."""

    async def __call__(self, host, port):
        if host == "public.example":
            return (ip_address("1.1.1.1"),)
        return (ip_address(socket.inet_aton(host)),)


non_public = st.one_of(
    st.sampled_from([*IPV4_REFUSED, *IPV6_REFUSED]).flatmap(
        lambda network: st.integers(0, network.num_addresses - 1).map(lambda at: network[at])
    ),
    st.ip_addresses(v=6).filter(lambda ip: not is_public(ip)),
)


@settings(max_examples=500, deadline=None)
@given(non_public, st.data())
def test_no_spelling_of_any_address_that_is_not_public_is_connected_to(tmp_path_factory, ip, data):
    host = data.draw(st.sampled_from(list(spellings(ip))))
    fetching = fetcher(Lenient(), allow=())
    path = tmp_path_factory.getbasetemp() / "never"
    with watched() as connections:
        asyncio.run(refusal(fetching, dressed(host, data), path))
    assert connections == []


# What a name becomes between two looks


class Watch(list):
    """Sees every connection and every look-up of a name in this process, while it is on."""

    on = False

    def hook(self, event, args):
        if self.on and event == "socket.connect" and args[0].family != socket.AF_UNIX:
            self.append(args[1][0])
        elif self.on and event == "socket.getaddrinfo":
            self.append(f"look-up of {args[0]}")


WATCH = Watch()
sys.addaudithook(WATCH.hook)


@contextlib.contextmanager
def watched():
    """Yield what is connected to, and looked up behind the fetcher's resolver."""
    WATCH.clear()
    WATCH.on = True
    try:
        yield WATCH
    finally:
        WATCH.on = False


@pytest.fixture
def connections():
    with watched() as seen:
        yield seen


async def test_a_name_is_resolved_once_and_connected_to_as_checked(path, connections):
    names = Names(rebinding__example=["127.0.0.2", "127.0.0.1"])
    async with origin(ok(b"good"), host="127.0.0.2") as good, origin(ok(b"bad"), port=good.port) as bad:
        fetching = fetcher(names, allow=(ip_network("127.0.0.2/32"),))
        await fetching.fetch(good.url(host="rebinding.example"), path)
        assert path.read_bytes() == b"good"
        assert (names.asked, connections) == (["rebinding.example"], ["127.0.0.2"])
        path.unlink()
        assert await refusal(fetching, good.url(host="rebinding.example"), path) == NOT_PUBLIC
        assert (connections, bad.connections) == (["127.0.0.2"], 0)
    assert good.asked[0].splitlines()[1] == f"Host: rebinding.example:{good.port}"


async def test_a_name_that_changes_within_a_redirect_is_checked_again(path, connections):
    names = Names(rebinding__example=["127.0.0.2", "127.0.0.1"])
    async with origin(moved("/again"), host="127.0.0.2") as good, origin(ok(), port=good.port) as bad:
        fetching = fetcher(names, allow=(ip_network("127.0.0.2/32"),))
        assert await refusal(fetching, good.url(host="rebinding.example"), path) == NOT_PUBLIC
        assert (connections, bad.connections) == (["127.0.0.2"], 0)


async def test_the_next_address_is_tried_when_one_does_not_answer(path, connections):
    names = Names(two__example="127.0.0.3 127.0.0.2")
    async with origin(ok(), host="127.0.0.2") as server:
        await fetcher(names).fetch(server.url(host="two.example"), path)
    assert connections == ["127.0.0.3", "127.0.0.2"]


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_five_redirects_are_followed(path, status):
    def answer(at):
        return ok() if at == "/5" else moved(f"/{int(at[1:]) + 1}", status)

    async with origin(answer) as server:
        await fetcher().fetch(server.url("/0"), path)
        assert len(server.asked) == 6


async def test_the_sixth_redirect_is_refused(path):
    async with origin(moved("/")) as server:
        assert await refusal(fetcher(), server.url(), path) == "It redirects more than 5 times."
        assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", NOT_PUBLIC),
        ("//10.0.0.1/", NOT_PUBLIC),
        ("http://private.example/", NOT_PUBLIC),
        ("http://127.0.0.1/", NOT_PUBLIC),
        ("http://[::1]/", NOT_PUBLIC),
        ("http://2130706433/", "It is not a valid http(s) URL."),
        ("file:///etc/passwd", NOT_HTTP),
        ("gopher://127.0.0.1:6379/_", NOT_HTTP),
        ("http://u:p@public.example/", "It must not contain a user name or password."),
        ("http://public.example:25/", "Nothing is fetched from its port."),
    ],
)
@pytest.mark.parametrize("hops", [1, 3])
async def test_every_step_of_a_chain_is_checked(path, connections, location, reason, hops):
    def answer(at):
        return moved(location) if at == f"/{hops}" else moved(f"/{int(at[1:]) + 1}")

    names = Names(start__example="127.0.0.2", private__example="10.0.0.1")
    async with origin(answer, host="127.0.0.2") as server:
        fetching = fetcher(names, allow=(ip_network("127.0.0.2/32"),))
        assert await refusal(fetching, server.url("/1", host="start.example"), path) == reason
    assert connections == ["127.0.0.2"] * hops


@pytest.mark.parametrize("answer", [head(302, Content_Length=0), head(304), head(300, Location="/x")])
async def test_a_redirect_to_nowhere_is_told_by_its_status(path, answer):
    async with origin(answer) as server:
        reason = await refusal(fetcher(), server.url(), path)
    assert reason == f"Its server answers with the status {answer[9:12].decode()}."


# What is refused for what it is


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410, 429, 500, 503])
async def test_a_status_that_carries_no_file_is_told(path, status):
    async with origin(head(status, Content_Length=None if status == 204 else 0)) as server:
        reason = await refusal(fetcher(), server.url(), path)
    assert reason == f"Its server answers with the status {status}."


async def forever(piece=bytes(512), pause_s=0.0, start=b""):
    yield start
    while True:
        yield piece
        await asyncio.sleep(pause_s)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: head(200, Content_Length=1001),
        lambda _: head(200, Content_Length=10**18),
        lambda _: forever(start=head(200)),
        lambda _: forever(
            start=head(200, Transfer_Encoding="chunked"), piece=b"100\r\n" + bytes(256) + b"\r\n"
        ),
        lambda _: forever(start=head(200, Content_Length=10**9)),
    ],
    ids=["announced", "announced-absurdly", "unannounced", "chunked", "announced-and-sent"],
)
async def test_a_file_beyond_the_bound_is_refused_at_once(path, answer):
    async with origin(answer) as server:
        assert await refusal(fetcher(bytes_max=1000), server.url(), path) == TOO_LARGE


async def test_a_file_of_just_the_bound_is_kept(path):
    async with origin(ok(bytes(1000))) as server:
        await fetcher(bytes_max=1000).fetch(server.url(), path)
    assert path.stat().st_size == 1000


BOMB = gzip.compress(bytes(10_000_000))


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, gzip", "x-unknown", "deflate,deflate"])
async def test_nothing_is_unpacked(path, coding):
    async with origin(ok(BOMB, Content_Encoding=coding)) as server:
        assert await refusal(fetcher(), server.url(), path) == COMPRESSED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", BAD_ANSWER),
        (b"220 mail.example ESMTP\r\n", BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\n", BAD_ANSWER),
        (b"HTTP/9 x\r\n\r\n", BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\nx y\r\n\r\n", BAD_ANSWER),
        (head(200, X="x" * 200_000), BAD_ANSWER),
        (head(200, Content_Length="-1"), BAD_ANSWER),
        (head(200, Content_Length="x"), BAD_ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", BAD_ANSWER),
        (head(200, Transfer_Encoding="gzip") + BOMB, BAD_ANSWER),
        (head(101, Upgrade="h2c"), BAD_ANSWER),
        (head(200, Content_Length=10) + b"hello", BROKEN_OFF),
        (head(200, Content_Length=3_000_000) + bytes(2_000_000), BROKEN_OFF),
        (head(200, Transfer_Encoding="chunked") + b"5\r\nhello\r\n", BROKEN_OFF),
        (head(200, Transfer_Encoding="chunked") + b"nonsense\r\n", BROKEN_OFF),
    ],
)
async def test_a_server_that_answers_badly_leaves_nothing(path, answer, reason):
    async with origin(answer) as server:
        assert await refusal(fetcher(), server.url(), path) == reason


async def test_a_connection_that_is_reset_in_the_middle_leaves_nothing(path):
    linger = bytes([1, 0, 0, 0, 0, 0, 0, 0])

    async def connected(_, writer):
        writer.write(head(200, Content_Length=10) + b"hello")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await refusal(fetcher(), f"http://127.0.0.1:{port}/", path) == BROKEN_OFF


async def test_a_closed_port_is_told_without_details(path):
    async with origin(ok()) as server:
        pass
    assert await refusal(fetcher(), server.url(), path) == UNREACHABLE


# Time


async def never(*_):
    await asyncio.sleep(60)
    yield b""


async def slow_name(*_):
    await asyncio.sleep(60)
    return ()


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (lambda _: never(), None),
        (lambda _: forever(b"x", 0.02, head(200)), None),
        (lambda _: forever(b"x", 0.02, head(200, Content_Length=1000)), None),
        (lambda _: forever(b"x", 0.02, b"HTTP/1.1 200 OK\r\nX: "), None),
        (lambda _: forever(head(103), 0.02), None),
        (lambda _: ok(), slow_name),
    ],
    ids=["silent", "drip", "drip-of-known-length", "drip-of-a-head", "early-hints-for-ever", "slow-name"],
)
async def test_everything_ends_at_the_deadline(path, answer, names):
    async with origin(answer) as server:
        fetching = fetcher(names, time_ms_max=300)
        start = time.monotonic()
        reason = await refusal(fetching, server.url(host="slow.example" if names else "127.0.0.1"), path)
        assert time.monotonic() - start < 2
    assert reason == "Fetching it took longer than 0.3 seconds."


async def test_redirects_share_one_deadline(path):
    async def slowly():
        await asyncio.sleep(0.2)
        yield moved("/")

    async with origin(lambda _: slowly()) as server:
        reason = await refusal(fetcher(time_ms_max=500), server.url(), path)
    assert reason == "Fetching it took longer than 0.5 seconds."


async def test_an_address_that_does_not_accept_is_given_up_for_the_next(path):
    names = Names(two__example="127.0.0.2 127.0.0.3")
    async with origin(ok(), host="127.0.0.3") as server:
        with socket.socket() as full, socket.socket() as first:
            full.bind(("127.0.0.2", server.port))
            full.listen(0)
            first.connect(full.getsockname())
            fetching = fetcher(names, connect_ms_max=200)
            await fetching.fetch(server.url(host="two.example"), path)
            path.unlink()
            assert await refusal(fetching, server.url(host="127.0.0.2"), path) == UNREACHABLE


async def test_a_caller_who_leaves_leaves_nothing(path):
    async with origin(lambda _: forever(start=head(200), pause_s=0.01)) as server:
        task = asyncio.create_task(fetcher().fetch(server.url(), path))
        while not server.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not path.exists()


async def test_fetches_take_turns_and_too_many_are_refused_early(tmp_path):
    gate, running, most = asyncio.Event(), 0, 0

    async def answer():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        yield ok()

    async with origin(lambda _: answer()) as server:
        fetching = fetcher(parallel=2, waiting_max=3)
        tasks = [asyncio.create_task(fetching.fetch(server.url(), tmp_path / f"{i}")) for i in range(5)]
        while running < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(Unavailable, match="3 files wait") as caught:
            await fetching.fetch(server.url(), tmp_path / "6")
        assert caught.value.retry_after_ms
        gate.set()
        await asyncio.gather(*tasks)
    assert most == 2


# TLS


@pytest.fixture(scope="module")
def authority():
    """An authority of our own."""
    return trustme.CA()


NAMES = {"good": ("good.example", "127.0.0.1"), "other": ("other.example",)}


def serves(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES[name]).configure_cert(context)
    context.seen = []
    context.sni_callback = lambda _, server_name, __: context.seen.append(server_name)
    return context


def trusts(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_certificate_is_verified_by_name_at_the_checked_address(path, authority, connections):
    tls = serves(authority, "good")
    async with origin(ok(b"secret"), host="127.0.0.2", tls=tls) as server:
        fetching = fetcher(Names(good__example="127.0.0.2"), tls=trusts(authority))
        await fetching.fetch(server.url(host="good.example", scheme="https"), path)
    assert path.read_bytes() == b"secret"
    assert (tls.seen, connections) == (["good.example"], ["127.0.0.2"])


async def test_a_certificate_may_name_an_address(path, authority):
    async with origin(ok(), tls=serves(authority, "good")) as server:
        await fetcher(tls=trusts(authority)).fetch(server.url(scheme="https"), path)


@pytest.mark.parametrize(
    ("certificate", "trusted", "reason"),
    [("other", True, BAD_CERTIFICATE), ("good", False, BAD_CERTIFICATE), (None, True, UNREACHABLE)],
    ids=["another-name", "unknown-authority", "no-tls-at-all"],
)
async def test_a_server_that_cannot_prove_its_name_is_sent_nothing(
    path, authority, certificate, trusted, reason
):
    tls = serves(authority, certificate) if certificate else None
    async with origin(ok(), tls=tls, greets=tls is None) as server:
        fetching = fetcher(Names(good__example="127.0.0.1"), tls=trusts(authority) if trusted else None)
        assert await refusal(fetching, server.url(host="good.example", scheme="https"), path) == reason
        assert server.asked == []


async def test_https_does_not_redirect_to_http(path, authority):
    async with origin(ok()) as plain, origin(moved(plain.url()), tls=serves(authority, "good")) as server:
        reason = await refusal(fetcher(tls=trusts(authority)), server.url(scheme="https"), path)
        assert (reason, plain.connections) == ("It redirects from https to http.", 0)


# Start


def test_the_room_is_imported_without_its_heavy_libraries():
    heavy = ("httpcore2", "httpcore", "httpx", "psutil", "idna", "anyio")
    code = f"import sys, geminid.fetch.fetcher; print([each for each in {heavy} if each in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def has_ipv6():
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex(("::1", 9)) != errno.EADDRNOTAVAIL


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on its loopback")
async def test_an_ipv6_address_is_connected_to_and_named_in_brackets(path):
    async with origin(ok(), host="::1") as server:
        fetching = fetcher(allow=(ip_network("::1/128"),))
        await fetching.fetch(server.url(host="[::1]"), path)
    assert server.asked[0].splitlines()[1] == f"Host: [::1]:{server.port}"
