"""Embeddings, files and batches after OpenAI's public API reference, field by field: each file is one pair.

Folders of ``pairs`` are kinds of them; a pair has what is asked or kept, and how it is read, told or refused.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from geminid.core import errors as problems
from geminid.core.batch import Job, NewJob
from geminid.core.embed import Embedding, EmbedInput, EmbedRequest
from geminid.core.errors import Problem, UnknownModel
from geminid.core.file import File
from geminid.core.usage import Usage
from geminid.wire.lines import Line
from geminid.wire.openai import batches, embeddings, errors, files
from geminid.wire.openai.batch_inspection import inspect
from geminid.wire.openai.batch_lines import FORMATS
from geminid.wire.openai.surfaces import SURFACES, Surface

PAIRS = Path(__file__).parent / "pairs"
KINDS = ("embeddings", "files", "batches", "lines")
CHAT = FORMATS.answers["/v1/chat/completions@/v1"]


def pairs(kind: str, *keys: str) -> list[Any]:
    found = ((path.stem, json.loads(path.read_bytes())) for path in sorted((PAIRS / kind).glob("*.json")))
    return [pytest.param(pair, id=name) for name, pair in found if all(key in pair for key in keys)]


def surface_of(pair: dict[str, Any]) -> Surface:
    return next(each for each in SURFACES if each.prefix == pair["surface"])


def said(value: msgspec.Struct, base: msgspec.Struct) -> dict[str, Any]:
    """What of a value is not as in another of its kind."""
    defaults = msgspec.to_builtins(base)
    return {name: part for name, part in msgspec.to_builtins(value).items() if part != defaults[name]}


def refused(pair: dict[str, Any], read: Any) -> None:
    with pytest.raises(Problem) as caught:
        read()
    status, body = errors.write_error(caught.value)
    assert (status, json.loads(body)) == (pair["status"], {"error": pair["error"]})


# -- embeddings ----------------------------------------------------------------------------------------


def vectors_of(pair: dict[str, Any]) -> list[Embedding]:
    return [Embedding(struct.pack(f"<{len(each)}f", *each), 1) for each in pair["vectors"]]


@pytest.mark.parametrize("pair", pairs("embeddings", "core"))
def test_a_request_for_vectors_means_what_the_reference_says(pair):
    read = embeddings.read_embeddings(json.dumps(pair["request"]).encode())
    core = said(read.request, EmbedRequest(model="", inputs=()))
    core["inputs"] = [said(each, EmbedInput(text="")) for each in read.request.inputs]
    assert (core, read.encoding) == (pair["core"], pair["encoding"])


@pytest.mark.parametrize("pair", pairs("embeddings", "response"))
def test_vectors_have_the_fields_of_the_reference(pair):
    usage = Usage(prompt=pair["tokens"])
    model = pair["request"]["model"]
    for one_line in (False, True):
        body = embeddings.write_embeddings(
            vectors_of(pair), model, usage, pair["encoding"], one_line=one_line
        )
        assert json.loads(body) == pair["response"]
        assert (b"\n" in body) is not one_line


@pytest.mark.parametrize("pair", pairs("embeddings", "error"))
def test_a_mistake_about_vectors_is_told_as_openai_tells_it(pair):
    refused(pair, lambda: embeddings.read_embeddings(json.dumps(pair["request"]).encode()))


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", pairs("files", "described"))
def test_what_is_said_of_a_new_file_is_read_as_the_reference_says(pair):
    assert list(files.read_description(pair["fields"])) == pair["described"]


@pytest.mark.parametrize("pair", pairs("files", "listing"))
def test_a_list_of_files_is_asked_for_as_the_reference_says(pair):
    assert json.loads(msgspec.json.encode(files.read_list(pair["query"])._asdict())) == pair["listing"]


@pytest.mark.parametrize("pair", pairs("files", "error"))
def test_a_mistake_about_files_is_told_as_openai_tells_it(pair):
    if "query" in pair:
        refused(pair, lambda: files.read_list(pair["query"]))
    else:
        refused(pair, lambda: files.read_description(pair["fields"]))


@pytest.mark.parametrize("pair", pairs("files", "response"))
def test_files_have_the_fields_of_the_reference(pair):
    surface = surface_of(pair)
    if "file" in pair:
        body = files.write_file(msgspec.convert(pair["file"], File), surface)
    elif "deleted" in pair:
        body = files.write_deleted(pair["deleted"], surface)
    else:
        body = files.write_list(msgspec.convert(pair["files"], list[File]), pair["more"], surface)
    assert json.loads(body) == pair["response"]


# -- batches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", pairs("batches", "new"))
def test_a_batch_is_asked_for_as_the_reference_says(pair):
    new = batches.read_create(json.dumps(pair["request"]).encode(), surface_of(pair))
    assert new == msgspec.convert(pair["new"], NewJob)


@pytest.mark.parametrize("pair", pairs("batches", "error"))
def test_a_mistake_about_batches_is_told_as_openai_tells_it(pair):
    refused(pair, lambda: batches.read_create(json.dumps(pair["request"]).encode(), surface_of(pair)))


@pytest.mark.parametrize("pair", pairs("batches", "response"))
def test_batches_have_the_fields_of_the_reference(pair):
    surface = surface_of(pair)
    if "job" in pair:
        body = batches.write_batch(msgspec.convert(pair["job"], Job), surface)
    else:
        body = batches.write_list(msgspec.convert(pair["jobs"], list[Job]), pair["more"], surface)
    assert json.loads(body) == pair["response"]


# -- lines ---------------------------------------------------------------------------------------------


def known(model: str) -> None:
    if model.startswith("nonexistent"):
        raise UnknownModel(model)


@pytest.mark.parametrize("pair", pairs("lines", "lines"))
def test_the_lines_of_a_file_are_judged_as_openai_judges_them(pair):
    spelled = [each if isinstance(each, str) else json.dumps(each) for each in pair["lines"]]
    found = inspect(pair["endpoint"], [(each.encode(), len(each)) for each in spelled], known)
    told = [msgspec.to_builtins(fault) for fault in found.faults]
    assert (found.model, told) == (pair["model"], pair["faults"])


def problem_of(given: dict[str, Any]) -> Problem:
    rest = {name: value for name, value in given.items() if name != "kind"}
    return getattr(problems, given["kind"])(**rest)


@pytest.mark.parametrize("pair", pairs("lines", "result"))
def test_results_of_lines_have_the_fields_of_the_reference(pair):
    line = Line(key=json.dumps(pair["custom_id"]).encode())
    if "problem" in pair:
        written = CHAT.failure(line, problem_of(pair["problem"]), pair["name"])
    else:
        body = json.dumps(pair["body"]).encode()
        written = CHAT.result(line, body, pair["name"])
        assert CHAT.body_of(written) == body
    assert json.loads(written) == pair["result"]
    assert written.endswith(b"\n")


def test_there_are_enough_pairs_and_each_is_of_use():
    found = [pair for kind in KINDS for pair in pairs(kind)]
    assert len(found) >= 85
    keys = ("core", "described", "listing", "new", "response", "error", "lines", "result")
    assert all(any(key in pair.values[0] for key in keys) for pair in found)
