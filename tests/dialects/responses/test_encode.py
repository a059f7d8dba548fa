"""What a Responses caller is told, event by event."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CanonicalAnswer,
    Choice,
    CitationDelta,
    End,
    Event,
    Finish,
    LogprobsDelta,
    PartEnd,
    PartStart,
    Start,
    TextDelta,
)
from gaiarouter.canonical.fold import unfold
from gaiarouter.canonical.parts import (
    AnswerPart,
    Base64,
    Citation,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
)
from gaiarouter.dialects.responses.caller import ResponsesCaller, ResponsesWriter

CALLER = ResponsesCaller()


def writer(**members: Any) -> ResponsesWriter:
    request = CALLER.decode_request(json.dumps({"model": "m", "input": "Hi"} | members).encode())
    return CALLER.writer(request, answer_id="own", created=7, input_tokens=1)


def answer(*parts: AnswerPart, **finish: Any) -> CanonicalAnswer:
    return CanonicalAnswer(id="a_1", model="m", choices=(Choice(0, parts, Finish(**({"reason": "stop"} | finish))),))


def whole(*parts: AnswerPart, asked: dict[str, Any] | None = None, **finish: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(writer(**(asked or {})).encode_answer(answer(*parts, **finish)))
    return found


def told(events: list[Event], **members: Any) -> list[dict[str, Any]]:
    found = []
    for n, event in enumerate(writer(**members).stream_encoder().encode(events).decode().split("\n\n")[:-1]):
        name, _, data = event.partition("\n")
        body = json.loads(data.removeprefix("data: "))
        assert (name, body.pop("sequence_number")) == (f"event: {body['type']}", n)
        found.append(body)
    return found


def test_a6_thinking_then_text_then_calls_in_the_order_of_the_api() -> None:
    reasoning = Reasoning(
        visible=("A",), sealed=(Sealed("signature", "anthropic-claude-v1", "S"),), format="anthropic-claude-v1"
    )
    calls = [ToolCall(call_id=f"t{n}", name="f", arguments="{}") for n in range(2)]
    events = told(list(unfold(answer(reasoning, Text(text="B"), *calls, reason="tool_calls"))))
    prefix = "response."
    call = [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert [event["type"].removeprefix(prefix) for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        *call,
        *call,
        "completed",
    ]
    assert [event["output_index"] for event in events[2:-1]] == [0] * 6 + [1] * 6 + [2] * 4 + [3] * 4
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == items
    assert (events[0]["response"]["status"], events[0]["response"]["output"]) == ("in_progress", [])


def test_t27_an_items_id_is_the_same_in_all_events_and_is_not_the_calls() -> None:
    for part in (Text(text="B"), ToolCall(call_id="call_1", name="f", arguments="{}"), Reasoning(visible=("A",))):
        events = told(list(unfold(answer(part))))[2:]
        ids = {event.get("item_id") or event.get("item", {}).get("id") for event in events[:-1]}
        assert ids == {events[-1]["response"]["output"][0]["id"]}
        assert "call_1" not in ids


def test_interleaved_calls_are_told_one_after_the_other() -> None:
    events: list[Event] = [
        Start("a", "m"),
        PartStart(0, ToolCall(call_id="a", name="f")),
        PartStart(1, ToolCall(call_id="b", name="g")),
        ArgumentsDelta(0, '{"x"'),
        ArgumentsDelta(1, '{"y"'),
        ArgumentsDelta(0, ":1}"),
        ArgumentsDelta(1, ":2}"),
        PartEnd(0),
        PartEnd(1),
        Finish(reason="tool_calls"),
        End(),
    ]
    found = told(events)
    assert [event["output_index"] for event in found[2:-1]] == [0] * 5 + [1] * 5
    assert [item["arguments"] for item in found[-1]["response"]["output"]] == ['{"x":1}', '{"y":2}']


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        (
            ToolCall(call_id="c", name="f", arguments="x", kind="custom"),
            ["custom_tool_call_input.delta", "custom_tool_call_input.done"],
        ),
        (Refusal(text="No"), ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]),
        (
            Reasoning(visible=("T",)),
            ["content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done"],
        ),
        (Image(source=Base64("image/png", "AA==")), []),
        (Opaque(dialect="responses", type="mcp_call", raw=msgspec.Raw(b'{"type":"mcp_call"}')), []),
    ],
)
def test_other_items_are_told_in_their_own_events(part: AnswerPart, kinds: list[str]) -> None:
    events = told(list(unfold(answer(part))))[2:-1]
    found = [event["type"].removeprefix("response.") for event in events]
    assert found == ["output_item.added", *kinds, "output_item.done"]


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("stop_sequence", "completed", None),
        ("tool_calls", "completed", None),
        ("pause", "completed", None),
        ("other", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("context_length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("error", "failed", None),
    ],
)
def test_the_reason_is_the_status(reason: str, status: str, details: Any) -> None:
    body = whole(Text(text="x"), reason=reason)
    assert (body["status"], body["incomplete_details"]) == (status, details)
    assert (body["error"] is not None) == (status == "failed")
    assert told(list(unfold(answer(reason=reason))))[-1]["type"] == f"response.{status}"


def test_t36_who_was_stopped_has_refused() -> None:
    body = whole(Text(text="Sure"), reason="refusal", explanation="I will not.")
    assert body["status"] == "completed"
    assert [part["type"] for part in body["output"][0]["content"]] == ["output_text", "refusal"]
    assert body["output"][0]["content"][1]["refusal"] == "I will not."
    own = whole(Refusal(text="No"), reason="refusal")
    assert own["output"][0]["content"] == [{"type": "refusal", "refusal": "No"}]


def test_the_answer_repeats_what_was_asked_and_keeps_nothing() -> None:
    asked = {
        "instructions": "Be kind.",
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "f", "parameters": {"b": 1.0, "a": 2}, "strict": None}],
        "tool_choice": "required",
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "metadata": {"k": "v"},
        "store": True,
        "truncation": "auto",
    }
    body = whole(asked=asked)
    kept = {name: body[name] for name in ("instructions", "temperature", "tools", "tool_choice", "metadata")}
    assert kept == {name: asked[name] for name in kept}
    assert body["reasoning"] == {"effort": "low", "summary": None}
    assert body["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert (body["store"], body["truncation"], body["previous_response_id"]) == (False, "disabled", None)
    assert (body["id"], body["object"], body["created_at"], body["user"]) == ("resp_1", "response", 7, None)


def test_a_namespace_comes_back_to_its_tool() -> None:
    space = {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "get"}]}
    body = whole(ToolCall(call_id="c", name="crm__get", arguments="{}"), asked={"tools": [space]})
    assert (body["output"][0]["name"], body["output"][0]["namespace"]) == ("get", "crm")


def test_citations_say_where_they_stand() -> None:
    raw = msgspec.Raw(b"{}")
    foreign = Citation(kind="url", dialect="messages", raw=raw, url="https://a", title="A")
    events: list[Event] = [
        Start("a", "m"),
        PartStart(0, Text(text="")),
        CitationDelta(0, foreign),
        TextDelta(0, "Öne"),
        PartEnd(0),
        Finish(reason="stop"),
        End(),
    ]
    annotation = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 3}
    found = told(events)
    (added,) = [event for event in found if event["type"] == "response.output_text.annotation.added"]
    assert (added["annotation"], added["annotation_index"]) == (annotation, 0)
    assert found[-1]["response"]["output"][0]["content"][0]["annotations"] == [annotation]


def test_logprobs_go_out_with_their_text() -> None:
    raw = msgspec.Raw(b'[{"token":"a","logprob":-1.50}]')
    events: list[Event] = [
        Start("a", "m"),
        PartStart(0, Text(text="")),
        LogprobsDelta(0, raw),
        TextDelta(0, "a"),
        PartEnd(0),
        Finish(reason="stop"),
        End(),
    ]
    data = writer().stream_encoder().encode(events)
    assert data.count(b'[{"token":"a","logprob":-1.50}]') == 5
    (delta,) = [event for event in told(events) if event["type"] == "response.output_text.delta"]
    assert delta["logprobs"] == [{"token": "a", "logprob": -1.5}]


def test_a_text_without_a_letter_leaves_nothing() -> None:
    assert whole(Text(text=""), ToolCall(call_id="c", name="f"))["output"][0]["type"] == "function_call"


def test_tools_that_the_provider_runs_are_not_the_callers() -> None:
    assert whole(ToolCall(call_id="c", name="f", kind="server"))["output"] == []
