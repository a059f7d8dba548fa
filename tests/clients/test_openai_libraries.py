"""The official OpenAI libraries, Python and Node, see through the gateway what they would see of the provider."""

from __future__ import annotations

import base64
import json
import re
from random import Random
from typing import Any

import pytest

from tests.clients.conftest import NODE_FOLDER, Client, Job, Serve
from tests.support.script import LAST_CHUNK, Close, Drip, Hang, Script, Send, error_answer, json_answer, sse, sse_answer
from tests.support.script import chunk as http_chunk

USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
CALLS = [
    {"id": "call_1", "name": "weather", "arguments": '{"city": "Lima"}'},
    {"id": "call_2", "name": "weather", "arguments": '{"city": "Öland"}'},
]
OK_CALLS = {"calls": CALLS, "finish": "tool_calls"}


def completion(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m-1"}
    return {**head, "choices": [choice], "usage": USAGE}


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    """One event of a chat stream; without a delta it has no choice, as the one that carries usage."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m-1"}
    return sse({**head, "choices": choices, **more})


FIRST = chunk({"role": "assistant", "content": ""})
HELLO = [FIRST, chunk({"content": "Hel"}), chunk({"content": "lo"})]
FINISHED = chunk({}, "stop")
WITH_USAGE = chunk(None, usage=USAGE)
DONE = sse(b"[DONE]")
ANSWER = json_answer(completion({"content": "Hello"}))
STREAM = sse_answer([*HELLO, FINISHED, WITH_USAGE, DONE])


def tool_calls() -> list[dict[str, Any]]:
    return [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in CALLS
    ]


def tool_stream() -> list[bytes]:
    """Both calls announced, then their arguments in pieces that take turns."""
    opened = [
        chunk({"tool_calls": [{"index": i, **call, "function": {"name": "weather", "arguments": ""}}]})
        for i, call in enumerate(tool_calls())
    ]
    halves = [
        chunk({"tool_calls": [{"index": i, "function": {"arguments": call["arguments"][part]}}]})
        for part in (slice(0, 8), slice(8, None))
        for i, call in enumerate(CALLS)
    ]
    return [FIRST, *opened, *halves, chunk({}, "tool_calls"), DONE]


SEEN: dict[str, tuple[str, Script, dict[str, Any]]] = {
    "an answer": ("chat", ANSWER, {"text": "Hello", "finish": "stop", "tokens": 12}),
    "a stream, without the usage that the gateway asked for": (
        "stream",
        STREAM,
        {"text": "Hello", "finish": "stop", "chunks": 4},
    ),
    "a stream with the usage that was asked for, once": ("stream_usage", STREAM, {"totals": [12]}),
    "parallel tool calls": (
        "tools",
        json_answer(completion({"content": None, "tool_calls": tool_calls()}, "tool_calls")),
        OK_CALLS,
    ),
    "parallel tool calls in a stream": ("stream_tools", sse_answer(tool_stream()), OK_CALLS),
    "structured output": (
        "structured",
        json_answer(completion({"content": '{"name": "Lima", "people": 10000000}'})),
        {"name": "Lima", "people": 10_000_000},
    ),
}


@pytest.mark.parametrize(("operation", "script", "seen"), SEEN.values(), ids=SEEN)
async def test_the_libraries_see(
    serve: Serve, client: Client, operation: str, script: Script, seen: dict[str, Any]
) -> None:
    gateway = await serve(script)
    assert await client(gateway, Job(operation)) == seen
    assert len(gateway.upstream.requests) == 1


async def test_tools_and_schema_reach_the_provider_as_sent(serve: Serve, client: Client) -> None:
    gateway = await serve(ANSWER, json_answer(completion({"content": '{"name": "Lima", "people": 1}'})))
    await client(gateway, Job("tools"))
    await client(gateway, Job("structured"))
    with_tools, with_schema = (request.json() for request in gateway.upstream.requests)
    assert with_tools["tools"][0]["function"]["name"] == "weather"
    assert with_schema["response_format"]["type"] == "json_schema"
    assert set(with_schema["response_format"]["json_schema"]["schema"]["required"]) == {"name", "people"}


async def test_an_image_reaches_the_provider_byte_for_byte(serve: Serve, client: Client) -> None:
    data_url = "data:image/png;base64," + base64.b64encode(Random(7).randbytes(300_000)).decode()
    gateway = await serve(ANSWER)
    assert await client(gateway, Job("vision", data_url=data_url)) == {"text": "Hello"}
    received = gateway.upstream.requests[0]
    assert received.json()["messages"][0]["content"][1]["image_url"] == {"url": data_url, "detail": "low"}
    assert data_url.encode() in received.body


async def test_an_abort_in_mid_stream_ends_the_call_upstream(serve: Serve, client: Client) -> None:
    gateway = await serve((*sse_answer(HELLO[:2], end=False), Hang()))
    assert await client(gateway, Job("abort")) == {"text": "Hel"}
    await gateway.upstream.client_gone()


async def test_a_retry_waits_as_long_as_the_gateway_says(serve: Serve, client: Client) -> None:
    """The libraries' own pause is half a second at most: a longer one can only come from our header."""
    gateway = await serve(error_answer(429, headers={"retry-after-ms": "1200"}), ANSWER)
    assert (await client(gateway, Job("chat", retries=1)))["text"] == "Hello"
    refused, served = gateway.upstream.requests
    assert served.at - refused.at >= 1.2


async def test_our_own_limit_is_a_rate_limit_error(serve: Serve, client: Client) -> None:
    gateway = await serve(ANSWER, requests="1/min")
    assert "text" in await client(gateway, Job("chat"))
    error = {"class": "RateLimitError", "status": 429, "code": "rate_limit_exceeded"}
    assert await client(gateway, Job("chat")) == {"error": error}
    assert len(gateway.upstream.requests) == 1


async def test_the_models_are_listed(serve: Serve, client: Client) -> None:
    gateway = await serve()
    assert "granted" in (await client(gateway, Job("models")))["models"]


ERRORS: dict[str, tuple[Script, Job, tuple[str, int, str]]] = {
    "the provider refuses the request": (
        error_answer(400, code="context_length_exceeded"),
        Job("chat"),
        ("BadRequestError", 400, "context_length_exceeded"),
    ),
    "a wrong key": (ANSWER, Job("chat", key="gaia-no-such-key"), ("AuthenticationError", 401, "invalid_api_key")),
    "a model that is not granted": (
        ANSWER,
        Job("chat", key="limited"),
        ("PermissionDeniedError", 403, "model_not_allowed"),
    ),
    "an unknown model": (ANSWER, Job("chat", model="none"), ("NotFoundError", 404, "model_not_found")),
    "the provider cannot process it": (
        error_answer(422, code="unprocessable"),
        Job("chat"),
        ("UnprocessableEntityError", 422, "unprocessable"),
    ),
    "the provider's limit": (error_answer(429), Job("chat"), ("RateLimitError", 429, "upstream_rate_limited")),
    "the provider fails": (error_answer(500), Job("chat"), ("InternalServerError", 502, "upstream_error")),
    "the provider refuses our key": (
        error_answer(401),
        Job("chat"),
        ("InternalServerError", 502, "upstream_auth_error"),
    ),
    "the provider is overloaded": (error_answer(503), Job("chat"), ("InternalServerError", 503, "upstream_overloaded")),
    "the provider hangs up": ((Close(),), Job("chat"), ("InternalServerError", 502, "upstream_protocol_error")),
    "the provider talks nonsense": (
        json_answer(b"<html>"),
        Job("chat"),
        ("InternalServerError", 502, "upstream_bad_response"),
    ),
    "a stream that fails before its first content": (
        sse_answer([sse({"error": {"message": "no", "type": "server_error", "code": None}})]),
        Job("stream"),
        ("InternalServerError", 502, "upstream_error"),
    ),
    "a stream that ends before its first content": (
        sse_answer([FIRST]),
        Job("stream"),
        ("InternalServerError", 502, "upstream_stream_interrupted"),
    ),
}


@pytest.mark.parametrize(("script", "job", "error"), ERRORS.values(), ids=ERRORS)
async def test_each_error_has_its_class(
    serve: Serve, client: Client, script: Script, job: Job, error: tuple[str, int, str]
) -> None:
    gateway = await serve(script)
    if job.key == "limited":
        job = Job(job.operation, key=gateway.limited)
    outcome = await client(gateway, job)
    assert outcome["error"] == dict(zip(("class", "status", "code"), error, strict=True))


async def test_a_silent_provider_is_a_time_out(serve: Serve, client: Client) -> None:
    gateway = await serve((Hang(),), first_byte="100ms")
    error = {"class": "InternalServerError", "status": 504, "code": "upstream_timeout"}
    assert await client(gateway, Job("chat")) == {"error": error}


SPOKEN = (*sse_answer(HELLO, end=False), Drip(http_chunk(b": later\n\n")))
"""Content, and a while later what the case is about: in one read with the content it would come before it."""

BROKEN_STREAMS: dict[str, tuple[Script, str]] = {
    "an error event": (
        (*SPOKEN, Send(http_chunk(sse({"error": {"message": "overheated", "type": "server_error", "code": None}})))),
        "upstream_error",
    ),
    "the end without the last words": ((*SPOKEN, Send(LAST_CHUNK)), "upstream_stream_interrupted"),
    "a connection that closes": ((*SPOKEN, Close()), "upstream_stream_interrupted"),
    "half an event": ((*SPOKEN, Send(http_chunk(FINISHED[:40])), Close()), "upstream_stream_interrupted"),
}


@pytest.mark.parametrize(("script", "code"), BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
async def test_a_stream_that_breaks_after_content_raises(
    serve: Serve, client: Client, script: Script, code: str
) -> None:
    outcome = await client(await serve(script), Job("stream"))
    assert outcome == {"text": "Hello", "finish": None, "error": {"class": "APIError", "status": None, "code": code}}


def test_the_lock_of_the_node_library_pins_contents_not_places() -> None:
    text = (NODE_FOLDER / "package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert set(packages) == {"node_modules/openai"}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert re.search(r"\w+://|resolved", text) is None
