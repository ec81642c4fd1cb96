"""Every field of a request, as its schema has it, with what becomes of it: rows of the compatibility page.

A schema's fields are walked along its types. What is known of a field beside its type comes from the wire's
tables of refusals and downgrades, from the schema's comments (``# ignored: …``), and from remarks that a test
proves. The same walk over the SDK's own types tells which fields a client can send, so that none is forgotten.
"""

import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
import typing_extensions
from msgspec import inspect as kinds

IGNORED = re.compile(r"^ {4}(\w+): .*# ignored(?:[:,] *(.*))?$", re.MULTILINE)
LIKEWISE = "likewise"
INT32_MAX = 2**31 - 1
VALUES_MAX = 12
"""Of more values than so many, the page names none."""


Fate = Literal["honoured", "approximated", "without effect", "refused"]


class Remark(NamedTuple):
    """What becomes of a field that is not simply honoured. how: in words. sample: what a request that proves it
    adds to the least one. proof: the code that it is refused with, or the downgrade that is told of it. whole: what
    is below it needs no rows of its own."""

    fate: Fate
    how: str = ""
    sample: dict[str, Any] | None = None
    proof: str = ""
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.fate}: {self.how}" if self.how else self.fate


HONOURED = Remark("honoured")


class Opened(NamedTuple):
    """What stands in a field that a schema keeps as it was sent, and that is read by hand: messages by the value of
    ``tag``, in a list or alone. Without a tag there is but one."""

    variants: tuple[tuple[str, type[msgspec.Struct]], ...]
    tag: str = "type"
    listed: bool = True


class Unserved(NamedTuple):
    """Messages at ``path``, by the value of their ``type``, that are refused as a whole. proof: returns what a
    request adds to have one."""

    path: str
    tags: tuple[str, ...]
    code: str
    proof: Callable[[str], dict[str, Any]] | None = None


class Row(NamedTuple):
    """A field of a page. variants: the tags of the messages in which it stands, where not in all of them."""

    path: str
    variants: tuple[str, ...]
    takes: str
    becomes: str


class Request(msgspec.Struct, frozen=True):
    """One kind of request. path: method and path. messages: the schemas of its body.

    sdk: returns the types by which the SDK has it; spelled: tells how the wire spells its paths; beyond: paths of these that are no fields of the API; alone:
    paths of lists that may have their only element in their place. remarks: by path, or ``path (variant)``;
    opened: by path; more: rows of what no schema has, such as files of a form. read: returns the downgrades of a
    body, or raises; least: a body that is served whole. status: how a refusal is told.
    """

    path: str
    messages: tuple[type[msgspec.Struct], ...]
    sdk: Callable[[], Iterable[Any]] = tuple
    remarks: dict[str, Remark] = {}
    least: dict[str, Any] = {}
    read: Callable[[bytes], Any] | None = None
    beyond: frozenset[str] = frozenset()
    alone: tuple[str, ...] = ()
    spelled: Callable[[str], str] = str
    status: str = "400"
    opened: dict[str, Opened] = {}
    unserved: tuple[Unserved, ...] = ()
    more: tuple[Row, ...] = ()


class _Met(NamedTuple):
    """A field where it was met, and below which tags. variant: it is no field but one of the messages that may
    stand there."""

    path: str
    tags: tuple[str, ...]
    kind: kinds.Type
    remark: Remark = HONOURED
    variant: bool = False


def rows_of(request: Request) -> list[Row]:
    """Return the rows of a request, in the schema's order."""
    met: dict[str, list[_Met]] = {}
    for each in _met(request):
        met.setdefault(each.path, []).append(each)
    rows = [*request.more, *(row for path, places in met.items() for row in _rows(path, places))]
    for path, tags, code, _ in request.unserved:
        last = max(index for index, row in enumerate(rows) if row.path.startswith(path.removesuffix("[]")))
        rows.insert(last + 1, Row(path, tags, "any", f"refused: {request.status} `{code}`"))
    return rows


def _met(request: Request) -> Iterator[_Met]:
    return _of_variants([kinds.type_info(message) for message in request.messages], "", (), request)


def _rows(path: str, places: list[_Met]) -> Iterator[Row]:
    """Yield one row where a field has one fate wherever it stands, else one for each fate."""
    fates = dict.fromkeys(str(place.remark) for place in places)
    for fate in fates:
        those = [place for place in places if str(place.remark) == fate]
        tags = dict.fromkeys(tag for place in those for tag in place.tags[-1:])
        told = tuple(tags) if len(fates) > 1 or places[0].variant else ()
        yield Row(path, told, takes(place.kind for place in those), fate)


def _of_struct(
    struct: kinds.StructType, path: str, tags: tuple[str, ...], request: Request
) -> Iterator[_Met]:
    ignored = ignored_in(struct.cls)
    for field in struct.fields:
        where = _at(path, field.encode_name)
        remark = _remark(where, tags, request) or ignored.get(field.name, HONOURED)
        yield _Met(where, tags, field.type, remark)
        if where in request.opened:
            yield from _of_opened(request.opened[where], where, tags, request)
        elif remark.fate in ("honoured", "approximated") and not remark.whole:
            yield from _below(field.type, where, tags, request)


def _of_opened(opened: Opened, path: str, tags: tuple[str, ...], request: Request) -> Iterator[_Met]:
    """Yield the fields of what a schema keeps as it was sent."""
    where = f"{path}[]" if opened.listed else path
    if opened.tag:
        yield _Met(
            f"{where}.{opened.tag}", tags, _Tags(tuple(dict.fromkeys(tag for tag, _ in opened.variants)))
        )
    for tag, struct in opened.variants:
        for met in _of_struct(kinds.type_info(struct), where, (*tags, tag), request):
            if met.path != f"{where}.{opened.tag}":
                yield met


def _below(kind: kinds.Type, path: str, tags: tuple[str, ...], request: Request) -> Iterator[_Met]:
    """Yield the fields of what stands in a field."""
    match kind:
        case kinds.UnionType():
            structs = [each for each in kind.types if isinstance(each, kinds.StructType)]
            yield from _of_variants(structs, path, tags, request)
            for each in kind.types:
                if not isinstance(each, kinds.StructType):
                    yield from _below(each, path, tags, request)
        case kinds.ListType():
            yield from _below(kind.item_type, f"{path}[]", tags, request)
        case kinds.StructType():
            yield from _of_variants([kind], path, tags, request)
        case kinds.Metadata():
            yield from _below(kind.type, path, tags, request)


def _of_variants(
    structs: list[kinds.StructType], path: str, tags: tuple[str, ...], request: Request
) -> Iterator[_Met]:
    tagged = [each for each in structs if each.tag_field is not None]
    if tagged:
        names = tuple(str(each.tag) for each in tagged)
        yield _Met(_at(path, str(tagged[0].tag_field)), tags, _Tags(names))
    for struct in structs:
        below = (*tags, str(struct.tag)) if struct.tag_field is not None else tags
        remark = request.remarks.get(f"{path} ({struct.tag})", HONOURED)
        if remark is not HONOURED:
            yield _Met(path, below, struct, remark, variant=True)
        if remark.fate in ("honoured", "approximated"):
            yield from _of_struct(struct, path, below, request)


class _Tags(kinds.Type):
    """What stands in the field that tells variants apart."""

    tags: tuple[str, ...]


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _remark(path: str, tags: tuple[str, ...], request: Request) -> Remark | None:
    special = (request.remarks.get(f"{path} ({tag})") for tag in reversed(tags))
    return next((each for each in special if each), request.remarks.get(path))


@cache
def ignored_in(struct: type[msgspec.Struct]) -> dict[str, Remark]:
    """Return what a schema's comments say of fields that have no effect, by field; its parents' too."""
    found: dict[str, Remark] = {}
    for parent in reversed(struct.__mro__):
        if parent is msgspec.Struct or not issubclass(parent, msgspec.Struct):
            continue
        reason = ""
        for name, said in IGNORED.findall(inspect.getsource(parent)):
            reason = reason if said == LIKEWISE else said
            found[name] = Remark("without effect", reason)
    return found


_WORDS: dict[type[kinds.Type], str] = {
    kinds.BoolType: "boolean",
    kinds.StrType: "string",
    kinds.DictType: "object",
    kinds.StructType: "object",
    kinds.AnyType: "any",
    kinds.BytesType: "base64",
    kinds.CustomType: "any",
}


def takes(found: Iterable[kinds.Type]) -> str:
    """Return what a field takes, in a few words."""
    return ", ".join(dict.fromkeys(word for kind in found for word in _takes(kind)))


def _takes(kind: kinds.Type) -> Iterator[str]:
    match kind:
        case kinds.UnionType():
            for each in kind.types:
                yield from _takes(each)
        case kinds.NoneType():
            return
        case kinds.Metadata():
            yield from _takes(kind.type)
        case _Tags():
            yield from _values(kind.tags)
        case kinds.LiteralType():
            yield from _values(kind.values)
        case kinds.EnumType():
            yield from _values(each.value for each in kind.cls)
        case kinds.IntType():
            yield _number("integer", kind)
        case kinds.FloatType():
            yield _number("number", kind)
        case kinds.ListType():
            items = " or ".join(dict.fromkeys(_takes(kind.item_type)))
            bound = f", at most {kind.max_length}" if kind.max_length else ""
            yield f"list of {items}{bound}" if items else "list"
        case _:
            yield _WORDS[type(kind)]


def _values(values: Iterable[Any]) -> Iterator[str]:
    named = [f"`{value}`" for value in values]
    yield " ".join(named) if len(named) <= VALUES_MAX else "string"


def _number(word: str, kind: kinds.IntType | kinds.FloatType) -> str:
    low, high = kind.ge, kind.le
    if high is not None and abs(high) < INT32_MAX:
        return f"{word} {low:g} to {high:g}" if low is not None else f"{word} up to {high:g}"
    return f"{word} from {low:g}" if low is not None and abs(low) < INT32_MAX else word


def table(request: Request) -> list[str]:
    """Return the rows of a request as they stand on the page. Objects that are told by their fields have none."""
    rows = rows_of(request)
    parents = {row.path.rpartition(".")[0] for row in rows}
    lines = [f"### `{request.path}`", "", "| field | takes | |", "|---|---|---|"]
    for row in rows:
        if row.path in parents and row.takes == "object" and row.becomes == HONOURED.fate:
            continue
        suffix = f" ({', '.join(row.variants)})" if row.variants else ""
        lines.append(f"| `{row.path}`{suffix} | {row.takes} | {row.becomes} |")
    return lines


# -- what an SDK can send --------------------------------------------------------------------------------


Skip = Callable[[str, str], bool]
"""(path, what ``type`` says) → whether such a message is refused as a whole."""


def sdk_paths(
    message: Any, skip: Skip = lambda path, tag: False, path: str = "", seen: tuple[Any, ...] = ()
) -> Iterator[str]:
    """Yield the paths of all fields of an SDK's type, which is made of typed dictionaries."""
    if typing_extensions.is_typeddict(message):
        hints = typing_extensions.get_type_hints(message)
        said = typing.get_args(hints.get("type"))
        if message in seen or (said and all(isinstance(tag, str) and skip(path, tag) for tag in said)):
            return
        for name, hint in hints.items():
            where = _at(path, name)
            yield where
            yield from sdk_paths(hint, skip, where, (*seen, message))
        return
    if isinstance(message, typing_extensions.TypeAliasType):
        message = message.__value__
    origin, inner = typing.get_origin(message), typing.get_args(message)
    if origin in (typing.Union, types.UnionType, typing.Annotated, typing.Required, typing.NotRequired):
        for each in inner:
            yield from sdk_paths(each, skip, path, seen)
    elif origin is not None and inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping):
        return
    elif inner and origin is not typing.Literal:
        yield from sdk_paths(inner[0], skip, f"{path}[]", seen)


def forgotten(request: Request) -> list[str]:
    """Return the fields that the SDK knows and the page does not have."""
    unserved = {(path, tag) for path, tags, _, _ in request.unserved for tag in tags}

    def listed(path: str) -> str:
        first, dot, rest = path.partition(".")
        return f"{first}[]{dot}{rest}" if first in request.alone and rest else path

    def skip(path: str, tag: str) -> bool:
        return (path, tag) in unserved or (path in request.alone and (f"{path}[]", tag) in unserved)

    rows = rows_of(request)
    paths = {row.path for row in rows} | refused_below(request)
    parents = {path[: match.start()] for path in paths for match in re.finditer(r"\[\]|\.", path)}
    leaves = paths - parents | {row.path for row in rows if row.becomes.startswith(("refused", "without"))}
    known = dict.fromkeys(
        listed(request.spelled(each)) for message in request.sdk() for each in sdk_paths(message, skip)
    )
    return [
        path
        for path in known
        if path not in paths and path not in request.beyond and not _covered(path, leaves)
    ]


def refused_below(request: Request) -> set[str]:
    """Return the fields of variants that are refused as a whole: of these the page has the variant alone."""
    refused = (each for each in _met(request) if each.variant and each.remark.fate == "refused")
    return {
        f"{each.path}.{field.encode_name}"
        for each in refused
        if isinstance(each.kind, kinds.StructType)
        for field in each.kind.fields
    }


def _covered(path: str, leaves: set[str]) -> bool:
    """Whether a path stands below one of which the page says all that there is to say."""
    above = [path[: match.start()] for match in re.finditer(r"\[\]|\.", path)]
    return any(each in leaves for each in above)
