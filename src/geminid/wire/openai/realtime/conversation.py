"""The items of a live session in their order, and the sound that waits to become one.

It knows no connection and no model. Invariant: neither items nor what they and the waiting sound take of
memory are ever more than the bounds allow; every id is there once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from geminid.core.content import ToolCall
from geminid.wire.openai import refused
from geminid.wire.openai.realtime.items import Kept, Sound, item_of_sound, read_item
from geminid.wire.openai.realtime.schema import Format, NewItem, Pcm, ServerVad
from geminid.wire.openai.realtime.sound import Spoke, Voice, bytes_of, length_ms
from geminid.wire.openai.refused import Refused

ROOT = "root"
COMMIT_MS_MIN = 100
FULL = "The session holds all that it may: {}. Delete items, or begin another session."


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much one session may hold. bytes_max: its items and the sound that waits, together."""

    items_max: int = 2_000
    bytes_max: int = 64 * 1024 * 1024


class Conversation:
    """Items, each behind another. new_id: makes ids of whatever kind."""

    def __init__(self, bounds: Bounds, new_id: Callable[[str], str]) -> None:
        self._bounds = bounds
        self._new_id = new_id
        self._kept: dict[str, Kept] = {}
        self._order: list[str] = []
        self._sizes: dict[str, int] = {}
        self._size_bytes = 0

    def __iter__(self) -> Iterator[Kept]:
        return (self._kept[each] for each in self._order)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def size_bytes(self) -> int:
        """What the items take of memory, about."""
        return self._size_bytes

    def read(self, said: NewItem, form: Format, path: str = "item") -> Kept:
        """Return a new item that is not yet in the conversation; raises :class:`Refused`."""
        if said.id is not None and said.id in self._kept:
            raise Refused(
                f"Error adding item: the item with id '{said.id}' already exists.",
                f"{path}.id",
                refused.INVALID_VALUE,
            )
        return read_item(
            said, said.id or self._new_id("item"), self._new_id("call"), self._calls(), form, path
        )

    def put(self, kept: Kept, previous: str | None = None) -> str | None:
        """Put an item behind another and return that one's id; None is the end. Raises :class:`Refused`."""
        place = self._place(previous)
        self._check_room(kept.size_bytes)
        self._order.insert(place, kept.item.id)
        self._kept[kept.item.id] = kept
        self._sizes[kept.item.id] = kept.size_bytes
        self._size_bytes += kept.size_bytes
        return self._order[place - 1] if place else None

    def find(self, item_id: str) -> Kept:
        """Return an item; raises :class:`Refused`."""
        if item_id not in self._kept:
            raise Refused(f"Item with item_id not found: {item_id}", "item_id", "item_not_found")
        return self._kept[item_id]

    def drop(self, item_id: str) -> None:
        """Take an item out; raises :class:`Refused`."""
        self.find(item_id)
        self._order.remove(item_id)
        del self._kept[item_id]
        self._size_bytes -= self._sizes.pop(item_id)

    def check_room(self, more_bytes: int) -> None:
        """Raise :class:`Refused` unless there is room for so much more sound."""
        if self._size_bytes + more_bytes > self._bounds.bytes_max:
            raise Refused(FULL.format(f"{self._bounds.bytes_max} bytes"), None, "session_full")

    def _check_room(self, more_bytes: int) -> None:
        if len(self._order) >= self._bounds.items_max:
            raise Refused(FULL.format(f"{self._bounds.items_max} items"), None, "session_full")
        self.check_room(more_bytes)

    def _calls(self) -> Iterator[ToolCall]:
        return (part for kept in self for part in kept.parts if isinstance(part, ToolCall))

    def _place(self, previous: str | None) -> int:
        if previous is None:
            return len(self._order)
        if previous == ROOT:
            return 0
        if previous not in self._kept:
            raise Refused(
                f"Error adding item: the previous item with id '{previous}' does not exist.",
                "previous_item_id",
                "item_not_found",
            )
        return self._order.index(previous) + 1


class Turn(msgspec.Struct, frozen=True):
    """What became of more sound: somebody began to speak, or has spoken ``kept``. Times are those told."""

    began: bool
    at_ms: int
    item_id: str
    kept: Kept | None = None


class Waiting:
    """Sound that waits to become an item. Without detection it waits for the client to say so."""

    def __init__(self, form: Format, vad: ServerVad | None, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self._data = bytearray()
        self._begins = 0  # where that lies in all sound of the session, in bytes
        self._item_id = new_id("item")
        self._form = form
        self._vad = vad
        self._voice = Voice(vad, form) if vad is not None else None

    def __len__(self) -> int:
        return len(self._data)

    def set(self, form: Format, vad: ServerVad | None) -> None:
        """Change how sound is taken. Another form begins anew."""
        if (form, vad) == (self._form, self._vad):
            return
        if form != self._form:
            self._data.clear()
            self._begins = bytes_of(length_ms(self._begins, self._form), form)
        self._form, self._vad = form, vad
        self._voice = Voice(vad, form, self._end_ms()) if vad is not None else None

    def append(self, data: bytes) -> Iterator[Turn]:
        """Take sound, and yield what it tells."""
        self._data += data
        if self._voice is None:
            return
        for spoke in self._voice.hear(data):
            yield self._began(spoke) if spoke.began else self._ended(spoke)
        if not self._voice.speaking:
            self._forget(len(self._data) - bytes_of(self._kept_ms(), self._form))

    def commit(self) -> Kept:
        """Return what waits as an item; raises :class:`Refused` where it is nearly nothing."""
        had_ms = length_ms(len(self._data), self._form)
        if had_ms < COMMIT_MS_MIN:
            raise Refused(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{COMMIT_MS_MIN}ms of audio, but buffer only has {had_ms}ms of audio.",
                None,
                "input_audio_buffer_commit_empty",
            )
        kept = self._take(len(self._data))
        self._again()
        return kept

    def clear(self) -> None:
        """Forget what waits."""
        self._forget(len(self._data))
        self._again()

    def _again(self) -> None:
        if self._vad is not None:
            self._voice = Voice(self._vad, self._form, self._end_ms())

    def _began(self, spoke: Spoke) -> Turn:
        self._forget(bytes_of(spoke.at_ms, self._form) - self._begins)
        return Turn(True, spoke.at_ms, self._item_id)

    def _ended(self, spoke: Spoke) -> Turn:
        kept = self._take(bytes_of(spoke.at_ms, self._form) - self._begins)
        return Turn(False, spoke.at_ms, kept.item.id, kept)

    def _take(self, size: int) -> Kept:
        data = bytes(self._data[:size])
        self._forget(size)
        item_id, self._item_id = self._item_id, self._new_id("item")
        width = 2 if isinstance(self._form, Pcm) else 1
        return item_of_sound(item_id, Sound(data[: len(data) // width * width], self._form))

    def _forget(self, size: int) -> None:
        size = max(0, min(size, len(self._data)))
        del self._data[:size]
        self._begins += size

    def _kept_ms(self) -> int:
        """Return how much of silence is kept, in which a turn may be about to begin."""
        return (self._vad.prefix_padding_ms if self._vad else 0) + 1_000

    def _end_ms(self) -> int:
        return length_ms(self._begins + len(self._data), self._form)
