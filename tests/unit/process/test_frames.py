"""Frames: what is sent is what comes out, and nothing is sent that would be taken for a broken peer."""

import msgspec
import pytest

from geminid.process import frames


class Said(msgspec.Struct):
    text: str


def test_a_frame_tells_its_length_and_holds_its_value():
    sent = frames.frame(Said("hello"))
    assert int.from_bytes(sent[:4], "big") == len(sent) - 4
    assert msgspec.msgpack.decode(sent[4:], type=Said) == Said("hello")


def test_a_frame_that_is_too_large_is_not_made(monkeypatch):
    monkeypatch.setattr(frames, "FRAME_BYTES_MAX", 20)
    with pytest.raises(ValueError, match="frame of"):
        frames.frame(Said("x" * 30))


def test_half_a_character_cannot_be_sent():
    with pytest.raises(ValueError, match="surrogates"):
        frames.frame(Said("\ud800"))
