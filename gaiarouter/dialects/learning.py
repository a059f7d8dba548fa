"""What a provider's refusals have taught of its models, beside what the tables say: until the process ends.

A table may be older than a model. Where the refusal says what is wrong in words that are known, the same request can be
written again without it, and every later one is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, TypeVar

from gaiarouter.errors import Rejected, UpstreamError

_MOST_MODELS: Final = 1000
_Known = TypeVar("_Known")


class Learned(Generic[_Known]):
    """table: what is known of a model beforehand."""

    def __init__(self, table: Callable[[str], _Known]) -> None:
        self._table = lru_cache(_MOST_MODELS)(table)
        self._better: dict[str, _Known] = {}

    def of(self, model: str) -> _Known:
        better = self._better.get(model)
        return self._table(model) if better is None else better

    def correct(self, model: str, better: _Known | None, *, used: _Known) -> bool:
        """Whether the request would be written otherwise now. better: None where the refusal taught nothing. used: what
        was thought when it was written; others may have learnt since."""
        if better is None or better == used:
            return False
        if len(self._better) >= _MOST_MODELS:
            self._better.clear()  # callers may make up names of models
        self._better[model] = better
        return True


def mended(error: UpstreamError, learn: Callable[[Rejected], bool]) -> UpstreamError:
    """The error, with a sign if it taught something."""
    if isinstance(error, Rejected) and learn(error):
        error.mended, error.outcome = True, "mended"
    return error
