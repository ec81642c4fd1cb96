"""Printed text in pictures, read by PaddleOCR's small models on OpenVINO.

The weights are those inside the ``rapidocr`` wheel: nothing is ever fetched. It knows no file and no
format. Invariant: however large or odd a picture is, what the models see of it is bounded.

Which way up a page stands is told from what can be read of it, not by PaddleOCR's own classifier: that one
turns one upright line of six.
"""

from __future__ import annotations

import logging
import math
import os
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from geminid.media.ocr_layout import Span, laid_out

PIXELS_MAX = 40_000_000
"""Larger pictures are scaled down to this before their text is looked for."""
LOOKED_PIXELS_MAX = 3_000_000
"""What the detector sees at first."""
LOOKED_CLOSELY_PIXELS_MAX = 9_000_000
"""What it sees when the text turns out to be small."""
SIDE_MIN, SCALE_MAX = 736, 4.0
"""Small pictures are enlarged until their shorter side has this length, or by this much."""
SMALL_TEXT_PX = 16
"""Boxes of letters that are lower than this in what the detector saw are looked at again, closely."""
ASPECT_MAX = 6
"""Narrower strips are padded: the detector sees little in them."""
SCORE_MIN = 0.5
"""Words that the recogniser is less sure of are not words."""
UPRIGHT_SCORE = 0.9
"""A page read with less certainty is tried upside down."""
BATCH = 6

Pixels = np.ndarray


class Words(NamedTuple):
    """What was read, box by box: corners from top left clockwise, text, certainty."""

    quads: np.ndarray
    texts: list[str]
    scores: list[float]

    @property
    def certainty(self) -> float:
        """Mean over characters."""
        letters = sum(map(len, self.texts))
        sure = sum(len(t) * s for t, s in zip(self.texts, self.scores, strict=True))
        return sure / letters if letters else 0.0


class PaddleOcr:
    """Reads printed text. The models are loaded when they are first needed, in 0.5 s."""

    def __init__(self, *, threads: int = 0) -> None:
        self._threads = threads
        self._models: Any = None

    def read(self, image: Image.Image) -> str:
        """Return the text of an image in reading order, its layout kept with spaces and line breaks."""
        return laid_out(self.spans(image))

    def spans(self, image: Image.Image) -> list[Span]:
        """Return words and where they are, on the page as it is when turned upright."""
        pixels = _pixels(image)
        quads = self._look(pixels)
        if not len(quads):
            return []
        if _sideways(quads):
            pixels, quads = _turned(pixels, quads)
        words = self._upright(pixels, quads)
        sure = [i for i, score in enumerate(words.scores) if score >= SCORE_MIN and words.texts[i].strip()]
        boxes = _level(words.quads)
        return [Span(*boxes[i], words.texts[i].strip()) for i in sure]

    def _upright(self, pixels: Pixels, quads: np.ndarray) -> Words:
        words = self._recognise(pixels, quads)
        if words.certainty >= UPRIGHT_SCORE:
            return words
        for _ in range(2):
            pixels, quads = _turned(pixels, quads)
        return max(words, self._recognise(pixels, quads), key=lambda each: each.certainty)

    def _look(self, pixels: Pixels) -> np.ndarray:
        """Return where text is; small text is looked for a second time, larger."""
        scale = _scale(pixels, LOOKED_PIXELS_MAX)
        quads = self._detect(pixels, scale)
        if not len(quads):
            return quads
        seen_px = scale * statistics.median(_sides(quad)[1] for quad in quads)
        closer = min(scale * 2, math.sqrt(LOOKED_CLOSELY_PIXELS_MAX / _padded_area(pixels)))
        return self._detect(pixels, closer) if seen_px < SMALL_TEXT_PX and closer > scale * 1.2 else quads

    def _detect(self, pixels: Pixels, scale: float) -> np.ndarray:
        height, width = pixels.shape[:2]
        seen = cv2.resize(
            pixels,
            (max(1, round(width * scale)), max(1, round(height * scale))),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
        )
        found = self._loaded()._load_det_model()(_padded(seen)).boxes
        if found is None:
            return np.zeros((0, 4, 2), np.float32)
        quads = np.asarray(found, np.float32) / np.float32(scale)
        clipped: Pixels = np.clip(quads, 0, np.asarray([width - 1, height - 1], np.float32))
        return clipped

    def _recognise(self, pixels: Pixels, quads: np.ndarray) -> Words:
        models = self._loaded()
        crops = models.crop_text_regions(pixels, quads)
        kept = [i for i, crop in enumerate(crops) if min(crop.shape[:2]) > 1]
        if not kept:
            return Words(quads[:0], [], [])
        read = models.recognize_txt([crops[i] for i in kept])
        return Words(quads[kept], list(read.txts), [float(score) for score in read.scores])

    def _loaded(self) -> Any:
        if self._models is None:
            self._models = _load(self._threads)
        return self._models


def _load(threads: int) -> Any:
    import openvino
    import rapidocr

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    folder = Path(rapidocr.__file__).parent / "models"
    engine = rapidocr.EngineType.OPENVINO
    models: Any = rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Det.engine_type": engine,
            "Det.model_path": str(folder / "PP-OCRv6_det_small.onnx"),
            "Det.limit_side_len": 32,  # sizes are decided here
            "Rec.engine_type": engine,
            "Rec.model_path": str(folder / "PP-OCRv6_rec_small.onnx"),
            "Rec.rec_batch_num": BATCH,
            "EngineConfig.openvino.inference_num_threads": min(threads, os.cpu_count() or 1) or -1,
        }
    )
    # OpenVINO keeps code for every size of picture it has seen: some 50 fill 4 GiB. Sizes seldom recur, and
    # those that do take a fifth longer without it.
    settings = {"CPU_RUNTIME_CACHE_CAPACITY": 0, "INFERENCE_NUM_THREADS": threads or os.cpu_count() or 1}
    for part in (models._load_det_model(), models._load_rec_model()):
        compiled = openvino.Core().compile_model(part.session.model, "CPU", settings)
        part.session.session = compiled.create_infer_request()
    return models


def _pixels(image: Image.Image) -> Pixels:
    """An image as the models want it: blue first, of bounded size."""
    excess = image.width * image.height / PIXELS_MAX
    if excess > 1:
        smaller = (max(1, int(image.width / excess**0.5)), max(1, int(image.height / excess**0.5)))
        image = image.resize(smaller, Image.Resampling.BOX)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _scale(pixels: Pixels, pixels_max: int) -> float:
    larger = min(max(1.0, SIDE_MIN / min(pixels.shape[:2])), SCALE_MAX)
    return float(min(larger, math.sqrt(pixels_max / _padded_area(pixels))))


def _padded_area(pixels: Pixels) -> float:
    """How many pixels the detector sees of a picture that is not scaled."""
    height, width = pixels.shape[:2]
    return float(max(height, width / ASPECT_MAX) * max(width, height / ASPECT_MAX))


def _padded(pixels: Pixels) -> Pixels:
    """Widen strips to the right or below, in the colour of their corner, so that no place moves."""
    height, width = pixels.shape[:2]
    below = max(0, max(width // ASPECT_MAX, 64) - height)
    beside = max(0, max(height // ASPECT_MAX, 64) - width)
    if not below and not beside:
        return pixels
    colour = tuple(int(value) for value in pixels[-1, -1])
    return cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=colour)


def _sides(quad: np.ndarray) -> tuple[float, float]:
    """Length and thickness of a box, whichever way it lies."""
    across, down = float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[3] - quad[0]))
    return max(across, down), min(across, down)


def _sideways(quads: np.ndarray) -> bool:
    """Whether most of the text runs up or down."""
    across = np.linalg.norm(quads[:, 1] - quads[:, 0], axis=1)
    down = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)
    return float(down[down > 1.5 * across].sum()) > float(across[across >= down / 1.5].sum())


def _turned(pixels: Pixels, quads: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """Turn a page and its boxes by a quarter, anticlockwise."""
    width = pixels.shape[1]
    moved = np.stack([quads[:, :, 1], width - 1 - quads[:, :, 0]], axis=2)
    return np.ascontiguousarray(np.rot90(pixels)), np.ascontiguousarray(np.roll(moved, -1, axis=1))


def _level(quads: np.ndarray) -> list[tuple[float, float, float, float]]:
    """Return upright boxes of a page that lies a little askew: left, top, right, bottom."""
    if not len(quads):
        return []
    along = quads[:, 1] - quads[:, 0]
    angles = np.arctan2(along[:, 1], along[:, 0])
    weights = np.linalg.norm(along, axis=1)
    order = np.argsort(angles)
    turn = float(angles[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])
    cosine, sine = math.cos(-turn), math.sin(-turn)
    level = quads @ np.asarray([[cosine, sine], [-sine, cosine]])
    left, right = level[:, [0, 3], 0].mean(axis=1), level[:, [1, 2], 0].mean(axis=1)
    top, bottom = level[:, [0, 1], 1].mean(axis=1), level[:, [2, 3], 1].mean(axis=1)
    return [
        (float(a), float(b), float(c), float(d)) for a, b, c, d in zip(left, top, right, bottom, strict=True)
    ]
