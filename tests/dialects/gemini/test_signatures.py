"""T57: a signature goes back on the very part it came on, and nothing but the skipping word stands for a lost one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gaiarouter.canonical.parts import Image, Opaque, Reasoning, Sealed, Text, ToolCall, ToolResult
from gaiarouter.canonical.request import CanonicalRequest, Turn
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.view import AnswerView
from gaiarouter.dialects.gemini.capabilities import CapabilityTable
from gaiarouter.dialects.gemini.request import Target, encode_request
from tests.dialects.gemini import stream
from tests.dialects.gemini.send import (
    FLASH_2_5,
    FLASH_3,
    SKIP,
    USER,
    assistant,
    call,
    called,
    contents,
    losses,
    result,
    said,
    text,
)

VIEW = AnswerView(fallback_id="chatcmpl-x", created=7)


def sealed(data: str, **members: Any) -> dict[str, Any]:
    return {"type": "reasoning.encrypted", "data": data, "format": "google-gemini-v1", "index": 0} | members


def as_message(*responses: dict[str, Any]) -> dict[str, Any]:
    """The assistant's message that a Chat caller keeps of an answer."""
    body = json.loads(encode_answer(stream.streamed(*responses), VIEW))
    message: dict[str, Any] = body["choices"][0]["message"]
    return message


def test_t57_of_parallel_calls_the_first_alone_is_signed() -> None:
    message = as_message(
        stream.response(stream.called("f", {"x": 1}, sign="S", id_="q1"), stream.called("g", {}, id_="q2")),
        stream.response(stream.text(""), finish="STOP"),
    )
    assert contents(USER, message, result("q1"), result("q2"))[1] == said(
        "model", called("q1", "f", x=1, sign="S"), called("q2", "g")
    )


def test_t57_of_a_streamed_text_the_empty_part_at_the_end_is_signed() -> None:
    message = as_message(
        stream.response(stream.text("Hel")),
        stream.response(stream.text("lo")),
        stream.response(stream.text("", thoughtSignature="S"), finish="STOP"),
    )
    assert message["content"] == "Hello"
    assert contents(USER, message, USER)[1] == said("model", text("Hello"), text("") | {"thoughtSignature": "S"})


def test_t57_thinking_that_is_signed_itself_comes_back_whole() -> None:
    message = as_message(
        stream.response(stream.text("Hm", thought=True, thoughtSignature="S"), stream.text("Yes"), finish="STOP")
    )
    assert contents(USER, message, USER)[1] == said(
        "model", {"text": "Hm", "thought": True, "thoughtSignature": "S"}, text("Yes")
    )


def test_what_was_told_of_thinking_is_not_sent_back() -> None:
    message = as_message(stream.response(stream.text("Hm", thought=True), stream.text("Yes"), finish="STOP"))
    assert message["reasoning_content"] == "Hm"
    assert contents(USER, message, USER)[1] == said("model", text("Yes"))


def test_each_step_of_the_conversation_keeps_its_own_signature() -> None:
    found = contents(
        USER,
        assistant(call("a"), reasoning_details=[sealed("S1", id="a")]),
        result("a"),
        assistant(call("b"), reasoning_details=[sealed("S2", id="b")]),
        result("b"),
    )
    assert [content["parts"][0].get("thoughtSignature") for content in found] == [None, "S1", None, "S2", None]


LOST: list[list[dict[str, Any]]] = [
    [],
    [{"type": "reasoning.text", "text": "Hm", "signature": "A", "format": "anthropic-claude-v1"}],
    [{"type": "reasoning.encrypted", "data": "O", "format": "openai-responses-v1", "id": "a"}],
    [sealed("S", id="another")],
]


@pytest.mark.parametrize("details", LOST)
def test_for_a_signature_that_is_missing_or_foreign_stands_the_skipping_word(details: list[dict[str, Any]]) -> None:
    messages = [USER, assistant(call("a"), call("b"), reasoning_details=details), result("a"), result("b"), USER]
    found = contents(*messages)
    assert found[1] == said("model", called("a", city="SF", sign=SKIP), called("b", city="SF"))
    assert contents(*messages, model=FLASH_2_5)[1] == said("model", called(None, city="SF"), called(None, city="SF"))


def test_t95_another_vendors_thinking_is_not_sent() -> None:
    details = [{"type": "reasoning.text", "text": "Hm", "format": "deepseek", "index": 0}]
    messages = [USER, assistant(content="Yes", reasoning_details=details), USER]
    assert contents(*messages)[1] == said("model", text("Yes"))
    assert losses(messages=messages) == {"messages[1].reasoning_details": "drop"}


SEAL = Sealed("encrypted", "google-gemini-v1", "S")
CANONICAL: list[tuple[Any, dict[str, Any] | None]] = [
    (Text(text="A", sealed=SEAL), {"text": "A", "thoughtSignature": "S"}),
    (Text(text="", sealed=SEAL), {"text": "", "thoughtSignature": "S"}),
    (Text(text="A", sealed=Sealed("encrypted", "x", "S")), {"text": "A"}),
    (ToolCall(call_id="a", name="f", sealed=SEAL), called("a", "f", sign="S")),
    (Reasoning(sealed=(SEAL,)), {"text": "", "thoughtSignature": "S"}),
    (
        Opaque(dialect="gemini", type="executableCode", raw=Raw(b'{"executableCode":{},"thoughtSignature":"S"}')),
        {"executableCode": {}, "thoughtSignature": "S"},
    ),
    (Opaque(dialect="messages", type="x", raw=Raw(b"{}")), None),
]


@pytest.mark.parametrize(("part", "expected"), CANONICAL, ids=[str(row[0])[:60] for row in CANONICAL])
def test_a_signed_part_as_it_came(part: Any, expected: dict[str, Any] | None) -> None:
    assert model_parts(part, Text(text="Z")) == [*([expected] if expected else []), text("Z")]


def test_a_signed_picture_of_the_models_keeps_its_signature() -> None:
    answer = stream.whole(
        stream.response({"inlineData": {"mimeType": "image/png", "data": "AA"}, "thoughtSignature": "S"}, finish="STOP")
    )
    (part,) = stream.only(answer).parts
    assert isinstance(part, Image)
    assert model_parts(part) == [{"inlineData": {"mimeType": "image/png", "data": "AA"}, "thoughtSignature": "S"}]


def test_the_providers_own_parts_are_sent_back_through_a_chat_caller() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S"}
    ran = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    message = as_message(stream.response(code, ran, stream.text("One"), finish="STOP"))
    assert contents(USER, message, USER)[1] == said("model", code, ran, text("One"))


def model_parts(*parts: Any) -> list[dict[str, Any]]:
    turns = [
        Turn(role="user", parts=(Text(text="Hi"),)),
        Turn(role="assistant", parts=parts),
        *(
            Turn(role="user", parts=(ToolResult(call_id=part.call_id, content="ok"),))
            for part in parts
            if isinstance(part, ToolCall)
        ),
        Turn(role="user", parts=(Text(text="And?"),)),
    ]
    request = CanonicalRequest(dialect="x", model="x", turns=tuple(turns))
    target = Target(model=FLASH_3, capabilities=CapabilityTable().of(FLASH_3))
    body = json.loads(encode_request(request, target).body)
    found: list[dict[str, Any]] = body["contents"][1]["parts"]
    return found
