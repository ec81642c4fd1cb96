"""Public names of models.

A name is also a folder of the cache, hence the narrow alphabet: a name can never leave its folder.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


def is_name(text: str) -> bool:
    """Return whether ``text`` may be a public name: lower case letters, digits, ``.``, ``_``, ``-``."""
    return _NAME.fullmatch(text) is not None


def slug(text: str) -> str:
    """Return the public name made from any text: ``My Model_Q4.v2`` becomes ``my-model-q4.v2``.

    A text without a single letter or digit of ASCII becomes ``model``.
    """
    dashed = re.sub(r"[^a-z0-9.]+", "-", text.lower())
    return re.sub(r"\.{2,}|-{2,}", "-", dashed).strip(".-")[:128].rstrip(".-") or "model"
