"""Base64 as clients write it: either alphabet, padded or not. It knows nothing of what is encoded."""

from __future__ import annotations

import base64

_TO_STANDARD = str.maketrans("-_", "+/")


def decode_base64(text: str) -> bytes:
    """Return the bytes that ``text`` spells; raises ``ValueError`` when it spells none."""
    plain = text.translate(_TO_STANDARD).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
