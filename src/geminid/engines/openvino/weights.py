"""GGUF once, OpenVINO IR ever after.

Reading a GGUF directly costs seconds at each start, most of them for its tokenizer (7 s for the
98 MB default model where its IR loads in 2). So a GGUF is converted when it is first used; the IR
folder lies in the cache under a key of the file's path, size and time, and is made in a process of
its own. Invariant: a folder under its final name is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from geminid.core.errors import FailedPrecondition

FORMAT = "2"
"""Part of the key: raise it when a converted folder would come out differently."""

Precision = Literal["packed", "f32"]
"""``packed`` keeps the quantised weights; ``f32`` unpacks them once: more memory, less work a step."""

F32_BYTES_MAX = 1 << 30
SCRATCH = ".convert-"
SCRATCH_S_MAX = 3600
CONVERTER = (sys.executable, "-m", "geminid.engines.openvino.convert")


def converted(weights: Path, cache: Path, precision: Precision = "packed") -> Path:
    """Return the IR folder for ``weights``, converting a GGUF if that was not done yet.

    Takes seconds to minutes the first time. Raises ``FailedPrecondition`` with the converter's last
    words when it cannot read the file.
    """
    if weights.is_dir():
        return weights
    folder = located(weights, cache, precision)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=SCRATCH) as scratch:
            _run(weights, Path(scratch), precision)
            _publish(Path(scratch), folder)
    return folder


def located(weights: Path, cache: Path, precision: Precision = "packed") -> Path:
    """Return where the IR folder of this GGUF is, or will be."""
    facts = weights.stat()
    key = f"{FORMAT}\0{weights.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}\0{precision}"
    return cache / "converted" / f"{weights.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def best_precision(weights: Path) -> Precision:
    """Choose for this machine: small models gain from unpacked weights where AVX-512 is missing.

    Measured on two AVX2 cores with the default model: 196 against 162 tokens/s at 16 answers, for
    450 MB more memory. With AVX-512 the packed kernels are as fast, so memory decides.
    """
    small = weights.is_file() and weights.stat().st_size * 7 < F32_BYTES_MAX
    return "f32" if small and not _has_avx512() else "packed"


def _has_avx512() -> bool:
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return True


def _sweep(parent: Path) -> None:
    """Remove what conversions that were killed an hour ago or more left behind."""
    for scratch in parent.glob(f"{SCRATCH}*"):
        if time.time() - scratch.stat().st_mtime > SCRATCH_S_MAX:
            shutil.rmtree(scratch, ignore_errors=True)


def _run(weights: Path, scratch: Path, precision: Precision) -> None:
    command = [*CONVERTER, str(weights.resolve()), str(scratch), precision]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise FailedPrecondition(f"The weights {weights} cannot be read by the engine: {words}")


def _publish(scratch: Path, folder: Path) -> None:
    """Give the finished folder its name; another process may have been faster, which is as good."""
    try:
        os.rename(scratch, folder)
        scratch.mkdir()  # the context manager wants to delete something
    except OSError:
        if not folder.exists():
            raise
