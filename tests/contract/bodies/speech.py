"""OpenAI's transcriptions and translations."""

import json
from collections.abc import Iterable
from typing import Any

from contract.bodies.remarks import TABLED, but, less, refused
from contract.fields import Request, Row
from geminid.wire.openai import audio

SOUND = Row("file", (), "sound or film, as a part of a form", "honoured")
SPEAKERS = "speakers are not told apart"


def transcriptions_sdk() -> Iterable[Any]:
    from openai.types.audio import transcription_create_params as params

    return (params.TranscriptionCreateParamsNonStreaming, params.TranscriptionCreateParamsStreaming)


def translations_sdk() -> Iterable[Any]:
    from openai.types.audio import translation_create_params as params

    return (params.TranslationCreateParams,)


TRANSCRIPTIONS = Request(
    "POST /v1/audio/transcriptions",
    (audio.TranscriptionForm,),
    transcriptions_sdk,
    more=(SOUND,),
    least={"model": "whisper-1"},
    read=lambda body: audio.read_transcription(json.loads(body)).downgrades,
    remarks={
        "response_format": but(TABLED, "`diarized_json`", {"response_format": "diarized_json"}),
        "stream": but(TABLED, "with a `response_format` other than `json` and `text`"),
        "timestamp_granularities": but(
            TABLED, "without `verbose_json`", {"timestamp_granularities[]": "word"}
        ),
        "include": refused(TABLED, "let through: an empty list", {"include[]": "logprobs"}),
        "languages": less(
            "languages=found-out",
            "of several, which one is spoken is found out",
            {"languages[0]": "de", "languages[1]": "en"},
        ),
        "known_speaker_names": refused(TABLED, SPEAKERS, {"known_speaker_names[]": "Ada"}),
        "known_speaker_references": refused(TABLED, SPEAKERS, {"known_speaker_references[]": "x"}),
    },
)
TRANSLATIONS = Request(
    "POST /v1/audio/translations",
    (audio.TranslationForm,),
    translations_sdk,
    more=(SOUND,),
    least={"model": "whisper-1"},
    read=lambda body: audio.read_translation(json.loads(body)).downgrades,
)
