"""Every kind of error in every dialect, as the official clients understand it: as an answer, and at a stream's end."""

from __future__ import annotations

import json
import re
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import errors as google
from google.genai import types

from gaiarouter import errors
from gaiarouter.dialects.base import Dialect
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.dialects.gemini.dialect import GeminiDialect
from gaiarouter.dialects.messages.dialect import MessagesDialect
from gaiarouter.dialects.responses.dialect import ResponsesDialect

ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
# each kind with its status in OpenAI's, Anthropic's and Google's words
KINDS: dict[str, tuple[errors.GatewayError, str, tuple[int, str], tuple[int, str]]] = {
    "invalid": (
        errors.InvalidRequest("wrong", param="temperature"),
        "BadRequestError",
        (400, "invalid_request_error"),
        (400, "INVALID_ARGUMENT"),
    ),
    "no key": (
        errors.Unauthenticated(),
        "AuthenticationError",
        (401, "authentication_error"),
        (401, "UNAUTHENTICATED"),
    ),
    "not allowed": (
        errors.Forbidden("no"),
        "PermissionDeniedError",
        (403, "permission_error"),
        (403, "PERMISSION_DENIED"),
    ),
    "not there": (errors.NotFound("no"), "NotFoundError", (404, "not_found_error"), (404, "NOT_FOUND")),
    "too large": (
        errors.RequestRefused("long", status=413, code="body_too_large"),
        "APIStatusError",
        (413, "request_too_large"),
        (413, "INVALID_ARGUMENT"),
    ),
    "our limit": (
        errors.LimitExceeded("slow", retry_after_s=2.5),
        "RateLimitError",
        (429, "rate_limit_error"),
        (429, "RESOURCE_EXHAUSTED"),
    ),
    "their limit": (
        errors.Throttled("slow"),
        "RateLimitError",
        (429, "rate_limit_error"),
        (429, "RESOURCE_EXHAUSTED"),
    ),
    "overloaded": (errors.Unavailable("full"), "InternalServerError", (529, "overloaded_error"), (503, "UNAVAILABLE")),
    "their overload": (
        errors.Overloaded("full"),
        "InternalServerError",
        (529, "overloaded_error"),
        (503, "UNAVAILABLE"),
    ),
    "our bug": (errors.InternalError("oh"), "InternalServerError", (500, "api_error"), (500, "INTERNAL")),
    "their key": (errors.KeyRefused("key"), "InternalServerError", (502, "api_error"), (502, "INTERNAL")),
    "their quota": (errors.QuotaSpent("quota"), "InternalServerError", (503, "api_error"), (503, "UNAVAILABLE")),
    "their fault": (errors.Failed("oh"), "InternalServerError", (502, "api_error"), (502, "INTERNAL")),
    "nonsense": (errors.BadAnswer("?"), "InternalServerError", (502, "api_error"), (502, "INTERNAL")),
    "cut short": (errors.Interrupted("cut"), "InternalServerError", (502, "api_error"), (502, "INTERNAL")),
    "too slow": (
        errors.TimedOut("slow", phase="idle"),
        "InternalServerError",
        (504, "timeout_error"),
        (504, "DEADLINE_EXCEEDED"),
    ),
    "too long": (
        errors.Rejected("9 > 8", status=400, code="context_length_exceeded", condition="context_length"),
        "BadRequestError",
        (400, "invalid_request_error"),
        (400, "INVALID_ARGUMENT"),
    ),
}


def answering(dialect: Dialect, error: errors.GatewayError, *, stream: bool) -> httpx2.Client:
    def answered(_: httpx2.Request) -> httpx2.Response:
        if stream:
            body = dialect.error_event(error, "req_1")
            return httpx2.Response(200, headers={"content-type": dialect.media_type}, content=body)
        status = dialect.status_of(error)
        return httpx2.Response(status, json=json.loads(dialect.error_body(error, "req_1")))

    return httpx2.Client(transport=httpx2.MockTransport(answered))


@pytest.mark.parametrize("kind", KINDS)
def test_t74_openais_client_knows_every_kind_of_error(kind: str) -> None:
    error, expected, _, _ = KINDS[kind]
    with (
        answering(ChatDialect(), error, stream=False) as http,
        openai.OpenAI(api_key="x", base_url="http://gateway", http_client=http, max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as raised,
    ):
        client.chat.completions.create(**ASK)
    assert type(raised.value).__name__ == expected
    assert raised.value.code == error.code
    assert error.message in raised.value.message


@pytest.mark.parametrize("kind", KINDS)
def test_t74_openais_client_knows_every_kind_of_error_of_responses(kind: str) -> None:
    error, expected, _, _ = KINDS[kind]
    with (
        answering(ResponsesDialect(), error, stream=False) as http,
        openai.OpenAI(api_key="x", base_url="http://gateway", http_client=http, max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as raised,
    ):
        client.responses.create(model="m", input="x")
    assert type(raised.value).__name__ == expected


@pytest.mark.parametrize("kind", KINDS)
def test_t74_anthropics_client_knows_every_kind_of_error(kind: str) -> None:
    error, _, (status, word), _ = KINDS[kind]
    with (
        answering(MessagesDialect(), error, stream=False) as http,
        anthropic.Anthropic(api_key="x", base_url="http://gateway", http_client=http, max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        client.messages.create(max_tokens=1, **ASK)
    body: Any = raised.value.body
    assert (raised.value.status_code, body["error"]["type"]) == (status, word)
    assert body["error"]["message"].startswith("prompt is too long") == (kind == "too long")


@pytest.mark.parametrize("kind", KINDS)
def test_t74_googles_client_knows_every_kind_of_error(kind: str) -> None:
    error, _, _, (status, word) = KINDS[kind]
    with answering(GeminiDialect(), error, stream=False) as http:
        options = types.HttpOptions(base_url="http://gateway", httpx_client=http)
        with pytest.raises(google.APIError) as raised:
            genai.Client(api_key="x", http_options=options).models.generate_content(model="m", contents="x")
    assert (raised.value.code, raised.value.status) == (status, word)
    delays = [each["retryDelay"] for each in raised.value.details["error"]["details"]]
    assert delays == (["2.5s"] if kind == "our limit" else [])


@pytest.mark.parametrize("kind", KINDS)
def test_t33_t74_every_official_client_raises_at_the_error_that_ends_a_stream(kind: str) -> None:
    error = KINDS[kind][0]
    with (
        answering(ChatDialect(), error, stream=True) as http,
        openai.OpenAI(api_key="x", base_url="http://gateway", http_client=http, max_retries=0) as client,
        pytest.raises(openai.APIError, match=re.escape(error.message[:20])),
    ):
        list(client.chat.completions.create(stream=True, **ASK))
    with (
        answering(ResponsesDialect(), error, stream=True) as http,
        openai.OpenAI(api_key="x", base_url="http://gateway", http_client=http, max_retries=0) as client,
        pytest.raises(openai.APIError),
    ):
        list(client.responses.create(model="m", input="x", stream=True))
    with (
        answering(MessagesDialect(), error, stream=True) as http,
        anthropic.Anthropic(api_key="x", base_url="http://gateway", http_client=http, max_retries=0) as other,
        pytest.raises(anthropic.APIError),
    ):
        list(other.messages.create(max_tokens=1, stream=True, **ASK))
    with answering(GeminiDialect(), error, stream=True) as http:
        options = types.HttpOptions(base_url="http://gateway", httpx_client=http)
        with pytest.raises(google.APIError):
            list(
                genai.Client(api_key="x", http_options=options).models.generate_content_stream(model="m", contents="x")
            )
