"""What was done to a request and must be undone in its answer."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class AnswerPlan(Struct, frozen=True, kw_only=True):
    """tools: wire name -> the caller's, where they differ."""

    tools: Mapping[str, str] = field(default_factory=dict)
