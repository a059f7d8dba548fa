"""A stream that waits: nothing holds it back, something keeps it alive, and neither hides a provider that is dead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

from gaiarouter.server import writing
from tests.gateway.faults import ROLE, chunk_of, stream_events
from tests.gateway.running import ANSWER, PROVIDER_KEY, QUICK, Starter, chat_body
from tests.support.script import LAST_CHUNK, SSE_HEAD, Drip, Hang, Send, Until, chunk, sse, sse_answer
from tests.support.upstream import BOUND_S, ScriptedUpstream

HEAD = Send(SSE_HEAD)
SAID = sse(chunk_of(ANSWER))
PATIENT = {"timeouts": {"connect": "9s", "first_byte": "9s", "idle": "9s", "total": "60s"}}
PATHS = {
    "chat": ("/v1/chat/completions", chat_body("alone", stream=True)),
    "messages": ("/v1/messages", chat_body("alone", stream=True, max_tokens=9)),
    "responses": ("/v1/responses", {"model": "alone", "stream": True, "input": "Hi"}),
    "gemini": (
        "/v1beta/models/alone:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "array": (
        "/v1beta/models/alone:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
}


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keep-alive each few milliseconds: between any two writes there is room for one."""
    monkeypatch.setattr(writing, "PING_S", 0.002)


async def until(response: aiohttp.ClientResponse, enough: Callable[[bytes], bool]) -> bytes:
    """What has come when it is enough."""
    seen = b""
    async with asyncio.timeout(BOUND_S):
        while not enough(seen):
            more = await response.content.readany()
            assert more, seen
            seen += more
    return seen


async def test_t89_an_event_reaches_the_caller_before_the_provider_sends_the_next(start: Starter) -> None:
    go = asyncio.Event()
    script = [HEAD, Send(chunk(ROLE + SAID)), Until(go), Send(chunk(b"".join(stream_events(ANSWER)[3:])) + LAST_CHUNK)]
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=PATIENT)
        async with gateway.streaming("alone") as response:
            assert "content-encoding" not in response.headers
            assert "content-length" not in response.headers
            seen = await until(response, lambda data: ANSWER.encode() in data)
            go.set()
            whole = await gateway.rest_of(response, seen)
    assert whole.text == ANSWER


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.usefixtures("busy")
async def test_t48_t96_t97_keep_alives_come_between_events_and_never_within_one(start: Starter, dialect: str) -> None:
    """The provider thinks, and sends its stream a byte at a time: a keep-alive may come at any moment."""
    go = asyncio.Event()
    rest = b"".join(chunk(event) for event in stream_events(ANSWER)[2:])
    first = [HEAD, Send(chunk(ROLE + SAID)), Until(go), Drip(rest, every_s=0.001), Send(LAST_CHUNK)]
    path, body = PATHS[dialect]
    async with ScriptedUpstream(first) as upstream:
        base = upstream.url("/v1")
        main = {"dialect": "openai", "base_url": base, "api_key": PROVIDER_KEY, "speaks": ["chat"]}
        providers = {"demo": {"dialect": "echo"}, "main": main}
        gateway = await start({"main": base}, providers=providers, defaults=PATIENT)
        headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
        async with gateway.session.post(gateway.url(path), headers=headers, json=body) as response:
            seen = await until(response, lambda data: data.count(KEEP_ALIVES[dialect]) >= 3)
            go.set()
            whole = await gateway.rest_of(response, seen)
    read_whole(dialect, whole.body)


KEEP_ALIVES = {
    "chat": b": ",
    "messages": b"event: ping\n",
    "responses": b": ",
    "gemini": b'"parts":[{"text":""}]',
    "array": b"\r\n",
}


def read_whole(dialect: str, stream: bytes) -> None:
    """Every event parses, and the answer is whole."""
    if dialect == "array":
        responses = json.loads(stream)
    else:
        lines = [line for line in stream.replace(b"\r\n", b"\n").split(b"\n") if line and not line.startswith(b":")]
        assert all(line.startswith((b"data: ", b"event: ")) for line in lines)
        data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
        responses = [json.loads(each) for each in data if each != b"[DONE]"]
    text = json.dumps(responses)
    assert {"chat": "usage", "messages": "message_stop", "responses": "response.completed"}.get(
        dialect, "STOP"
    ) in text or (dialect == "chat" and b"[DONE]" in stream)


@pytest.mark.usefixtures("busy")
async def test_t109_keep_alives_do_not_hide_a_provider_that_is_dead(start: Starter) -> None:
    async with ScriptedUpstream([HEAD, Send(chunk(ROLE + SAID)), Hang()]) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=QUICK)
        answered = await gateway.chat(stream=True)
    assert answered.body.count(b": ") > 3, "callers were kept alive meanwhile"
    assert answered.error["code"] == "stream_timeout"


@pytest.mark.usefixtures("busy")
async def test_t46_official_clients_read_streams_with_keep_alives_and_comments(start: Starter) -> None:
    noisy = [b": PROCESSING\n\n" + event for event in stream_events(ANSWER)]
    slow = [HEAD, *(Drip(chunk(event), every_s=0.0005) for event in noisy), Send(LAST_CHUNK)]
    async with ScriptedUpstream(slow) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=PATIENT)
        raw = await gateway.chat(stream=True)
        assert b"id:" not in [line[:3] for line in raw.body.split(b"\n")]
        async with openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.key, max_retries=0) as client:
            stream: Any = await client.chat.completions.create(**chat_body("alone"), stream=True)
            text = "".join([piece.choices[0].delta.content or "" async for piece in stream if piece.choices])
        async with (
            anthropic.AsyncAnthropic(base_url=gateway.url(""), api_key=gateway.key, max_retries=0) as other,
            other.messages.stream(**chat_body("alone"), max_tokens=9) as events,
        ):
            message = await events.get_final_message()
    assert text == ANSWER
    assert message.content[0].text == ANSWER


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*;q=0"])
async def test_t104_what_is_accepted_does_not_decide_what_is_streamed(start: Starter, accept: str) -> None:
    async with ScriptedUpstream(sse_answer(stream_events(ANSWER))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        answered = await gateway.chat(stream=True, headers={"accept": accept})
    assert answered.headers["content-type"].startswith("text/event-stream")
    assert answered.text == ANSWER
