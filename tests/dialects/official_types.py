"""The fields of a request that a vendor's own library knows, from its types, down to the last."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Collection, Iterator
from typing import Any

_LISTS = (list, collections.abc.Iterable, collections.abc.Sequence)
_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = ("Required", "NotRequired", "Annotated")


def paths(kind: Any, prefix: str = "", within: frozenset[Any] = frozenset()) -> Iterator[str]:
    """Of all members of a TypedDict and of those inside them; `[]` behind a list. within: kinds that led here."""
    for name, hint in typing.get_type_hints(kind).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path
        for ending, inner in _inside(hint):
            if inner not in within:
                yield from paths(inner, path + ending, within | {kind})


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
    opened = {known[:place] for known in table for place, mark in enumerate(known) if mark in ".["}
    opened |= {path.removesuffix("[]") for path in opened}
    leaves = {known for known in table if known not in opened}
    return {
        path
        for path in found
        if path not in table and path not in opened and not path.endswith(".type") and not _is_inside(path, leaves)
    }


def _is_inside(path: str, leaves: Collection[str]) -> bool:
    places = [place for place, mark in enumerate(path) if mark in ".["]
    return any(path[:place] in leaves for place in places)
