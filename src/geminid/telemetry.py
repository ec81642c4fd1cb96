"""Statistics that rooms return, as Prometheus metrics and access lines.

Only this file knows the metrics library. Each server has a registry of its own. Names follow the
GenAI conventions where there are any: seconds, tokens, one counter by kind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from geminid.engines.protocol import EngineState
from geminid.service.generate import RequestRecord

FIRST_TOKEN_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
INTER_TOKEN_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
DURATION_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

KINDS = ("prompt", "cached", "candidates", "thoughts")

access = logging.getLogger("geminid.access")


class Telemetry:
    """Takes what is returned to it and shows it. ``states`` is asked at each scrape."""

    def __init__(self, states: Callable[[], Sequence[EngineState]]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "geminid_requests", "Requests that ended, by outcome.", ["model", "outcome"], registry=registry
        )
        self._tokens = Counter(
            "geminid_tokens",
            f"Tokens, by kind: {', '.join(KINDS)}.",
            ["model", "kind"],
            registry=registry,
        )
        self._media_tokens = Counter(
            "geminid_media_tokens",
            "Tokens of prompts that were read from media, by modality.",
            ["model", "modality"],
            registry=registry,
        )
        self._first_token = Histogram(
            "geminid_time_to_first_token_seconds",
            "From admission to the first token.",
            ["model"],
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=registry,
        )
        self._inter_token = Histogram(
            "geminid_inter_token_seconds",
            "Mean time between the tokens of one request.",
            ["model"],
            buckets=INTER_TOKEN_BUCKETS_S,
            registry=registry,
        )
        self._duration = Histogram(
            "geminid_request_seconds",
            "Whole requests.",
            ["model"],
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        registry.register(_EngineCollector(states))

    def observe(self, record: RequestRecord) -> None:
        """Count one request that has ended and write its access line."""
        self._requests.labels(record.model, record.outcome).inc()
        for kind in KINDS:
            self._tokens.labels(record.model, kind).inc(getattr(record.usage, kind))
        for modality, tokens in record.usage.media.items():
            self._media_tokens.labels(record.model, modality).inc(tokens)
        self._duration.labels(record.model).observe(record.took_s)
        if record.first_token_s >= 0:
            self._first_token.labels(record.model).observe(record.first_token_s)
        if record.gap_tokens:
            self._inter_token.labels(record.model).observe(record.gap_sum_s / record.gap_tokens)
        access.info(
            "%s %s as %s: %s, %d in, %d thought, %d out, first token %.0f ms, whole %.0f ms",
            record.id,
            record.model,
            record.asked,
            record.outcome,
            record.usage.prompt,
            record.usage.thoughts,
            record.usage.candidates,
            record.first_token_s * 1000,
            record.took_s * 1000,
        )

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    """Gauges that are read from the engines when asked for."""

    GAUGES: ClassVar = {
        "waiting": "Requests that have not produced a token yet.",
        "producing": "Requests that are producing tokens.",
        "kv_used": "Share of the KV cells in use, 0 to 1.",
        "restarts": "Engine processes lost since the start.",
        "steps": "Steps of the engine since the start.",
    }

    def __init__(self, states: Callable[[], Sequence[EngineState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one gauge for each figure, labelled by model."""
        states = self._states()
        for field, description in self.GAUGES.items():
            gauge = GaugeMetricFamily(f"geminid_engine_{field}", description, labels=["model"])
            for state in states:
                gauge.add_metric([state.model], getattr(state, field))
            yield gauge
