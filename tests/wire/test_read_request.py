"""Reading a request for generation: what is honoured, what is refused, and in which words."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminid.core.content import Text, Thought, Turn
from geminid.core.errors import InvalidArgument
from geminid.core.request import GenerateRequest, Sampling, Thinking
from geminid.wire.gemini import count, generate
from geminid.wire.gemini.generate import REFUSALS, Reading

MODEL = "gemini-3.1-flash-lite"
HELLO = [{"role": "user", "parts": [{"text": "hello"}]}]


def read(document: dict[str, Any], *, strict: bool = False) -> generate.ReadRequest:
    body = json.dumps({"contents": HELLO} | document).encode()
    return generate.read_request(body, MODEL, Reading(strict=strict))


def configured(strict: bool = False, **config: Any) -> GenerateRequest:
    return read({"generationConfig": config}, strict=strict).request


def refusal(document: dict[str, Any], *, strict: bool = False) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        read(document, strict=strict)
    return caught.value


def config_refusal(strict: bool = False, **config: Any) -> tuple[str, list[str]]:
    error = refusal({"generationConfig": config}, strict=strict)
    return error.message, [violation.field for violation in error.violations]


def part_refusal(part: dict[str, Any]) -> tuple[str, list[str]]:
    error = refusal({"contents": [{"parts": [{"text": "see"}, part]}]})
    return error.message, [violation.field for violation in error.violations]


# Contents.


def test_a_bare_request_says_nothing_that_the_caller_did_not_say():
    turns = (Turn("user", (Text("hello"),)),)
    request = GenerateRequest(model=MODEL, turns=turns, thinking=Thinking(level="minimal"))
    assert read({}) == (request, (), generate.Telling())


def test_turns_keep_their_order_and_neighbours_may_share_a_role():
    contents = [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "user", "parts": {"text": "c"}},
        {"role": "model", "parts": [{"text": ""}]},
    ]
    assert read({"contents": contents}).request.turns == (
        Turn("user", (Text("a"), Text("b"))),
        Turn("user", (Text("c"),)),
        Turn("model", (Text(""),)),
    )


@pytest.mark.parametrize("content", [{}, {"role": None}, {"role": ""}, {"role": "user"}])
def test_a_content_without_a_role_is_the_users(content):
    (turn,) = read({"contents": [content | {"parts": [{"text": "a"}]}]}).request.turns
    assert turn.role == "user"


@pytest.mark.parametrize("role", ["system", "assistant", "User", "function", "tool"])
def test_other_roles_are_refused_in_googles_words(role):
    error = refusal({"contents": [{"role": role, "parts": [{"text": "a"}]}]})
    assert error.message == "Please use a valid role: user, model."
    assert error.violations[0].field == "contents[0].role"


def test_thoughts_sent_back_are_thoughts_and_signatures_are_accepted():
    parts = [
        {"text": "hm", "thought": True},
        {"text": "42", "thoughtSignature": "skip_thought_signature_validator"},
        {"text": "", "thoughtSignature": "not base64!"},
        {
            "text": "x",
            "thought": False,
            "partMetadata": {"a": 1},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
        },
    ]
    (turn,) = read({"contents": [{"role": "model", "parts": parts}]}).request.turns
    assert turn == Turn("model", (Thought("hm"), Text("42"), Text(""), Text("x")))


@pytest.mark.parametrize("contents", [[], None])
def test_missing_contents_are_told_in_googles_words(contents):
    error = refusal({"contents": contents})
    assert error.message == "* GenerateContentRequest.contents: contents is not specified"
    assert error.violations[0].field == "contents"


def test_an_empty_body_has_no_contents():
    with pytest.raises(InvalidArgument, match="contents is not specified"):
        generate.read_request(b"", MODEL)


@pytest.mark.parametrize("content", [{}, {"parts": []}, {"role": "model", "parts": None}])
def test_a_content_without_parts_is_told_in_googles_words(content):
    error = refusal({"contents": [*HELLO, content]})
    assert error.message == "* GenerateContentRequest.contents[1].parts: contents.parts must not be empty."


@pytest.mark.parametrize("part", [{}, {"thought": True}, {"thoughtSignature": "YQ=="}, {"text": None}])
def test_a_part_without_data_is_told_in_googles_words(part):
    message, fields = part_refusal(part)
    assert message == (
        "* GenerateContentRequest.contents[0].parts[1].data: "
        "required oneof field 'data' must have one initialized field"
    )
    assert fields == ["contents[0].parts[1].data"]


@pytest.mark.parametrize("spelling", ["inlineData", "inline_data"])
def test_two_data_members_in_one_part_are_refused(spelling):
    error = refusal({"contents": [{"parts": [{"text": "a", spelling: {"data": ""}}]}]})
    assert error.message == (
        "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. "
        "Cannot set 'inlineData'"
    )


DATA = {
    "executable_code": {"language": "PYTHON", "code": "1"},
    "code_execution_result": {"outcome": "OUTCOME_OK"},
    "tool_call": {"id": "1", "toolType": "URL_CONTEXT"},
    "tool_response": {"id": "1", "toolType": "URL_CONTEXT"},
}


@pytest.mark.parametrize("member", DATA)
def test_code_and_tools_of_the_server_are_refused_by_their_path(member):
    message, fields = part_refusal({member: DATA[member]})
    assert fields == [f"contents[0].parts[1].{member}"]
    assert message.startswith(f"* GenerateContentRequest.contents[0].parts[1].{member}: ")
    assert "not supported" in message or "are not" in message


@pytest.mark.parametrize("member", ["mediaProcessing", "audioTranscription", "speechMetadata"])
def test_annotations_that_choose_how_media_are_processed_are_refused_by_their_path(member):
    message, fields = part_refusal({"text": "a", member: {"fps": 1}})
    assert len(fields) == 1
    assert "cannot be chosen" in message


# System instruction.


@pytest.mark.parametrize("role", [{}, {"role": "user"}, {"role": "system"}, {"role": "anything"}])
def test_a_system_instruction_may_have_any_role(role):
    said = role | {"parts": [{"text": "be brief"}, {"text": "be kind"}]}
    assert read({"systemInstruction": said}).request.system == (Text("be brief"), Text("be kind"))


def test_a_system_instruction_may_be_one_bare_part_in_snake_case():
    assert read({"system_instruction": {"parts": {"text": "a"}}}).request.system == (Text("a"),)


@pytest.mark.parametrize("said", [None, {}, {"parts": []}])
def test_an_empty_system_instruction_is_none(said):
    assert read({"systemInstruction": said}).request.system == ()


def test_media_in_a_system_instruction_is_refused_by_its_path():
    error = refusal({"systemInstruction": {"parts": [{"inlineData": {}}]}})
    assert error.violations[0].field == "system_instruction.parts[0].inline_data"


# Settings.


def test_all_settings_arrive():
    request = configured(
        temperature=0.5, topP=0.9, topK=40.0, seed=-7, presencePenalty=-2, frequencyPenalty=1.5,
        candidateCount=8, maxOutputTokens=100, stopSequences=["a", "b"], responseLogprobs=True, logprobs=0,
    )  # fmt: skip
    assert request == GenerateRequest(
        model=MODEL,
        turns=(Turn("user", (Text("hello"),)),),
        sampling=Sampling(
            temperature=0.5, top_p=0.9, top_k=40, seed=-7, presence_penalty=-2, frequency_penalty=1.5
        ),
        candidates=8,
        tokens_max=100,
        stop=("a", "b"),
        logprobs=True,
        thinking=Thinking(level="minimal"),
    )


@pytest.mark.parametrize(
    ("name", "low", "high", "below", "above", "bounds"),
    [
        ("temperature", 0, 2, -0.1, 2.1, "0 (inclusive) to 2 (inclusive)"),
        ("topP", 0, 1, -0.5, 1.5, "0 (inclusive) to 1 (inclusive)"),
        ("topK", 1, 2**31 - 1, 0, None, "1 (inclusive) to 2147483648 (exclusive)"),
        ("candidateCount", 1, 8, 0, 9, "1 (inclusive) to 9 (exclusive)"),
        ("maxOutputTokens", 1, 2**31 - 1, -5, None, "1 (inclusive) to 65537 (exclusive)"),
        ("presencePenalty", -2, 1.9, -2.5, 2, "-2 (inclusive) to 2 (exclusive)"),
        ("frequencyPenalty", -2, 1.9, -2.5, 2, "-2 (inclusive) to 2 (exclusive)"),
    ],
)
def test_numbers_have_bounds_told_in_googles_words(name, low, high, below, above, bounds):
    configured(**{name: low})
    configured(**{name: high})
    for value in (below, above):
        if value is not None:
            message, fields = config_refusal(**{name: value})
            assert message == (
                f"Unable to submit request because it has a {name} value of {value} but the supported range "
                f"is from {bounds}. Update the value and try again."
            )
            assert len(fields) == 1


def test_logprobs_beyond_twenty_are_out_of_range():
    message, fields = config_refusal(responseLogprobs=True, logprobs=21)
    assert "logprobs value of 21 but the supported range is from 0 (inclusive) to 21 (exclusive)" in message
    assert fields == ["generation_config.logprobs"]


def test_alternatives_to_free_text_are_named_as_a_downgrade():
    asked = read({"generationConfig": {"responseLogprobs": True, "logprobs": 3}})
    assert asked.downgrades == ("generation_config.logprobs=chosen-token-only",)
    assert asked.telling.alternatives == 3
    assert read({"generationConfig": {"responseLogprobs": True, "logprobs": 0}}).downgrades == ()


def test_logprobs_need_response_logprobs():
    message, fields = config_refusal(logprobs=0)
    assert message == (
        "* GenerateContentRequest.generation_config.logprobs: logprobs needs response_logprobs to be true."
    )
    assert fields == ["generation_config.logprobs"]


def test_stop_sequences_are_at_most_five_and_never_empty():
    assert configured(stopSequences=list("abcde")).stop == tuple("abcde")
    message, fields = config_refusal(stopSequences=["a", "", *"bcde"])
    assert fields == ["generation_config.stop_sequences", "generation_config.stop_sequences[1]"]
    assert "at most 5 stop sequences are allowed, got 6." in message


@pytest.mark.parametrize("mime_type", ["", "text/plain", None])
def test_plain_text_is_answered(mime_type):
    configured(responseMimeType=mime_type, responseModalities=["TEXT"])


@pytest.mark.parametrize("mime_type", ["application/xml", "application/yaml"])
def test_other_forms_are_refused_as_not_supported(mime_type):
    message, fields = config_refusal(responseMimeType=mime_type)
    assert fields == ["generation_config.response_mime_type"]
    assert message.endswith("only JSON and enums can be answered in a form.")


def test_an_unknown_mime_type_is_told_the_known_ones():
    message, _ = config_refusal(responseMimeType="text/html")
    assert "allowed mimetypes are `text/plain`, `application/json`" in message


def test_strict_refuses_what_the_live_service_refuses():
    assert config_refusal(strict=True, candidateCount=2) == (
        "Multiple candidates is not enabled for this model",
        ["generation_config.candidate_count"],
    )
    assert config_refusal(strict=True, presencePenalty=0.5, frequencyPenalty=0.5) == (
        "Penalty is not enabled for this model",
        ["generation_config.presence_penalty", "generation_config.frequency_penalty"],
    )
    assert config_refusal(strict=True, responseLogprobs=True) == (
        f"Logprobs is not enabled for models/{MODEL}",
        ["generation_config.response_logprobs"],
    )


def test_strict_takes_what_asks_for_nothing():
    configured(strict=True, candidateCount=1, presencePenalty=0, frequencyPenalty=0, responseLogprobs=False)


def test_all_mistakes_are_told_at_once():
    error = refusal({"contents": [{"role": "x"}], "continuationToken": "c", "generationConfig": {"topK": 0}})
    assert [violation.field for violation in error.violations] == [
        "contents[0].role",
        "contents[0].parts",
        "generation_config.top_k",
        "continuation_token",
    ]
    assert error.message == "\n".join(violation.description for violation in error.violations)


def test_the_answer_to_a_request_of_many_mistakes_stays_small():
    assert len(refusal({"contents": [{}] * 1000}).violations) == 50


# The rest of the request.


@pytest.mark.parametrize("said", [MODEL, f"models/{MODEL}", "", None])
def test_a_model_in_the_body_must_agree(said):
    assert read({"model": said}).request.model == MODEL


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("models/other", f"the body names models/other but the path names models/{MODEL}."),
        ("projects/x/other", "unexpected model name format"),
        ("x" * 999, f"the body names {'x' * 100}… but the path names models/{MODEL}."),
    ],
)
def test_another_model_in_the_body_is_refused(said, complaint):
    assert refusal({"model": said}).message == f"* GenerateContentRequest.model: {complaint}"


@pytest.mark.parametrize(
    "document",
    [
        {"tools": []},
        {"tools": [{}]},
        {"tools": {}},
        {"tools": [{"functionDeclarations": []}]},
        {"toolConfig": {}},
        {"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": []}}},
        {
            "toolConfig": {
                "functionCallingConfig": {"mode": "none"},
                "retrievalConfig": {"languageCode": "en"},
            }
        },
        {"generationConfig": {}},
        {"safetySettings": []},
        {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT"}]},
        {"safetySettings": [{"category": 8, "threshold": "OFF"}]},
        {"safetySettings": {"category": "HARM_CATEGORY_JAILBREAK", "threshold": "BLOCK_NONE"}},
        {"cachedContent": ""},
        {"continuationToken": ""},
        {"labels": {"team": "a"}},
        {"store": False},
        {"serviceTier": "standard"},
        {"service_tier": "UNSPECIFIED"},
        {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "enableEnhancedCivicAnswers": True}},
        {
            "generationConfig": {
                "audioTranscriptionConfig": {},
                "translationConfig": {},
                "audioTimestamp": True,
            }
        },
        {"generationConfig": {"responseModalities": [], "enableAffectiveDialog": False}},
    ],
)
def test_what_cannot_matter_is_accepted_without_a_word(document):
    assert read(document).downgrades == ()


@pytest.mark.parametrize("threshold", ["BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH"])
def test_a_blocking_threshold_is_named_as_a_downgrade(threshold):
    setting = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": threshold}
    assert read({"safetySettings": [setting, setting]}).downgrades == ("safety_settings=not-enforced",)


@pytest.mark.parametrize(
    ("said", "tier"),
    [("flex", "flex"), ("FLEX", "flex"), (2, "flex"), ("priority", "priority"), ("standard", "standard"),
     ("unspecified", "standard"), (None, "standard")],
)  # fmt: skip
def test_a_tier_is_asked_for_and_told(said, tier):
    asked = read({"serviceTier": said})
    assert (asked.request.tier, asked.telling.tier, asked.downgrades) == (tier, tier, ())


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({f"k{i}": "v" for i in range(65)}, "at most 64 labels are allowed, got 65."),
        ({"": "v"}, "a label's name has 1 to 63 characters"),
        ({"k" * 64: "v"}, "a label's name has 1 to 63 characters"),
        ({"k": "v" * 64}, "a label's value has at most 63 characters."),
    ],
)
def test_labels_have_bounds(labels, words):
    assert words in refusal({"labels": labels}).message
    assert read({"labels": {"Any Key!": "", "k" * 63: "v" * 63}}).downgrades == ()


def test_labels_are_texts():
    assert refusal({"labels": {"k": {"a": 1}}}).violations[0].field == "labels.k"


@pytest.mark.parametrize("category", ["HARM_CATEGORY_TOXICITY", "HARM_CATEGORY_UNSPECIFIED", 1, None])
def test_categories_of_the_palm_era_are_refused(category):
    error = refusal({"safetySettings": [{"category": category, "threshold": "OFF"}]})
    assert error.message.startswith("* GenerateContentRequest.safety_settings[0]: element predicate failed: ")


def test_unknown_thresholds_are_refused():
    error = refusal({"safetySettings": [{"category": 7, "threshold": "BLOCK_EVERYTHING"}]})
    assert error.violations[0].field == "safety_settings[0].threshold"


TOOLS = (
    "google_search", "google_search_retrieval", "code_execution", "url_context", "file_search", "google_maps",
    "computer_use", "retrieval", "enterprise_web_search", "parallel_ai_search", "exa_ai_search",
)  # fmt: skip

REFUSED: dict[str, Any] = {
    "continuation_token": "AAAA",
    "model_armor_config": {"promptTemplateName": "x"},
    "generation_config.response_mime_type": "application/yaml",
    "generation_config.response_format": [{}],
    "generation_config.response_modalities": ["TEXT", "IMAGE"],
    "generation_config.speech_config": {},
    "generation_config.image_config": {"aspectRatio": "1:1"},
    "generation_config.routing_config": {"autoMode": {}},
    "generation_config.model_selection_config": {"x": 1},
    "tools[].mcp_servers": [{"name": "x"}],
} | {f"tools[].{name}": {} for name in TOOLS} | {
    f"contents[].parts[].{name}": {"mimeType": "image/png"} if name == "inline_data" else {}
    for name in DATA
} | {
    "contents[].parts[].media_processing": {"a": 1},
    "contents[].parts[].audio_transcription": {"a": 1},
    "contents[].parts[].speech_metadata": {"a": 1},
}  # fmt: skip


def at(path: str, value: Any) -> Any:
    for name in reversed(path.split(".")):
        value = {name.removesuffix("[]"): [value] if name.endswith("[]") else value}
    return value


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.path)
def test_every_row_of_the_table_refuses_by_path_and_reason(row):
    document = at(row.path, REFUSED[row.path])
    if row.path.startswith("contents") and row.path.rpartition(".")[2] not in DATA:
        document["contents"][0]["parts"][0]["text"] = "an annotation needs something to annotate"
    error = refusal(document)
    path = row.path.replace("[]", "[0]")
    assert [violation.field for violation in error.violations] == [path]
    assert error.message == f"* GenerateContentRequest.{path}: {row.reason}"


def test_the_table_names_each_field_once_and_every_refused_field_is_tested():
    assert len({row.path for row in REFUSALS}) == len(REFUSALS)
    assert {row.path for row in REFUSALS} == set(REFUSED)


TOP = (
    *("contents", "generationConfig", "tools", "safetySettings", "systemInstruction", "toolConfig", "model"),
    "generateContentRequest",
)
WORDS = st.sampled_from(
    (
        *TOP,
        *("parts", "text", "role", "user", "top_k", "topK", "temperature", "inlineData", "data", "category"),
        *(
            "thinkingConfig",
            "stopSequences",
            "thought",
            "MINIMAL",
            "candidateCount",
            "responseMimeType",
            "seed",
        ),
    )
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | WORDS
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    document=st.fixed_dictionaries({}, optional=dict.fromkeys(TOP, DOCUMENTS)),
    place=st.integers(0, 10_000),
    byte=st.integers(0, 255),
    strict=st.booleans(),
)
def test_whatever_is_sent_only_invalid_argument_comes_out(document, place, byte, strict):
    whole = json.dumps(document).encode()
    place %= len(whole)
    broken = whole[:place] + bytes([byte]) + whole[place + 1 :]
    for body in (whole, broken):
        for read_request in (generate.read_request, count.read_request):
            with contextlib.suppress(InvalidArgument):
                assert read_request(body, MODEL, Reading(strict=strict)).request.turns
