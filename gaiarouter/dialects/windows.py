"""Limits as OpenAI's clients read them, whichever of its formats they speak."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

from gaiarouter.dialects.base import WindowView


def window_headers(name: str, window: WindowView, _: float, /) -> Mapping[str, str]:
    reset_s = window.reset_s
    limit, remaining, reset = _names(name)
    return {
        limit: str(window.limit),
        remaining: str(window.remaining),
        reset: f"{math.ceil(reset_s * 1000)}ms" if reset_s < 1 else _go_duration(reset_s),
    }


@cache
def _names(name: str) -> tuple[str, str, str]:
    return f"x-ratelimit-limit-{name}", f"x-ratelimit-remaining-{name}", f"x-ratelimit-reset-{name}"


def _go_duration(seconds: float) -> str:
    """`1.5s`, `6m0s`."""
    if seconds < 60:
        return f"{math.ceil(seconds * 1000) / 1000:g}s"
    whole = math.ceil(seconds)
    return f"{whole // 60}m{whole % 60}s"
