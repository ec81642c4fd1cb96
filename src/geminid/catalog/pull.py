"""Bring a model's weights here, once, verified.

Sources of a card are tried in order; each failure is kept and told if all fail. It knows no
engine. The invariant is that of the shelf: half-fetched weights are never visible, whatever
happens (error, Ctrl-C, power), and of several processes that want the same model one pulls it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec

from geminid.catalog import package
from geminid.catalog.catalog import AnyCard, Catalog
from geminid.catalog.digest import check, sha256_of
from geminid.catalog.faults import BadWeights, PullFailed
from geminid.catalog.progress import Progress, Report
from geminid.catalog.reference import reference, repository_name
from geminid.catalog.shelf import Fetched, Shelf
from geminid.catalog.weights import card_of
from geminid.core.card import (
    FileSource,
    HubSource,
    ModelCard,
    PackageSource,
    Source,
    WheelsSource,
)
from geminid.core.errors import FailedPrecondition, Problem, Unavailable


class Obtained(NamedTuple):
    """A card and where its weights are; ``path`` is None for a model that needs none."""

    card: ModelCard
    path: Path | None


def obtain(text: str, catalog: Catalog, cache: Path, *, progress: Report, offline: bool = False) -> Obtained:
    """Return the model that a person typed (see :func:`reference`), pulling it if it is not here.

    A hub repository that no card describes is pulled and its card read from its weights. Raises
    UnknownModel, and what :func:`pull` raises.
    """
    wanted = reference(text, catalog)
    if isinstance(wanted, ModelCard):
        needs_weights = bool(wanted.sources)
        path = pull(wanted, cache, progress=progress, offline=offline) if needs_weights else None
        return Obtained(wanted, path)
    name = repository_name(wanted)
    path = _pull(name, (wanted,), cache, progress, offline)
    return Obtained(_described(card_of(path), name, wanted), path)


def _described(card: ModelCard, name: str, source: HubSource) -> ModelCard:
    return msgspec.structs.replace(card, name=name, sources=(source,))


def located(card: AnyCard, cache: Path) -> Path | None:
    """Return where a card's weights are already, or None. No network, no hashing, no writing."""
    return _located(card.name, card.sources, cache)


def pull(card: AnyCard, cache: Path, *, progress: Report, offline: bool = False) -> Path:
    """Return the path of a card's weights, a file or a folder, fetching them if needed.

    progress: called with a :class:`Progress`, from this thread or, while a hub transfer runs, from
        another one; an error that it raises ends the pull.
    offline: use only what is on this machine.

    Raises BadWeights, ChecksumMismatch, Unavailable, or PullFailed when several sources failed.
    """
    return _pull(card.name, card.sources, cache, progress, offline)


def _located(name: str, sources: tuple[Source, ...], cache: Path) -> Path | None:
    if found := Shelf(cache).found(name, sources):
        return found
    files = (Path(source.path).expanduser() for source in sources if isinstance(source, FileSource))
    return next((path for path in files if path.exists()), None)


def _pull(name: str, sources: tuple[Source, ...], cache: Path, report: Report, offline: bool) -> Path:
    if not sources:
        raise FailedPrecondition(f"{name} has no weights to pull")
    shelf = Shelf(cache)
    if found := shelf.found(name, sources) or shelf.recheck(name, sources, report):
        return found
    failures: list[tuple[str, Problem]] = []
    for source in sources:
        try:
            return _pull_one(name, source, shelf, report, offline)
        except Problem as problem:
            failures.append((_words(source), problem))
        except OSError as error:
            failures.append((_words(source), FailedPrecondition(f"{cache}: {error.strerror or error}")))
    if len(failures) == 1:
        raise failures[0][1]
    raise PullFailed(name, tuple(failures))


def _pull_one(name: str, source: Source, shelf: Shelf, report: Report, offline: bool) -> Path:
    if isinstance(source, FileSource):
        return _checked_file(source, report)
    if offline:
        raise Unavailable(f"{name} is not on this machine and offline was asked for")

    def waiting() -> None:
        report(Progress("download", 0, 0, f"waiting for another process that pulls {name}"))

    with shelf.locked(name, waiting):
        if found := shelf.found(name, (source,)):
            return found
        with shelf.staging(name) as staging:
            content = staging / "content"
            content.mkdir()
            fetched = _fetch(source, staging, content, report)
            return shelf.publish(name, staging, content, source, fetched)


def _fetch(
    source: PackageSource | WheelsSource | HubSource, staging: Path, content: Path, report: Report
) -> Fetched:
    if isinstance(source, PackageSource | WheelsSource):
        return package.fetch(source, staging, content, report)
    from geminid.catalog import hub  # its client costs 0.8 s to import, which most commands never need

    fetched = hub.fetch(source, content, report)
    shutil.rmtree(content / ".cache", ignore_errors=True)  # the client's own notes
    return fetched


def _checked_file(source: FileSource, report: Report) -> Path:
    path = Path(source.path).expanduser()
    if not path.exists():
        raise BadWeights(
            f"{path} does not exist", "correct the path in the card, or pull the model from elsewhere"
        )
    if source.sha256 and path.is_file():
        size_bytes = path.stat().st_size
        actual = sha256_of(path, lambda done: report(Progress("verify", done, size_bytes, path.name)))
        check(str(path), source.sha256, actual)
    return path


def _words(source: Source) -> str:
    """Return a source in words, for messages."""
    match source:
        case PackageSource():
            return f"package {source.package} {source.version}"
        case WheelsSource():
            return "packages " + ", ".join(f"{wheel.package} {wheel.version}" for wheel in source.wheels)
        case HubSource():
            return f"hub repository {source.repo} at {source.revision}"
        case FileSource():
            return f"file {source.path}"
