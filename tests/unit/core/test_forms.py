"""Which form a model's chat template shows."""

import pytest

from geminid.core.forms import THINKING_FORMS, TOOL_FORMS, thinking_form_of, tool_form_of


@pytest.mark.parametrize(
    ("template", "thinking", "tools"),
    [
        ("", "two-phases", "general"),
        ("{% if enable_thinking %}<think>{% endif %}<tool_call>", "qwen3", "hermes"),
        ("<think>\n", "deepseek-r1", "general"),
        ("<|channel|>analysis", "gpt-oss", "general"),
        ("<|python_tag|>", "two-phases", "llama3"),
        ("<start_of_turn>user", "two-phases", "gemma"),
    ],
)
def test_a_template_is_recognised_by_its_sign(template, thinking, tools):
    assert (thinking_form_of(template), tool_form_of(template)) == (thinking, tools)


def test_every_form_can_be_told_apart_or_is_the_last_resort():
    for forms in (THINKING_FORMS, TOOL_FORMS):
        signs = [form.sign for form in forms.values()]
        assert signs.count("") == 1
        assert len(set(signs)) == len(signs)


def test_a_thought_is_closed_by_words_or_by_a_turn():
    for form in THINKING_FORMS.values():
        assert bool(form.closing) != bool(form.follow_up)
        assert form.stop in form.closing
