"""Two globs compared: is every name of the one also a name of the other? Then a route behind it is never reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gaiarouter.routing.glob import CharSet, Glob

_MAX_MOVES = 20_000
# stands for every character that no glob names
_OTHER = "\U0010ffff"


def covers(outer: Glob, inner: Glob) -> bool:
    """True if every name that `inner` matches is matched by `outer`.

    Walks both at once over the characters that tell them apart. Where that takes too long the answer is False.
    """
    if inner.is_literal:
        return inner.text.startswith(outer.prefix) and outer.match(inner.text) is not None
    if not inner.prefix.startswith(outer.prefix):
        return False
    ours, theirs = _machine(inner), _machine(outer)
    alphabet = _telling_characters(ours, theirs)
    start = (ours.start(), theirs.start())
    seen, waiting = {start}, [start]
    while waiting:
        here, there = waiting.pop()
        if ours.accepts(here) and not theirs.accepts(there):
            return False
        for char in alphabet:
            following = (ours.after(here, char), theirs.after(there, char))
            if following[0] and following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(seen) * len(alphabet) > _MAX_MOVES:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Machine:
    """A glob as steps, None for a star. The steps that a name can have reached so far are the bits of one number."""

    steps: tuple[CharSet | None, ...]

    def start(self) -> int:
        return self._over_stars(1)

    def after(self, reached: int, char: str) -> int:
        following = 0
        for index, step in enumerate(self.steps):
            if reached >> index & 1:
                if step is None:
                    following |= 1 << index
                elif char in step:
                    following |= 1 << (index + 1)
        return self._over_stars(following)

    def accepts(self, reached: int) -> bool:
        return bool(reached >> len(self.steps) & 1)

    def _over_stars(self, reached: int) -> int:
        for index, step in enumerate(self.steps):
            if step is None and reached >> index & 1:
                reached |= 1 << (index + 1)
        return reached


def _machine(glob: Glob) -> _Machine:
    return _Machine(tuple(_steps(glob)))


def _steps(glob: Glob) -> Iterator[CharSet | None]:
    for number, segment in enumerate(glob.segments):
        if number:
            yield None
        for element in segment.elements:
            yield CharSet(((element, element),)) if isinstance(element, str) else element


def _telling_characters(*machines: _Machine) -> tuple[str, ...]:
    """One character of every class that the globs treat alike: where ranges begin, and what is just behind them."""
    chars = {_OTHER, "\0"}
    for machine in machines:
        for step in machine.steps:
            for low, high in step.ranges if step else ():
                chars |= {low, chr(min(ord(high) + 1, ord(_OTHER)))}
    return tuple(sorted(chars))
