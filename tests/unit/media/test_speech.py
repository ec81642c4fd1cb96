"""Speech is understood, a few minutes at a time, by weights on this machine alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.core.content import Look
from geminid.media import speech
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.sound_samples import read_samples
from geminid.media.speech import RATE, Whisper, pieces
from geminid.media.tools import Heard
from made.recitals import RECORDED, SPOKEN, word_errors
from made.sounds import recording
from made.sounds import speech as spoken_file

CACHE = Path.home() / ".local" / "share" / "geminid" / "cache"


class Model:
    """Says of each piece where its own loudest moment is."""

    def __init__(self, *languages):
        self.languages = list(languages)
        self.lengths: list[int] = []
        self.beams: list[int] = []

    def transcribe(self, samples, *, beam_size, **_):
        self.lengths.append(len(samples))
        self.beams.append(beam_size)
        at = float(np.abs(samples).argmax()) / RATE
        language = self.languages.pop(0)
        segments = [SimpleNamespace(start=at, end=at + 1000, text=" word ")] if language else []
        return iter([*segments, SimpleNamespace(start=0, end=1, text="  ")]), SimpleNamespace(
            language=language
        )


def test_long_sound_is_cut_into_pieces_that_cover_it_at_quiet_places():
    samples = np.ones(700 * RATE, np.float32)
    samples[290 * RATE : 291 * RATE] = 0
    cut = list(pieces(samples))
    assert [start for start, _ in cut[1:]] == [end for _, end in cut[:-1]]
    assert (cut[0][0], cut[-1][1]) == (0, len(samples))
    assert 290 * RATE <= cut[0][1] <= 291 * RATE
    assert all(end - start <= speech.PIECE_SAMPLES for start, end in cut)
    assert list(pieces(np.zeros(0, np.float32))) == []


def test_times_count_from_the_beginning_of_the_whole_and_end_with_it(monkeypatch):
    samples = np.full(400 * RATE, 0.1, np.float32)
    samples[290 * RATE : 291 * RATE] = 0
    samples[100 * RATE] = samples[350 * RATE] = 1
    model = Model("en", "en")
    monkeypatch.setattr(speech, "_load", lambda folder, threads: model)
    transcript = Whisper(Path("nowhere")).transcribe(samples)
    assert [round(each.start_ms / 1000) for each in transcript.heard] == [100, 350]
    assert transcript.heard[1] == Heard(transcript.heard[1].start_ms, 400_000, "word")
    assert len(model.lengths) == 2


def test_language_is_that_of_most_words_in_iso_codes(monkeypatch):
    samples = np.full(700 * RATE, 0.1, np.float32)
    monkeypatch.setattr(speech, "_load", lambda folder, threads: Model("de", "jw", "jw"))
    assert Whisper(Path("nowhere")).transcribe(samples).language == "jv"


def test_very_long_sound_is_decoded_greedily(monkeypatch):
    for samples, beam in ((10 * RATE, speech.BEAM), (speech.LONG_SAMPLES + RATE, 1)):
        model = Model(*["en"] * 9)
        monkeypatch.setattr(speech, "_load", lambda folder, threads, model=model: model)
        Whisper(Path("nowhere")).transcribe(np.zeros(samples, np.float32))
        assert set(model.beams) == {beam}


def test_where_nobody_speaks_there_is_no_language(monkeypatch):
    monkeypatch.setattr(speech, "_load", lambda folder, threads: Model(""))
    transcript = Whisper(Path("nowhere")).transcribe(np.zeros(RATE, np.float32))
    assert (transcript.language, transcript.heard) == ("", ())


def test_folder_that_lacks_files_is_refused_and_nothing_is_fetched(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(Unreadable, match=r"lacks config\.json, tokenizer\.json"):
        Whisper(tmp_path).transcribe(np.zeros(RATE, np.float32))


@pytest.fixture(scope="module")
def whisper():
    folder = pull(Catalog.load().speech("whisper-base"), CACHE, progress=lambda progress: None)
    return Whisper(folder, threads=2)


@pytest.mark.e2e
def test_words_are_understood_with_at_most_fifteen_errors_in_a_hundred(whisper, tmp_path):
    recorded = recording(CACHE / "recordings", "two_cities.wav")
    said = [(recorded, RECORDED["two_cities.wav"])]
    said += [(spoken_file(tmp_path / f"{i}.mp3", text), text) for i, text in enumerate(SPOKEN[:2])]
    for path, text in said:
        transcript = whisper.transcribe(read_samples(path, Look(), Bounds()).samples)
        errors, count = word_errors(text, " ".join(each.text for each in transcript.heard))
        assert transcript.language == "en"
        assert errors <= 0.15 * count, path.name


@pytest.mark.e2e
def test_silence_and_noise_say_nothing(whisper):
    noise = np.random.default_rng(7).normal(0, 0.01, 10 * RATE).astype(np.float32)
    assert whisper.transcribe(np.zeros(5 * RATE, np.float32)).heard == ()
    assert whisper.transcribe(noise).heard == ()


@pytest.mark.e2e
def test_first_half_minute_is_encoded_once(whisper, tmp_path, monkeypatch):
    sound = read_samples(spoken_file(tmp_path / "s.wav", SPOKEN[0]), Look(), Bounds())
    model = whisper._loaded()
    native, encoded = model.model, []
    kept = {
        name: getattr(native, name) for name in ("generate", "detect_language", "is_multilingual", "device")
    }

    def encode(*given, **options):
        encoded.append(given)
        return native.encode(*given, **options)

    monkeypatch.setattr(model, "model", SimpleNamespace(**kept, encode=encode))
    assert "Monday" in whisper.transcribe(sound.samples).heard[0].text
    assert len(encoded) == 1
