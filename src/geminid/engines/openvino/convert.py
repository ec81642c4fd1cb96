"""A GGUF becomes an OpenVINO IR folder: the process behind :mod:`geminid.engines.openvino.weights`.

OpenVINO GenAI reads the file and saves what it made of it; this module mends what it leaves out. It
knows one file and one folder. Run as ``python -m geminid.engines.openvino.convert GGUF FOLDER PRECISION``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy
import openvino
import openvino_genai
import openvino_tokenizers
from openvino import opset13

from geminid.engines.openvino.pipeline import NO_LIMIT, stop_ids_of

MODEL, TOKENIZER = "openvino_model.xml", "openvino_tokenizer.xml"


def convert(weights: Path, folder: Path, precision: str) -> None:
    """Let OpenVINO GenAI read the GGUF. It saves beside the file that it read, hence the link."""
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
    _edit(folder / TOKENIZER, _lift_limit)
    if precision == "f32":
        _edit(folder / MODEL, _unpack)


def _save_generation_config(config: Any, folder: Path) -> None:
    """The IR does not say which tokens end an answer; a file that the library reads does."""
    stop_ids = {"eos_token_id": sorted(stop_ids_of(config))}
    (folder / "generation_config.json").write_bytes(msgspec.json.encode(stop_ids))


def _edit(path: Path, change: Callable[[openvino.Core, Any], None]) -> None:
    """Read a model, change it, and put it back in its place."""
    core = openvino.Core()
    core.add_extension(str(openvino_tokenizers._ext_path))
    model, new = core.read_model(path), path.with_stem("new")
    change(core, model)
    model.validate_nodes_and_infer_types()
    openvino.save_model(model, new, compress_to_fp16=False)
    del model  # lets go of the mapped file
    os.replace(new, path)
    os.replace(new.with_suffix(".bin"), path.with_suffix(".bin"))


def _lift_limit(core: openvino.Core, tokenizer: Any) -> None:
    """The tokenizer would cut every text at the model's window without a word: too long must be told."""
    for node in tokenizer.get_ordered_ops():
        for limit in node.inputs() if node.get_type_name() == "Minimum" else ():
            source = limit.get_source_output().get_node()
            if source.get_type_name() == "Constant":
                no_limit = numpy.full(source.data.shape, NO_LIMIT, source.data.dtype)
                limit.replace_source_output(opset13.constant(no_limit).output(0))


def _unpack(core: openvino.Core, model: Any) -> None:
    """Replace every quantised matrix by its values, computed by OpenVINO itself."""
    values: dict[str, Any] = {}
    for consumer, packed in _packed_inputs(model):
        name = packed.get_node().get_friendly_name()
        if name not in values:
            unpacked = core.compile_model(openvino.Model([packed], [], name), "CPU")([])[0]
            values[name] = opset13.constant(unpacked.astype(numpy.float32))
        consumer.replace_source_output(values[name].output(0))


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
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
