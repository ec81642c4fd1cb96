"""Batches on the wire: what is read of a new job and of a change, and operations byte for byte."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminid.core.batch import Job, Outlook, Place, Webhook
from geminid.core.errors import InvalidArgument
from geminid.wire.gemini import batch_requests, batches

REQUEST = {"contents": [{"parts": [{"text": "hello"}]}]}
JOB = Job(
    id="k3m9",
    project="default",
    model="gemini-3.1-flash-lite",
    kind="generate",
    display_name="nightly",
    priority=-5,
    state="succeeded",
    file_id="abc-123",
    lines=3,
    succeeded=2,
    failed=1,
    created_ms=1_790_000_000_123,
    updated_ms=1_790_000_002_000,
    ended_ms=1_790_000_002_500,
    deadline_ms=1_790_172_800_123,
    output_id="batch-k3m9",
    output=True,
)
WRITTEN = b"""\
{
  "name": "batches/k3m9",
  "metadata": {
    "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
    "model": "models/gemini-3.1-flash-lite",
    "displayName": "nightly",
    "inputConfig": {
      "fileName": "files/abc-123"
    },
    "output": {
      "responsesFile": "files/batch-k3m9"
    },
    "createTime": "2026-09-21T14:13:20.123Z",
    "endTime": "2026-09-21T14:13:22.500Z",
    "updateTime": "2026-09-21T14:13:22Z",
    "batchStats": {
      "requestCount": "3",
      "successfulRequestCount": "2",
      "failedRequestCount": "1",
      "pendingRequestCount": "0"
    },
    "state": "BATCH_STATE_SUCCEEDED",
    "priority": "-5",
    "name": "batches/k3m9"
  },
  "done": true,
  "response": {
    "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatchOutput",
    "responsesFile": "files/batch-k3m9"
  }
}
"""


def changed(**fields: object) -> Job:
    return msgspec.structs.replace(JOB, **fields)


def body(**batch: object) -> bytes:
    return json.dumps({"batch": batch}).encode()


def inlined(*requests: object) -> dict[str, object]:
    return {"requests": {"requests": list(requests)}}


def create(said: bytes, kind: str = "generate"):
    return batch_requests.read_create(said, "m", kind)


def joined(job: Job, lines: list[bytes]) -> bytes:
    """An operation with its results, as it is sent."""
    pieces = batches.write_pieces(job)
    sent = b""
    for place, part in enumerate(pieces.parts[:-1]):
        sent += part
        for number, line in enumerate(lines):
            sent += pieces.result(place, line, first=number == 0)
        sent += pieces.end(place, empty=not lines)
    return sent + pieces.parts[-1]


# -- what is written -----------------------------------------------------------------------------------


def test_an_operation_is_written_byte_for_byte():
    assert batches.write_operation(JOB) == WRITTEN


def test_what_runs_is_not_done_and_has_no_output():
    job = changed(state="running", ended_ms=None, output=False, output_id="", succeeded=1, failed=0)
    said = json.loads(batches.write_operation(job))
    assert said.keys() == {"name", "metadata"}
    assert said["metadata"]["state"] == "BATCH_STATE_RUNNING"
    assert "output" not in said["metadata"]
    assert "endTime" not in said["metadata"]
    assert said["metadata"]["batchStats"]["pendingRequestCount"] == "2"


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("cancelled", 1, "The operation was cancelled."),
        ("expired", 4, "The batch expired before all of its requests were processed."),
        ("failed", 13, "The batch failed."),
    ],
)
def test_a_job_that_ended_otherwise_has_an_error_and_keeps_its_output(state, code, words):
    said = json.loads(batches.write_operation(changed(state=state)))
    assert said["error"] == {"code": code, "message": words}
    assert said["done"] is True
    assert "response" not in said
    assert said["metadata"]["output"] == {"responsesFile": "files/batch-k3m9"}


def test_a_job_that_failed_says_why():
    said = json.loads(
        batches.write_operation(changed(state="failed", fault_code="INVALID_ARGUMENT", fault="no line"))
    )
    assert said["error"] == {"code": 3, "message": "no line"}


def test_embeddings_have_types_of_their_own():
    said = json.loads(batches.write_operation(changed(kind="embed")))
    assert said["metadata"]["@type"].endswith(".v1main.EmbedContentBatch")
    assert said["response"]["@type"].endswith(".v1main.EmbedContentBatchOutput")


def test_a_change_is_answered_by_the_batch_itself():
    said = json.loads(batches.write_batch(changed(display_name="", state="pending", ended_ms=None)))
    assert said["name"] == "batches/k3m9"
    assert "@type" not in said
    assert "displayName" not in said


def test_a_webhook_is_told_as_it_was_given():
    webhook = Webhook(uris=("https://a.example/x",), metadata={"snake_case": [1]})
    said = json.loads(batches.write_operation(changed(webhook=webhook)))
    assert said["metadata"]["webhookConfig"] == {
        "uris": ["https://a.example/x"],
        "userMetadata": {"snake_case": [1]},
    }


JSON = st.recursive(
    st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.lists(JSON, max_size=4), st.text(), st.sampled_from(["succeeded", "cancelled"]))
def test_inline_results_stand_in_both_places_as_in_one_document(results, name, state):
    job = changed(file_id="", output_id="", display_name=name, state=state)
    written = joined(job, [json.dumps({"response": each}).encode() for each in results])
    assert written == msgspec.json.format(written, indent=2) + b"\n"
    said = json.loads(written)
    told = {"inlinedResponses": {"inlinedResponses": [{"response": each} for each in results]}}
    assert said["metadata"]["output"] == told
    if state == "succeeded":
        assert {k: v for k, v in said["response"].items() if k != "@type"} == told


def test_a_name_cannot_be_taken_for_results():
    written = joined(
        changed(file_id="", output_id="", display_name='"inlinedResponses": []'), [b'{"response":{}}']
    )
    assert json.loads(written)["metadata"]["displayName"] == '"inlinedResponses": []'


def test_only_ended_jobs_of_a_body_have_inline_results():
    assert batches.inline(changed(file_id=""))
    assert not batches.inline(JOB)
    assert not batches.inline(changed(file_id="", output=False))
    assert not batches.inline(changed(file_id="", state="running"))


def test_a_list_has_no_inline_results_and_a_token_for_what_follows():
    page = json.loads(batches.write_list([JOB, changed(file_id="", output_id="")], Place(5, "k3m9")))
    first, second = page["operations"]
    assert first == json.loads(WRITTEN)
    assert "output" not in second["metadata"]
    assert second["response"].keys() == {"@type"}
    assert batch_requests.read_page(None, page["nextPageToken"]) == (50, Place(5, "k3m9"))
    assert batches.write_list([], None) == b"{}\n"


def test_what_lies_before_a_job_is_told_in_headers():
    job = changed(note="waits for €")
    assert dict(batches.outlook_headers(job, Outlook(position=2, eta_ms=1_001))) == {
        "x-geminid-batch-deadline": "2026-09-23T14:13:20.123Z",
        "x-geminid-batch-position": "2",
        "x-geminid-batch-eta-s": "2",
        "x-geminid-batch-note": "waits for ?",
    }
    assert [name for name, _ in batches.outlook_headers(JOB, Outlook())] == [
        "x-geminid-batch-deadline",
        "x-geminid-batch-position",
    ]
    assert [name for name, _ in batches.outlook_headers(JOB, None)] == ["x-geminid-batch-deadline"]


# -- what is read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"displayName": "d", "priority": "7", "inputConfig": {"fileName": "files/abc"}},
        {"display_name": "d", "priority": 7, "input_config": {"file_name": "files/abc"}, "model": "models/m"},
        {
            "displayName": "d",
            "priority": 7.0,
            "inputConfig": {"fileName": "https://host/v1beta/files/abc"},
            "state": "BATCH_STATE_UNSPECIFIED",
        },
    ],
)
def test_a_job_over_a_file_in_every_spelling(said):
    new = create(body(**said))
    assert (new.display_name, new.priority, new.file_id, new.lines) == ("d", 7, "abc", None)


@pytest.mark.parametrize("kind", ["generate", "embed"])
@pytest.mark.parametrize("names", [("inputConfig",), ("input_config",)])
def test_requests_of_a_body_become_lines(kind, names):
    request = REQUEST if kind == "generate" else {"content": REQUEST["contents"][0], "taskType": "CLUSTERING"}
    said = {names[0]: inlined({"request": request, "metadata": {"key": "k1"}}, {"request": request})}
    new = create(body(**said), kind)
    assert [json.loads(line) for line in new.lines] == [
        {"request": request, "metadata": {"key": "k1"}},
        {"request": request},
    ]
    assert (new.kind, new.file_id) == (kind, "")


@given(
    st.lists(
        st.tuples(
            st.text(), st.none() | st.dictionaries(st.text(), st.text() | st.integers()), st.booleans()
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["generate", "embed"]),
)
def test_a_well_spelled_body_reads_like_any_other(items, kind):
    def item(text, metadata, snake):
        content = {"parts": [{"text": text}]}
        request = {"contents": [content]} if kind == "generate" else {"content": content}
        if snake:
            config = ("generation_config", {}) if kind == "generate" else ("task_type", "CLUSTERING")
            request |= dict([config])
        return {"request": request, "metadata": metadata}

    requests = [item(*each) for each in items]
    well = create(body(displayName="d", inputConfig=inlined(*requests)), kind)
    oddly = create(body(display_name="d", input_config=inlined(*requests)), kind)
    assert [json.loads(line) for line in well.lines] == [json.loads(line) for line in oddly.lines]
    assert [json.loads(line).get("metadata") for line in well.lines] == [each[1] for each in items]
    assert well.display_name == oddly.display_name == "d"


@pytest.mark.parametrize(
    "item",
    [
        b'{"request":{"contents":[{"parts":[{"text":"\xff"}]}]}}',
        b'{"request":{"contents":[]},"metadata":{"key":"\xff"}}',
        b'{"request":{"contents":[]},"metadata":{"a":' + b"[" * 200 + b"]" * 200 + b"}}",
        b'{"request":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
def test_what_no_reader_takes_is_refused_in_a_body_too(item):
    with pytest.raises(InvalidArgument):
        create(b'{"batch":{"inputConfig":{"requests":{"requests":[' + item + b"]}}}}")


def test_a_body_is_read_forgivingly():
    new = create(b"{'batch': {'inputConfig': {'requests': {'requests': {'request': {'contents': {},},},}}}}")
    assert new.lines == (b'{"request":{"contents":{}}}\n',)


def test_a_webhook_is_read():
    new = create(
        body(
            inputConfig={"fileName": "files/abc"},
            webhookConfig={"uris": ["https://a/x", "http://b"], "userMetadata": {"order_id": 7}},
        )
    )
    assert new.webhook.uris == ("https://a/x", "http://b")
    assert new.webhook.metadata == {"order_id": 7}


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({}, "batch.input_config"),
        ({"inputConfig": {}}, "batch.input_config"),
        ({"inputConfig": inlined()}, "batch.input_config"),
        ({"inputConfig": {"fileName": "x/y"}}, "batch.input_config.file_name"),
        ({"inputConfig": {"fileName": "files/"}}, "batch.input_config.file_name"),
        ({"inputConfig": {"fileName": "files/abc", **inlined({"request": {}})}}, "batch.input_config"),
        (
            {"inputConfig": inlined({"request": REQUEST}, {"request": {"nonsense": 1}})},
            "batch.input_config.requests.requests[1].request",
        ),
        (
            {"inputConfig": inlined({"request": {"generationConfig": {"topK": "x"}}})},
            "batch.input_config.requests.requests[0].request.generation_config.top_k",
        ),
        ({"inputConfig": inlined({"metadata": {}})}, "batch.input_config.requests.requests[0].request"),
        (
            {"inputConfig": inlined({"request": {}, "metadata": "k"})},
            "batch.input_config.requests.requests[0].metadata",
        ),
        ({"inputConfig": inlined({"request": {}, "key": "k"})}, "batch.input_config.requests.requests[0]"),
        ({"inputConfig": {"fileName": "files/a"}, "model": "models/other"}, "batch.model"),
        ({"inputConfig": {"fileName": "files/a"}, "displayName": "x" * 513}, "batch.display_name"),
        ({"inputConfig": {"fileName": "files/a"}, "priority": "high"}, "batch.priority"),
        (
            {"inputConfig": {"fileName": "files/a"}, "webhookConfig": {"uris": ["https://a", "ftp://x"]}},
            "batch.webhook_config.uris[1]",
        ),
        (
            {"inputConfig": {"fileName": "files/a"}, "webhookConfig": {"uris": ["https://a"] * 11}},
            "batch.webhook_config.uris",
        ),
        (
            {"inputConfig": {"fileName": "files/a"}, "webhookConfig": {"userMetadata": []}},
            "batch.webhook_config.user_metadata",
        ),
    ],
)
def test_what_is_wrong_with_a_job_is_said_with_its_path(said, path):
    with pytest.raises(InvalidArgument) as caught:
        create(body(**said))
    assert [violation.field for violation in caught.value.violations] == [path]


@pytest.mark.parametrize(
    ("said", "mask", "expected"),
    [
        ({"displayName": "x"}, None, ("x", None)),
        ({"priority": "-3"}, None, (None, -3)),
        ({"displayName": "x", "priority": 2}, "priority", (None, 2)),
        ({"displayName": "x", "priority": 2}, "displayName", ("x", None)),
        ({"displayName": "x"}, "display_name,priority", ("x", 0)),
        ({}, "displayName", ("", None)),
    ],
)
def test_a_change_is_what_the_mask_names(said, mask, expected):
    assert batch_requests.read_update(json.dumps(said).encode(), mask, "generate") == expected


def test_nothing_else_can_be_changed():
    with pytest.raises(InvalidArgument, match="model cannot be changed"):
        batch_requests.read_update(b'{"model":"models/x"}', "model,priority", "generate")


@pytest.mark.parametrize(
    ("size", "token"), [("x", None), ("-1", None), (None, "nonsense"), (None, "YWZ0ZXI6NQ")]
)
def test_a_page_that_cannot_be(size, token):
    with pytest.raises(InvalidArgument):
        batch_requests.read_page(size, token)


def test_pages_have_a_size_and_a_bound():
    assert batch_requests.read_page(None, None) == (50, None)
    assert batch_requests.read_page("0", "") == (50, None)
    assert batch_requests.read_page("5000", None) == (1000, None)
