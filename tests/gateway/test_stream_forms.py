"""Fault matrix, U63 and U72 to U74: streams that look odd and are whole reach the caller unharmed."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.gateway.faults import DONE, FINISH, ROLE, USAGE_EVENT, assert_tokens, chunk_of, stream_events
from tests.gateway.running import ANSWER, Reply, RunningGateway, Starter
from tests.support.script import Close, Script, Send, head, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

EVENTS = stream_events(ANSWER)
STREAM = b"".join(EVENTS)
SSE = {"content-type": "text/event-stream"}
COUNTED = {"in_uncached": 7, "out_visible": 3}


def raw(body: bytes) -> Script:
    return [Send(head(200, {**SSE, "content-length": str(len(body))}) + body)]


FORMS: dict[str, Script] = {
    "as usual": sse_answer(EVENTS),
    "all in one": sse_answer([STREAM]),
    "byte by byte": sse_answer([STREAM], cuts=list(range(1, len(STREAM)))),
    "CRLF": raw(STREAM.replace(b"\n", b"\r\n")),
    "CR": raw(STREAM.replace(b"\n", b"\r")),
    "no space": raw(STREAM.replace(b"data: ", b"data:")),
    "comments": raw(b": hello\n\n" + STREAM.replace(b"data: ", b": ping\ndata: ")),
    "ids": raw(STREAM.replace(b"data: ", b"id: 1\nretry: 10\ndata: ")),
    "BOM": raw(b"\xef\xbb\xbf" + STREAM),
    "empty data": raw(b"data:\n\n" + STREAM.replace(DONE, b"data: \n\n" + DONE)),
    "gzip": [Send(head(200, {**SSE, "content-encoding": "gzip"}) + gzip.compress(STREAM)), Close()],
    "HTTP/1.0": [Send(head(200, SSE, version="1.0") + STREAM), Close()],
    "text/plain": [Send(head(200, {"content-type": "text/plain"}) + STREAM), Close()],
    "no content type": [Send(head(200) + STREAM), Close()],
    "U63 no DONE": sse_answer(EVENTS[:-1]),
    "U73 after DONE": sse_answer([*EVENTS, sse(chunk_of("more")), DONE]),
    "U73 empty choices": sse_answer([sse({"choices": []}), *EVENTS]),
}


async def stream(start: Starter, script: Script, **members: Any) -> tuple[RunningGateway, Reply]:
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        return gateway, await gateway.chat(stream=True, **members)


@pytest.mark.parametrize("form", FORMS)
async def test_a_stream_of_any_form_arrives_as_one(start: Starter, form: str) -> None:
    gateway, reply = await stream(start, FORMS[form])
    assert (reply.status, reply.broken, reply.text) == (200, False, ANSWER)
    assert reply.events.count(b"[DONE]") == 1
    assert reply.events[-1] == b"[DONE]"
    assert [c["finish_reason"] for e in reply.events[:-1] for c in e["choices"] if c.get("finish_reason")] == ["stop"]
    assert "content-encoding" not in reply.headers
    record = await gateway.record()
    assert (record["outcome"], record["estimated"]) == ("ok", 0)
    assert_tokens(record, **COUNTED)


async def test_what_needs_no_change_is_not_changed(start: Starter) -> None:
    _, reply = await stream(start, sse_answer(EVENTS), stream_options={"include_usage": True})
    assert reply.body == STREAM


async def test_usage_that_the_caller_did_not_ask_for_is_taken_out(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(EVENTS)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat(stream=True)
        assert upstream.requests[0].json()["stream_options"] == {"include_usage": True}
        assert reply.body == STREAM.replace(USAGE_EVENT, b"")


@pytest.mark.parametrize(
    "text", ["\n\ndata: [DONE]\n\n", "a\u2028b\u2029c\u0085d", "\r\n\r\n: comment", "\x00\x1b[31m", "𝄞" * 50, "\ufeff"]
)
async def test_u74_text_that_looks_like_a_stream_arrives_as_text(start: Starter, text: str) -> None:
    script = sse_answer([ROLE, sse(chunk_of(text)), FINISH, DONE])
    _, reply = await stream(start, script)
    assert (reply.status, reply.text, reply.events[-1]) == (200, text, b"[DONE]")


async def test_t94_id_and_model_do_not_change_within_a_stream(start: Starter) -> None:
    _, reply = await stream(start, sse_answer(EVENTS))
    assert {(event["id"], event["model"]) for event in reply.events[:-1]} == {("chatcmpl-1", "m-1")}


async def test_the_headers_of_a_stream_keep_it_moving(start: Starter) -> None:
    _, reply = await stream(start, sse_answer(EVENTS))
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reply.headers
