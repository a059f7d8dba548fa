"""What an error of a Gemini server means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.gemini.errors import read_error
from gaiarouter.errors import Failed, KeyRefused, Overloaded, QuotaSpent, Rejected, Throttled, TimedOut
from tests.recorded import Interaction, every, interactions


def error(code: int, status: str, message: str = "m", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message} | ({"details": details} if details else {})}


def info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}


def quota(quota_id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]}


SPENT = "You exceeded your current quota, please check your plan and billing details."
CASES: list[tuple[int, Any, type, dict[str, Any]]] = [
    (400, error(400, "INVALID_ARGUMENT", "API key not valid.", info("API_KEY_INVALID")), KeyRefused, {"status": 502}),
    (400, error(400, "INVALID_ARGUMENT", "API key expired.", info("API_KEY_INVALID")), KeyRefused, {"status": 502}),
    (400, error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), KeyRefused, {}),
    (401, error(401, "UNAUTHENTICATED"), KeyRefused, {}),
    (403, error(403, "PERMISSION_DENIED"), KeyRefused, {"should_retry": False}),
    (
        400,
        error(400, "INVALID_ARGUMENT", "Please use a valid role."),
        Rejected,
        {"status": 400, "condition": None, "falls_back": False},
    ),
    (
        400,
        error(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        Rejected,
        {"condition": "context_length", "code": "context_length_exceeded"},
    ),
    (
        400,
        error(400, "INVALID_ARGUMENT", "The prompt violated Responsible AI practices."),
        Rejected,
        {"condition": "content_policy"},
    ),
    (400, error(400, "INVALID_ARGUMENT", "He said 429 and RESOURCE_EXHAUSTED"), Rejected, {"status": 400}),
    (404, error(404, "NOT_FOUND", "models/x is not found"), Failed, {"retryable": False, "falls_back": True}),
    (
        429,
        error(429, "RESOURCE_EXHAUSTED", SPENT, quota("GenerateRequestsPerMinutePerProject"), RETRY),
        Throttled,
        {"retry_after_s": 34.07},
    ),
    (429, error(429, "RESOURCE_EXHAUSTED", SPENT + " Please retry in 48.9s."), Throttled, {"retry_after_s": 48.9}),
    (
        429,
        error(429, "RESOURCE_EXHAUSTED", SPENT, quota("GenerateRequestsPerDayPerProject"), RETRY),
        QuotaSpent,
        {"status": 503},
    ),
    (429, error(429, "RESOURCE_EXHAUSTED", SPENT + " limit: 0, model: x"), QuotaSpent, {}),
    (
        429,
        error(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
        Throttled,
        {"retry_after_s": None},
    ),
    (500, error(500, "INTERNAL"), Failed, {"retryable": True}),
    (503, error(503, "UNAVAILABLE"), Overloaded, {}),
    (504, error(504, "DEADLINE_EXCEEDED"), TimedOut, {}),
    (503, [error(503, "UNAVAILABLE")], Overloaded, {}),
    (429, [error(429, "RESOURCE_EXHAUSTED", SPENT, RETRY)], Throttled, {"retry_after_s": 34.07}),
    (400, [error(400, "INVALID_ARGUMENT", "x", info("API_KEY_INVALID"))], KeyRefused, {}),
]


@pytest.mark.parametrize(("status", "body", "kind", "attributes"), CASES, ids=[str(row[1])[:90] for row in CASES])
def test_t69_t71_t72_t73_t84_an_error_has_its_meaning(
    status: int, body: Any, kind: type, attributes: dict[str, Any]
) -> None:
    found = read_error(status, {}, json.dumps(body).encode())
    assert type(found) is kind
    assert {name: getattr(found, name) for name in attributes} == attributes
    assert found.provider_status == status


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[]", b"[1]", b'{"error": "x"}', b"\xff"])
def test_t84_any_bytes_are_an_error(body: bytes) -> None:
    assert isinstance(read_error(502, {}, body), Failed)


RECORDED = [each for provider in ("google", "vertex") for each in interactions(provider, "generate", ok=False)]
EXPECTED: dict[tuple[int, str], type] = {
    (400, "API key"): KeyRefused,
    (400, "Cannot fetch"): Rejected,
    (400, "The input"): Rejected,
    (400, "Please use"): Rejected,
    (403, "Method doesn't"): KeyRefused,
    (404, "models/"): Failed,
    (429, "You exceeded"): Throttled,
    (429, "Resource exhausted"): Throttled,
}


@every(RECORDED)
def test_a_recorded_error_has_its_meaning(interaction: Interaction) -> None:
    answer = interaction.answer
    found = read_error(interaction.status, interaction.headers, interaction.body)
    message = (answer[0] if isinstance(answer, list) else answer)["error"]["message"]
    (kind,) = [
        kind for (status, start), kind in EXPECTED.items() if status == interaction.status and message.startswith(start)
    ]
    assert type(found) is kind
    if message.startswith("You exceeded"):
        assert found.retry_after_s == 48
    assert "AIza" not in found.message


def test_there_is_enough_to_look_at() -> None:
    assert len(RECORDED) >= 18
