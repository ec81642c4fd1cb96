"""The part of the composition root for sound and live sessions: the speech model, answers and money in, their
routes out.

Only the composition root imports it.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.routing import BaseRoute

from geminid.app_media import Readers
from geminid.catalog.catalog import Catalog
from geminid.catalog.pull import located
from geminid.catalog.speech import speech_card
from geminid.config import Config
from geminid.core.card import SpeechCard
from geminid.service.client_secrets import ClientSecrets
from geminid.service.digests import Digester
from geminid.service.generate import Generator
from geminid.service.meter import Meter
from geminid.service.transcribe import Transcriptions
from geminid.store.database import Database
from geminid.web.auth import Doorkeeper
from geminid.web.openai.audio import AudioApi
from geminid.web.openai.realtime import RealtimeApi


class SpeechMeans(NamedTuple):
    """What sound and live sessions stand on."""

    room: Readers
    database: Database
    meter: Meter
    generator: Generator
    doorkeeper: Doorkeeper


async def speaking(config: Config, catalog: Catalog, means: SpeechMeans) -> list[BaseRoute]:
    """Return the routes of sound and of live sessions."""
    card = speech_card(config.media.speech, catalog) if config.media.speech else None

    def speech() -> SpeechCard | None:
        return card if card is not None and located(card, config.cache()) is not None else None

    transcriptions = Transcriptions(
        speech,
        catalog.speech_aliases,
        means.room.pool,
        means.generator.observe,
        meter=means.meter,
    )
    incoming, doorkeeper = means.room.incoming, means.doorkeeper
    secrets = ClientSecrets(await Digester.open(means.database), doorkeeper.is_open)
    audio = AudioApi(transcriptions, doorkeeper, config.server, incoming)
    realtime = RealtimeApi(means.generator, transcriptions, doorkeeper, secrets, config, incoming)
    return [*audio.routes(), *realtime.routes()]
