import json

import pytest

import make
from geminid.core.content import Picture, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.errors import CachesFull, InputTooLong, InvalidArgument, Unavailable
from geminid.core.events import FinishReason, fold
from geminid.core.request import EnumOutput, JsonOutput, Thinking, Tool
from geminid.core.usage import Usage
from geminid.engines.protocol import Prefix
from geminid.engines.script import Rule, ScriptedCall, read_script
from geminid.engines.scripted import ScriptedEngine

CARD = make.card("scripted", engine="scripted", output_tokens_max=10_000)


async def answer(engine=None, text="one two three", **fields):
    async with (engine or ScriptedEngine()).generate(CARD, make.request(text, **fields)) as events:
        return await fold(events)


async def test_without_a_rule_the_last_user_turn_comes_back():
    turns = (Turn("user", (Text("first"),)), Turn("model", (Text("x"),)), Turn("user", (Text("second one"),)))
    assert (await answer(turns=turns)).candidates[0].text == "second one"


async def test_the_first_rule_that_matches_answers():
    engine = ScriptedEngine([Rule(match="^a", text="A: {prompt}"), Rule(text="B", repeat=2)])
    assert (await answer(engine, "abc")).candidates[0].text == "A: abc"
    assert (await answer(engine, "xbc")).candidates[0].text == "BB"


async def test_the_bound_on_tokens_ends_the_answer_and_says_so():
    got = await answer(tokens_max=2, candidates=2, logprobs=True)
    assert [(c.text, c.reason, len(c.logprobs)) for c in got.candidates] == [
        ("one two", FinishReason.MAX_TOKENS, 2)
    ] * 2
    assert (got.usage.prompt, got.usage.candidates) == (3, 4)


async def test_a_stop_string_is_not_part_of_the_answer():
    assert (await answer(stop=("x", " three"))).candidates[0].text == "one two"


async def test_failures_come_before_the_first_token_or_after_as_many_as_asked():
    with pytest.raises(Unavailable):
        async with ScriptedEngine([Rule(fail="UNAVAILABLE")]).generate(CARD, make.request()):
            pass
    seen = []
    engine = ScriptedEngine([Rule(text="a b c", fail="UNAVAILABLE", fail_after_tokens=2, token_ms=1)])
    async with engine.generate(CARD, make.request()) as events:
        with pytest.raises(Unavailable):
            async for event in events:
                seen.append(event)
        assert engine.states()[0].producing == 1
    assert len(seen) == 3
    assert engine.states()[0].producing == 0


async def test_a_prompt_beyond_the_window_is_refused_with_both_numbers():
    with pytest.raises(InputTooLong, match=r"\(101\).*\(100\)"):
        await answer(text="word " * 100 + "end")


def test_a_script_is_read_and_its_mistakes_are_named(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('[[rule]]\nmatch = "^x"\ntext = "y"\n')
    assert read_script(path) == (Rule(match="^x", text="y"),)
    for text, message in [
        ('[[rule]]\nmatsh = "^x"\n', "matsh"),
        ('[[rule]]\nfail = "OOPS"\n', "OOPS"),
        ('[[rule]]\nmatch = "("\n', r"\("),
        ("[[", "cannot be read"),
    ]:
        path.write_text(text)
        with pytest.raises(InvalidArgument, match=message):
            read_script(path)
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_script(tmp_path / "missing.toml")


# -- thoughts ------------------------------------------------------------------------------------------

DEEP = ScriptedEngine([Rule(thought="a b c" + " a b c" * 99, text="done")])


@pytest.mark.parametrize(
    ("thinking", "tokens"),
    [
        (Thinking(), 0),
        (Thinking(level="minimal"), 0),
        (Thinking(level="low"), 128),
        (Thinking(level="high"), 300),
        (Thinking(budget_tokens=0), 0),
        (Thinking(budget_tokens=2), 2),
        (Thinking(budget_tokens=-1), 300),
    ],
)
async def test_as_much_is_thought_as_may_be(thinking, tokens):
    got = await answer(DEEP, thinking=thinking, tokens_max=10_000)
    (candidate,) = got.candidates
    assert (candidate.text, candidate.reason) == ("done", FinishReason.STOP)
    assert len(candidate.thought.split()) == got.usage.thoughts == tokens
    assert got.usage.candidates == 1


async def test_thoughts_count_against_the_bound_on_tokens_and_leave_half_of_it():
    got = await answer(DEEP, thinking=Thinking(level="high"), tokens_max=6)
    assert (got.usage.thoughts, got.usage.candidates) == (3, 1)


# -- functions -----------------------------------------------------------------------------------------

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("weather", "", CITY), Tool("now"))
LOOP = ScriptedEngine(
    [
        Rule(match="^weather: ", text="It is {prompt}"),
        Rule(match="weather", calls=(ScriptedCall(name="weather", args={"city": "Rome"}),)),
        Rule(
            match="both",
            text="wait",
            calls=(ScriptedCall(name="weather", args={"city": "Rome"}), ScriptedCall(name="now")),
        ),
        Rule(match="wrong", calls=(ScriptedCall(name="now"), ScriptedCall(name="weather"))),
        Rule(match="extra", calls=(ScriptedCall(name="now", args={"zone": "UTC"}),)),
    ],
    new_id=iter("abcdefghi").__next__,
)


async def test_a_call_and_its_result_make_a_loop():
    asked = Turn("user", (Text("the weather?"),))
    (first,) = (await answer(LOOP, turns=(asked,), tools=TOOLS)).candidates
    assert (first.text, first.reason) == ("", FinishReason.STOP)
    (call,) = first.calls
    assert (call.name, call.args, len(call.id)) == ("weather", {"city": "Rome"}, 1)
    told = Turn("user", (ToolResult("weather", {"output": "21C"}, call.id),))
    (second,) = (await answer(LOOP, turns=(asked, Turn("model", (call,)), told), tools=TOOLS)).candidates
    assert second.text == 'It is weather: {"output": "21C"}'


async def test_text_stands_before_calls_and_each_candidate_has_ids_of_its_own():
    got = await answer(LOOP, "both", tools=TOOLS, candidates=2)
    assert [candidate.text for candidate in got.candidates] == ["wait", "wait"]
    calls = [call for candidate in got.candidates for call in candidate.calls]
    assert [call.name for call in calls] == ["weather", "now"] * 2
    assert len({call.id for call in calls}) == 4


async def test_only_what_is_offered_is_called():
    (only,) = (await answer(LOOP, "both", tools=TOOLS[1:])).candidates
    assert [call.name for call in only.calls] == ["now"]
    (none,) = (await answer(LOOP, "the weather")).candidates
    assert (none.text, none.calls) == ("the weather", ())


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("wrong", "Malformed function call: weather: {}"),
        ("extra", 'Malformed function call: now: {"zone": "UTC"}'),
    ],
)
async def test_arguments_that_do_not_fit_are_a_malformed_call(text, detail):
    (candidate,) = (await answer(LOOP, text, tools=TOOLS)).candidates
    assert (candidate.reason, candidate.detail) == (FinishReason.MALFORMED_CALL, detail)


async def test_a_call_that_does_not_fit_into_the_bound_is_not_made():
    got = await answer(LOOP, "both", tools=TOOLS, tokens_max=2)
    assert (got.candidates[0].calls, got.candidates[0].reason) == ((), FinishReason.MAX_TOKENS)


async def test_calls_results_and_no_thoughts_are_counted_in_the_prompt():
    turns = (
        Turn("model", (Thought("not this"), ToolCall("f", {"a": 1}))),
        Turn("user", (ToolResult("f", {"output": 2}, parts=(Text("three words more"),)),)),
    )
    assert (await ScriptedEngine().count(CARD, make.request(turns=turns))).prompt == 3 + 3 + 3


async def test_what_came_from_media_is_told_by_modality():
    scan, film = Text("three words here", "document"), Picture(b"", "video")
    turns = (Turn("user", (Text("a b"), scan, ToolResult("f", {}, parts=(film, scan)))),)
    usage = await ScriptedEngine().count(CARD, make.request(turns=turns))
    assert usage.media == {"document": 6, "video": 256}
    assert usage.prompt == 2 + 3 + 2 + 256 + 3


# -- forms of answers ----------------------------------------------------------------------------------

LABELS = EnumOutput(grammar="", labels=("yes", "no", "not sure"))


async def test_the_first_label_answers_where_no_rule_says_which():
    assert (await answer(output=LABELS)).candidates[0].text == "yes"
    engine = ScriptedEngine([Rule(text="not sure")])
    got = await answer(engine, output=LABELS, logprobs=True)
    (chosen,) = got.candidates[0].logprobs
    assert (chosen.token, [entry.token for entry in chosen.alternatives]) == (
        "not sure",
        ["not sure", "yes", "no"],
    )
    assert got.usage.candidates == 1


async def test_json_is_what_the_rule_says():
    document = json.dumps({"a": [1, {"b": "c d"}]}, indent=1)
    got = await answer(ScriptedEngine([Rule(text=document)]), output=JsonOutput(grammar=""))
    assert got.candidates[0].text == document


def test_scripts_have_thoughts_and_calls(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('[[rule]]\nthought = "hm"\ncalls = [{name="f", args={a=1}}, {name="g"}]\n')
    calls = (ScriptedCall(name="f", args={"a": 1}), ScriptedCall(name="g"))
    assert read_script(path) == (Rule(thought="hm", calls=calls),)
    path.write_text("[[rule]]\ncalls = [{args={a=1}}]\n")
    with pytest.raises(InvalidArgument, match="name"):
        read_script(path)


def kept(text, prefix_id="p"):
    return Prefix(id=prefix_id, request=make.request(text))


async def test_a_prefix_that_is_kept_makes_up_the_parts_that_a_prompt_begins_with():
    engine = ScriptedEngine()
    assert await engine.keep(CARD, kept("one two three")) == Usage(prompt=3)
    assert (await engine.keep(CARD, kept("one two three"))).prompt == 3
    turns = (Turn("user", (Text("one two three"),)), Turn("user", (Text("four five"),)))
    got = await answer(engine, turns=turns, prefix="p")
    assert (got.usage.prompt, got.usage.cached) == (5, 3)
    assert (await engine.count(CARD, make.request(turns=turns, prefix="p"))).cached == 3
    assert (await engine.count(CARD, make.request("one two four", prefix="p"))).cached == 0
    assert (await engine.count(CARD, make.request(turns=turns))).cached == 0
    (state,) = engine.states()
    assert (state.prefixes, state.cached_tokens) == (1, 3)
    await engine.drop(CARD, "p")
    await engine.drop(CARD, "p")
    assert (await engine.count(CARD, make.request(turns=turns, prefix="p"))).cached == 0


async def test_more_prefixes_than_there_is_room_for_are_refused():
    engine = ScriptedEngine(cached_tokens_max=5)
    await engine.keep(CARD, kept("one two three"))
    with pytest.raises(CachesFull) as full:
        await engine.keep(CARD, kept("four five six", "q"))
    assert (full.value.tokens, full.value.kept, full.value.tokens_max) == (3, 3, 5)
    await engine.keep(CARD, kept("four five", "q"))
    with pytest.raises(InputTooLong):
        await ScriptedEngine().keep(make.card(context_tokens_max=2), kept("one two three"))


async def test_a_rule_says_how_much_of_a_prompt_was_computed_before():
    engine = ScriptedEngine([Rule(found_tokens=2)])
    assert (await answer(engine)).usage.cached == 2
    assert (await answer(engine, "one")).usage.cached == 1
    await engine.keep(CARD, kept("one two three"))
    assert (await answer(engine, prefix="p")).usage.cached == 3
