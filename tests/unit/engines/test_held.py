"""One request that an engine holds: from deltas to events, over the death of a process."""

import make
from geminid.core.events import Finished, FinishReason, Started, TextDelta, ToolCallMade
from geminid.core.request import Tool
from geminid.core.usage import Usage
from geminid.engines.openvino.held import Held
from geminid.engines.openvino.messages import Delta
from geminid.engines.openvino.submission import plan

WHOLE = '"now", "arguments": {}}\n</tool_call>'


def held():
    request = make.request(tools=(Tool("now"),), call_mode="any")
    return Held(request, plan(make.card(), request), lambda: "id")


def call(text, finish=""):
    return Delta(1, 0, text, 3, finish, kind="call")


async def events(one):
    one.slot.accept(Started(Usage()))
    return [event async for event in one.slot.events()][1:]


async def test_calls_are_told_as_wholes():
    one = held()
    one.deliver(call(WHOLE[:9]))
    one.deliver(call(WHOLE[9:], "stop"))
    made, end = await events(one)
    assert isinstance(made, ToolCallMade)
    assert (made.call.name, made.call.args, made.tokens) == ("now", {}, 6)
    assert end == Finished(FinishReason.STOP)


async def test_what_a_dead_process_had_begun_to_write_is_forgotten():
    one = held()
    one.deliver(call(WHOLE[:9]))
    one.begin_again()
    one.deliver(call(WHOLE, "stop"))
    made, end = await events(one)
    assert (made.call.name, made.tokens) == ("now", 3)
    assert end.reason is FinishReason.STOP


async def test_a_call_that_cannot_be_read_is_told_as_that():
    one = held()
    one.deliver(call("nonsense}", "stop"))
    delta, end = await events(one)
    assert delta == TextDelta("", 3)
    assert (end.reason, bool(end.detail)) == (FinishReason.MALFORMED_CALL, True)
