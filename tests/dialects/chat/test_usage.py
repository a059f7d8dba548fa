from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gaiarouter.canonical.usage import REJECTED, Usage
from gaiarouter.dialects.chat.usage import read_usage, write_usage


def read(value: Any) -> Usage | None:
    return read_usage(Raw(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("sent", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}, Usage(in_uncached=9, out_visible=2)),
        ({"prompt_tokens": 9, "total_tokens": 9, "completion_tokens": None}, Usage(in_uncached=9)),
        (
            {"prompt_tokens": 4020, "completion_tokens": 4, "prompt_tokens_details": {"cache_write_tokens": 4012}},
            Usage(in_uncached=8, in_cache_write=4012, out_visible=4),
        ),
        (
            {
                "prompt_tokens": 563,
                "completion_tokens": 116,
                "prompt_cache_hit_tokens": 512,
                "prompt_cache_miss_tokens": 51,
                "completion_tokens_details": {"reasoning_tokens": 60},
            },
            Usage(in_uncached=51, in_cache_read=512, out_visible=56, out_reasoning=60),
        ),
        (
            {
                "prompt_tokens": 3329,
                "completion_tokens": 53,
                "prompt_tokens_details": {"cached_tokens": 3211, "cache_write_tokens": 115},
            },
            Usage(in_uncached=3, in_cache_read=3211, in_cache_write=115, out_visible=53),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 1, "num_cached_tokens": 5},
            Usage(in_uncached=5, in_cache_read=5, out_visible=1),
        ),
        # beside, not within: the total says so (as xAI sends it)
        (
            {
                "prompt_tokens": 165,
                "completion_tokens": 20,
                "total_tokens": 195,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            Usage(in_uncached=165, out_visible=20, out_reasoning=10),
        ),
        # beside, not within: it is larger than what should include it (priced so by the gateway that sent it)
        (
            {
                "prompt_tokens": 28,
                "completion_tokens": 9,
                "total_tokens": 37,
                "completion_tokens_details": {"reasoning_tokens": 69},
            },
            Usage(in_uncached=28, out_visible=9, out_reasoning=69),
        ),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_tokens_fall_into_exclusive_buckets(sent: dict[str, Any], usage: Usage) -> None:
    assert read(sent) == usage


@pytest.mark.parametrize(
    "sent", [b"", b"null", b"{}", b'{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}']
)
def test_zeros_are_told_where_nothing_is_known(sent: bytes) -> None:
    assert read_usage(Raw(sent)) is None


@pytest.mark.parametrize(
    "sent",
    [
        b"[]",
        b'"9"',
        b'{"prompt_tokens": -5, "completion_tokens": 2}',
        b'{"prompt_tokens": "9", "completion_tokens": 2}',
        b'{"prompt_tokens": NaN, "completion_tokens": 2}',
        b'{"prompt_tokens": 9.5, "completion_tokens": 2}',
        b'{"prompt_tokens": true, "completion_tokens": 2}',
        b'{"prompt_tokens": ' + b"9" * 400 + b', "completion_tokens": 2}',
        b'{"prompt_tokens": 1e308, "completion_tokens": 2}',
        b'{"prompt_tokens": 2000000000, "completion_tokens": 2}',
        b'{"prompt_tokens": 9, "completion_tokens": "2"}',
        b'{"prompt_tokens_details": {"cached_tokens": "9"}}',
        b'{"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": -1, "x": "' + b"x" * 70_000 + b'"}',
    ],
)
def test_u49_without_its_main_counts_nothing_is_believed(sent: bytes) -> None:
    assert read_usage(Raw(sent)) is REJECTED


@pytest.mark.parametrize("wrong", [b"-1", b'"12"', b"true", b"9" * 400, b"1e308", b"[]", b'{"a": {"b": 1}}'])
def test_u49_a_detail_that_cannot_be_read_is_left_out(wrong: bytes) -> None:
    """The counts that it divides are right without it, and so are its neighbours."""
    sent = (
        b'{"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": %b, "cached_tokens": %b,'
        b' "prompt_tokens_details": {"cached_tokens": %b, "cache_write_tokens": 30},'
        b' "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": %b}}'
    ) % ((wrong,) * 4)
    told = Usage(in_uncached=60, in_cache_write=30, out_visible=15, out_reasoning=5, rejected=True)
    assert read_usage(Raw(sent)) == told
    details = b'{"prompt_tokens": 90, "completion_tokens": 20, "prompt_tokens_details": %b}' % wrong
    assert read_usage(Raw(details)) in (
        Usage(in_uncached=90, out_visible=20, rejected=True),
        Usage(in_uncached=90, out_visible=20),  # an object of which nothing is known
    )


def test_more_cached_than_sent_does_not_make_the_input_larger_or_negative() -> None:
    usage = read({"prompt_tokens": 7, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 161}})
    assert usage == Usage(in_cache_read=7, out_visible=8)


COUNTS = st.integers(0, 1_000_000)


@given(st.builds(Usage, in_uncached=COUNTS.map(lambda n: n + 1), in_cache_read=COUNTS, in_cache_write=COUNTS,
                 out_visible=COUNTS.map(lambda n: n + 1), out_reasoning=COUNTS))  # fmt: skip
def test_what_is_written_reads_the_same(usage: Usage) -> None:
    assert read_usage(Raw(msgspec.json.encode(write_usage(usage)))) == usage
