"""What the real engine finds of a prompt, told beside how many steps its prompt really took; prefixes that are
kept, under pressure, through the death of the engine, and with the same answers as without."""

import asyncio
import contextlib
import os
import random
import signal
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import openvino_genai
import pytest

import make
from geminid.app_engines import fleet_config
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import pull
from geminid.config import load
from geminid.core.content import Text, Turn
from geminid.core.events import fold
from geminid.core.request import JsonOutput, Sampling
from geminid.engines.openvino import pipeline as module
from geminid.engines.openvino.blocks import KV_BLOCK_TOKENS
from geminid.engines.openvino.engine import ModelEngine
from geminid.engines.openvino.fleet import load_of
from geminid.engines.openvino.messages import Conversation, Count, Keep, Message, Submit, decode_to_worker
from geminid.engines.openvino.pipeline import Pipeline
from geminid.engines.openvino.weights import best_precision, converted
from geminid.engines.openvino.worker import Worker
from geminid.engines.protocol import Prefix
from geminid.process.frames import frame
from geminid.process.inbox import Inbox, Outbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORDS = ("river", "stone", "lamp", "winter", "paper", "bridge", "garden", "copper", "silent", "market")
GREEDY = Sampling(temperature=0.0)


@pytest.fixture(scope="module")
def loaded():
    """The embedded default model's card, and how to load it with little memory."""
    config, _ = load()
    card = Catalog.load().card(config.catalog.model)
    file = pull(card, config.cache(), progress=lambda progress: None)
    settings = msgspec.structs.replace(fleet_config(config.engine, config.cache()), kv_cache_gib=1)
    return card, load_of(settings, card, Path(converted(file, settings.cache, best_precision(file))))


@pytest.fixture
def small(loaded, monkeypatch):
    """A pipeline of few cells that reads one block in each step, so that steps tell what was found."""
    blocks = 90

    def scheduler(load):
        config = openvino_genai.SchedulerConfig()
        config.num_kv_blocks = blocks
        config.enable_prefix_caching = config.dynamic_split_fuse = True
        config.max_num_batched_tokens = KV_BLOCK_TOKENS
        config.max_num_seqs = 16
        return config

    monkeypatch.setattr(module, "_scheduler", scheduler)
    made = Pipeline(loaded[1])
    assert made.kv_tokens_max == blocks * KV_BLOCK_TOKENS
    return made


def read(pipeline, answers):
    """Step until everything is answered; return what each answer said."""
    said = {answer: [] for answer in answers}
    open_answers = set(answers)
    while open_answers:
        pipeline.step()
        for answer in list(open_answers):
            if (produced := answer.read()) is not None:
                said[answer] += produced.token_ids
                if produced.ended:
                    open_answers.remove(answer)
    return [said[answer] for answer in answers]


def steps_to_first_token(pipeline, prompt):
    answer = pipeline.add(prompt, pipeline.draw(GREEDY, 1, False))
    steps = 0
    while answer.read() is None:
        pipeline.step()
        steps += 1
    return answer.found, steps


@pytest.mark.parametrize("seed", range(3))
def test_no_more_is_told_than_the_steps_prove_also_when_blocks_are_overwritten(small, seed):
    chance, said, told, exact = random.Random(seed), [[1]], 0, 0
    draw_words = lambda most: [chance.randrange(100, 40_000) for _ in range(chance.randrange(1, most))]  # noqa: E731
    rounds = 25
    for _ in range(rounds):
        prompts = []
        for _ in range(chance.randrange(3)):
            base = chance.choice(said[-20:])
            prompts.append((base[: chance.randrange(len(base) + 1)] + draw_words(100))[:300])
        answers = [small.add(p, small.draw(GREEDY, chance.randrange(1, 40), False)) for p in prompts]
        said += [p + a for p, a in zip(prompts, read(small, answers), strict=True)]
        base = chance.choice(said[-20:])
        prompt = (base[: chance.randrange(1, len(base) + 1)] + draw_words(40))[:400]
        found, steps = steps_to_first_token(small, prompt)
        said.append(prompt)
        expected = -(-(len(prompt) - found) // KV_BLOCK_TOKENS)
        assert steps <= expected, (seed, len(prompt), found, steps)
        told += found
        exact += steps == expected
    assert told > 0
    assert exact > rounds / 2


def document(seed, words):
    chance = random.Random(seed)
    return " ".join(chance.choice(WORDS) for _ in range(words))


def turns(*texts):
    return tuple(Turn("user", (Text(text),)) for text in texts)


def prefix(seed, words=400, prefix_id=""):
    request = make.request(turns=turns(document(seed, words)))
    return Prefix(id=prefix_id or f"p{seed}", request=request)


async def ask(engine, seed, question, prefix_id="", words=400, **fields):
    request = make.request(
        turns=turns(document(seed, words), question),
        sampling=GREEDY,
        tokens_max=fields.pop("tokens_max", 12),
        prefix=prefix_id,
        **fields,
    )
    async with engine.generate(request) as events:
        answer = await fold(events)
    return answer.candidates[0].text, answer.usage


@asynccontextmanager
async def engine(loaded, **changes):
    card, settings = loaded
    made = ModelEngine(card, msgspec.structs.replace(settings, **changes), queue_max=512)
    try:
        await made.ready()
        yield made
    finally:
        await made.close()


async def test_a_second_prompt_with_the_same_beginning_is_told_what_was_found(loaded):
    async with engine(loaded) as real:
        _, first = await ask(real, 1, "What comes first?")
        _, second = await ask(real, 1, "And what is last?")
        assert first.cached == 0
        assert 0.8 * second.prompt < second.cached < second.prompt
        assert second.cached % KV_BLOCK_TOKENS == 0


async def test_prompts_that_come_at_once_read_their_common_beginning_once(loaded):
    async with engine(loaded) as real:
        before = real.state().steps
        asked = [ask(real, 2, f"Question {number}?", tokens_max=1) for number in range(8)]
        usages = [usage for _, usage in await asyncio.gather(*asked)]
        assert sum(usage.cached > 0.8 * usage.prompt for usage in usages) == 7
        assert real.state().steps - before < 20  # one prompt of two or three pieces, and seven endings


async def test_candidates_read_their_prompt_once_and_it_is_counted_once(loaded):
    async with engine(loaded) as real:
        request = make.request(
            document(3, 400), candidates=4, tokens_max=4, sampling=Sampling(temperature=1.0)
        )
        async with real.generate(request) as events:
            answer = await fold(events)
        assert len(answer.candidates) == 4
        assert answer.usage.cached == 0


async def test_answers_over_a_kept_prefix_are_those_without_it_before_and_after_a_death(loaded):
    questions = [f"What about the {word}?" for word in WORDS]
    async with engine(loaded) as real:
        plain = [(await ask(real, 4, question))[0] for question in questions]
    async with engine(loaded) as real:
        kept = await real.keep(prefix(4))
        for _ in range(2):
            for question, expected in zip(questions, plain, strict=True):
                text, usage = await ask(real, 4, question, "p4")
                assert text == expected
                assert usage.cached == kept.prompt
            os.kill(real.state().pid, signal.SIGKILL)
        assert real.state().prefixes == 1


async def test_keeping_what_was_computed_for_others_changes_no_answer(loaded):
    questions = [f"What about the {word}?" for word in WORDS]
    async with engine(loaded) as real:
        plain = [(await ask(real, 6, question))[0] for question in questions]
        await real.keep(prefix(6))
        assert [(await ask(real, 6, question, "p6"))[0] for question in questions] == plain


async def test_every_kind_of_answer_begins_with_the_kept_prefix(loaded):
    async with engine(loaded) as real:
        kept = await real.keep(prefix(5))
        grammar = 'root ::= "{}"\n'
        for fields in ({}, {"output": JsonOutput(grammar=grammar)}, {"candidates": 2}, {"system": ()}):
            _, usage = await ask(real, 5, "What is it?", "p5", **fields)
            assert usage.cached == kept.prompt, fields


def asked(text):
    return Conversation((Message("user", text),))


def submitted(number, text):
    return Submit(
        id=number,
        conversation=asked(text),
        sampling=GREEDY,
        candidates=1,
        tokens_max=2,
        stop=(),
        logprobs=False,
    )


def test_kept_prefixes_stay_warm_while_others_use_all_cells_many_times_over(loaded, small):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        settings = msgspec.structs.replace(loaded[1], batch_tokens_max=KV_BLOCK_TOKENS)
        worker = Worker(settings, small, Inbox(theirs, decode_to_worker), Outbox(theirs))

        def go(*messages, turns=40):
            ours.sendall(b"".join(map(frame, messages)))
            for _ in range(turns):
                ours.sendall(frame(Count(0, asked("x"))))  # so that the worker never waits
                worker.turn()
                with contextlib.suppress(BlockingIOError):
                    while ours.recv(1 << 20):
                        pass

        for number, prefix_id in enumerate("pq"):
            text = document(number, 200)
            go(Keep(number + 1, prefix_id, (asked(text + " A"), asked(text + " 1"))))
        whole = [kept.measured.whole for kept in worker._prefixes._kept.values()]
        assert all(small.holds(prompt) == len(prompt) > 150 for prompt in whole)
        for number in range(30):
            go(submitted(number + 10, document(number + 50, 300)), turns=20)
        assert small.claims > 4 * small.kv_tokens_max // KV_BLOCK_TOKENS
        for prompt in whole:
            found, steps = steps_to_first_token(small, [*prompt, 42])
            assert found == len(prompt)
            assert steps == 1
