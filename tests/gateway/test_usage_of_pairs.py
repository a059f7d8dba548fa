"""What a record says of tokens is what the provider has said, whoever asked whom, and however the request ended."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.script import Hang, Script, json_answer, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLASSES = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
TEXT = "Twelve words of an answer, of which some come before all the others."


Raw = Mapping[str, Any] | None
"""A usage as the provider writes it; None: it tells none."""


@dataclass(frozen=True)
class Spoken:
    """A provider's format. usage: what it tells. classes: what that is by the provider's own definitions
    (docs/metering.md). begun: of the input, what it has told when the first text is there. whole: its answer. events:
    up to the first text, and after it.
    """

    usage: Raw
    classes: tuple[int, ...]
    whole: Callable[[Raw], Any]
    events: Callable[[Raw], tuple[list[bytes], list[bytes]]]
    begun: tuple[int, ...] | None = None


_CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}


def _given(name: str, usage: Raw) -> dict[str, Any]:
    return {} if usage is None else {name: usage}


def _whole_chat(usage: Raw) -> Any:
    said = [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]
    return {**_CHUNK, "object": "chat.completion", "choices": said, **_given("usage", usage)}


def _whole_responses(usage: Raw) -> Any:
    return _response("completed", [_item()], usage)


def _whole_messages(usage: Raw) -> Any:
    said = [{"type": "text", "text": TEXT}]
    return {**_MESSAGE, "content": said, "stop_reason": "end_turn", **_given("usage", usage)}


def _whole_gemini(usage: Raw) -> Any:
    said = [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP"}]
    return {"candidates": said, "modelVersion": "m", **_given("usageMetadata", usage)}


def _item() -> dict[str, Any]:
    content = [{"type": "output_text", "text": TEXT, "annotations": []}]
    return {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": content}


def _response(status: str, output: list[Any], usage: Raw) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status}
    return {**head, "output": output, **_given("usage", usage)}


def _chat(usage: Raw) -> tuple[list[bytes], list[bytes]]:
    def choice(delta: Any, finish: str | None = None) -> bytes:
        return sse({**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    last = [] if usage is None else [sse({**_CHUNK, "choices": [], "usage": usage})]
    return [choice({"role": "assistant", "content": TEXT[:30]})], [
        *(choice({"content": TEXT[30:]}), choice({}, "stop"), *last, sse(b"[DONE]")),
    ]


def _named(*events: dict[str, Any]) -> list[bytes]:
    return [b"event: " + event["type"].encode() + b"\n" + sse(event) for event in events]


def _responses(usage: Raw) -> tuple[list[bytes], list[bytes]]:
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    begun = _named(
        {"type": "response.created", "sequence_number": 0, "response": _response("in_progress", [], None)},
        {
            "type": "response.output_item.added",
            "sequence_number": 1,
            "output_index": 0,
            "item": {**_item(), "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", "sequence_number": 2, **place, "part": part},
        {"type": "response.output_text.delta", "sequence_number": 3, **place, "delta": TEXT[:30], "logprobs": []},
    )
    return begun, _named(
        {"type": "response.output_text.delta", "sequence_number": 4, **place, "delta": TEXT[30:], "logprobs": []},
        {"type": "response.output_text.done", "sequence_number": 5, **place, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", "sequence_number": 6, **place, "part": {**part, "text": TEXT}},
        {"type": "response.output_item.done", "sequence_number": 7, "output_index": 0, "item": _item()},
        {"type": "response.completed", "sequence_number": 8, "response": _response("completed", [_item()], usage)},
    )


def _messages(usage: Raw) -> tuple[list[bytes], list[bytes]]:
    start = None if usage is None else {**usage, "output_tokens": 1}
    end = None if usage is None else {"output_tokens": usage["output_tokens"]}
    begun = _named(
        {
            "type": "message_start",
            "message": {**_MESSAGE, "content": [], "stop_reason": None, **_given("usage", start)},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[:30]}},
    )
    return begun, _named(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[30:]}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, **_given("usage", end)},
        {"type": "message_stop"},
    )


def _gemini(usage: Raw) -> tuple[list[bytes], list[bytes]]:
    def said(text: str, **members: Any) -> bytes:
        return sse({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **members}]})

    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}
    return [said(TEXT[:30])], [said(TEXT[30:]), sse({"candidates": [last], **_given("usageMetadata", usage)})]


PROVIDERS = {
    "chat": Spoken(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        (60, 30, 10, 0, 30, 20),
        _whole_chat,
        _chat,
    ),
    "responses": Spoken(
        {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 30},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 150,
        },
        (70, 30, 0, 0, 30, 20),
        _whole_responses,
        _responses,
    ),
    "messages": Spoken(
        {
            "input_tokens": 60,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 10,
            "output_tokens": 50,
        },
        (60, 30, 10, 0, 50, 0),
        _whole_messages,
        _messages,
        begun=(60, 30, 10, 0),
    ),
    "gemini": Spoken(
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 30,
            "candidatesTokenCount": 30,
            "thoughtsTokenCount": 20,
            "toolUsePromptTokenCount": 5,
            "totalTokenCount": 155,
        },
        (70, 30, 0, 5, 30, 20),
        _whole_gemini,
        _gemini,
    ),
}
KINDS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "google"}
_ID = re.compile(rb'"(?:id|item_id|responseId)": ?"[^"]*"|"created(?:_at)?": ?[0-9.]+')
"""What differs from one answer to the next."""
DETAILS: Mapping[str, Mapping[str, Any]] = {
    "chat": {"prompt_tokens_details": {"cached_tokens": "30"}},
    "responses": {"output_tokens_details": {"reasoning_tokens": -20}},
    "messages": {"cache_creation": {"ephemeral_5m_input_tokens": "10"}},
    "gemini": {"cachedContentTokenCount": 10**12},
}
"""Of each format one that cannot be believed."""
PROMPT = "Say something about the weather in Lisbon, would you?"
PAIRS = list(product(KINDS, KINDS))


def request_of(caller: str, model: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Path and body."""
    said = [{"role": "user", "content": PROMPT}]
    match caller:
        case "chat":
            return "/v1/chat/completions", {"model": model, "messages": said, "stream": stream}
        case "responses":
            return "/v1/responses", {"model": model, "input": PROMPT, "stream": stream}
        case "messages":
            return "/v1/messages", {"model": model, "max_tokens": 99, "messages": said, "stream": stream}
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{model}:{method}", {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}


class Stage:
    """A gateway before a provider that answers by what is put into `script`."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.script: Script = ()

    def ask(self, caller: str, target: str, name: str, *, stream: bool) -> Any:
        path, body = request_of(caller, f"to-{target}", stream=stream)
        return self.gateway.post(path, json=body, headers={"x-request-id": name})

    async def answered(self, caller: str, target: str, name: str, *, stream: bool) -> bytes:
        """The whole answer, which is a 200."""
        async with self.ask(caller, target, name, stream=stream) as reply:
            assert reply.status == 200, await reply.text()
            body: bytes = await reply.read()
            return body

    def rejected(self, provider: str, extent: str) -> float:
        registry = self.gateway.gateway.metrics.registry
        labels = {"provider": provider, "extent": extent}
        return registry.get_sample_value("gaiarouter_usage_rejected_total", labels) or 0.0

    async def record(self, name: str) -> dict[str, Any]:
        """Of the request of that name."""
        async with asyncio.timeout(10):
            while True:
                found = [row for row in await self.gateway.records(0) if row["request_id"] == name]
                if found:
                    return found[0]
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    holder: list[Stage] = []
    async with ScriptedUpstream(lambda _: holder[0].script) as upstream:
        base = upstream.url("/v1")
        providers: dict[str, Any] = {
            name: {"dialect": kind, "base_url": base, "api_key": "sk-x"} for name, kind in KINDS.items()
        }
        for name in ("chat", "responses"):
            providers[name]["speaks"] = [name]
        config = {
            "providers": providers,
            "limits": {"requests": "unlimited", "tokens": "unlimited"},
            "defaults": {"retry": {"attempts": 1}, "breaker": {"failures": 1000}},
            "routes": [{"match": f"to-{name}", "targets": [{"provider": name, "model": "m"}]} for name in KINDS],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("pairs")) as gateway:
            holder.append(Stage(gateway, upstream))
            yield holder[0]


def tokens(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[name] for name in CLASSES)


def answer_of(spoken: Spoken, usage: Raw, *, stream: bool) -> Script:
    begun, rest = spoken.events(usage)
    return sse_answer([*begun, *rest]) if stream else json_answer(spoken.whole(usage))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("caller", "target"), PAIRS)
async def test_a_record_is_the_providers_own_count(stage: Stage, caller: str, target: str, stream: bool) -> None:
    spoken, name = PROVIDERS[target], uuid4().hex
    stage.script = answer_of(spoken, spoken.usage, stream=stream)
    await stage.answered(caller, target, name, stream=stream)
    row = await stage.record(name)
    assert (row["outcome"], row["estimated"], tokens(row)) == ("ok", 0, spoken.classes)
    assert row["lost"] is None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("caller", "target"), PAIRS)
async def test_a_provider_that_tells_nothing_is_estimated(stage: Stage, caller: str, target: str, stream: bool) -> None:
    name = uuid4().hex
    stage.script = answer_of(PROVIDERS[target], None, stream=stream)
    await stage.answered(caller, target, name, stream=stream)
    row = await stage.record(name)
    assert_estimated(row)
    assert sum(tokens(row)) == row["in_uncached"] + row["out_visible"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("caller", "target"), PAIRS)
async def test_u49_a_provider_that_is_not_believed_is_estimated_and_not_quoted(
    stage: Stage, caller: str, target: str, stream: bool
) -> None:
    """Neither as it told it, where the answer is translated, nor as zeros."""
    name, before = uuid4().hex, stage.rejected(target, "whole")
    absurd = {each: 70_000_000_001 for each in PROVIDERS[target].usage or {} if "details" not in each}
    answers = []
    for usage in (None, absurd):
        stage.script = answer_of(PROVIDERS[target], usage, stream=stream)
        told = await stage.answered(caller, target, name if usage else "none", stream=stream)
        answers.append(_ID.sub(b"", told))
    row = await stage.record(name)
    assert_estimated(row)
    assert answers[0] == answers[1] or caller == target
    assert stage.rejected(target, "whole") == before + 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("caller", "target"), PAIRS)
async def test_u49_a_detail_that_is_not_believed_leaves_the_counts(
    stage: Stage, caller: str, target: str, stream: bool
) -> None:
    name, before = uuid4().hex, stage.rejected(target, "part")
    stage.script = answer_of(PROVIDERS[target], {**(PROVIDERS[target].usage or {}), **DETAILS[target]}, stream=stream)
    await stage.answered(caller, target, name, stream=stream)
    row = await stage.record(name)
    assert (row["outcome"], row["estimated"]) == ("ok", 0)
    assert sum(tokens(row)) == sum(PROVIDERS[target].classes)
    assert stage.rejected(target, "part") == before + 1


@pytest.mark.parametrize(("caller", "target"), PAIRS)
async def test_who_hangs_up_is_counted_by_what_was_told_and_said_until_then(
    stage: Stage, caller: str, target: str
) -> None:
    spoken, name = PROVIDERS[target], uuid4().hex
    begun, _ = spoken.events(spoken.usage)
    stage.script = (*sse_answer(begun, end=False), Hang())
    async with stage.ask(caller, target, name, stream=True) as reply:
        assert reply.status == 200
        heard = b""
        while TEXT[:30].encode() not in heard:
            heard += await reply.content.readany()
        reply.close()
    row = await stage.record(name)
    assert (row["outcome"], row["status"], row["estimated"]) == ("cancelled", 499, 1)
    given, said = tokens(row)[:4], tokens(row)[4:]
    if spoken.begun is None:
        assert_near(given[0], PROMPT)
        assert given[1:] == (0, 0, 0)
    else:
        assert given == spoken.begun
    assert_near(said[0], TEXT[:30])
    assert row["lost"] is None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("caller", "target"), PAIRS)
async def test_who_hangs_up_before_the_answer_has_lost_a_prompt(
    stage: Stage, caller: str, target: str, stream: bool
) -> None:
    name, before = uuid4().hex, len(stage.upstream.requests)
    stage.script = (Hang(),)
    asked = asyncio.create_task(stage.ask(caller, target, name, stream=stream).__aenter__())
    await stage.upstream.until(lambda: len(stage.upstream.requests) > before)
    asked.cancel()
    row = await stage.record(name)
    assert (row["outcome"], tokens(row)) == ("cancelled", (0,) * 6)
    (lost,) = json.loads(row["lost"])
    assert (lost["provider"], lost["model"], lost["outcome"], lost["estimated"]) == (target, "m", "cancelled", True)
    assert_near(lost["in_uncached"], PROMPT)


def assert_estimated(row: Mapping[str, Any]) -> None:
    assert (row["outcome"], row["estimated"]) == ("ok", 1)
    assert_near(row["in_uncached"], PROMPT)
    assert_near(row["out_visible"], TEXT)


def assert_near(count: int, text: str) -> None:
    """An estimate: a token has between two and seven characters, and what stands around a text adds a few."""
    assert len(text) / 7 <= count <= len(text) / 2 + 12
