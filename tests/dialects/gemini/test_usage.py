"""Token counts of the Gemini format, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gaiarouter.canonical.usage import REJECTED, Modalities, Usage
from gaiarouter.dialects.gemini.usage import UsageTotals, read_usage, write_usage


def read(told: Any) -> Usage | None:
    return read_usage(Raw(json.dumps(told).encode()))


CASES: list[tuple[dict[str, Any], Usage]] = [
    (
        {"promptTokenCount": 15, "candidatesTokenCount": 18, "thoughtsTokenCount": 742, "toolUsePromptTokenCount": 770},
        Usage(in_uncached=15, in_tool=770, out_visible=18, out_reasoning=742),
    ),
    (
        {
            "promptTokenCount": 373,
            "cachedContentTokenCount": 204,
            "candidatesTokenCount": 89,
            "thoughtsTokenCount": 167,
        },
        Usage(in_uncached=169, in_cache_read=204, out_visible=89, out_reasoning=167),
    ),
    ({"promptTokenCount": 14, "totalTokenCount": 14}, Usage(in_uncached=14)),
    ({"candidatesTokenCount": 18, "thoughtsTokenCount": 58}, Usage(out_visible=18, out_reasoning=58)),
    ({"promptTokenCount": 3, "cachedContentTokenCount": 9}, Usage(in_cache_read=3)),
    ({"promptTokenCount": 3, "serviceTier": "flex"}, Usage(in_uncached=3, tier="flex")),
    (
        {
            "promptTokenCount": 9,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": 7}],
            "candidatesTokensDetails": [{"modality": 4, "tokenCount": 1}, {"modality": "NEW", "tokenCount": 1}],
        },
        Usage(in_uncached=9, modalities=Modalities(in_image=7, out_audio=1)),
    ),
]


@pytest.mark.parametrize(("told", "expected"), CASES)
def test_t51_t52_counts_become_exclusive(told: dict[str, Any], expected: Usage) -> None:
    assert read(told) == expected


def test_the_worked_totals() -> None:
    first, second = (usage for _, usage in CASES[:2])
    assert (first.input_tokens, first.output_tokens, first.total_tokens) == (785, 760, 1545)
    assert (second.input_tokens, second.output_tokens, second.total_tokens) == (373, 256, 629)


@pytest.mark.parametrize("told", [{}, {"trafficType": "ON_DEMAND"}, None])
def test_there_is_no_usage_where_none_is_told(told: Any) -> None:
    assert read(told) is None


@pytest.mark.parametrize(
    "told",
    [
        *({"promptTokenCount": wrong, "candidatesTokenCount": 3} for wrong in (-1, "9", 1e12)),
        {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": "x"},
        [],
        5,
    ],
)
def test_u49_without_its_main_counts_nothing_is_believed(told: Any) -> None:
    assert read(told) is REJECTED
    assert UsageTotals().take(Raw(json.dumps(told).encode())) is REJECTED


@pytest.mark.parametrize(
    "wrong",
    [
        {"cachedContentTokenCount": "4"},
        {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": "9"}]},
        {"serviceTier": 3},
    ],
)
def test_u49_a_detail_that_cannot_be_read_is_left_out(wrong: dict[str, Any]) -> None:
    """In a stream too, where each event tells all again; the counts that were right before hold on."""
    told = {"promptTokenCount": 9, "candidatesTokenCount": 3}
    totals = UsageTotals()
    for usage in (read(told | wrong), totals.take(Raw(json.dumps(told | wrong).encode()))):
        assert usage is not None
        assert (usage.in_uncached, usage.out_visible, usage.rejected) == (9, 3, True)
    usage = totals.take(Raw(b'{"promptTokenCount":9,"candidatesTokenCount":"x"}'))
    assert usage is not None
    assert (usage.in_uncached, usage.out_visible, usage.rejected) == (9, 3, True)


COUNT = st.integers(0, 1_000_000)


@given(COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
def test_what_is_written_is_read_again(
    uncached: int, cached: int, written: int, tool: int, visible: int, reasoning: int
) -> None:
    usage = Usage(
        in_uncached=uncached,
        in_cache_read=cached,
        in_cache_write=written,
        in_tool=tool,
        out_visible=visible,
        out_reasoning=reasoning,
    )
    told = write_usage(usage)
    assert told["totalTokenCount"] == usage.total_tokens
    again = Usage(
        in_uncached=uncached + written,
        in_cache_read=cached,
        in_tool=tool,
        out_visible=visible,
        out_reasoning=reasoning,
    )
    assert read(told) == (again if again.total_tokens else None)


def test_zeros_are_a_placeholder_and_no_usage() -> None:
    totals = UsageTotals()
    assert totals.take(Raw(b'{"promptTokenCount":0,"candidatesTokenCount":0,"totalTokenCount":0}')) is None
    assert totals.take(Raw(b'{"promptTokenCount":7}')) == Usage(in_uncached=7)
