"""What is wrong with a request, in OpenAI's words: one mistake, its parameter and its code.

OpenAI tells one mistake at a time, the first, and so does this wire. Paths are those of the body:
``messages[0].content[1].image_url``. It knows no message types.
"""

from __future__ import annotations

from collections.abc import Sequence

from geminid.core.errors import FailedPrecondition, FieldViolation, InvalidArgument
from geminid.wire.lenient import Json
from geminid.wire.scalars import clip

UNKNOWN_PARAMETER = "unknown_parameter"
UNSUPPORTED_PARAMETER = "unsupported_parameter"
UNSUPPORTED_VALUE = "unsupported_value"
INVALID_VALUE = "invalid_value"
NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
    "library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)"
)

_NAMES_MAX = 20  # the answer to a wrong body must not be as large as the body


class Refused(InvalidArgument):
    """A mistake of the caller's. ``param`` is None where OpenAI names none, and so is ``kind``, its code.

    names: of top-level arguments that nobody knows, where that is the mistake.
    """

    def __init__(
        self, message: str, param: str | None = None, kind: str | None = None, names: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, violations=(FieldViolation(message, param or ""),))
        self.param = param
        self.kind = kind
        self.names = names


class Ended(FailedPrecondition):
    """What shall be changed has ended, and asking again will not help: a 409."""


class Missing(Refused):
    """What a request names is not there, or is somebody else's: a 404."""


def unrecognized(names: Sequence[str]) -> Refused:
    """Return the mistake of arguments at the top that no request has."""
    clipped = tuple(clip(name) for name in names[:_NAMES_MAX])
    s = "s" if len(clipped) > 1 else ""
    return Refused(f"Unrecognized request argument{s} supplied: {', '.join(clipped)}", names=clipped)


def unknown(param: str) -> Refused:
    """Return the mistake of a field that there is not, further down."""
    param = clip(param)
    return Refused(f"Unknown parameter: '{param}'.", param, UNKNOWN_PARAMETER)


def missing(param: str) -> Refused:
    """Return the mistake of a field that must be there."""
    return Refused(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def wrong_type(param: str, expected: str, value: Json) -> Refused:
    """Return the mistake of a value of another kind; ``expected`` is with its article."""
    return Refused(
        f"Invalid type for '{param}': expected {expected}, but got {kind_of(value)} instead.",
        param,
        "invalid_type",
    )


def wrong_value(param: str, value: object, supported: Sequence[str]) -> Refused:
    """Return the mistake of a value that is not one of a few."""
    return Refused(
        f"Invalid value: '{clip(str(value))}'. Supported values are: {listed(supported)}.",
        param,
        INVALID_VALUE,
    )


def out_of_range(param: str, kind: str, value: float, low: float | None, high: float | None) -> Refused:
    """Return the mistake of a number beyond its bounds; ``kind`` is ``integer`` or ``decimal``."""
    if low is not None and value < low:
        side, code, sign, bound = "below minimum", "below_min_value", ">=", low
    else:
        side, code, sign, bound = "above maximum", "above_max_value", "<=", high or 0
    return Refused(
        f"Invalid '{param}': {kind} {side} value. Expected a value {sign} {bound:.15g}, but got {value:.15g} "
        "instead.",
        param,
        f"{kind}_{code}",
    )


def too_large(
    param: str, kind: str, article: str, length: int, most: int, what: str = "maximum length"
) -> Refused:
    """Return the mistake of a text or list that has more than it may."""
    return Refused(
        f"Invalid '{param}': {kind} too long. Expected {article} {kind} with {what} {most}, but got "
        f"{article} {kind} with length {length} instead.",
        param,
        f"{kind}_above_max_length",
    )


def too_many(param: str, count: int, most: int) -> Refused:
    """Return the mistake of an object with more members than it may have."""
    return Refused(
        f"Invalid '{param}': too many properties. Expected an object with at most {most} properties, but got "
        f"an object with {count} properties instead.",
        param,
        "object_above_max_properties",
    )


def empty(param: str, kind: str, article: str) -> Refused:
    """Return the mistake of a text or list that must hold something."""
    return Refused(
        f"Invalid '{param}': empty {kind}. Expected {article} {kind} with minimum length 1, but got an empty "
        f"{kind} instead.",
        param,
        f"empty_{kind}",
    )


def no_match(param: str, pattern: str) -> Refused:
    """Return the mistake of a text that has another form."""
    return Refused(
        f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern "
        f"'{pattern}'.",
        param,
        INVALID_VALUE,
    )


def unsupported(param: str, reason: str = "") -> Refused:
    """Return the refusal of a parameter that this server knows and does not do."""
    words = f"Unsupported parameter: '{param}' is not supported with this model."
    return Refused(f"{words} {reason}".rstrip(), param, UNSUPPORTED_PARAMETER)


def listed(values: Sequence[str]) -> str:
    """Return values in quotes, as a sentence lists them."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def kind_of(value: Json) -> str:
    """Return the kind of a JSON value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case list():
            return "an array"
    return "an object"
