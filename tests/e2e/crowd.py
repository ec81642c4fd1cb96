"""Many requests at once, and how many: a handful in every run, all of them where a promise is proved."""

import asyncio
import json
import os
from collections.abc import Iterable

import httpx

PROVING = os.environ.get("PROVE") == "all"
MODEL = "gemini-3.1-flash-lite"


def cases(some: int, all_of_them: int) -> int:
    """How many cases to run: ``make prove`` runs all of them."""
    return all_of_them if PROVING else some


async def ask_all(
    url: str, bodies: Iterable[dict], at_once: int = 32 if PROVING else 16, verb: str = "generateContent"
) -> list[httpx.Response]:
    """Send every body, so many at once, and return the answers in order."""
    turn = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(base_url=url, timeout=300) as client:

        async def ask(body: dict) -> httpx.Response:
            async with turn:
                return await client.post(f"/v1beta/models/{MODEL}:{verb}", content=json.dumps(body))

        return await asyncio.gather(*map(ask, bodies))


def contents(text: str) -> list[dict]:
    return [{"role": "user", "parts": [{"text": text}]}]


def text_of(answer: dict) -> str:
    parts = answer["candidates"][0]["content"].get("parts", [])
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def usage_of(told) -> dict:
    """The usage that an answer tells, but for what of its prompt was found computed: of two that are asked alike
    the second finds the first."""
    told = told["usageMetadata"]
    return {key: told[key] for key in told.keys() - {"cachedContentTokenCount", "cacheTokensDetails"}}
