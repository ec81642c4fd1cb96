"""Lines of batches in the real engine: they give way, go on, and say what they would have said undisturbed.

And two faults of the library that they would meet all the time: prompts that are cancelled while they are read,
and keys that are packed anew.
"""

import asyncio
import random
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

import make
from geminid.app_engines import fleet_config
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.events import TextDelta, fold
from geminid.core.request import Sampling
from geminid.engines.openvino.engine import ModelEngine
from geminid.engines.openvino.fleet import load_of
from geminid.engines.openvino.pipeline import Pipeline
from geminid.engines.openvino.weights import best_precision, converted

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WORDS = ("river", "stone", "lamp", "winter", "paper", "bridge", "garden", "copper", "silent", "market")
STEPS_MAX = 6
"""From a request to its first token: the step that is under way, and those of its own short prompt."""


@pytest.fixture(scope="module")
def weights():
    """The embedded default model: its card and file, and settings that leave memory to the other tests."""
    config, _ = load()
    card = Catalog.load().card(config.catalog.model)
    file = pull(card, config.cache(), progress=lambda progress: None)
    settings = fleet_config(config.engine, config.cache())
    return card, file, msgspec.structs.replace(settings, kv_cache_gib=1)


@pytest.fixture(scope="module")
def exact(weights):
    """How to load it so that its arithmetic does not depend on how many rows are computed together."""
    card, file, config = weights
    loaded = load_of(config, card, Path(converted(file, config.cache, best_precision(file))))
    properties = {**loaded.properties, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    return card, msgspec.structs.replace(loaded, properties=properties)


@asynccontextmanager
async def engine(exact):
    card, loaded = exact
    made = ModelEngine(card, loaded, queue_max=512)
    try:
        await made.ready()
        yield made
    finally:
        await made.close()


def question(number, **fields):
    text = " ".join(random.Random(number).choices(WORDS, k=30))
    given = {"sampling": Sampling(temperature=0.0), "tokens_max": 30, **fields}
    return make.request(f"Tell a story with these words: {text}.", **given)


async def answered(engine, request):
    async with engine.generate(request) as events:
        return await fold(events)


async def first_token(engine, request):
    """Return how many steps the engine made until the first token of a request, and read its answer."""
    began, steps = engine.state().steps, None
    async with engine.generate(request) as events:
        async for event in events:
            if steps is None and isinstance(event, TextDelta):
                steps = engine.state().steps - began
    return steps


def agree(tokens, others):
    """One row and many rows round differently: where two answers part, it must have been between equals."""
    assert len(tokens) > 0
    for token, other in zip(tokens, others, strict=False):
        assert token.logprob == pytest.approx(other.logprob, abs=0.5)
        if token.token_id != other.token_id:
            return
    assert len(tokens) == len(others)


async def test_lines_that_were_interrupted_say_what_they_say_undisturbed(exact):
    requests = [question(number, tier="batch", logprobs=True) for number in range(8)]
    requests[3] = msgspec.structs.replace(requests[3], sampling=Sampling(temperature=1.0, seed=5))
    async with engine(exact) as one:
        alone = await asyncio.gather(*(answered(one, request) for request in requests))
    async with engine(exact) as other:
        lines = [asyncio.create_task(answered(other, request)) for request in requests]
        people = 0
        while not all(line.done() for line in lines):
            await answered(other, question(1000 + people, tokens_max=4))
            people += 1
            await asyncio.sleep(0.1)
        disturbed = [line.result() for line in lines]
    assert people > 2
    for one, other in zip(alone, disturbed, strict=True):
        agree(one.candidates[0].logprobs, other.candidates[0].logprobs)


async def test_whoever_comes_waits_for_no_more_than_the_step_under_way(exact):
    async with engine(exact) as real:
        lines = [asyncio.create_task(answered(real, question(each, tier="batch"))) for each in range(60)]
        async with asyncio.timeout(120):
            while real.state().steps < 5:
                await asyncio.sleep(0.01)
        waited = []
        for number in range(5):
            assert not all(line.done() for line in lines)
            waited.append(await first_token(real, question(1000 + number, tokens_max=3)))
            await asyncio.sleep(0.2)
        assert max(waited) <= STEPS_MAX, waited
        assert len([await line for line in lines]) == 60


# -- the library ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(exact):
    """Two pipelines."""
    return [Pipeline(exact[1]) for _ in range(2)]


def tokens(chance, count):
    return [chance.randrange(1000, 40_000) for _ in range(count)]


def first(pipeline, prompt):
    """Return the first token of an answer and its log-probability."""
    answer = pipeline.add(prompt, pipeline.draw(Sampling(temperature=0.0), 1, logprobs=True))
    while (produced := answer.read()) is None:
        pipeline.step()
    return produced.token_ids[0], produced.logprobs[0]


def same(one, other):
    return one[0] == other[0] and one[1] == pytest.approx(other[1], abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_a_prompt_that_was_cancelled_while_it_was_read_is_answered_rightly_later(pair, seed):
    fresh, used = pair
    chance = random.Random(seed)
    short, long = tokens(chance, 100), tokens(chance, 400)
    draw = used.draw(Sampling(temperature=0.0), 8, logprobs=False)
    answers = [used.add(short, draw), used.add(long, draw)]
    used.step()  # reads all of the short prompt and a part of the long one that ends within a block
    for answer in answers:
        answer.cancel()
    while used.busy():
        used.step()
    assert same(first(used, long), first(fresh, long))


@pytest.mark.parametrize("seed", range(4))
def test_prompts_that_are_cancelled_before_they_are_read_cost_nothing(pair, seed):
    used = pair[1]
    chance = random.Random(100 + seed)
    draw = used.draw(Sampling(temperature=0.0), 8, logprobs=False)
    answers = [used.add(tokens(chance, 600), draw) for _ in range(20)]
    used.step()
    for answer in answers:
        answer.cancel()
    steps = 0
    while used.busy():
        used.step()
        steps += 1
    assert steps <= 4  # the first is read to its end, the others are not


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_is_the_same_over_a_found_prefix_and_over_a_computed_one(pair, seed):
    fresh, used = pair
    chance = random.Random(200 + seed)
    prefix, rest = tokens(chance, 74), tokens(chance, 9)
    first(used, prefix)
    assert same(first(used, [*prefix, *rest]), first(fresh, [*prefix, *rest]))
