"""GGUF once, OpenVINO IR ever after.

Reading a GGUF directly costs seconds at each start, most of them for its tokenizer (7 s for the
98 MB default model where its IR loads in 2). So a GGUF is converted when it is first used; the IR
folder lies in the cache under a key of the file's path, size and time, and is made in a process of
its own. Invariant: a folder under its final name is complete.

Run as ``python -m geminid.engines.openvino.weights GGUF FOLDER [f32]``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from geminid.core.errors import FailedPrecondition

FORMAT = "1"
"""Part of the key: raise it when a converted folder would come out differently."""

Precision = Literal["packed", "f32"]
"""``packed`` keeps the quantised weights; ``f32`` unpacks them once: more memory, less work a step."""

F32_BYTES_MAX = 1 << 30


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
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as scratch:
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


def _run(weights: Path, scratch: Path, precision: Precision) -> None:
    command = [sys.executable, "-m", __spec__.name, str(weights.resolve()), str(scratch), precision]
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


def _convert(weights: Path, folder: Path, precision: Precision) -> None:
    """Let OpenVINO GenAI read the GGUF and save what it made of it. It saves beside the file it read."""
    import openvino_genai

    link = folder / "weights.gguf"
    link.symlink_to(weights)
    openvino_genai.Tokenizer(str(link), enable_save_ov_model=True)
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks = 2
    pipeline = openvino_genai.ContinuousBatchingPipeline(
        str(link), scheduler, "CPU", {"enable_save_ov_model": True}
    )
    _save_generation_config(pipeline.get_config(), folder)
    link.unlink()
    if precision == "f32":
        _unpack(folder)


def _save_generation_config(config: Any, folder: Path) -> None:
    """The IR does not say which tokens end an answer; a file that the library reads does."""
    import msgspec

    stop_ids = sorted({i for i in {config.eos_token_id, *config.stop_token_ids} if i >= 0})
    (folder / "generation_config.json").write_bytes(msgspec.json.encode({"eos_token_id": stop_ids}))


def _unpack(folder: Path) -> None:
    """Replace every quantised matrix by its values, computed by OpenVINO itself."""
    import numpy
    import openvino
    from openvino import opset13

    core, path = openvino.Core(), folder / "openvino_model.xml"
    model = core.read_model(path)
    values: dict[str, Any] = {}
    for consumer, packed in _packed_inputs(model):
        name = packed.get_node().get_friendly_name()
        if name not in values:
            unpacked = core.compile_model(openvino.Model([packed], [], name), "CPU")([])[0]
            values[name] = opset13.constant(unpacked.astype(numpy.float32))
        consumer.replace_source_output(values[name].output(0))
    model.validate_nodes_and_infer_types()
    new = folder / "new.xml"
    openvino.save_model(model, new, compress_to_fp16=False)
    del model  # lets go of the mapped file
    shutil.move(new, path)
    shutil.move(new.with_suffix(".bin"), path.with_suffix(".bin"))


WEIGHT_INPUT = {"MatMul": 1, "Gather": 0}
UNPACKING = {"Constant", "Convert", "Subtract", "Multiply", "Reshape", "Transpose"}


def _packed_inputs(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (input of a consumer, output that feeds it) where constants are unpacked on the way."""
    for node in model.get_ordered_ops():
        at = WEIGHT_INPUT.get(node.get_type_name())
        if at is None:
            continue
        source = node.input(at).get_source_output()
        if source.get_node().get_type_name() != "Constant" and _is_constant(source.get_node()):
            yield node.input(at), source


def _is_constant(node: Any) -> bool:
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if node.get_type_name() not in UNPACKING:
            return False
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [each.get_source_output().get_node() for each in node.inputs()]
    return True


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])  # type: ignore[arg-type]
