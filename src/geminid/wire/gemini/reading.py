"""How requests are read: what depends on the server and on the name that was asked for.

It knows no catalogue and no secret; both come in as values.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from geminid.core.manner import Manner


def _any_signature(raw: str) -> bool:
    return True


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for one request.

    strict: refuse several candidates, penalties and log-probabilities, as the live service does on
    recent models. manner: how the name in the path behaves. genuine: tells whether a thought signature,
    as it stands in the JSON, is one that this server gave.
    """

    strict: bool = False
    manner: Manner = Manner()
    genuine: Callable[[str], bool] = _any_signature


LENIENT = Reading()
"""The manner of Gemini 3.1 Flash-Lite; a signature must be there, and any will do."""
