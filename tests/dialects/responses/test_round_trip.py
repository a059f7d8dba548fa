"""All recorded Responses traffic, read into the canonical form and written again: the same JSON, but for what is listed
here with its reason."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.events import CanonicalAnswer, Event, Failure, TextDelta
from gaiarouter.canonical.fold import fold
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.dialects.responses.plan import AnswerPlan
from gaiarouter.dialects.responses.target import ResponsesTarget
from gaiarouter.dialects.responses.target_chunks import StreamDecoder
from gaiarouter.dialects.responses.target_response import decode_answer
from gaiarouter.errors import BadAnswer, Interrupted
from tests.recorded import Interaction, every, interactions

CALLER, TARGET, PLAN = ResponsesCaller(), ResponsesTarget(), AnswerPlan()
Json = dict[str, Any]
REQUESTS = tuple(each for each in interactions(endpoint="responses") if "model" in each.request)
ANSWERS = tuple(
    each
    for each in interactions(endpoint="responses", ok=True, stream=False)
    if each.answer["status"] in ("completed", "incomplete")
)
STREAMS = interactions(endpoint="responses", ok=True, stream=True)


def without(value: Json, *names: str) -> Json:
    return {name: each for name, each in value.items() if name not in names}


# Requests. Each line is a way to say the same.


def same_request(asked: Json) -> Json:
    said = {name: value for name, value in asked.items() if value is not None}
    items = said.get("input", [])
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]  # a text alone is a message of the user's
    include = [*said.get("include", ())]
    if said.get("top_logprobs"):
        include.append("message.output_text.logprobs")  # who wants alternatives wants the tokens too
    include.append("reasoning.encrypted_content")  # always asked for, since nothing is kept
    ttl = (said.get("prompt_cache_options") or {}).get("ttl")
    said |= {"input": [same_item(item, ttl) for item in items], "include": sorted(set(include)), "store": False}
    for name, neutral in (("background", False), ("truncation", "disabled"), ("stream", False), ("tools", [])):
        if said.get(name) == neutral:
            del said[name]  # what is so anyway
    said = {name: value for name, value in said.items() if value != {} or name == "metadata"}
    if "reasoning" in said:  # the older name of the same wish
        wish = {name: value for name, value in said.pop("reasoning").items() if value is not None}
        summary = {"summary": wish["generate_summary"]} if "generate_summary" in wish else {}
        said |= {"reasoning": found} if (found := summary | without(wish, "generate_summary")) else {}
    if said.get("instructions") == "":
        del said["instructions"]
    if "tools" in said:
        said["tools"] = [same_tool(tool) for tool in said["tools"]]
    return said


def same_tool(tool: Json) -> Json:
    return {name: value for name, value in tool.items() if value is not None} if tool["type"] == "function" else tool


def same_item(item: Json, ttl: str | None = None) -> Json:
    if "role" in item and item.get("type") in (None, "message"):
        content = item["content"]
        kind = "output_text" if item["role"] == "assistant" else "input_text"
        if isinstance(content, str):
            content = [{"type": kind, "text": content}]
        return without(item, "status") | {"type": "message", "content": [same_part(each, ttl) for each in content]}
    if item.get("type") in ("function_call", "reasoning", "function_call_output"):
        # a status says how far an item had come when it was made
        return {name: value for name, value in without(item, "status").items() if value not in (None, [])} | (
            {"summary": item["summary"]} if "summary" in item else {}
        )
    return item


def same_part(part: Json, ttl: str | None) -> Json:
    if ttl is not None and "prompt_cache_breakpoint" in part:
        return part | {"prompt_cache_breakpoint": {"ttl": ttl} | part["prompt_cache_breakpoint"]}
    if part["type"] == "output_text":
        return {"annotations": []} | {name: value for name, value in part.items() if name != "logprobs" or value}
    if part["type"] == "input_file" and "file_data" in part:
        return {"filename": "document"} | part
    return part


@every(REQUESTS)
def test_a_request(recorded: Interaction) -> None:
    asked = recorded.request
    request = CALLER.decode_request(json.dumps(asked).encode())
    prepared = TARGET.prepare(request, model=asked["model"], strict=False)
    written = json.loads(prepared.body)
    written["include"] = sorted({*written.get("include", ()), "reasoning.encrypted_content"})
    written["input"] = [same_item(item) for item in written["input"]]
    assert written == same_request(asked)
    assert prepared.losses == ()


# Answers. The settings in them repeat the request's, and have tests of their own.

SAID = ("id", "object", "created_at", "status", "model", "output", "incomplete_details", "error")


def same_answer(answer: Json) -> Json:
    said = {name: answer.get(name) for name in SAID} | {"id": same_id(answer["id"])}
    return said | {"created_at": int(answer["created_at"]), "output": [same_output(item) for item in answer["output"]]}


def same_id(answer_id: str) -> str:
    """Everybody's begin as the API's do."""
    return "resp_" + answer_id.removeprefix("resp_").removeprefix("req_")


def same_output(item: Json) -> Json:
    """Without what is neither read nor needed: a status, empty lists, null."""
    if item["type"] not in ("message", "reasoning", "function_call", "custom_tool_call"):
        return item
    kept = without(item, "status", "format", "output_index", "item_id")
    kept = {name: value for name, value in kept.items() if value not in (None, []) or name in ("summary", "content")}
    if item["type"] == "message":
        kept["content"] = [{"annotations": [], "logprobs": []} | (part or {}) for part in item["content"]]
    elif not kept.get("content"):
        kept.pop("content", None)
    return kept


def resealed(item: Json) -> Json:
    """Some providers seal the same thing twice: at the end of the item, and at the end of the stream."""
    return item | {"encrypted_content": "sealed"} if "encrypted_content" in item else item


def counts(usage: Json | None) -> list[int] | None:
    if not usage or not usage.get("total_tokens"):
        return None
    read = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
    thought = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    return [usage["input_tokens"], usage["output_tokens"], usage["total_tokens"], read, thought]


def written(answer: CanonicalAnswer) -> Json:
    request = CALLER.decode_request(b'{"model":"m","input":"Hi"}')
    found: Json = json.loads(CALLER.writer(request, answer_id="own", created=7, input_tokens=1).encode_answer(answer))
    return found


@every(ANSWERS)
def test_an_answer(recorded: Interaction) -> None:
    found = written(decode_answer(recorded.body, PLAN))
    for ours, theirs in zip(found["output"], recorded.answer["output"], strict=True):
        if "id" not in theirs:
            del ours["id"]  # the API's items have one
    assert same_answer(found) == same_answer(recorded.answer)
    assert counts(found["usage"]) == counts(recorded.answer.get("usage"))


# Streams.


def decoded(data: bytes, *cuts: int) -> list[Event]:
    decoder = StreamDecoder(PLAN)
    edges = [0, *sorted(cuts), len(data)]
    events = [event for first, last in itertools.pairwise(edges) for event in decoder.feed(data[first:last])]
    return [*events, *decoder.close()]


def told(stream: str) -> list[Json]:
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: {")]


PROGRESS = ("web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "mcp_list_tools", "queued")
"""How far a tool of the provider's has come: nobody but its item's end is told."""


def same_event(event: Json) -> Json | None:
    kind = event["type"]
    if kind.split(".")[1] in PROGRESS:
        return None
    if kind in ("response.output_item.added", "response.output_item.done"):
        # how an item looks at its beginning is the provider's own; at its end it is whole
        item = same_output(event["item"])
        item = {"type": item["type"]} if kind.endswith("added") else item
        return {"type": kind, "output_index": event["output_index"], "item": item}
    if kind in ("response.completed", "response.incomplete"):
        return {"type": kind, "output": [resealed(same_output(item)) for item in event["response"]["output"]]}
    if "response" in event:
        return {"type": kind, "id": same_id(event["response"]["id"])}
    if kind.startswith("response.content_part"):
        part = {"annotations": [], "logprobs": []} | event["part"]
        return {"type": kind, "item_id": event["item_id"], "output_index": event["output_index"], "part": part}
    # the names of functions come in newer streams only, padding in some
    return without(event, "sequence_number", "obfuscation", "name", "logprobs")


def place(event: Json) -> float:
    """Items that were told at the same time are told one after the other."""
    ended = event["type"] in ("response.completed", "response.incomplete")
    return float("inf") if ended else float(event.get("output_index", -1))


ODD_STREAMS = {"95cadd2e3313": "counts the parts of a message from 1, and has events of its own for thinking"}


@every([each for each in STREAMS if each.id not in ODD_STREAMS])
def test_a_stream(recorded: Interaction) -> None:
    events = decoded(recorded.body)
    assert not isinstance(events[-1], Failure)
    request = CALLER.decode_request(b'{"model":"m","input":"Hi","stream":true}')
    again = CALLER.writer(request, answer_id="own", created=7, input_tokens=1).stream_encoder().encode(events).decode()
    expected = [found for event in told(recorded.answer) if (found := same_event(event)) is not None]
    assert [same_event(event) for event in told(again)] == sorted(expected, key=place)
    last = told(recorded.answer)[-1]["response"]
    assert counts(told(again)[-1]["response"]["usage"]) == counts(last.get("usage"))


@every(STREAMS)
def test_a_stream_folded_is_the_answer_that_it_ends_with(recorded: Interaction) -> None:
    last = same_answer(told(recorded.answer)[-1]["response"])
    found = same_answer(written(fold(decoded(recorded.body))))
    for each in (last, found):
        each["output"] = [resealed(item) for item in each["output"]]
    assert found == last


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 60_000), max_size=12))
def test_events_do_not_depend_on_where_the_bytes_were_cut(recorded: Interaction, cuts: list[int]) -> None:
    data = recorded.body
    assert decoded(data, *(cut for cut in cuts if cut < len(data))) == decoded(data)


SMALL = sorted((each.body for each in STREAMS), key=len)[:12]


@pytest.mark.parametrize("data", SMALL, ids=range(len(SMALL)))
def test_byte_by_byte_it_is_the_same(data: bytes) -> None:
    assert decoded(data, *range(1, len(data))) == decoded(data)
    assert decoded(data.replace(b"\n", b"\r\n"), *range(1, len(data), 7)) == decoded(data)


@pytest.mark.parametrize("data", SMALL[:3], ids=range(3))
def test_t33_wherever_a_stream_breaks_off_it_fails(data: bytes) -> None:
    whole = decoded(data)
    for length in range(0, len(data[: data.rfind(b"response.completed") - 40]), 3):
        *events, last = decoded(data[:length])
        assert isinstance(last, Failure)
        assert isinstance(last.error, Interrupted)
        assert events == whole[: len(events)]


def event(**members: Any) -> bytes:
    return f"event: {members['type']}\ndata: {json.dumps(members)}\n\n".encode()


def test_t27_a_call_without_an_id_is_found_by_its_place() -> None:
    item = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}
    done = item | {"arguments": "{}"}
    body = {"id": "r", "model": "m", "status": "completed", "output": [done]}
    data = (
        event(type="response.created", response=body | {"output": [], "status": "in_progress"})
        + event(type="response.output_item.added", output_index=0, item=item)
        + event(type="response.function_call_arguments.delta", output_index=0, delta="{}")
        + event(type="response.output_item.done", output_index=0, item=done)
        + event(type="response.completed", response=body)
    )
    (choice,) = fold(decoded(data)).choices
    assert (choice.parts[0].call_id, choice.parts[0].arguments) == ("call_1", "{}")  # type: ignore[union-attr]
    assert choice.finish.reason == "tool_calls"


def test_what_comes_only_at_the_end_is_told_all_the_same() -> None:
    message = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hi"}]}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "S"}]}
    body = {"id": "r", "model": "m", "status": "completed", "output": [thought, message, call]}
    (choice,) = fold(decoded(event(type="response.completed", response=body))).choices
    assert [type(part).__name__ for part in choice.parts] == ["Reasoning", "Text", "ToolCall"]
    assert written(fold(decoded(event(type="response.completed", response=body))))["output"][1]["content"] == [
        {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    ]


@pytest.mark.parametrize(
    "data",
    [
        event(type="response.failed", response={"status": "failed", "error": {"code": "server_error", "message": "x"}}),
        event(type="error", code="server_error", message="x"),
        b'{"error":{"message":"x"}}\n\n',
        event(type="response.completed", response={"status": "queued", "output": []}),
    ],
)
def test_t34_an_error_is_the_last_event(data: bytes) -> None:
    good = event(type="response.output_text.delta", output_index=0, item_id="m", delta="Hi")
    *events, last = decoded(good + data + good)
    assert isinstance(last, Failure)
    assert sum(isinstance(each, TextDelta) for each in events) == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"output":{}}', b'{"output":[3]}', b'{"output":[],"id":"\xff"}'])
def test_what_is_no_answer_is_an_error(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        decode_answer(body, PLAN)
