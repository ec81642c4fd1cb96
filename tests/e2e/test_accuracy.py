"""How well print and speech are read, counted in errors on seeded sets, through the reader process itself.

The ordinary run reads a part; ``PROVE=all`` reads every page and sound. Figures per set are printed (``-s``).
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import pytest

from e2e.crowd import PROVING
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.media.bounds import Bounds
from geminid.media.pool import PoolConfig, ReaderPool
from geminid.media.reading import Ask
from made.accuracy import (
    lecture,
    noisy_recordings,
    pages,
    printed_words,
    recordings,
    slide_text,
    spoken_words,
    synthesised,
)
from made.pictures import error_rate
from made.recitals import SPOKEN, VOICES, word_errors

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

CHARACTER_ERRORS_MAX = 0.02
WORD_ERRORS_MAX = 0.15
ASK = Ask(mime_type="")


@pytest.fixture(scope="module")
def cache() -> Path:
    """The directory of weights, which keeps recordings too: like them they are fetched once."""
    return load()[0].cache()


@pytest.fixture
async def pool(cache):
    folder = pull(Catalog.load().speech("whisper-base"), cache, progress=lambda progress: None)
    pool = ReaderPool(PoolConfig(bounds=Bounds(), processes=1, threads=2, speech=lambda: folder))
    yield pool
    await pool.close()


class Errors:
    """Errors of each set, out of so many."""

    def __init__(self):
        self.counts = defaultdict(lambda: [0, 0])

    def add(self, names, errors, count):
        for name in names:
            self.counts[name][0] += errors
            self.counts[name][1] += count

    def hold(self, share_max):
        """Print every set's share; fail on those above the bound."""
        shares = {name: errors / count for name, (errors, count) in self.counts.items()}
        for name, share in shares.items():
            print(f"{name}: {share:.2%} of {self.counts[name][1]}")
        assert {name: share for name, share in shares.items() if share > share_max} == {}


async def test_print_is_read_with_at_most_two_wrong_characters_in_a_hundred(pool, tmp_path):
    errors, chosen = Errors(), pages() if PROVING else pages((10, 20), 8)
    for number, page in enumerate(chosen):
        path = tmp_path / f"{number}.png"
        page.image.save(path)
        reading = await pool.read(path, ASK)
        wrong, count = error_rate(printed_words(reading.text), page.text)
        errors.add(["all", page.state, page.font, f"{page.capital_px} px {page.state}"], wrong, count)
    errors.hold(CHARACTER_ERRORS_MAX)


async def test_speech_is_understood_with_at_most_fifteen_wrong_words_in_a_hundred(pool, cache, tmp_path):
    kept = cache / "recordings"
    said = [*recordings(kept), *synthesised(tmp_path, VOICES if PROVING else VOICES[:1])]
    errors = Errors()
    for each in [*said, *(noisy_recordings(kept, tmp_path) if PROVING else ())]:
        reading = await pool.read(each.path, ASK)
        assert "English" in reading.text.splitlines()[0], each.name
        wrong, count = word_errors(each.text, spoken_words(reading.text))
        errors.add(["all", each.kind, *([each.name] if each.kind == "recordings" else [])], wrong, count)
    errors.hold(WORD_ERRORS_MAX)


async def test_film_of_a_minute_is_read_in_less_than_one_with_its_slides_and_words(pool, tmp_path):
    path = lecture(tmp_path / "lecture.mp4")
    began_s = time.monotonic()
    reading = await pool.read(path, ASK)
    took_s = time.monotonic() - began_s
    print(f"a minute of film took {took_s:.1f} s")
    assert took_s < 60
    lines = reading.text.splitlines()
    for number in range(len(SPOKEN)):
        assert f"[0:{10 * number:02}] On screen:" in lines
        assert set(slide_text(number).splitlines()) <= set(lines)
    said = " ".join(line.partition("Said: ")[2] for line in lines)
    wrong, count = word_errors(" ".join(SPOKEN), said)
    assert wrong <= WORD_ERRORS_MAX * count
