"""Items while they come to be: messages, thoughts, calls, refusals, and the events that tell of each.

Each item knows its place and its id and nothing of its neighbours. Invariant: the events of an item begin
with its being added and end with its being done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import msgspec
from msgspec import UNSET

from geminid.core.content import ToolCall
from geminid.core.events import TextDelta
from geminid.wire.openai import answers
from geminid.wire.openai.answers import CALL_PREFIX, ENCODER
from geminid.wire.openai.replies import TokenLogprob
from geminid.wire.openai.responses import events
from geminid.wire.openai.responses.events import StreamEvent
from geminid.wire.openai.responses.kept import Showing
from geminid.wire.openai.responses.replies import (
    FileCitation,
    FileSearchItem,
    FunctionCallItem,
    ItemStatus,
    MessageItem,
    OutputText,
    ReasoningItem,
    Refusal,
    SearchResult,
    SummaryText,
)
from geminid.wire.openai.responses.search import Found, query_of
from geminid.wire.openai.surfaces import OPENAI


class At(TypedDict):
    """Where something happens."""

    item_id: str
    output_index: int


class Words:
    """A message that is being written. ``found``: the pieces of files that the model was given before."""

    def __init__(self, index: int, name: str, showing: Showing, found: Sequence[Found]) -> None:
        self.index = index
        self._name = name
        self._showing = showing
        self._found = found
        self._texts: list[str] = []
        self._logprobs: list[TokenLogprob] = []

    def added(self) -> list[StreamEvent]:
        """Return how it begins."""
        item = MessageItem(id=self._name, status="in_progress", content=[])
        part = OutputText(annotations=[], logprobs=[], text="")
        return [
            events.ItemAdded(output_index=self.index, item=item),
            events.PartAdded(**self._at(), content_index=0, part=part),
        ]

    def add(self, delta: TextDelta) -> StreamEvent:
        """Take more words."""
        self._texts.append(delta.text)
        logprobs: list[TokenLogprob] = []
        if delta.logprobs and self._showing.logprobs:
            logprobs = answers.logprobs_of(delta.logprobs, self._showing.alternatives).content
            self._logprobs.extend(logprobs)
        return events.TextDelta(
            item_id=self._name,
            output_index=self.index,
            content_index=0,
            delta=delta.text,
            logprobs=logprobs,
        )

    def item(self, status: ItemStatus) -> MessageItem:
        """Return the message as it is now."""
        return MessageItem(id=self._name, status=status, content=[self._part()])

    def told(self) -> list[StreamEvent]:
        """Return how its words end; that it is done comes behind that."""
        part, at = self._part(), self._at()
        return [
            *(
                events.AnnotationAdded(**at, content_index=0, annotation_index=number, annotation=each)
                for number, each in enumerate(part.annotations)
            ),
            events.TextDone(**at, content_index=0, text=part.text, logprobs=part.logprobs),
            events.PartDone(**at, content_index=0, part=part),
        ]

    def _part(self) -> OutputText:
        text = "".join(self._texts)
        citations = [
            FileCitation(index=len(text), file_id=OPENAI.file_prefix + each.file_id, filename=each.filename)
            for each in self._found
        ]
        return OutputText(annotations=citations, logprobs=self._logprobs, text=text)

    def _at(self) -> At:
        return {"item_id": self._name, "output_index": self.index}


class Thoughts:
    """Thoughts that are told, or that it is only told of. ``sealed``: their signature, where it is wanted."""

    def __init__(self, index: int, name: str, showing: Showing, sealed: str) -> None:
        self.index = index
        self._name = name
        self._told = showing.thoughts
        self._sealed = sealed
        self._texts: list[str] = []

    def added(self) -> list[StreamEvent]:
        """Return how they begin."""
        item = ReasoningItem(id=self._name, summary=[])
        added: list[StreamEvent] = [events.ItemAdded(output_index=self.index, item=item)]
        if self._told:
            part = SummaryText(text="")
            added.append(events.SummaryPartAdded(**self._at(), summary_index=0, part=part))
        return added

    def add(self, text: str) -> list[StreamEvent]:
        """Take more thoughts."""
        if not self._told:
            return []
        self._texts.append(text)
        return [events.SummaryDelta(**self._at(), summary_index=0, delta=text)]

    def item(self, status: ItemStatus) -> ReasoningItem:
        """Return the thoughts as they are now; whole or not, they have no status."""
        text = "".join(self._texts)
        return ReasoningItem(
            id=self._name,
            summary=[SummaryText(text=text)] if text else [],
            encrypted_content=self._sealed or UNSET,
        )

    def told(self) -> list[StreamEvent]:
        """Return how they end; that they are done comes behind that."""
        told: list[StreamEvent] = []
        for part in self.item("completed").summary:
            told += [
                events.SummaryDone(**self._at(), summary_index=0, text=part.text),
                events.SummaryPartDone(**self._at(), summary_index=0, part=part),
            ]
        return told

    def _at(self) -> At:
        return {"item_id": self._name, "output_index": self.index}


def call_item(name: str, call: ToolCall) -> FunctionCallItem:
    """Return a call that the caller is to answer."""
    return FunctionCallItem(
        id=name,
        status="completed",
        arguments=ENCODER.encode(call.args).decode(),
        call_id=f"{CALL_PREFIX}{call.id}",
        name=call.name,
    )


def call_told(index: int, item: FunctionCallItem) -> list[StreamEvent]:
    """Return how a call is told, but for its being done."""
    begun = msgspec.structs.replace(item, status="in_progress", arguments="")
    at: At = {"item_id": item.id, "output_index": index}
    return [
        events.ItemAdded(output_index=index, item=begun),
        events.ArgumentsDelta(**at, delta=item.arguments),
        events.ArgumentsDone(**at, arguments=item.arguments),
    ]


def refusal_item(name: str, words: str) -> MessageItem:
    """Return a message that says why there is no answer."""
    return MessageItem(id=name, status="completed", content=[Refusal(refusal=words)])


def refusal_told(index: int, item: MessageItem) -> list[StreamEvent]:
    """Return how such a message is told, but for its being done."""
    (part,) = item.content
    assert isinstance(part, Refusal)
    begun = msgspec.structs.replace(item, status="in_progress", content=[])
    at: At = {"item_id": item.id, "output_index": index}
    return [
        events.ItemAdded(output_index=index, item=begun),
        events.PartAdded(**at, content_index=0, part=Refusal(refusal="")),
        events.RefusalDelta(**at, content_index=0, delta=part.refusal),
        events.RefusalDone(**at, content_index=0, refusal=part.refusal),
        events.PartDone(**at, content_index=0, part=part),
    ]


def search_item(name: str, call: ToolCall) -> FileSearchItem:
    """Return a search that begins."""
    return FileSearchItem(id=name, status="in_progress", queries=[query_of(call)])


def search_told(index: int, item: FileSearchItem) -> list[StreamEvent]:
    """Return how a search begins to be told."""
    at: At = {"item_id": item.id, "output_index": index}
    return [
        events.ItemAdded(output_index=index, item=item),
        events.SearchInProgress(**at),
        events.SearchSearching(**at),
    ]


def searched(item: FileSearchItem, found: Sequence[Found], showing: Showing) -> FileSearchItem:
    """Return a search that has ended; its results are told only where they were asked for."""
    results = [_result(each) for each in found] if showing.results else None
    return msgspec.structs.replace(item, status="completed", results=results)


def _result(found: Found) -> SearchResult:
    return SearchResult(
        file_id=OPENAI.file_prefix + found.file_id,
        filename=found.filename,
        score=found.score,
        text=found.text,
        attributes=found.attributes,
    )
