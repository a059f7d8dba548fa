"""The fields of a request that a vendor's own library knows, from its types, down to the last."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from gaiarouter.dialects.accounting import Field

_LISTS = (list, collections.abc.Iterable, collections.abc.Sequence)
_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = ("Required", "NotRequired", "Annotated")


def paths(
    kind: Any,
    prefix: str = "",
    within: frozenset[Any] = frozenset(),
    *,
    spelt: Callable[[str], str] = str,
    kinds: Collection[str] = (),
) -> Iterator[str]:
    """Of all members of a TypedDict and of those inside them; `[]` behind a list. within: kinds that led here.

    spelt: a member's name on the wire. kinds: entries of lists that are judged as a whole, by their `type`:
    `tools[type=file_search]`. They are told by that name, and not looked into.
    """
    for name, hint in typing.get_type_hints(kind).items():
        path = f"{prefix}.{spelt(name)}" if prefix else spelt(name)
        yield path
        for ending, inner in _inside(hint):
            own = {f"{path}{ending.removesuffix('[]')}[type={each}]" for each in types_of(inner)}
            if own and own <= set(kinds):
                yield from own
            elif inner not in within:
                yield from paths(inner, path + ending, within | {kind}, spelt=spelt, kinds=kinds)


def types_of(kind: Any) -> set[str]:
    """What `type` may be in a TypedDict whose kind it tells."""
    return set(_literals(typing.get_type_hints(kind).get("type")))


def _literals(hint: Any) -> Iterator[str]:
    if typing.get_origin(hint) is typing.Literal:
        yield from typing.get_args(hint)
    elif typing.get_origin(hint) in _UNIONS:
        for inner in typing.get_args(hint):
            yield from _literals(inner)


def _inside(hint: Any) -> Iterator[tuple[str, Any]]:
    """The TypedDicts that a value may be, or its entries."""
    origin = typing.get_origin(hint)
    if origin in _UNIONS or getattr(origin, "_name", getattr(origin, "__name__", "")) in _WRAPPERS:
        for option in typing.get_args(hint):
            yield from _inside(option)
    elif origin in _LISTS:
        for ending, inner in _inside(typing.get_args(hint)[0]):
            yield f"[]{ending}", inner
    elif isinstance(hint, type) and "__total__" in vars(hint):  # of a TypedDict, whoever made it
        yield "", hint


def unclassified(found: Collection[str], table: Collection[str]) -> set[str]:
    """Those that the table neither has, nor looks into, nor has the whole of. `type` only tells kinds apart."""
    return _outside(found, table, whole=table)


def unread(found: Collection[str], table: Mapping[str, Field], *, whole: Collection[str]) -> set[str]:
    """As `unclassified`, but what has a counterpart in other formats is no whole: each field inside it needs its own
    row, save in those named as `whole`."""
    return _outside(found, table, whole={name for name, field in table.items() if field.slot is None} | {*whole})


def unmissed(found: Collection[str], table: Mapping[str, Field], *, whole: Collection[str]) -> set[str]:
    """Rows of the table that could be taken out without `unread` telling so."""
    rows = [
        row for row in table if row in found and not any(known.startswith((f"{row}.", f"{row}[")) for known in table)
    ]
    assert rows
    return {
        row
        for row in rows
        if row not in unread(found, {name: field for name, field in table.items() if name != row}, whole=whole)
    }


def _outside(found: Collection[str], table: Collection[str], *, whole: Collection[str]) -> set[str]:
    opened = {known[:place] for known in table for place, mark in enumerate(known) if mark in ".["}
    opened |= {path.removesuffix("[]") for path in opened}
    leaves = {known for known in whole if known not in opened}
    return {
        path
        for path in found
        if path not in table and path not in opened and not path.endswith(".type") and not _is_inside(path, leaves)
    }


def _is_inside(path: str, leaves: Collection[str]) -> bool:
    places = [place for place, mark in enumerate(path) if mark in ".["]
    return any(path[:place] in leaves for place in places)
