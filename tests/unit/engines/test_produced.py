"""What an engine has produced is known, whether or not anybody read it."""

import make
from geminid.core.content import ToolCall
from geminid.core.events import FinishReason, ToolCallMade
from geminid.core.usage import Usage
from geminid.engines.slot import Slot


async def test_everything_that_was_put_is_counted_once_read_or_not():
    slot = Slot(make.request(candidates=2))
    slot.put_thought("hm", 3)
    slot.put("a", 2, 1)
    slot.put_call(ToolCallMade(ToolCall("f", {}, "id"), 5))
    assert slot.made == Usage(thoughts=3, candidates=7)
    slot.put("b", 1, 0, reason=FinishReason.STOP)
    slot.put("c", 1, 1, reason=FinishReason.STOP)
    slot.put("too late", 9, 1)
    assert slot.made == Usage(thoughts=3, candidates=9)
