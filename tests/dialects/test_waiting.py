from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.dialects.waiting import retry_after_s

NOW = "Sun, 22 Nov 2026 10:00:00 GMT"
NOW_S = 1_795_341_600


@pytest.mark.parametrize(
    ("headers", "error", "message", "seconds"),
    [
        ({"retry-after": "3"}, {}, "", 3),
        ({"retry-after": "1.5"}, {}, "", 1.5),
        ({"retry-after": "0"}, {}, "", 0),
        ({"retry-after": "86400"}, {}, "", 86400),
        ({"retry-after-ms": "250", "retry-after": "1"}, {}, "", 0.25),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:07 GMT", "date": NOW}, {}, "", 7),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": NOW}, {}, "", 0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:07 GMT"}, {}, "", None),
        ({}, {"details": [{"@type": "x"}, {"retryDelay": "34.07s"}]}, "", 34.07),
        ({"date": NOW}, {"metadata": {"headers": {"X-RateLimit-Reset": str((NOW_S + 60) * 1000)}}}, "", 60),
        ({"date": NOW}, {"metadata": {"headers": {"X-RateLimit-Reset": str((NOW_S - 60) * 1000)}}}, "", None),
        ({}, {"metadata": {"headers": {"X-RateLimit-Reset": "1754667660000"}}}, "", None),
        ({}, {}, "Please try again in 1.2s.", 1.2),
        ({}, {}, "Please try again in 450ms.", 0.45),
        ({}, {}, "Please try again in 6m0s. Visit", 360),
        ({}, {}, "Please retry in 2h3m", 7380),
        ({}, {}, "Please retry shortly, at most 5 times", None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "12ms",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-images": "5",
                "x-ratelimit-reset-images": "1h",
            },
            {},
            "",
            360,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "17"}, {}, "", 17),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}, {}, "", 2),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1790000000"}, {}, "", None),
        (
            {
                "date": "Fri, 09 Oct 2026 10:00:00 GMT",
                "anthropic-ratelimit-requests-remaining": "12",
                "anthropic-ratelimit-requests-reset": "2026-10-09T11:00:00Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-10-09T10:00:41Z",
            },
            {},
            "",
            41,
        ),
        (
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-10-09T10:00:41Z"},
            {},
            "",
            None,
        ),
        ({"retry-after": "-1"}, {}, "", None),
        ({"retry-after": "nan"}, {}, "", None),
        ({"retry-after": "inf"}, {}, "", None),
        ({"retry-after": "soon"}, {}, "", None),
        ({"retry-after": "soon"}, {}, "try again in 2s", 2),
        ({}, {}, "", None),
    ],
)
def test_the_first_hint_that_parses_counts(
    headers: dict[str, str], error: dict[str, Any], message: str, seconds: float | None
) -> None:
    found = retry_after_s(headers, error, message)
    assert found == (seconds if seconds is None else pytest.approx(seconds))
