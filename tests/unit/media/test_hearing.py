"""Sound written down as data: what is told first and last, and how a model is asked."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from geminid.core.speech import Listen, Listening, Pauses, Segment, Understood, Word
from geminid.media import speech
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.hearing import hear
from geminid.media.speech import PIECE_SAMPLES, RATE, Whisper
from geminid.media.tools import Tools
from made.sounds import silence, tone, write_sound

HELLO = Segment(start_ms=0, end_ms=500, text=" Hello.", tokens=(1,))


class Ear:
    """Hears the same in everything."""

    def __init__(self):
        self.heard = []

    def listen(self, samples, listen):
        self.heard.append((len(samples), listen))
        yield HELLO
        yield Understood("en", "English")

    def prompt_tokens(self, listen):
        return len(listen.prompt.split())


def heard(path, listen=Listen(), ear=None, mime_type="", **bounds):  # noqa: B008  frozen
    tools = Tools(ocr=None, speech=ear)
    return list(hear(path, mime_type, listen, Bounds(**bounds), tools))


def test_the_length_comes_first_and_the_language_last(tmp_path):
    ear = Ear()
    sound = write_sound(tmp_path / "tone.wav", tone(1.5))
    assert heard(sound, Listen(prompt="two words"), ear) == [
        Listening(1_500, 2),
        HELLO,
        Understood("en", "English"),
    ]
    assert ear.heard == [(24_000, Listen(prompt="two words"))]


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".flac", ".m4a", ".webm"])
def test_every_kind_of_sound_is_heard(tmp_path, suffix):
    events = heard(write_sound(tmp_path / f"tone{suffix}", tone(1.0)), ear=Ear())
    assert 900 <= events[0].length_ms <= 1_200


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7 nothing", "neither sound nor film"),
        (b"just words", "neither sound nor film"),
        (b"RIFF\x10\0\0\0WAVEfmt nonsense", "broken|no sound"),
    ],
)
def test_what_is_no_sound_is_refused(tmp_path, data, words):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=words):
        heard(path, ear=Ear())


def test_too_long_a_sound_and_one_without_a_model_are_refused(tmp_path):
    path = write_sound(tmp_path / "long.wav", silence(3))
    with pytest.raises(Unreadable, match="longer than 0:02"):
        heard(path, ear=Ear(), duration_ms_max=2_000)
    with pytest.raises(Unreadable, match="geminid pull"):
        heard(path)


# -- Whisper -------------------------------------------------------------------------------------------


class Model:
    """Says one word in each piece, and remembers how it was asked."""

    supported_languages = ("en", "jw")

    def __init__(self, *languages, known=("en", "jw", "de")):
        self.languages, self.supported_languages = list(languages), known
        self.asked = []
        self.hf_tokenizer = SimpleNamespace(encode=lambda text, add_special_tokens: self.encoded(text))

    def encoded(self, text):
        return SimpleNamespace(ids=text.split())

    def transcribe(self, samples, **options):
        self.asked.append(options)
        found = SimpleNamespace(
            start=1.0,
            end=2.0 * len(samples) / RATE,
            text=" word ",
            tokens=[1, 2],
            words=[SimpleNamespace(start=1.0, end=1.5, word=" word", probability=1.0)],
            seek=100,
            avg_logprob=-0.5,
            compression_ratio=1.0,
            no_speech_prob=0.1,
            temperature=None,
        )
        empty = SimpleNamespace(**{**vars(found), "text": "  "})
        return iter([found, empty]), SimpleNamespace(language=self.languages.pop(0))


def whisper(monkeypatch, model, tmp_path):
    monkeypatch.setattr(speech, "_load", lambda folder, threads: model)
    return Whisper(tmp_path)


def test_times_are_those_of_the_whole_sound_and_the_most_spoken_language_is_told(monkeypatch, tmp_path):
    model = Model("en", "jw", "jw")
    samples = np.zeros(2 * PIECE_SAMPLES + RATE, np.float32)
    *segments, understood = whisper(monkeypatch, model, tmp_path).listen(samples, Listen(words=True))
    assert understood == Understood("jv", "Javanese")
    assert segments[0].start_ms == 1_000
    assert segments[0].words == (Word(1_000, 1_500, "word"),)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(segments))
    assert segments[1].seek == (segments[1].start_ms - 1_000) // 10 + 100
    assert segments[0].text == " word"


def test_wishes_become_the_models_own(monkeypatch, tmp_path):
    model = Model("jw", "de")
    ear = whisper(monkeypatch, model, tmp_path)
    wishes = Listen(
        language="jv",
        prompt="names",
        temperature=0.5,
        words=True,
        english=True,
        pauses=Pauses(threshold=0.3, silence_ms=200, padding_ms=10),
    )
    list(ear.listen(np.zeros(RATE, np.float32), wishes))
    list(ear.listen(np.zeros(RATE, np.float32), Listen(temperature=0.0)))
    asked, plain = model.asked
    assert (asked["language"], asked["initial_prompt"], asked["temperature"]) == ("jw", "names", 0.5)
    assert (asked["task"], asked["word_timestamps"]) == ("translate", True)
    assert asked["vad_parameters"] == {
        "threshold": 0.3,
        "min_silence_duration_ms": 200,
        "speech_pad_ms": 10,
    }
    assert (plain["language"], plain["task"]) == (None, "transcribe")
    assert "temperature" not in plain
    assert "vad_parameters" not in plain


def test_what_the_model_does_not_know_is_refused(monkeypatch, tmp_path):
    ear = whisper(monkeypatch, Model(known=("en",)), tmp_path)
    with pytest.raises(Unreadable, match="does not know the language de"):
        list(ear.listen(np.zeros(RATE, np.float32), Listen(language="de")))
    with pytest.raises(Unreadable, match="cannot translate"):
        list(ear.listen(np.zeros(RATE, np.float32), Listen(english=True)))


def test_of_a_prompt_its_end_is_taken(monkeypatch, tmp_path):
    ear = whisper(monkeypatch, Model(), tmp_path)
    assert ear.prompt_tokens(Listen(prompt="three little words")) == 3
    assert ear.prompt_tokens(Listen(prompt="word " * 500)) == 223
