"""The only file that imports OpenVINO GenAI while serving: load, tokenise, step.

It runs in the engine process. It knows no sockets and no request of ours, only prompts: token ids, or for
a model with eyes text and pictures. Facts about the library were measured with 2026.4: a dropped or
cancelled handle is freed by the next step; a prompt beyond the KV cells ends as IGNORED; an empty prompt
raises inside ``add``; pictures are encoded inside ``add``, before it returns; how many tokens a prompt had
is told when its answer has ended, also when it was cancelled before it began; ``echo`` crashes with
pictures.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import openvino
import openvino_genai

from geminid.core.request import Sampling
from geminid.engines.openvino.eyes import Shown, Size, harmless
from geminid.engines.openvino.messages import Finish, Load

KV_BLOCK_TOKENS = 32
"""Tokens of one KV block of the CPU plugin (2026.4)."""


Draw: TypeAlias = Any
"""How an answer is drawn, in the library's terms."""

Prompt: TypeAlias = Sequence[int] | Shown
"""What is answered. A model with eyes takes every prompt as text: it has no use for token ids."""

PIXELS_MAX = 64_000_000
SIDE_MIN_PX = 32
"""Smaller pictures are enlarged: some models take no picture that is smaller than one of its tokens."""

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


class BadPicture(ValueError):
    """A picture that cannot be decoded, or that the model does not take."""


class Pipeline:
    """A loaded model, for one thread."""

    def __init__(self, load: Load) -> None:
        self.sees = load.sees
        self.tokenizer = openvino_genai.Tokenizer(load.weights)
        self._native = openvino_genai.ContinuousBatchingPipeline(
            load.weights, self.tokenizer, _scheduler(load), "CPU", **load.properties
        )
        self.stop_ids = frozenset(stop_ids_of(self._native.get_config()))
        self._begins_with = self._put_before() if load.sees else ""
        self.cut_at = self._cut_at(load.context_tokens_max) if load.sees else 0
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

    def add(self, prompt: Prompt, draw: Draw) -> Answer:
        """Queue one answer to a prompt of at least one token. Pictures are looked at before it returns,
        which may take seconds."""
        if isinstance(prompt, Shown):
            return Answer(self._show(prompt.text, [pixels(each) for each in prompt.pictures], draw))
        self._next_id += 1
        tensor = openvino.Tensor(np.array([prompt], dtype=np.int64))
        return Answer(self._native.add_request(self._next_id, tensor, draw))

    def then(self, prompt: Prompt, token_ids: Sequence[int], words: str) -> Prompt:
        """Return a prompt, then what the model has written, then words of ours."""
        if isinstance(prompt, Shown):
            written = self.tokenizer.decode(list(token_ids), skip_special_tokens=False) if token_ids else ""
            return prompt._replace(text=prompt.text + harmless(written) + words)
        return [*prompt, *token_ids, *(self.encode(words) if words else ())]

    def weigh(self, text: str, sizes: Sequence[Size]) -> int:
        """Return how many tokens a prompt has in whose places are pictures of these sizes.

        The library is given black ones, and the answer is cancelled before it begins: nothing but the
        pictures is computed for it. Raises :class:`BadPicture` when the model does not take such sizes.
        """
        blank = [openvino.Tensor(np.zeros((1, height, width, 3), np.uint8)) for width, height in sizes]
        try:
            handle = self._show(text, blank, self.draw(Sampling(temperature=0.0), 1, False))
        except RuntimeError as error:
            if not sizes:
                raise
            raise BadPicture(f"The model does not take such a picture: {_last_line(error)}") from error
        handle.cancel()
        self.step()
        return int(handle.get_perf_metrics().get_num_input_tokens())

    def _show(self, text: str, pictures: Sequence[Any], draw: Draw) -> Any:
        self._next_id += 1
        return self._native.add_request(self._next_id, text.removeprefix(self._begins_with), pictures, draw)

    def _put_before(self) -> str:
        """Return the token that the tokenizer puts before every text by itself; with pictures, the library
        lets it, so a template that writes the token too would have it there twice."""
        with_it = self.tokenizer.encode("?").input_ids.data[0]
        bos = self.tokenizer.get_bos_token_id()
        return str(self.tokenizer.get_bos_token()) if len(with_it) and with_it[0] == bos else ""

    def step(self) -> None:
        """Advance every answer by one step. Holds the interpreter lock all the while."""
        self._native.step()

    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._native.has_non_finished_requests())

    def kv_used(self) -> float:
        """Share of the KV cells in use, 0 to 1."""
        return float(self._native.get_metrics().cache_usage) / 100

    def _cut_at(self, window: int) -> int:
        """Return the number of tokens at which the library cuts a text without a word, 0 for never.

        Tokenizers come with limits of their own, which the library keeps to when it is given text.
        """
        kept = len(self.tokenizer.encode("? " * (window + 1)).input_ids.data[0])
        return kept if kept <= window else 0

    def _measure_kv(self) -> int:
        """Answer one token, which also warms the model up, and see which share of the cells it took."""
        answer = self.add(Shown("?") if self.sees else [0], self.draw(Sampling(temperature=0.0), 1, False))
        used = 0.0
        while self.busy():
            self.step()
            used = max(used, self.kv_used())
        answer.read()
        return int(KV_BLOCK_TOKENS / used) if used else 0


def size_of(picture: bytes) -> Size:
    """Return the size of a PNG or JPEG file after decoding all of it; raises :class:`BadPicture`."""
    _, height, width, _ = pixels(picture).shape
    return width, height


def pixels(picture: bytes) -> Any:
    """Return a PNG or JPEG file, enlarged if need be, as a tensor [1, height, width, 3].

    Raises :class:`BadPicture`.
    """
    from PIL import Image  # only models with eyes pay for it

    try:
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as image:
            scale = max(1.0, SIDE_MIN_PX / min(image.size))
            width, height = (round(side * scale) for side in image.size)
            if width * height > PIXELS_MAX:
                raise BadPicture(f"A picture has more than {PIXELS_MAX:,} pixels.")
            plain = image.convert("RGB")
            seen = plain if scale == 1.0 else plain.resize((width, height), Image.Resampling.BICUBIC)
            return openvino.Tensor(np.asarray(seen)[None].copy())
    except BadPicture:
        raise
    except Exception as error:  # decoders raise anything
        raise BadPicture("A picture cannot be decoded.") from error


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


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
