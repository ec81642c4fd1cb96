"""The tensors of a safetensors file, mapped into memory, not copied.

The format is eight bytes of length, a JSON object of names, types, shapes and places, and the numbers
(https://huggingface.co/docs/safetensors). Bad files raise ``ValueError`` with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

HEADER_BYTES_MAX = 100_000_000
"""The bound of the format itself."""
TYPES: dict[str, Any] = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I64": np.int64,
    "I32": np.int32,
}

Tensors = Mapping[str, NDArray[Any]]


class _Place(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def tensors_of(path: Path) -> Tensors:
    """Return the tensors of a file by name; those of 16 bits come as float32."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    size = int.from_bytes(raw[:8].tobytes(), "little")
    if len(raw) < 8 or size > min(len(raw) - 8, HEADER_BYTES_MAX):
        raise ValueError(f"{path.name} is not in the safetensors format")
    header = msgspec.json.decode(raw[8 : 8 + size].tobytes(), type=dict[str, Any])
    header.pop("__metadata__", None)
    places = msgspec.convert(header, dict[str, _Place])
    return {name: _tensor(raw[8 + size :], place, name) for name, place in places.items()}


def _tensor(numbers: NDArray[np.uint8], place: _Place, name: str) -> NDArray[Any]:
    begin, end = place.data_offsets
    if place.dtype not in TYPES:
        raise ValueError(f"{name} has the type {place.dtype}, which is none of {', '.join(TYPES)}")
    if not 0 <= begin <= end <= len(numbers):
        raise ValueError(f"{name} lies outside of the file")
    tensor: NDArray[Any] = numbers[begin:end].view(TYPES[place.dtype]).reshape(place.shape)
    if place.dtype == "BF16":
        tensor = (tensor.astype(np.uint32) << 16).view(np.float32)
    elif place.dtype == "F16":
        tensor = tensor.astype(np.float32)
    return tensor
