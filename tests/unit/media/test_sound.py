"""Sound of any form becomes the samples of the asked stretch, within bounds, and its transcript."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from geminid.core.content import Look
from geminid.media import sound_samples
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.reading import Ask, Measures
from geminid.media.sound import read_sound
from geminid.media.sound_marks import clock
from geminid.media.sound_samples import RATE, read_samples
from geminid.media.tools import Heard, Tools, Transcript
from made.films import card, film
from made.sounds import CODECS, silence, tone, write_sound


class Listener:
    """Hears what it is told to; keeps what it was given."""

    def __init__(self, *heard: Heard, language: str = "en"):
        self.said = Transcript(language if heard else "", heard)
        self.given: list[np.ndarray] = []

    def transcribe(self, samples):
        self.given.append(samples)
        return self.said


def tools(listener=None):
    return Tools(ocr=None, speech=listener or Listener(Heard(500, 900, "Good morning.")))


def read(path, listener=None, *, bounds=None, **look):
    return read_sound(path, Ask(mime_type="", look=Look(**look)), bounds or Bounds(), tools(listener))


def crossings_hz(samples):
    return np.count_nonzero(np.diff(np.signbit(samples))) / 2 / (len(samples) / RATE)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", CODECS)
def test_each_form_gives_mono_samples_of_its_length_and_pitch(tmp_path, suffix, channels):
    path = write_sound(tmp_path / f"s{suffix}", tone(2.0), channels=channels)
    sound = read_samples(path, Look(), Bounds())
    assert sound.samples.dtype == np.float32
    assert abs(sound.length_ms - 2000) < 130  # coded frames are whole
    middle = sound.samples[RATE // 2 : RATE * 3 // 2]
    assert abs(crossings_hz(middle) - 440) < 5
    assert 0.15 < np.abs(middle).max() < 0.5


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg", ".m4a"])
def test_only_the_asked_stretch_is_given_from_far_inside_too(tmp_path, suffix):
    samples = np.concatenate([silence(40.0), tone(1.0, 880), silence(2.0)])
    path = write_sound(tmp_path / f"s{suffix}", samples)
    sound = read_samples(path, Look(start_ms=40_100, end_ms=40_900), Bounds())
    assert sound.length_ms == 800
    assert abs(crossings_hz(sound.samples) - 880) < 20


def test_transcript_says_what_it_is_with_times_of_the_whole_sound(tmp_path):
    path = write_sound(tmp_path / "s.wav", tone(70.0))
    reading = read(path)
    assert reading.text == "[Audio, 1:10, English. Transcript with times:]\n[0:00] Good morning."
    assert (reading.kind, reading.measures) == ("audio", Measures(heard_ms=70_000))
    listener = Listener(Heard(500, 900, "Guten Tag."), language="de")
    part = read(path, listener, start_ms=62_000, end_ms=66_000)
    assert (
        part.text
        == "[Audio, the stretch from 1:02 to 1:06, German. Transcript with times:]\n[1:02] Guten Tag."
    )
    assert part.measures.heard_ms == 4000 == len(listener.given[0]) * 1000 // RATE


def test_sound_without_speech_says_so(tmp_path):
    reading = read(write_sound(tmp_path / "s.wav", silence(3.0)), Listener())
    assert reading.text == "[Audio, 0:03. No speech was heard in it.]"


def test_without_a_speech_model_the_caller_is_told_what_is_missing(tmp_path):
    path = write_sound(tmp_path / "s.wav", silence(1.0))
    with pytest.raises(Unreadable, match=r"no speech model .* geminid pull"):
        read_sound(path, Ask(mime_type=""), Bounds(), Tools(ocr=None))


def test_real_length_counts_not_the_one_in_the_header(tmp_path):
    path = write_sound(tmp_path / "s.wav", silence(3.0))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 0x7FFFFFF0)
    path.write_bytes(content)
    assert read_samples(path, Look(), Bounds(duration_ms_max=4000)).length_ms == 3000
    with pytest.raises(Unreadable, match="longer than 0:02"):
        read_samples(path, Look(), Bounds(duration_ms_max=2000))


def test_few_samples_that_last_long_are_refused_before_they_become_many(tmp_path, monkeypatch):
    path = tmp_path / "s.flac"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("flac", rate=1, layout="mono")
        stream.format = "s16"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 192), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 1, 0, Fraction(1, 1)
        output.mux([*stream.encode(frame), *stream.encode(None)])
    assert read_samples(path, Look(), Bounds(duration_ms_max=192_000)).length_ms == 192_000
    monkeypatch.setattr(sound_samples._Resampled, "of", None)
    with pytest.raises(Unreadable, match="longer than 1:00"):
        read_samples(path, Look(), Bounds(duration_ms_max=60_000))


def test_long_sound_is_read_in_stretches_within_the_bound(tmp_path):
    path = write_sound(tmp_path / "s.wav", silence(10.0))
    bounds = Bounds(duration_ms_max=2000)
    assert read_samples(path, Look(start_ms=5000, end_ms=7000), bounds).length_ms == 2000
    with pytest.raises(Unreadable):
        read_samples(path, Look(start_ms=5000), bounds)


def test_stretch_after_the_end_is_refused(tmp_path):
    with pytest.raises(Unreadable, match="ends before 1:00"):
        read(write_sound(tmp_path / "s.wav", silence(1.0)), start_ms=60_000)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".flac", ".aac"])
def test_torn_sound_is_read_as_far_as_it_goes(tmp_path, suffix):
    path = write_sound(tmp_path / f"s{suffix}", tone(10.0))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert 2000 < read_samples(path, Look(), Bounds()).length_ms < 8000


def test_broken_packets_are_left_out_and_told(tmp_path):
    path = write_sound(tmp_path / "s.flac", tone(10.0))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    assert 5000 < read(path).measures.heard_ms < 10_050


@pytest.mark.parametrize(
    "content", [b"", b"RIFF\x00\x00\x00\x00WAVE", b"\xff\xfb\x90\x00" + b"\x13" * 500, b"OggS" * 99]
)
def test_garbage_is_unreadable(tmp_path, content):
    path = tmp_path / "s.mp3"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        read(path)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.aac\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.aac\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile other.aac\n",
    ],
)
@pytest.mark.parametrize("name", ["list.mp3", "list.m3u8", "list"])
def test_playlist_makes_the_reader_open_nothing_else(tmp_path, playlist, name):
    write_sound(tmp_path / "other.aac", tone(1.0))
    (tmp_path / name).write_text(playlist)
    with pytest.raises(Unreadable):
        read_samples(tmp_path / name, Look(), Bounds())


def mended(path, gap_s):
    """A sound of two tones with nothing between them for so long."""
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("flac", rate=RATE, layout="mono")
        stream.format = "s16"
        for at_s, hertz in ((0, 440), (1 + gap_s, 880)):
            samples = tone(1.0, hertz)[: RATE // 4 * 4].reshape(-1, RATE // 4)
            for number, piece in enumerate(samples):
                frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = at_s * RATE + number * len(piece)
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def test_where_sound_is_missing_there_is_silence_and_times_stay_right(tmp_path):
    path = mended(tmp_path / "s.mkv", gap_s=4)
    sound = read_samples(path, Look(), Bounds())
    assert abs(sound.length_ms - 6000) < 150
    assert np.abs(sound.samples[2 * RATE : 4 * RATE]).max() == 0
    assert np.abs(sound.samples[5 * RATE + 800 : 6 * RATE]).max() > 0.1
    silent = read_samples(path, Look(start_ms=2000, end_ms=4000), Bounds())
    assert (silent.length_ms, np.abs(silent.samples).max()) == (2000, 0)


def test_clock_that_leaps_beyond_all_bounds_is_not_followed(tmp_path):
    path = mended(tmp_path / "s.mkv", gap_s=100_000)
    assert 2000 <= read_samples(path, Look(), Bounds()).length_ms < 3000


def test_film_without_sound_is_no_sound(tmp_path):
    path = film(tmp_path / "f.mp4", [(0.5, card("hush"))])
    assert read_samples(path, Look(), Bounds()) is None


@pytest.mark.parametrize(
    ("time_ms", "words"), [(0, "0:00"), (59_999, "0:59"), (65_000, "1:05"), (3_661_000, "1:01:01")]
)
def test_times_are_written_as_people_do(time_ms, words):
    assert clock(time_ms) == words
