"""Items of an input as they are told again, in pages.

It knows how items were sent, and gives each an id and the fields that it was sent without. Invariant: the
same response has the same items with the same ids, whenever they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from geminid.wire.openai import refused
from geminid.wire.openai.answers import pretty
from geminid.wire.openai.queries import choice_of, limit_of
from geminid.wire.openai.responses.items import Item
from geminid.wire.openai.responses.names import ItemKind, item_id
from geminid.wire.openai.responses.replies import ItemList

LIMIT_DEFAULT = 20
LIMIT_MAX = 100
ORDERS = ("asc", "desc")

_KINDS: dict[str, ItemKind] = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fc_",
    "reasoning": "rs_",
    "file_search_call": "fs_",
}
_TEXT_TYPES = {"assistant": "output_text"}


class Page(NamedTuple):
    """Which items are wanted. after: the id of the one before them, empty for none."""

    limit: int = LIMIT_DEFAULT
    newest_first: bool = True
    after: str = ""


def read_page(query: Mapping[str, str]) -> Page:
    """Return which items a query asks for; raises :class:`~geminid.wire.openai.refused.Refused`."""
    order = choice_of("order", query.get("order", "desc"), ORDERS)
    limit = limit_of(query.get("limit"), LIMIT_DEFAULT, LIMIT_MAX)
    return Page(limit, order == "desc", query.get("after", ""))


def sent_items(items: Sequence[Item], response_id: str) -> list[Item]:
    """Return the items of an input with their ids, the oldest first."""
    return [_whole(item, response_id, index) for index, item in enumerate(items)]


def write_items(items: Sequence[Item], page: Page) -> bytes:
    """Return a page of items, which are given with the oldest first."""
    ordered = list(reversed(items)) if page.newest_first else list(items)
    if page.after:
        places = [index for index, item in enumerate(ordered) if item["id"] == page.after]
        if not places:
            raise refused.Missing(f"No item with id '{page.after}'.", "after")
        ordered = ordered[places[0] + 1 :]
    found = ordered[: page.limit]
    return pretty(
        ItemList(
            data=found,
            first_id=found[0]["id"] if found else None,
            last_id=found[-1]["id"] if found else None,
            has_more=len(ordered) > len(found),
        )
    )


def _whole(item: Item, response_id: str, index: int) -> Item:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "item_reference":
        return {"type": kind, **item}
    given = item.get("id") or item_id(_KINDS.get(kind, "item_"), response_id, index, sent=True)
    whole = {**item, "id": given, "type": kind, "status": item.get("status") or "completed"}
    if kind == "message":
        whole["content"] = _parts(item["content"], item["role"])
    return whole


def _parts(content: Any, role: str) -> Any:
    """Return what a message says as parts."""
    if not isinstance(content, str):
        return content
    part: Item = {"type": _TEXT_TYPES.get(role, "input_text"), "text": content}
    if role in _TEXT_TYPES:
        part |= {"annotations": [], "logprobs": []}
    return [part]
