"""Clients of real servers, who ask, hang up and come again at random, and keep what they were told."""

import asyncio
import json
import random
from collections.abc import Sequence

import httpx
import msgspec

from geminid.core.usage import Usage

UNARY, STREAM = ":generateContent", ":streamGenerateContent?alt=sse"
SCRIPT = """
[[rule]]
match = "^refused"
fail = "UNAVAILABLE"

[[rule]]
match = "^breaks"
text = " word"
repeat = 9
fail = "INTERNAL"
fail_after_tokens = 3

[[rule]]
match = "^slowly"
text = " word"
repeat = 40
token_ms = 4
"""
KINDS = ("echo this back", "echo", "refused", "breaks off", "slowly please", "slowly, and once more")


class Told(msgspec.Struct):
    """What a client knows of one request. chunks: events with words that it has read, of a stream.

    usage: as the whole answer said; None of one that did not come whole.
    """

    receipt: str
    chunks: int = 0
    cost_nano: int | None = None
    usage: Usage | None = None


class Clients:
    """Ask ``urls``, which change while they do. ``answers`` is by status, 0 where there was none."""

    def __init__(self, urls: Sequence[str], model: str, keys: Sequence[str], seed: int) -> None:
        self.urls = list(urls)
        self._path = f"/v1beta/models/{model}"
        self._keys = keys
        self._seed = seed
        self.told: list[Told] = []
        self.answers: dict[int, int] = {}

    async def crowd(self, count: int, over: asyncio.Event) -> None:
        """Be so many clients until it is over."""
        await asyncio.gather(*(self._client(number, over) for number in range(count)))

    async def _client(self, number: int, over: asyncio.Event) -> None:
        chance = random.Random(f"client {self._seed} {number}")
        async with httpx.AsyncClient(timeout=30) as http:
            while not over.is_set():
                try:
                    async with asyncio.timeout(chance.uniform(0, 0.1) if chance.random() < 0.2 else 30):
                        status = await self._ask(http, chance)
                except (httpx.TransportError, TimeoutError):
                    status = 0
                self.answers[status] = self.answers.get(status, 0) + 1
                if status not in (200, 503):
                    await asyncio.sleep(0.01)

    async def _ask(self, http: httpx.AsyncClient, chance: random.Random) -> int:
        headers = {"x-goog-api-key": chance.choice(self._keys)}
        if chance.random() < 0.2:
            headers["x-geminid-request-id"] = f"again-{chance.randrange(200)}"
        if chance.random() < 0.1:
            headers["x-server-timeout"] = str(chance.uniform(0.01, 0.2))
        text = chance.choice(KINDS)
        body = {
            "contents": [{"parts": [{"text": f"{text} {chance.randrange(100)}"}]}],
            "generationConfig": {"maxOutputTokens": chance.choice((5, 30, 100))},
        }
        url = chance.choice(self.urls) + self._path
        if chance.random() < 0.5:
            return await self._unary(http, url, headers, body)
        leaves_after = chance.randrange(20) if chance.random() < 0.4 else 10_000
        return await self._stream(http, url, headers, body, leaves_after)

    async def _unary(self, http: httpx.AsyncClient, url: str, headers: dict, body: dict) -> int:
        answer = await http.post(url + UNARY, headers=headers, json=body)
        if answer.status_code == 200:
            cost = int(answer.headers["x-geminid-cost-nano"])
            receipt = answer.headers["x-geminid-receipt"]
            self.told.append(Told(receipt, cost_nano=cost, usage=_usage(answer.json())))
        return answer.status_code

    async def _stream(
        self, http: httpx.AsyncClient, url: str, headers: dict, body: dict, leaves_after: int
    ) -> int:
        async with http.stream("POST", url + STREAM, headers=headers, json=body) as answer:
            if answer.status_code != 200:
                await answer.aread()
                return answer.status_code
            told = Told(answer.headers["x-geminid-receipt"])
            self.told.append(told)
            async for line in answer.aiter_lines():
                if not line:
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                if "error" in chunk:
                    break
                (candidate,) = chunk["candidates"]
                told.chunks += any(part.get("text") for part in candidate.get("content", {}).get("parts", ()))
                if "finishReason" in candidate:
                    told.usage = _usage(chunk)
                if told.chunks >= leaves_after:
                    break
        return 200


def _usage(answer: dict) -> Usage:
    told = answer["usageMetadata"]
    return Usage(
        prompt=told["promptTokenCount"],
        cached=told.get("cachedContentTokenCount", 0),
        candidates=told.get("candidatesTokenCount", 0),
        thoughts=told.get("thoughtsTokenCount", 0),
    )
