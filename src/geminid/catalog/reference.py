"""What a person may type where a model is wanted.

::

    smollm2-135m-instruct               a name of the catalogue
    ./my.gguf  ~/ir-folder  file:PATH   weights on this machine
    hf:org/repo[@revision][:pattern]    a repository of the hub

It reads; it fetches nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights
from geminid.catalog.names import slug
from geminid.catalog.weights import card_of
from geminid.core.card import HubSource, ModelCard
from geminid.core.errors import InvalidArgument, UnknownModel

_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^:@\s]+))?(?::(?P<pattern>\S+))?")
_PATH_STARTS = ("file:", "./", "../", "/", "~")


def reference(text: str, catalog: Catalog) -> ModelCard | HubSource:
    """Return the card that ``text`` names, or the repository that must be pulled to know its card.

    A text that ends in ``.gguf`` is a path too. Raises UnknownModel, InvalidArgument for a hub
    reference that is written wrongly, and what :func:`card_of` raises.
    """
    text = text.strip()
    if text.startswith("hf:"):
        return _hub_source(text)
    if text.startswith(_PATH_STARTS) or text in (".", "..") or text.lower().endswith(".gguf"):
        return card_of(Path(text.removeprefix("file:")))
    return _named(text.removeprefix("models/"), catalog)


def _named(name: str, catalog: Catalog) -> ModelCard:
    try:
        return catalog.card(name)
    except UnknownModel:
        if not name or not Path(name).exists():
            raise
    raise BadWeights(
        f"{name} is not in the catalogue, but a file or folder of that name is here", f"write ./{name}"
    )


def repository_name(source: HubSource) -> str:
    """Return the public name of a repository without a card: ``org-repo``, with the chosen file if any.

    Should two ever share a name, the cache notices by the source and pulls again.
    """
    revision = "" if source.revision == "main" else source.revision
    words = [source.repo, revision, *(pattern.removesuffix(".gguf") for pattern in source.files)]
    return slug(" ".join(word for word in words if word))


def _hub_source(text: str) -> HubSource:
    found = _HUB.fullmatch(text)
    if found is None:
        raise InvalidArgument(
            f"{text} is not understood\nhint: write hf:org/repo, hf:org/repo@revision:file.gguf"
        )
    pattern = found["pattern"]
    return HubSource(
        repo=found["repo"], revision=found["revision"] or "main", files=(pattern,) if pattern else ()
    )
