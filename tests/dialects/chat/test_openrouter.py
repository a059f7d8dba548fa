"""OpenRouter's own fields: thinking that must come back in the sequence that it was told in, whoever the caller is.

Everything recorded of OpenRouter's that holds any: told to a caller, sent back by it, and written for OpenRouter again.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.fold import fold
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.chat.capabilities import CapabilityTable
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.chat.target_chunks import StreamDecoder
from gaiarouter.dialects.chat.target_response import decode_answer
from gaiarouter.dialects.gemini.caller import GeminiCaller
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.errors import UpstreamError
from gaiarouter.providers import PROFILES
from tests.recorded import Interaction, interactions

TARGET = ChatTarget(PROFILES["openrouter"].chat, CapabilityTable())
TEXTS = ("text", "summary", "data")
Json = dict[str, Any]


def told(interaction: Interaction) -> list[Json]:
    """The details, those of a stream joined by their index and type."""
    if not interaction.is_stream:
        return list(interaction.answer["choices"][0]["message"].get("reasoning_details") or ())
    joined: dict[tuple[Any, str], Json] = {}
    for line in interaction.answer.split("\n"):
        for choice in json.loads(line[6:]).get("choices") or () if line.startswith("data: {") else ():
            for detail in choice["delta"].get("reasoning_details") or ():
                found = joined.setdefault((detail.get("index"), detail["type"]), {})
                for name, value in detail.items():
                    found[name] = found.get(name, "") + value if name in TEXTS and value else value or found.get(name)
    return list(joined.values())


def plain(details: list[Json]) -> list[Json]:
    """Without the places, which are the sequence's own, and what says nothing. A format that nobody has is none."""
    kept = ("type", "text", "summary", "data", "signature", "id", "format")
    known = [{name: value for name, value in each.items() if name in kept and value} for each in details]
    return [{name: value for name, value in each.items() if value != "unknown"} for each in known]


def answer(interaction: Interaction) -> CanonicalAnswer | None:
    try:
        if not interaction.is_stream:
            return decode_answer(interaction.body, AnswerPlan())
        decoder = StreamDecoder(AnswerPlan())
        return fold([*decoder.feed(interaction.body), *decoder.close()])
    except UpstreamError:
        return None


RECORDED = [each for each in interactions("openrouter", "chat", ok=True) if told(each) and answer(each)]
USER = {"role": "user", "content": "Hi"}
ENVELOPE = Envelope(model="m", stream=False)


def through_messages(said: CanonicalAnswer) -> bytes:
    caller = MessagesCaller()
    asked = {"model": "m", "max_tokens": 9, "thinking": {"type": "adaptive"}, "messages": [USER]}
    request = caller.decode_request(json.dumps(asked).encode())
    body = json.loads(caller.writer(request, answer_id="x", created=1, input_tokens=1).encode_answer(said))
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
        for block in body["content"]
        if block["type"] == "tool_use"
    ]
    messages = [USER, {"role": "assistant", "content": body["content"]}, {"role": "user", "content": results or "So?"}]
    return json.dumps(asked | {"messages": messages}).encode()


def through_gemini(said: CanonicalAnswer) -> bytes:
    caller = GeminiCaller()
    first = {"role": "user", "parts": [{"text": "Hi"}]}
    asked = {"contents": [first], "generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    request = caller.decode_request(json.dumps(asked).encode(), ENVELOPE)
    body = json.loads(caller.writer(request, answer_id="x", created=1, input_tokens=1).encode_answer(said))
    content = body["candidates"][0]["content"]
    results = [
        {"functionResponse": {"id": call.get("id"), "name": call["name"], "response": {"output": "ok"}}}
        for part in content["parts"]
        if (call := part.get("functionCall"))
    ]
    return json.dumps(
        asked | {"contents": [first, content, {"role": "user", "parts": results or [{"text": "So?"}]}]}
    ).encode()


def through_responses(said: CanonicalAnswer) -> bytes:
    caller = ResponsesCaller()
    asked: Json = {"model": "m", "input": [USER], "include": ["reasoning.encrypted_content"]}
    request = caller.decode_request(json.dumps(asked).encode(), ENVELOPE)
    body = json.loads(caller.writer(request, answer_id="x", created=1, input_tokens=1).encode_answer(said))
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}
        for item in body["output"]
        if item["type"] == "function_call"
    ]
    return json.dumps(asked | {"input": [USER, *body["output"], *(results or [USER])]}).encode()


CALLERS: dict[str, tuple[Any, Any]] = {
    "messages": (MessagesCaller(), through_messages),
    "gemini": (GeminiCaller(), through_gemini),
    "responses": (ResponsesCaller(), through_responses),
}


EXCEPTIONS = {
    ("90bf12dc41d4", "gemini"): "a client of Gemini's keeps a signature on the last part, behind its text",
    ("c53c5c985f5e", "gemini"): "a client of Gemini's keeps signatures on parts, and no names of them",
}


def test_there_is_enough_to_look_at() -> None:
    assert len(RECORDED) > 30


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("interaction", RECORDED, ids=repr)
def test_t56_thinking_comes_back_to_openrouter_as_it_was_told(interaction: Interaction, caller: str) -> None:
    said = answer(interaction)
    assert said is not None
    speaker, through = CALLERS[caller]
    request = speaker.decode_request(through(said), ENVELOPE)
    messages = json.loads(TARGET.prepare(request, model="m", strict=False).body)["messages"]
    back = next(message for message in messages if message["role"] == "assistant").get("reasoning_details", [])
    expected, got = plain(told(interaction)), plain(back)
    if not any(each.get("signature") or each.get("data") for each in expected):
        # what nobody sealed has no maker to be told of
        expected, got = ([{**each, "format": ""} for each in some] for some in (expected, got))
    if (interaction.id, caller) in EXCEPTIONS:
        seals = [[each.get("data") or each.get("signature") for each in some] for some in (got, expected)]
        assert [each for each in seals[0] if each] == [each for each in seals[1] if each]
        assert got != expected, "no exception any more"
    else:
        assert got == expected
