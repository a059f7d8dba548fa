"""Token counts of the Messages format. Arithmetic from recorded traffic."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gaiarouter.canonical.usage import REJECTED, CacheWrites, Usage
from gaiarouter.dialects.chat.usage import read_usage as read_chat
from gaiarouter.dialects.chat.usage import write_usage as write_chat
from gaiarouter.dialects.messages.usage import UsageTotals, read_usage, write_usage


def read(value: object) -> Usage | None:
    return UsageTotals().take(Raw(msgspec.json.encode(value)))


def test_t51_cached_input_is_counted_once() -> None:
    usage = read(
        {
            "input_tokens": 16,
            "cache_creation_input_tokens": 7049,
            "cache_read_input_tokens": 13637,
            "output_tokens": 344,
            "output_tokens_details": {"thinking_tokens": 33},
        }
    )
    assert usage is not None
    written = write_chat(usage)
    assert (written.prompt_tokens, written.completion_tokens, written.total_tokens) == (20702, 344, 21046)
    assert written.prompt_tokens_details.cached_tokens == 13637
    assert written.prompt_tokens_details.cache_write_tokens == 7049
    assert written.completion_tokens_details.reasoning_tokens == 33


# prompt, cached, cache_write, completion, reasoning -> input, cache_creation, cache_read, output
CHAT_TO_MESSAGES = [
    ((4020, 0, 4012, 4, 0), (8, 4012, 0, 4)),
    ((563, 512, 0, 116, 60), (51, 0, 512, 116)),
    ((3329, 3211, 115, 53, 0), (3, 115, 3211, 53)),
]


@pytest.mark.parametrize(("chat", "messages"), CHAT_TO_MESSAGES)
def test_t51_inclusive_counts_become_exclusive(chat: tuple[int, ...], messages: tuple[int, ...]) -> None:
    prompt, cached, write, completion, reasoning = chat
    body = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": write},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    usage = read_chat(Raw(msgspec.json.encode(body)))
    assert usage is not None
    written = write_usage(usage)
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert tuple(written[name] for name in names) == messages


COUNTS = st.integers(0, 1_000_000)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.none() | st.just("standard"))
def test_what_is_written_reads_back_the_same(
    uncached: int, read_: int, for_5m: int, for_1h: int, visible: int, reasoning: int, tier: str | None
) -> None:
    usage = Usage(
        in_uncached=uncached,
        in_cache_read=read_,
        in_cache_write=for_5m + for_1h,
        out_visible=visible,
        out_reasoning=reasoning,
        cache_writes=CacheWrites(for_5m=for_5m, for_1h=for_1h),
        tool_requests={"web_search_requests": 2},
        tier=tier,
    )
    assert read(write_usage(usage)) == (usage if usage.total_tokens else None)


@pytest.mark.parametrize("nothing", ["{}", '{"input_tokens":0,"output_tokens":0}', "null", ""])
def test_a_whole_answer_that_counts_nothing_has_no_usage(nothing: str) -> None:
    assert read_usage(Raw(nothing.encode())) is None


@given(COUNTS, COUNTS)
def test_the_results_of_the_providers_tools_are_plain_input_to_messages(uncached: int, tool: int) -> None:
    assert write_usage(Usage(in_uncached=uncached, in_tool=tool))["input_tokens"] == uncached + tool


@pytest.mark.parametrize(
    "value",
    [3, [], "x", {"input_tokens": -1}, {"input_tokens": 1.5}, {"output_tokens": 10**12}, {"input_tokens": "3"}],
)
def test_counts_that_cannot_be_are_not_believed(value: object) -> None:
    assert read(value) is REJECTED
    assert read_usage(Raw(msgspec.json.encode(value))) is REJECTED


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache_creation": {"ephemeral_5m_input_tokens": "x"}},
        {"output_tokens_details": {"thinking_tokens": -1}},
        {"server_tool_use": {"web_search_requests": "many"}},
        {"service_tier": 3},
    ],
)
def test_u49_a_detail_that_cannot_be_read_is_left_out(wrong: object) -> None:
    told = {"input_tokens": 7, "cache_creation_input_tokens": 4, "output_tokens": 3}
    for usage in (read(told | wrong), read_usage(Raw(msgspec.json.encode(told | wrong)))):
        assert usage is not None
        assert (usage.in_uncached, usage.in_cache_write, usage.out_visible, usage.rejected) == (7, 4, 3, True)


def test_u49_a_count_that_cannot_be_read_holds_until_it_is_told_again() -> None:
    """The end of a stream tells the output alone: without its input it would bill next to nothing."""
    totals = UsageTotals()
    assert totals.take(Raw(b'{"input_tokens":"9","output_tokens":1}')) is REJECTED
    assert totals.take(Raw(b'{"output_tokens":5}')) is REJECTED
    assert totals.take(Raw(b'{"input_tokens":9}')) == Usage(in_uncached=9, out_visible=5)


def test_thinking_is_never_more_than_all_output() -> None:
    usage = read({"input_tokens": 1, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}})
    assert usage == Usage(in_uncached=1, out_visible=0, out_reasoning=5)


def test_the_providers_own_object_is_kept() -> None:
    usage = read({"input_tokens": 1, "output_tokens": 2, "inference_geo": "eu"})
    assert usage is not None
    assert usage.raw is not None
    assert msgspec.json.decode(usage.raw)["inference_geo"] == "eu"


@pytest.mark.parametrize("nothing", [{}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": None}])
def test_a_placeholder_is_no_usage_until_more_is_told(nothing: object) -> None:
    """As servers that speak this format begin a stream: what they never count is estimated, and not free."""
    totals = UsageTotals()
    assert totals.take(Raw(msgspec.json.encode(nothing))) is None
    usage = totals.take(Raw(b'{"input_tokens":7,"output_tokens":3}'))
    assert usage is not None
    assert (usage.in_uncached, usage.out_visible) == (7, 3)
