"""Every class of error as the three vendors' own clients raise it: class, words, request id, when to come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors, types

from tests.gateway.official import anthropic_client, google_client, openai_client
from tests.gateway.running import QUICK, RunningGateway, Starter
from tests.support.script import Hang, Reset, answer, error_answer
from tests.support.upstream import ScriptedUpstream


@dataclass(frozen=True)
class Raised:
    """What a client's exception tells, whichever it is. word: the dialect's own for the kind of error."""

    kind: str
    status: int
    word: str | None
    message: str
    request_id: str | None
    retry_after: str | None


async def by_openai(gateway: RunningGateway, model: str, key: str | None, **more: Any) -> Raised:
    async with openai_client(gateway, key) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], **more)
    error = caught.value
    return Raised(
        type(error).__name__,
        error.status_code,
        error.type,
        error.message,
        error.request_id,
        error.response.headers.get("retry-after"),
    )


async def by_responses(gateway: RunningGateway, model: str, key: str | None, **more: Any) -> Raised:
    async with openai_client(gateway, key) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.responses.create(model=model, input="hi", **more)
    error = caught.value
    headers = error.response.headers
    return Raised(
        type(error).__name__, error.status_code, error.type, error.message, error.request_id, headers.get("retry-after")
    )


async def by_anthropic(gateway: RunningGateway, model: str, key: str | None, **more: Any) -> Raised:
    async with anthropic_client(gateway, key) as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(
                model=model, max_tokens=9, messages=[{"role": "user", "content": "hi"}], **more
            )
    error = caught.value
    body: Any = error.body
    assert body["request_id"] == error.request_id
    return Raised(
        type(error).__name__,
        error.status_code,
        body["error"]["type"],
        error.message,
        error.request_id,
        error.response.headers.get("retry-after"),
    )


async def by_google(gateway: RunningGateway, model: str, key: str | None, **more: Any) -> Raised:
    async with google_client(gateway, key) as client:
        with pytest.raises(errors.APIError) as caught:
            await client.models.generate_content(model=model, contents="hi", config=types.GenerateContentConfig(**more))
    error = caught.value
    headers = error.response.headers
    return Raised(
        type(error).__name__,
        error.code,
        error.status,
        error.message or "",
        headers.get("x-request-id"),
        headers.get("retry-after"),
    )


CLIENTS = {"chat": by_openai, "responses": by_responses, "messages": by_anthropic, "gemini": by_google}

WINDOW = "This model's maximum context length is 10 tokens."
TOO_LONG = error_answer(400, message=WINDOW, code="context_length_exceeded")
UPSTREAM: dict[str, tuple[Any, dict[str, tuple[str, int, str]]]] = {
    "the caller's mistake": (
        error_answer(400, message="`temperature` is too high"),
        {
            "chat": ("BadRequestError", 400, "scripted"),
            "responses": ("BadRequestError", 400, "invalid_request_error"),
            "messages": ("BadRequestError", 400, "invalid_request_error"),
            "gemini": ("ClientError", 400, "INVALID_ARGUMENT"),
        },
    ),
    "a conversation that is too long": (
        TOO_LONG,
        {
            "chat": ("BadRequestError", 400, "scripted"),
            "responses": ("BadRequestError", 400, "invalid_request_error"),
            "messages": ("BadRequestError", 400, "invalid_request_error"),
            "gemini": ("ClientError", 400, "INVALID_ARGUMENT"),
        },
    ),
    "a key of ours that is refused": (
        error_answer(401, message="Incorrect API key provided: sk-main"),
        {
            "chat": ("InternalServerError", 502, "api_error"),
            "responses": ("InternalServerError", 502, "api_error"),
            "messages": ("InternalServerError", 502, "api_error"),
            "gemini": ("ServerError", 502, "INTERNAL"),
        },
    ),
    "a provider that throttles": (
        error_answer(429, headers={"retry-after": "7"}),
        {
            "chat": ("RateLimitError", 429, "rate_limit_error"),
            "responses": ("RateLimitError", 429, "rate_limit_error"),
            "messages": ("RateLimitError", 429, "rate_limit_error"),
            "gemini": ("ClientError", 429, "RESOURCE_EXHAUSTED"),
        },
    ),
    "a provider that is overloaded": (
        error_answer(503, headers={"retry-after": "7"}),
        {
            "chat": ("InternalServerError", 503, "api_error"),
            "responses": ("InternalServerError", 503, "api_error"),
            "messages": ("OverloadedError", 529, "overloaded_error"),
            "gemini": ("ServerError", 503, "UNAVAILABLE"),
        },
    ),
    "a provider that fails": (
        error_answer(500),
        {
            "chat": ("InternalServerError", 502, "api_error"),
            "responses": ("InternalServerError", 502, "api_error"),
            "messages": ("InternalServerError", 502, "api_error"),
            "gemini": ("ServerError", 502, "INTERNAL"),
        },
    ),
    "a web page": (
        answer(b"<html>", headers={"content-type": "text/html"}),
        {
            "chat": ("InternalServerError", 502, "api_error"),
            "responses": ("InternalServerError", 502, "api_error"),
            "messages": ("InternalServerError", 502, "api_error"),
            "gemini": ("ServerError", 502, "INTERNAL"),
        },
    ),
    "a broken connection": (
        (Reset(),),
        {
            "chat": ("InternalServerError", 502, "api_error"),
            "responses": ("InternalServerError", 502, "api_error"),
            "messages": ("InternalServerError", 502, "api_error"),
            "gemini": ("ServerError", 502, "INTERNAL"),
        },
    ),
    "silence": (
        (Hang(),),
        {
            "chat": ("InternalServerError", 504, "timeout_error"),
            "responses": ("InternalServerError", 504, "timeout_error"),
            "messages": ("GatewayTimeoutError", 504, "timeout_error"),
            "gemini": ("ServerError", 504, "DEADLINE_EXCEEDED"),
        },
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", UPSTREAM)
async def test_a_providers_failure(start: Starter, client: str, case: str) -> None:
    script, expected = UPSTREAM[case]
    async with ScriptedUpstream(script) as upstream:
        main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": "sk-main-Q2zW9xE7rT5yU3iO1pA8"}
        providers = {"demo": {"dialect": "echo"}, "main": {**main, "speaks": ["chat"]}}
        defaults = {"defaults": QUICK} if case == "silence" else {}
        gateway = await start({"main": upstream.url("/v1")}, providers=providers, **defaults)
        raised = await CLIENTS[client](gateway, "alone", None)
    assert (raised.kind, raised.status, raised.word) == expected[client], raised
    assert raised.request_id
    assert "127.0.0.1" not in raised.message
    assert "sk-main" not in raised.message
    if raised.status in (429, 503, 529):
        assert raised.retry_after == "7"


RECOVERING = {
    "chat": WINDOW,
    "responses": WINDOW,
    "messages": "prompt is too long: ",
    "gemini": "exceeds the maximum number of tokens allowed",
}
"""The words by which each vendor's clients know that a conversation must be made shorter."""


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_that_can_shorten_a_conversation_knows_that_it_must(start: Starter, client: str) -> None:
    async with ScriptedUpstream(TOO_LONG) as upstream:
        main = {"dialect": "openai", "base_url": upstream.url("/v1"), "speaks": ["chat"]}
        gateway = await start({}, providers={"demo": {"dialect": "echo"}, "main": main}, routes=ROUTES)
        raised = await CLIENTS[client](gateway, "alone", None)
    assert RECOVERING[client] in raised.message


ROUTES = [
    {"match": "demo", "targets": [{"provider": "demo"}]},
    {"match": "alone", "targets": [{"provider": "main", "model": "m-1"}]},
]

Prepare = Callable[[RunningGateway], Any]


async def _none(_: RunningGateway) -> str | None:
    return None


async def _wrong(_: RunningGateway) -> str | None:
    return "sk-gaia-wrong"


async def _limited(gateway: RunningGateway) -> str | None:
    return await gateway.mint(models=("demo",))


OURS: dict[str, tuple[str, Prepare, dict[str, tuple[str, int, str]]]] = {
    "an unknown key": (
        "alone",
        _wrong,
        {
            "chat": ("AuthenticationError", 401, "authentication_error"),
            "responses": ("AuthenticationError", 401, "authentication_error"),
            "messages": ("AuthenticationError", 401, "authentication_error"),
            "gemini": ("ClientError", 401, "UNAUTHENTICATED"),
        },
    ),
    "a model that is not the key's": (
        "alone",
        _limited,
        {
            "chat": ("PermissionDeniedError", 403, "permission_error"),
            "responses": ("PermissionDeniedError", 403, "permission_error"),
            "messages": ("PermissionDeniedError", 403, "permission_error"),
            "gemini": ("ClientError", 403, "PERMISSION_DENIED"),
        },
    ),
    "an unknown model": (
        "nobody",
        _none,
        {
            "chat": ("NotFoundError", 404, "invalid_request_error"),
            "responses": ("NotFoundError", 404, "invalid_request_error"),
            "messages": ("NotFoundError", 404, "not_found_error"),
            "gemini": ("ClientError", 404, "NOT_FOUND"),
        },
    ),
    "a route that is off": (
        "off",
        _none,
        {
            "chat": ("InternalServerError", 503, "api_error"),
            "responses": ("InternalServerError", 503, "api_error"),
            "messages": ("ServiceUnavailableError", 503, "api_error"),
            "gemini": ("ServerError", 503, "UNAVAILABLE"),
        },
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", OURS)
async def test_the_gateways_own_refusal(start: Starter, client: str, case: str) -> None:
    model, prepare, expected = OURS[case]
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "demo"}]},
        {"match": "off", "targets": [{"provider": "off"}]},
    ]
    providers = {"demo": {"dialect": "echo"}, "off": {"dialect": "openai", "api_key": ""}}
    gateway = await start({}, providers=providers, routes=routes)
    raised = await CLIENTS[client](gateway, model, await prepare(gateway))
    assert (raised.kind, raised.status, raised.word) == expected[client], raised
    assert raised.request_id
    assert (raised.retry_after is not None) is (raised.status in (503, 529))


LIMITED = {
    "chat": ("RateLimitError", 429, "rate_limit_error"),
    "responses": ("RateLimitError", 429, "rate_limit_error"),
    "messages": ("RateLimitError", 429, "rate_limit_error"),
    "gemini": ("ClientError", 429, "RESOURCE_EXHAUSTED"),
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_limit_of_the_keys_names_itself_and_says_when_to_come_back(start: Starter, client: str) -> None:
    limits = {"requests": "1/min", "tokens": "unlimited", "concurrent": 5}
    gateway = await start({}, limits=limits, auth={"required": False})
    assert (await gateway.chat("demo")).status == 200
    raised = await CLIENTS[client](gateway, "demo", None)
    assert (raised.kind, raised.status, raised.word) == LIMITED[client], raised
    assert "request" in raised.message
    assert raised.retry_after is not None
    assert 0 < int(raised.retry_after) <= 60


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/demo:generateContent"]
)
async def test_limits_are_told_in_the_names_that_the_clients_know(start: Starter, path: str) -> None:
    gateway = await start({}, limits={"requests": "60/min", "tokens": "1M/min", "concurrent": 5})
    bodies: dict[str, Any] = {
        "/v1/chat/completions": {"model": "demo", "messages": [{"role": "user", "content": "hi"}]},
        "/v1/responses": {"model": "demo", "input": "hi"},
        "/v1/messages": {"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    }
    body = bodies.get(path, {"contents": [{"parts": [{"text": "hi"}]}]})
    reply = await gateway.post(body, path=path)
    assert reply.status == 200
    headers = reply.headers
    if path == "/v1/messages":
        assert headers["anthropic-ratelimit-requests-limit"] == "60"
        assert headers["anthropic-ratelimit-requests-remaining"] == "59"
        assert headers["anthropic-ratelimit-tokens-reset"].endswith("Z")
        assert headers["request-id"] == headers["x-request-id"]
    else:
        assert headers["x-ratelimit-limit-requests"] == "60"
        assert headers["x-ratelimit-remaining-requests"] == "59"
        assert headers["x-ratelimit-reset-requests"].endswith("s")
