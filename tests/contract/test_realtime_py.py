"""OpenAI's official Python SDK, unmodified: live sessions over WebSocket."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager

import openai
import pytest
import websockets

from made.sounds import RATE, silence, spoken
from serving import Server, serving
from tenants import PRICES, balance_of, proved, rows_of, tenant

proves = pytest.mark.proves

MODEL = "gemini-3.1-flash-lite"
WAIT_S = 60
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CREDIT = 10**9
QUIET = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


@asynccontextmanager
async def live(server: Server, key="sk-any", model=MODEL, **options):
    """A connection of the SDK, with its first event read."""
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{server.url}/v1", max_retries=0) as client:
        given = {"model": model} if model else {}
        async with client.realtime.connect(**given, **options) as connection:
            created = await read(connection)
            assert created.type == "session.created"
            yield connection, created.session


async def read(connection):
    async with asyncio.timeout(WAIT_S):
        return await connection.recv()


async def until(connection, kind):
    """All events up to the first of a kind."""
    events = []
    while not events or events[-1].type != kind:
        events.append(await read(connection))
        if kind != "error":
            assert events[-1].type != "error", events[-1]
    return events


async def say(connection, text):
    content = [{"type": "input_text", "text": text}]
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    await until(connection, "conversation.item.done")


async def ask(connection, text, **response):
    await say(connection, text)
    await connection.response.create(**({"response": response} if response else {}))
    return await until(connection, "response.done")


async def problem(connection):
    (error,) = await until(connection, "error")
    return error.error


def text_of(events):
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


# -- sessions ------------------------------------------------------------------------------------------


@proves("live sessions · session.created")
async def test_a_session_begins(scripted):
    async with live(scripted) as (_, session):
        assert session.type == "realtime"
        assert (session.model, session.output_modalities) == (MODEL, ["text"])
        assert session.audio.input.turn_detection.type == "server_vad"


@proves("live sessions · session.update, session.updated")
async def test_a_session_is_changed(scripted):
    async with live(scripted) as (connection, _):
        await connection.session.update(
            session={
                "type": "realtime",
                "instructions": "Be brief.",
                "tools": [TOOL],
                "max_output_tokens": 5,
                "audio": {"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}},
            }
        )
        (updated,) = await until(connection, "session.updated")
        assert updated.session.audio.input.format.type == "audio/pcmu"
        await connection.session.update(
            session={"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}}
        )
        (updated,) = await until(connection, "session.updated")
        assert updated.session.instructions == "Be brief."
        assert updated.session.audio.input.turn_detection is None
        assert text_of(await ask(connection, "count to ten")) == "one two three four five"


@proves("live sessions · output_modalities audio, semantic_vad, noise_reduction, prompt: refused")
@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"output_modalities": ["audio"]}, "session.output_modalities"),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
            "session.audio.input.turn_detection.type",
        ),
        (
            {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}},
            "session.audio.input.noise_reduction",
        ),
        ({"prompt": {"id": "pmpt_1"}}, "session.prompt"),
    ],
)
async def test_what_is_not_served_is_refused(scripted, said, param):
    async with live(scripted) as (connection, _):
        await connection.session.update(session={"type": "realtime", **said}, event_id="mine")
        error = await problem(connection)
        assert (error.param, error.code, error.event_id) == (param, "unsupported_parameter", "mine")
        assert text_of(await ask(connection, "hello")) == "hello"


# -- answers -------------------------------------------------------------------------------------------


@proves("live sessions · a text turn, its events in order")
async def test_a_text_turn(scripted):
    async with live(scripted) as (connection, _):
        events = await ask(connection, "hello there world")
        kinds = [event.type for event in events]
        assert kinds == [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            *["response.output_text.delta"] * kinds.count("response.output_text.delta"),
            "response.output_text.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert text_of(events) == "hello there world"
        assert len({event.event_id for event in events}) == len(events)


@proves("live sessions · response.done with usage")
async def test_usage(scripted):
    async with live(scripted) as (connection, _):
        response = (await ask(connection, "hello there world"))[-1].response
        assert (response.status, response.object) == ("completed", "realtime.response")
        usage = response.usage
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (3, 3, 6)
        assert usage.input_token_details.text_tokens == 3
        assert response.output[0].content[0].text == "hello there world"


@proves("live sessions · the conversation goes on")
async def test_turns_add_up(scripted):
    async with live(scripted) as (connection, _):
        first = (await ask(connection, "one"))[-1].response.usage
        second = (await ask(connection, "two three"))[-1].response.usage
        assert second.input_tokens == first.total_tokens + 2


@proves("live sessions · a function is called, and its result answered")
async def test_a_tool_turn(scripted):
    async with live(scripted) as (connection, _):
        await connection.session.update(session={**QUIET, "tools": [TOOL]})
        await until(connection, "session.updated")
        events = await ask(connection, "the weather in Boston, please")
        (done,) = [each for each in events if each.type == "response.function_call_arguments.done"]
        assert json.loads(done.arguments) == {"city": "Boston"}
        assert done.name == "get_weather"
        (call,) = events[-1].response.output
        assert (call.type, call.call_id) == ("function_call", done.call_id)
        output = {"type": "function_call_output", "call_id": done.call_id, "output": '{"sky": "clear"}'}
        await connection.conversation.item.create(item=output)
        await until(connection, "conversation.item.done")
        await connection.response.create()
        assert text_of(await until(connection, "response.done")).startswith("It is ")


@proves("live sessions · response.create with its own instructions, input, metadata, conversation none")
async def test_an_answer_beside_the_conversation(scripted):
    async with live(scripted) as (connection, _):
        await say(connection, "unheard")
        content = [{"type": "input_text", "text": "hello"}]
        await connection.response.create(
            response={
                "conversation": "none",
                "metadata": {"topic": "beside"},
                "input": [{"type": "message", "role": "user", "content": content}],
            }
        )
        events = await until(connection, "response.done")
        assert text_of(events) == "hello"
        assert events[-1].response.conversation_id is None
        assert events[-1].response.metadata == {"topic": "beside"}
        assert not [each for each in events if each.type.startswith("conversation.")]


@proves("live sessions · max_output_tokens")
async def test_an_answer_that_is_cut(scripted):
    async with live(scripted) as (connection, _):
        response = (await ask(connection, "count to ten", max_output_tokens=3))[-1].response
        assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
        assert response.output[0].content[0].text == "one two three"


@proves("live sessions · response.cancel")
async def test_an_answer_is_taken_back(scripted):
    async with live(scripted) as (connection, _):
        await say(connection, "slowly")
        await connection.response.create()
        await until(connection, "response.output_text.delta")
        await connection.response.cancel()
        response = (await until(connection, "response.done"))[-1].response
        assert (response.status, response.status_details.reason) == ("cancelled", "client_cancelled")
        assert response.output[0].status == "incomplete"
        assert 0 < response.usage.output_tokens < 2000
        assert text_of(await ask(connection, "hello")) == "hello"
        await connection.response.cancel()
        assert (await problem(connection)).code == "response_cancel_not_active"


@proves("live sessions · one answer at a time")
async def test_one_answer_at_a_time(scripted):
    async with live(scripted) as (connection, _):
        await say(connection, "slowly")
        await connection.response.create()
        await connection.response.create(event_id="second")
        events = await until_error(connection)
        assert events[-1].error.code == "conversation_already_has_active_response"
        assert events[-1].error.event_id == "second"
        await connection.response.cancel()
        await until(connection, "response.done")


async def until_error(connection):
    events = []
    while not events or events[-1].type != "error":
        events.append(await read(connection))
    return events


@proves("live sessions · a failed answer")
async def test_a_failed_answer(scripted):
    async with live(scripted) as (connection, _):
        response = (await ask(connection, "fail now with UNAVAILABLE"))[-1].response
        assert (response.status, response.status_details.error.type) == ("failed", "server_error")
        response = (await ask(connection, "break after three"))[-1].response
        assert response.status == "failed"
        assert response.output[0].content[0].text == "one two three"
        assert response.output[0].status == "incomplete"
        await connection.conversation.item.delete(item_id=response.output[0].id)
        await until(connection, "conversation.item.deleted")
        assert text_of(await ask(connection, "hello")) == "hello"


@proves("live sessions · conversation.item.create, retrieve, delete; previous_item_id")
async def test_items(scripted):
    async with live(scripted) as (connection, _):
        for name in ("b", "a"):
            content = [{"type": "input_text", "text": name}]
            item = {"id": name, "type": "message", "role": "user", "content": content}
            await connection.conversation.item.create(item=item, previous_item_id="root")
            events = await until(connection, "conversation.item.done")
            assert [event.type for event in events] == ["conversation.item.added", "conversation.item.done"]
            assert events[0].previous_item_id is None
        await connection.conversation.item.retrieve(item_id="a")
        (retrieved,) = await until(connection, "conversation.item.retrieved")
        assert retrieved.item.content[0].text == "a"
        await connection.conversation.item.delete(item_id="a")
        await until(connection, "conversation.item.deleted")
        await connection.conversation.item.retrieve(item_id="a")
        assert (await problem(connection)).code == "item_not_found"
        await connection.conversation.item.truncate(item_id="b", content_index=0, audio_end_ms=1)
        assert (await problem(connection)).param == "item_id"


@proves("live sessions · synchronously")
@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager")  # how the SDK uses it
def test_synchronously(scripted):
    with (
        openai.OpenAI(api_key="sk-any", base_url=f"{scripted.url}/v1") as client,
        client.realtime.connect(model=MODEL) as connection,
    ):
        content = [{"type": "input_text", "text": "hello there"}]
        connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        connection.response.create()
        said = ""
        for event in connection:
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type == "response.done":
                break
    assert said == "hello there"


# -- sound ---------------------------------------------------------------------------------------------


def pcm(*sounds):
    """Sound as a microphone sends it: 24 kHz, 16 bits."""
    import numpy as np

    samples = np.concatenate(sounds).astype(np.float64)
    at = np.arange(int(len(samples) * 24_000 / RATE)) * RATE / 24_000
    return np.interp(at, np.arange(len(samples)), samples).astype("<i2").tobytes()


async def send_sound(connection, data, piece=9_600):
    for start in range(0, len(data), piece):
        audio = base64.b64encode(data[start : start + piece]).decode()
        await connection.input_audio_buffer.append(audio=audio)


@proves("live sessions · input_audio_buffer.append, commit, clear")
async def test_sound_waits_until_it_is_committed(scripted):
    async with live(scripted) as (connection, _):
        await connection.session.update(session=QUIET)
        await until(connection, "session.updated")
        await connection.input_audio_buffer.commit()
        assert (await problem(connection)).code == "input_audio_buffer_commit_empty"
        await send_sound(connection, pcm(silence(0.5)))
        await connection.input_audio_buffer.clear()
        await until(connection, "input_audio_buffer.cleared")
        data = pcm(silence(0.3))
        await send_sound(connection, data)
        await connection.input_audio_buffer.commit()
        events = await until(connection, "conversation.item.done")
        assert [event.type for event in events] == [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ]
        await connection.conversation.item.retrieve(item_id=events[0].item_id)
        (retrieved,) = await until(connection, "conversation.item.retrieved")
        assert base64.b64decode(retrieved.item.content[0].audio) == data


@proves("live sessions · server_vad: speech_started, speech_stopped")
async def test_turns_are_detected(scripted):
    async with live(scripted) as (connection, _):
        vad = {"type": "server_vad", "silence_duration_ms": 400, "create_response": False}
        await connection.session.update(
            session={"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
        )
        await until(connection, "session.updated")
        await send_sound(connection, pcm(silence(1.0), spoken("Good morning to you all."), silence(1.0)))
        started, stopped, committed, *_ = await until(connection, "conversation.item.done")
        assert (started.type, stopped.type) == (
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
        )
        assert started.item_id == stopped.item_id == committed.item_id
        assert 600 <= started.audio_start_ms <= 1_100
        assert stopped.audio_end_ms > started.audio_start_ms + 1_000


@proves("live sessions · interrupt_response")
async def test_whoever_speaks_ends_the_answer(scripted):
    async with live(scripted) as (connection, _):
        await say(connection, "slowly")
        await connection.response.create()
        await until(connection, "response.output_text.delta")
        await send_sound(connection, pcm(spoken("Stop, please.")))
        response = (await until(connection, "response.done"))[-1].response
        assert (response.status, response.status_details.reason) == ("cancelled", "turn_detected")


@pytest.fixture(scope="module")
def hearing(tmp_path_factory) -> Iterator[Server]:
    """A server that answers from a script, and hears in earnest."""
    with serving(tmp_path_factory.mktemp("live"), "--model", "scripted", "--pull") as server:
        yield server


@pytest.mark.e2e
@proves("live sessions · a spoken turn, transcribed and answered")
async def test_a_spoken_turn(hearing):
    async with live(hearing) as (connection, _):
        vad = {"type": "server_vad", "silence_duration_ms": 500}
        sound = {"turn_detection": vad, "transcription": {"model": "gpt-4o-transcribe", "language": "en"}}
        await connection.session.update(session={"type": "realtime", "audio": {"input": sound}})
        await until(connection, "session.updated")
        await send_sound(
            connection, pcm(silence(0.5), spoken("The delivery arrives on Friday."), silence(1.0))
        )
        events = await until(connection, "response.done")
        begin = "conversation.item.input_audio_transcription."
        (completed,) = [event for event in events if event.type == f"{begin}completed"]
        deltas = [event.delta for event in events if event.type == f"{begin}delta"]
        assert "".join(deltas) == completed.transcript
        assert {"delivery", "friday."} <= {*completed.transcript.lower().split()}
        assert completed.usage.input_token_details.audio_tokens % 32 == 0
        assert text_of(events) == completed.transcript
        assert events[-1].response.usage.input_token_details.audio_tokens > 0


@pytest.mark.e2e
@proves("live sessions · a spoken turn without transcription: heard as in a chat")
@pytest.mark.parametrize("kind", ["audio/pcm", "audio/pcmu"])
async def test_a_spoken_turn_that_is_committed(hearing, kind):
    async with live(hearing) as (connection, _):
        sound = {"turn_detection": None, "format": {"type": kind}}
        await connection.session.update(session={"type": "realtime", "audio": {"input": sound}})
        await until(connection, "session.updated")
        data = pcm(spoken("The delivery arrives on Friday."))
        await send_sound(connection, data if kind == "audio/pcm" else mulaw(data))
        await connection.input_audio_buffer.commit()
        await until(connection, "conversation.item.done")
        await connection.response.create()
        events = await until(connection, "response.done")
        assert "Friday" in text_of(events)
        assert "English. Transcript with times:" in text_of(events)


def mulaw(data):
    """G.711 at 8 kHz of 16-bit samples at 24 kHz (ITU-T G.711, its table of segments)."""
    import numpy as np

    samples = np.frombuffer(data, "<i2").astype(int)
    samples = samples[: len(samples) // 3 * 3].reshape(-1, 3).mean(axis=1).astype(int)
    sign = np.where(samples < 0, 0x80, 0)
    biased = np.minimum(np.abs(samples), 32_635) + 0x84
    exponent = np.floor(np.log2(biased)).astype(int) - 7
    mantissa = (biased >> (exponent + 3)) & 0x0F
    return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8).tobytes()


@pytest.mark.e2e
@proves("live sessions · transcription sessions")
async def test_a_session_that_only_hears(hearing):
    async with live(hearing, model=None, extra_query={"intent": "transcription"}) as (connection, session):
        assert session.type == "transcription"
        await send_sound(
            connection, pcm(silence(0.3), spoken("The delivery arrives on Friday."), silence(1.0))
        )
        events = await until(connection, "conversation.item.input_audio_transcription.completed")
        assert "Friday" in events[-1].transcript
        await connection.response.create()
        assert (await problem(connection)).message.startswith("A transcription session")


# -- keys, pages, secrets ------------------------------------------------------------------------------


def ws(server):
    return server.url.replace("http", "ws", 1) + f"/v1/realtime?model={MODEL}"


async def status_of(url, **options):
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with websockets.connect(url, **options):
            pass
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"]


@proves("live sessions · keys: Bearer, and the subprotocol of browsers")
async def test_keys(keyed):
    url = ws(keyed)
    status, error = await status_of(url)
    assert status == 401
    status, error = await status_of(url, additional_headers={"Authorization": "Bearer sk-wrong"})
    assert (status, error["code"]) == (401, "invalid_api_key")
    async with live(keyed, "sk-one") as (_, session):
        assert session.model == MODEL
    protocols = ["realtime", "openai-insecure-api-key.sk-two"]
    async with websockets.connect(url, subprotocols=protocols) as connection:
        assert connection.subprotocol == "realtime"
        assert json.loads(await connection.recv())["type"] == "session.created"


@proves("live sessions · unknown models and calls are refused")
async def test_what_is_not_there(scripted):
    base = scripted.url.replace("http", "ws", 1) + "/v1/realtime"
    status, error = await status_of(f"{base}?model=nosuch")
    assert (status, error["code"]) == (404, "model_not_found")
    status, error = await status_of(base)
    assert (status, error["param"]) == (400, "model")
    assert (await status_of(f"{base}?call_id=rtc_1"))[0] == 404


async def test_pages_of_other_origins_open_no_session(tmp_path):
    environ = {"GEMINID_SERVER_CORS_ORIGINS": "https://mine.example", "GEMINID_REALTIME_SESSIONS_MAX": "1"}
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        status, _ = await status_of(ws(server), origin="https://other.example")
        assert status == 403
        async with websockets.connect(ws(server), origin="https://mine.example") as connection:
            assert json.loads(await connection.recv())["type"] == "session.created"
            status, error = await status_of(ws(server))
            assert (status, error["type"]) == (503, "server_error")


@proves("live sessions · client_secrets")
async def test_a_secret_for_a_page(keyed):
    with openai.OpenAI(api_key="sk-one", base_url=f"{keyed.url}/v1", max_retries=0) as client:
        made = client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": MODEL, "instructions": "Be brief."},
        )
        assert made.value.startswith("ek_")
        assert made.session.instructions == "Be brief."
        with pytest.raises(openai.BadRequestError) as caught:
            client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 5})
        assert caught.value.param == "expires_after.seconds"
    async with live(keyed, made.value, model=None) as (connection, session):
        assert (session.model, session.instructions) == (MODEL, "Be brief.")
        assert text_of(await ask(connection, "hello")) == "hello"
    with (
        openai.OpenAI(api_key=made.value, base_url=f"{keyed.url}/v1", max_retries=0) as page,
        pytest.raises(openai.AuthenticationError),
    ):
        page.models.list()
    status, error = await status_of(
        ws(keyed), additional_headers={"Authorization": f"Bearer {made.value[:-3]}AAA"}
    )
    assert (status, error["code"]) == (401, "invalid_api_key")


# -- money ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paid(tmp_path_factory) -> Iterator[tuple[Server, str]]:
    folder = tmp_path_factory.mktemp("paid")
    (folder / "prices.toml").write_text(PRICES)
    script = folder / "script.toml"
    script.write_text('[[rule]]\nmatch = "^slowly"\ntext = "tick "\nrepeat = 2000\ntoken_ms = 5\n')
    environ = {
        "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
        "GEMINID_SCRIPTED_SCRIPT": str(script),
    }
    (folder / "data").mkdir()
    url = f"sqlite:///{folder / 'data' / 'geminid.db'}"
    tenant(url, "first")  # from the start the server wants keys
    with serving(folder, "--model", "scripted", environ=environ) as server:
        yield server, url


@proves("live sessions · metered: price, credits, limits")
async def test_each_answer_is_on_the_bill(paid):
    server, url = paid
    key = await asyncio.to_thread(tenant, url, "talks", CREDIT)
    async with live(server, key) as (connection, _):
        usage = (await ask(connection, "one two three"))[-1].response.usage
    (row,) = await asyncio.to_thread(rows_of, url, "talks")
    assert (row.usage.prompt, row.usage.candidates) == (usage.input_tokens, usage.output_tokens) == (3, 3)
    balance = await asyncio.to_thread(balance_of, url, "talks")
    assert balance.posted_nano == CREDIT - row.cost_nano == CREDIT - 9_000
    poor = await asyncio.to_thread(tenant, url, "poor", 1)
    async with live(server, poor) as (connection, _):
        response = (await ask(connection, "one"))[-1].response
        assert (response.status, response.status_details.error.code) == ("failed", "insufficient_quota")
    await asyncio.to_thread(proved, url)


async def test_who_cancels_pays_what_is_told(paid):
    server, url = paid
    key = await asyncio.to_thread(tenant, url, "cancels", CREDIT)
    async with live(server, key) as (connection, _):
        await say(connection, "slowly")
        await connection.response.create()
        await until(connection, "response.output_text.delta")
        await connection.response.cancel()
        usage = (await until(connection, "response.done"))[-1].response.usage
    (row,) = await asyncio.to_thread(rows_of, url, "cancels")
    assert row.outcome == "cancelled"
    assert (row.usage.prompt, row.usage.candidates) == (usage.input_tokens, usage.output_tokens)
    assert row.cost_nano > 0


async def test_who_hangs_up_pays_for_what_was_produced(paid):
    server, url = paid
    key = await asyncio.to_thread(tenant, url, "leaves", CREDIT)
    async with websockets.connect(
        ws(server), additional_headers={"Authorization": f"Bearer {key}"}
    ) as connection:
        content = [{"type": "input_text", "text": "slowly"}]
        item = {"type": "message", "role": "user", "content": content}
        await connection.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await connection.send('{"type": "response.create"}')
        while json.loads(await connection.recv())["type"] != "response.output_text.delta":
            pass
        connection.transport.abort()
    for _ in range(400):
        if rows := await asyncio.to_thread(rows_of, url, "leaves"):
            break
        await asyncio.sleep(0.05)
    assert rows[0].outcome == "cancelled"
    assert 0 < rows[0].usage.candidates < 2000
    assert rows[0].cost_nano == 1_000 * rows[0].usage.prompt + 2_000 * rows[0].usage.candidates
    assert server.engine("scripted")["producing"] == 0
    await asyncio.to_thread(proved, url)
