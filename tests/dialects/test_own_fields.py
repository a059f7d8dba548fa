"""What only the caller's format has is left out or refused by every other target, as the account of its fields says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.chat.capabilities import CapabilityTable as ChatTable
from gaiarouter.dialects.chat.profile import ANY_SERVER
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.gemini import fields as gemini
from gaiarouter.dialects.gemini.capabilities import CapabilityTable as GeminiTable
from gaiarouter.dialects.gemini.decode import decode_request as read_gemini
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.messages.capabilities import CapabilityTable as MessagesTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.responses import fields as responses
from gaiarouter.dialects.responses.decode import decode_request as read_responses
from gaiarouter.dialects.responses.target import ResponsesTarget
from gaiarouter.dialects.translate import PreparedRequest, Target
from gaiarouter.errors import InvalidRequest

TARGETS: dict[str, tuple[Target, str]] = {
    "chat": (ChatTarget(ANY_SERVER, ChatTable()), "gpt-4.1"),
    "messages": (MessagesTarget(MessagesTable()), "claude-haiku-4-5"),
    "gemini": (GeminiTarget(GeminiTable()), "gemini-3-pro"),
    "responses": (ResponsesTarget(), "gpt-5"),
}
MARK = "the-callers-own"
PIXEL = {"mimeType": "image/png", "data": "aGVsbG8="}


def foreign(dialect: str) -> list[str]:
    return [name for name in TARGETS if name != dialect]


def kinds(place: str, *, loss: str) -> list[str]:
    """Of items or tools that the table has as a whole."""
    found = [
        name.removeprefix(f"{place}[type=").removesuffix("]")
        for name, field in responses.NESTED.items()
        if name.startswith(f"{place}[type=") and field.slot is None and field.loss == loss
    ]
    assert found
    return found


def from_responses(target: str, **members: Any) -> PreparedRequest:
    body = {"model": "m", "input": "Hi", **members}
    return prepared(target, read_responses(json.dumps(body).encode()))


def from_gemini(target: str, **members: Any) -> PreparedRequest:
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **members}
    return prepared(target, read_gemini(json.dumps(body).encode(), Envelope(model="m", stream=False)))


def prepared(target: str, request: CanonicalRequest) -> PreparedRequest:
    encoder, model = TARGETS[target]
    return encoder.prepare(request, model=model, strict=False)


@pytest.mark.parametrize("target", foreign("responses"))
@pytest.mark.parametrize("kind", kinds("input", loss="blind"))
def test_an_item_of_what_was_done_elsewhere_is_left_out_and_told(target: str, kind: str) -> None:
    items = [{"role": "user", "content": "Hi"}, {"type": kind, "id": MARK}, {"role": "user", "content": "So?"}]
    found = from_responses(target, input=items)
    assert [loss.path for loss in found.losses] == ["input[1]"]
    assert MARK.encode() not in found.body


@pytest.mark.parametrize("target", foreign("responses"))
@pytest.mark.parametrize("kind", kinds("input", loss="refuse"))
def test_an_item_that_its_issuer_must_see_is_refused(target: str, kind: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_responses(target, input=[{"role": "user", "content": "Hi"}, {"type": kind, "id": MARK}])
    assert caught.value.param == "input[1]"


@pytest.mark.parametrize("target", foreign("responses"))
@pytest.mark.parametrize("kind", kinds("tools", loss="refuse"))
def test_a_tool_that_runs_at_the_callers_provider_is_refused(target: str, kind: str) -> None:
    function = {"type": "function", "name": "own", "parameters": {"type": "object", "properties": {}}}
    with pytest.raises(InvalidRequest) as caught:
        from_responses(target, tools=[function, {"type": kind}])
    assert (caught.value.param or "").startswith("tools[1]")


@pytest.mark.parametrize("target", foreign("responses"))
def test_the_choice_of_a_server_that_nobody_else_calls_is_refused(target: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_responses(target, tool_choice={"type": "mcp", "server_label": MARK})
    assert (caught.value.param or "").startswith("tool_choice")


def own(place: str, *, loss: str) -> list[str]:
    """Members at a place of the Gemini request that have no counterpart."""
    found = [
        name.removeprefix(place)
        for name, field in gemini.NESTED.items()
        if name.startswith(place) and field.slot is None and field.loss == loss
    ]
    return [name for name in found if "." not in name]


@pytest.mark.parametrize("target", foreign("gemini"))
@pytest.mark.parametrize("name", own("contents[].parts[].", loss="refuse"))
def test_a_users_part_with_what_only_gemini_has_is_refused(target: str, name: str) -> None:
    part = {"inlineData": PIXEL, name: {"note": MARK}}
    with pytest.raises(InvalidRequest) as caught:
        from_gemini(target, contents=[{"role": "user", "parts": [part]}])
    assert (caught.value.param or "").startswith("contents[0].parts[0]")


@pytest.mark.parametrize("target", foreign("gemini"))
@pytest.mark.parametrize("name", own("contents[].parts[].", loss="blind"))
def test_what_the_model_did_at_its_provider_is_left_out_and_told(target: str, name: str) -> None:
    said = [{"text": "One."}, {name: {"id": MARK}}, {"text": "Two."}]
    asked = {"role": "user", "parts": [{"text": "Hi"}]}
    found = from_gemini(target, contents=[asked, {"role": "model", "parts": said}, asked])
    assert "contents[1].parts[1]" in [loss.path for loss in found.losses]
    assert MARK.encode() not in found.body


@pytest.mark.parametrize("target", foreign("gemini"))
@pytest.mark.parametrize("name", own("contents[].parts[].functionResponse.parts[].", loss="refuse"))
def test_a_result_with_what_only_gemini_has_is_refused(target: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_gemini(target, contents=answered({"inlineData": PIXEL, name: {"note": MARK}}))
    assert (caught.value.param or "").startswith("contents[2].parts[0].functionResponse.parts[0]")


def test_a_result_with_what_only_gemini_has_goes_to_gemini_as_it_came() -> None:
    part = {"inlineData": PIXEL, "videoMetadata": {"fps": 2}}
    sent = json.loads(from_gemini("gemini", contents=answered(part)).body)
    assert sent["contents"][2]["parts"][0]["functionResponse"]["parts"] == [part]


def answered(media: dict[str, Any]) -> list[dict[str, Any]]:
    result = {"name": "look", "response": {"output": "seen"}, "parts": [media]}
    return [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": result}]},
    ]


@pytest.mark.parametrize("target", foreign("gemini"))
@pytest.mark.parametrize("name", own("systemInstruction.parts[].", loss="refuse"))
def test_an_instruction_that_is_more_than_text_is_refused(target: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_gemini(target, systemInstruction={"parts": [{"text": "Be brief.", name: {"note": MARK}}]})
    assert (caught.value.param or "").startswith("systemInstruction.parts[0]")


@pytest.mark.parametrize("target", foreign("gemini"))
@pytest.mark.parametrize("name", own("tools[].", loss="refuse"))
def test_a_tool_that_runs_at_google_is_refused(target: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_gemini(target, tools=[{name: {}}])
    assert (caught.value.param or "").startswith("tools[0]")


@pytest.mark.parametrize("target", foreign("gemini"))
def test_what_has_no_meaning_elsewhere_is_not_sent(target: str) -> None:
    said = [{"text": "Be brief.", "thought": False, "thoughtSignature": ""}]
    media = {"inlineData": PIXEL | {"displayName": MARK}, "mediaResolution": {"level": "x", "numTokens": 4242}}
    function = {"name": "look", "behavior": MARK, "response": {"title": MARK}, "responseJsonSchema": {"title": MARK}}
    found = from_gemini(
        target,
        contents=[{"role": "user", "parts": [{"text": "Hi"}, media]}, *answered(media)[1:]],
        systemInstruction={"parts": said},
        tools=[{"functionDeclarations": [function]}],
    )
    assert b"Be brief." in found.body
    assert b"look" in found.body
    assert MARK.encode() not in found.body
    assert b"4242" not in found.body
