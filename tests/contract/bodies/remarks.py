"""How remarks about fields are worded, the same for every request."""

from collections.abc import Iterable
from typing import Any

from contract.fields import Remark

TABLED, VALUE, UNSERVED = "unsupported_parameter", "invalid_value", "unsupported_value"
CACHED = Remark("without effect", "what requests share is cached by itself")


def refused(code: str, how: str = "", sample: dict[str, Any] | None = None) -> Remark:
    """Return that a field is refused with 400 and a code."""
    return Remark("refused", f"400 `{code}`" + (f"; {how}" if how else ""), sample, code)


def less(told: str, how: str = "", sample: dict[str, Any] | None = None) -> Remark:
    """Return that a field is served with less, which a header tells."""
    header = f"`x-geminid-downgraded: {told}`"
    return Remark("approximated", f"{how}; {header}" if how else header, sample, told)


def but(code: str, what: str, sample: dict[str, Any] | None = None) -> Remark:
    """Return that a field is honoured but for some of its values."""
    return Remark("honoured", f"not {what}: refused with 400 `{code}`", sample, code)


def refusals_of(rows: Iterable[Any], code: str) -> dict[str, Remark]:
    """Return what a table of refusals says, by field."""
    return {
        row.field: refused(code, "" if row.accepted == "null" else f"let through: {row.accepted}")
        for row in rows
    }


def strictly_of(fields: Iterable[str]) -> dict[str, Remark]:
    """Return what is said of fields that are refused in strict mode alone."""
    return {field: Remark("honoured", "refused with `--strict`") for field in fields}
