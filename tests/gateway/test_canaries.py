"""What callers put beside their prompts comes out nowhere but at the provider that it was meant for.

Each place of each dialect's request holds a word of its own; providers of each format quote all that they were sent, in
every way of failing. Then no word is in a log, a metric, a row, the journal or a span, nor in an error of the
gateway's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from tests.gateway.faults import chunk_of
from tests.gateway.running import PATIENT, PROVIDER_KEY, Reply, RunningGateway, Starter
from tests.support.collector import Collector
from tests.support.script import Reset, Step, answer, json_answer, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

WORD: Final = "marigold-4c1d"
"""Every place's own word is this and the place's name."""
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def word(place: str) -> str:
    return f"{WORD}-{place}"


def _schema(place: str) -> dict[str, Any]:
    return {"type": "object", "properties": {word(place): {"type": "string", "description": word(place)}}}


def _address(place: str) -> str:
    """Of which errors may tell the host."""
    return f"https://127.0.0.1/{word(place)}.png?signature={word(place)}"


def _chat() -> dict[str, Any]:
    function = {"name": word("tool"), "description": word("description"), "parameters": _schema("parameters")}
    call = {"id": word("id"), "type": "function", "function": {"name": word("tool"), "arguments": word("arguments")}}
    return {
        "messages": [
            {"role": "system", "content": word("system"), "name": word("name")},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": _address("picture")}}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": word("id"), "content": word("result")},
            {"role": "user", "content": [{"type": "text", "text": word("prompt")}]},
        ],
        "tools": [{"type": "function", "function": function}],
        "stop": [word("stop")],
        "user": word("user"),
        "safety_identifier": word("safety"),
        "prompt_cache_key": word("cache"),
        "metadata": {word("member"): word("metadata")},
        word("unknown"): word("value"),
    }


def _responses() -> dict[str, Any]:
    file = {"type": "input_file", "filename": word("file.pdf"), "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}
    picture = {"type": "input_image", "image_url": _address("picture")}
    call = {"type": "function_call", "call_id": word("id"), "name": word("tool"), "arguments": word("arguments")}
    return {
        "instructions": word("system"),
        "input": [
            {"role": "user", "content": [file, picture, {"type": "input_text", "text": word("prompt")}]},
            call,
            {"type": "function_call_output", "call_id": word("id"), "output": word("result")},
        ],
        "tools": [{"type": "function", "name": word("tool"), "parameters": _schema("parameters"), "strict": False}],
        "metadata": {word("member"): word("metadata")},
        "user": word("user"),
        word("unknown"): word("value"),
    }


def _messages() -> dict[str, Any]:
    file = {
        "type": "document",
        "title": word("title"),
        "context": word("context"),
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
    }
    picture = {"type": "image", "source": {"type": "url", "url": _address("picture")}}
    call = {"type": "tool_use", "id": word("id"), "name": word("tool"), "input": {word("member"): word("arguments")}}
    return {
        "max_tokens": 64,
        "system": [{"type": "text", "text": word("system"), "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [file, picture, {"type": "text", "text": word("prompt")}]},
            {"role": "assistant", "content": [call]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": word("id"), "content": word("result")}],
            },
        ],
        "tools": [{"name": word("tool"), "description": word("description"), "input_schema": _schema("parameters")}],
        "metadata": {"user_id": word("user")},
        "stop_sequences": [word("stop")],
        word("unknown"): word("value"),
    }


def _gemini() -> dict[str, Any]:
    parts = [
        {"text": word("prompt")},
        {"fileData": {"fileUri": _address("picture"), "mimeType": "image/png"}},
        {"inlineData": {"data": PICTURE, "mimeType": "image/png", "displayName": word("file")}},
    ]
    call = {"functionCall": {"name": word("tool"), "args": {word("member"): word("arguments")}}}
    result = {"functionResponse": {"name": word("tool"), "response": {word("member"): word("result")}}}
    declared = {"name": word("tool"), "description": word("description"), "parameters": _schema("parameters")}
    return {
        "systemInstruction": {"parts": [{"text": word("system")}]},
        "contents": [
            {"role": "user", "parts": parts},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [result]},
        ],
        "tools": [{"functionDeclarations": [declared]}],
        "labels": {word("member"): word("label")},
        word("unknown"): word("value"),
    }


CALLERS: Final = {
    "chat": ("/v1/chat/completions", _chat),
    "responses": ("/v1/responses", _responses),
    "messages": ("/v1/messages", _messages),
    "gemini": ("/v1beta/models/{model}:{method}", _gemini),
}
HEADERS: Final = {
    "user-agent": word("agent"),
    "referer": f"https://{word('referer')}.invalid/",
    "x-title": word("title"),
    "cookie": f"session={word('cookie')}",
    "x-forwarded-for": word("forwarded"),
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "baggage": f"user={word('baggage')}",
    "anthropic-beta": word("beta"),
    "openai-project": word("project"),
}
TARGETS: Final = {"openai": "/v1", "anthropic": "", "google": "/v1beta"}


def _ways(told: str) -> Iterator[Sequence[Step]]:
    """A provider that quotes what it was sent: refusing, failing, and answering what is no answer."""
    error = {"error": {"message": told, "type": told, "code": told, "status": told, "param": told}}
    for status in (400, 401, 404, 413, 429, 500, 503):
        yield json_answer(error, status=status, headers={"x-request-id": told[:80], "x-should-retry": "false"})
    yield answer(told.encode(), headers={"content-type": "text/html"})
    yield json_answer({"choices": told, "content": told, "candidates": told})
    yield sse_answer([json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": told}}]}).encode()])
    yield sse_answer([json.dumps(chunk_of(told)).encode(), json.dumps(error).encode()])
    yield (*sse_answer([json.dumps(chunk_of(told)).encode()], end=False), Reset())


WAYS: Final = 12


def _quoted(request: Received) -> str:
    """All the words that came, in quotes and without."""
    body = request.body.decode()
    return " ".join([*(part for part in body.split('"') if WORD in part), repr(request.header_list)[:400]])


def _provider(request: Received) -> Sequence[Step]:
    number = int(request.path.split("/")[1])
    return list(_ways(_quoted(request)))[number]


async def _ask(gateway: RunningGateway, caller: str, model: str, *, stream: bool, **broken: Any) -> Reply:
    path, made = CALLERS[caller]
    method = "streamGenerateContent" if stream else "generateContent"
    body = made() | broken | ({} if caller == "gemini" else {"model": model, "stream": stream})
    query = f"?trace={word('query')}"
    return await gateway.post(body, path=path.format(model=model, method=method) + query, headers=HEADERS)


def _tables(url: str) -> Mapping[str, Any]:
    """A provider of each format for each way of failing: what goes wrong with one puts it to rest."""
    providers: dict[str, Any] = {"demo": {"dialect": "echo"}}
    for kind, base in TARGETS.items():
        for number in range(WAYS):
            entry = {"dialect": kind, "base_url": f"{url}/{number}{base}", "api_key": PROVIDER_KEY}
            providers[f"{kind}-{number}"] = entry | ({"fetch_media": True} if number % 2 else {})
    routes: list[Any] = [{"match": "demo", "targets": [{"provider": "demo"}]}]
    routes += [{"match": name, "targets": [{"provider": name, "model": "m-1"}]} for name in providers if "-" in name]
    return {"providers": providers, "routes": routes, "defaults": PATIENT | {"retry": {"attempts": 1}}}


@pytest.mark.parametrize("caller", CALLERS)
async def test_no_word_of_a_caller_is_kept_or_told_to_others(start: Starter, caller: str) -> None:
    async with Collector() as collector, ScriptedUpstream(_provider) as upstream:
        gateway = await start({}, traces={"endpoint": collector.url}, **_tables(upstream.url("")))
        own: list[Reply] = []
        for name in (name for name in gateway.gateway.settings.providers if "-" in name):
            for stream in (False, True):
                reply = await _ask(gateway, caller, name, stream=stream)
                if reply.headers.get("x-gaia-error-source") == "gateway":
                    own.append(reply)
        own += [
            await _ask(gateway, caller, "demo", stream=False, **{broken: wrong})
            for broken in ("tools", "messages", "input", "contents", "metadata", "labels", "stop")
            for wrong in ({"x": [word("value")]}, [{"x": word("value")}], word("value"))
        ]
        reached = {request.path.split("/")[1] for request in upstream.requests}
        await gateway.records()
        spans = await collector.until(len(own))
    assert reached == {str(number) for number in range(WAYS)}
    assert any(WORD.encode() in request.body for request in upstream.requests), "the search finds what is there"
    gateway.gateway.metrics.look()
    kept = {path.name: path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file()}
    kept |= {"log": gateway.log.getvalue(), "metrics": gateway.gateway.metrics.render()[0]}
    kept |= {
        "spans": repr(spans).encode(),
        "own errors": b"\n".join(reply.body for reply in own if reply.status >= 400),
    }
    assert b"request.end" in kept["log"]
    assert {name: _around(content) for name, content in kept.items() if WORD.encode() in content} == {}


def _around(content: bytes) -> bytes:
    """What stands before and behind the first word."""
    at = content.index(WORD.encode())
    return content[max(0, at - 200) : at + 100]
