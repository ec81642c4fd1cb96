"""Interactions: answered, kept, gone on from, left, cancelled, deleted; with a meter and a database behind them."""

import asyncio
import contextlib
import shutil
from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec
import pytest

import make
from geminid.catalog.served import Served
from geminid.core.content import Text, ToolCall, ToolResult, Turn
from geminid.core.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    NotCancellable,
    OutOfCredits,
    ResourceExhausted,
    Unavailable,
    UnknownInteraction,
    UnknownModel,
    UnknownPrevious,
)
from geminid.core.events import Finished, FinishReason, Started, TextDelta
from geminid.core.interaction import (
    NO_CHAIN,
    Ended,
    Face,
    NewInteraction,
    StepBegun,
    ToolAnswered,
    turns_of,
)
from geminid.core.request import Tool
from geminid.core.usage import Usage
from geminid.engines.script import Rule, ScriptedCall
from geminid.engines.scripted import ScriptedEngine
from geminid.service.generate import Generator
from geminid.service.interaction_limits import DAY_MS, InteractionLimits
from geminid.service.interaction_shelf import SLACK_MS, Shelf
from geminid.service.interactions import Interactions
from geminid.service.resolve import Resolved
from geminid.store import interactions as rows
from geminid.store import owners, usage
from geminid.store.database import Database, sqlite_url
from geminid.store.owners import Owner
from geminid.store.tables import interaction_contents
from money import house

CARD = make.card("tiny", engine="scripted")
FACE, OTHER = Face("one", "one_"), Face("other", "other_")
CREDIT = 10**9
RULES = [
    Rule(match="^slow", text=" w", repeat=60, token_ms=20),
    Rule(match="^six", text=" w", repeat=6),
    Rule(match="^break", text="a b c", fail="UNAVAILABLE", fail_after_tokens=2),
    Rule(match="^full", text="a", fail="UNAVAILABLE"),
    Rule(match="^search", text="looking", calls=(ScriptedCall(name="search", args={"q": "x"}),)),
    Rule(
        match="^both", calls=(ScriptedCall(name="search", args={"q": "x"}), ScriptedCall(name="ask", args={}))
    ),
]
TOOLS = tuple(Tool(name, parameters={"type": "object"}) for name in ("search", "ask"))


class NoMedia:
    """Requests as they are."""

    async def resolve(self, request, card, project):
        return Resolved(request=request)


class Seen(ScriptedEngine):
    """Remembers what it was asked."""

    def __init__(self, rules):
        super().__init__(rules)
        self.requests = []
        self.hold = None

    @asynccontextmanager
    async def generate(self, card, request):
        self.requests.append(request)
        if self.hold is not None:
            await self.hold.wait()
        async with super().generate(card, request) as events:
            yield events


class Search:
    """A function that runs in the server."""

    names = frozenset({"search"})

    def __init__(self, calls_max=10):
        self.calls_max, self.calls = calls_max, []

    async def call(self, call, caller):
        self.calls.append(call.args)
        return ToolResult(call.name, {"found": len(self.calls)}, call.id)


class Desk:
    """Interactions of one process over a house."""

    def __init__(self, home, owner="one", **limits):
        self.home = home
        self.engine = Seen(RULES)
        self.limits = InteractionLimits(**{"grace_ms": 0, "refused_ms": 100, **limits})
        generator = Generator(
            Served((CARD,), {}),
            {"scripted": self.engine},
            lambda record: None,
            resolver=NoMedia(),
            meter=home.meter,
        )
        self.shelf = Shelf(home.database, self.limits, owner)
        self.acts = Interactions(generator, self.shelf, self.limits, now_ms=home.clock)

    def new(self, text="six", chain=NO_CHAIN, **said):
        request = {name: said.pop(name) for name in ("tools", "call_mode", "tokens_max") if name in said}
        return NewInteraction(
            request=msgspec.structs.replace(make.request(text), **request), face=FACE, chain=chain, **said
        )

    async def answer(self, text="six", previous="", **said):
        chain = await self.acts.chain("p", FACE, previous)
        async with self.acts.run(self.new(text, chain, **said), self.home.caller) as running:
            return await running.finish()

    async def get(self, interaction):
        return await self.acts.get("p", FACE, interaction.id)

    async def events(self, interaction):
        return [event async for event in await self.acts.follow("p", FACE, interaction.id)]

    async def until(self, interaction, *statuses):
        while (found := await self.get(interaction)).status not in statuses:
            await asyncio.sleep(0.005)
        return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database with tables and nothing in them, made once."""
    file = tmp_path_factory.mktemp("empty") / "geminid.db"

    async def make_tables():
        await (await Database.open(sqlite_url(file))).close()

    asyncio.run(make_tables())
    return file


@pytest.fixture
async def home(tmp_path, empty):
    file = shutil.copy(empty, tmp_path / "geminid.db")
    async with house(sqlite_url(file)) as opened:
        opened.caller = await opened.project(credit_nano=CREDIT)
        yield opened


@pytest.fixture
async def desk(home):
    made = Desk(home)
    yield made
    await made.acts.close()
    assert (await home.verified()).open_holds == 0


async def row_of(home, receipt):
    return await home.database.read(lambda c: usage.find(c, "p", receipt))


def words(interaction):
    return "".join(step.answer.candidates[0].text for step in interaction.steps)


# -- in the foreground ------------------------------------------------------------------------------


async def test_it_is_kept_as_it_is_told_before_it_is_told(desk, home):
    new = desk.new(kept=b"what the wire says" * 100)
    async with desk.acts.run(new, home.caller) as running:
        seen, paid = [], []
        async for event in running.events:
            seen.append(event)
            if isinstance(event, Finished):
                found = await desk.shelf.get("p", "one", running.interaction.id, home.clock())
                paid = await row_of(home, running.generation.id)
    end = seen[-1]
    assert isinstance(end, Ended)
    assert isinstance(seen[0], StepBegun)
    assert end.interaction == found == await desk.get(found)
    assert (found.status, found.usage, words(found)) == (
        "completed",
        Usage(prompt=1, candidates=6),
        " w" * 6,
    )
    assert (found.kept, found.turns) == (new.kept, new.request.turns)
    assert found.id.startswith("one_")
    assert (paid.usage, paid.cost_nano) == (found.usage, running.cost_nano)
    assert found.steps[0].receipt == running.generation.id == seen[0].receipt


async def test_what_is_not_to_be_stored_is_not(desk, home):
    first = await desk.answer()
    last = await desk.answer("six", first.id, store=False)
    assert (last.stored, last.previous, last.status) == (False, first.id, "completed")
    assert len(desk.engine.requests[-1].turns) == 3
    with pytest.raises(UnknownInteraction):
        await desk.get(last)


async def test_an_answer_that_was_cut_is_incomplete(desk):
    cut = await desk.answer("six", tokens_max=2)
    assert (cut.status, cut.reason) == ("incomplete", FinishReason.MAX_TOKENS)


async def test_calls_of_the_callers_functions_wait_for_him(desk):
    made = await desk.answer("both", tools=TOOLS)
    assert made.status == "requires_action"
    chain = await desk.acts.chain("p", FACE, made.id)
    calls = [part for turn in chain.turns for part in turn.parts if isinstance(part, ToolCall)]
    assert [(call.name, bool(call.id)) for call in calls] == [("search", True), ("ask", True)]


@pytest.mark.parametrize("left", range(1, 11))
async def test_who_leaves_after_any_event_has_what_was_produced_and_pays_for_it(desk, home, left):
    with pytest.raises(asyncio.CancelledError):
        async with desk.acts.run(desk.new(resumable=True), home.caller) as running:
            seen = []
            async for event in running.events:
                seen.append(event)
                if len(seen) == left:
                    raise asyncio.CancelledError
    found = await desk.get(running.interaction)
    ended = any(isinstance(event, Finished) for event in seen)
    assert found.status == ("completed" if ended else "cancelled")
    assert words(found) == " w" * min(max(left - 2, 0), 6)
    if left > 1:  # else nothing was read of what was counted
        assert found.usage == (await row_of(home, running.generation.id)).usage
    told = [event for event in seen if not isinstance(event, Ended)]
    assert await desk.events(found) == [*told, Ended(found)]


async def test_of_a_whole_answer_that_nobody_got_nothing_is_kept(desk, home):
    with pytest.raises(asyncio.CancelledError):
        async with desk.acts.run(desk.new(), home.caller, whole=True) as running:
            await anext(running.events)
            raise asyncio.CancelledError
    with pytest.raises(UnknownInteraction):
        await desk.get(running.interaction)


async def test_what_breaks_has_failed_and_costs_nothing(desk, home):
    with pytest.raises(Unavailable):
        async with desk.acts.run(desk.new("break"), home.caller) as running:
            await running.finish()
    found = await desk.get(running.interaction)
    assert found == running.interaction
    assert (found.status, found.fault.code, words(found)) == ("failed", "UNAVAILABLE", "a b")
    assert (await row_of(home, running.generation.id)).cost_nano == 0


async def test_a_fault_of_the_reader_ends_it_as_failed(desk, home):
    with pytest.raises(ZeroDivisionError):
        async with desk.acts.run(desk.new(), home.caller) as running:
            async for _ in running.events:
                raise ZeroDivisionError
    found = await desk.get(running.interaction)
    assert (found.status, found.fault.code) == ("failed", "INTERNAL")


async def test_what_its_reader_meets_after_the_end_changes_nothing(desk, home):
    with pytest.raises(ZeroDivisionError):
        async with desk.acts.run(desk.new(), home.caller) as running:
            async for event in running.events:
                if isinstance(event, Finished):
                    raise ZeroDivisionError
    assert (await desk.get(running.interaction)).status == "completed"
    assert (await row_of(home, running.generation.id)).cost_nano > 0


async def test_what_cannot_be_paid_after_all_has_failed_and_is_free(desk, home, monkeypatch):
    async def settle(*_):
        raise Unavailable("The database cannot be used now.")

    with pytest.raises(Unavailable):
        async with desk.acts.run(desk.new(), home.caller) as running:
            with monkeypatch.context() as patch:
                patch.setattr(home.meter, "settle", settle)
                await running.finish()
    assert (await desk.get(running.interaction)).status == "failed"
    assert (await row_of(home, running.generation.id)).cost_nano == 0


@pytest.mark.parametrize(("text", "problem"), [("full", Unavailable), ("slow", OutOfCredits)])
async def test_what_is_refused_is_not_kept(desk, home, text, problem):
    caller = await home.project("poor", credit_nano=1) if problem is OutOfCredits else home.caller
    with pytest.raises(problem):
        async with desk.acts.run(desk.new(text), caller):
            pass
    assert await home.database.read(lambda c: rows.size_bytes(c, caller.project)) == 0


@pytest.mark.parametrize("whole", [True, False])
async def test_what_the_meter_refuses_late_is_not_kept(desk, home, whole):
    caller = await home.project("poor", credit_nano=1)
    with pytest.raises(OutOfCredits):
        async with desk.acts.run(desk.new(), caller, whole=whole) as running:
            await running.finish()
    assert await home.database.read(lambda c: rows.size_bytes(c, "poor")) == 0


async def test_a_model_that_is_not_known_is_refused(desk, home):
    new = NewInteraction(request=make.request("a", model="nobody"), face=FACE)
    with pytest.raises(UnknownModel):
        async with desk.acts.run(new, home.caller):
            pass
    with pytest.raises(UnknownModel):
        await desk.acts.begin(msgspec.structs.replace(new, background=True), home.caller)


async def test_a_deadline_ends_it_as_failed(desk, home):
    with pytest.raises(DeadlineExceeded):
        async with desk.acts.run(desk.new("slow"), home.caller, deadline_ms=100) as running:
            await running.finish()
    assert (await desk.get(running.interaction)).fault.code == "DEADLINE_EXCEEDED"


async def test_one_in_the_foreground_is_told_and_followed_while_it_runs_and_can_be_stopped(desk, home):
    started = asyncio.Event()
    known = SimpleNamespace()

    async def answer():
        async with desk.acts.run(desk.new("slow"), home.caller) as running:
            known.it = running.interaction
            async for event in running.events:
                if isinstance(event, TextDelta):
                    started.set()

    task = asyncio.create_task(answer())
    await started.wait()
    found = await desk.get(known.it)
    assert (found.status, words(found)[:2]) == ("in_progress", " w")
    with pytest.raises(FailedPrecondition, match="has not ended yet"):
        await desk.acts.chain("p", FACE, known.it.id)
    following = asyncio.create_task(desk.events(known.it))
    await asyncio.sleep(0)
    ended = await desk.acts.cancel("p", FACE, known.it.id)
    with pytest.raises(Exception, match="cancelled") as caught:
        await task
    assert caught.value.code == "CANCELLED"
    assert ended.status == "cancelled"
    assert (await following)[-1] == Ended(ended)
    assert ended == await desk.get(known.it)
    with pytest.raises(NotCancellable):
        await desk.acts.cancel("p", FACE, known.it.id)


# -- functions of the server -------------------------------------------------------------------------


async def test_functions_of_the_server_are_called_between_steps_and_all_steps_are_paid(desk, home):
    search = Search()
    desk.engine._rules = ScriptedEngine([Rule(match='"found": ?1', text="here it is"), *RULES])._rules
    async with desk.acts.run(
        desk.new("search", tools=TOOLS, call_mode="any"), home.caller, tools=search
    ) as running:
        events = [event async for event in running.events]
    found = events[-1].interaction
    assert [type(event) for event in events if isinstance(event, StepBegun | ToolAnswered | Ended)] == [
        StepBegun,
        ToolAnswered,
        StepBegun,
        Ended,
    ]
    assert found == await desk.get(found)
    assert (found.status, len(found.steps), search.calls) == ("completed", 2, [{"q": "x"}])
    assert found.steps[0].results[0].response == {"found": 1}
    assert [request.call_mode for request in desk.engine.requests] == ["any", "auto"]
    paid = [await row_of(home, step.receipt) for step in found.steps]
    assert [each.usage for each in paid] == [step.answer.usage for step in found.steps]
    assert running.cost_nano == sum(each.cost_nano for each in paid)
    turns = turns_of(found)
    assert [turn.role for turn in turns] == ["user", "model", "user", "model"]
    assert desk.engine.requests[1].turns == turns[:3]


async def test_functions_of_the_server_are_called_so_often_and_then_no_more(desk, home):
    search = Search(calls_max=2)
    desk.engine._rules = ScriptedEngine(
        [
            Rule(
                match='"found": ?1',
                calls=(ScriptedCall(name="search", args={}), ScriptedCall(name="search", args={})),
            ),
            Rule(match="may not be called", text="so be it"),
            *RULES,
        ]
    )._rules
    async with desk.acts.run(desk.new("search", tools=TOOLS), home.caller, tools=search) as running:
        found = await running.finish()
    assert len(search.calls) == 2
    assert desk.engine.requests[-1].call_mode == "none"
    assert "error" in found.steps[1].results[1].response
    assert found.status == "completed"


@pytest.mark.parametrize(("tokens_max", "left"), [(50, 46), (4, None)])
async def test_a_bound_on_tokens_is_one_on_all_steps_together(desk, home, tokens_max, left):
    new = desk.new("search", tools=TOOLS, tokens_max=tokens_max)
    async with desk.acts.run(new, home.caller, tools=Search(calls_max=1)) as running:
        found = await running.finish()
    assert found.steps[0].answer.usage.candidates == 4
    asked = [request.tokens_max for request in desk.engine.requests]
    assert asked == [tokens_max] + ([left] if left else [])
    if left is None:
        assert (found.status, found.reason) == ("incomplete", FinishReason.MAX_TOKENS)
    assert found == await desk.get(found)


async def test_a_model_that_calls_although_it_may_not_is_not_listened_to(desk, home):
    search = Search(calls_max=1)
    async with desk.acts.run(desk.new("search", tools=TOOLS), home.caller, tools=search) as running:
        found = await running.finish()  # what was found begins with "search" too, and so does the next call
    assert (len(search.calls), len(found.steps), found.ended) == (1, 2, True)


async def test_where_the_caller_has_functions_to_run_too_he_goes_on(desk, home):
    search = Search()
    async with desk.acts.run(desk.new("both", tools=TOOLS), home.caller, tools=search) as running:
        found = await running.finish()
    assert (found.status, len(found.steps), len(found.steps[0].results)) == ("requires_action", 1, 1)
    assert found == await desk.get(found)


async def test_a_function_that_fails_ends_it(desk, home):
    class Broken(Search):
        async def call(self, call, caller):
            raise Unavailable("Nothing can be searched now.")

    with pytest.raises(Unavailable):
        async with desk.acts.run(desk.new("search", tools=TOOLS), home.caller, tools=Broken()) as running:
            await running.finish()
    found = await desk.get(running.interaction)
    assert (found.status, len(found.steps)) == ("failed", 1)
    assert (await row_of(home, found.steps[0].receipt)).cost_nano > 0  # this step was answered


# -- chains ------------------------------------------------------------------------------------------


async def test_what_was_said_before_comes_before(desk):
    first = await desk.answer("one", "")
    second = await desk.answer("two", first.id)
    branch = await desk.answer("three", first.id)
    last = await desk.answer("four", second.id)
    said = [part.text for turn in desk.engine.requests[-1].turns for part in turn.parts]
    assert said == ["one", "one", "two", "two", "four"]
    assert [part.text for turn in desk.engine.requests[-2].turns for part in turn.parts] == [
        "one",
        "one",
        "three",
    ]
    chain = await desk.acts.chain("p", FACE, last.id)
    assert (chain.depth, chain.ids) == (3, (first.id, second.id, last.id))
    assert branch.previous == first.id
    assert last.turns == (Turn("user", (Text("four"),)),)  # what came before is kept once


async def test_one_that_is_missing_is_named(desk, home):
    with pytest.raises(UnknownPrevious) as caught:
        await desk.acts.chain("p", FACE, "one_nobody")
    assert caught.value.id == "one_nobody"
    first = await desk.answer()
    second = await desk.answer("six", first.id)
    third = await desk.answer("six", second.id)
    await desk.acts.delete("p", FACE, first.id)
    for last in (second, third):
        with pytest.raises(UnknownPrevious) as caught:
            await desk.acts.chain("p", FACE, last.id)
        assert caught.value.id == first.id


async def test_another_wires_and_another_projects_are_unknown(desk, home):
    await home.project("q", credit_nano=CREDIT)
    made = await desk.answer()
    for project, face in (("q", FACE), ("p", OTHER)):
        with pytest.raises(UnknownPrevious):
            await desk.acts.chain(project, face, made.id)
        for act in (desk.acts.get, desk.acts.follow, desk.acts.cancel, desk.acts.delete):
            with pytest.raises(UnknownInteraction):
                await act(project, face, made.id)
    assert await desk.get(made) == made


async def test_conversations_have_an_end(home):
    desk = Desk(home, depth_max=3)
    previous = ""
    for _ in range(3):
        previous = (await desk.answer("six", previous)).id
    with pytest.raises(FailedPrecondition, match="the last of 3 that follow each other"):
        await desk.answer("six", previous)
    desk = Desk(home, chain_bytes_max=60)
    with pytest.raises(FailedPrecondition, match="no more than 60"):
        await desk.answer("six", previous)


# -- keeping -----------------------------------------------------------------------------------------


async def test_a_conversation_that_goes_on_lives_on_as_a_whole(desk, home):
    first = await desk.answer()
    home.clock.ms += 20 * DAY_MS
    second = await desk.answer("six", first.id)
    home.clock.ms += 20 * DAY_MS
    assert (await desk.acts.chain("p", FACE, second.id)).depth == 2
    assert (await desk.get(first)).expires_ms == second.expires_ms + SLACK_MS
    assert await desk.shelf.sweep(home.clock()) == 0
    home.clock.ms += 11 * DAY_MS
    with pytest.raises(UnknownInteraction):
        await desk.get(second)
    assert await desk.shelf.sweep(home.clock()) == 2
    left = await home.database.read(lambda c: c.execute(interaction_contents.select()).all())
    assert left == []


async def test_where_nothing_is_kept_answers_are_and_nothing_runs_in_the_background(home):
    desk = Desk(home, ttl_ms=0)
    made = await desk.answer()
    assert (made.stored, made.status) == (False, "completed")
    with pytest.raises(FailedPrecondition, match="must be stored"):
        await desk.acts.begin(desk.new(background=True), home.caller)


async def test_what_a_project_may_keep_has_a_bound(home):
    desk = Desk(home, bytes_max=400)
    with pytest.raises(ResourceExhausted, match=r"take \d+ of 400 bytes"):
        for _ in range(100):
            await desk.answer()
    await desk.answer(store=False)
    again = Desk(home, bytes_max=400)
    with pytest.raises(ResourceExhausted):
        await again.answer()


async def test_what_was_deleted_is_gone_with_what_was_said(desk, home):
    made = await desk.answer()
    await desk.acts.delete("p", FACE, made.id)
    assert await home.database.read(lambda c: c.execute(interaction_contents.select()).all()) == []
    for act in (desk.acts.get, desk.acts.delete):
        with pytest.raises(UnknownInteraction):
            await act("p", FACE, made.id)


async def test_numbers_of_any_length_are_kept(desk, home):
    class Calls:
        @asynccontextmanager
        async def generate(self, card, request):
            async def events():
                yield Started(Usage(prompt=1))
                yield TextDelta("x", 1)
                yield Finished(FinishReason.STOP)

            yield events()

    turns = (Turn("model", (ToolCall("f", {"n": 10**40, "d": 1.5}, "a"),)), Turn("user", (Text("b"),)))
    request = msgspec.structs.replace(make.request("six"), turns=turns)
    async with desk.acts.run(NewInteraction(request=request, face=FACE), home.caller) as running:
        made = await running.finish()
    assert (await desk.get(made)).turns == turns


# -- in the background -------------------------------------------------------------------------------


async def test_it_runs_although_nobody_waits(desk, home):
    queued = await desk.acts.begin(desk.new(background=True), home.caller)
    assert queued.status == "queued"
    live = await desk.events(queued)
    found = await desk.get(queued)
    assert (found.status, words(found)) == ("completed", " w" * 6)
    assert live[-1] == Ended(found)
    assert await desk.events(queued) == live
    assert (await row_of(home, found.steps[0].receipt)).usage == found.usage
    other = Desk(home, "another process")
    assert await other.events(queued) == live
    await other.acts.close()


async def test_followers_come_and_go(desk, home):
    queued = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    following = await desk.acts.follow("p", FACE, queued.id)
    seen = [await anext(following) for _ in range(5)]
    await following.aclose()
    everything = await desk.events(queued)
    assert everything[:5] == seen
    assert everything[-1].interaction.status == "completed"


async def test_what_is_refused_at_once_is_told_at_once(desk, home):
    with pytest.raises(Unavailable):
        await desk.acts.begin(desk.new("full", background=True), home.caller)
    assert await home.database.read(lambda c: rows.size_bytes(c, "p")) == 0


async def test_what_fails_later_has_failed(desk, home):
    queued = await desk.acts.begin(desk.new("break", background=True), home.caller)
    end = (await desk.events(queued))[-1]
    assert (end.interaction.status, end.interaction.fault.code) == ("failed", "UNAVAILABLE")
    assert await desk.get(queued) == end.interaction
    assert (await row_of(home, end.interaction.steps[0].receipt)).cost_nano == 0


@pytest.mark.parametrize("pause", range(12))
async def test_it_is_cancelled_at_any_moment_keeps_what_was_produced_and_is_paid_so(desk, home, pause):
    queued = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    for _ in range(pause):
        await asyncio.sleep(0.004)
    ended, again = await asyncio.gather(
        desk.acts.cancel("p", FACE, queued.id), desk.acts.cancel("p", FACE, queued.id)
    )
    assert ended == again == await desk.get(queued)
    assert ended.status == "cancelled"
    assert len(words(ended)) <= 2 * 60
    assert await desk.acts.cancel("p", FACE, queued.id) == ended
    for step in ended.steps:
        assert (await row_of(home, step.receipt)).usage == step.answer.usage
    assert len(await home.rows()) <= 1


async def test_one_that_waits_for_its_turn_is_cancelled(home):
    desk = Desk(home, running_max=1)
    first = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    second = await desk.acts.begin(desk.new("six", background=True), home.caller)
    assert (await desk.acts.cancel("p", FACE, second.id)).status == "cancelled"
    assert (await desk.until(first, "completed")).status == "completed"
    assert len(desk.engine.requests) == 1
    await desk.acts.close()


async def test_so_many_run_at_once_and_so_many_wait(home):
    desk = Desk(home, running_max=2, waiting_max=4)
    desk.engine.hold = asyncio.Event()
    made = [await desk.acts.begin(desk.new("six", background=True), home.caller) for _ in range(4)]
    with pytest.raises(ResourceExhausted, match="have not ended"):
        await desk.acts.begin(desk.new("six", background=True), home.caller)
    assert len(desk.engine.requests) == 2
    desk.engine.hold.set()
    for each in made:
        await desk.until(each, "completed")
    assert len(desk.engine.requests) == 4
    await desk.acts.close()


async def test_one_that_runs_is_deleted(desk, home):
    queued = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    await desk.until(queued, "in_progress")
    await desk.acts.delete("p", FACE, queued.id)
    with pytest.raises(UnknownInteraction):
        await desk.get(queued)
    assert await home.database.read(lambda c: c.execute(interaction_contents.select()).all()) == []


async def test_it_goes_on_from_another_and_is_gone_on_from(desk, home):
    first = await desk.answer("one")
    chain = await desk.acts.chain("p", FACE, first.id)
    queued = await desk.acts.begin(desk.new("two", chain, background=True), home.caller)
    with contextlib.suppress(FailedPrecondition):
        await desk.acts.chain("p", FACE, queued.id)
    await desk.until(queued, "completed")
    await desk.answer("three", queued.id)
    said = [part.text for turn in desk.engine.requests[-1].turns for part in turn.parts]
    assert said == ["one", "one", "two", "two", "three"]


# -- when processes end ------------------------------------------------------------------------------


async def die(desk):
    """End a process as a kill does: nothing is written any more."""
    desk.shelf._database = None
    for task in tuple(desk.acts._background._running):
        task.cancel()
    with contextlib.suppress(AttributeError):
        await asyncio.gather(*desk.acts._background._running, return_exceptions=True)


async def live(home, owner):
    row = Owner(id=owner, host="h", pid=1, born_ms=0, heartbeat_ms=home.clock())
    await home.database.write(lambda c: owners.beat(c, row))


async def test_what_has_told_nothing_is_run_by_the_next_process(home):
    desk = Desk(home)
    first = await desk.answer("one")
    chain = await desk.acts.chain("p", FACE, first.id)
    desk.engine.hold = asyncio.Event()
    queued = await desk.acts.begin(desk.new("two", chain, background=True, kept=b"k"), home.caller)
    await die(desk)
    after = Desk(home, "two")
    await after.acts.start()
    found = await after.until(queued, "completed")
    assert (words(found), found.kept) == ("two", b"k")
    assert [part.text for turn in after.engine.requests[-1].turns for part in turn.parts] == [
        "one",
        "one",
        "two",
    ]
    await after.acts.close()


async def test_what_has_told_something_has_failed(home):
    desk = Desk(home)
    queued = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    following = await desk.acts.follow("p", FACE, queued.id)
    async for event in following:
        if isinstance(event, TextDelta):
            break
    await die(desk)
    after = Desk(home, "two")
    await after.acts.start()
    found = await after.get(queued)
    assert (found.status, found.fault.code) == ("failed", "UNAVAILABLE")
    assert "stopped before this interaction had ended" in found.fault.message
    await after.acts.close()


async def test_what_belongs_to_a_living_process_is_left_alone(home):
    await live(home, "one")
    desk = Desk(home)
    desk.engine.hold = asyncio.Event()
    queued = await desk.acts.begin(desk.new(background=True), home.caller)
    after = Desk(home, "two")
    await after.acts.start()
    assert (await after.get(queued)).status == "queued"
    await after.acts.close()
    desk.engine.hold.set()
    await desk.until(queued, "completed")
    await desk.acts.close()


async def test_another_process_has_one_cancelled_and_sees_its_end(home):
    await live(home, "one")
    await live(home, "two")
    desk, other = Desk(home), Desk(home, "two")
    for each in (desk, other):
        each.acts._background._look_every_s = 0.02
        await each.acts.start()
    queued = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    following = asyncio.create_task(other.events(queued))
    ended = await other.acts.cancel("p", FACE, queued.id)
    assert ended.status == "cancelled"
    assert (await following)[-1] == Ended(ended)
    await desk.acts.close()
    await other.acts.close()


async def test_what_ends_every_process_that_begins_it_is_given_up(home):
    desk = Desk(home, "p0")
    desk.engine.hold = asyncio.Event()
    queued = await desk.acts.begin(desk.new(background=True), home.caller)
    for number in range(1, 4):
        await die(desk)
        desk = Desk(home, f"p{number}")
        desk.engine.hold = asyncio.Event()
        await desk.acts.start()
    assert (await desk.get(queued)).status == "failed"
    await desk.acts.close()


async def test_a_server_that_is_stopped_leaves_what_has_told_nothing_and_ends_the_rest(home):
    desk = Desk(home, running_max=1)
    told = await desk.acts.begin(desk.new("slow", background=True), home.caller)
    waiting = await desk.acts.begin(desk.new("six", background=True), home.caller)
    while not words(await desk.get(told)):
        await asyncio.sleep(0.005)
    await desk.acts.close()
    with pytest.raises(Unavailable):
        await desk.acts.begin(desk.new("six", background=True), home.caller)
    after = Desk(home, "two")
    found = await after.get(told)
    assert (found.status, found.fault.code) == ("failed", "UNAVAILABLE")
    assert words(found)
    assert (await row_of(home, found.steps[0].receipt)).cost_nano == 0
    await after.acts.start()
    await after.until(waiting, "completed")
    await after.acts.close()
    assert (await home.verified()).open_holds == 0
