"""``format``: patterns of our own for the formats that can be promised.

Each is narrower than its standard: what it generates is valid by every reading of the standard (days up
to 28, no leap seconds, host names in lower case). Formats that are not here are annotations, as JSON
Schema says. Invariant: what is generated is valid, whatever its length.
"""

from __future__ import annotations

from functools import lru_cache

from geminid.shape.patterns import read_pattern
from geminid.shape.regex import Regex

_DATE = r"[0-9]{3}[1-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_TIME = _CLOCK + r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"({_BYTE}\.){{3}}{_BYTE}"
_LABEL = r"[a-z0-9]([a-z0-9-]?[a-z0-9]){0,5}"
# Only for host names themselves a length is a matter of syntax; bounds take long to compile.
_DOMAIN = r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z][a-z]+"
_URI_REST = r"(/[A-Za-z0-9._~-]*)*(\?[A-Za-z0-9._~=&-]*)?(#[A-Za-z0-9._~-]*)?"

_PATTERNS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": r"P([0-9]{1,4}W|[0-9]{1,4}D|([0-9]{1,4}D)?T([0-9]{1,4}H|[0-9]{1,4}M|[0-9]{1,4}S|[0-9]{1,4}H[0-9]{1,4}M([0-9]{1,4}S)?|[0-9]{1,4}M[0-9]{1,4}S)|[0-9]{1,4}Y|[0-9]{1,4}M|[0-9]{1,4}Y[0-9]{1,4}M([0-9]{1,4}D)?)",  # noqa: E501
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "email": rf"[A-Za-z0-9_+]+([.-][A-Za-z0-9_+]+)*@{_DOMAIN}",
    "ipv4": _IPV4,
    "ipv6": r"([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}",
    "hostname": rf"({_LABEL}\.){{1,2}}[a-z]{{2,6}}",
    "uri": rf"https?://{_DOMAIN}(:[1-9][0-9]{{1,3}})?{_URI_REST}",
}


@lru_cache(maxsize=len(_PATTERNS))
def format_pattern(name: str) -> Regex | None:
    """Return what strings of the format ``name`` look like, or ``None`` for one that is not enforced."""
    if name not in _PATTERNS:
        return None
    tree = read_pattern(f"^({_PATTERNS[name]})$")
    if isinstance(tree, str):
        raise AssertionError(f"{name}: {tree}")
    return tree
