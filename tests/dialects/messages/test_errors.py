"""Errors of the Messages format: what they mean, and that they say so in their own words or none."""

from __future__ import annotations

import json

import pytest

from gaiarouter.dialects.messages.errors import read_error, read_error_in_answer
from gaiarouter.errors import Failed, KeyRefused, Overloaded, QuotaSpent, Rejected, Throttled, TimedOut
from tests.recorded import interactions

TYPES: list[tuple[int, str, type[Exception], int]] = [
    (400, "invalid_request_error", Rejected, 400),
    (401, "authentication_error", KeyRefused, 502),
    (402, "billing_error", QuotaSpent, 503),
    (403, "permission_error", KeyRefused, 502),
    (404, "not_found_error", Failed, 502),
    (413, "request_too_large", Rejected, 413),
    (429, "rate_limit_error", Throttled, 429),
    (500, "api_error", Failed, 502),
    (504, "timeout_error", TimedOut, 504),
    (529, "overloaded_error", Overloaded, 503),
]


def body(kind: str, message: str = "M", **members: object) -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": kind, "message": message} | members, "request_id": "r"}
    ).encode()


@pytest.mark.parametrize(("status", "kind", "error", "shown"), TYPES)
def test_an_error_means_the_same_with_a_status_and_within_a_stream(
    status: int, kind: str, error: type[Exception], shown: int
) -> None:
    for found in (read_error(status, {}, body(kind)), read_error_in_answer(body(kind))):
        assert (type(found), found.status) == (error, shown)


def test_t72_a_prompt_that_is_too_long_is_known_as_such() -> None:
    for text in (
        "prompt is too long: 3 tokens > 2 maximum",
        "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
    ):
        assert read_error(400, {}, body("invalid_request_error", text)).condition == "context_length"


def test_a_filter_that_answers_with_an_error_is_known_as_such() -> None:
    text = "Output blocked by content filtering policy"
    assert read_error_in_answer(body("invalid_request_error", text)).condition == "content_policy"


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
def test_t69_a_spent_quota_is_no_rate_limit(code: str) -> None:
    found = read_error(429, {}, body("rate_limit_error", details={"error_code": code}))
    assert isinstance(found, QuotaSpent)
    assert not found.retryable


def test_t71_the_providers_hint_when_to_come_back_is_read() -> None:
    assert read_error(429, {"retry-after": "7"}, body("rate_limit_error")).retry_after_s == 7
    assert read_error(529, {}, body("overloaded_error")).retry_after_s is None


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"{}", b'{"error":null}', b'{"error":"x"}', b"\xff"])
def test_t84_what_is_no_error_body_is_still_an_error(data: bytes) -> None:
    assert isinstance(read_error(502, {}, data), Failed)
    assert isinstance(read_error_in_answer(data), Failed)


def test_t68_every_recorded_error_is_classed_and_a_refused_key_is_not_the_callers() -> None:
    expected = {400: Rejected, 401: KeyRefused, 404: Failed}
    found = interactions("anthropic", "messages", ok=False)
    assert len(found) > 30
    for each in found:
        error = read_error(each.status, each.headers, each.body)
        assert type(error) is expected[each.status]
        assert error.status != 401
