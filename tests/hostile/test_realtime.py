"""Live sessions against clients that mean harm: whatever they send, the server goes on, and so do the others."""

import asyncio
import base64
import json
import random

import pytest
import websockets

from serving import serving

MODEL = "gemini-3.1-flash-lite"
WAIT_S = 60
SEED = 20261125


def address(server):
    return server.url.replace("http", "ws", 1) + f"/v1/realtime?model={MODEL}"


async def read(connection):
    async with asyncio.timeout(WAIT_S):
        return json.loads(await connection.recv())


async def until(connection, kind):
    while (event := await read(connection))["type"] != kind:
        pass
    return event


async def opened(server):
    connection = await websockets.connect(address(server), max_size=None)
    assert (await read(connection))["type"] == "session.created"
    return connection


async def answers(connection):
    """The session still answers."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    await connection.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await connection.send('{"type": "response.create"}')
    assert (await until(connection, "response.done"))["response"]["status"] == "completed"


FRAMES = {
    "binary": b"\x00\xff" * 100,
    "no JSON": "not json",
    "a list": "[1, 2]",
    "null": "null",
    "deep": "[" * 100_000,
    "deep object": '{"type":"response.create","response":' + '{"metadata":' * 5_000,
    "no type": "{}",
    "half a character": '{"type": "\\ud800"}',
    "a number as type": '{"type": 7}',
    "a long name": json.dumps({"type": "x" * 100_000}),
    "many names": json.dumps({"type": "response.create", **{f"n{i}": i for i in range(10_000)}}),
    "a bad event id": '{"type": "response.create", "event_id": {"a": 1}}',
    "infinity": '{"type":"session.update","session":{"type":"realtime","max_output_tokens":1e999}}',
    "no base64": '{"type":"input_audio_buffer.append","audio":"%%%"}',
    "too much sound": json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * (5 * 2**20 + 1)}),
    "a wrong picture": json.dumps(
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_image", "image_url": "data:image/png;base64,"}],
            },
        }
    ),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_bad_event_is_an_error_and_the_session_goes_on(scripted, name):
    connection = await opened(scripted)
    await connection.send(FRAMES[name])
    error = await read(connection)
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert len(json.dumps(error)) < 10_000
    await answers(connection)
    await connection.close()


async def test_a_frame_that_is_too_large_ends_its_own_session_only(scripted):
    connection, other = await opened(scripted), await opened(scripted)
    with pytest.raises(websockets.ConnectionClosed) as caught:
        await connection.send("x" * (25 * 2**20))
        await read(connection)
    assert caught.value.rcvd is None or caught.value.rcvd.code == 1009
    await answers(other)
    await other.close()


async def test_what_one_session_may_hold_is_bounded(tmp_path):
    environ = {"GEMINID_REALTIME_SESSION_BYTES_MAX": str(1024 * 1024)}
    with serving(tmp_path, "--model", "scripted", environ=environ) as server:
        connection = await opened(server)
        await connection.send(
            '{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":null}}}}'
        )
        await until(connection, "session.updated")
        audio = base64.b64encode(bytes(300_000)).decode()
        for _ in range(4):
            await connection.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        assert (await until(connection, "error"))["error"]["code"] == "session_full"
        await connection.send('{"type":"input_audio_buffer.clear"}')
        await until(connection, "input_audio_buffer.cleared")
        await answers(connection)
        await connection.close()


async def test_events_cut_at_random_never_end_a_session(scripted):
    chance = random.Random(SEED)
    connection = await opened(scripted)
    whole = [
        '{"type":"session.update","session":{"type":"realtime","instructions":"x","tools":[]}}',
        '{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[]}}',
        '{"type":"response.cancel"}',
        '{"type":"input_audio_buffer.append","audio":"AAAA"}',
    ]
    for _ in range(200):
        text = chance.choice(whole)
        at = chance.randrange(len(text))
        await connection.send(text[:at] + chance.choice(["", "\\", '"', "}", "\u0000", "é"]) + text[at + 1 :])
    await answers(connection)
    await connection.close()


async def test_a_client_that_reads_nothing_holds_up_nobody(scripted):
    deaf, other = await opened(scripted), await opened(scripted)
    deaf.transport.pause_reading()
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "long"}]}
    await deaf.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await deaf.send('{"type": "response.create"}')
    await answers(other)
    deaf.transport.abort()
    await other.close()


async def test_sessions_that_are_idle_or_old_are_ended_and_told_why(tmp_path):
    for setting, words in (("IDLE_S_MAX", "Nothing was sent"), ("SESSION_S_MAX", "maximum duration")):
        folder = tmp_path / setting
        folder.mkdir()
        environ = {f"GEMINID_REALTIME_{setting}": "1"}
        with serving(folder, "--model", "scripted", environ=environ) as server:
            connection = await opened(server)
            error = (await until(connection, "error"))["error"]
            assert error["code"] == "session_expired"
            assert words in error["message"]
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await read(connection)
            assert caught.value.rcvd.code == 1001


async def test_a_server_that_stops_ends_its_sessions(tmp_path):
    with serving(tmp_path, "--model", "scripted") as server:
        connection = await opened(server)
        server.process.terminate()
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await read(connection)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1012
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        assert "Traceback" not in server.log.read_text()


async def test_keys_are_not_in_the_log(tmp_path):
    with serving(tmp_path, "--model", "scripted") as server:
        async with websockets.connect(f"{address(server)}&key=sk-geheim") as connection:
            await read(connection)
        assert "geheim" not in server.log.read_text()
