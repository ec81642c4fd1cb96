"""The arms of ``classification``: each sorts texts into labels over HTTP, unary, connections kept alive."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import httpx
import msgspec

from benchmarks.arms import Serving
from benchmarks.child import Child
from benchmarks.load import Job, Pool, Pooled
from benchmarks.tickets import INSTRUCTION, LABELS

LLAMA_TOKENS_MAX = 8
"""The longest label has two tokens, and its end is one more."""
GBNF = "root ::= " + " | ".join(json.dumps(label) for label in LABELS)
PROBABILITY_ERROR_MAX = 1e-3


class Sorted(NamedTuple):
    """What came of some texts: a label for each (an error's words, where there is none)."""

    seconds: float
    labels: list[str]
    errors: list[str]
    prompt_tokens: list[int]
    latencies_s: list[float]
    client_cpu_s: float


class Sorter(Protocol):
    """Something that sorts. ``pid`` is the root of its process tree."""

    name: str
    pid: int

    def sort(self, texts: Sequence[str], connections: int) -> Sorted:
        """Sort ``texts``, so many at once."""


class GeminidSorter:
    """``text/x.enum``; with ``probabilities`` the one of every label is asked for, and checked."""

    def __init__(self, server: Serving, model: str, load: Child, *, probabilities: bool = False) -> None:
        self.name = "geminid with probabilities" if probabilities else "geminid"
        self.pid, self._port, self._load = server.process.pid, server.port, load
        self._path = f"/v1beta/models/{model}:generateContent"
        self._probabilities = probabilities

    def sort(self, texts: Sequence[str], connections: int) -> Sorted:
        """See :class:`Sorter`."""
        bodies = [gemini_body(text, probabilities=self._probabilities) for text in texts]
        pool = Pool(port=self._port, path=self._path, bodies=bodies, connections=connections)
        return _sorted(self._load.ask(Job(pool=pool), Pooled), self._read)

    def _read(self, reply: Any) -> tuple[str, int]:
        (candidate,) = reply["candidates"]
        label = candidate["content"]["parts"][0]["text"]
        if self._probabilities:
            (top,) = candidate["logprobsResult"]["topCandidates"]
            told = {each["token"]: math.exp(each["logProbability"]) for each in top["candidates"]}
            if set(told) != set(LABELS) or abs(sum(told.values()) - 1) > PROBABILITY_ERROR_MAX:
                raise ValueError(f"probabilities {told}")
        return label, reply["usageMetadata"]["promptTokenCount"]


class LlamaSorter:
    """``/completion`` of llama.cpp's server, with a GBNF grammar of the same labels and the same prompt."""

    name = "llama.cpp"

    def __init__(self, child: Child, slots: int, load: Child, render: Callable[[str], str]) -> None:
        self.pid, self._load, self._render, self._slots = child.process.pid, load, render, slots
        self._port = int(child.read(str).rpartition(":")[2])

    def sort(self, texts: Sequence[str], connections: int) -> Sorted:
        """See :class:`Sorter`."""
        bodies = [self._body(text) for text in texts]
        pool = Pool(port=self._port, path="/completion", bodies=bodies, connections=connections)
        return _sorted(self._load.ask(Job(pool=pool), Pooled), self._read)

    def warm(self, text: str) -> None:
        """Let every slot hold the instruction: one slot reads it, the others get that slot's state."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=300) as client:
            client.post("/completion", content=self._body(text, slot=0)).raise_for_status()
            state = {"filename": "instruction.bin"}
            client.post("/slots/0?action=save", json=state).raise_for_status()
            for slot in range(1, self._slots):
                client.post(f"/slots/{slot}?action=restore", json=state).raise_for_status()

    def _body(self, text: str, slot: int = -1) -> str:
        body: dict[str, Any] = {"prompt": self._render(gemini_body(text)), "n_predict": LLAMA_TOKENS_MAX}
        return json.dumps({**body, "temperature": 0, "cache_prompt": True, "grammar": GBNF, "id_slot": slot})

    def _read(self, reply: Any) -> tuple[str, int]:
        return reply["content"], reply["tokens_evaluated"]


def gemini_body(text: str, *, probabilities: bool = False) -> str:
    """Return a request for the label of a text."""
    config: dict[str, Any] = {
        "temperature": 0,
        "responseMimeType": "text/x.enum",
        "responseSchema": {"type": "STRING", "enum": list(LABELS)},
    }
    if probabilities:
        config |= {"responseLogprobs": True, "logprobs": len(LABELS)}
    return json.dumps(
        {
            "systemInstruction": {"parts": [{"text": INSTRUCTION}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": config,
        }
    )


def _sorted(pooled: Pooled, read: Callable[[Any], tuple[str, int]]) -> Sorted:
    labels, errors, tokens = [], [], []
    for reply in pooled.replies:
        label = ""
        try:
            label, count = read(msgspec.json.decode(reply.body))
            tokens.append(count)
        except (LookupError, TypeError, ValueError) as error:
            errors.append(f"{reply.status}: {error!r}: {reply.body[:300]}")
        if label and label not in LABELS:
            errors.append(f"not a label: {label!r}")
        labels.append(label)
    latencies_s = [reply.seconds for reply in pooled.replies]
    return Sorted(pooled.seconds, labels, errors, tokens, latencies_s, pooled.client_cpu_s)
