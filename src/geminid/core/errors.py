"""Everything that can go wrong, as one tree.

::

    Problem
     ├── InvalidArgument            the caller's mistake; carries the fields
     │    ├── InputTooLong          the prompt does not fit the model
     │    ├── UnknownPrevious       what shall be gone on from does not exist
     │    └── InvalidKey            a key was sent that is not one of ours
     │         └── ExpiredKey
     ├── Unauthenticated            whoever administers must say who he is
     ├── FailedPrecondition         right request, wrong state
     │    └── NotCancellable        nothing of it is running
     ├── PermissionDenied
     │    ├── NoKey                 no key was sent where one is needed
     │    ├── UnknownFile           no such file, or it is somebody else's
     │    └── UnknownCache          the same of cached contents
     ├── NotFound
     │    ├── UnknownModel
     │    └── UnknownInteraction    the same of a stored interaction
     ├── AlreadyExists              the name is taken
     ├── Aborted                    somebody else is at it
     ├── ResourceExhausted          a limit of the caller was reached
     │    ├── QuotaExceeded         a limit of its project; carries which, and when it clears
     │    ├── OutOfCredits          a project that pays in advance cannot pay
     │    └── CachesFull            no room for more cached contents
     ├── Cancelled                  whoever asked wants no answer any more
     ├── Unavailable                try again: full queue, engine restarting or lost
     ├── DeadlineExceeded
     └── Internal                   our fault

A ``Problem`` says what happened in words for the caller. It knows no HTTP: each wire maps the tree
with one table. Anything that is not a ``Problem`` is a bug and is answered as ``Internal``.
Codes are those of google.rpc.Code.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class FieldViolation(msgspec.Struct, frozen=True):
    """One mistake. ``field`` is a path such as ``generation_config.top_k``, empty for the whole body."""

    description: str
    field: str = ""


class Problem(Exception):
    """Base of all errors that a caller may see. ``retry_after_ms`` is a hint, when known."""

    code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms


class InvalidArgument(Problem):
    """The request itself is wrong. ``violations`` name each field."""

    code = "INVALID_ARGUMENT"

    def __init__(self, message: str, *, violations: tuple[FieldViolation, ...] = ()) -> None:
        super().__init__(message)
        self.violations = violations


class InputTooLong(InvalidArgument):
    """The prompt has ``tokens`` tokens where ``tokens_max`` are allowed."""

    def __init__(self, tokens: int, tokens_max: int) -> None:
        super().__init__(
            f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({tokens_max})."
        )
        self.tokens = tokens
        self.tokens_max = tokens_max


class UnknownPrevious(InvalidArgument):
    """An interaction that shall be gone on from, or one that came before it, does not exist: ``id``."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(f"Interaction {interaction_id}, which this one goes on from, does not exist.")
        self.id = interaction_id


class InvalidKey(InvalidArgument):
    """The caller's key is not known. Google answers this with INVALID_ARGUMENT, and so do we."""

    def __init__(self, message: str = "API key not valid. Please pass a valid API key.") -> None:
        super().__init__(message)


class ExpiredKey(InvalidKey):
    """The caller's key was one of ours."""

    def __init__(self) -> None:
        super().__init__("API key expired. Please renew the API key.")


class Unauthenticated(Problem):
    """No token of an administrator, or not one of ours. Callers of the API proper never meet it."""

    code = "UNAUTHENTICATED"

    def __init__(self) -> None:
        super().__init__(
            "This needs the token of an administrator, sent as Authorization: Bearer adm-… "
            "(geminid tokens create makes one)."
        )


class FailedPrecondition(Problem):
    """The request is well formed but cannot be served in the present state."""

    code = "FAILED_PRECONDITION"


class NotCancellable(FailedPrecondition):
    """An interaction that does not run in the background and has ended."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(f"Interaction {interaction_id} does not run in the background.")
        self.id = interaction_id


class PermissionDenied(Problem):
    """The caller may not do this, or may not know whether it exists."""

    code = "PERMISSION_DENIED"


class NoKey(PermissionDenied):
    """The caller sent no key."""

    def __init__(self) -> None:
        super().__init__(
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API."
        )


class UnknownFile(PermissionDenied):
    """No file of the caller has this id (given without ``files/``): unknown, expired, or somebody else's."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"You do not have permission to access the File {file_id} or it may not exist.")
        self.file_id = file_id


class UnknownCache(PermissionDenied):
    """No cached contents of the caller have this name: unknown, expired, or somebody else's."""

    def __init__(self) -> None:
        super().__init__("CachedContent not found (or permission denied)")


class NotFound(Problem):
    """No such thing."""

    code = "NOT_FOUND"


class UnknownModel(NotFound):
    """No model or alias has this name (given without ``models/``)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"model {name} is not known here")
        self.name = name


class UnknownInteraction(NotFound):
    """The caller has no interaction of this id: unknown, expired, deleted, of another wire or project."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(f"Interaction {interaction_id} does not exist.")
        self.id = interaction_id


class AlreadyExists(Problem):
    """Something else has the name that the caller wants to give."""

    code = "ALREADY_EXISTS"


class Aborted(Problem):
    """Another request is at work on the same thing; the same request may succeed when that has ended."""

    code = "ABORTED"


class ResourceExhausted(Problem):
    """A limit of the caller was reached."""

    code = "RESOURCE_EXHAUSTED"


class QuotaViolation(msgspec.Struct, frozen=True):
    """One limit that is reached. ``quota_id`` and ``metric`` are Google's names, ``value`` is the limit."""

    quota_id: str
    metric: str
    value: int


class QuotaExceeded(ResourceExhausted):
    """Limits of the caller's project for ``model`` are reached. Without ``retry_after_ms``, for good."""

    def __init__(
        self, model: str, violations: tuple[QuotaViolation, ...], *, retry_after_ms: int | None = None
    ) -> None:
        named = ", ".join(f"{each.quota_id} ({each.value})" for each in violations)
        super().__init__(f"Limits of this project are reached: {named}.", retry_after_ms=retry_after_ms)
        self.model = model
        self.violations = violations


class OutOfCredits(ResourceExhausted):
    """The project pays in advance, and its credits do not cover what the request may cost."""


class CachesFull(ResourceExhausted):
    """Cached contents of ``tokens`` do not fit beside those that are kept, which take ``kept`` of
    ``tokens_max``."""

    def __init__(self, tokens: int, kept: int, tokens_max: int) -> None:
        super().__init__(
            f"Cached contents of {tokens} tokens do not fit: those that this server keeps for the model take "
            f"{kept} of {tokens_max} tokens. Delete some, or wait until some expire."
        )
        self.tokens = tokens
        self.kept = kept
        self.tokens_max = tokens_max


class Cancelled(Problem):
    """The caller took the request back before it was answered."""

    code = "CANCELLED"


class Unavailable(Problem):
    """The service cannot answer now; the same request may succeed later."""

    code = "UNAVAILABLE"


class DeadlineExceeded(Problem):
    """The caller's or the server's time limit passed first."""

    code = "DEADLINE_EXCEEDED"


class Internal(Problem):
    """A fault of ours."""

    code = "INTERNAL"
