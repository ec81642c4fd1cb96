"""What reading media costs and gets wrong: print in several fonts and sizes, speech, whole files.

The sets are those of the tests (``tests/made/accuracy.py``), seeded. Print and files go through a reader
process as in the server; it is warm. Speech is compared in two arms that take turns: with the beam that
sounds of up to half an hour are given, and greedily, as longer ones are. Error rates are of characters
(runs of white space count as one) and of words (case and punctuation apart, small numbers in letters).
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import machine
from benchmarks.figures import Figure, Goal, Outcome, Table, figure
from benchmarks.rounds import rounds, turned
from geminid.catalog.catalog import Catalog
from geminid.catalog.progress import Progress
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.content import Look
from geminid.media.bounds import Bounds
from geminid.media.pool import PoolConfig, ReaderPool
from geminid.media.reading import Ask
from geminid.media.sound_samples import RATE, read_samples
from geminid.media.speech import BEAM, Whisper

sys.path.insert(0, str(machine.ROOT / "tests"))

from made import accuracy
from made.pictures import error_rate
from made.recitals import VOICES, word_errors

ASK = Ask(mime_type="")
THREADS = 2
TEXT_PAGES, SCANNED_PAGES = 100, 2
PICTURE = "picture of an A4 page, 150 dots an inch"
TEXT, SCANNED = "page of a text PDF", "page of a scanned PDF, 150 dots an inch"
FILM = "minute of film: slides, a moving picture, speech"
ARMS = {f"beam of {BEAM}": BEAM, "greedy": 1}

Run = dict[str, Any]


class Timed(NamedTuple):
    """A file, and how many units (pages, minutes) it holds."""

    path: Path
    units: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. ``rounds``: of whole files; none begins that would end after ``seconds_max``."""

    capitals_px: tuple[int, ...] = accuracy.CAPITALS_PX
    voices: tuple[str, ...] = VOICES
    rounds: int = 3
    seconds_max: float = 240.0


QUICK = Plan(capitals_px=(14,), voices=VOICES[:1], rounds=1)


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    cache = load()[0].cache()
    folder = pull(Catalog.load().speech("whisper-base"), cache, progress=_silent)
    with tempfile.TemporaryDirectory() as scratch:
        printed, files = asyncio.run(_through_readers(plan, folder, Path(scratch), say))
        spoken = _spoken(plan, folder, cache / "recordings", Path(scratch), say)
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "threads": THREADS},
        runs=[*printed, *spoken, *files],
        tables=[_print_table(printed), _speech_table(spoken), _file_table(files)],
        goals=_goals(printed, spoken, files),
    )


def _silent(progress: Progress) -> None:
    """Nobody watches."""


async def _through_readers(
    plan: Plan, folder: Path, scratch: Path, say: Callable[[str], None]
) -> tuple[list[Run], list[Run]]:
    config = PoolConfig(bounds=Bounds(), processes=1, threads=THREADS, speech=lambda: folder)
    pool = ReaderPool(config)
    try:
        files = _files(scratch)
        await pool.read(files[FILM].path, ASK)  # loads both models
        printed = [each async for each in _printed(plan, pool, scratch)]
        say(f"print: {_rate(printed):.3%} of characters wrong")
        return printed, [each async for each in _timed(plan, pool, files, say)]
    finally:
        await pool.close()


async def _printed(plan: Plan, pool: ReaderPool, scratch: Path) -> AsyncIterator[Run]:
    path = scratch / "page.png"
    for page in accuracy.pages(plan.capitals_px):
        page.image.save(path)
        began_s = time.perf_counter()
        reading = await pool.read(path, ASK)
        seconds = time.perf_counter() - began_s
        errors, count = error_rate(accuracy.printed_words(reading.text), page.text)
        yield {
            "what": "print",
            "font": page.font,
            "capital_px": page.capital_px,
            "state": page.state,
            "errors": errors,
            "count": count,
            "seconds": seconds,
        }


def _files(scratch: Path) -> dict[str, Timed]:
    """Return files by what one unit of them is called."""
    picture = scratch / "a4.png"
    accuracy.page_picture(random.Random(0)).save(picture)
    return {
        PICTURE: Timed(picture, 1),
        TEXT: Timed(accuracy.text_pdf(scratch / "text.pdf", TEXT_PAGES), TEXT_PAGES),
        SCANNED: Timed(accuracy.scanned_pdf(scratch / "scan.pdf", SCANNED_PAGES), SCANNED_PAGES),
        FILM: Timed(accuracy.lecture(scratch / "lecture.mp4"), 1),
    }


async def _timed(
    plan: Plan, pool: ReaderPool, files: dict[str, Timed], say: Callable[[str], None]
) -> AsyncIterator[Run]:
    for number in rounds(plan.rounds, plan.seconds_max, say):
        for name in turned(list(files), number):
            path, units = files[name]
            began_s = time.perf_counter()
            await pool.read(path, ASK)
            seconds = (time.perf_counter() - began_s) / units
            say(f"{name}: {seconds:.2f} s")
            yield {"what": "file", "name": name, "seconds": seconds}


def _spoken(plan: Plan, folder: Path, kept: Path, scratch: Path, say: Callable[[str], None]) -> list[Run]:
    arms = {name: Whisper(folder, threads=THREADS, beam=beam) for name, beam in ARMS.items()}
    sounds = [
        *accuracy.recordings(kept),
        *accuracy.noisy_recordings(kept, scratch),
        *accuracy.synthesised(scratch, plan.voices),
    ]
    for whisper in arms.values():
        whisper.transcribe(read_samples(sounds[1].path, Look(), Bounds()).samples)  # type: ignore[union-attr]
    runs = [
        _understood(arms[arm], arm, sound)
        for number, sound in enumerate(sounds)
        for arm in turned(list(arms), number)
    ]
    for arm in arms:
        say(f"speech, {arm}: {_rate(each for each in runs if each['arm'] == arm):.2%} of words wrong")
    return runs


def _understood(whisper: Whisper, arm: str, sound: accuracy.Speech) -> Run:
    began_s = time.perf_counter()
    samples = read_samples(sound.path, Look(), Bounds()).samples  # type: ignore[union-attr]
    transcript = whisper.transcribe(samples)
    seconds = time.perf_counter() - began_s
    errors, count = word_errors(sound.text, " ".join(each.text for each in transcript.heard))
    return {
        "what": "speech",
        "arm": arm,
        "kind": sound.kind,
        "name": sound.name,
        "errors": errors,
        "count": count,
        "seconds": seconds,
        "sound_s": len(samples) / RATE,
    }


def _rate(runs: Iterable[Run]) -> float:
    chosen = list(runs)
    return sum(each["errors"] for each in chosen) / sum(each["count"] for each in chosen)


def _share(runs: Iterable[Run]) -> str:
    chosen = list(runs)
    return f"{_rate(chosen):.2%} of {sum(each['count'] for each in chosen):,}" if chosen else "–"


def _print_table(runs: list[Run]) -> Table:
    sizes = sorted({each["capital_px"] for each in runs})
    return Table(
        title="Characters read wrongly",
        note="By the height of capitals in pixels. Worn pages are turned by up to 1°, grey, noisy and "
        "compressed as JPEG. Seconds are of one page of twelve lines.",
        columns=["print", *(f"{px} px" for px in sizes), "all sizes", "seconds a page"],
        rows=[*_print_rows(runs, sizes)],
    )


def _print_rows(runs: list[Run], sizes: list[int]) -> Iterator[list[str | Figure]]:
    fonts = list(dict.fromkeys(each["font"] for each in runs))
    for state in ("clean", "worn"):
        for font in (*fonts, ""):
            chosen = [each for each in runs if each["state"] == state and font in ("", each["font"])]
            by_size = [_share(each for each in chosen if each["capital_px"] == px) for px in sizes]
            seconds = figure(each["seconds"] for each in chosen)
            yield [f"{font or 'all fonts'}, {state}", *by_size, _share(chosen), seconds]


def _speech_table(runs: list[Run]) -> Table:
    sets: dict[str, list[Run]] = defaultdict(list)
    for each in runs:
        for name in (each["name"] if each["kind"] == "recordings" else each["kind"], "all"):
            sets[name].append(each)
    return Table(
        title="Words understood wrongly",
        note=f"Whisper base in 8 bits, {THREADS} threads. Seconds are of a minute of sound, decoding of the "
        "file included: short sounds cost more, for half a minute is understood at once.",
        columns=["speech", *(column for arm in ARMS for column in (arm, "seconds a minute"))],
        rows=[_speech_row(name, sets[name]) for name in sorted(sets, key=lambda name: name == "all")],
    )


def _speech_row(name: str, runs: list[Run]) -> list[str | Figure]:
    cells: list[str | Figure] = [name]
    for arm in ARMS:
        chosen = [each for each in runs if each["arm"] == arm]
        cells += [_share(chosen), figure([_seconds_a_minute(chosen)])]
    return cells


def _seconds_a_minute(runs: list[Run]) -> float:
    return 60 * sum(each["seconds"] for each in runs) / sum(each["sound_s"] for each in runs)


def _file_table(runs: list[Run]) -> Table:
    return Table(
        title="Seconds to read",
        note=f"One reader process with {THREADS} threads, warm. Text PDF: {TEXT_PAGES} pages of "
        f"{accuracy.PAGE_LINES} lines; scanned: {SCANNED_PAGES} pages.",
        columns=["what", "seconds"],
        rows=[
            [name, figure(each["seconds"] for each in runs if each["name"] == name)]
            for name in (PICTURE, TEXT, SCANNED, FILM)
        ],
    )


def _goals(printed: list[Run], spoken: list[Run], files: list[Run]) -> list[Goal]:
    used = [each for each in spoken if each["arm"] == next(iter(ARMS))]
    film = figure(each["seconds"] for each in files if each["name"] == FILM)
    printed_percent, spoken_percent = figure([100 * _rate(printed)]), figure([100 * _rate(used)])
    return [
        Goal(name="characters of print wrong", bound=2, at_least=False, figure=printed_percent, unit="%"),
        Goal(name="words of speech wrong", bound=15, at_least=False, figure=spoken_percent, unit="%"),
        Goal(name="a minute of film is read in", bound=60, at_least=False, figure=film, unit="s"),
    ]
