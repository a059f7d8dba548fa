"""Whether the globs that a key was given take a model's name."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gaiarouter.routing.glob import Glob, GlobError

_COMPILED: Final = 4096


class Grants:
    """Compiles each list of globs once. A glob that is broken takes nothing: what cannot be read grants nothing."""

    def __init__(self) -> None:
        self._compiled = lru_cache(maxsize=_COMPILED)(_compile)

    def allows(self, globs: tuple[str, ...], name: str) -> bool:
        return any(glob.match(name) is not None for glob in self._compiled(globs))


def _compile(globs: tuple[str, ...]) -> tuple[Glob, ...]:
    compiled = []
    for text in globs:
        try:
            compiled.append(Glob(text))
        except GlobError:
            continue
    return tuple(compiled)
