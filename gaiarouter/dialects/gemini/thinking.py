"""How much to think: a budget of tokens or a level, as each model takes it. Never both: that is a 400."""

from __future__ import annotations

from typing import Any

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import Thinking
from gaiarouter.dialects.gemini.capabilities import Capabilities

_BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}
_DYNAMIC = -1
_EFFORTS = ((512, "minimal"), (2048, "low"), (8192, "medium"), (24_576, "high"))
# the levels that stand for an effort, the best first
_LEVELS = {
    "none": ("MINIMAL", "LOW"),
    "minimal": ("MINIMAL", "LOW"),
    "low": ("LOW",),
    "medium": ("MEDIUM", "HIGH"),
    "high": ("HIGH",),
    "xhigh": ("XHIGH", "HIGH"),
    "max": ("XHIGH", "HIGH"),
}


def thinking_config(wish: Thinking, model: Capabilities, *, path: str, losses: Losses) -> dict[str, Any] | None:
    """The `thinkingConfig` member. path: the caller's name of the wish."""
    if model.thinking is None:
        if wish.mode not in (None, "off", "between_tools"):
            losses.drop(path, "the model does not think")
        return None
    config = (_budget if model.thinking == "budget" else _level)(wish, model, path, losses)
    if wish.visible in ("shown", "summary", "full"):
        config["includeThoughts"] = True
    return config or None


def _budget(wish: Thinking, model: Capabilities, path: str, losses: Losses) -> dict[str, Any]:
    match wish.mode:
        case None | "adaptive" if wish.effort is None:
            return {}  # the model finds its own measure
        case "budget" if wish.budget == _DYNAMIC:
            return {}
        case "budget":
            asked = wish.budget or 0
        case _:
            effort = _effort(wish)
            asked = 0 if effort == "none" else _BUDGETS.get(effort, _BUDGETS["high"])
            if effort in ("xhigh", "max"):
                asked = min(asked, model.budgets[1])
    least, most = model.budgets
    budget = 0 if asked == 0 and model.can_stop_thinking else max(least, min(asked, most))
    if budget != asked:
        losses.adapt(path, f"the model's budget is {least} to {most} tokens")
    return {"thinkingBudget": budget}


def _level(wish: Thinking, model: Capabilities, path: str, losses: Losses) -> dict[str, Any]:
    match wish.mode:
        case None | "adaptive" if wish.effort is None:
            return {}
        case "budget":
            effort = effort_of(wish.budget or 0)
            losses.adapt(path, "a budget becomes the nearest level")
        case _:
            effort = _effort(wish)
    candidates = _LEVELS.get(effort, ("HIGH",))
    level = next((level for level in candidates if level in model.levels), model.levels[-1])
    if effort == "none":
        losses.adapt(path, f"the model always thinks: it is asked for the level `{level}`")
    elif level != effort.upper():
        losses.adapt(path, f"the nearest level that the model knows is `{level}`")
    return {"thinkingLevel": level}


def _effort(wish: Thinking) -> str:
    if wish.mode in ("off", "between_tools"):
        return "none"
    return wish.effort or "medium"


def effort_of(budget: int) -> str:
    if budget == 0:
        return "none"
    return next((effort for limit, effort in _EFFORTS if budget <= limit), "xhigh")
