"""A child's end of the link: messages whole and in order, however their bytes arrive."""

import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.process.frames import frame
from geminid.process.inbox import HungUp, Inbox, Outbox


class Said(msgspec.Struct):
    text: str


decode = msgspec.msgpack.Decoder(Said).decode


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8), st.lists(st.integers(1, 60), max_size=20))
def test_messages_come_out_whole_and_in_order(texts, cuts):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = Inbox(theirs, decode)
        sent, came = b"".join(frame(Said(text)) for text in texts), []
        for cut in cuts:
            ours.sendall(sent[:cut])
            sent = sent[cut:]
            came += inbox.take(wait=False)
        ours.sendall(sent)
        while len(came) < len(texts):
            came += inbox.take(wait=True)
        assert [each.text for each in came] == texts
        assert inbox.take(wait=False) == []


def test_a_closed_link_is_told_after_what_was_sent():
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(frame(Said("last")))
        ours.close()
        inbox = Inbox(theirs, decode)
        with pytest.raises(HungUp):
            while True:
                inbox.take(wait=True)


def test_half_a_message_is_not_one():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = Inbox(theirs, decode)
        ours.sendall(frame(Said("hello"))[:-1])
        assert inbox.take(wait=False) == []


def test_what_goes_out_comes_in():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Outbox(ours).send(Said("there"))
        assert Inbox(theirs, decode).take(wait=True) == [Said("there")]


def test_a_wait_ends_when_something_comes():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = Inbox(theirs, decode)
        inbox.wait(0.001)
        assert inbox.take(wait=False) == []
        ours.sendall(frame(Said("hello")))
        inbox.wait(600)
        assert inbox.take(wait=False) == [Said("hello")]
