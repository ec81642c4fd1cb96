"""OpenAI's official Python SDK, unmodified: sound written down, by a server that hears."""

import io
import json
import time
from collections.abc import Iterator

import httpx
import openai
import pytest

from made.hostile_sounds import sounds
from made.sounds import silence, speech, spoken, write_sound
from serving import Server, serving
from tenants import balance_of, proved, rows_of, tenant

pytestmark = pytest.mark.e2e

proves = pytest.mark.proves

SAID = "Good morning. The delivery arrives on Friday. Anna will open the gate."
WORDS = {"good", "morning", "delivery", "arrives", "friday", "gate"}
NAMES = ("whisper-1", "gpt-4o-mini-transcribe", "whisper-base")
PRICES = """
use = ""
[[price]]
key = "whisper-base"
input = "1"
input_audio = "3"
output = "5"
"""
CREDIT = 10**9
LONG = """The harbour was quiet when the first boats came home. Two women counted baskets of silver fish, and a
boy carried ice from the cart. Behind the market a baker lit his oven, while the mayor wrote a letter about the
broken bridge. Nobody had crossed it since the flood in April. At noon the bells rang, shops closed, and even
the dogs looked for shade. Later a train arrived with newspapers, oranges, and a doctor from the city."""
NO_FILE = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
TRANSCRIPTIONS = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sound")


@pytest.fixture(scope="module")
def hearing(folder) -> Iterator[Server]:
    """A server that answers from a script, and hears in earnest."""
    (folder / "prices.toml").write_text(PRICES)
    environ = {
        "GEMINID_BILLING_PRICES": str(folder / "prices.toml"),
        "GEMINID_MEDIA_DURATION_MS_MAX": "300000",  # endless files end sooner
    }
    with serving(folder, "--model", "scripted", "--pull", environ=environ) as server:
        yield server


@pytest.fixture(scope="module")
def client(hearing) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-any", base_url=f"{hearing.url}/v1", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def talk(folder):
    return speech(folder / "talk.wav", SAID)


def words_of(text):
    return {word.strip(".,!?").lower() for word in text.split()}


def transcribed(client, path, **options):
    with path.open("rb") as file:
        return client.audio.transcriptions.create(file=file, **{"model": "whisper-1", **options})


def refused(client, path, **options):
    with pytest.raises(openai.BadRequestError) as caught:
        transcribed(client, path, **options)
    return caught.value


@proves("sound · transcriptions, model")
@pytest.mark.parametrize("name", NAMES)
def test_every_name_hears(client, talk, name):
    answer = transcribed(client, talk, model=name)
    assert words_of(answer.text) >= WORDS
    assert answer.usage.type == ("tokens" if name.startswith("gpt") else "duration")


@proves("sound · usage, in tokens or in seconds")
def test_usage(client, talk):
    by_tokens = transcribed(client, talk, model="gpt-4o-transcribe").usage
    by_time = transcribed(client, talk).usage
    assert by_tokens.input_token_details.audio_tokens == by_tokens.input_tokens == 32 * by_time.seconds
    assert by_tokens.total_tokens == by_tokens.input_tokens + by_tokens.output_tokens
    assert by_tokens.output_tokens > len(SAID.split())


@proves("sound · file: every kind of sound, and films")
@pytest.mark.parametrize("suffix", [".mp3", ".webm"])
def test_kinds_of_files(client, folder, suffix):
    path = speech(folder / f"talk{suffix}", SAID)
    assert words_of(transcribed(client, path).text) >= WORDS


@proves("sound · response_format text, srt, vtt")
def test_forms_that_are_text(client, talk):
    plain = transcribed(client, talk, response_format="text")
    assert words_of(plain) >= WORDS
    srt = transcribed(client, talk, response_format="srt")
    assert srt.startswith("1\n00:00:0")
    assert " --> " in srt
    vtt = transcribed(client, talk, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:0")
    assert words_of(vtt) >= WORDS


@proves("sound · response_format verbose_json, timestamp_granularities")
def test_segments_and_words_have_their_times(client, talk):
    answer = transcribed(
        client, talk, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert answer.language == "english"
    assert answer.duration == pytest.approx(len(spoken(SAID)) / 22_050, abs=0.2)
    times = [time for word in answer.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= answer.duration + 0.01
    assert answer.words[0].word.strip(".,").lower() == "good"
    assert "".join(segment.text for segment in answer.segments).strip() == answer.text
    assert all(segment.tokens and segment.avg_logprob < 0 for segment in answer.segments)
    only = transcribed(client, talk, response_format="verbose_json", timestamp_granularities=["word"])
    assert only.segments is None


@proves("sound · stream")
def test_a_stream(client, talk):
    events = list(transcribed(client, talk, model="gpt-4o-transcribe", stream=True))
    *deltas, done = events
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text
    assert done.usage.output_tokens > 0


@proves("sound · language, prompt, temperature, chunking_strategy")
def test_wishes(client, talk):
    vad = {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300, "prefix_padding_ms": 200}
    answer = transcribed(
        client,
        talk,
        model="gpt-4o-transcribe",
        language="en",
        prompt="A courier for Miller & Sons.",
        temperature=0.2,
        chunking_strategy=vad,
    )
    assert words_of(answer.text) >= {"delivery", "friday"}
    assert answer.usage.input_token_details.text_tokens > 3
    assert transcribed(client, talk, chunking_strategy="auto").text


@proves("sound · keywords, languages", approximated="of several languages the one that is heard is found out")
def test_hints(client, talk):
    raw = client.audio.transcriptions.with_raw_response.create
    answer = raw(
        model="gpt-transcribe",
        file=("talk.wav", talk.read_bytes()),
        keywords=["Anna", "gate"],
        languages=["en", "de"],
    )
    assert answer.headers["x-geminid-downgraded"] == "languages=found-out"
    assert [each.code for each in answer.parse().languages] == ["en"]


@proves("sound · silence")
def test_silence_has_no_words(client, folder):
    answer = transcribed(client, write_sound(folder / "silence.wav", silence(2)))
    assert (answer.text, answer.usage.seconds) == ("", 2)


@proves("sound · translations")
@pytest.mark.filterwarnings("ignore:deprecated")  # the SDK says so of its method
def test_a_translation(client, folder):
    path = speech(folder / "german.wav", "Guten Morgen. Das Haus ist sehr gross und schön.", voice="de")
    answer = client.audio.translations.create(model="whisper-1", file=path, response_format="verbose_json")
    assert answer.language == "english"
    assert words_of(answer.text) & {"house", "morning", "big", "beautiful", "great"}


@proves("sound · response_format diarized_json, include, known_speaker_names: refused")
@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"response_format": "diarized_json"}, "response_format"),
        ({"include": ["logprobs"]}, "include"),
        ({"known_speaker_names": ["agent"]}, "known_speaker_names"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
    ],
)
def test_what_is_not_served_is_refused(client, talk, options, param):
    error = refused(client, talk, **options)
    assert (error.param, error.code) == (param, "unsupported_parameter")


@proves("sound · errors: files, models, languages")
def test_mistakes(client, folder, talk):
    no_sound = folder / "words.wav"
    no_sound.write_text("these are words")
    assert refused(client, no_sound).param == "file"
    assert refused(client, talk, language="xx").param == "language"
    with pytest.raises(openai.NotFoundError) as caught:
        transcribed(client, talk, model="gpt-4o-transcribe-diarize")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as missing:
        client.audio.transcriptions.create(model="whisper-1", file=b"")
    assert missing.value.status_code == 400


async def test_asynchronously(hearing, talk):
    async with openai.AsyncOpenAI(api_key="sk-x", base_url=f"{hearing.url}/v1", max_retries=0) as client:
        answer = await client.audio.transcriptions.create(model="whisper-1", file=talk)
        stream = await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=talk, stream=True)
        events = [event async for event in stream]
    assert words_of(answer.text) >= WORDS
    assert events[-1].text == answer.text


# -- what the SDK cannot send --------------------------------------------------------------------------


def test_hostile_files_are_refused_and_the_next_is_heard(hearing, client, talk):
    for hostile in (each for each in sounds() if each.must):
        file = ("x", hostile.body, hostile.mime_type)
        answer = hearing.post(TRANSCRIPTIONS, data={"model": "whisper-1"}, files={"file": file})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file"), hostile.name
    assert words_of(transcribed(client, talk).text) >= WORDS


def test_forms_that_are_none_are_refused(hearing):
    for headers, body in (
        ({"content-type": "application/json"}, b'{"model": "whisper-1"}'),
        ({"content-type": "multipart/form-data"}, b"--x"),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\nno end"),
        ({"content-type": "multipart/form-data; boundary=x"}, NO_FILE),
    ):
        answer = hearing.post(TRANSCRIPTIONS, content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_nothing_of_a_sound_stays_on_the_disk(hearing, folder, client, talk):
    transcribed(client, talk)
    assert not [path for path in (folder / "data" / "incoming").rglob("*") if path.is_file()]


# -- money: last, for from here on the server wants keys -----------------------------------------------


@proves("sound · metered: receipt, price, limits")
def test_what_was_heard_is_on_the_bill(hearing, folder, talk):
    url = f"sqlite:///{folder / 'data' / 'geminid.db'}"
    key = tenant(url, "hears", CREDIT)
    poor = tenant(url, "poor", 1_000)
    until_it_wants_keys(hearing)
    with openai.OpenAI(api_key=key, base_url=f"{hearing.url}/v1", max_retries=0) as client:
        raw = client.audio.transcriptions.with_raw_response.create(model="gpt-4o-transcribe", file=talk)
        usage = raw.parse().usage
        streamed = list(client.audio.transcriptions.create(model="whisper-1", file=talk, stream=True))
    assert streamed[-1].type == "transcript.text.done"
    one, other = rows_of(url, "hears")
    assert (one.verb, one.outcome, one.asked) == ("transcribe", "finished", "gpt-4o-transcribe")
    assert (one.usage.prompt, one.usage.candidates) == (usage.input_tokens, usage.output_tokens)
    assert one.cost_nano == 3_000 * usage.input_tokens + 5_000 * usage.output_tokens
    assert int(raw.headers["x-geminid-cost-nano"]) == one.cost_nano == other.cost_nano
    assert raw.headers["x-geminid-receipt"] == one.id
    assert balance_of(url, "hears").posted_nano == CREDIT - 2 * one.cost_nano
    with (
        openai.OpenAI(api_key=poor, base_url=f"{hearing.url}/v1", max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.audio.transcriptions.create(model="whisper-1", file=talk)
    assert caught.value.code == "insufficient_quota"
    proved(url)


def test_who_leaves_pays_for_the_sound(hearing, folder):
    url = f"sqlite:///{folder / 'data' / 'geminid.db'}"
    key = tenant(url, "leaves", CREDIT)
    long = write_sound(folder / "long.wav", spoken(LONG))
    headers = {"authorization": f"Bearer {key}"}
    data = {"model": "gpt-4o-transcribe", "stream": "true"}
    files = {"file": ("long.wav", io.BytesIO(long.read_bytes()))}
    with httpx.stream(
        "POST", hearing.url + TRANSCRIPTIONS, data=data, files=files, headers=headers, timeout=120
    ) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))
        assert json.loads(first.removeprefix("data: "))["type"] == "transcript.text.delta"
    row = until_row(url, "leaves")
    assert row.outcome in ("cancelled", "finished")
    assert row.cost_nano >= 3_000 * row.usage.prompt > 0
    proved(url)


def until_it_wants_keys(server):
    for _ in range(400):
        if server.get("/v1/models", headers={"authorization": "Bearer none"}).status_code == 401:
            return
        time.sleep(0.05)
    raise AssertionError("any key is taken")


def until_row(url, project):
    for _ in range(400):
        if rows := rows_of(url, project):
            return rows[0]
        time.sleep(0.05)
    raise AssertionError("nothing was written")
