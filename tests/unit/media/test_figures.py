"""The hosted service's figures for media, as its documentation gives them."""

import pytest

from geminid.media.figures import google_tokens
from geminid.media.reading import Measures


@pytest.mark.parametrize(
    ("measures", "resolution", "tokens"),
    [
        (Measures(images=2), None, {"image": 2240}),
        (Measures(images=1), "low", {"image": 280}),
        (Measures(images=1), "medium", {"image": 560}),
        (Measures(images=1), "ultra_high", {"image": 2240}),
        (Measures(pages=100), None, {"image": 56_000}),
        (Measures(pages=3), "high", {"image": 3360}),
        (Measures(frames=10, seen_ms=10_000, heard_ms=10_000), None, {"video": 700, "audio": 320}),
        (Measures(frames=10), "high", {"video": 2800}),
        (Measures(heard_ms=1), None, {"audio": 1}),
        (Measures(), None, {}),
    ],
)
def test_a_medium_costs_what_google_publishes(measures, resolution, tokens):
    assert google_tokens(measures, resolution) == tokens
