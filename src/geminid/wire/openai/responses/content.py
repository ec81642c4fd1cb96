"""Parts of messages and of what functions gave back: words, pictures, sound and files to core's parts.

It fetches nothing. Invariant: a part comes out whole or is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from geminid.core.content import Blob, FileRef, Text
from geminid.wire.openai import refused
from geminid.wire.openai.parts import look_of, read_file, read_picture, read_sound, uri_of
from geminid.wire.openai.reading import Message
from geminid.wire.openai.refused import Refused
from geminid.wire.openai.responses.schema import (
    InputAudioPart,
    InputFile,
    InputImage,
    InputPart,
    InputText,
)


def read_parts(
    content: str | Sequence[InputPart] | Sequence[InputText | InputImage | InputFile], path: str
) -> tuple[Text | Blob | FileRef, ...]:
    """Return what a message says and shows; ``path`` is that of its content."""
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_part(part, f"{path}[{index}]") for index, part in enumerate(content))


def _part(part: InputPart, path: str) -> Text | Blob | FileRef:
    match part:
        case InputText():
            return Text(part.text)
        case InputImage():
            return _picture(part, path)
        case InputAudioPart():
            audio = part.input_audio
            return read_sound(audio.data, audio.format, f"{path}.input_audio.data")
        case InputFile():
            return _file(part, path)


def _picture(part: InputImage, path: str) -> Blob | FileRef:
    _one_of(part, ("image_url", "file_id"), path)
    if part.file_id is not None:
        return FileRef(uri_of(part.file_id), "", look_of(part.detail), f"{path}.file_id")
    return read_picture(part.image_url or "", part.detail, f"{path}.image_url")


def _file(part: InputFile, path: str) -> Blob | FileRef:
    _one_of(part, ("file_id", "file_data", "file_url"), path)
    name = part.filename or ""
    if part.file_data is not None:
        blob = read_file(part.file_data, name, f"{path}.file_data")
        return msgspec.structs.replace(blob, look=look_of(part.detail))
    field, uri = "file_url", part.file_url or ""
    if part.file_id is not None:
        field, uri = "file_id", uri_of(part.file_id)
    return FileRef(uri, "", look_of(part.detail), f"{path}.{field}", name)


def _one_of(part: Message, fields: Sequence[str], path: str) -> None:
    if sum(getattr(part, field) is not None for field in fields) != 1:
        names = " and ".join(f"'{field}'" for field in fields)
        raise Refused(f"Invalid '{path}': expected exactly one of {names}.", path, refused.INVALID_VALUE)
