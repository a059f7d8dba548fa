"""The demo provider's transport keeps the contract of every other."""

from __future__ import annotations

import json

import pytest

from gaiarouter.errors import InvalidRequest
from gaiarouter.upstream.base import Upstream, UpstreamRequest
from gaiarouter.upstream.echo import EchoUpstream
from tests.upstream.conftest import Client, within

ASK = {"model": "demo", "messages": [{"role": "user", "content": "Say it again."}]}


def request(**more: object) -> UpstreamRequest:
    return UpstreamRequest("echo:/chat/completions", {}, json.dumps(ASK | more).encode())


@pytest.fixture
def echo() -> EchoUpstream:
    return EchoUpstream(now=lambda: 1_700_000_000.9, new_id=lambda: "chatcmpl-1")


async def test_a_request_is_answered_with_json(echo: EchoUpstream) -> None:
    response = await echo.send(request(), within())
    answer = json.loads(await response.read())
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert (answer["id"], answer["created"], answer["object"]) == ("chatcmpl-1", 1_700_000_000, "chat.completion")
    assert "Say it again." in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize("pace_s", [0.0, 0.001])
async def test_a_streaming_request_is_answered_with_events(pace_s: float) -> None:
    response = await EchoUpstream(pace_s=pace_s).send(request(stream=True), within())
    chunks = [chunk async for chunk in response.chunks()]
    assert response.headers["content-type"] == "text/event-stream"
    assert chunks[-1] == b"data: [DONE]\n\n"
    text = "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks[:-1]
        for choice in json.loads(chunk.removeprefix(b"data: "))["choices"]
    )
    assert "Say it again." in text
    await response.drain()
    response.close()


async def test_what_is_no_chat_request_is_refused(echo: EchoUpstream) -> None:
    with pytest.raises(InvalidRequest):
        await echo.send(UpstreamRequest("echo:", {}, b'{"messages": 5}'), within())


async def test_both_transports_are_upstreams(client: Client, echo: EchoUpstream) -> None:
    transports: list[Upstream] = [client, echo]
    assert len(transports) == 2
