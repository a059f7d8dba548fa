"""How much to think: effort words and token budgets, as each model takes them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import Thinking
from gaiarouter.dialects.messages.capabilities import Capabilities

MIN_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
_EFFORTS = ((2048, "low"), (8192, "medium"), (24576, "high"))
_DISPLAYS = {"summary": "summarized", "full": "summarized", "withheld": "omitted"}
_NO_THINKING = "the model does not think"


class ThinkingPlan(Struct, frozen=True):
    """thinking: the `thinking` member, if any. effort: `output_config.effort`. on: the model will think, as far as the
    request says; then sampling is restricted."""

    thinking: dict[str, Any] | None = None
    effort: str | None = None
    on: bool = False

    @property
    def is_enabled(self) -> bool:
        return self.thinking is not None and self.thinking["type"] == "enabled"


_AS_IT_IS = ThinkingPlan()


def plan_thinking(wish: Thinking, model: Capabilities, *, max_tokens: int, path: str, losses: Losses) -> ThinkingPlan:
    """`path`: the caller's name of the wish."""
    if "adaptive" in model.thinking:
        return _Adaptive(wish, model, path, losses).plan()
    if wish.mode in (None, "off", "between_tools"):
        return _AS_IT_IS
    if model.thinking:
        return _budgeted(wish, model, max_tokens, path, losses)
    losses.drop(path, _NO_THINKING)
    return _AS_IT_IS


class _Adaptive:
    """Models that choose by themselves how long to think, guided by an effort."""

    def __init__(self, wish: Thinking, model: Capabilities, path: str, losses: Losses) -> None:
        self._wish = wish
        self._model = model
        self._path = path
        self._losses = losses

    def plan(self) -> ThinkingPlan:
        wish, unasked = self._wish, self._model.thinks_unasked
        match wish.mode:
            case None:
                effort = self._effort(wish.effort)
                return self._on(explicit=False, effort=effort) if unasked != "no" else ThinkingPlan(effort=effort)
            case "off" | "between_tools":
                return self._off()
            case "adaptive":
                return self._on(explicit=True, effort=self._effort(wish.effort))
            case "effort":
                return self._on(explicit=unasked == "no", effort=self._effort(wish.effort))
            case "budget":
                self._losses.adapt(self._path, "a budget becomes the nearest effort")
                return self._on(explicit=unasked == "no", effort=self._effort(effort_of(wish.budget or 0)))

    def _on(self, *, explicit: bool, effort: str | None) -> ThinkingPlan:
        display = _DISPLAYS.get(self._wish.visible or "")
        if display:
            return ThinkingPlan({"type": "adaptive", "display": display}, effort, on=True)
        return ThinkingPlan({"type": "adaptive"} if explicit else None, effort, on=True)

    def _off(self) -> ThinkingPlan:
        model, wish = self._model, self._wish
        exact = "disabled" if wish.mode == "off" else "between_tools"
        accepted = [kind for kind in (exact, "between_tools", "disabled") if kind in model.thinking]
        if not accepted:
            self._losses.adapt(self._path, "the model always thinks: it is asked for the least effort")
            return ThinkingPlan(effort="low", on=True)
        if accepted[0] != exact:
            self._losses.adapt(self._path, f"the nearest that the model knows is `{accepted[0]}`")
        effort = None if wish.effort in (None, "none") else self._effort(wish.effort)
        if effort and accepted[0] == "disabled" and model.disabled_up_to:
            effort = self._lowered(effort, model.disabled_up_to)
        return ThinkingPlan({"type": accepted[0]}, effort)

    def _lowered(self, effort: str, limit: str) -> str:
        efforts = self._model.efforts
        if efforts.index(effort) <= efforts.index(limit):
            return effort
        self._losses.adapt(self._path, f"without thinking the model's highest effort is `{limit}`")
        return limit

    def _effort(self, word: str | None) -> str | None:
        if word is None or word in self._model.efforts:
            return word
        if word == "minimal":
            return "low"
        self._losses.adapt(self._path, "the nearest effort that the model knows is sent")
        return "max" if word == "xhigh" and "max" in self._model.efforts else self._model.efforts[-1]


def _budgeted(wish: Thinking, model: Capabilities, max_tokens: int, path: str, losses: Losses) -> ThinkingPlan:
    """Models that are given a number of tokens, below `max_tokens`."""
    effort = "medium" if wish.effort is None else wish.effort
    if wish.mode == "budget":
        budget = wish.budget or 0
    elif effort in _BUDGETS:
        budget = _BUDGETS[effort]
    else:
        losses.adapt(path, "an effort that is not known counts as `high`")
        budget = _BUDGETS["high"]
    if max_tokens <= MIN_BUDGET:
        losses.drop(
            path, f"thinking takes at least {MIN_BUDGET} tokens, which the limit of the answer leaves no room for"
        )
        return _AS_IT_IS
    fitting = max(MIN_BUDGET, budget if budget < max_tokens else max_tokens * 4 // 5)
    if fitting != budget:
        losses.adapt(path, f"the budget must be at least {MIN_BUDGET} and below the limit of the answer")
    known = wish.effort if wish.effort in model.efforts else None
    return ThinkingPlan({"type": "enabled", "budget_tokens": fitting}, known, on=True)


def effort_of(budget: int) -> str:
    return next((effort for limit, effort in _EFFORTS if budget <= limit), "xhigh")
