"""Bounds of ``labels``, which are kept with the usage and have no effect on an answer.

Google's own bounds on labels are narrower; only sizes are held, so that no caller is turned away whose
labels are read by a bill of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from geminid.wire.gemini.complaints import Complaints
from geminid.wire.scalars import clip

LABELS_MAX = 64
LABEL_CHARS_MAX = 63


def check_labels(labels: Mapping[str, str], complaints: Complaints) -> None:
    """Note labels that are too many, without a name, or too long."""
    if len(labels) > LABELS_MAX:
        complaints.refuse("labels", f"at most {LABELS_MAX} labels are allowed, got {len(labels)}.")
    for key, value in labels.items():
        if complaints.full:
            return
        if not 1 <= len(key) <= LABEL_CHARS_MAX:
            complaints.refuse("labels", f"a label's name has 1 to {LABEL_CHARS_MAX} characters: {clip(key)}")
        if len(value or "") > LABEL_CHARS_MAX:
            complaints.refuse(
                f"labels.{clip(key)}", f"a label's value has at most {LABEL_CHARS_MAX} characters."
            )
