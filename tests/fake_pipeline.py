"""A pipeline without a model: bytes are tokens, and what follows a prompt is told by a function."""

from typing import NamedTuple

from geminid.engines.openvino.pipeline import Produced

STOP_ID = 256
MARK_ID = 257
"""A control token of the name ``<mark>``."""


class Draw(NamedTuple):
    sampling: object
    tokens_max: int
    logprobs: bool
    grammar: str
    tokens_min: int


class FakeAnswer:
    """Writes the given tokens, one a step, then ends its turn."""

    def __init__(self, tokens, draw, found=0):
        self.found = found
        self.draw, self.room = draw, draw.tokens_max
        self.left, self.cancelled, self.fresh = [*tokens, STOP_ID], False, []

    def advance(self):
        token, self.room = self.left.pop(0), self.room - 1
        ended = "stop" if token == STOP_ID else "max_tokens" if not self.room else ""
        self.fresh.append(Produced([token], [-0.5], ended))
        return ended

    def read(self):
        return self.fresh.pop(0) if self.fresh else None

    def cancel(self):
        self.cancelled = True


def echo(prompt: str, draw: Draw) -> str:
    return prompt


class FakePipeline:
    """One step advances every answer by one token. ``respond`` maps (prompt, draw) to what is written.

    held: so many tokens of every prompt are found. used: which share of the cells was used since any prompt.
    """

    class tokenizer:  # noqa: N801 - in the place of an attribute
        chat_template = ""
        get_bos_token = get_eos_token = staticmethod(lambda: "")

    stop_ids = frozenset({STOP_ID})
    kv_tokens_max = cut_at = 0

    def __init__(self, respond=echo):
        self.respond = respond
        self.answers, self.prompts, self.draws = [], [], []
        self.held, self.used, self.claims = 0, 0.0, 0

    @property
    def added(self):
        return len(self.prompts)

    def vocabulary(self):
        return {bytes([i]): i for i in range(256)} | {b"<|end|>": STOP_ID, b"<mark>": MARK_ID}

    def control_tokens(self):
        return {STOP_ID: "<|end|>", MARK_ID: "<mark>"}

    def encode(self, prompt):
        if prompt == "explode":
            raise ZeroDivisionError
        return [
            token
            for number, text in enumerate(prompt.split("<mark>"))
            for token in [*([MARK_ID] if number else []), *text.encode()]
        ]

    def decode(self, token_ids):
        spelled = (b"<mark>" if i == MARK_ID else bytes([i]) for i in token_ids)
        return b"".join(spelled).decode("utf-8", "replace")

    def draw(self, sampling, tokens_max, logprobs, *, grammar="", tokens_min=0):
        return Draw(sampling, tokens_max, logprobs, grammar, tokens_min)

    def then(self, prompt, token_ids, words):
        return [*prompt, *token_ids, *self.encode(words)]

    def add(self, prompt, draw):
        self.prompts.append(self.decode(prompt))
        self.draws.append(draw)
        self.claims += len(prompt)
        found = self.holds(prompt)
        self.answers.append(FakeAnswer(self.encode(self.respond(self.prompts[-1], draw)), draw, found))
        return self.answers[-1]

    def holds(self, token_ids):
        return min(self.held, len(token_ids))

    def awaited(self, prompt):
        return False

    def used_since(self, token_ids):
        return self.used

    def busy(self):
        return bool(self.answers)

    def step(self):
        self.answers = [each for each in self.answers if not each.cancelled and not each.advance()]

    def kv_used(self):
        return 0.25
