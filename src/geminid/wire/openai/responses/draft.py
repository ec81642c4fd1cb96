"""A response while it comes to be: what happens in an interaction to items, and to events that tell of them.

A whole body and a stream are spelled by the same steps here, so they say the same. It knows neither HTTP nor
numbers of events. Invariant: of the same events in the same order the same response and the same stream are
made, whenever that is done; an item that was added is done before the response ends, unless that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from geminid.core import events as core
from geminid.core.content import ToolCall, ToolResult
from geminid.core.events import FinishReason
from geminid.core.interaction import (
    Ended,
    Fault,
    Interaction,
    InteractionEvent,
    StepBegun,
    StepEvent,
    ToolAnswered,
)
from geminid.core.usage import Usage as Counted
from geminid.wire.openai.responses import events, item_drafts, replies
from geminid.wire.openai.responses.events import StreamEvent
from geminid.wire.openai.responses.item_drafts import Thoughts, Words
from geminid.wire.openai.responses.kept import Kept, Showing
from geminid.wire.openai.responses.names import ItemKind, item_id
from geminid.wire.openai.responses.problems import renamed
from geminid.wire.openai.responses.replies import (
    ErrorObject,
    FileSearchItem,
    IncompleteDetails,
    ItemStatus,
    OutputItem,
    Response,
    Settings,
    Status,
)
from geminid.wire.openai.responses.search import FILE_SEARCH, Found, found_in

CODES = {"INVALID_ARGUMENT": "invalid_prompt", "RESOURCE_EXHAUSTED": "rate_limit_exceeded"}
"""Codes of failed responses; all others are the server's fault."""
SERVER_ERROR = "server_error"

Sign = Callable[[str, int, int], str]
"""(receipt of a step, candidate, number of the part) → a signature."""

_ENDS: dict[Status, type[events.Completed] | type[events.Incomplete] | type[events.Failed]] = {
    "completed": events.Completed,
    "incomplete": events.Incomplete,
    "cancelled": events.Incomplete,  # the reference has no event for it; its status says so
    "failed": events.Failed,
}


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one response from its first event to its last. ``created_s``: seconds since 1970."""

    id: str
    created_s: int
    model: str
    settings: Settings
    showing: Showing


def heading_of(interaction: Interaction, kept: Kept) -> Heading:
    """Return the heading of a response; one that is not stored does not say that it were."""
    settings = kept.settings
    if settings.store and not interaction.stored:
        settings = msgspec.structs.replace(settings, store=False)
    return Heading(
        id=interaction.id,
        created_s=interaction.created_ms // 1000,
        model=interaction.model,
        settings=settings,
        showing=kept.showing,
    )


class Draft:
    """One response. Events are taken in their order; what they mean to a stream is returned."""

    def __init__(self, heading: Heading, sign: Sign) -> None:
        self._heading = heading
        self._sign = sign
        self._searches_files = any(tool["type"] == FILE_SEARCH for tool in heading.settings.tools)
        self._output: list[OutputItem] = []
        self._words: Words | None = None
        self._thoughts: Thoughts | None = None
        self._searches: dict[str, int] = {}
        self._found: dict[str, Found] = {}
        self._receipt = ""
        self._begun = False

    # -- the response as a whole -------------------------------------------------------------------

    def begin(self) -> list[StreamEvent]:
        """Return how a stream begins, before anything has happened."""
        if self._heading.settings.background:
            return [
                events.Created(response=self.response("queued")),
                events.Queued(response=self.response("queued")),
            ]
        self._begun = True
        return [
            events.Created(response=self.response("in_progress")),
            events.InProgress(response=self.response("in_progress")),
        ]

    def take(self, event: InteractionEvent) -> list[StreamEvent]:
        """Take one more event."""
        match event:
            case core.TextDelta():
                return self._text(event)
            case core.ThoughtDelta():
                return self._thought(event)
            case core.ToolCallMade():
                return [*self._close(), *self._call(event.call)]
            case core.Finished():
                return self._finish(event)
            case ToolAnswered():
                return self._answered(event.result)
            case StepBegun():
                return self._begin_step(event)
            case Ended():
                return self.end(event.interaction)
            case _:
                return []

    def end(self, interaction: Interaction) -> list[StreamEvent]:
        """Return how a stream ends, and let the response be what the interaction came to."""
        status = status_of(interaction)
        closing = self._empty_message() if status == "completed" and not self._output else []
        response = self.told(interaction)
        if response.error is not None:
            param = interaction.fault.field if interaction.fault is not None else ""
            error = response.error
            closing.append(events.Error(code=error.code, message=error.message, param=param or None))
        return [*closing, _ENDS[status](response=response)]

    def told(self, interaction: Interaction) -> Response:
        """Return the response as it is when all events of ``interaction`` so far were taken."""
        status = status_of(interaction)
        response = self.response(status)
        if status == "completed":
            response.completed_at = interaction.updated_ms // 1000
        if status == "incomplete":
            response.incomplete_details = IncompleteDetails(reason="max_output_tokens")
        if status in ("completed", "incomplete", "cancelled"):
            response.usage = usage_of(interaction.usage)
        if interaction.fault is not None and status == "failed":
            response.error = error_of(interaction.fault)
        return response

    def response(self, status: Status) -> Response:
        """Return the response with the output as it is now."""
        heading, settings = self._heading, self._heading.settings
        fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
        return Response(
            id=heading.id,
            created_at=heading.created_s,
            model=heading.model,
            status=status,
            output=self._so_far("in_progress" if status == "in_progress" else "incomplete"),
            **fields,
        )

    def _so_far(self, status: ItemStatus) -> list[OutputItem]:
        """Return all items; those that are not done are ``status``."""
        items = list(self._output)
        for index in self._searches.values():
            items[index] = msgspec.structs.replace(items[index], status=status)
        for opened in (self._words, self._thoughts):
            if opened is not None:
                items[opened.index] = opened.item(status)
        return items

    def _begin_step(self, event: StepBegun) -> list[StreamEvent]:
        self._receipt = event.receipt
        if self._begun:
            return []
        self._begun = True
        return [events.InProgress(response=self.response("in_progress"))]

    # -- words and thoughts ------------------------------------------------------------------------

    def _text(self, delta: core.TextDelta) -> list[StreamEvent]:
        if not delta.text and not delta.logprobs:
            return []
        if self._words is not None:
            return [self._words.add(delta)]
        closing = self._close()
        words = self._open_words()
        return [*closing, *words.added(), words.add(delta)]

    def _open_words(self) -> Words:
        index, name = self._place("msg_")
        words = self._words = Words(index, name, self._heading.showing, tuple(self._found.values()))
        self._output.append(words.item("in_progress"))
        return words

    def _empty_message(self) -> list[StreamEvent]:
        return [*self._open_words().added(), *self._close()]

    def _thought(self, delta: core.ThoughtDelta) -> list[StreamEvent]:
        if not delta.text:
            return []
        if self._thoughts is not None:
            return self._thoughts.add(delta.text)
        closing = self._close()
        index, name = self._place("rs_")
        sealed = self._sign(self._receipt, 0, 0) if self._heading.showing.sealed else ""
        thoughts = self._thoughts = Thoughts(index, name, self._heading.showing, sealed)
        self._output.append(thoughts.item("in_progress"))
        return [*closing, *thoughts.added(), *thoughts.add(delta.text)]

    def _close(self, status: ItemStatus = "completed") -> list[StreamEvent]:
        """End the message or the thoughts that are being told, if there are any."""
        opened = self._words or self._thoughts
        self._words = self._thoughts = None
        if opened is None:
            return []
        return [*opened.told(), self._done(opened.index, opened.item(status))]

    def _finish(self, finished: core.Finished) -> list[StreamEvent]:
        cut = finished.reason is FinishReason.MAX_TOKENS
        told = self._close("incomplete" if cut else "completed")
        return [*told, *self._refuse(finished.detail)] if finished.detail else told

    def _refuse(self, words: str) -> list[StreamEvent]:
        """Say in a message of its own why there is no answer."""
        index, name = self._place("msg_")
        item = item_drafts.refusal_item(name, words)
        self._output.append(item)
        return [*item_drafts.refusal_told(index, item), self._done(index, item)]

    # -- calls -------------------------------------------------------------------------------------

    def _call(self, call: ToolCall) -> list[StreamEvent]:
        if call.name == FILE_SEARCH and self._searches_files:
            return self._search(call)
        index, name = self._place("fc_")
        item = item_drafts.call_item(name, call)
        self._output.append(item)
        return [*item_drafts.call_told(index, item), self._done(index, item)]

    def _search(self, call: ToolCall) -> list[StreamEvent]:
        index, name = self._place("fs_")
        item = item_drafts.search_item(name, call)
        self._output.append(item)
        self._searches[call.id] = index
        return item_drafts.search_told(index, item)

    def _answered(self, result: ToolResult) -> list[StreamEvent]:
        index = self._searches.pop(result.id, None)
        if index is None:
            return []
        item, found = self._output[index], found_in(result)
        assert isinstance(item, FileSearchItem)
        for each in found:
            self._found.setdefault(each.file_id, each)
        completed = events.SearchCompleted(item_id=item.id, output_index=index)
        return [
            completed,
            self._done(index, item_drafts.searched(item, found, self._heading.showing)),
        ]

    def _place(self, kind: ItemKind) -> tuple[int, str]:
        """Return the place of the next item, and its id."""
        index = len(self._output)
        return index, item_id(kind, self._heading.id, index)

    def _done(self, index: int, item: OutputItem) -> StreamEvent:
        self._output[index] = item
        return events.ItemDone(output_index=index, item=item)


def draft_of(interaction: Interaction, kept: Kept, sign: Sign) -> Draft:
    """Return the response that an interaction is, as far as it has come."""
    draft = Draft(heading_of(interaction, kept), sign)
    for event in events_of(interaction):
        draft.take(event)
    if interaction.ended:
        draft.end(interaction)
    return draft


def events_of(interaction: Interaction) -> Iterator[StepEvent]:
    """Return the events that spell what an interaction has come to so far. The step that runs has no end."""
    last = len(interaction.steps) - 1
    for number, step in enumerate(interaction.steps):
        yield StepBegun(step.receipt)
        candidate = step.answer.candidates[0]
        if candidate.thought:
            yield core.ThoughtDelta(candidate.thought, 0)
        if candidate.text or candidate.logprobs:
            yield core.TextDelta(candidate.text, 0, 0, candidate.logprobs)
        for call in candidate.calls:
            yield core.ToolCallMade(call, 0)
        if interaction.ended or number < last or step.results:
            yield core.Finished(candidate.reason, 0, candidate.detail)
        for result in step.results:
            yield ToolAnswered(result)


def status_of(interaction: Interaction) -> Status:
    """Return the status of a response: one that waits for results of functions is complete, and so is one
    that says in words why there is none."""
    status = interaction.status
    if status == "requires_action" or interaction.reason is FinishReason.MALFORMED_CALL:
        return "completed"
    return status


def error_of(fault: Fault) -> ErrorObject:
    """Return why a response failed."""
    return ErrorObject(code=CODES.get(fault.code, SERVER_ERROR), message=renamed(fault.message))


def usage_of(counted: Counted) -> replies.Usage:
    """Return counts of tokens; thoughts are among those of the answer."""
    return replies.Usage(
        input_tokens=counted.prompt,
        input_tokens_details=replies.InputDetails(cached_tokens=counted.cached),
        output_tokens=counted.candidates + counted.thoughts,
        output_tokens_details=replies.OutputDetails(reasoning_tokens=counted.thoughts),
        total_tokens=counted.total,
    )
