"""Settings: TOML < environment < flags, into one small frozen value per room.

Every setting is declared once, below, with its default and its meaning; the reference in the docs is
generated from here. Invariant: either all settings are valid, or :class:`ConfigError` lists every
mistake at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from geminid.core.errors import InvalidArgument

ENVIRONMENT_PREFIX = "GEMINID_"

Count = Annotated[int, Meta(ge=1)]


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP side."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.", ge=0, le=65535)] = 8080
    data: Annotated[
        str, Meta(description="Directory of what geminid keeps. Empty: geminid in the user's data directory.")
    ] = ""
    keys: Annotated[
        tuple[str, ...],
        Meta(description="API keys that are accepted. None: any key, which only a loopback address allows."),
    ] = ()
    strict: Annotated[
        bool,
        Meta(description="Refuse what Gemini 3.1 Flash-Lite refuses, even where the engine could do it."),
    ] = False
    signatures: Annotated[
        Literal["check", "accept"],
        Meta(
            description="Thought signatures of function calls that come back: refuse missing and wrong ones "
            "as Gemini 3 does, or accept everything."
        ),
    ] = "check"
    body_bytes_max: Annotated[Count, Meta(description="Largest request body, after decompression.")] = (
        140 * 1024 * 1024
    )
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="Origins whose pages may call the API from a browser.")
    ] = ("*",)
    shutdown_ms: Annotated[int, Meta(description="How long running answers may finish on SIGTERM.", ge=0)] = (
        10_000
    )
    request_ms_max: Annotated[Count, Meta(description="Longest time one request may take.")] = 1_200_000


class CatalogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which models, from where."""

    model: Annotated[
        str, Meta(description="The default model: a name of the catalogue, a path, or hf:ORG/REPO.")
    ] = "smollm2-135m-instruct"
    embedding: Annotated[
        str,
        Meta(
            description="The default model that embeds: a name of the catalogue, or a folder. auto: "
            "all-minilm-l6-v2, beside the scripted model the scripted one. Empty: nothing is embedded."
        ),
    ] = "auto"
    cards: Annotated[
        str, Meta(description="A TOML file with cards of your own, merged over the catalogue.")
    ] = ""
    cache: Annotated[str, Meta(description="Where weights are kept. Empty: cache in the data directory.")] = (
        ""
    )
    families: Annotated[
        tuple[str, ...],
        Meta(
            description="Families of further names that mean the default model: gpt, gpt-realtime; or the "
            "default one that embeds: text-embedding. None: no such names."
        ),
    ] = ()
    offline: Annotated[bool, Meta(description="Never use the network, not even when asked to pull.")] = False


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The embedded engine."""

    kv_cache_gib: Annotated[
        int, Meta(description="KV memory of each loaded model, GiB. 0: an eighth of the machine's.", ge=0)
    ] = 0
    memory_gib: Annotated[
        int,
        Meta(description="Bound on all loaded models together, GiB. 0: four fifths of the machine's.", ge=0),
    ] = 0
    threads: Annotated[int, Meta(description="Threads that compute. 0: one for each core.", ge=0)] = 0
    batch_tokens_max: Annotated[
        Count, Meta(description="Tokens computed in one step: the pieces in which long prompts are read.")
    ] = 256
    sequences_max: Annotated[Count, Meta(description="Answers of one model that advance together.")] = 64
    queue_max: Annotated[
        Count,
        Meta(description="Requests that one model holds, running and waiting. More are refused with 503."),
    ] = 512
    cached_tokens_max: Annotated[
        int,
        Meta(
            description="Tokens of cached contents that one model keeps ready; more are refused. 0: half of "
            "what its KV memory holds.",
            ge=0,
        ),
    ] = 0
    implicit_tokens_min: Annotated[
        Count,
        Meta(
            description="A beginning that prompts share is told as cached, and discounted, from so many "
            "tokens on. It is found in blocks of 32."
        ),
    ] = 32
    long_input: Annotated[
        Literal["refuse", "fold"],
        Meta(description="A prompt beyond the model's window: refuse it, or answer over what matters of it."),
    ] = "refuse"
    precision: Annotated[
        Literal["auto", "packed", "f32"],
        Meta(description="Weights of a GGUF in memory: as quantised, or unpacked (faster without AVX-512)."),
    ] = "auto"
    arithmetic: Annotated[
        Literal["f32", "bf16"],
        Meta(
            description="What values between the weights are computed in. With AMX, bf16 reads prompts up to "
            "1.7 times as fast, which batches gain from, and writes the answers of a few at once slower."
        ),
    ] = "f32"
    label_graph: Annotated[
        bool,
        Meta(
            description="With arithmetic bf16, lines of batches that ask for one label of a few are read "
            "side by side by a graph of their own, for some memory: a small model has its weights twice."
        ),
    ] = True
    stalled_ms: Annotated[
        Count,
        Meta(description="An engine process that has work and uses no processor this long is replaced."),
    ] = 10_000
    silent_ms: Annotated[
        Count, Meta(description="The same for a process that computes but finishes no step.")
    ] = 300_000


class MediaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures, sound, film and documents."""

    processes: Annotated[Count, Meta(description="Processes that read files, one file each at a time.")] = 2
    threads: Annotated[int, Meta(description="Threads of each of them. 0: one for each core.", ge=0)] = 0
    speech: Annotated[
        str,
        Meta(
            description="The speech model: a name of the catalogue, a folder, or hf:ORG/REPO. "
            "Empty: sound is refused."
        ),
    ] = "whisper-base"
    tokens: Annotated[
        Literal["own", "google"],
        Meta(
            description="How media are counted: by the tokens that entered the model, or by the figures that "
            "Google publishes for images, seconds and pages."
        ),
    ] = "own"
    cache_bytes_max: Annotated[
        int, Meta(description="Disk for what was read of files, so that it is read once. 0 keeps none.", ge=0)
    ] = 1024**3
    pixels_max: Annotated[Count, Meta(description="Pixels of one picture or frame.")] = 100_000_000
    pages_max: Annotated[Count, Meta(description="Pages of one PDF.")] = 1_000
    duration_ms_max: Annotated[Count, Meta(description="Length of one sound or film.")] = 2 * 3_600_000
    frames_max: Annotated[Count, Meta(description="Frames of one film that are looked at.")] = 3_600
    expanded_bytes_max: Annotated[Count, Meta(description="What one compressed document may unpack to.")] = (
        512 * 1024 * 1024
    )
    characters_max: Annotated[Count, Meta(description="Characters that are read of one file.")] = 20_000_000
    read_ms_max: Annotated[Count, Meta(description="Longest time in which one file is read.")] = 600_000
    memory_gib: Annotated[Count, Meta(description="Memory of one process that reads files, GiB.")] = 4
    fetch: Annotated[
        Literal["public", "off"],
        Meta(description="Whether fileUri may be an address of the internet, which the server then fetches."),
    ] = "public"
    fetch_allow: Annotated[
        tuple[str, ...],
        Meta(description="Networks, such as 10.1.2.0/24, that may be fetched from although not public."),
    ] = ()
    fetch_bytes_max: Annotated[Count, Meta(description="Largest file that is fetched.")] = 100 * 1024 * 1024
    fetch_ms_max: Annotated[Count, Meta(description="Longest time in which a file is fetched.")] = 60_000


class FilesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Uploaded files."""

    ttl_s: Annotated[Count, Meta(description="How long a file lives after its upload.")] = 48 * 3600
    file_bytes_max: Annotated[Count, Meta(description="Largest file.")] = 2 * 1024**3
    project_bytes_max: Annotated[
        Count, Meta(description="All files of one project together, with what unfinished uploads hold.")
    ] = 20 * 1024**3
    upload_idle_s: Annotated[
        Count, Meta(description="An unfinished upload that nobody goes on with is forgotten after this time.")
    ] = 24 * 3600
    public_url: Annotated[
        str,
        Meta(
            description="Where clients reach this server, with the path before the version if there is one. "
            "Empty: as the request says, by X-Forwarded-Host, -Proto and -Prefix or by Host."
        ),
    ] = ""


class CachesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Cached contents."""

    tokens_min: Annotated[int, Meta(description="Fewest tokens that are cached.", ge=0)] = 1024
    ttl_s: Annotated[Count, Meta(description="How long cached contents live where nobody says.")] = 3600
    ttl_s_min: Annotated[Count, Meta(description="The shortest life that may be asked for.")] = 60
    ttl_s_max: Annotated[Count, Meta(description="The longest life that may be asked for.")] = 30 * 86_400
    project_max: Annotated[int, Meta(description="How many a project may have at once.", ge=0)] = 1_000


class InteractionsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that are kept, so that others go on from them, and those that nobody waits for."""

    ttl_days: Annotated[
        int,
        Meta(
            description="How long one is kept after it was last gone on from. 0: none is ever kept, and none "
            "can run in the background.",
            ge=0,
            le=36_500,
        ),
    ] = 30
    depth_max: Annotated[Count, Meta(description="How many may follow each other in one conversation.")] = (
        1_000
    )
    project_bytes_max: Annotated[
        int, Meta(description="What those of one project may take, compressed. 0: no bound.", ge=0)
    ] = 20 * 1024**3
    running_max: Annotated[
        Count, Meta(description="How many of one project run in the background at once; others wait.")
    ] = 8
    waiting_max: Annotated[
        Count, Meta(description="How many of one project in the background have not ended. More are refused.")
    ] = 200


class RealtimeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Live sessions over WebSocket."""

    sessions_max: Annotated[
        int, Meta(description="Sessions that are open at once. More are refused with 503. 0: none.", ge=0)
    ] = 100
    session_s_max: Annotated[Count, Meta(description="How long one session may last.")] = 3600
    idle_s_max: Annotated[
        Count, Meta(description="A session in which nothing is sent or answered ends after this time.")
    ] = 900
    session_bytes_max: Annotated[
        Count, Meta(description="What the items and the sound of one session may take of memory.")
    ] = 64 * 1024 * 1024


class VectorsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Stores of vectors: files that are searched by meaning."""

    files_max: Annotated[Count, Meta(description="How many files one store may have.")] = 10_000
    project_bytes_max: Annotated[
        int, Meta(description="What the stores of one project may take. 0: no bound.", ge=0)
    ] = 10 * 1024**3
    indexing_max: Annotated[Count, Meta(description="How many files are indexed at once.")] = 2


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where projects, keys, money and files' names are kept."""

    url: Annotated[
        str,
        Meta(
            description="Address of the database, such as postgresql://user:password@host/name. Empty: "
            "SQLite, in the data directory."
        ),
    ] = ""


class BillingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and usage."""

    prices: Annotated[
        str, Meta(description="A TOML file with prices of your own, over the preset that it chooses.")
    ] = ""
    preset: Annotated[
        str,
        Meta(
            description="The preset of prices, such as official, platform or discount; none is none at all. "
            "Empty: as the file of prices says, else official."
        ),
    ] = ""
    usage_days: Annotated[
        int,
        Meta(
            description="Days for which each request is kept by itself; older ones are summed up by the "
            "hour. 0: for ever. The ledger always is.",
            ge=0,
        ),
    ] = 0


class BulkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Batches."""

    concurrency: Annotated[
        Count, Meta(description="Lines of batches that are answered at once, whatever jobs they are of.")
    ] = 128
    duplicates: Annotated[
        Literal["charged", "free"],
        Meta(
            description="Lines of one job that ask the same, with nothing left to chance, are computed once: "
            "whether each is charged all the same, as the hosted service does, or the first alone."
        ),
    ] = "charged"
    expiry_s: Annotated[Count, Meta(description="A job that has not ended after this time expires.")] = (
        48 * 3600
    )
    keep_s: Annotated[Count, Meta(description="How long a job, with its inline results, is kept.")] = (
        7 * 24 * 3600
    )
    jobs_max: Annotated[Count, Meta(description="Jobs of one project that have not ended.")] = 100
    tokens_max: Annotated[
        int,
        Meta(
            description="Tokens that the jobs of one project may have enqueued, estimated. 0: by its tier.",
            ge=0,
        ),
    ] = 0
    file_bytes_max: Annotated[Count, Meta(description="Largest file with the lines of a job.")] = 2 * 1024**3
    lines_ahead: Annotated[
        Count,
        Meta(description="Lines that are read ahead, and put in an order in which they share beginnings."),
    ] = 512
    webhook: Annotated[
        str, Meta(description="An address of yours that is told when any job has ended. Empty: none.")
    ] = ""
    webhook_allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks, such as 10.1.2.0/24, that webhooks of callers may be in although not "
            "public."
        ),
    ] = ()


class ScriptedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The engine that answers from a script."""

    script: Annotated[
        str, Meta(description="A TOML file of [[rule]] tables. Empty: every prompt is echoed.")
    ] = ""
    cached_tokens_max: Annotated[
        int, Meta(description="Tokens of cached contents that are kept for each model.", ge=0)
    ] = 1_000_000


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is written to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    access: Annotated[bool, Meta(description="One line for each request.")] = True
    format: Annotated[
        Literal["text", "json"], Meta(description="Lines for people, or one JSON object a line.")
    ] = "text"


class TelemetryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of requests."""

    timelines: Annotated[
        int,
        Meta(
            description="Of so many of the last requests, the times of all phases are kept in memory.", ge=0
        ),
    ] = 1_000
    otlp_endpoint: Annotated[
        str,
        Meta(
            description="An OTLP collector that traces are sent to over HTTP, such as http://127.0.0.1:4318; "
            "needs geminid[otel]. Empty: none."
        ),
    ] = ""
    prompts: Annotated[
        bool, Meta(description="Traces also tell what was asked and answered. Mind who can read them.")
    ] = False


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Rooms are handed their own part, never the whole."""

    server: ServerConfig = ServerConfig()
    catalog: CatalogConfig = CatalogConfig()
    engine: EngineConfig = EngineConfig()
    media: MediaConfig = MediaConfig()
    files: FilesConfig = FilesConfig()
    caches: CachesConfig = CachesConfig()
    interactions: InteractionsConfig = InteractionsConfig()
    vectors: VectorsConfig = VectorsConfig()
    realtime: RealtimeConfig = RealtimeConfig()
    store: StoreConfig = StoreConfig()
    billing: BillingConfig = BillingConfig()
    bulk: BulkConfig = BulkConfig()
    scripted: ScriptedConfig = ScriptedConfig()
    log: LogConfig = LogConfig()
    telemetry: TelemetryConfig = TelemetryConfig()

    def data(self) -> Path:
        """Return the directory of what geminid keeps."""
        if self.server.data:
            return Path(self.server.data).expanduser()
        return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "geminid"

    def database(self) -> str:
        """Return the address of the database."""
        return self.store.url or f"sqlite:///{self.data() / 'geminid.db'}"

    def cache(self) -> Path:
        """Return the directory of weights."""
        return Path(self.catalog.cache).expanduser() if self.catalog.cache else self.data() / "cache"


class ConfigError(InvalidArgument):
    """Settings that cannot be used; ``mistakes`` names every one of them."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Setting(NamedTuple):
    """One declared setting. ``name`` is ``section.key``; the environment variable follows from it."""

    name: str
    type: Any
    default: Any
    description: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENVIRONMENT_PREFIX + self.name.upper().replace(".", "_")


class Effective(NamedTuple):
    """A setting's value and where it came from: ``default``, a file, a variable or ``flag``."""

    setting: Setting
    value: Any
    source: str


def settings() -> Iterator[Setting]:
    """Yield every setting, in the order of their declaration."""
    for section in msgspec.structs.fields(Config):
        hints = get_type_hints(section.type, include_extras=True)
        for field in msgspec.structs.fields(section.type):
            declared = hints[field.name]
            yield Setting(f"{section.name}.{field.name}", declared, field.default, _description(declared))


def _description(declared: Any) -> str:
    metas = [meta for meta in get_args(declared)[1:] if isinstance(meta, Meta)]
    return next((meta.description for meta in metas if meta.description), "")


def load(
    file: Path | None = None, environ: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> tuple[Config, list[Effective]]:
    """Return the settings and where each came from; raises :class:`ConfigError`.

    flags: values by setting name; None means not given.
    """
    mistakes: list[str] = []
    written = _read(file, mistakes) if file else {}
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    known = {setting.name: setting for setting in settings()}
    mistakes += [f"{file}: unknown setting {name}" for name in written if name not in known]
    effective = []
    for setting in known.values():
        value, source = setting.default, "default"
        for layer, origin, key in (
            (written, str(file), setting.name),
            (environ, setting.variable, setting.variable),
            (given, "flag", setting.name),
        ):
            if key in layer:
                value, source = layer[key], origin
        effective.append(Effective(setting, _convert(setting, value, source, mistakes), source))
    mistakes += _strangers(environ, {setting.variable for setting in known.values()})
    if mistakes:
        raise ConfigError(mistakes)
    return _assemble(effective), effective


def _read(file: Path, mistakes: list[str]) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{file}: {error}")
        return {}
    flat: dict[str, Any] = {}
    for section, table in tables.items():
        if isinstance(table, dict):
            flat |= {f"{section}.{key}": value for key, value in table.items()}
        else:
            flat[section] = table
    return flat


def _convert(setting: Setting, value: Any, source: str, mistakes: list[str]) -> Any:
    if isinstance(value, str) and get_origin(get_args(setting.type)[0]) is tuple:
        value = [item.strip() for item in value.split(",") if item.strip()]
    try:
        return msgspec.convert(value, setting.type, strict=False)
    except msgspec.ValidationError as error:
        mistakes.append(f"{source}: {setting.name}: {error}")
        return setting.default


def _strangers(environ: Mapping[str, str], known: set[str]) -> list[str]:
    strangers = (name for name in environ if name.startswith(ENVIRONMENT_PREFIX) and name not in known)
    return [f"environment: unknown variable {name}" for name in sorted(strangers)]


def _assemble(effective: list[Effective]) -> Config:
    sections: dict[str, dict[str, Any]] = {}
    for setting, value, _ in effective:
        section, key = setting.name.split(".")
        sections.setdefault(section, {})[key] = value
    return msgspec.convert(sections, Config)
