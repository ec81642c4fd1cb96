"""Grammars are judged once, by a process that may die of them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from geminid import config
from geminid.core.errors import InvalidArgument, Unavailable
from geminid.engines.openvino import poison, weights
from geminid.engines.openvino.checker import GrammarChecker
from geminid.engines.openvino.compiler import Limits

FAKE = (sys.executable, str(Path(__file__).parent / "fake_checker.py"))
REFUSED = "The schema cannot be enforced by this model: "


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """The grammars that reached a process, in order."""
    path = tmp_path / "seen"
    path.touch()
    monkeypatch.setenv("SEEN", str(path))
    return lambda: path.read_text().splitlines()


@asynccontextmanager
async def checking(folder, *arguments, weights=Path("/model"), queue_max=64, **limits):
    checker = GrammarChecker(
        weights, folder, limits=Limits(**limits), queue_max=queue_max, command=(*FAKE, *arguments)
    )
    try:
        yield checker
    finally:
        await checker.close()


async def refusal(checker, grammar):
    with pytest.raises(InvalidArgument) as caught:
        await checker.check(grammar)
    assert caught.value.message.startswith(REFUSED)
    return caught.value.message.removeprefix(REFUSED)


async def test_a_good_grammar_is_compiled_once(tmp_path, seen):
    async with checking(tmp_path) as checker:
        assert checker.pid == 0, "no process before the first check"
        await checker.check("good")
        await checker.check("good")
        assert seen() == ["good"]


async def test_those_who_ask_together_share_one_check(tmp_path, seen):
    async with checking(tmp_path) as checker:
        await asyncio.gather(*(checker.check("wait 50") for _ in range(10)))
        assert seen() == ["wait 50"]


async def test_one_who_leaves_does_not_take_the_verdict_along(tmp_path, seen):
    async with checking(tmp_path) as checker:
        leaver = asyncio.create_task(checker.check("wait 300"))
        stayer = asyncio.create_task(checker.check("wait 300"))
        await asyncio.sleep(0.1)
        leaver.cancel()
        await stayer
        assert seen() == ["wait 300"]


CERTAIN = [
    ("bad", "not a grammar"),
    ("die", "Its check was killed by SIGSEGV."),
    ("half a \ud800", "It contains half a character."),
]
"""What is the library's own doing, or the grammar's."""
UNCERTAIN = [
    ("slow 2001", "It takes 2001 ms to compile, 2000 are allowed."),
    ("slow step 251", "It takes 251 ms for one token, 250 are allowed."),
    ("garbage", "Its check was killed by SIGKILL."),
]
"""What the machine, or somebody on it, may have done."""


@pytest.mark.parametrize(("grammar", "why"), UNCERTAIN)
async def test_what_may_have_been_the_machines_fault_is_tried_again_after_a_restart(
    tmp_path, seen, grammar, why
):
    async with checking(tmp_path) as checker:
        assert await refusal(checker, grammar) == why
        assert await refusal(checker, grammar) == why
        asked = seen()
    assert len(asked) <= 1
    async with checking(tmp_path) as checker:
        assert await refusal(checker, grammar) == why
        assert len(seen()) > len(asked) or not asked


@pytest.mark.parametrize(("grammar", "why"), CERTAIN)
async def test_a_bad_grammar_is_refused_for_good(tmp_path, seen, grammar, why):
    async with checking(tmp_path) as checker:
        assert await refusal(checker, grammar) == why
        assert await refusal(checker, grammar) == why
        await checker.check("good")
        asked = seen()
    assert asked in ([grammar, "good"], ["good"])
    async with checking(tmp_path) as checker:  # after a restart
        assert await refusal(checker, grammar) == why
        assert checker.pid == 0
        assert seen() == asked


async def test_a_hang_is_killed(tmp_path, seen):
    async with checking(tmp_path, compile_ms=200) as checker:
        await checker.check("good")
        pid = checker.pid
        assert await refusal(checker, "hang") == "It takes longer than 200 ms."
        assert not psutil.pid_exists(pid)
        await checker.check("another")


async def test_a_process_that_has_grown_is_replaced_between_two_checks(tmp_path, seen):
    async with checking(tmp_path, "retiring") as checker:
        await checker.check("one")
        assert checker.pid == 0
        await checker.check("two")


async def test_a_process_that_dies_while_idle_costs_nothing(tmp_path, seen):
    async with checking(tmp_path) as checker:
        await checker.check("one")
        psutil.Process(checker.pid).kill()
        await asyncio.sleep(0.2)
        await checker.check("two")


async def test_an_idle_process_is_stopped(tmp_path, seen):
    async with checking(tmp_path, idle_s=0.1) as checker:
        await checker.check("one")
        assert checker.pid
        await asyncio.sleep(0.4)
        assert checker.pid == 0
        await checker.check("two")


async def test_no_verdict_where_no_process_starts(tmp_path, seen):
    async with checking(tmp_path, "broken") as checker:
        with pytest.raises(Unavailable, match="no such tokenizer"):
            await checker.check("good")
    async with checking(tmp_path) as checker:
        await checker.check("good")


async def test_a_condemned_grammar_is_refused_though_it_was_proven(tmp_path, seen):
    async with checking(tmp_path) as checker:
        await checker.check("good")
        checker.condemn("good", "the engine died")
        assert await refusal(checker, "good") == "the engine died"


async def test_what_is_condemned_during_its_check_stays_condemned(tmp_path, seen):
    async with checking(tmp_path) as checker:
        check = asyncio.create_task(checker.check("wait 200"))
        await asyncio.sleep(0.05)
        checker.condemn("wait 200", "the engine died")
        with pytest.raises(InvalidArgument, match="the engine died"):
            await check


async def test_the_queue_is_bounded(tmp_path, seen):
    async with checking(tmp_path, queue_max=2) as checker:
        waiting = [asyncio.create_task(checker.check(f"wait {ms}")) for ms in (100, 101)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await checker.check("one too many")
        await asyncio.gather(*waiting)
        await checker.check("room again")


async def test_closing_tells_those_who_wait(tmp_path, seen):
    async with checking(tmp_path) as checker:
        waiting = [asyncio.create_task(checker.check(f"wait {ms}")) for ms in (5000, 5001)]
        await asyncio.sleep(0.3)
        pid = checker.pid
        waiting.append(asyncio.create_task(checker.check("new")))
        await asyncio.sleep(0)
        await checker.close()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert not psutil.pid_exists(pid)
        with pytest.raises(Unavailable):
            await checker.check("after the end")


async def test_another_model_is_another_question(tmp_path, seen):
    async with checking(tmp_path) as checker:
        checker.condemn("good", "no")
    async with checking(tmp_path, weights=Path("/other")) as checker:
        await checker.check("good")


def test_poison_is_bounded_and_survives_a_broken_file(tmp_path, monkeypatch):
    monkeypatch.setattr(poison, "ENTRIES_MAX", 2)
    path = tmp_path / "new folder" / "poison.json"
    kept = poison.Poison(path)
    for key in "abc":
        kept.add(key, key * 1000)
    again = poison.Poison(path)
    assert [len(again.reason(key)) for key in "abc"] == [0, 400, 400]
    assert os.listdir(path.parent) == ["poison.json"]
    path.write_bytes(b'{"a": ')
    assert poison.Poison(path).reason("b") == ""


@pytest.fixture(scope="module")
def real_model(tmp_path_factory):
    """The folder of the default model, pulled and converted if need be."""
    command = [sys.executable, "-m", "geminid.cli.main"]
    subprocess.run([*command, "pull", "smollm2-135m-instruct"], check=True, capture_output=True, timeout=200)
    listed = subprocess.run([*command, "models", "--json"], check=True, capture_output=True, timeout=60)
    rows = json.loads(listed.stdout)["models"]
    path = next(Path(row["path"]) for row in rows if row["name"] == "smollm2-135m-instruct")
    settings, _ = config.load()
    return weights.converted(path, settings.cache(), weights.best_precision(path))


NESTED = "root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000
HUNDREDS_OF_RULES = "root ::= r0\n" + "".join(
    f'r{i} ::= "a{i}" r{i + 1} | "b" [0-9]* r{i + 1}\n' for i in range(200)
)


BORDERLINE = 'root ::= ("a"{1,5000}){1,5000}'
"""Takes the library some two seconds: a fast machine may allow it."""


@pytest.mark.e2e
@pytest.mark.timeout(200)
async def test_the_library_is_survived(tmp_path, real_model):
    checker = GrammarChecker(real_model, tmp_path)
    bad = {
        "root ::= undefined_rule": "not defined",
        "@@@ ][ ::": "Unexpected character",
        "": "not found",
        NESTED: "SIGSEGV",
        "root ::= ((([a-z]{1,300}){1,300}){1,300}){1,300}": "too much memory|ms",
        'root ::= "\\"" [^"\\\\]{0,5000} "\\""': "ms",
    }
    try:
        await checker.check('root ::= "a" | "b" root')
        await checker.check(HUNDREDS_OF_RULES + 'r200 ::= ""')
        for grammar, why in bad.items():
            began = time.monotonic()
            with pytest.raises(InvalidArgument, match=why):
                await checker.check(grammar)
            assert time.monotonic() - began < 20
        with contextlib.suppress(InvalidArgument):
            await checker.check(BORDERLINE)
        await checker.check('root ::= "still here"')
    finally:
        await checker.close()
    again = GrammarChecker(real_model, tmp_path)
    try:
        # Time is no property of a grammar, so refusals for it are not remembered over a restart.
        for grammar in (grammar for grammar, why in bad.items() if "ms" not in why):
            with pytest.raises(InvalidArgument):
                await again.check(grammar)
        assert again.pid == 0
    finally:
        await again.close()


@pytest.mark.e2e
async def test_a_folder_without_a_model_condemns_nothing(tmp_path):
    checker = GrammarChecker(tmp_path, tmp_path / "memory")
    with pytest.raises(Unavailable, match="exited with status 1"):
        await checker.check('root ::= "a"')
    await checker.close()
    assert not (tmp_path / "memory").exists()
