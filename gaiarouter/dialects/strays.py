"""Members inside a request's fields that no translation reads: another format has no place for them, so they are named.

A form that allows no others fails where there is one. Only then are they looked for: a request without costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import is_
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, inspect

from gaiarouter.canonical.request import Extra
from gaiarouter.dialects.mistakes import wrong_field

_T = TypeVar("_T", bound=Struct)
_MOST = 100
"""Of them that are told; the header has no room for more."""
_MOST_CHARS = 64
"""Of such a name."""
_SAY_NOTHING = frozenset({b"null", b"false", b"[]", b"{}", b'""', b'"auto"', b'["direct"]'})
# no format has a hundred; each costs a step of our own, and tens of thousands would hold up everybody
_decode_members = msgspec.json.Decoder(Annotated[dict[str, Raw], Meta(max_length=1024)]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class Strays:
    """Those of one request. extras: by path."""

    def __init__(self) -> None:
        self.extras: dict[str, Extra] = {}

    def read_body(self, decode: Callable[[bytes], _T], body: bytes, kind: type[_T]) -> _T:
        """`decode` reads a `kind`. Raises as `read` does."""
        try:
            return decode(body)
        except msgspec.ValidationError:
            return self.read(body, kind, "")

    def read(self, raw: Raw | bytes, kind: type[_T], path: str) -> _T:
        """`raw` as if they were not there. path: where it stands. Raises InvalidRequest for what is wrong with the
        rest, and what msgspec raises for what is no JSON."""
        try:
            return msgspec.json.decode(self._without(Raw(raw), _shape(kind), path), type=kind)
        except msgspec.ValidationError as error:
            raise wrong_field(str(error), inside=path) from None

    def note(self, path: str, value: Raw) -> None:
        if len(self.extras) < _MOST and bytes(value) not in _SAY_NOTHING:
            self.extras[path] = Extra(value=value, loss="blind")

    def forget(self, path: str) -> None:
        """What was read last, at `path`, is kept in its bytes."""
        while self.extras and next(reversed(self.extras)).startswith(f"{path}."):
            self.extras.popitem()

    def _without(self, raw: Raw, shape: inspect.Type, path: str) -> Raw:
        match shape:
            case inspect.UnionType(types=types):
                wanted = inspect.StructType if bytes(memoryview(raw)[:1]) == b"{" else inspect.ListType
                found = next((each for each in types if isinstance(each, wanted)), None)
                return raw if found is None else self._without(raw, found, path)
            case inspect.ListType(item_type=item):
                return self._items(raw, item, path)
            case inspect.StructType():
                return self._members(raw, shape, path)
            case _:
                return raw

    def _items(self, raw: Raw, shape: inspect.Type, path: str) -> Raw:
        try:
            items = _decode_list(raw)
        except msgspec.ValidationError:
            return raw
        kept = [self._without(each, shape, f"{path}[{index}]") for index, each in enumerate(items)]
        return raw if all(map(is_, kept, items)) else _encoded(kept)

    def _members(self, raw: Raw, shape: inspect.StructType, path: str) -> Raw:
        try:
            members = _decode_members(raw)
        except msgspec.ValidationError:
            return raw
        known, kept = _fields(shape.cls), dict[str, Raw]()
        for name, value in members.items():
            if name not in known:
                if shape.forbid_unknown_fields:
                    self.note(_at(path, name[:_MOST_CHARS]), value)
            elif (inside := known[name]) is None:
                kept[name] = value
            else:
                kept[name] = self._without(value, inside, _at(path, name))
        return raw if len(kept) == len(members) and all(map(is_, kept.values(), members.values())) else _encoded(kept)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@cache
def _fields(kind: type[Struct]) -> dict[str, inspect.Type | None]:
    """By their names on the wire; None for those that have no form inside."""
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return {each.encode_name: each.type if _has_form(each.type) else None for each in shape.fields}


def _has_form(shape: inspect.Type) -> bool:
    match shape:
        case inspect.UnionType(types=types):
            return any(map(_has_form, types))
        case inspect.ListType(item_type=item):
            return _has_form(item)
        case _:
            return isinstance(shape, inspect.StructType)


@cache
def _shape(kind: type[Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _encoded(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
