"""What was said in a live session, written down beside it: a few turns at a time.

It knows no answer. Invariant: every turn that is to be written down ends in its words or in the reason why
there are none.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from geminid.core.caller import Caller
from geminid.core.disk import disk
from geminid.core.errors import Internal, Problem
from geminid.core.speech import Listen, Segment, SpeechRequest
from geminid.service.transcribe import seconds_of
from geminid.web.openai.realtime_line import Line, Means
from geminid.wire.openai.audio import BY_TOKENS, ReadAudio
from geminid.wire.openai.audio_answers import DurationUsed, Sounding, TokensUsed, usage_written
from geminid.wire.openai.realtime.events import error_of
from geminid.wire.openai.realtime.items import WAV, Kept
from geminid.wire.openai.realtime.schema import Transcribing
from geminid.wire.openai.realtime.sound import in_file

AT_ONCE = 4
"""Turns of one session that are written down at the same time; whoever sends more waits."""
BEGIN = "conversation.item.input_audio_transcription."

log = logging.getLogger("geminid.web")


class Hearings:
    """The turns of one session that are being written down."""

    def __init__(self, line: Line, caller: Caller, means: Means) -> None:
        self._line = line
        self._caller = caller
        self._means = means
        self._running: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._running)

    async def start(self, kept: Kept, said: Transcribing) -> None:
        """Have a turn written down; waits while too many are."""
        while len(self._running) >= AT_ONCE:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._hear(kept, said))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def wait(self) -> None:
        """Wait until everything that was said by now is written down."""
        if self._running:
            await asyncio.wait(tuple(self._running))

    async def end(self) -> None:
        """Give up what is not written down yet."""
        tasks = tuple(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, kept: Kept, said: Transcribing) -> None:
        about = {"item_id": kept.item.id, "content_index": 0}
        path = self._means.incoming / self._means.new_name()
        try:
            sound = kept.sounds[0]
            with disk():
                await asyncio.to_thread(path.write_bytes, in_file(sound.data, sound.format))
            text, usage = await self._transcribed(path, said, about)
            kept.heard(0, text)
            await self._line.tell(f"{BEGIN}completed", **about, transcript=text, usage=usage)
        except Problem as problem:
            await self._line.tell(f"{BEGIN}failed", **about, error=error_of(problem))
        except Exception:
            log.exception("a turn of a live session could not be written down")
            error = error_of(Internal("Internal error encountered."))
            await self._line.tell(f"{BEGIN}failed", **about, error=error)
        finally:
            path.unlink(missing_ok=True)

    async def _transcribed(
        self, path: Path, said: Transcribing, about: dict[str, Any]
    ) -> tuple[str, TokensUsed | DurationUsed]:
        """Return what was said, and what that took; told while it is heard."""
        words = (said.prompt or "", ", ".join(said.keywords or ()))
        listen = Listen(language=(said.language or "").lower(), prompt=" ".join(filter(None, words)))
        request = SpeechRequest(model=said.model, mime_type=WAV, listen=listen)
        read, text = ReadAudio(request, "json", by_tokens=said.model in BY_TOKENS), ""
        opened = self._means.transcriptions.transcribe(
            request, path, self._caller, deadline_ms=self._means.request_ms_max
        )
        async with opened as hearing:
            async for event in hearing.events:
                if isinstance(event, Segment):
                    delta = event.text if text else event.text.lstrip()
                    text += delta
                    await self._line.tell(f"{BEGIN}delta", **about, delta=delta)
            length_ms = hearing.listening.length_ms
            return text, usage_written(read, Sounding(length_ms, seconds_of(length_ms), hearing.usage()))
