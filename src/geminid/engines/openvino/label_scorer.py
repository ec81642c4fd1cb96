"""Reads beginnings that texts share, and says what the model would write behind each text.

The only other file that imports OpenVINO while serving; it runs in the engine process. It knows tokens and no
labels. Invariant: what is kept of a beginning is never changed once it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from geminid.engines.openvino.known import Tokens
from geminid.engines.openvino.label_graph import HIDDEN, IDS, OWN, POSITIONS, ROWS, label_graph
from geminid.engines.openvino.labelling import Beginning

UNSEEN = np.float32(-30_000.0)
"""Added to the score of what must not be seen: its share is 0 then, also in 16 bits."""
ROUND_TOKENS = 8
"""Texts are padded to a multiple of this: the library prepares itself anew for every new shape."""

Array = NDArray[Any]


class LabelScorer:
    """A model compiled for this, for one thread. Compiling takes seconds and needs no interpreter lock."""

    def __init__(self, weights: Path, properties: Mapping[str, Any]) -> None:
        """Raises ``UnknownGraph``, or ``RuntimeError`` of the library."""
        # In full precision 16 bits would change what is said.
        graph = label_graph(weights, unpacked=properties["INFERENCE_PRECISION_HINT"] == "bf16")
        self._layers, self._heads, self._width = graph.layers, graph.heads, graph.width
        compiled = openvino.Core().compile_model(graph.model, "CPU", dict(properties))
        self._request = compiled.create_infer_request()
        self._inputs: dict[str, openvino.Tensor] = {}  # the library does not keep them alive
        self._behind: Beginning | None = None

    def read(self, beginning: Beginning, tokens_max: int) -> int:
        """Read the next tokens of a beginning and return how many they were."""
        count = min(tokens_max, len(beginning.tokens) - beginning.done)
        tokens = beginning.tokens[beginning.done : beginning.done + count]
        self._compute(beginning, [tokens])
        news = [self._request.get_output_tensor(1 + index).data for index in range(2 * self._layers)]
        kept = beginning.kept or [new[:, :, :0] for new in news]
        beginning.kept = [
            np.concatenate((old, new[:, :, :count]), axis=2) for old, new in zip(kept, news, strict=True)
        ]
        beginning.done += count
        return count

    def score(self, beginning: Beginning, texts: Sequence[Tokens]) -> Array:
        """Return the logits of what follows each text [texts, vocabulary], where all of them follow a
        beginning that was read."""
        self._compute(beginning, texts)
        logits: Array = self._request.get_output_tensor(0).data[0]
        return logits

    def _compute(self, beginning: Beginning, texts: Sequence[Tokens]) -> None:
        width = -(-max(map(len, texts)) // ROUND_TOKENS) * ROUND_TOKENS
        ids = np.zeros((len(texts), width), np.int64)
        for row, tokens in zip(ids, texts, strict=True):
            row[: len(tokens)] = tokens
        places = np.arange(beginning.done, beginning.done + width, dtype=np.int64)
        later = np.triu(np.full((width, width), UNSEEN), 1)
        self._put(IDS, ids)
        self._put(POSITIONS, np.broadcast_to(places, ids.shape))
        self._put(OWN, np.broadcast_to(later, (len(texts), 1, width, width)))
        self._put(ROWS, np.array([row * width + len(each) - 1 for row, each in enumerate(texts)]))
        self._follow(beginning)
        self._request.infer()

    def _follow(self, beginning: Beginning) -> None:
        """Let texts follow a beginning; before there is anything of it, one place that nobody sees."""
        if self._behind is beginning and beginning.read and self._inputs[HIDDEN].size == beginning.done:
            return
        nothing = np.zeros((1, self._heads, 1, self._width), np.float32)
        kept = beginning.kept or [nothing] * (2 * self._layers)
        self._put(HIDDEN, np.full(max(1, beginning.done), 0.0 if beginning.done else UNSEEN, np.float32))
        for index, past in enumerate(kept):
            self._put(f"{'kv'[index % 2]}{index // 2}", past)
        self._behind = beginning

    def _put(self, name: str, values: Array) -> None:
        tensor = openvino.Tensor(np.ascontiguousarray(values))
        self._inputs[name] = tensor
        self._request.set_tensor(name, tensor)
