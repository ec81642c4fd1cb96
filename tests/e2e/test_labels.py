"""Lines of batches that ask for a label, in the real engine: read side by side, answered as live requests are."""

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest

import make
from geminid.app_engines import fleet_config
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.content import Text
from geminid.core.events import PrefixFound, fold
from geminid.core.request import EnumOutput, Sampling
from geminid.engines.openvino.engine import ModelEngine
from geminid.engines.openvino.fleet import load_of
from geminid.engines.openvino.label_scorer import LabelScorer
from geminid.engines.openvino.labelling import WORTH_LINES, Beginning
from geminid.engines.openvino.pipeline import Pipeline
from geminid.engines.openvino.weights import best_precision, converted

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LABELS = ("billing", "delivery", "defect", "account", "praise")
OUTPUT = EnumOutput(grammar="root ::= " + " | ".join(f'"{label}"' for label in LABELS) + "\n", labels=LABELS)
INSTRUCTION = "You sort messages of customers. " + " ".join(
    f"Say {label} if the message is about {label}." for label in LABELS
)
MESSAGES = ("The {} is broken", "Where is my {}?", "I paid twice for the {}", "I love my {}", "No {} came")
THINGS = ("kettle", "lamp", "chair", "tent", "radio", "blanket", "toaster", "camera", "drill", "fan")
BLOCK_TOKENS = 32


@pytest.fixture(scope="module")
def loaded():
    """The embedded default model: its card, and how its engine process is told to load it."""
    config, _ = load()
    card = Catalog.load().card(config.catalog.model)
    file = pull(card, config.cache(), progress=lambda progress: None)
    settings = fleet_config(config.engine, config.cache())
    settings = msgspec.structs.replace(settings, kv_cache_gib=1, label_graph=True)
    return card, load_of(settings, card, Path(converted(file, settings.cache, best_precision(file))))


def question(number, **fields):
    message = MESSAGES[number % len(MESSAGES)].format(THINGS[number // len(MESSAGES) % len(THINGS)])
    given = {"sampling": Sampling(temperature=0.0), "tokens_max": 16, "output": OUTPUT, **fields}
    return make.request(f"{message}. My number is {number}.", system=(Text(INSTRUCTION),), **given)


async def asked(engine, request):
    async with engine.generate(request) as events:
        told = [event async for event in events]

    async def again():
        for event in told:
            yield event

    return await fold(again()), sum(event.tokens for event in told if isinstance(event, PrefixFound))


async def test_lines_get_the_labels_and_the_usage_that_live_requests_get(loaded):
    card, how = loaded
    engine = ModelEngine(card, how, queue_max=512)
    try:
        await engine.ready()
        live = [await asked(engine, question(number)) for number in range(24)]
        async with asyncio.timeout(200):
            while True:  # until what reads labels is compiled, which shows in what is found: no whole blocks
                lines = await asyncio.gather(
                    *(asked(engine, question(number, tier="batch")) for number in range(WORTH_LINES))
                )
                if any(found % BLOCK_TOKENS for _, found in lines):
                    break
    finally:
        await engine.close()
    pairs = [(line, other) for (line, _), (other, _) in zip(lines, live, strict=False)]
    for line, other in pairs:
        assert line.candidates[0].reason == other.candidates[0].reason
        assert (line.usage.prompt, line.usage.thoughts) == (other.usage.prompt, other.usage.thoughts)
    same = [line for line, other in pairs if line.candidates[0].text == other.candidates[0].text]
    assert len(same) >= 23  # near equals may fall otherwise where rows are computed together
    assert all(line.usage.candidates == other.usage.candidates for line, other in pairs if line in same)


def tokens_of(pipeline, count):
    return [pipeline.encode(f"{INSTRUCTION} Message {number}: it is {number * 7}") for number in range(count)]


def test_what_follows_a_text_is_what_the_engine_says_follows(loaded):
    pipeline, scorer = Pipeline(loaded[1]), LabelScorer(Path(loaded[1].weights), loaded[1].properties)
    texts = [np.array(each) for each in tokens_of(pipeline, 6)]
    length = min(int(np.flatnonzero(texts[0][:40] != each[:40]).min(initial=40)) for each in texts[1:])
    assert length == 40
    shared = Beginning(texts[0][:length])
    while not shared.read:
        scorer.read(shared, 16)
    together = scorer.score(shared, [each[length:] for each in texts]).copy()
    for text, logits in zip(texts, together, strict=True):
        answer = pipeline.add(text.tolist(), pipeline.draw(Sampling(temperature=0.0), 1, logprobs=True))
        while (produced := answer.read()) is None:
            pipeline.step()
        likely = logits - np.logaddexp.reduce(logits)
        assert likely[produced.token_ids[0]] == pytest.approx(produced.logprobs[0], abs=0.05)
        assert likely.max() - likely[produced.token_ids[0]] < 0.05
    alone = scorer.score(shared, [texts[2][length:]])[0]
    assert np.abs(alone - together[2]).max() < 0.05
