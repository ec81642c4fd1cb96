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
from geminid.service.recorder import PHASES, Phase, told_phases
from geminid.service.vitals import Vitals

FIRST_TOKEN_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
INTER_TOKEN_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
DURATION_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

PHASE_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.25, 1, 5, 30, 120)

KINDS = ("prompt", "cached", "candidates", "thoughts")

access = logging.getLogger("geminid.access")


class Telemetry:
    """Takes what is returned to it and shows it. ``states`` and ``vitals`` are asked at each scrape."""

    def __init__(self, states: Callable[[], Sequence[EngineState]], vitals: Vitals | None = None) -> None:
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
        self._found_tokens = Counter(
            "geminid_found_tokens",
            "Of the cached tokens, those that the engine found computed without cached contents being named.",
            ["model"],
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
        self._phases = Histogram(
            "geminid_phase_seconds",
            f"Phases of requests: {', '.join(PHASES)}.",
            ["model", "phase"],
            buckets=PHASE_BUCKETS_S,
            registry=registry,
        )
        self._refusals = Counter(
            "geminid_refusals",
            "Requests refused by a limit (Google's name of it) or for want of credits.",
            ["model", "limit"],
            registry=registry,
        )
        self._cost = Counter(
            "geminid_cost_nano_dollars",
            "What requests cost, in nano-dollars. The exact amounts are in the ledger and the usage.",
            ["model", "tier"],
            registry=registry,
        )
        self._models: dict[str, _Model] = {}
        registry.register(_EngineCollector(states))
        if vitals is not None:
            registry.register(_VitalsCollector(vitals))

    def observe(self, record: RequestRecord) -> None:
        """Count one request that has ended and write its access line; the lines of batches have none."""
        phases = told_phases(record)
        model = self._models.get(record.model)
        if model is None:  # finding a metric by its labels costs more than counting
            model = self._models[record.model] = _Model(self, record.model)
        model.count(record, phases)
        if record.tier != "batch" and access.isEnabledFor(logging.INFO):
            _write_line(record, phases)

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Model:
    """The metrics of one model; those with further labels are found once for each value."""

    def __init__(self, telemetry: Telemetry, name: str) -> None:
        self._duration = telemetry._duration.labels(name)
        self._first_token = telemetry._first_token.labels(name)
        self._inter_token = telemetry._inter_token.labels(name)
        self._tokens = {kind: telemetry._tokens.labels(name, kind) for kind in KINDS}
        self._found_tokens = telemetry._found_tokens.labels(name)
        self._phases = {phase: telemetry._phases.labels(name, phase) for phase in PHASES}
        self._requests = _Found(telemetry._requests, name)
        self._media_tokens = _Found(telemetry._media_tokens, name)
        self._refusals = _Found(telemetry._refusals, name)
        self._cost = _Found(telemetry._cost, name)

    def count(self, record: RequestRecord, phases: Sequence[Phase]) -> None:
        """Count one request."""
        self._requests[record.outcome].inc()
        for kind, counter in self._tokens.items():
            if tokens := getattr(record.usage, kind):
                counter.inc(tokens)
        if record.found_tokens:
            self._found_tokens.inc(record.found_tokens)
        for modality, tokens in record.usage.media.items():
            self._media_tokens[modality].inc(tokens)
        self._duration.observe(record.took_s)
        if record.first_token_s >= 0:
            self._first_token.observe(record.first_token_s)
        if record.gap_tokens:
            self._inter_token.observe(record.gap_sum_s / record.gap_tokens)
        for limit in record.refused_by:
            self._refusals[limit].inc()
        if record.cost_nano:
            self._cost[record.tier].inc(record.cost_nano)
        for phase in phases:
            self._phases[phase.name].observe(phase.took_ms / 1000)


class _Found(dict[str, Counter]):
    """One counter's children for a model, by the other label, of whose values none comes from a caller."""

    def __init__(self, counter: Counter, model: str) -> None:
        self._counter, self._model = counter, model

    def __missing__(self, label: str) -> Counter:
        found = self[label] = self._counter.labels(self._model, label)
        return found


def _write_line(record: RequestRecord, phases: Sequence[Phase]) -> None:
    """Write the access line: its words for people, its fields for programs. Neither tells any word of a
    request or of an answer, nor any key."""
    usage = record.usage
    fields = {
        "receipt": record.id,
        "verb": record.verb,
        "project": record.project,
        "key": record.key_name,
        "model": record.model,
        "asked": record.asked,
        "tier": record.tier,
        "outcome": record.outcome,
        "refused_by": record.refused_by,
        "tokens": {kind: getattr(usage, kind) for kind in KINDS},
        "cost_nano": record.cost_nano,
        "phases_ms": {phase.name: phase.took_ms for phase in phases},
        "took_ms": round(record.took_s * 1000),
    }
    first = f"first token {record.first_token_s * 1000:.0f} ms" if record.first_token_s >= 0 else "no token"
    access.info(
        "%s %s as %s for %s: %s, %d in, %d thought, %d out, %s, whole %.0f ms",
        record.id,
        record.model,
        record.asked,
        record.project,
        record.outcome,
        usage.prompt,
        usage.thoughts,
        usage.candidates,
        first,
        record.took_s * 1000,
        extra={"fields": fields},
    )


class _EngineCollector(Collector):
    """Gauges that are read from the engines when asked for."""

    GAUGES: ClassVar = {
        "waiting": "Requests that have not produced a token yet.",
        "producing": "Requests that are producing tokens.",
        "kv_used": "Share of the KV cells in use, 0 to 1.",
        "restarts": "Engine processes lost since the start.",
        "steps": "Steps of the engine since the start.",
        "prefixes": "Cached contents that are kept.",
        "cached_tokens": "Tokens of the cached contents that are kept.",
        "cached_tokens_max": "How many tokens of cached contents can be kept.",
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


class _VitalsCollector(Collector):
    """Gauges of the database, over all its processes, as they were read last."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauges."""
        figures = (
            ("geminid_holds_open", "Requests that hold credits.", self._vitals.holds_open),
            ("geminid_messages_waiting", "Messages to hooks not taken yet.", self._vitals.messages_waiting),
        )
        for name, description, value in figures:
            yield GaugeMetricFamily(name, description, value=value)
