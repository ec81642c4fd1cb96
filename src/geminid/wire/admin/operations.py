"""Every operation of the administration API, as data: its routes and its document are made from this table.

It knows no HTTP library. Invariant: what is not in this table is not served and not documented.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from geminid.wire.admin import batches, budgets, caches, catalogue, keys, projects, usage
from geminid.wire.admin import credits as credit
from geminid.wire.admin.message import Message

PREFIX = "/admin/v1"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Operation(NamedTuple):
    """One operation. ``path`` follows :data:`PREFIX`; a name in braces is a parameter.

    paged: it takes ``pageSize`` and ``pageToken``. query: further parameters, with what they mean. An
    operation without an answer is answered with 204.
    """

    id: str
    method: Method
    path: str
    summary: str
    body: type[Message] | None = None
    answer: type[Message] | None = None
    paged: bool = False
    status: int = 200
    query: tuple[tuple[str, str], ...] = ()
    body_optional: bool = False

    @property
    def changes(self) -> bool:
        """Whether it changes something, which a viewer may not."""
        return self.method != "GET"

    @property
    def section(self) -> str:
        """Under which heading it is shown."""
        return self.id.partition(".")[0]


_PROJECT = "/projects/{project}"
_KEY = f"{_PROJECT}/keys/{{key}}"
_SPAN = (
    ("from", "Settled from this date or time on, RFC 3339."),
    ("until", "Settled before this date or time."),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation("projects.list", "GET", "/projects", "List projects.", None, projects.ProjectPage, paged=True),
    Operation(
        "projects.create",
        "POST",
        "/projects",
        "Make a project.",
        projects.NewProject,
        projects.Project,
        status=201,
    ),
    Operation("projects.get", "GET", _PROJECT, "Show a project.", None, projects.Project),
    Operation(
        "projects.update",
        "PATCH",
        _PROJECT,
        "Change a project.",
        projects.ProjectPatch,
        projects.Project,
    ),
    Operation(
        "projects.delete",
        "DELETE",
        _PROJECT,
        "Delete a project and revoke its keys. Its ledger and usage stay, and its id is not given again.",
        status=204,
    ),
    Operation(
        "limits.get",
        "GET",
        f"{_PROJECT}/limits",
        "Show a project's limits.",
        None,
        projects.ProjectLimits,
    ),
    Operation(
        "limits.update",
        "PATCH",
        f"{_PROJECT}/limits",
        "Change a project's limits.",
        projects.LimitsPatch,
        projects.ProjectLimits,
    ),
    Operation(
        "keys.list", "GET", f"{_PROJECT}/keys", "List a project's keys.", None, keys.KeyPage, paged=True
    ),
    Operation(
        "keys.create",
        "POST",
        f"{_PROJECT}/keys",
        "Make a key. Its secret is shown this once.",
        keys.NewKey,
        keys.MadeKey,
        status=201,
    ),
    Operation("keys.get", "GET", _KEY, "Show a key, without its secret.", None, keys.Key),
    Operation("keys.update", "PATCH", _KEY, "Change a key.", keys.KeyPatch, keys.Key),
    Operation(
        "keys.rotate",
        "POST",
        f"{_KEY}/rotate",
        "Replace a key by a new one; both work for a while.",
        keys.Rotation,
        keys.MadeKey,
        status=201,
        body_optional=True,
    ),
    Operation("keys.revoke", "POST", f"{_KEY}/revoke", "End a key for good, at once.", None, keys.Key),
    Operation("credits.get", "GET", f"{_PROJECT}/credits", "Show what a project has.", None, credit.Balance),
    Operation(
        "credits.enter",
        "POST",
        f"{_PROJECT}/credits",
        "Top up, grant or adjust credits, once for each key.",
        credit.NewEntry,
        credit.Credited,
    ),
    Operation(
        "credits.refund",
        "POST",
        f"{_PROJECT}/refunds",
        "Give back what a request was charged.",
        credit.NewRefund,
        credit.Credited,
    ),
    Operation(
        "ledger.list",
        "GET",
        f"{_PROJECT}/ledger",
        "List the entries of a project's ledger, the oldest first.",
        None,
        credit.EntryPage,
        paged=True,
    ),
    Operation(
        "ledger.verify",
        "GET",
        "/ledger/proof",
        "Derive every balance again from the entries.",
        None,
        credit.Proof,
        query=(("project", "Of this project only."),),
    ),
    Operation(
        "usage.sum",
        "GET",
        "/usage",
        "Sum up what was used.",
        None,
        usage.UsageSummary,
        query=(
            ("project", "Of this project only."),
            *_SPAN,
            ("by", "What to sum by, with commas: project, day, model, tier, key, outcome, label:NAME."),
            ("zone", "The time zone of days; without it, Pacific time, as limits and statements have it."),
        ),
    ),
    Operation(
        "usage.list",
        "GET",
        f"{_PROJECT}/usage",
        "List a project's requests, the first settled first.",
        None,
        usage.ReceiptPage,
        paged=True,
        query=_SPAN,
    ),
    Operation("usage.get", "GET", f"{_PROJECT}/usage/{{receipt}}", "Show a request.", None, usage.Receipt),
    Operation(
        "statements.get",
        "GET",
        f"{_PROJECT}/statements/{{month}}",
        "Make the statement of a month, such as 2026-11, and prove it.",
        None,
        usage.Statement,
    ),
    Operation(
        "timelines.list",
        "GET",
        "/timelines",
        "List the last requests of this process with the times of their phases, the latest first.",
        None,
        usage.TimelinePage,
        paged=True,
        query=(("project", "Of this project only."),),
    ),
    Operation("timelines.get", "GET", "/timelines/{receipt}", "Show one of them.", None, usage.Timeline),
    Operation(
        "budgets.list", "GET", f"{_PROJECT}/budgets", "List a project's budgets.", None, budgets.BudgetList
    ),
    Operation(
        "budgets.put",
        "PUT",
        f"{_PROJECT}/budgets/{{budget}}",
        "Set a budget. It tells when its thresholds are reached, and blocks nothing.",
        budgets.BudgetBody,
        budgets.Budget,
    ),
    Operation("budgets.delete", "DELETE", f"{_PROJECT}/budgets/{{budget}}", "Delete a budget.", status=204),
    Operation(
        "budgets.secret",
        "POST",
        f"{_PROJECT}/hook-secret",
        "Show the secret with which a project's messages are verified.",
        None,
        budgets.HookSecret,
    ),
    Operation(
        "batches.list",
        "GET",
        f"{_PROJECT}/batches",
        "List a project's batches, the newest first.",
        None,
        batches.BatchPage,
        paged=True,
    ),
    Operation("batches.get", "GET", f"{_PROJECT}/batches/{{batch}}", "Show a batch.", None, batches.Batch),
    Operation(
        "batches.cancel",
        "POST",
        f"{_PROJECT}/batches/{{batch}}/cancel",
        "End a batch now. What is answered stays, and is paid.",
        None,
        batches.Batch,
    ),
    Operation(
        "caches.list",
        "GET",
        "/caches",
        "List cached contents with their use, the newest first.",
        None,
        caches.CachePage,
        paged=True,
        query=(("project", "Of this project only."),),
    ),
    Operation("caches.get", "GET", "/caches/{cache}", "Show cached contents.", None, caches.Cache),
    Operation(
        "caches.delete",
        "DELETE",
        "/caches/{cache}",
        "End cached contents now; the time that they were kept is billed.",
        status=204,
    ),
    Operation(
        "prices.list",
        "GET",
        "/prices",
        "Show the prices in force, beside the list's.",
        None,
        catalogue.PriceSheetPage,
        paged=True,
    ),
    Operation(
        "prices.set",
        "POST",
        "/prices",
        "Set a price.",
        catalogue.NewPrice,
        catalogue.PriceEntry,
        status=201,
    ),
    Operation(
        "prices.history",
        "GET",
        "/prices/{key}/entries",
        "List what was set for one key.",
        None,
        catalogue.PriceEntryPage,
        paged=True,
    ),
    Operation(
        "aliases.list", "GET", "/aliases", "List names of models.", None, catalogue.AliasPage, paged=True
    ),
    Operation("aliases.get", "GET", "/aliases/{name}", "Show a name.", None, catalogue.Alias),
    Operation(
        "aliases.put",
        "PUT",
        "/aliases/{name}",
        "Pin a name to a model, move it, or retire it.",
        catalogue.AliasBody,
        catalogue.Alias,
    ),
    Operation(
        "aliases.delete",
        "DELETE",
        "/aliases/{name}",
        "Forget a name; one that the catalogue knows means the default model again.",
        status=204,
    ),
    Operation(
        "tokens.list", "GET", "/tokens", "List administrators' tokens.", None, keys.TokenPage, paged=True
    ),
    Operation(
        "tokens.create",
        "POST",
        "/tokens",
        "Make a token. Its secret is shown this once.",
        keys.NewToken,
        keys.MadeToken,
        status=201,
    ),
    Operation("tokens.revoke", "DELETE", "/tokens/{token}", "End a token for good, at once.", status=204),
    Operation(
        "audit.list",
        "GET",
        "/audit",
        "List what administrators changed, the newest first.",
        None,
        catalogue.ChangePage,
        paged=True,
        query=(("project", "Of this project only."),),
    ),
)
