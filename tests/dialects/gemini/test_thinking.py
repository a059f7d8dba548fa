"""How much to think, per model; and which model is which."""

from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.dialects.gemini.capabilities import NEWEST, CapabilityTable
from tests.dialects.gemini import send
from tests.dialects.gemini.send import FLASH_2_0, FLASH_2_5, FLASH_3, LITE_2_5, PRO_2_5, PRO_3, config, losses

PRO_3_1 = "gemini-3.1-pro-preview"
BUDGETS: list[tuple[str, str, int, bool]] = [
    (FLASH_2_5, "none", 0, False),
    (FLASH_2_5, "minimal", 512, False),
    (FLASH_2_5, "low", 2048, False),
    (FLASH_2_5, "medium", 8192, False),
    (FLASH_2_5, "high", 24_576, False),
    (FLASH_2_5, "xhigh", 24_576, False),
    (FLASH_2_5, "max", 24_576, False),
    (LITE_2_5, "none", 0, False),
    (LITE_2_5, "minimal", 512, False),
    (PRO_2_5, "none", 128, True),
    (PRO_2_5, "minimal", 512, False),
    (PRO_2_5, "high", 24_576, False),
    (PRO_2_5, "max", 32_768, False),
]


@pytest.mark.parametrize(("model", "effort", "budget", "is_near"), BUDGETS)
def test_an_effort_becomes_a_budget(model: str, effort: str, budget: int, is_near: bool) -> None:
    assert config(model, reasoning_effort=effort) == {"thinkingConfig": {"thinkingBudget": budget}}
    assert losses(model, reasoning_effort=effort) == ({"reasoning_effort": "adapt"} if is_near else {})


LEVELS: list[tuple[str, str, str, bool]] = [
    (FLASH_3, "none", "MINIMAL", True),
    (FLASH_3, "minimal", "MINIMAL", False),
    (FLASH_3, "low", "LOW", False),
    (FLASH_3, "medium", "MEDIUM", False),
    (FLASH_3, "high", "HIGH", False),
    (FLASH_3, "xhigh", "HIGH", True),
    (FLASH_3, "max", "HIGH", True),
    (PRO_3, "none", "LOW", True),
    (PRO_3, "minimal", "LOW", True),
    (PRO_3, "low", "LOW", False),
    (PRO_3, "medium", "HIGH", True),
    (PRO_3, "high", "HIGH", False),
    (PRO_3_1, "minimal", "LOW", True),
    (PRO_3_1, "medium", "MEDIUM", False),
    (send.NEWEST, "medium", "MEDIUM", False),
]


@pytest.mark.parametrize(("model", "effort", "level", "is_near"), LEVELS)
def test_an_effort_becomes_a_level(model: str, effort: str, level: str, is_near: bool) -> None:
    assert config(model, reasoning_effort=effort) == {"thinkingConfig": {"thinkingLevel": level}}
    assert losses(model, reasoning_effort=effort) == ({"reasoning_effort": "adapt"} if is_near else {})


BUDGET_WISHES: list[tuple[str, int, dict[str, Any], bool]] = [
    (FLASH_2_5, 1000, {"thinkingBudget": 1000}, False),
    (FLASH_2_5, 99_999, {"thinkingBudget": 24_576}, True),
    (FLASH_2_5, 0, {"thinkingBudget": 0}, False),
    (LITE_2_5, 100, {"thinkingBudget": 512}, True),
    (PRO_2_5, 0, {"thinkingBudget": 128}, True),
    (PRO_2_5, 99_999, {"thinkingBudget": 32_768}, True),
    (FLASH_3, 0, {"thinkingLevel": "MINIMAL"}, True),
    (FLASH_3, 2000, {"thinkingLevel": "LOW"}, True),
    (FLASH_3, 8192, {"thinkingLevel": "MEDIUM"}, True),
    (FLASH_3, 10_000, {"thinkingLevel": "HIGH"}, True),
    (FLASH_3, 99_999, {"thinkingLevel": "HIGH"}, True),
]


@pytest.mark.parametrize(("model", "budget", "expected", "is_near"), BUDGET_WISHES)
def test_a_budget_becomes_one_the_model_knows(model: str, budget: int, expected: dict[str, Any], is_near: bool) -> None:
    members = {"reasoning": {"max_tokens": budget}}
    assert config(model, **members) == {"thinkingConfig": expected | {"includeThoughts": True}}
    assert losses(model, **members) == ({"reasoning": "adapt"} if is_near else {})
    assert config(model, thinking={"type": "enabled", "budget_tokens": budget}) == {"thinkingConfig": expected}


@pytest.mark.parametrize("model", [FLASH_2_0, FLASH_2_5, PRO_2_5, FLASH_3, send.NEWEST])
def test_who_says_nothing_gets_the_models_own_measure(model: str) -> None:
    assert config(model) == {}
    assert config(model, thinking={"type": "adaptive"}) == {}


SHOWN: list[tuple[dict[str, Any], bool]] = [
    ({"reasoning": {"effort": "low"}}, True),
    ({"reasoning": {"effort": "low", "exclude": True}}, False),
    ({"reasoning_effort": "low"}, False),
    ({"reasoning_effort": "low", "include_reasoning": True}, True),
]


@pytest.mark.parametrize(("members", "is_shown"), SHOWN)
def test_thinking_is_shown_to_who_asked_for_it(members: dict[str, Any], is_shown: bool) -> None:
    assert config(**members)["thinkingConfig"].get("includeThoughts", False) == is_shown


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    assert config(FLASH_2_0, reasoning_effort="high") == {}
    assert losses(FLASH_2_0, reasoning_effort="high") == {"reasoning_effort": "drop"}
    assert losses(FLASH_2_0, reasoning_effort="none") == {}


MODELS: list[tuple[str, str | None, bool, bool]] = [
    ("gemini-1.5-pro-002", None, False, False),
    ("gemini-2.0-flash-lite-001", None, False, False),
    ("gemini-2.5-flash", "budget", True, False),
    ("models/gemini-2.5-pro-preview-05-06", "budget", True, False),
    ("gemini-2.5-flash-lite-preview-09-2025", "budget", True, False),
    ("google/gemini-2.5-flash-image", "budget", True, False),
    ("gemini-3-pro-preview", "level", True, True),
    ("gemini-3.1-flash-lite", "level", True, True),
    ("gemini-flash-latest", "level", True, True),
    ("gemini-10-pro", "level", True, True),
    ("something-else", "level", True, True),
]


@pytest.mark.parametrize(("model", "thinking", "json_schema", "signs"), MODELS)
def test_a_models_row(model: str, thinking: str | None, json_schema: bool, signs: bool) -> None:
    found = CapabilityTable().of(model)
    assert (found.thinking, found.json_schema, found.signs_calls) == (thinking, json_schema, signs)


def test_the_operator_knows_better() -> None:
    table = CapabilityTable([("gemini-9*", {"levels": ("LOW", "XHIGH")}), ("gemini-*", {"name_chars": 9})])
    assert table.of("gemini-9-pro").levels == ("LOW", "XHIGH")
    assert table.of("gemini-9-pro").name_chars == NEWEST.name_chars
    assert table.of("gemini-2.0-flash").name_chars == 9
