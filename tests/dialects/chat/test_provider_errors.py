from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import (
    Failed,
    GatewayError,
    KeyRefused,
    Overloaded,
    QuotaSpent,
    Rejected,
    Throttled,
    TimedOut,
    UpstreamError,
)
from tests.recorded import chat_interactions

CHAT = ChatDialect()


def read(status: int, body: Any, headers: dict[str, str] | None = None) -> UpstreamError:
    return CHAT.read_error(status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def openai(message: str, *, type_: str = "invalid_request_error", code: Any = None, param: Any = None) -> Any:
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


SHAPES = {
    "openai": (400, openai("Bad thing", code="unsupported_value", param="stop"), Rejected, 400, "Bad thing"),
    "openrouter": (400, {"error": {"code": 400, "message": "Bad thing"}, "user_id": "u"}, Rejected, 400, "Bad thing"),
    "azure": (401, {"error": {"code": "401", "message": "Access denied"}}, KeyRefused, 502, None),
    "azure edge": (401, {"statusCode": 401, "message": "Access denied"}, KeyRefused, 502, None),
    "vllm": (
        400,
        {"error": {"message": "Bad thing", "type": "BadRequestError", "code": 400}},
        Rejected,
        400,
        "Bad thing",
    ),
    "vllm old": (400, {"object": "error", "message": "Bad thing", "code": 400}, Rejected, 400, "Bad thing"),
    "mistral": (
        400,
        {"object": "error", "message": "Bad thing", "type": "x", "code": "3051"},
        Rejected,
        400,
        "Bad thing",
    ),
    "mistral nested": (422, {"object": "error", "message": {"detail": [{"msg": "x"}]}}, Rejected, 422, None),
    "fastapi": (422, {"detail": "Bad thing"}, Rejected, 422, "Bad thing"),
    "fastapi list": (
        422,
        {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Field required", "type": "missing"}]},
        Rejected,
        422,
        "messages.0.role: Field required",
    ),
    "ollama": (400, {"error": "Bad thing"}, Rejected, 400, "Bad thing"),
    "xai": (400, {"code": "Client specified an invalid argument", "error": "Bad thing"}, Rejected, 400, "Bad thing"),
    "xai key": (400, {"code": "x", "error": "Incorrect API key provided: xa***yz"}, KeyRefused, 502, None),
    "list of one": (400, [{"error": {"code": 400, "message": "Bad thing"}}], Rejected, 400, "Bad thing"),
    "google key": (
        400,
        [{"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}],
        KeyRefused,
        502,
        None,
    ),
    "html": (502, b"<html><h1>Bad Gateway</h1> nginx</html>", Failed, 502, "The provider answered 502"),
    "empty": (503, b"", Overloaded, 503, "The provider is overloaded"),
    "text": (500, b"upstream exploded", Failed, 502, "upstream exploded"),
    "binary": (400, b"\xff\xfe\x00", Rejected, 400, None),
    "empty list": (500, b"[]", Failed, 502, None),
    "null": (500, b"null", Failed, 502, None),
    "number": (500, b"5", Failed, 502, None),
    "nested": (500, b"[" * 100_000, Failed, 502, None),
}


@pytest.mark.parametrize(("status", "body", "error", "shown", "message"), SHAPES.values(), ids=SHAPES)
def test_every_shape_is_read(status: int, body: Any, error: type, shown: int, message: str | None) -> None:
    found = read(status, body)
    assert (type(found), found.status, found.provider_status) == (error, shown, status)
    assert message is None or found.message == message
    assert found.message


QUOTA = {
    "openai": (429, openai("You exceeded your current quota", type_="insufficient_quota", code="insufficient_quota")),
    "openai credits": (429, openai("x", type_="insufficient_quota", code="credit_balance_exhausted")),
    "dressed as 403": (403, openai("x", code="insufficient_user_quota")),
    "dressed as 401": (401, openai("x", code="insufficient_user_quota")),
    "anthropic": (400, openai("You have reached your specified API usage limits.")),
    "anthropic code": (429, {"error": {"message": "x", "details": {"error_code": "enforced_spend_limit_reached"}}}),
    "google": (
        429,
        {"error": {"message": "x", "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}},
    ),
    "deepseek": (402, openai("Insufficient Balance", type_="unknown_error")),
    "openrouter": (429, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day."}}),
}


@pytest.mark.parametrize(("status", "body"), QUOTA.values(), ids=QUOTA)
def test_t69_a_spent_quota_is_neither_waited_for_nor_tried_again(status: int, body: Any) -> None:
    found = read(status, body, {"retry-after": "1"})
    assert isinstance(found, QuotaSpent)
    assert (found.status, found.retryable, found.falls_back, found.should_retry) == (503, False, True, False)


CONTEXT = [
    "prompt is too long: 250000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 1 + 2 > 3",
    "This model's maximum context length is 8192 tokens.",
    "The engine's context length is only 4096 tokens",
    "You passed 5000 input tokens, over the maximum input length of 4096",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "Input tokens exceed the configured limit of 272000 tokens.",
    "The input token count (1) exceeds the maximum number of tokens allowed (2).",
    "Input is too long for requested model.",
    "too many input tokens",
    "the request exceeds the available context size. try increasing the context size",
    "`inputs` tokens + `max_new_tokens` must be <= 4096",
    "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
    "The total length of all messages is too long.",
    "Your input exceeds the context window of this model.",
]


@pytest.mark.parametrize("message", CONTEXT)
def test_a_context_that_is_too_long_is_known_by_its_words(message: str) -> None:
    found = read(400, openai(message))
    assert isinstance(found, Rejected)
    assert (found.condition, found.code, found.param) == ("context_length", "context_length_exceeded", "messages")
    assert (found.status, found.falls_back, found.retryable) == (400, False, False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, openai("Input is too long: prompt is too long")),
        (400, openai("x", code="context_length_exceeded")),
        (400, openai("x", code="string_above_max_length", param="messages[0].content")),
        (400, {"error": {"message": "x", "code": 400, "param": "input_tokens"}}),
        (400, {"error": {"message": "x", "type": "too_many_prompt_tokens", "code": 400}}),
    ],
)
def test_a_context_that_is_too_long_is_known_by_its_codes(status: int, body: Any) -> None:
    found = read(status, body)
    assert isinstance(found, Rejected)
    assert (found.status, found.condition) == (400, "context_length")


@pytest.mark.parametrize(
    "body",
    [
        openai("Invalid 'user': string too long. Expected maximum context length 64", param="user"),
        openai("x", code="string_above_max_length", param="user"),
        openai("Invalid 'tools[0].function.name': maximum context length"),
        openai("metadata exceeds the maximum number of tokens allowed"),
    ],
)
def test_another_string_that_is_too_long_is_not_the_context(body: Any) -> None:
    found = read(400, body)
    assert isinstance(found, Rejected)
    assert found.condition is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, openai("x", code="content_policy_violation")),
        (400, openai("Your request was rejected as a result of our safety system.")),
        (
            400,
            {
                "error": {
                    "message": "filtered",
                    "code": "content_filter",
                    "param": "prompt",
                    "innererror": {"code": "ResponsibleAIPolicyViolation"},
                }
            },
        ),
        (403, {"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"]}}}),
        (400, openai("Output blocked by content filtering policy")),
    ],
)
def test_a_refusal_by_policy_is_the_callers_and_reachable_by_a_fallback(status: int, body: Any) -> None:
    found = read(status, body)
    assert isinstance(found, Rejected)
    assert (found.status, found.code, found.condition) == (400, "content_policy_violation", "content_policy")


BY_STATUS = [
    (400, Rejected, 400, "invalid_request_error", False, False),
    (401, KeyRefused, 502, "api_error", False, True),
    (402, KeyRefused, 502, "api_error", False, True),
    (403, KeyRefused, 502, "api_error", False, True),
    (404, Failed, 502, "api_error", False, True),
    (405, Rejected, 405, "invalid_request_error", False, False),
    (408, TimedOut, 504, "timeout_error", True, True),
    (409, Rejected, 409, "invalid_request_error", False, False),
    (413, Rejected, 413, "invalid_request_error", False, False),
    (415, Rejected, 415, "invalid_request_error", False, False),
    (422, Rejected, 422, "invalid_request_error", False, False),
    (424, Failed, 502, "api_error", True, True),
    (429, Throttled, 429, "rate_limit_error", True, True),
    (498, Overloaded, 503, "api_error", True, True),
    (500, Failed, 502, "api_error", True, True),
    (502, Failed, 502, "api_error", True, True),
    (503, Overloaded, 503, "api_error", True, True),
    (504, TimedOut, 504, "timeout_error", True, True),
    (520, Failed, 502, "api_error", True, True),
    (524, TimedOut, 504, "timeout_error", True, True),
    (529, Overloaded, 503, "api_error", True, True),
]


@pytest.mark.parametrize(("status", "error", "shown", "type_", "retryable", "falls_back"), BY_STATUS)
def test_without_words_the_status_decides(
    status: int, error: type, shown: int, type_: str, retryable: bool, falls_back: bool
) -> None:
    found = read(status, b"")
    assert type(found) is error
    assert (found.status, found.type, found.retryable, found.falls_back) == (shown, type_, retryable, falls_back)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, openai("The text said 429 Too Many Requests, rate limit"), Rejected),
        (503, openai("x", code="slow_down"), Throttled),
        (500, openai("x", type_="overloaded_error"), Overloaded),
        (400, openai("x", code="model_not_found"), Failed),
        (404, {"error": {"code": "DeploymentNotFound", "message": "x"}}, Failed),
        (400, openai("x", code="tool_use_failed"), Failed),
        (500, {"error": {"status": "DEADLINE_EXCEEDED", "message": "x"}}, TimedOut),
        (429, {"error": {"status": "RESOURCE_EXHAUSTED", "message": "x", "code": 429}}, Throttled),
    ],
)
def test_t73_a_code_says_more_than_the_status_and_a_number_in_the_text_nothing(
    status: int, body: Any, error: type
) -> None:
    assert type(read(status, body)) is error


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (413, "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000"),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."),
    ],
)
def test_a_request_larger_than_the_window_goes_elsewhere_at_once(status: int, message: str) -> None:
    found = read(status, openai(message))
    assert isinstance(found, Throttled)
    assert (found.retryable, found.falls_back) == (False, True)


def test_an_openrouter_402_with_a_wait_is_a_throttle() -> None:
    found = read(402, {"error": {"code": 402, "message": "in flight"}}, {"retry-after": "3"})
    assert isinstance(found, Throttled)
    assert found.retry_after_s == 3


def test_an_unknown_model_is_no_mark_against_the_targets_health() -> None:
    assert not read(404, b"").counts_against_target


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_no_key_host_or_account_comes_through(status: int) -> None:
    secrets = ["sk-proj-abcdefghijkl1234", "api.internal-host.com", "10.1.2.3:8080", "org-AbCdEf123456", "me@corp.io"]
    body = openai(f"Key {secrets[0]} of {secrets[3]} ({secrets[4]}) at https://{secrets[1]}/v1 and {secrets[2]} is bad")
    shown = CHAT.error_body(read(status, body), "r").decode()
    assert not [secret for secret in secrets if secret in shown]


def test_the_providers_own_refusal_goes_back_to_the_byte() -> None:
    body = b'{ "error" : {"message":"Bad \\u00e9", "type":"invalid_request_error","param":"stop","code":null, "x":1e2}}'
    assert CHAT.error_body(read(400, body), "r") == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "see https://example.com/docs"}}',
        b'{"detail": "Bad"}',
        b'{"error": "Bad"}',
        b'[{"error": {"message": "Bad"}}]',
        b'{"error": {"message": "' + b"x" * 5000 + b'"}}',
        b'{"error": {"message": NaN}}',
        b"<html>",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_refusal_that_no_chat_caller_could_read_is_put_in_our_words(body: bytes) -> None:
    shown = CHAT.error_body(read(400, body), "req-1")
    assert len(shown) <= 4096
    error = json.loads(shown)
    assert error["request_id"] == "req-1"
    assert error["error"].keys() == {"message", "type", "param", "code"}
    assert len(error["error"]["message"]) <= 512


def test_every_recorded_error_is_read() -> None:
    recordings = chat_interactions(ok=False)
    assert len(recordings) > 60
    for recorded in recordings:
        found = CHAT.read_error(recorded.status, recorded.headers, recorded.body)
        assert found.provider_status == recorded.status
        if recorded.status == 401:
            assert isinstance(found, KeyRefused)
        if recorded.status == 400:
            assert isinstance(found, Rejected) or "model" in json.dumps(recorded.answer)
        assert len(CHAT.error_body(found, "r")) <= 4096


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error", "message", "code", "type", "status", "param", "detail", "details", "metadata"),
                    *("headers", "innererror", "reasons", "violations", "loc", "msg", "retryDelay", "reason"),
                    "X-RateLimit-Reset",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(
    st.sampled_from([400, 402, 403, 404, 429, 500, 503]), JSON, st.sampled_from(["", "5", "x", "-1", "nan", "1e999"])
)
def test_no_body_however_odd_is_more_than_an_error(status: int, value: Any, hint: str) -> None:
    body = json.dumps({"error": value} if status == 400 else value).encode()
    found = CHAT.read_error(status, {"retry-after": hint, "retry-after-ms": hint, "date": hint}, body)
    assert isinstance(found, UpstreamError)
    assert found.retry_after_s is None or 0 <= found.retry_after_s < float("inf")
    json.loads(CHAT.error_body(found, "r"))
    watcher = CHAT.watch(drop_usage=False)
    watcher.feed(b"event: error\ndata: " + json.dumps(value).encode() + b"\n\n")
    assert watcher.error is None or isinstance(watcher.error, UpstreamError)


@pytest.mark.parametrize("message", ["short", "x" * 100_000, "\x00\x1b" * 5000, "漢\ud800" * 5000, '"\\' * 5000])
def test_our_errors_are_small_and_whole_whatever_they_say(message: str) -> None:
    error = GatewayError(message, param="p" * 1000)
    body = CHAT.error_body(error, "r" * 1000)
    assert len(body) <= 4096
    assert json.loads(body)["error"]["message"][:2] in (message[:2], "  ", "漢 ")
    event = CHAT.error_event(error, "r")
    assert event.startswith(b'data: {"error":{"message":')
    assert (event.count(b"\n"), event[-2:]) == (2, b"\n\n")
