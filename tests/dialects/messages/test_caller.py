"""Callers that speak Messages: what they send is read with its paths, what they get is what their clients can bear."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import Raw

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CanonicalAnswer,
    Choice,
    End,
    Event,
    Finish,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    UsageSnapshot,
)
from gaiarouter.canonical.fold import unfold
from gaiarouter.canonical.parts import Opaque, Reasoning, Refusal, Sealed, Text, ToolCall, ToolResult
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.messages.decode import decode_request
from gaiarouter.dialects.messages.encode import encode_answer
from gaiarouter.dialects.messages.encode_events import StreamEncoder
from gaiarouter.dialects.messages.head import read_request
from gaiarouter.dialects.messages.view import AnswerView
from gaiarouter.errors import BadAnswer, InvalidRequest

VIEW = AnswerView(fallback_id="msg_own", input_tokens=11)
HI = [{"role": "user", "content": "Hi"}]
BOOKS = "x-anthropic-billing-header: a=1;"
CALL = ToolCall(call_id="c1", name="f", arguments='{"b":12345678901234567890,"a":"é"}')


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 9, "messages": HI} | members, ensure_ascii=False).encode()


def answer(*parts: Any, finish: Finish | None = None) -> CanonicalAnswer:
    choice = Choice(0, parts, finish or Finish(reason="stop"))
    return CanonicalAnswer(id="chatcmpl-1", model="other", choices=(choice,), usage=Usage(in_uncached=3, out_visible=2))


def told(*parts: Any, finish: Finish | None = None, view: AnswerView = VIEW) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_answer(answer(*parts, finish=finish), view))
    return found


def events_of(events: Iterable[Event], view: AnswerView = VIEW) -> list[dict[str, Any]]:
    lines = StreamEncoder(view).encode(events).split(b"\n")
    return [json.loads(line[5:]) for line in lines if line.startswith(b"data:")]


def grown(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks that a stream tells, put together as Anthropic documents it."""
    blocks: list[dict[str, Any]] = []
    for event in stream:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(event["content_block"] | {"json": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            for name, key in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                if name in delta:
                    blocks[event["index"]][key] += delta[name]
            if "signature" in delta:
                blocks[event["index"]]["signature"] = delta["signature"]
    for block in blocks:
        text = block.pop("json")
        if text:
            block["input"] = json.loads(text)
    return blocks


def test_every_block_is_read_in_its_place() -> None:
    content = [
        {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [{"type": "text", "text": "no"}]},
        {"type": "text", "text": "And?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    turns = decode_request(
        body(
            messages=[
                *HI,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1}}]},
                {"role": "user", "content": content},
            ]
        )
    ).turns
    call, (result, text) = turns[1].parts[0], turns[2].parts
    assert isinstance(call, ToolCall)
    assert (call.call_id, call.arguments) == ("t1", '{"b":1}')
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.is_error) == ("t1", True)
    assert isinstance(text, Text)
    assert text.cache is not None
    assert (text.text, text.cache.ttl, text.path) == ("And?", "1h", "messages[2].content[1]")


def test_a_block_that_nobody_knows_is_kept_in_its_bytes() -> None:
    raw = '{"type": "hologram", "rays": [1.0, 2e3]}'
    (turn,) = decode_request(
        b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[%s]}]}' % raw.encode()
    ).turns
    assert turn.parts == (
        Opaque(dialect="messages", type="hologram", raw=Raw(raw.encode()), path="messages[0].content[0]"),
    )


def test_a_search_result_can_be_read_by_others() -> None:
    block = {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "C"}]}
    (turn,) = decode_request(body(messages=[{"role": "user", "content": [block]}])).turns
    (part,) = turn.parts
    assert isinstance(part, Opaque)
    assert part.fallback == "T\nS\nC"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "%"}}]}]},
         "messages[0].content[0].source.data"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages[0].content[0].tool_use_id"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "x"}]}]},
         "messages[0].content[0].name"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"system": [{"type": "image"}]}, "system[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_path(members: dict[str, Any], param: str) -> None:
    given = {name: value for name, value in json.loads(body(**members)).items() if value is not None}
    sent = json.dumps(given).encode()
    with pytest.raises(InvalidRequest) as raised:
        assert read_request(sent) == decode_request(sent)
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("system", "texts"),
    [
        (f"{BOOKS}\nBe kind", [(BOOKS, "messages"), ("Be kind", None)]),
        ([{"type": "text", "text": BOOKS}, {"type": "text", "text": "P"}], [(BOOKS, "messages"), ("P", None)]),
    ],
)  # fmt: skip
def test_t90_a_clients_books_are_for_the_provider_of_this_format_alone(system: Any, texts: Any) -> None:
    request = decode_request(body(system=system))
    assert [(each.text, each.reader) for each in request.instructions] == texts
    assert [each.text for each in request.instructions_for("gemini")] == [texts[1][0]]
    assert len(request.instructions_for("messages")) == 2


def test_t82_arguments_keep_their_digits_and_letters() -> None:
    assert b'"input":{"b":12345678901234567890,"a":"\xc3\xa9"}' in encode_answer(answer(CALL), VIEW)


@pytest.mark.parametrize("arguments", ["", " ", "null", "{}"])
def test_t24_a_call_without_arguments_has_an_empty_input(arguments: str) -> None:
    call = ToolCall(call_id="c", name="f", arguments=arguments)
    assert told(call)["content"][0]["input"] == {}
    assert grown(events_of(unfold(answer(ToolCall(call_id="c", name="f")))))[0]["input"] == {}


def test_t37_a_call_that_a_limit_cut_short_is_not_mended() -> None:
    torn = ToolCall(call_id="c", name="f", arguments='{"a":1')
    assert told(Text(text="Hm"), torn, finish=Finish(reason="length"))["content"] == [{"type": "text", "text": "Hm"}]
    with pytest.raises(BadAnswer):
        told(torn, finish=Finish(reason="tool_calls"))


@pytest.mark.parametrize("ids", [("", ""), ("a", "a")])
def test_calls_have_ids_of_their_own(ids: tuple[str, str]) -> None:
    calls = [ToolCall(call_id=each, name="f", arguments="{}") for each in ids]
    whole = [block["id"] for block in told(*calls)["content"]]
    streamed = [block["id"] for block in grown(events_of(unfold(answer(*calls))))]
    assert whole == streamed
    assert len(set(whole)) == 2
    assert all(whole)


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        (Finish(reason="stop"), {"stop_reason": "end_turn", "stop_sequence": None}),
        (Finish(reason="stop_sequence", stop_sequence="X"), {"stop_reason": "stop_sequence", "stop_sequence": "X"}),
        (Finish(reason="stop_sequence"), {"stop_reason": "end_turn", "stop_sequence": None}),
        (Finish(reason="length"), {"stop_reason": "max_tokens", "stop_sequence": None}),
        (Finish(reason="context_length"), {"stop_reason": "model_context_window_exceeded", "stop_sequence": None}),
        (Finish(reason="tool_calls"), {"stop_reason": "tool_use", "stop_sequence": None}),
        (Finish(reason="pause"), {"stop_reason": "pause_turn", "stop_sequence": None}),
        (Finish(reason="other"), {"stop_reason": "end_turn", "stop_sequence": None}),
        (
            Finish(reason="refusal", category="cyber", explanation="No."),
            {
                "stop_reason": "refusal",
                "stop_sequence": None,
                "stop_details": {"type": "refusal", "category": "cyber", "explanation": "No."},
            },
        ),
        (
            Finish(reason="content_filter", native="SAFETY"),
            {
                "stop_reason": "refusal",
                "stop_sequence": None,
                "stop_details": {"type": "refusal", "category": None, "explanation": "SAFETY"},
            },
        ),
    ],
)
def test_every_ending_has_its_word(finish: Finish, said: dict[str, Any]) -> None:
    assert told(Text(text="x"), finish=finish).items() >= said.items()
    (delta,) = [each["delta"] for each in events_of(unfold(answer(finish=finish))) if each["type"] == "message_delta"]
    assert delta == said


def test_t26_parts_that_are_told_at_once_become_blocks_one_after_another() -> None:
    events = [
        Start("", "m"),
        PartStart(0, ToolCall(call_id="a", name="f")),
        PartStart(1, ToolCall(call_id="b", name="g")),
        ArgumentsDelta(1, '{"y":'),
        ArgumentsDelta(0, '{"x":1'),
        ArgumentsDelta(1, "2}"),
        PartEnd(1),
        PartStart(2, Text(text="")),
        TextDelta(2, "So"),
        ArgumentsDelta(0, "}"),
        PartEnd(0),
        TextDelta(2, " it is"),
        PartEnd(2),
        Finish(reason="tool_calls"),
        End(),
    ]
    stream = events_of(events)
    assert grown(stream) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
        {"type": "text", "text": "So it is"},
    ]
    kinds = [event["type"] for event in stream if event["type"].startswith("content_block")]
    for before, after in itertools.pairwise(kinds):
        assert (before == "content_block_stop") == (after == "content_block_start")


def test_parts_whose_end_is_not_told_end_with_the_message() -> None:
    events = [
        Start("", "m"),
        PartStart(0, Text(text="a")),
        PartStart(1, ToolCall(call_id="b", name="g")),
        Finish(reason="tool_calls"),
        End(),
    ]
    assert [block["type"] for block in grown(events_of(events))] == ["text", "tool_use"]


def test_the_start_of_a_stream_has_counts_or_an_estimate() -> None:
    started = [Start("", "m"), PartStart(0, Text(text="a"))]
    assert events_of(started)[0]["message"]["usage"]["input_tokens"] == 11
    counted = [Start("", "m"), UsageSnapshot(Usage(in_uncached=7)), PartStart(0, Text(text="a"))]
    assert events_of(counted)[0]["message"]["usage"]["input_tokens"] == 7


def test_an_answer_without_content_is_a_whole_stream_all_the_same() -> None:
    kinds = [event["type"] for event in events_of([Start("", "m"), Finish(reason="stop"), End()])]
    assert kinds == ["message_start", "ping", "message_delta", "message_stop"]


def test_t48_every_event_is_named_as_its_data_says() -> None:
    stream = StreamEncoder(VIEW).encode(unfold(answer(Text(text="a"), CALL)))
    for event in stream.split(b"\n\n")[:-1]:
        name, data = event.split(b"\n")
        assert name == b"event: " + json.loads(data[5:])["type"].encode()


def test_t47_nothing_of_chats_ending_is_in_it() -> None:
    assert b"[DONE]" not in StreamEncoder(VIEW).encode(unfold(answer(Text(text="a"))))


SEALED = Sealed("encrypted", "openai-responses-v1", "gAAA")
OWN = Sealed("signature", "google-gemini-v1", "sig/1+")


@pytest.mark.parametrize(
    "part",
    [
        Reasoning(visible=("Hm",), sealed=(SEALED,), format="openai-responses-v1"),
        Reasoning(visible=("Hm",), format="deepseek"),
        Reasoning(sealed=(SEALED, OWN), format="openai-responses-v1"),
    ],
    ids=["sealed", "bare", "two seals"],
)
def test_t99_another_providers_thinking_comes_back_as_it_went(part: Reasoning) -> None:
    for blocks in (told(part)["content"], grown(events_of(unfold(answer(part))))):
        (block,) = blocks
        assert block["signature"].startswith("gw1.")
        (turn,) = decode_request(body(messages=[{"role": "assistant", "content": blocks}])).turns
        (back,) = turn.parts
        assert isinstance(back, Reasoning)
        assert (back.visible, back.sealed, back.format) == (part.visible, part.sealed, part.format)


@pytest.mark.parametrize("streamed", [True, False])
def test_t57_a_seal_on_a_call_or_a_text_comes_back_on_it(streamed: bool) -> None:
    parts = (Text(text="So", sealed=OWN), ToolCall(call_id="c", name="f", arguments="{}", sealed=OWN))
    blocks = grown(events_of(unfold(answer(*parts)))) if streamed else told(*parts)["content"]
    (turn,) = decode_request(body(messages=[{"role": "assistant", "content": blocks}])).turns
    text, call = turn.parts
    assert isinstance(text, Text)
    assert isinstance(call, ToolCall)
    assert (text.text, text.sealed, call.sealed) == ("So", OWN, OWN)


def test_t99_who_did_not_switch_thinking_on_sees_none() -> None:
    view = AnswerView(fallback_id="x", shows_thinking=False)
    parts = (Reasoning(visible=("Hm",), format="x"), Text(text="So", sealed=OWN))
    assert told(*parts, view=view)["content"] == [{"type": "text", "text": "So"}]
    assert grown(events_of(unfold(answer(*parts)), view)) == [{"type": "text", "text": "So"}]


@pytest.mark.parametrize("thinking", [None, {"type": "disabled"}])
def test_t99_a_request_that_does_not_ask_for_thinking_gets_an_answer_without(thinking: Any) -> None:
    asked = MessagesCaller().decode_request(body(thinking=thinking))
    writer = MessagesCaller().writer(asked, answer_id="x", created=7, input_tokens=1)
    said = answer(Reasoning(visible=("Hm",), format="x"), Text(text="So"))
    assert [each["type"] for each in json.loads(writer.encode_answer(said))["content"]] == ["text"]
    assert b"thinking" not in writer.stream_encoder().encode(unfold(said))


@pytest.mark.parametrize(
    ("thinking", "visible"),
    [
        (None, "omit"),
        ({"type": "disabled"}, "omit"),
        ({"type": "adaptive"}, "shown"),
        ({"type": "enabled", "budget_tokens": 2000, "display": "summarized"}, "summary"),
        ({"type": "adaptive", "display": "omitted"}, "withheld"),
    ],
)
def test_what_a_caller_wants_to_see_of_thinking(thinking: Any, visible: str | None) -> None:
    assert decode_request(body(thinking=thinking)).thinking.visible == visible


def test_t36_what_a_model_says_when_it_refuses_is_text_and_its_ending_says_so() -> None:
    said = told(Refusal(text="I can't"), finish=Finish(reason="refusal"))
    assert said["content"] == [{"type": "text", "text": "I can't"}]
    assert said["stop_reason"] == "refusal"


@pytest.mark.parametrize("signature", ["gw1.", "gw1.%%%", "gw1.e30", "gw1.eyJvbiI6Im1vb24ifQ", "gw1.bm8"])
def test_a_forged_signature_of_the_gateways_does_no_harm(signature: str) -> None:
    block = {"type": "thinking", "thinking": "x", "signature": signature}
    (turn,) = decode_request(body(messages=[{"role": "assistant", "content": [block]}])).turns
    assert all(isinstance(part, Reasoning) for part in turn.parts)


def test_late_seals_of_thinking_are_told_at_its_end() -> None:
    events = [
        Start("", "m"),
        PartStart(0, Reasoning(visible=("",), format="anthropic-claude-v1")),
        ReasoningDelta(0, "Hm"),
        SealedDelta(0, Sealed("signature", "anthropic-claude-v1", "sig")),
        PartEnd(0),
        Finish(reason="stop"),
        End(),
    ]
    assert grown(events_of(events)) == [{"type": "thinking", "thinking": "Hm", "signature": "sig"}]
