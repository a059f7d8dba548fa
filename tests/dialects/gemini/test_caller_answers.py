"""Callers that speak Gemini: what they get is what their clients can bear."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CanonicalAnswer,
    Choice,
    End,
    Finish,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    UsageSnapshot,
)
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.canonical.parts import (
    Audio,
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
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.gemini.array import ArrayFraming
from gaiarouter.dialects.gemini.caller import GeminiCaller
from gaiarouter.dialects.gemini.encode import StreamEncoder, encode_answer
from gaiarouter.dialects.gemini.view import AnswerView
from tests.dialects.gemini.calling import (
    CALL,
    CLAUDE,
    SIGNED,
    VIEW,
    answer,
    candidate,
    decoded,
    parts_of,
    said,
    streamed,
    told,
)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "parts",
    [
        (SIGNED, Text(text="A"), CALL),
        (SIGNED, CALL, Reasoning(visible=("Again",), sealed=(Sealed("signature", CLAUDE, "d"),), format=CLAUDE)),
        (Text(text="A"), SIGNED, Text(text="B")),
        (SIGNED,),
        (Reasoning(visible=("echo",), format="deepseek"), CALL),
        (CALL, Text(text="B"), SIGNED, ToolCall(call_id="c2", name="g", arguments="{}")),
    ],
)
def test_thinking_of_another_provider_comes_back_whole_and_in_its_place(parts: Any, streams: bool) -> None:
    """Whatever a client keeps of thoughts, as long as it keeps the parts with their signatures."""
    view = AnswerView(fallback_id="own", shows_thoughts=False)
    events = list(unfold(answer(*parts)))
    responses = streamed(events, view) if streams else [told(*parts, view=view)]
    sent = [part for each in responses for part in each["candidates"][0]["content"]["parts"]]
    assert not any("thought" in part for part in sent)
    back = [each for each in parts_of(*sent, role="model") if each != Text(text="", path=getattr(each, "path", ""))]
    assert [plain(each) for each in back] == [plain(each) for each in parts]


def plain(part: Any) -> Any:
    match part:
        case Reasoning():
            return part.visible, part.sealed, part.format
        case ToolCall():
            return part.call_id, part.name, json.loads(part.arguments)
        case _:
            return part.text


def test_thoughts_are_shown_to_who_asked_for_them() -> None:
    assert said(SIGNED, Text(text="A"))[:2] == [
        {"text": "Hm.", "thought": True},
        {"text": "A"} | said(SIGNED, Text(text="A"))[1],
    ]
    assert said(SIGNED, Text(text="A"), view=AnswerView(fallback_id="", shows_thoughts=False))[0]["text"] == "A"


def test_a_signature_of_the_gateways_is_base64_as_clients_expect() -> None:
    (_, text) = said(SIGNED, Text(text="A"))
    assert base64.b64decode(text["thoughtSignature"], validate=True).startswith(b"gw1.")


def test_own_signatures_stay_on_their_parts() -> None:
    sealed = Sealed("encrypted", "google-gemini-v1", "c2ln")
    parts = (Text(text="A", sealed=sealed), ToolCall(call_id="c", name="f", arguments="{}", sealed=sealed))
    text, call = said(*parts)
    assert (text["thoughtSignature"], call["thoughtSignature"]) == ("c2ln", "c2ln")
    back = parts_of(text, call, role="model")
    assert [part.sealed for part in back] == [sealed, sealed]


def test_t24_calls_are_whole_and_keep_their_numbers() -> None:
    (first, second) = said(CALL, ToolCall(call_id="c2", name="g", arguments=""))
    assert first["functionCall"] == {"id": "c1", "name": "f", "args": {"b": 12345678901234567890, "a": "é"}}
    assert second["functionCall"] == {"id": "c2", "name": "g", "args": {}}
    events = [
        Start("r", "m"),
        PartStart(0, ToolCall(call_id="a", name="f")),
        PartStart(1, ToolCall(call_id="b", name="g")),
        ArgumentsDelta(0, '{"x"'),
        ArgumentsDelta(1, '{"y":2}'),
        ArgumentsDelta(0, ":1}"),
        PartEnd(1),
        PartEnd(0),
        Finish(reason="tool_calls"),
        End(),
    ]
    responses = streamed(events)
    calls = [
        part["functionCall"]
        for each in responses
        for part in each["candidates"][0]["content"]["parts"]
        if "functionCall" in part
    ]
    assert calls == [{"id": "b", "name": "g", "args": {"y": 2}}, {"id": "a", "name": "f", "args": {"x": 1}}]
    assert responses[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("tool_calls", ("MALFORMED_FUNCTION_CALL", '{"a":')),
        ("stop", ("MALFORMED_FUNCTION_CALL", '{"a":')),
        ("length", ("MAX_TOKENS", None)),
    ],
)
def test_t37_arguments_that_are_no_object_are_not_repaired(reason: Any, expected: Any) -> None:
    broken = ToolCall(call_id="c", name="f", arguments='{"a":')
    found = candidate(Text(text="A"), broken, finish=Finish(reason=reason))
    assert (found["finishReason"], found.get("finishMessage")) == expected
    assert found["content"]["parts"] == [{"text": "A"}]


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        (Finish(reason="stop"), "STOP"),
        (Finish(reason="stop_sequence", stop_sequence="x"), "STOP"),
        (Finish(reason="length"), "MAX_TOKENS"),
        (Finish(reason="context_length"), "MAX_TOKENS"),
        (Finish(reason="tool_calls"), "STOP"),
        (Finish(reason="refusal", explanation="no"), "SAFETY"),
        (Finish(reason="content_filter", native="content_filter"), "SAFETY"),
        (Finish(reason="content_filter", native="SPII"), "SPII"),
        (Finish(reason="pause"), "OTHER"),
        (Finish(reason="other", native="LANGUAGE"), "LANGUAGE"),
        (Finish(reason="other", native="compaction"), "OTHER"),
    ],
)
def test_the_reason_is_a_word_of_the_format(finish: Finish, expected: str) -> None:
    assert candidate(Text(text="A"), finish=finish)["finishReason"] == expected
    events = list(unfold(answer(Text(text="A"), finish=finish)))
    assert streamed(events)[-1]["candidates"][0]["finishReason"] == expected


def test_t36_a_refusal_is_told_with_its_words() -> None:
    found = candidate(Refusal(text="I will not."), finish=Finish(reason="refusal", explanation="policy"))
    assert found["content"]["parts"] == [{"text": "I will not."}]
    assert (found["finishReason"], found["finishMessage"]) == ("SAFETY", "policy")


def test_the_last_response_of_a_stream_has_the_counts_and_all_have_the_head() -> None:
    events = [
        Start("", "m"),
        PartStart(0, Text(text="")),
        TextDelta(0, "A"),
        UsageSnapshot(Usage(in_uncached=3)),
        TextDelta(0, "B"),
        PartEnd(0),
        Finish(reason="stop"),
        UsageSnapshot(Usage(in_uncached=3, out_visible=2)),
        End(),
    ]
    responses = streamed(events)
    assert [each["responseId"] for each in responses] == ["own"] * 3
    assert [each["modelVersion"] for each in responses] == ["m"] * 3
    assert ["usageMetadata" in each for each in responses] == [False, False, True]
    assert responses[-1]["usageMetadata"] == {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    assert responses[-1]["candidates"][0]["content"]["parts"] == [{"text": ""}]


def test_several_choices_are_several_candidates() -> None:
    choices = tuple(Choice(index, (Text(text=str(index)),), Finish(reason="stop", choice=index)) for index in range(2))
    whole = CanonicalAnswer(id="r", model="m", choices=choices)
    found = json.loads(encode_answer(whole, VIEW))["candidates"]
    assert [(each["index"], each["content"]["parts"]) for each in found] == [(0, [{"text": "0"}]), (1, [{"text": "1"}])]
    assert [each["candidates"][-1]["index"] for each in streamed(unfold(whole))][-1] == 1


def test_sources_are_told_in_bytes() -> None:
    cited = Citation(kind="url", dialect="chat", raw=Raw(b"{}"), url="https://x.test", title="X", start=2, end=4)
    grounding = candidate(Text(text="é! ok", citations=(cited,)))["groundingMetadata"]
    assert grounding["groundingChunks"] == [{"web": {"uri": "https://x.test", "title": "X"}}]
    (support,) = grounding["groundingSupports"]
    assert support["segment"] == {"startIndex": 3, "endIndex": 5, "text": " o"}
    assert "é! ok".encode()[3:5].decode() == " o"


def test_probabilities_are_told_with_their_rivals() -> None:
    token = {
        "token": "A",
        "logprob": -0.1,
        "bytes": [65],
        "top_logprobs": [{"token": "B", "logprob": -2.0, "bytes": [66]}],
    }
    found = candidate(Text(text="A", logprobs=(Raw(json.dumps([token]).encode()),)))["logprobsResult"]
    assert found == {
        "chosenCandidates": [{"token": "A", "logProbability": -0.1}],
        "topCandidates": [{"candidates": [{"token": "B", "logProbability": -2.0}]}],
    }


@pytest.mark.parametrize(("text", "expected"), [('"red"', "red"), (' "re\\"d" ', 're"d'), ("red", "red")])
def test_one_of_a_list_of_values_comes_without_its_quotes(text: str, expected: str) -> None:
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["red"]}}
    writer = GeminiCaller().writer(decoded(generationConfig=config), answer_id="a", created=1, input_tokens=1)
    whole = json.loads(writer.encode_answer(answer(Text(text=text))))
    assert whole["candidates"][0]["content"]["parts"] == [{"text": expected}]
    pieces = [
        Start("r", "m"),
        PartStart(0, Text(text="")),
        *(TextDelta(0, each) for each in text),
        PartEnd(0),
        Finish(reason="stop"),
        End(),
    ]
    events = writer.stream_encoder().encode(pieces).removeprefix(b"data: ")
    assert json.loads(events)["candidates"][0]["content"]["parts"] == [{"text": expected}]


def test_pictures_and_sound_are_told_whole() -> None:
    picture, sound, words = said(
        Image(source=Base64("image/png", "AAAA")),
        Audio(source=Base64("audio/wav", "AAAA"), transcript="hi"),
        Opaque(dialect="gemini", type="executableCode", raw=Raw(b'{"executableCode":{}}')),
    )
    assert picture == {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert sound == {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}
    assert words == {"executableCode": {}}


def test_what_only_other_formats_know_is_not_told() -> None:
    others = (
        Opaque(dialect="messages", type="x", raw=Raw(b"{}")),
        ToolCall(call_id="s", name="search", arguments="{}", kind="server"),
        Text(text="A"),
    )
    assert said(*others) == [{"text": "A"}]


def test_a_signature_that_comes_late_stands_behind_its_text() -> None:
    seal = Sealed("encrypted", "google-gemini-v1", "c2ln")
    events = [
        Start("r", "m"),
        PartStart(0, Text(text="")),
        TextDelta(0, "A"),
        SealedDelta(0, seal),
        PartEnd(0),
        Finish(reason="stop"),
        End(),
    ]
    parts = [part for each in streamed(events) for part in each["candidates"][0]["content"]["parts"]]
    assert parts[:2] == [{"text": "A"}, {"text": "", "thoughtSignature": "c2ln"}]
    together = json.loads(StreamEncoder(VIEW).encode(events).removeprefix(b"data: "))
    assert together["candidates"][0]["content"]["parts"] == [{"text": "A", "thoughtSignature": "c2ln"}]


def test_thoughts_come_piece_by_piece() -> None:
    events = [
        Start("r", "m"),
        PartStart(0, Reasoning(format="x")),
        ReasoningDelta(0, "A"),
        ReasoningDelta(0, "B"),
        PartEnd(0),
        PartStart(1, Text(text="C")),
        PartEnd(1),
        Finish(reason="stop"),
        End(),
    ]
    parts = [part for each in streamed(events) for part in each["candidates"][0]["content"]["parts"]]
    assert parts[:3] == [{"text": "A", "thought": True}, {"text": "B", "thought": True}, {"text": "C"}]


@given(some.lists(some.binary(max_size=20)))
def test_an_array_is_json_however_many_elements_it_has(texts: list[bytes]) -> None:
    framing = ArrayFraming()
    events = [
        b"data: " + json.dumps({"text": base64.b64encode(text).decode()}).encode() + b"\r\n\r\n" for text in texts
    ]
    stream = framing.keepalive + b"".join(framing.frame(event) + framing.keepalive for event in events) + framing.end()
    assert json.loads(stream) == [{"text": base64.b64encode(text).decode()} for text in texts]


def test_usage_survives() -> None:
    usage = Usage(in_uncached=5, in_cache_read=4, in_tool=3, out_visible=2, out_reasoning=1)
    events = [Start("r", "m"), Finish(reason="stop"), UsageSnapshot(usage), End()]
    assert fold(events).usage == usage
    metadata = streamed(events)[-1]["usageMetadata"]
    assert metadata == {
        "promptTokenCount": 9,
        "cachedContentTokenCount": 4,
        "toolUsePromptTokenCount": 3,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 1,
        "totalTokenCount": 15,
    }
