"""How much a model thinks: each wish on each kind of model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.messages.send import (
    HAIKU_4_5,
    OPUS_4_5,
    OPUS_4_6,
    OPUS_4_7,
    OPUS_5,
    OPUS_5_5,
    SONNET_5_5,
    USER,
    assistant,
    call,
    losses,
    result,
    sent,
)

HAIKU_3_5 = "claude-3-5-haiku-20241022"
ADAPTIVE = {"type": "adaptive"}


def enabled(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget}


def effort(word: str) -> dict[str, str]:
    return {"reasoning_effort": word}


# model, wish, `thinking`, `output_config.effort`, whether it is told as a loss
ROWS: list[tuple[str, dict[str, Any], dict[str, Any] | None, str | None, bool]] = [
    # nothing said
    *((model, {}, None, None, False) for model in (HAIKU_3_5, HAIKU_4_5, OPUS_4_6, OPUS_4_7, OPUS_5, OPUS_5_5)),
    # not at all
    (HAIKU_3_5, effort("none"), None, None, False),
    (HAIKU_4_5, effort("none"), None, None, False),
    (OPUS_4_6, effort("none"), {"type": "disabled"}, None, False),
    (OPUS_5, effort("none"), {"type": "disabled"}, None, False),
    (SONNET_5_5, effort("none"), {"type": "between_tools"}, None, True),
    (OPUS_5_5, effort("none"), None, "low", True),
    (OPUS_4_7, {"reasoning": {"enabled": False}}, {"type": "disabled"}, None, False),
    (OPUS_4_7, {"thinking": {"type": "disabled"}}, {"type": "disabled"}, None, False),
    (OPUS_5, {"thinking": {"type": "disabled"}, "reasoning_effort": "max"}, {"type": "disabled"}, "high", True),
    # budgets
    (HAIKU_4_5, effort("minimal"), enabled(1024), None, False),
    (HAIKU_4_5, effort("low"), enabled(2048), None, False),
    (HAIKU_4_5, effort("medium"), enabled(8192), None, False),
    (HAIKU_4_5, effort("high"), enabled(16384), None, False),
    (HAIKU_4_5, effort("xhigh"), enabled(32768), None, False),
    (HAIKU_4_5, effort("max"), enabled(32768), None, False),
    (HAIKU_4_5, {"reasoning": {"max_tokens": 3000}}, enabled(3000), None, False),
    (HAIKU_4_5, {"thinking": {"type": "enabled", "budget_tokens": 5000}}, enabled(5000), None, False),
    (HAIKU_4_5, {"reasoning": {"max_tokens": 10}}, enabled(1024), None, True),
    (HAIKU_4_5, {"reasoning": {"enabled": True}}, enabled(8192), None, False),
    (HAIKU_4_5, effort("high") | {"max_tokens": 10_000}, enabled(8000), None, True),
    (HAIKU_4_5, {"reasoning": {"max_tokens": 10_000}, "max_tokens": 10_000}, enabled(8000), None, True),
    (HAIKU_4_5, effort("high") | {"max_tokens": 1100}, enabled(1024), None, True),
    (HAIKU_4_5, effort("high") | {"max_tokens": 1024}, None, None, True),
    (OPUS_4_5, effort("low"), enabled(2048), "low", False),
    (OPUS_4_5, effort("xhigh"), enabled(32768), None, False),
    # efforts
    (OPUS_4_6, effort("minimal"), ADAPTIVE, "low", False),
    (OPUS_4_6, effort("high"), ADAPTIVE, "high", False),
    (OPUS_4_6, effort("xhigh"), ADAPTIVE, "max", True),
    (OPUS_4_7, effort("xhigh"), ADAPTIVE, "xhigh", False),
    (OPUS_5, effort("medium"), None, "medium", False),
    (OPUS_5_5, effort("max"), None, "max", False),
    (OPUS_4_7, {"reasoning": {"max_tokens": 9000}}, {**ADAPTIVE, "display": "summarized"}, "high", True),
    (OPUS_5, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, None, "low", True),
    (OPUS_5, {"thinking": {"type": "adaptive"}}, ADAPTIVE, None, False),
    (SONNET_5_5, {"thinking": {"type": "between_tools"}}, {"type": "between_tools"}, None, False),
    # what the caller sees of it
    (OPUS_5, {"reasoning": {"effort": "low"}}, {**ADAPTIVE, "display": "summarized"}, "low", False),
    (OPUS_5, {"include_reasoning": True}, {**ADAPTIVE, "display": "summarized"}, None, False),
    (OPUS_4_7, {"include_reasoning": True}, None, None, False),
    (OPUS_5, {"reasoning": {"effort": "low", "exclude": True}}, None, "low", False),
    (OPUS_5, {"thinking": {"type": "adaptive", "display": "omitted"}}, {**ADAPTIVE, "display": "omitted"}, None, False),
    # a model that does not
    (HAIKU_3_5, effort("high"), None, None, True),
]


@pytest.mark.parametrize(("model", "wish", "thinking", "word", "told"), ROWS)
def test_a_wish_becomes_what_the_model_knows(
    model: str, wish: dict[str, Any], thinking: dict[str, Any] | None, word: str | None, told: bool
) -> None:
    body = sent(model, **wish)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == word
    assert bool(losses(model, **wish)) == told


def test_t65_a_budget_is_below_the_limit_and_never_without_the_thinking_that_began_the_turn() -> None:
    assert sent(reasoning_effort="max", max_tokens=2000)["thinking"] == enabled(1600)
    unfinished = [USER, assistant(call("a")), result("a")]
    assert sent(messages=unfinished, reasoning_effort="low")["thinking"] == {"type": "disabled"}
    assert losses(messages=unfinished, reasoning_effort="low") == {"reasoning_effort": "adapt"}
    signed = {"type": "reasoning.text", "text": "", "signature": "S", "format": "anthropic-claude-v1", "index": 0}
    begun = [USER, assistant(call("a"), reasoning_details=[signed]), result("a")]
    assert sent(messages=begun, reasoning_effort="low")["thinking"] == enabled(2048)
    assert "thinking" not in sent(OPUS_5, messages=unfinished, reasoning_effort="low")


@pytest.mark.parametrize(
    ("model", "sampling", "kept"),
    [
        (HAIKU_4_5, {"temperature": 0.5, "top_k": 3}, {}),
        (HAIKU_4_5, {"temperature": 1}, {"temperature": 1}),
        (HAIKU_4_5, {"top_p": 0.9}, {}),
        (HAIKU_4_5, {"top_p": 0.97}, {"top_p": 0.97}),
        (OPUS_4_6, {"temperature": 0.5}, {}),
    ],
)
def test_a_model_that_thinks_is_sent_no_sampling_that_it_refuses(
    model: str, sampling: dict[str, Any], kept: dict[str, Any]
) -> None:
    body = sent(model, reasoning_effort="low", **sampling)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == kept
    assert losses(model, reasoning_effort="low", **sampling) == {name: "drop" for name in sampling if name not in kept}


def test_a_model_cannot_think_before_text_that_it_continues() -> None:
    body = sent(messages=[USER, assistant(content="So")], reasoning_effort="low")
    assert body["thinking"] == {"type": "disabled"}
