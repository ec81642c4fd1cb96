"""Weights out of a repository of the Hugging Face hub.

The official client does the transfer and honours ``HF_ENDPOINT``, ``HF_TOKEN`` and
``HF_HUB_OFFLINE``. The revision is resolved to a commit first, so all files belong together. Every
file is held against the digest that the hub tells (SHA-256 for large files, git's for others) and
against those that the card pins.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    FileMetadataError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from geminid.catalog.digest import check, git_blob_of, sha256_of
from geminid.catalog.faults import BadWeights
from geminid.catalog.progress import Progress, Report, stored_bytes, watched
from geminid.catalog.shelf import Fetched
from geminid.catalog.speech import CT2_MODEL
from geminid.catalog.weights import IR_MODELS
from geminid.core.card import HubSource
from geminid.core.errors import Unavailable

# The HTTP library's own errors (the client's inherit from them, whichever library it is), and what the
# client makes of a lost connection; its transfer library hf_xet says RuntimeError.
_TRANSPORT_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in HfHubHTTPError.__bases__ if issubclass(kind, Exception) and kind is not OSError),
    ConnectionError,
    FileMetadataError,
    LocalEntryNotFoundError,
    RuntimeError,
)

# What an IR folder needs when nobody says; leaves out other formats that may lie beside it.
IR_FILES = ("*.xml", "*.bin", "*.json", "*.jinja", "*.txt", "*.model")


class RemoteFile(NamedTuple):
    """One file of a repository; ``digest`` is a SHA-256 or git's name of the content, by ``kind``."""

    name: str
    size_bytes: int
    kind: Literal["sha256", "git"]
    digest: str


class _Silent(tqdm):
    """The client's progress bar, never drawn: progress is told through the callback."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]


def fetch(source: HubSource, content: Path, report: Report) -> Fetched:
    """Bring the chosen files of the repository into ``content``, verified.

    Raises BadWeights, ChecksumMismatch, and Unavailable when the hub does not answer.
    """
    try:
        api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
        commit, remote = _listing(api, source)
        files, entry = choose(source, remote)
        _download(api, source, commit, files, content, report)
    except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError) as error:
        raise BadWeights(
            f"the hub does not give {source.repo} at {source.revision}: {type(error).__name__}",
            "check the name; for a private or gated repository set HF_TOKEN",
        ) from error
    except HFValidationError as error:
        raise BadWeights(f"{source.repo} is no name of a repository", "write org/repo") from error
    except OfflineModeIsEnabled as error:
        raise Unavailable("HF_HUB_OFFLINE is set") from error
    except _TRANSPORT_ERRORS as error:
        raise Unavailable(f"the hub did not give {source.repo}: {_first_line(error)}") from error
    return Fetched(entry, _verified(source, files, content, report))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _listing(api: HfApi, source: HubSource) -> tuple[str, tuple[RemoteFile, ...]]:
    """Return the commit behind the revision, and the repository's files."""
    info = api.model_info(source.repo, revision=source.revision, files_metadata=True)
    files = []
    for sibling in info.siblings or ():
        if sibling.lfs is not None:
            files.append(RemoteFile(sibling.rfilename, sibling.lfs.size, "sha256", sibling.lfs.sha256))
        elif sibling.blob_id is not None:
            files.append(RemoteFile(sibling.rfilename, sibling.size or 0, "git", sibling.blob_id))
        else:
            raise BadWeights(
                f"the hub tells no digest of {sibling.rfilename} in {source.repo}", "use another hub"
            )
    return info.sha or source.revision, tuple(files)


def choose(source: HubSource, remote: tuple[RemoteFile, ...]) -> tuple[tuple[RemoteFile, ...], str]:
    """Return the files to fetch and the one to load (empty: the folder). Raises BadWeights.

    Without patterns an IR is preferred; a lone GGUF file is taken alone.
    """
    patterns = source.files
    if not patterns:
        patterns = IR_FILES if any(file.name in IR_MODELS for file in remote) else ("*.gguf",)
    files = tuple(file for file in remote if _is_inside(file.name) and _matches(file.name, patterns))
    if any(file.name in (*IR_MODELS, CT2_MODEL) for file in files):
        return files, ""
    models = [file.name for file in files if file.name.endswith(".gguf")]
    if len(models) == 1:
        return files, models[0]
    if models:
        raise BadWeights(
            f"{source.repo} has {len(models)} GGUF files: {', '.join(models[:6])}",
            f"choose one: hf:{source.repo}:{models[0]}",
        )
    raise BadWeights(
        f"{source.repo} has neither {IR_MODELS[0]} nor a GGUF file that was asked for", "choose another"
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _download(
    api: HfApi, source: HubSource, commit: str, files: tuple[RemoteFile, ...], content: Path, report: Report
) -> None:
    total_bytes = sum(file.size_bytes for file in files)

    def tick() -> None:
        report(Progress("download", min(sum(stored_bytes(content)), total_bytes), total_bytes, source.repo))

    # One file after the other, in this thread: Ctrl-C ends it at once, and one connection fills the line.
    with watched(tick):
        for file in files:
            api.hf_hub_download(
                source.repo, file.name, revision=commit, local_dir=content, tqdm_class=_Silent
            )
    report(Progress("download", total_bytes, total_bytes, source.repo))


def _tell(report: Report, before_bytes: int, total_bytes: int, name: str, done_bytes: int) -> None:
    report(Progress("verify", before_bytes + done_bytes, total_bytes, name))


def _verified(
    source: HubSource, files: tuple[RemoteFile, ...], content: Path, report: Report
) -> dict[str, str]:
    """Return the SHA-256 of every file after holding it against all that was promised for it."""
    digests: dict[str, str] = {}
    total_bytes, done_bytes = sum(file.size_bytes for file in files), 0
    for file in files:
        path = content / file.name
        digests[file.name] = sha256_of(path, partial(_tell, report, done_bytes, total_bytes, file.name))
        actual = digests[file.name] if file.kind == "sha256" else git_blob_of(path)
        check(file.name, file.digest, actual)
        done_bytes += file.size_bytes
    for name, pinned in source.sha256.items():
        if name not in digests:
            raise BadWeights(f"{source.repo} has no {name}, whose digest the card pins", "correct the card")
        check(name, pinned, digests[name])
    return digests
