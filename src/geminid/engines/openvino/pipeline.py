"""The only file that imports OpenVINO GenAI while serving: load, tokenise, step.

It runs in the engine process. It knows no sockets and no request of ours, only token ids.
Facts about the library were measured with 2026.4: a dropped or cancelled handle is freed by the
next step; a prompt beyond the KV cells ends as IGNORED; an empty prompt raises inside ``add``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import openvino
import openvino_genai

from geminid.core.request import Sampling
from geminid.engines.openvino.messages import Finish, Load

KV_BLOCK_TOKENS = 32
"""Tokens of one KV block of the CPU plugin (2026.4)."""


Draw: TypeAlias = Any
"""How an answer is drawn, in the library's terms."""


NO_LIMIT = 2**31 - 1
"""Never cut a prompt: one that is too long must be told so."""


class Produced(NamedTuple):
    """Tokens of one answer from one step. ``ended``: why it is over, empty while it is not."""

    token_ids: list[int]
    logprobs: list[float]
    ended: Finish


class Answer:
    """One running answer inside the pipeline. Dropping it frees its cells."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def read(self) -> Produced | None:
        """Return what was produced since the last call, or None when there is nothing new."""
        token_ids: list[int] = []
        logprobs: list[float] = []
        ended: Finish = ""
        while self._handle.can_read():
            for output in self._handle.read().values():
                token_ids.extend(output.generated_ids)
                logprobs.extend(output.generated_log_probs)
                ended = ENDINGS[output.finish_reason]
        if not ended and self._handle.get_status() == openvino_genai.GenerationStatus.IGNORED:
            ended = "failed"
        return Produced(token_ids, logprobs, ended) if token_ids or ended else None

    def cancel(self) -> None:
        """Let the next step free its cells."""
        self._handle.cancel()


ENDINGS: dict[Any, Finish] = {
    openvino_genai.GenerationFinishReason.NONE: "",
    openvino_genai.GenerationFinishReason.STOP: "stop",
    openvino_genai.GenerationFinishReason.LENGTH: "max_tokens",
    openvino_genai.GenerationFinishReason.TOOL_CALL: "stop",
}


class Pipeline:
    """A loaded model, for one thread."""

    def __init__(self, load: Load) -> None:
        self.tokenizer = openvino_genai.Tokenizer(load.weights)
        self._native = openvino_genai.ContinuousBatchingPipeline(
            load.weights, self.tokenizer, _scheduler(load), "CPU", **load.properties
        )
        self.stop_ids = frozenset(stop_ids_of(self._native.get_config()))
        self._next_id = 0
        self.kv_tokens_max = self._measure_kv()

    def vocabulary(self) -> dict[bytes, int]:
        """Return the bytes that each token spells."""
        vocabulary: dict[bytes, int] = self.tokenizer.get_vocab()
        return vocabulary

    def control_tokens(self) -> dict[int, str]:
        """Return the tokens that steer the model instead of spelling text, with their names."""
        ids = sorted(self.vocabulary().values())
        seen = self.tokenizer.decode([[i] for i in ids], skip_special_tokens=True)
        all_of_it = self.tokenizer.decode([[i] for i in ids], skip_special_tokens=False)
        return {i: name for i, shown, name in zip(ids, seen, all_of_it, strict=True) if name and not shown}

    def encode(self, prompt: str) -> list[int]:
        """Return the token ids of a rendered prompt."""
        ids = self.tokenizer.encode(prompt, add_special_tokens=False, max_length=NO_LIMIT).input_ids
        return [int(i) for i in ids.data[0]]

    def draw(
        self, sampling: Sampling, tokens_max: int, logprobs: bool, *, grammar: str = "", tokens_min: int = 0
    ) -> Draw:
        """Return how an answer of ``tokens_min`` to ``tokens_max`` tokens is to be drawn.

        ``grammar`` (EBNF) is what its text must fit; one that the library cannot compile destroys the
        pipeline, so only proven ones and single literals may come here. Log-probabilities are those
        before the grammar takes effect. Raises ``RuntimeError`` for values that the engine refuses,
        before they can reach a step.
        """
        config = openvino_genai.GenerationConfig()
        config.apply_chat_template = False
        config.max_new_tokens = tokens_max
        config.min_new_tokens = tokens_min
        config.stop_token_ids = set(self.stop_ids)
        config.logprobs = int(logprobs)
        config.presence_penalty = sampling.presence_penalty or 0.0
        config.frequency_penalty = sampling.frequency_penalty or 0.0
        if sampling.temperature and sampling.top_p != 0:
            config.do_sample = True
            config.temperature = sampling.temperature
            config.top_p = 1.0 if sampling.top_p is None else sampling.top_p
            config.rng_seed = sampling.seed or 0
            if sampling.top_k:
                config.top_k = sampling.top_k
        if grammar:
            config.structured_output_config = openvino_genai.StructuredOutputConfig(grammar=grammar)
        config.validate()
        return config

    def add(self, token_ids: Sequence[int], draw: Draw) -> Answer:
        """Queue one answer to a prompt of at least one token."""
        self._next_id += 1
        prompt = openvino.Tensor(np.array([token_ids], dtype=np.int64))
        return Answer(self._native.add_request(self._next_id, prompt, draw))

    def step(self) -> None:
        """Advance every answer by one step. Holds the interpreter lock all the while."""
        self._native.step()

    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._native.has_non_finished_requests())

    def kv_used(self) -> float:
        """Share of the KV cells in use, 0 to 1."""
        return float(self._native.get_metrics().cache_usage) / 100

    def _measure_kv(self) -> int:
        """Answer one token, which also warms the model up, and see which share of the cells it took."""
        answer = self.add([0], self.draw(Sampling(temperature=0.0), 1, False))
        used = 0.0
        while self.busy():
            self.step()
            used = max(used, self.kv_used())
        answer.read()
        return int(KV_BLOCK_TOKENS / used) if used else 0


def stop_ids_of(config: Any) -> set[int]:
    """Return the tokens that end an answer, by the library's generation config of a model."""
    return {i for i in {config.eos_token_id, *config.stop_token_ids} if i >= 0}


def _scheduler(load: Load) -> openvino_genai.SchedulerConfig:
    config = openvino_genai.SchedulerConfig()
    config.cache_size = load.kv_cache_gib
    config.enable_prefix_caching = True
    config.dynamic_split_fuse = True
    config.max_num_batched_tokens = load.batch_tokens_max
    config.max_num_seqs = load.sequences_max
    return config
