"""Models with eyes on the real engine: tiny ones, made here, whose answers are noise that repeats."""

import asyncio
import base64
import io
from contextlib import asynccontextmanager

import numpy as np
import pytest
import pytest_asyncio
from openvino import opset13
from PIL import Image

import make
from geminid.catalog.weights import card_of
from geminid.core.card import ThinkingCard
from geminid.core.content import Picture, Text, ToolResult, Turn
from geminid.core.errors import InputTooLong, InvalidArgument
from geminid.core.events import FinishReason, fold
from geminid.core.request import EnumOutput, JsonOutput, Sampling, Thinking, Tool
from geminid.engines.openvino.convert import TOKENIZER, _edit
from geminid.engines.openvino.engine import ModelEngine
from geminid.engines.openvino.fleet import FleetConfig, load_of
from made.eyes import WINDOW, picture_tokens, save_eyes
from serving import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

FAMILIES = ("llava", "qwen2_vl")
TOKENS = 12


def picture(seed: int, width: int = 112, height: int = 84, modality="image", form="PNG") -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    body = io.BytesIO()
    Image.fromarray(pixels).save(body, form)
    return Picture(body.getvalue(), modality)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return save_eyes(tmp_path_factory.mktemp("eyes") / family, family)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(folder):
    async with opened(folder, folder.parent) as made:
        yield made


@asynccontextmanager
async def opened(folder, cache, **fields):
    card = make.card(sees=True, **{"context_tokens_max": WINDOW, **fields})
    config = FleetConfig(cache=cache, memory_bytes_max=1 << 40, kv_cache_gib=1)
    made = ModelEngine(card, load_of(config, card, folder), queue_max=100)
    try:
        await made.ready()
        yield made
    finally:
        await made.close()


def asked(*parts, **fields):
    return make.request(turns=(Turn("user", parts),), **{"tokens_max": TOKENS, "logprobs": True, **fields})


async def answer(engine, *parts, **fields):
    async with engine.generate(asked(*parts, **fields)) as events:
        return await fold(events)


def ids(got):
    return [each.token_id for each in got.candidates[0].logprobs]


# -- seeing ----------------------------------------------------------------------------------------------


async def test_the_same_picture_is_answered_alike_and_another_one_differently(engine):
    question = Text("What is it?")
    first = await answer(engine, picture(1), question)
    assert ids(first) == ids(await answer(engine, picture(1), question))  # the second from the cache
    others = [await answer(engine, *parts) for parts in ([picture(2), question], [question])]
    assert all(ids(first) != ids(other) for other in others)
    assert first.candidates[0].reason in (FinishReason.STOP, FinishReason.MAX_TOKENS)


async def test_it_matters_where_a_picture_stands(engine):
    turns = [(picture(1), picture(2), Text("so")), (picture(2), picture(1), Text("so"))]
    first, second = [await answer(engine, *parts) for parts in turns]
    assert ids(first) != ids(second)
    assert first.usage.prompt == second.usage.prompt


async def test_pictures_are_seen_in_results_of_functions_and_in_earlier_turns(engine):
    def turns(seed):
        shown = ToolResult("look", {"ok": True}, parts=(picture(seed),))
        return (Turn("user", (picture(9), Text("a"))), Turn("model", (Text("b"),)), Turn("user", (shown,)))

    answers = []
    for seed in (1, 2):
        request = make.request(turns=turns(seed), tokens_max=TOKENS, logprobs=True)
        async with engine.generate(request) as events:
            answers.append(await fold(events))
    assert ids(answers[0]) != ids(answers[1])
    assert answers[0].usage.media["image"] > 2 * 4


async def test_a_folder_with_eyes_describes_itself(folder):
    card = card_of(folder)
    assert (card.sees, card.context_tokens_max) == (True, WINDOW)


async def test_a_client_shows_a_picture_and_is_told_its_tokens(folder, family, tmp_path):
    """The whole program, over HTTP: the picture is read in a process of its own and seen in another."""

    def body(seed):
        shown = {
            "inlineData": {"mimeType": "image/png", "data": base64.b64encode(picture(seed).data).decode()}
        }
        wish = {"maxOutputTokens": 8, "temperature": 0}
        return {"contents": [{"parts": [shown, {"text": "What?"}]}], "generationConfig": wish}

    environ = {
        "GEMINID_ENGINE_KV_CACHE_GIB": "1",
        "GEMINID_SERVER_DATA": str(tmp_path / "data"),
        "GEMINID_CATALOG_CACHE": str(tmp_path / "cache"),
    }
    with serving(tmp_path, "--model", str(folder), environ=environ) as server:
        server.wait_ready()
        said = []
        for seed in (1, 2):
            reply = server.post("/v1beta/models/gemini-3.1-flash-lite:generateContent", json=body(seed))
            assert reply.status_code == 200, reply.text
            answered = reply.json()
            said.append(answered["candidates"][0]["content"]["parts"][0]["text"])
            details = answered["usageMetadata"]["promptTokensDetails"]
            told = {each["modality"]: each["tokenCount"] for each in details}
            assert told["IMAGE"] == picture_tokens(family, 112, 84)
            assert sum(told.values()) == answered["usageMetadata"]["promptTokenCount"]
    assert said[0] != said[1]


# -- counting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(84, 84), (112, 84), (28, 140), (280, 224)])
async def test_a_picture_takes_what_its_family_says(engine, family, size):
    tokens = picture_tokens(family, *size)
    with_it = await answer(engine, Text("ab"), picture(1, *size), Text("cd"), tokens_max=1)
    without = await answer(engine, Text("abcd"), tokens_max=1)
    enlarged = family == "qwen2_vl" and min(size) < 32
    if not enlarged:
        assert with_it.usage.media == {"image": tokens}
    assert with_it.usage.prompt == without.usage.prompt + with_it.usage.media["image"]


async def test_every_token_of_a_prompt_is_told_by_what_it_came_from(engine, family):
    tokens = picture_tokens(family, 112, 84)
    parts = (
        Text("\n[Invoice, page 1]\nTotal: 17.50\n", "document"),
        picture(1, modality="document"),
        picture(2, modality="video"),
        Text("\nspoken words\n", "audio"),
        Text("Well?"),
    )
    request = asked(*parts)
    usage = (await answer(engine, *parts)).usage
    assert usage.media["video"] == tokens
    assert 30 <= usage.media["document"] - tokens <= 33  # bytes, but one pair is a token
    assert 12 <= usage.media["audio"] <= 14
    assert sum(usage.by_modality().values()) == usage.prompt
    counted = await engine.count(request)
    assert (counted.prompt, counted.media) == (usage.prompt, usage.media)


async def test_words_of_a_caller_are_no_place_for_a_picture(engine):
    words = Text("<ov_genai_image_0><image><|vision_start|><|image_pad|><|vision_end|><ov_genai_video_7>")
    usage = (await answer(engine, words, picture(1))).usage
    assert usage.media == (await answer(engine, picture(1))).usage.media
    assert (await answer(engine, words)).usage.media == {}
    split = (Text("<ov_genai"), Text("_image_0>", "document"), picture(1))
    assert (await answer(engine, *split)).candidates


async def test_the_count_is_what_the_library_says_in_the_end(folder, family, monkeypatch):
    """In this process, where the library's own figure can be read."""
    from geminid.engines.openvino.eyes import Scales, Shown, place
    from geminid.engines.openvino.pipeline import Pipeline, size_of

    card = make.card(sees=True, context_tokens_max=WINDOW)
    config = FleetConfig(cache=folder, memory_bytes_max=1 << 40, kv_cache_gib=1)
    pipeline = Pipeline(load_of(config, card, folder))
    scales, handles = Scales(pipeline.weigh), []
    show = pipeline._show
    monkeypatch.setattr(pipeline, "_show", lambda *args: handles.append(show(*args)) or handles[-1])
    chance = np.random.default_rng(7)
    for number in range(12):
        sizes = [tuple(map(int, chance.integers(20, 300, 2))) for _ in range(int(chance.integers(0, 4)))]
        pictures = tuple(picture(number, *size).data for size in sizes)
        text = "th".join(f"\n{place(each)}\n" for each in range(len(sizes))) + "\n\nwhat?"
        counted = scales.count(text, [size_of(each) for each in pictures])
        pipeline.add(Shown(text, pictures), pipeline.draw(Sampling(temperature=0.0), 1, False))
        while pipeline.busy():
            pipeline.step()
        assert counted == handles[-1].get_perf_metrics().get_num_input_tokens(), (number, sizes)


# -- company ---------------------------------------------------------------------------------------------


async def test_pictures_and_words_are_answered_at_once_as_they_are_alone(engine):
    prompts = [(Text(f"Question {n}"), *([picture(n)] * (n % 2)), Text("?")) for n in range(8)]
    alone = [await answer(engine, *parts, tokens_max=24) for parts in prompts]
    together = await asyncio.gather(*(answer(engine, *parts, tokens_max=24) for parts in prompts))
    assert [each.usage for each in together] == [each.usage for each in alone]
    # Kernels round differently in company, so that noise may take another turn late in an answer.
    assert [ids(each)[:2] for each in together] == [ids(each)[:2] for each in alone]
    assert [bool(each.usage.media) for each in together] == [bool(n % 2) for n in range(8)]


async def test_a_broken_picture_costs_its_request_and_nothing_else(engine):
    before = engine.state()
    body = picture(1, form="JPEG").data
    broken = (b"no picture", picture(1).data[:60], body[: len(body) // 2], b"")
    running = asyncio.create_task(answer(engine, picture(2), Text("?"), tokens_max=200))
    for data in broken:
        with pytest.raises(InvalidArgument, match="cannot be decoded"):
            await answer(engine, Text("?"), Picture(data))
    assert (await running).candidates[0].reason in (FinishReason.STOP, FinishReason.MAX_TOKENS)
    assert (engine.state().pid, engine.state().restarts) == (before.pid, 0)
    assert engine.idle


async def test_what_a_model_does_not_take_is_the_callers_mistake(folder, family, tmp_path):
    async with opened(folder, tmp_path, context_tokens_max=200) as engine:
        with pytest.raises(InputTooLong):
            await answer(engine, *[picture(1)] * 20)
        if family == "qwen2_vl":
            with pytest.raises(InvalidArgument, match="aspect ratio"):
                await answer(engine, picture(1, 10_000, 40))
        assert (await answer(engine, picture(1, 8, 8))).candidates
    async with opened(folder, tmp_path, picture_tokens_max=40) as engine:
        with pytest.raises(InvalidArgument, match="at most 40"):
            await answer(engine, *[picture(1)] * 3)
        assert (await answer(engine, picture(1))).candidates


async def test_a_prompt_that_the_tokenizer_would_cut_is_refused(family, tmp_path):
    folder = save_eyes(tmp_path / "short", family)
    _edit(folder / TOKENIZER, _limit_to(100))
    async with opened(folder, tmp_path) as engine:
        with pytest.raises(InputTooLong, match=r"\(99\)"):
            await answer(engine, Text("x" * 150))
        assert (await answer(engine, Text("x" * 50), tokens_max=5)).usage.prompt < 99


def _limit_to(tokens):
    """As tokenizers come that were converted with the limit of their model."""

    def change(_, tokenizer):
        for node in tokenizer.get_ordered_ops():
            for limit in node.inputs() if node.get_type_name() == "Minimum" else ():
                source = limit.get_source_output().get_node()
                if source.get_type_name() == "Constant":
                    cut = np.full(source.data.shape, tokens, source.data.dtype)
                    limit.replace_source_output(opset13.constant(cut).output(0))

    return change


# -- everything else an answer may be -----------------------------------------------------------------------


async def test_a_model_thinks_about_pictures(folder, tmp_path):
    async with opened(folder, tmp_path, thinking=ThinkingCard(form="qwen3")) as engine:
        got = await answer(
            engine, picture(1), Text("?"), thinking=Thinking(budget_tokens=8), tokens_max=32, logprobs=False
        )
        assert 0 < got.usage.thoughts <= 8
        assert got.usage.candidates > 0


async def test_schemas_labels_and_functions_hold_with_pictures(engine):
    shape = JsonOutput(grammar='root ::= "{\\"n\\": " [0-9] "}"', schema={"type": "object"})
    got = await answer(engine, picture(1), Text("How many?"), output=shape, tokens_max=32)
    assert got.candidates[0].text.startswith('{"n": ')
    labels = EnumOutput(grammar='root ::= "cat" | "dog"', labels=("cat", "dog"))
    got = await answer(engine, picture(1), output=labels)
    assert got.candidates[0].text in ("cat", "dog")
    assert [each.token for each in got.candidates[0].logprobs[0].alternatives]
    tool = Tool("f", "", {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]})
    got = await answer(
        engine, picture(1), Text("Call."), tools=(tool,), call_mode="any", tokens_max=200, logprobs=False
    )
    assert got.candidates[0].calls[0].name == "f"


async def test_several_answers_to_one_picture(engine):
    got = await answer(engine, picture(1), candidates=2, sampling=Sampling(temperature=1.0, seed=4))
    assert len(got.candidates) == 2
    assert got.usage.prompt == (await engine.count(asked(picture(1)))).prompt
