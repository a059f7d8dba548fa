"""Which row of the table a model's name finds."""

from __future__ import annotations

import pytest

from gaiarouter.dialects.messages.capabilities import NEWEST, NOT_CLAUDE, CapabilityTable

TABLE = CapabilityTable()

# spellings of the same model: the API's, with and without a date, Bedrock's, Vertex's, OpenRouter's
SAME = [
    (
        "claude-opus-4-5",
        [
            "claude-opus-4-5-20251101",
            "anthropic.claude-opus-4-5-20251101-v1:0",
            "claude-opus-4-5@20251101",
            "anthropic/claude-opus-4.5",
        ],
    ),
    (
        "claude-sonnet-4-0",
        ["claude-sonnet-4-20250514", "us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4"],
    ),
    (
        "claude-3-5-sonnet-latest",
        ["claude-3-5-sonnet-20241022", "anthropic/claude-3.5-sonnet", "claude-3-5-haiku-latest"],
    ),
    ("claude-opus-4-7", ["anthropic/claude-opus-4.7-fast"]),
    ("claude-haiku-4-5", ["claude-haiku-4-5-20251001", "CLAUDE-HAIKU-4-5"]),
]


@pytest.mark.parametrize(("name", "others"), SAME)
def test_a_model_is_known_under_every_spelling(name: str, others: list[str]) -> None:
    assert {TABLE.of(other) for other in others} == {TABLE.of(name)}


ROWS: list[tuple[str, tuple[str, ...], str, bool, str, bool, bool, bool]] = [
    ("claude-3-opus-20240229", (), "no", True, "yes", True, False, False),
    ("claude-3-7-sonnet-20250219", ("enabled", "disabled"), "no", True, "unless_enabled", True, False, False),
    ("claude-opus-4-1-20250805", ("enabled", "disabled"), "no", True, "unless_enabled", True, False, False),
    ("claude-sonnet-4-5", ("enabled", "disabled"), "no", True, "unless_enabled", True, False, False),
    ("claude-sonnet-4-6", ("adaptive", "enabled", "disabled"), "no", True, "unless_enabled", False, False, False),
    ("claude-opus-4-7", ("adaptive", "disabled"), "no", False, "yes", False, False, False),
    ("claude-opus-4-8", ("adaptive", "disabled"), "no", False, "yes", False, False, True),
    ("claude-opus-5", ("adaptive", "disabled"), "yes", False, "yes", False, False, True),
    ("claude-sonnet-5", ("adaptive", "disabled"), "yes", False, "yes", False, False, False),
    ("claude-fable-5", ("adaptive",), "always", False, "yes", False, False, True),
    ("claude-opus-5-5", ("adaptive",), "always", False, "no", False, True, True),
    ("claude-sonnet-5-5", ("adaptive", "between_tools"), "yes", False, "no", False, True, True),
    ("claude-haiku-5-5", ("adaptive", "disabled"), "yes", False, "no", False, True, True),
    ("claude-fable-5-2", ("adaptive",), "always", False, "no", False, True, True),
    ("claude-mythos-5-1", ("adaptive",), "always", False, "no", False, True, True),
]


@pytest.mark.parametrize(("name", "thinking", "unasked", "sampling", "forced", "prefill", "bound", "system"), ROWS)
def test_a_row_says_what_the_model_accepts(
    name: str,
    thinking: tuple[str, ...],
    unasked: str,
    sampling: bool,
    forced: str,
    prefill: bool,
    bound: bool,
    system: bool,
) -> None:
    row = TABLE.of(name)
    assert (row.thinking, row.thinks_unasked, row.sampling) == (thinking, unasked, sampling)
    assert (row.forced_choice, row.prefill, row.bound, row.system_turns) == (forced, prefill, bound, system)


@pytest.mark.parametrize("name", ["claude-opus-6", "claude-next-9-1", "claude-fable-latest", "claude-haiku-5-9"])
def test_a_claude_that_is_not_known_counts_as_the_newest(name: str) -> None:
    assert TABLE.of(name) == NEWEST


def test_a_model_of_another_maker_takes_what_the_format_first_was() -> None:
    assert TABLE.of("deepseek-chat") == NOT_CLAUDE


def test_an_operator_knows_better() -> None:
    table = CapabilityTable([("claude-opus-6*", {"prefill": True, "max_output": 5}), ("*", {"max_output": 7})])
    assert (table.of("claude-opus-6-1").prefill, table.of("claude-opus-6-1").max_output) == (True, 5)
    assert (table.of("claude-opus-5").prefill, table.of("claude-opus-5").max_output) == (False, 7)
