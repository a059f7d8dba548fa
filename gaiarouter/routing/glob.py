"""Globs of model names, compiled once: `*` is any run of characters (slashes too), `?` one, `[a-z]` one of a set,
`[!a-z]` one that is not in it; the rest is literal and case-sensitive. There is no escape: a star is `[*]`.

1. Matching takes time linear in the name, whatever glob and name are: nothing is ever tried twice.
2. Stars are shy, from left to right: each takes as little as lets the rest match, and the last takes what remains.
   `*/*` splits `a/b/c` into `a` and `b/c`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

NAME_LIMIT: Final = 1024
"""A name of more characters matches nothing: no provider has one, and a huge name must not cost a request's time."""


class GlobError(ValueError):
    """The text is no glob; says why."""


@dataclass(frozen=True, slots=True)
class CharSet:
    """One character out of `ranges` (both ends are in it), or any other one if `negated`."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def __contains__(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) is not self.negated


ANY: Final = CharSet(negated=True)

Element = str | CharSet
"""One character of a name: this one, or one of a set."""


class Segment:
    """What stands between two stars: a fixed number of characters."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self.elements = tuple(elements)
        self.length = len(self.elements)
        chars = [element for element in self.elements if isinstance(element, str)]
        self.literal = "".join(chars) if len(chars) == self.length else None

    def stands_at(self, name: str, start: int) -> bool:
        """`name` has `length` characters from `start` on."""
        if self.literal is not None:
            return name.startswith(self.literal, start)
        chars = name[start : start + self.length]
        return all(
            char == element if isinstance(element, str) else char in element
            for char, element in zip(chars, self.elements, strict=True)
        )

    def find(self, name: str, start: int, end: int) -> int:
        """Where it first stands in `name[start:end]`, or -1."""
        if self.literal is not None:
            return name.find(self.literal, start, end)
        # Shift-And: bit i of `reached` says that the first i + 1 elements stand just before here
        reached, whole = 0, 1 << (self.length - 1)
        masks: dict[str, int] = {}
        for index in range(start, end):
            char = name[index]
            mask = masks.get(char)
            if mask is None:
                mask = masks[char] = self._mask(char)
            reached = (reached << 1 | 1) & mask
            if reached & whole:
                return index - self.length + 1
        return -1

    def _mask(self, char: str) -> int:
        """Bit i is set where element i takes `char`."""
        mask = 0
        for element, places in self._places.items():
            if char == element if isinstance(element, str) else char in element:
                mask |= places
        return mask

    @cached_property
    def _places(self) -> dict[Element, int]:
        """Each different element, with a bit for each place where it stands."""
        places: dict[Element, int] = {}
        for index, element in enumerate(self.elements):
            places[element] = places.get(element, 0) | 1 << index
        return places


class Glob:
    """prefix: what every name it matches begins with. is_literal: it has no wildcard and matches one name only."""

    def __init__(self, text: str) -> None:
        """Raises GlobError."""
        self.text = text
        self.segments = tuple(_segments(text))
        first = self.segments[0]
        self.is_literal = len(self.segments) == 1 and first.literal is not None
        self.prefix = "".join(_leading_characters(first))

    def match(self, name: str) -> tuple[str, ...] | None:
        """What each star stands for, or None if the name does not match."""
        first, *middle, last = self.segments[0], *self.segments[1:-1], self.segments[-1]
        if len(name) > NAME_LIMIT:
            return None
        if len(self.segments) == 1:
            return () if len(name) == first.length and first.stands_at(name, 0) else None
        start, end = first.length, len(name) - last.length
        if start > end or not first.stands_at(name, 0) or not last.stands_at(name, end):
            return None
        captures = []
        for segment in middle:
            found = segment.find(name, start, end)
            if found < 0:
                return None
            captures.append(name[start:found])
            start = found + segment.length
        return (*captures, name[start:end])


def _leading_characters(segment: Segment) -> Iterator[str]:
    for element in segment.elements:
        if not isinstance(element, str):
            return
        yield element


def _segments(text: str) -> Iterator[Segment]:
    elements: list[Element] = []
    at = 0
    while at < len(text):
        char, at = text[at], at + 1
        if char == "*":
            yield Segment(elements)
            elements = []
        elif char == "?":
            elements.append(ANY)
        elif char == "[":
            chars, at = _read_set(text, at)
            elements.append(chars)
        else:
            elements.append(char)
    yield Segment(elements)


def _read_set(text: str, at: int) -> tuple[CharSet, int]:
    """The set whose `[` is just before `at`, and where it ends. A `]` that comes first is one of the set."""
    negated = text.startswith("!", at)
    start = at + negated
    end = text.find("]", start + 1)
    if end < 0:
        raise GlobError(f"Found `[` without `]` in the glob {text!r}; a bracket itself is `[[]`")
    ranges = []
    at = start
    while at < end:
        low = high = text[at]
        if text[at + 1] == "-" and at + 2 < end:
            high = text[at + 2]
            at += 2
        if low > high:
            raise GlobError(f"Found the range `{low}-{high}`, which runs backwards, in the glob {text!r}")
        ranges.append((low, high))
        at += 1
    return CharSet(tuple(ranges), negated), end + 1
