"""The demo model: answers a Chat request by itself, offline, so that every feature can be tried without a key.

It says who it is and repeats the caller's last words; it calls the tool it is made to call, and writes JSON that fits
the schema it is given. Pure: the same request, id and time give the same answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from gaiarouter.canonical.usage import Usage, estimate_tokens
from gaiarouter.dialects.chat.chunks import DONE_EVENT
from gaiarouter.dialects.chat.request import read_request
from gaiarouter.dialects.chat.usage import UsageObject, write_usage
from gaiarouter.dialects.echo_schema import example_of
from gaiarouter.dialects.sse import write_event
from gaiarouter.errors import InvalidRequest

_GREETING = "Hello! I am the demo model of this gateway: I run offline and repeat what I am told."
# it answers on the spot, so that what one caller asks for must not hold up the others
_MAX_CHOICES = 16
_MAX_REPEATED_CHARS = 1000
# a word with the blank space after it, as models send their tokens
_WORD = re.compile(r"\s*\S+\s?|\s+")


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """body: the whole answer. chunks: if a stream was asked for, the events that say the same, `[DONE]` the last."""

    body: bytes
    chunks: list[bytes]


@dataclass(frozen=True, slots=True)
class _Reply:
    """What one choice says: text, or a call of a tool."""

    text: str
    call: dict[str, Any] | None
    finish_reason: str


def answer(body: bytes, *, answer_id: str, created: int) -> EchoAnswer:
    """created: seconds since the epoch. Raises InvalidRequest for what is no Chat request."""
    head = read_request(body)
    request: dict[str, Any] = msgspec.json.decode(body)
    count = _count(request.get("n"))
    reply = _reply(request, None if head.max_output_tokens is None else head.max_output_tokens // count, answer_id)
    said = estimate_tokens(reply.text or msgspec.json.encode(reply.call).decode())
    usage = write_usage(Usage(in_uncached=head.estimated_input_tokens(), out_visible=said * count))
    frame = {"id": answer_id, "created": created, "model": head.model, "system_fingerprint": "fp_demo"}
    whole = frame | {
        "object": "chat.completion",
        "choices": [_choice(index, reply) for index in range(count)],
        "usage": usage,
    }
    return EchoAnswer(
        body=msgspec.json.encode(whole),
        chunks=_chunks(
            frame | {"object": "chat.completion.chunk"}, reply, count, usage if head.include_usage else None
        ),
    )


def _count(n: int | None) -> int:
    if n is not None and not 1 <= n <= _MAX_CHOICES:
        raise InvalidRequest(f"`n` must be from 1 to {_MAX_CHOICES} for the demo model", param="n")
    return n or 1


def _reply(request: dict[str, Any], max_tokens: int | None, answer_id: str) -> _Reply:
    if (function := _forced_function(request)) is not None:
        arguments = msgspec.json.encode(_object(example_of(function.get("parameters")))).decode()
        called = {"name": function.get("name", ""), "arguments": arguments}
        return _Reply("", {"id": f"call_{answer_id[-24:]}", "type": "function", "function": called}, "tool_calls")
    text, stopped = _cut_at_stop(_text(request), request.get("stop"))
    words = _WORD.findall(text)
    if max_tokens is not None and not stopped:
        while words and estimate_tokens("".join(words)) > max_tokens:
            words.pop()
            stopped = True
        return _Reply("".join(words), None, "length" if stopped else "stop")
    return _Reply(text, None, "stop")


def _text(request: dict[str, Any]) -> str:
    wanted = request.get("response_format") or {}
    last = _last_user_text(request["messages"])
    match wanted.get("type"):
        case "json_schema":
            schema = _object(wanted.get("json_schema")).get("schema")
            return msgspec.json.encode(example_of(schema) if isinstance(schema, dict) else {}).decode()
        case "json_object":
            return msgspec.json.encode({"model": "demo", "you_said": last}).decode()
        case _:
            return f"{_GREETING} You said: {last}" if last else _GREETING


def _last_user_text(messages: list[dict[str, Any]]) -> str:
    """The last words that are not the model's own; a result of a tool counts, so that a tool loop comes to an end."""
    for message in reversed(messages):
        if message["role"] in ("user", "tool", "function"):
            text = _flat(message.get("content"))
            return text if len(text) <= _MAX_REPEATED_CHARS else text[:_MAX_REPEATED_CHARS] + "…"
    return ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _flat(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, str) else part.get("text") or f"[{part['type']}]" for part in content or ()]
    return " ".join(parts)


def _forced_function(request: dict[str, Any]) -> dict[str, Any] | None:
    """The function that `tool_choice` makes the model call, if it does."""
    functions = [tool["function"] for tool in request.get("tools") or () if tool.get("function")]
    choice = request.get("tool_choice")
    if isinstance(choice, dict):
        name = _object(choice.get("function")).get("name")
        return next((function for function in functions if function["name"] == name), None)
    return functions[0] if choice in ("required", "any") and functions else None


def _cut_at_stop(text: str, stop: str | list[str] | None) -> tuple[str, bool]:
    """The text up to the first stop sequence, and whether there was one."""
    sequences = [stop] if isinstance(stop, str) else stop or []
    places = [text.find(sequence) for sequence in sequences if sequence]
    found = [place for place in places if place >= 0]
    return (text[: min(found)], True) if found else (text, False)


def _choice(index: int, reply: _Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.call is not None:
        message["tool_calls"] = [reply.call]
    elif not reply.text:
        message["content"] = ""
    return {"index": index, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}


def _chunks(frame: dict[str, Any], reply: _Reply, count: int, usage: UsageObject | None) -> list[bytes]:
    head = frame | {"object": "chat.completion.chunk"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if reply.call is None else None}]
    if reply.call is not None:
        function = reply.call["function"]
        deltas.append({"tool_calls": [reply.call | {"index": 0, "function": function | {"arguments": ""}}]})
        deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": function["arguments"]}}]})
    deltas += [{"content": word} for word in _WORD.findall(reply.text)]
    events = [
        _chunk(head, index, delta, None if delta else reply.finish_reason)
        for delta in [*deltas, {}]
        for index in range(count)
    ]
    if usage is not None:
        events.append(write_event(msgspec.json.encode(head | {"choices": [], "usage": usage})))
    return [*events, DONE_EVENT]


def _chunk(head: dict[str, Any], index: int, delta: dict[str, Any], finish_reason: str | None) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return write_event(msgspec.json.encode(head | {"choices": [choice]}))
