"""Texts into vectors: geminid over HTTP, its embedder alone, and sentence-transformers on PyTorch.

All arms have the default model, the same texts and the same cores. Rounds: in each, every arm gets the same
fresh texts of mixed lengths, one arm after the other and in turning order. geminid gets them as clients send
them, in requests of a hundred, several at once; sentence-transformers in one list, with its own batching.
The Python that has it is named by ``SENTENCE_TRANSFORMERS_PYTHON``; without it that arm is left out.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.arms import serving
from benchmarks.child import Child, usage
from benchmarks.figures import Figure, Goal, Outcome, Table, figure, percentile
from benchmarks.rounds import rounds, turned
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.card import EmbeddingCard
from geminid.core.embed import EmbedInput, EmbedRequest
from geminid.engines.openvino.embedder import EmbedderConfig, OpenVinoEmbedder

sys.path.insert(0, str(machine.ROOT / "tests"))

from made.embedding_reference import cosines
from made.embedding_texts import ODD, embedding_texts

HTTP, EMBEDDER, REFERENCE = "geminid, HTTP", "geminid, embedder", "sentence-transformers"
EXACT = f"{REFERENCE}, float32"
"""What the others' vectors are compared with."""
TEXTS_PER_REQUEST = 100
"""As many as Google takes in one batchEmbedContents."""
CONNECTIONS = 4
SHORT = "How do I reset my password?"
GIB = 1024**3

Vectors = NDArray[np.float32]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. batches, kinds: sizes and numbers for sentence-transformers. singles: short
    texts, one by one."""

    rounds: int = 3
    seconds_max: float = 300.0
    texts: int = 1_000
    batches: tuple[int, ...] = (32, 64)
    kinds: tuple[str, ...] = ("float32", "bfloat16")
    singles: int = 50


QUICK = Plan(rounds=1, texts=200, batches=(32,), singles=5)


class Run(msgspec.Struct, kw_only=True):
    """What one arm did in a round. cosine_min: with the reference of the same round, NaN without one."""

    round: int
    arm: str
    texts: int
    seconds: float
    texts_per_s: float
    cpu_s: float
    cosine_min: float
    single_ms_p50: float


class Embedded(msgspec.Struct):
    """What an arm hands over. seconds: from the first request to the last vector."""

    seconds: float
    vectors: Vectors


class Arm(Protocol):
    """Something that embeds. ``pid`` is the root of its process tree."""

    name: str
    pid: int

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return a row for each text."""


class EmbedderArm:
    """The embedder and its process, without server, JSON and meter."""

    name = EMBEDDER

    def __init__(self, card: EmbeddingCard, folder: Path) -> None:
        self._card = card
        self._loop = asyncio.new_event_loop()
        self._embedder = OpenVinoEmbedder(EmbedderConfig(memory_bytes_max=4 * GIB), lambda card: folder)
        self._loop.run_until_complete(self._ready())
        self.pid = self._embedder.states()[0].pid

    async def _ready(self) -> None:
        await self._embedder.ready(self._card)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """See :class:`Arm`."""
        began_s = time.perf_counter()
        values = self._loop.run_until_complete(self._values(texts))
        seconds = time.perf_counter() - began_s
        return Embedded(seconds, np.stack([np.frombuffer(each, "<f4") for each in values]))

    async def _values(self, texts: Sequence[str]) -> list[bytes]:
        requests = [
            EmbedRequest(model=self._card.name, inputs=tuple(EmbedInput(text=text) for text in part))
            for part in parts(texts)
        ]
        found = await asyncio.gather(*(self._embedder.embed(self._card, each) for each in requests))
        return [embedding.values for embeddings in found for embedding in embeddings]

    def close(self) -> None:
        """End its process."""
        self._loop.run_until_complete(self._embedder.close())
        self._loop.close()


class _Values(msgspec.Struct):
    values: list[float]


class _Answer(msgspec.Struct):
    embeddings: list[_Values]


class HttpArm:
    """A real ``geminid serve``: JSON in, JSON out. The answers are read into numbers after the clock."""

    name = HTTP

    def __init__(self, pid: int, port: int, model: str) -> None:
        self.pid, self._port, self._model = pid, port, model

    def embed(self, texts: Sequence[str]) -> Embedded:
        """See :class:`Arm`."""
        bodies = [self._body(part) for part in parts(texts)]
        began_s = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = list(pool.map(self._post, bodies))
        seconds = time.perf_counter() - began_s
        read = [msgspec.json.decode(each, type=_Answer) for each in answers]
        return Embedded(
            seconds, np.array([one.values for each in read for one in each.embeddings], np.float32)
        )

    def _body(self, texts: Sequence[str]) -> bytes:
        name = f"models/{self._model}"
        requests = [{"model": name, "content": {"parts": [{"text": text}]}} for text in texts]
        return msgspec.json.encode({"requests": requests})

    def _post(self, body: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        path = f"/v1beta/models/{self._model}:batchEmbedContents"
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {content[:500]!r}")
        return content


class _Encoded(msgspec.Struct):
    seconds: float
    vectors: str


class ReferenceArm:
    """sentence-transformers with one size of batch; see :mod:`benchmarks.sentence_transformers_arm`."""

    def __init__(self, child: Child, batch: int, kind: str, dimensions: int) -> None:
        self.name, self.pid = f"{REFERENCE}, {kind}, batches of {batch}", child.process.pid
        self._child, self._batch, self._kind, self._dimensions = child, batch, kind, dimensions

    def embed(self, texts: Sequence[str]) -> Embedded:
        """See :class:`Arm`."""
        question = {"texts": list(texts), "batch": self._batch, "kind": self._kind}
        found = self._child.ask(question, _Encoded)
        vectors = np.frombuffer(base64.b64decode(found.vectors), "<f4").reshape(len(texts), self._dimensions)
        return Embedded(found.seconds, vectors)


def parts(texts: Sequence[str]) -> list[Sequence[str]]:
    """Return texts as requests hold them."""
    return [texts[first : first + TEXTS_PER_REQUEST] for first in range(0, len(texts), TEXTS_PER_REQUEST)]


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Measure everything in the plan."""
    card = Catalog.load().embedding("all-minilm-l6-v2")
    folder = pull(card, load()[0].cache(), progress=lambda progress: None)
    runs: list[Run] = []
    with _arms(plan, card, folder, say) as (arms, versions):
        for arm in arms:
            arm.embed(_texts(plan.texts // 4, 0))
        for number in rounds(plan.rounds, plan.seconds_max, say):
            runs += _round(plan, arms, number, say)
    return Outcome(
        arguments={**msgspec.to_builtins(plan), "model": card.name, "versions": versions},
        runs=[msgspec.to_builtins(each) for each in runs],
        tables=[_table(runs, plan)],
        goals=list(_goals(runs)),
    )


@contextmanager
def _arms(
    plan: Plan, card: EmbeddingCard, folder: Path, say: Callable[[str], None]
) -> Iterator[tuple[list[Arm], dict[str, str]]]:
    versions: dict[str, str] = {}
    with ExitStack() as stack:
        process, port = stack.enter_context(serving())
        embedder = EmbedderArm(card, folder)
        stack.callback(embedder.close)
        arms: list[Arm] = [HttpArm(process.pid, port, card.name), embedder]
        if python := os.environ.get("SENTENCE_TRANSFORMERS_PYTHON"):
            cores = str(psutil.cpu_count() or 1)
            whole = _whole(folder, Path(stack.enter_context(tempfile.TemporaryDirectory())))
            module = "benchmarks.sentence_transformers_arm"
            child = stack.enter_context(Child(module, str(whole), cores, python=python))
            versions = child.read(dict[str, str])
            arms += [
                ReferenceArm(child, batch, kind, card.dimensions)
                for batch, kind in itertools.product(plan.batches, plan.kinds)
            ]
        else:
            say("no sentence-transformers: SENTENCE_TRANSFORMERS_PYTHON does not name a Python that has it")
        yield arms, versions


def _whole(folder: Path, made: Path) -> Path:
    """Make a folder that sentence-transformers reads as the authors meant: pooling and window beside."""
    for file in folder.iterdir():
        (made / file.name).symlink_to(file)
    for name, content in REFERENCE_FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(msgspec.json.encode(content))
    return made


MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
REFERENCE_FILES = {
    "modules.json": MODULES,
    "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
    "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 512},
}
"""What the model's authors put beside the weights, and geminid does not need."""


def _texts(count: int, seed: int) -> list[str]:
    """Return fresh texts without the odd ones, which come first."""
    return embedding_texts(count + len(ODD), seed)[len(ODD) :]


def _round(plan: Plan, arms: Sequence[Arm], number: int, say: Callable[[str], None]) -> Iterator[Run]:
    texts = _texts(plan.texts, number + 1)
    found: dict[str, Vectors] = {}
    runs = []
    for arm in turned(arms, number):
        before = usage(arm.pid).cpu_s
        done = arm.embed(texts)
        cpu_s = usage(arm.pid).cpu_s - before
        found[arm.name] = done.vectors
        runs.append(_summed(arm, number, done, cpu_s, _singles(arm, plan.singles)))
        say(f"round {number + 1}, {arm.name}: {runs[-1].texts_per_s:.0f} texts/s, {cpu_s:.1f} processor s")
    known = next((vectors for name, vectors in found.items() if name.startswith(EXACT)), None)
    for each in runs:
        if known is not None:
            each.cosine_min = float(cosines(found[each.arm], known).min())
        yield each


def _singles(arm: Arm, count: int) -> float:
    times_ms = []
    for _ in itertools.repeat(None, count):
        began_s = time.perf_counter()
        arm.embed([SHORT])
        times_ms.append(1e3 * (time.perf_counter() - began_s))
    return percentile(times_ms, 50)


def _summed(arm: Arm, number: int, done: Embedded, cpu_s: float, single_ms: float) -> Run:
    return Run(
        round=number,
        arm=arm.name,
        texts=len(done.vectors),
        seconds=done.seconds,
        texts_per_s=len(done.vectors) / done.seconds,
        cpu_s=cpu_s,
        cosine_min=float("nan"),
        single_ms_p50=single_ms,
    )


def _table(runs: Sequence[Run], plan: Plan) -> Table:
    rows: list[list[str | Figure]] = []
    for name in dict.fromkeys(each.arm for each in runs):
        mine = [each for each in runs if each.arm == name]
        rows.append(
            [
                name,
                figure(each.texts_per_s for each in mine),
                figure(each.cpu_s for each in mine),
                figure(each.single_ms_p50 for each in mine),
                figure(each.cosine_min for each in mine),
            ]
        )
    return Table(
        title="Texts into vectors",
        note=f"{plan.texts} texts of 1 to 400 words a round, in several languages. One short text: alone, "
        "milliseconds until its vector is there. Cosine: the lowest with sentence-transformers in 32 bits.",
        columns=["arm", "texts/s", "processor s", "ms for one short text", "lowest cosine"],
        rows=rows,
    )


def _goals(runs: Sequence[Run]) -> Iterator[Goal]:
    best: dict[int, float] = {}
    for each in runs:
        if each.arm.startswith(REFERENCE):
            best[each.round] = max(best.get(each.round, 0.0), each.texts_per_s)
    if not best:
        return
    ours = [each for each in runs if each.arm == HTTP]
    yield Goal(
        name="texts/s over HTTP over sentence-transformers' at its best",
        bound=1.5,
        at_least=True,
        figure=figure(each.texts_per_s / best[each.round] for each in ours),
        unit="×",
    )
    yield Goal(
        name="lowest cosine with sentence-transformers",
        bound=0.999,
        at_least=True,
        figure=figure(each.cosine_min for each in ours),
    )
