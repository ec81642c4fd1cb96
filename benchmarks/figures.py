"""Figures, tables and goals: what a scenario hands over, and how runs become medians.

It knows no scenario. Times end in ``_s`` (seconds), ``_ms`` or ``_us``; ratios have no unit.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measured quantity over ``n`` runs: the median and the extremes. Without runs they mean nothing."""

    median: float
    low: float
    high: float
    n: int


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows for the report. A cell is a word or a figure; ``note`` says what the columns mean."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str | Figure]]


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that was promised. ``bound`` is a minimum if ``at_least``, a maximum otherwise."""

    name: str
    bound: float
    at_least: bool
    figure: Figure
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the median keeps the promise."""
        return self.figure.median >= self.bound if self.at_least else self.figure.median <= self.bound


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario found. ``runs`` are raw: everything else was computed from them."""

    arguments: dict[str, Any]
    runs: list[dict[str, Any]]
    tables: list[Table]
    goals: list[Goal] = []


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The file that a run leaves behind."""

    scenario: str
    date: str
    took_s: float
    quick: bool
    facts: dict[str, Any]
    outcome: Outcome


def figure(values: Iterable[float]) -> Figure:
    """Return median and extremes; values that do not exist (NaN) are left out."""
    known = [value for value in values if value == value]
    if not known:
        return Figure(0.0, 0.0, 0.0, 0)
    return Figure(statistics.median(known), min(known), max(known), len(known))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that ``percent`` of all values do not exceed; NaN without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-len(ordered) * int(percent) // 100) - 1))]
