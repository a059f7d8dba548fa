"""What a Chat caller sees of answers that no target in the recordings gave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.events import CanonicalAnswer, Choice, Finish
from gaiarouter.canonical.fold import unfold
from gaiarouter.canonical.parts import AnswerPart, Base64, Image, Reasoning, Refusal, Sealed, Text, ToolCall
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.view import AnswerView

VIEW = AnswerView(fallback_id="chatcmpl-own", created=7)


def answer(*parts: AnswerPart, **finish: Any) -> CanonicalAnswer:
    ended = Finish(**({"reason": "stop"} | finish))
    return CanonicalAnswer(id="msg_1", model="m", choices=(Choice(0, parts, ended),))


def whole(*parts: AnswerPart, **finish: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_answer(answer(*parts, **finish), VIEW))["choices"][0]
    return found


def deltas(told: CanonicalAnswer, view: AnswerView = VIEW) -> list[tuple[dict[str, Any], str | None]]:
    events = StreamEncoder(view).encode(unfold(told)).decode().split("\n\n")[:-2]
    choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
    return [(choice["delta"], choice["finish_reason"]) for choice in choices]


def test_t36_what_the_model_itself_declines_stops_and_what_a_filter_stops_is_filtered() -> None:
    own = answer(Refusal(text="I can't."), reason="refusal")
    assert (whole(*own.choices[0].parts, reason="refusal")["finish_reason"]) == "stop"
    assert deltas(own)[1:] == [({"refusal": "I can't."}, None), ({}, "stop")]
    filtered = whole(Text(text="So"), reason="refusal", explanation="No.")
    assert (filtered["message"]["refusal"], filtered["finish_reason"]) == ("No.", "content_filter")
    silent = whole(reason="content_filter")
    assert (silent["message"]["refusal"], silent["finish_reason"]) == (None, "content_filter")


def test_every_choice_begins_with_its_role_and_ends_once() -> None:
    choices = tuple(Choice(n, (Text(text=str(n)),), Finish(reason="stop", choice=n)) for n in range(2))
    told = StreamEncoder(VIEW).encode(unfold(CanonicalAnswer(id="1", model="m", choices=choices))).decode()
    found = [json.loads(event.removeprefix("data: "))["choices"][0] for event in told.split("\n\n")[:-2]]
    for n in range(2):
        own = [(choice["delta"], choice["finish_reason"]) for choice in found if choice["index"] == n]
        assert own == [({"role": "assistant", "content": ""}, None), ({"content": str(n)}, None), ({}, "stop")]


def test_a_signature_on_a_call_is_told_with_the_calls_id() -> None:
    call = ToolCall(call_id="q1", name="f", arguments="{}", sealed=Sealed("encrypted", "f-v1", "S"))
    detail = {"type": "reasoning.encrypted", "data": "S", "index": 0, "format": "f-v1", "id": "q1", "position": 1}
    assert whole(call, reason="tool_calls")["message"]["reasoning_details"] == [detail]
    assert deltas(answer(call))[2] == ({"reasoning_details": [detail]}, None)


def test_summaries_are_thinking_too() -> None:
    part = Reasoning(summary=("A", "B"), sealed=(Sealed("encrypted", "f-v1", "X"),), format="f-v1")
    message = whole(part)["message"]
    assert message["reasoning"] == "A\n\nB"
    assert [(each["type"], each.get("summary"), each.get("data")) for each in message["reasoning_details"]] == [
        ("reasoning.summary", "A\n\nB", None),
        ("reasoning.encrypted", None, "X"),
    ]
    pieces = [delta["reasoning"] for delta, _ in deltas(answer(part)) if "reasoning" in delta]
    assert "".join(pieces) == "A\n\nB"


def test_a_picture_is_told_as_a_data_url() -> None:
    image = Image(source=Base64("image/png", "AA=="))
    told = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert whole(image)["message"]["images"] == [told]
    assert deltas(answer(image))[1][0] == {"images": [{"index": 0, **told}]}


@pytest.mark.parametrize(
    ("provider", "shown"),
    [("msg_01Ab", "chatcmpl-01Ab"), ("chatcmpl-9", "chatcmpl-9"), ("x", "chatcmpl-x"), ("", "chatcmpl-own")],
)
def test_t94_an_answer_has_one_id_that_tells_the_providers(provider: str, shown: str) -> None:
    assert VIEW.id_of(provider) == shown


def test_the_name_that_was_asked_for_can_be_shown() -> None:
    view = AnswerView(fallback_id="x", created=7, model="alias")
    assert json.loads(encode_answer(answer(), view))["model"] == "alias"
