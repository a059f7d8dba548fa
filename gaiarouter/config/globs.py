"""Globs of model names as data: read, matched, and compared (is every name of one also a name of the other?).

`*` is any run of characters, `?` one, `[a-z]` one of a set, `[!a-z]` one that is not in it; the rest is literal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_MAX_MOVES = 20_000
# stands for every character that no glob names
_OTHER = "\U0010ffff"


class BadGlobError(ValueError):
    """Says what is wrong with the glob, in words for its author."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a glob. ranges: inclusive pairs of characters; negated: all others."""

    star: bool = False
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def takes(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) is not self.negated


STAR = Step(star=True)
ANY = Step(negated=True)


@dataclass(frozen=True, slots=True)
class Glob:
    """prefix, suffix: what every name it matches begins and ends with."""

    text: str
    steps: tuple[Step, ...]
    prefix: str
    suffix: str

    @property
    def stars(self) -> int:
        return sum(step.star for step in self.steps)

    @property
    def literal(self) -> str | None:
        """The one name it matches, where it has no wildcard."""
        return self.prefix if len(self.prefix) == len(self.steps) else None

    def matches(self, name: str) -> bool:
        states = _closure(self, 1)
        for char in name:
            states = _advance(self, states, char)
            if not states:
                return False
        return _accepts(self, states)


def parse(text: str) -> Glob:
    """Raises BadGlobError."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            if steps and steps[-1].star:
                raise BadGlobError("has `**`, expected a single `*`: it matches slashes too")
            steps.append(STAR)
        elif char == "?":
            steps.append(ANY)
        elif char == "[":
            step, at = _parse_set(text, at)
            steps.append(step)
        else:
            steps.append(Step(ranges=((char, char),)))
    prefix, suffix = "".join(_literal_run(steps)), "".join(_literal_run(steps[::-1]))[::-1]
    return Glob(text, tuple(steps), prefix, suffix)


def covers(outer: Glob, inner: Glob) -> bool:
    """True if every name that `inner` matches is matched by `outer`.

    Walks both at once over the characters that tell them apart. Where that takes too long the answer is False.
    """
    literal = inner.literal
    if literal is not None:
        return literal.startswith(outer.prefix) and outer.matches(literal)
    if not inner.prefix.startswith(outer.prefix) or not inner.suffix.endswith(outer.suffix):
        return False
    alphabet = _telling_characters(outer, inner)
    start = (_closure(inner, 1), _closure(outer, 1))
    seen, waiting = {start}, [start]
    while waiting:
        ours, theirs = waiting.pop()
        if _accepts(inner, ours) and not _accepts(outer, theirs):
            return False
        for char in alphabet:
            following = (_advance(inner, ours, char), _advance(outer, theirs, char))
            if following[0] and following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(seen) * len(alphabet) > _MAX_MOVES:
            return False
    return True


def _parse_set(text: str, at: int) -> tuple[Step, int]:
    """Reads behind `[`; a `]` that comes first is one of the set."""
    negated = text.startswith("!", at)
    start = at + negated
    end = text.find("]", start + 1)
    if end < 0:
        raise BadGlobError("has a `[` without its `]`; for the character itself write `[[]`")
    body = text[start:end]
    if body.startswith("^"):
        raise BadGlobError("has a set that begins with `^`; write `[!…]` for all other characters")
    return Step(ranges=tuple(_ranges(body)), negated=negated), end + 1


def _ranges(body: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(body):
        low = high = body[at]
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            high = body[at + 2]
            at += 2
        if low > high:
            raise BadGlobError(f"has the range `{low}-{high}`, which runs backwards")
        yield low, high
        at += 1


def _literal_run(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.star or step.negated or len(step.ranges) != 1 or step.ranges[0][0] != step.ranges[0][1]:
            return
        yield step.ranges[0][0]


# The positions in a glob that a name can have reached so far are the bits of one number.


def _closure(glob: Glob, states: int) -> int:
    for index, step in enumerate(glob.steps):
        if step.star and states >> index & 1:
            states |= 1 << (index + 1)
    return states


def _advance(glob: Glob, states: int, char: str) -> int:
    following = 0
    for index, step in enumerate(glob.steps):
        if states >> index & 1:
            if step.star:
                following |= 1 << index
            elif step.takes(char):
                following |= 1 << (index + 1)
    return _closure(glob, following)


def _accepts(glob: Glob, states: int) -> bool:
    return bool(states >> len(glob.steps) & 1)


def _telling_characters(*globs: Glob) -> tuple[str, ...]:
    """One character of every class that the globs treat alike: the ends of ranges, and what is just behind them."""
    chars = {_OTHER, "\0"}
    for glob in globs:
        for step in glob.steps:
            for low, high in step.ranges:
                chars |= {low, chr(min(ord(high) + 1, ord(_OTHER)))}
    return tuple(sorted(chars))
