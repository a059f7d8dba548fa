"""Limits as OpenAI's clients read them, whichever of its formats they speak."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gaiarouter.dialects.base import WindowView


def window_headers(name: str, window: WindowView) -> Mapping[str, str]:
    return {
        f"x-ratelimit-limit-{name}": str(window.limit),
        f"x-ratelimit-remaining-{name}": str(window.remaining),
        f"x-ratelimit-reset-{name}": _go_duration(window.reset_s),
    }


def _go_duration(seconds: float) -> str:
    """`12ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:
        return f"{math.ceil(seconds * 1000) / 1000:g}s"
    whole = math.ceil(seconds)
    return f"{whole // 60}m{whole % 60}s"
