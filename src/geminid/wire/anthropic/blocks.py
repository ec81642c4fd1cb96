"""Blocks of content: words, pictures and documents to core's parts.

It knows no bytes' meaning and fetches nothing. Invariant: a block comes out whole or is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geminid.core.codec import decode_base64
from geminid.core.content import Blob, FileRef, Look, Text
from geminid.wire.anthropic.refused import Refused
from geminid.wire.anthropic.schema import (
    Base64Source,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    PlainSource,
    SearchResultBlock,
    TextBlock,
    UrlSource,
)

Shown = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
Spoken = Text | Blob | FileRef

NOT_EMPTY = "text content blocks must be non-empty"
_FILE_ID = "file_"
_FILES = "files/"


def read_shown(blocks: Sequence[Shown], path: str) -> Iterator[Spoken]:
    """Yield what blocks say and show; ``path`` is that of their list."""
    for index, block in enumerate(blocks):
        yield from read_block(block, f"{path}.{index}")


def read_block(block: Shown, path: str) -> Iterator[Spoken]:
    """Yield what one block says or shows; raises :class:`~geminid.wire.anthropic.refused.Refused`."""
    match block:
        case TextBlock():
            if not block.text:
                raise Refused(path, NOT_EMPTY)
            yield Text(block.text)
        case ImageBlock():
            yield _medium(block.source, f"{path}.source", "")
        case DocumentBlock():
            yield from _document(block, f"{path}.source")
        case SearchResultBlock():
            found = "\n".join(each.text for each in block.content)
            yield Text(f"{block.title}\n{block.source}\n\n{found}\n\n")


def read_words(content: str | Sequence[TextBlock] | None, path: str) -> tuple[Text, ...]:
    """Return what can only be words."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(part for part in read_shown(content, path) if isinstance(part, Text))


def _document(block: DocumentBlock, path: str) -> Iterator[Spoken]:
    if block.context:
        yield Text(f"{block.context}\n\n")
    source, title = block.source, block.title or ""
    match source:
        case PlainSource():
            yield Text(f"{title}\n\n{source.data}\n\n" if title else f"{source.data}\n\n")
        case ContentSource(content=str() as words):
            yield Text(f"{title}\n\n{words}\n\n" if title else f"{words}\n\n")
        case ContentSource(content=blocks):
            if title:
                yield Text(f"{title}\n\n")
            yield from read_shown(blocks, f"{path}.content")  # type: ignore[arg-type]  # str was the case above
        case Base64Source() | UrlSource() | FileSource():
            yield _medium(source, path, title)


def _medium(source: Base64Source | UrlSource | FileSource, path: str, name: str) -> Blob | FileRef:
    match source:
        case Base64Source():
            return Blob(
                source.media_type, _decoded(source.data, f"{path}.data"), Look(), f"{path}.data", name
            )
        case UrlSource():
            if not source.url.partition(":")[2].strip("/"):
                raise Refused(f"{path}.url", "Only HTTPS URLs are supported.")
            return FileRef(source.url, "", Look(), f"{path}.url", name)
        case FileSource():
            known = source.file_id.removeprefix(_FILES).removeprefix(_FILE_ID)
            return FileRef(f"{_FILES}{known}", "", Look(), f"{path}.file_id", name)


def _decoded(text: str, path: str) -> bytes:
    try:
        data = decode_base64(text)
    except ValueError:
        data = b""
    if not data:
        raise Refused(path, "Invalid base64 data")
    return data
