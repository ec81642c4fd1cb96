import pytest

import make
from geminid.core.content import Text, Turn
from geminid.core.errors import InputTooLong, InvalidArgument, Unavailable
from geminid.core.events import FinishReason, fold
from geminid.engines.scripted import Rule, ScriptedEngine, read_script

CARD = make.card("scripted", engine="scripted")


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
