"""Who owns what is kept: a project, by its name."""

from __future__ import annotations

DEFAULT_PROJECT = "default"
"""Owns everything as long as keys belong to no project."""
