"""The only file that imports OpenVINO GenAI while serving: load, tokenise, step.

It runs in the engine process. It knows no sockets and no request of ours, only prompts: token ids, or for
a model with eyes text and pictures. Facts about the library were measured with 2026.4: a dropped or
cancelled handle is freed by the next step; a prompt beyond the KV cells ends as IGNORED; an empty prompt
raises inside ``add``; pictures are encoded inside ``add``, before it returns; how many tokens a prompt had
is told when its answer has ended, also when it was cancelled before it began; ``echo`` crashes with
pictures; blocks are promised to the prefix cache as full when a part of them is computed, so one cancelled in
between leaves wrong cells behind, and two answers that find the same half-filled block both write into it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import openvino
import openvino_genai

from geminid.core.request import Sampling
from geminid.engines.openvino.blocks import KV_BLOCK_TOKENS as KV_BLOCK_TOKENS
from geminid.engines.openvino.blocks import Blocks, Lease
from geminid.engines.openvino.encoding import Encoding
from geminid.engines.openvino.eyes import Shown, Size, harmless
from geminid.engines.openvino.messages import Finish, Load

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
    """One running answer inside the pipeline. Dropping it frees its cells; ``leave`` frees them rightly."""

    __slots__ = ("_handle", "_lease", "_leave")

    def __init__(self, handle: Any, leave: Callable[[Any], None], lease: Lease | None) -> None:
        self._handle = handle
        self._leave = leave
        self._lease = lease

    @property
    def found(self) -> int:
        """How many tokens of its prompt, at the least, were computed before and found again."""
        return self._lease.found if self._lease is not None else 0

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
        if self._lease is not None:
            self._lease.write(token_ids)
            if ended:
                self._lease.end()
        return Produced(token_ids, logprobs, ended) if token_ids or ended else None

    def __del__(self) -> None:
        if self._lease is not None:
            self._lease.end()

    def cancel(self) -> None:
        """Let the next step free its cells; when its prompt is just being read, the step that has read it."""
        self._leave(self._handle)
        if self._lease is not None:
            self._lease.end()


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
        self._encoding = Encoding(self._encoded, self.control_tokens())
        self._begins_with = self._put_before() if load.sees else ""
        self.cut_at = self._cut_at(load.context_tokens_max) if load.sees else 0
        self._next_id = 0
        self._reading: list[Any] = []  # handles that had no token after the last step, in their order
        self._leaving: list[Any] = []
        self._stepped = 0  # so many of the former were there in the last step
        self._blocks: Blocks | None = None
        self.kv_tokens_max = self._measure_kv()
        if self.kv_tokens_max and not load.sees:  # with pictures only the library knows the tokens
            self._blocks = Blocks(self.kv_tokens_max // KV_BLOCK_TOKENS)

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
        return self._encoding(prompt)

    def _encoded(self, prompt: str) -> list[int]:
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
            handle = self._show(prompt.text, [pixels(each) for each in prompt.pictures], draw)
            return self._added(handle, None)
        self._next_id += 1
        tensor = openvino.Tensor(np.array([prompt], dtype=np.int64))
        handle = self._native.add_request(self._next_id, tensor, draw)
        return self._added(handle, self._blocks.begin(prompt) if self._blocks is not None else None)

    def holds(self, token_ids: Sequence[int]) -> int:
        """Return how many of these tokens, at the least, an answer would find computed now."""
        return self._blocks.holds(token_ids) if self._blocks is not None else 0

    def awaited(self, prompt: Prompt) -> bool:
        """Whether more of a prompt is found once what is being read for others is read."""
        return self._blocks is not None and not isinstance(prompt, Shown) and self._blocks.awaited(prompt)

    @property
    def claims(self) -> int:
        """How many blocks of cells were taken into use so far, each time counted."""
        return self._blocks.claims if self._blocks is not None else 0

    def used_since(self, token_ids: Sequence[int]) -> float:
        """Return which share of the cells were used since these were: 1 when a part of them may be lost."""
        return self._blocks.used_since(token_ids) / self._blocks.room if self._blocks is not None else 1.0

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
        if self._blocks is not None:
            self._blocks.crowd(self.kv_used())
        self._reading = [each for each in self._reading if _unread(each)]
        self._stepped = len(self._reading)
        if self._leaving:
            over = [each for each in self._leaving if each not in self._reading]
            self._leaving = [each for each in self._leaving if each in self._reading]
            for handle in over:
                handle.cancel()

    def _added(self, handle: Any, lease: Lease | None) -> Answer:
        self._reading.append(handle)
        return Answer(handle, self._leave, lease)

    def _leave(self, handle: Any) -> None:
        """Cancel an answer, at once unless a part of its prompt may have been computed: then the prefix cache
        would keep a block that is promised as full and is not. The library reads prompts one after the other,
        so this can only be the first."""
        if self._stepped and self._reading[0] is handle:
            self._leaving.append(handle)
            return
        if handle in self._reading:
            self._stepped -= self._reading.index(handle) < self._stepped
            self._reading.remove(handle)
        handle.cancel()

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
        return round(1 / used) * KV_BLOCK_TOKENS if used else 0


def _unread(handle: Any) -> bool:
    """Whether an answer has no token yet, and will have one."""
    return not handle.can_read() and handle.get_status() == openvino_genai.GenerationStatus.RUNNING


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
