"""The folder on disk that holds pulled weights, and the rules that keep it whole.

::

    <cache>/locks/<name>.lock        held by whoever pulls this model
    <cache>/weights/.<name>.part-…/  staging of a pull in progress, removed whatever happens
    <cache>/weights/<name>/…         the weights, and geminid-manifest.json: what was verified,
                                     source, sizes, times, SHA-256

It knows no network. The invariant: a folder without its dot appears by one rename, complete and
verified, its manifest inside.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from geminid.catalog.digest import sha256_of
from geminid.catalog.names import is_name
from geminid.catalog.progress import Progress, Report
from geminid.core.card import FileSource, HubSource, PackageSource, Source, WheelsSource
from geminid.core.errors import InvalidArgument

MANIFEST = "geminid-manifest.json"


class Stored(msgspec.Struct, frozen=True):
    """One verified file: its size, its time of change in nanoseconds, its SHA-256."""

    size_bytes: int
    modified_ns: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a folder holds. ``entry`` is the file to load, empty for the folder itself."""

    source: Source
    entry: str
    files: dict[str, Stored]


class Fetched(msgspec.Struct, frozen=True):
    """What a source has put into the staging folder: the ``entry`` and the SHA-256 of each file."""

    entry: str
    digests: dict[str, str]


class Shelf(msgspec.Struct, frozen=True):
    """The weights below one cache folder."""

    cache: Path

    def folder(self, name: str) -> Path:
        """Return where the weights of a model lie or will lie. Raises InvalidArgument for no proper name."""
        if not is_name(name):
            raise InvalidArgument(f"{name!r} cannot be the name of a model")
        return self.cache / "weights" / name

    def found(self, name: str, sources: tuple[Source, ...]) -> Path | None:
        """Return the verified weights of one of ``sources``, or None. Reads sizes and times, no content."""
        manifest = self._manifest(name, sources)
        if manifest is None or not _same_files(self.folder(name), manifest, _same_stamp):
            return None
        return self.folder(name) / manifest.entry

    def recheck(self, name: str, sources: tuple[Source, ...], report: Report) -> Path | None:
        """As :meth:`found`, but a file whose time has changed (a copied cache) is hashed again."""
        manifest = self._manifest(name, sources)
        if manifest is None or not _same_files(self.folder(name), manifest, partial(_same_content, report)):
            return None
        with suppress(OSError):  # a read-only cache works too, it is only hashed each time
            _write_manifest(self.folder(name), manifest.source, manifest.entry, _digests_of(manifest))
        return self.folder(name) / manifest.entry

    @contextmanager
    def locked(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the model's lock across processes; ``waiting`` is called once if another holds it."""
        path = self.cache / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """Give an empty folder on the cache's own file system, and remove it. Call it under the lock.

        What a killed pull of the same model left behind is removed first.
        """
        shelf = self.folder(name).parent
        shelf.mkdir(parents=True, exist_ok=True)
        for stale in shelf.glob(f".{name}.part-*"):
            shutil.rmtree(stale, ignore_errors=True)
        path = Path(tempfile.mkdtemp(prefix=f".{name}.part-", dir=shelf))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, name: str, staging: Path, content: Path, source: Source, fetched: Fetched) -> Path:
        """Make ``content``, a verified folder inside ``staging``, the model's weights; return their path."""
        _write_manifest(content, source, fetched.entry, fetched.digests)
        for file in (*fetched.digests, MANIFEST, ""):
            _sync(content / file)
        target = self.folder(name)
        if target.exists():
            target.rename(staging / "replaced")
        content.rename(target)
        _sync(target.parent)
        return target / fetched.entry

    def _manifest(self, name: str, sources: tuple[Source, ...]) -> Manifest | None:
        try:
            manifest = msgspec.json.decode((self.folder(name) / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError):
            return None
        return manifest if any(_serves(manifest, source) for source in sources) else None


def _serves(manifest: Manifest, source: Source) -> bool:
    """Whether what lies there is what ``source`` would give; words and sizes of a card may have changed."""
    digests = _digests_of(manifest)
    match source:
        case PackageSource():
            return digests.get(manifest.entry) == source.sha256
        case WheelsSource():
            return digests == {file.name: file.sha256 for file in source.files}
        case HubSource():
            pinned = all(digests.get(file) == digest for file, digest in source.sha256.items())
            return (
                pinned
                and isinstance(manifest.source, HubSource)
                and _place(manifest.source) == _place(source)
            )
        case FileSource():
            return False


def _place(source: HubSource) -> tuple[object, ...]:
    return source.repo, source.revision, source.files


def _digests_of(manifest: Manifest) -> dict[str, str]:
    return {name: stored.sha256 for name, stored in manifest.files.items()}


def _same_files(folder: Path, manifest: Manifest, same: Callable[[Path, Stored], bool]) -> bool:
    try:
        return all(same(folder / name, stored) for name, stored in manifest.files.items())
    except OSError:
        return False


def _same_stamp(path: Path, stored: Stored) -> bool:
    status = path.stat()
    return status.st_size == stored.size_bytes and status.st_mtime_ns == stored.modified_ns


def _same_content(report: Report, path: Path, stored: Stored) -> bool:
    if _same_stamp(path, stored):
        return True
    size_bytes = path.stat().st_size
    if size_bytes != stored.size_bytes:
        return False
    actual = sha256_of(path, lambda done: report(Progress("verify", done, size_bytes, path.name)))
    return actual == stored.sha256


def _write_manifest(folder: Path, source: Source, entry: str, digests: dict[str, str]) -> None:
    files = {}
    for name, digest in digests.items():
        status = (folder / name).stat()
        files[name] = Stored(status.st_size, status.st_mtime_ns, digest)
    content = msgspec.json.format(msgspec.json.encode(Manifest(source, entry, files)), indent=1)
    draft = folder / f".{MANIFEST}.{os.getpid()}"
    draft.write_bytes(content)
    draft.replace(folder / MANIFEST)


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
