"""From a request to the chat messages that a template takes."""

import json

import pytest

import make
from geminid.core.card import ThinkingCard
from geminid.core.content import Blob, Picture, Text, Thought, ToolCall, ToolResult, Turn
from geminid.core.request import EnumOutput, JsonOutput, Thinking, Tool
from geminid.engines.openvino.conversation import conversation_of
from geminid.engines.openvino.messages import Call, Count, Message, decode_to_worker
from geminid.process.frames import frame

CARD = make.card()
HERMES = make.card(tool_form="hermes")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = (Tool("weather", "Of a city", SCHEMA), Tool("now"))
TURNS = (
    Turn("user", (Text("Paris?"),)),
    Turn("model", (Thought("hm"), ToolCall("weather", {"city": "Paris"}, "1"), ToolCall("now", {}, "2"))),
    Turn("user", (ToolResult("weather", {"output": 21}, "1"), ToolResult("now", {}, "2", (Text("noon"),)))),
)


def messages(card, **fields):
    return conversation_of(card, make.request(**fields)).messages


def test_neighbouring_turns_of_one_role_are_one_message():
    turns = (
        Turn("user", (Text("a"), Text("b"))),
        Turn("model", (Text("c"),)),
        Turn("model", (Text("d"),)),
        Turn("user", (Text("e"),)),
    )
    assert messages(CARD, turns=turns, system=(Text("be "), Text("kind"))) == (
        Message("system", "be kind"),
        Message("user", "ab"),
        Message("assistant", "c\nd"),
        Message("user", "e"),
    )


def test_thoughts_of_earlier_turns_are_not_prompted_again():
    turns = (Turn("model", (Thought("hm"), Text("yes"))),)
    assert messages(CARD, turns=turns) == (Message("assistant", "yes"),)


def test_an_empty_message_of_the_user_is_still_one():
    assert messages(CARD, turns=(Turn("user", (Text(""),)),)) == (Message("user", ""),)


def test_a_template_that_knows_tools_gets_them_as_they_are():
    conversation = conversation_of(HERMES, make.request(turns=TURNS, tools=TOOLS))
    assert conversation.messages == (
        Message("user", "Paris?"),
        Message("assistant", "", (Call("weather", '{"city": "Paris"}'), Call("now", "{}"))),
        Message("tool", '{"output": 21}', name="weather"),
        Message("tool", "{}\nnoon", name="now"),
    )
    tools = [json.loads(tool)["function"] for tool in conversation.tools]
    assert [tool["name"] for tool in tools] == ["weather", "now"]
    assert tools[0]["parameters"] == SCHEMA


def test_any_other_model_reads_them_as_text():
    system, *rest = messages(CARD, turns=TURNS, tools=TOOLS, system=(Text("Be brief."),))
    assert system.content.startswith("Be brief.\n\n")
    assert '{"name": "weather", "description": "Of a city", "parameters": ' in system.content
    assert [message.role for message in rest] == ["user", "assistant", "user"]
    assert rest[1].content.count("<tool_call>") == 2
    assert rest[2].content == (
        '<tool_response>\n{"output": 21}\n</tool_response>\n<tool_response>\n{}\nnoon\n</tool_response>'
    )


def test_words_beside_a_result_come_after_it():
    turns = (Turn("user", (Text("and now?"), ToolResult("now", {}))),)
    assert messages(HERMES, turns=turns) == (Message("tool", "{}", name="now"), Message("user", "and now?"))


def test_the_model_is_told_which_answer_is_enforced():
    (system, _) = messages(CARD, output=EnumOutput("g", ("a", "b")))
    assert system.content == "Answer with one of: a, b"
    (system, _) = messages(CARD, output=JsonOutput("g", SCHEMA))
    assert '"city"' in system.content
    (system, _) = messages(CARD, output=JsonOutput("g"))
    assert "JSON" in system.content


def test_a_template_is_told_whether_the_model_thinks():
    card = make.card(thinking=ThinkingCard(form="qwen3"))
    thinking = conversation_of(card, make.request(thinking=Thinking(level="low")))
    assert thinking.options == {"enable_thinking": True}
    assert conversation_of(card, make.request()).options == {"enable_thinking": False}


def test_numbers_that_no_frame_can_hold_reach_the_template():
    schema = {"type": "integer", "maximum": 2**70}
    turns = (Turn("model", (ToolCall("f", {"n": 2**70}),)),)
    conversation = conversation_of(HERMES, make.request(turns=turns, tools=(Tool("f", "", schema),)))
    assert decode_to_worker(frame(Count(1, conversation))[4:]).conversation == conversation
    assert str(2**70) in conversation.tools[0]
    assert str(2**70) in conversation.messages[0].calls[0].args


# -- media ---------------------------------------------------------------------------------------------

EYES = make.card(sees=True)
PICTURE = Picture(b"png", "video")
SCAN = Text("Invoice", "document")


def test_what_came_from_media_stands_as_a_piece_of_its_own():
    turns = (
        Turn("user", (Text("a"), SCAN, PICTURE)),
        Turn("user", (Text("b"),)),
        Turn("model", (Text("c"),)),
    )
    assert messages(EYES, turns=turns) == (
        Message("user", (Text("a"), SCAN, PICTURE, Text("\n"), Text("b"))),
        Message("assistant", "c"),
    )


def test_media_of_a_result_stand_in_its_message():
    turns = (Turn("user", (ToolResult("look", {"n": 1}, parts=(SCAN, PICTURE, Text("end"))),)),)
    newline = Text("\n")
    pieces = (Text('{"n": 1}'), newline, SCAN, newline, PICTURE, newline, Text("end"))
    hermes = make.card(tool_form="hermes", sees=True)
    assert messages(hermes, turns=turns) == (Message("tool", pieces, name="look"),)
    (said,) = messages(EYES, turns=turns)
    assert said.content[1:-1] == pieces
    assert (said.content[0].text, said.content[-1].text) == ("<tool_response>\n", "\n</tool_response>")


def test_media_cross_the_link_as_they_are():
    conversation = conversation_of(EYES, make.request(turns=(Turn("user", (PICTURE, SCAN, Text("?"))),)))
    assert decode_to_worker(frame(Count(1, conversation))[4:]).conversation == conversation


@pytest.mark.parametrize("part", [PICTURE, Blob("image/png", b"")], ids=["picture", "blob"])
def test_media_that_nobody_resolved_are_a_bug_of_ours(part):
    for turns in ((Turn("user", (part,)),), (Turn("user", (ToolResult("f", {}, parts=(part,)),)),)):
        with pytest.raises(TypeError, match="not resolved"):
            messages(CARD, turns=turns)


def test_behind_a_prefix_the_form_of_the_answer_is_said_last_so_that_all_begin_alike():
    output = EnumOutput(grammar="", labels=("yes", "no"))
    system = (Text("Be kind."),)
    plain = messages(CARD, system=system, prefix="p")
    assert messages(CARD, system=system, output=output, prefix="p") == (
        plain[0],
        Message("user", "Hello there\nAnswer with one of: yes, no"),
    )
    assert (
        messages(CARD, system=system, output=output)[0].content == "Be kind.\n\nAnswer with one of: yes, no"
    )
