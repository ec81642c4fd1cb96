"""The arm ``engine``: the same OpenVINO engine called in its own process, without server, link or text.

It loads what ``geminid serve`` would load, with the same settings, and steps it in the plainest loop.
A wave begins with rendered prompts: tokenising them is on the clock, as it is for everybody else;
rendering templates, spelling text and HTTP are not, so it is the upper bound for geminid.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.child import serve_lines
from benchmarks.load import Sample, Waved
from geminid.core.request import Sampling
from geminid.engines.openvino.fleet import load_of
from geminid.engines.openvino.messages import Conversation, Message
from geminid.engines.openvino.pipeline import Answer, Pipeline
from geminid.engines.openvino.prompt import Prompt


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Answer all rendered ``prompts`` together, or, with ``render``, only render user texts."""

    prompts: list[str]
    tokens_max: int = 0
    render: bool = False


class InProcess:
    """The engine and the loop."""

    def __init__(self) -> None:
        model = machine.model()
        # Private, but the point: these are the server's own settings, not a copy of them.
        load = load_of(model.fleet, model.card, Path(model.folder))
        self._pipeline = Pipeline(load)
        tokenizer = self._pipeline.tokenizer
        self._prompt = Prompt(
            load.chat_template or tokenizer.chat_template,
            list(self._pipeline.control_tokens().values()),
            bos_token=tokenizer.get_bos_token(),
            eos_token=tokenizer.get_eos_token(),
            **load.template_options,
        )

    def answer(self, question: Question) -> Waved | list[str]:
        """Answer a wave, or return rendered prompts."""
        if question.render:
            return [self._prompt.render(Conversation((Message("user", text),))) for text in question.prompts]
        return self._wave(question)

    def _wave(self, question: Question) -> Waved:
        origin_s = time.perf_counter()
        running: list[tuple[Answer, Sample]] = []
        draw = self._pipeline.draw(Sampling(temperature=0.0), question.tokens_max, False)
        for prompt in question.prompts:
            sample = Sample(began_s=0.0, arrivals=[])
            running.append((self._pipeline.add(self._pipeline.encode(prompt), draw), sample))
        samples = [sample for _, sample in running]
        counts = dict.fromkeys(map(id, samples), 0)
        while self._pipeline.busy():
            self._pipeline.step()
            now_s = time.perf_counter() - origin_s
            for answer, sample in running:
                if (produced := answer.read()) is None:
                    continue
                spoken = sum(token not in self._pipeline.stop_ids for token in produced.token_ids)
                if spoken:
                    counts[id(sample)] += spoken
                    sample.arrivals.append((now_s, counts[id(sample)]))
                if produced.ended:
                    sample.ended_s = now_s
            running = [each for each in running if not each[1].ended_s]
        return Waved(samples=samples)


if __name__ == "__main__":
    engine = InProcess()
    serve_lines(Question, engine.answer, hello="ready")
