"""Everything recorded of Chat, read into the canonical form and written in the same format again, as a target gets it
and as a caller does. What it means is read here by other code than the gateway's."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from gaiarouter.canonical.events import Failure
from gaiarouter.canonical.fold import fold
from gaiarouter.dialects.chat.capabilities import CapabilityTable
from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.profile import ANY_SERVER
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.chat.target_chunks import StreamDecoder
from gaiarouter.dialects.chat.target_response import decode_answer
from gaiarouter.dialects.chat.view import AnswerView
from gaiarouter.errors import InvalidRequest, UpstreamError
from gaiarouter.providers import PROFILES
from tests.recorded import Interaction, every, interactions

PLAN = AnswerPlan()
VIEW = AnswerView(fallback_id="chatcmpl-x", created=7, include_usage=True)


def is_chat(each: Interaction) -> bool:
    return "messages" in (each.request or {}) and "/api/" not in each.url_path and each.provider != "cohere"


RECORDED = [each for each in interactions(endpoint="chat", ok=True) if is_chat(each)]
STREAMS = [each for each in RECORDED if each.is_stream]
WHOLE = [each for each in RECORDED if isinstance(each.answer, dict)]

# what a server of one format may send to another of the same is more than the canonical form has a place for, or than
# a target of the kind is known to take
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        [
            "30f76b8e1a5e",
            "afa88fc57074",
        ],
        "the model does not continue its own text",
    ),
    **dict.fromkeys(
        [
            "1c2898e63a2a",
            "29cfeea01ac6",
            "649f9b81dc26",
            "7f82e5c818d2",
            "af9185a38731",
            "e9c15842c60b",
            "f23639da6251",
        ],
        "sound, for a server that is not known to hear it",
    ),
    **dict.fromkeys(
        [
            "47d69ffd4b5e",
            "62bdeb98a436",
            "98d8bff1d09d",
            "9d9d511071db",
        ],
        "a search that runs at OpenAI",
    ),
    **dict.fromkeys(
        [
            "c5d756e2f1be",
        ],
        "a call has no result",
    ),
}
DIFFERENT: dict[str, str] = {
    **dict.fromkeys(
        ("0f16d3296580", "c94e48031a40", "1e9066112939", "634f7ddbc4bb", "8e323924412c"),
        "tools that must not be called are left out: beside `none` the provider garbles its answer",
    ),
    **dict.fromkeys(("a085979e918d", "f54d1b596510"), "pictures of a result follow in a message of the user's"),
}


def meaning(body: dict[str, Any]) -> dict[str, Any]:
    """What a model makes of a request: spelling, order of members and names of fields aside."""
    said = [turn for message in body["messages"] for turn in turns(message)]
    tools = [tool.get("function") or tool.get("custom") or tool for tool in body.get("tools") or ()]
    tools += body.get("functions") or ()
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    names = ("temperature", "top_p", "seed", "random_seed", "presence_penalty", "frequency_penalty")
    seeds = {"random_seed": "seed"}
    return {
        "said": said,
        "tools": [(tool.get("name"), tool.get("parameters"), tool.get("description")) for tool in tools],
        "limit": limit,
        "sampling": {seeds.get(name, name): body[name] for name in names if body.get(name) is not None},
        "format": (body.get("response_format") or {}).get("type", "text"),
        "stream": bool(body.get("stream")),
        "stop": [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or [],
    }


def turns(message: dict[str, Any]) -> list[Any]:
    """(role, kind, what) for all that a message says; thinking is for its maker alone, a placeholder says nothing."""
    role = "system" if message["role"] == "developer" else message["role"]
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    said: list[Any] = []
    for part in ({"type": "text", "text": each} if isinstance(each, str) else each for each in parts):
        if part["type"] in ("thinking", "reasoning"):
            continue
        what = part.get("text") if part["type"] == "text" else part
        if what:
            said.append((role, part["type"], what if isinstance(what, str) else address(what)))
    if role in ("assistant", "tool") and said:
        said = [(role, "text", "".join(str(what) for _, _, what in said))]
    for call in message.get("tool_calls") or ():
        function = call.get("function") or call.get("custom")
        said.append((role, "call", function["name"], function.get("arguments") or function.get("input") or "{}"))
    if old := message.get("function_call"):
        said.append((role, "call", old["name"], old["arguments"]))
    return [] if said == [("assistant", "text", ".")] else said


def address(part: dict[str, Any]) -> str:
    url = part.get("image_url")
    return str(url if isinstance(url, str) else url["url"]) if url else json.dumps(part, sort_keys=True)


@every(RECORDED)
def test_a_recorded_request_means_the_same_when_it_is_written_again(interaction: Interaction) -> None:
    profile = PROFILES.get(interaction.provider)
    target = ChatTarget(profile.chat if profile else ANY_SERVER, CapabilityTable())
    sent = {"model": "m", **interaction.request}
    text = json.dumps(sent, ensure_ascii=False).encode()
    if interaction.id in REFUSED:
        with pytest.raises(InvalidRequest):
            target.prepare(decode_request(text), model="m", strict=False)
        return
    request = decode_request(text)
    written = json.loads(target.prepare(request, model=request.model, strict=False).body)
    assert (meaning(written) != meaning(sent)) == (interaction.id in DIFFERENT)


def told(body: dict[str, Any]) -> list[Any]:
    """What a caller is told by each choice: text, refusal, calls, ending."""
    choices = []
    for choice in body["choices"]:
        message = choice["message"]
        calls = [call.get("function") or call["custom"] for call in message.get("tool_calls") or ()]
        calls += [message["function_call"]] if message.get("function_call") else []
        given = [(call["name"], as_data(call.get("arguments", call.get("input")))) for call in calls]
        content = message.get("content") or (message.get("audio") or {}).get("transcript")
        choices.append((text_of(content), message.get("refusal") or "", given))
    return choices


def as_data(arguments: Any) -> Any:
    """Arguments are JSON, which some servers send as the object that it is; a limit may cut it short."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) and arguments.strip() else arguments or {}
    except ValueError:
        return arguments


@every(WHOLE)
def test_a_recorded_answer_tells_the_same_when_it_is_written_again(interaction: Interaction) -> None:
    try:
        answer = decode_answer(interaction.body, PLAN)
    except UpstreamError:
        assert interaction.answer.get("error") or "error" in interaction.body.decode().lower()
        return
    written = json.loads(encode_answer(answer, VIEW))
    assert told(written) == told(interaction.answer)
    reasoning = interaction.answer["choices"][0]["message"].get("reasoning_content")
    if reasoning:
        assert written["choices"][0]["message"]["reasoning_content"] == reasoning


def decoded_events(data: bytes, cuts: list[int] | None = None) -> list[Any]:
    decoder = StreamDecoder(PLAN)
    edges = [0, *sorted(cuts or ()), len(data)]
    events = [event for a, b in itertools.pairwise(edges) for event in decoder.feed(data[a:b])]
    return [*events, *decoder.close()]


def told_by(events: list[Any]) -> list[Any]:
    """Comparable: two errors that say the same are none the less two."""
    return [(type(e.error), e.error.message) if isinstance(e, Failure) else e for e in events]


def grown(stream: bytes) -> dict[int, list[Any]]:
    """Text, refusal, calls and reasons of each choice of a stream, put together here."""
    choices: dict[int, list[Any]] = {}
    for line in stream.replace(b"\r\n", b"\n").split(b"\n"):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]" or data.startswith(b":") or not data:
            continue
        for choice in json.loads(data).get("choices") or ():
            into = choices.setdefault(choice.get("index") or 0, ["", "", [], ""])
            delta = choice.get("delta") or {}
            into[0] += text_of(delta.get("content"))
            into[1] += delta.get("refusal") or ""
            for call in delta.get("tool_calls") or ():
                if (call.get("function") or {}).get("name"):
                    into[2].append([call["function"]["name"], ""])
                arguments = (call.get("function") or {}).get("arguments") or ""
                if into[2]:
                    into[2][-1][1] += arguments if isinstance(arguments, str) else json.dumps(arguments)
            into[3] = into[3] or choice.get("finish_reason") or ""
    for into in choices.values():
        into[2] = [(name, json.loads(arguments or "{}")) for name, arguments in into[2]] if into[3] != "length" else []
    return choices


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part["type"] == "text")
    return content or ""


@every(STREAMS)
def test_a_recorded_stream_tells_the_same_when_it_is_written_again(interaction: Interaction) -> None:
    events = decoded_events(interaction.body)
    try:
        fold(events)
    except UpstreamError:
        assert b"error" in interaction.body or b"[DONE]" not in interaction.body
        return
    before, after = grown(interaction.body), grown(StreamEncoder(VIEW).encode(events))
    assert {index: choice[:3] for index, choice in after.items()} == {i: choice[:3] for i, choice in before.items()}


@every(STREAMS[::5])
def test_events_do_not_depend_on_chunk_borders(interaction: Interaction) -> None:
    data, chance = interaction.body, random.Random(interaction.id)
    expected = told_by(decoded_events(data))
    if len(data) < 40_000:
        assert told_by(decoded_events(data, list(range(1, len(data))))) == expected
    for _ in range(3):
        cuts = chance.choices(range(len(data) + 1), k=20)
        assert told_by(decoded_events(data, cuts)) == expected


@every(STREAMS[::5])
def test_t33_a_recorded_stream_that_is_cut_short_never_ends_well(interaction: Interaction) -> None:
    data = interaction.body
    known = min(
        (at for at in (data.find(mark) for mark in (b'"finish_reason":"', b'"finish_reason": "')) if at >= 0), default=0
    )
    chance = random.Random(interaction.id)
    for cut in chance.choices(range(known), k=5) if known else ():
        with pytest.raises(UpstreamError):
            fold(decoded_events(data[:cut]))
