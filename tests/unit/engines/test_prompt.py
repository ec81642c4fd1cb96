import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.content import Picture, Text
from geminid.engines.openvino.messages import Call, Conversation, Message
from geminid.engines.openvino.prompt import PLAIN_TEMPLATE, Prompt, TemplateRefusal

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }};{% endfor %}"
)
MARKERS = ["<|im_start|>", "<|im_end|>"]


def test_the_template_is_rendered_up_to_the_models_turn():
    text = Prompt(CHATML, MARKERS).render(Conversation((Message("user", "hi"),)))
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


@given(
    st.lists(st.sampled_from(["<|im_", "start|>", "<|im_end|>", "end|>", "x", "<"]), max_size=12).map("".join)
)
def test_no_text_of_a_caller_becomes_a_control_token(text):
    rendered = Prompt(CHATML, MARKERS).render(Conversation((Message("user", text),)))
    assert rendered.count("<|im_end|>") == 1
    assert rendered.count("<|im_start|>") == 2


def test_text_without_markers_reaches_the_model_unchanged():
    assert (
        Prompt("{{ messages[0].content }}", MARKERS).render(Conversation((Message("user", "a < b |> c"),)))
        == "a < b |> c"
    )


def test_a_template_without_a_system_role_gets_its_words_before_the_first_users():
    prompt = Prompt(NO_SYSTEM, [])
    assert (
        prompt.render(
            Conversation(
                (
                    Message("system", "S"),
                    Message("user", "U"),
                )
            )
        )
        == "user: S\n\nU;"
    )


def test_a_template_that_refuses_says_so_in_its_own_words():
    prompt = Prompt("{{ raise_exception('roles must alternate') }}", [])
    with pytest.raises(TemplateRefusal, match="roles must alternate"):
        prompt.render(Conversation((Message("user", "a"),)))
    with pytest.raises(TemplateRefusal, match="roles must alternate"):
        prompt.render(
            Conversation(
                (
                    Message("system", "a"),
                    Message("user", "a"),
                )
            )
        )
    with pytest.raises(TemplateRefusal, match="roles must alternate"):
        prompt.render(Conversation((Message("system", "a"),)))


def test_a_template_cannot_reach_out_of_its_sandbox():
    with pytest.raises(TemplateRefusal):
        Prompt("{{ ''.__class__.__mro__[1].__subclasses__() }}", []).render(
            Conversation((Message("user", "a"),))
        )


def test_weights_without_a_template_get_a_plain_dialogue():
    assert Prompt("", []).render(Conversation((Message("user", "hi"),))) == "User: hi\n\nAssistant:"
    assert (
        Prompt(PLAIN_TEMPLATE, []).render(Conversation((Message("user", "hi"),))) == "User: hi\n\nAssistant:"
    )


def test_the_cards_options_are_names_in_the_template():
    prompt = Prompt(
        "{{ bos_token }}{% if not enable_thinking %}quiet{% endif %}",
        [],
        bos_token="<s>",
        enable_thinking=False,
    )
    assert prompt.render(Conversation((Message("user", "hi"),))) == "<s>quiet"


def test_the_date_is_there_for_templates_that_ask():
    assert Prompt("{{ strftime_now('%Y') }}", []).render(Conversation((Message("user", "x"),))).isdigit()


def test_what_stands_between_two_answers_is_the_templates():
    conversation = Conversation((Message("user", "Q"),))
    behind = Prompt(CHATML, MARKERS).follow_up(conversation, "And now?")
    assert behind == "<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n"


def test_tools_calls_and_options_reach_the_template():
    template = (
        "{{ tools[0].function.name }} {{ thinking }} "
        "{% for m in messages %}{{ m.tool_calls[0].function.arguments | tojson if m.tool_calls else m.name }} "
        "{% endfor %}"
    )
    conversation = Conversation(
        (Message("assistant", "", (Call("f", '{"x": "<b>"}'),)), Message("tool", "1", name="f")),
        ('{"type": "function", "function": {"name": "f"}}',),
        {"thinking": True},
    )
    assert Prompt(template, []).render(conversation) == 'f True {"x": "<b>"} f '


def test_no_text_of_a_tool_becomes_a_control_token():
    template = "{{ tools | tojson }}{{ messages[0].tool_calls | tojson }}"
    conversation = Conversation(
        (Message("assistant", "", (Call("<|im_end|>", '{"<|im_end|>": ["<|im_start|>"]}'),)),),
        ('{"function": {"description": "<|im_end|>"}}',),
    )
    rendered = Prompt(template, MARKERS).render(conversation)
    assert not any(marker in rendered for marker in MARKERS)


# -- media ---------------------------------------------------------------------------------------------

ONLY_LISTS = (
    "{% for m in messages %}{{ m.role }}: {% for c in m.content | selectattr('type', 'equalto', 'text') %}"
    "{{ c.text }}{% endfor %};{% endfor %}"
)
TRIMS = "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}"


def seen(*pieces, role="user"):
    return Message(role, pieces)


def test_pictures_have_places_that_are_numbered_through_the_conversation():
    conversation = Conversation(
        (seen(Picture(b"1"), Text("a"), Picture(b"2")), Message("assistant", "b"), seen(Picture(b"3")))
    )
    rendered = Prompt(TRIMS, MARKERS, sees=True).render(conversation)
    assert rendered == "[<ov_genai_image_0>a<ov_genai_image_1>][b][<ov_genai_image_2>]"


def test_a_template_that_wants_lists_gets_them():
    prompt = Prompt(ONLY_LISTS, MARKERS, sees=True)
    conversation = Conversation((seen(Text("a"), Picture(b"1")), Message("assistant", "b")))
    assert prompt.render(conversation) == "user: a<ov_genai_image_0>;assistant: b;"


def test_a_template_that_leaves_a_picture_out_is_not_followed():
    prompt = Prompt("{{ messages[-1].content }}", MARKERS, sees=True)
    with pytest.raises(TemplateRefusal, match="no pictures there"):
        prompt.render(Conversation((seen(Picture(b"1")), Message("user", "a"))))
    with pytest.raises(TemplateRefusal, match="no pictures there"):
        Prompt("{{ messages[0].content * 2 }}", MARKERS, sees=True).render(
            Conversation((seen(Picture(b"")),))
        )


@given(
    st.lists(
        st.sampled_from(["<ov_genai_", "image_0>", "<image>", "<|im_", "end|>", "x"]), min_size=1, max_size=8
    ),
    st.lists(st.sampled_from(["text", "image", "document"]), min_size=8, max_size=8),
)
def test_no_two_texts_make_a_marker_or_a_place_together(words, modalities):
    pieces = [Text(word, modality) for word, modality in zip(words, modalities, strict=False)]
    rendered = Prompt(TRIMS, MARKERS, sees=True).render(Conversation((seen(*pieces, Picture(b"1")),)))
    assert rendered.count("<ov_genai_image_0>") == 1
    assert "<image>" not in rendered
    assert "<|im_end|>" not in rendered


def test_what_was_read_from_media_is_told_as_it_is_rendered():
    conversation = Conversation((Message("user", "a"), seen(Text("b"), Text("<|im_end|>", "image"))))
    prompt = Prompt(TRIMS, MARKERS)
    ((words, modality),) = prompt.passages(conversation)
    assert words in prompt.render(conversation)
    assert modality == "image"
