"""Completions' answers as wholes and as streams, made from each other: a chunk has the very shape of an answer."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from gaiarouter.canonical.usage import believed, token_weight
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.chat.chunks import DONE_EVENT
from gaiarouter.dialects.chat.fold import folded
from gaiarouter.dialects.chat.provider_errors import read_error_in_answer
from gaiarouter.dialects.chat.usage import read_usage
from gaiarouter.dialects.chat.wire import decode_body, is_truthy
from gaiarouter.dialects.sse import write_event
from gaiarouter.errors import BadAnswer


def read_answer(body: bytes) -> Answer:
    """A complete 200 body, which goes on as it came. Raises BadAnswer, or the error object that the body holds."""
    try:
        body.decode()
        answer = decode_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the form of Completions") from error
    if is_truthy(answer.error):
        raise read_error_in_answer(body)
    if not answer.choices or any(choice.text is None for choice in answer.choices):
        raise BadAnswer("The provider's answer holds no texts")
    return Answer(
        body=body,
        usage=read_usage(answer.usage),
        text_tokens=math.ceil(sum(token_weight(choice.text or "") for choice in answer.choices)),
        finish_reason=answer.choices[0].finish_reason or None,
    )


def stream_of(answer: Answer, *, include_usage: bool) -> bytes:
    whole: dict[str, Any] = msgspec.json.decode(answer.body)
    usage = whole.pop("usage", None)
    events = [write_event(msgspec.json.encode(whole | {"choices": [choice]})) for choice in whole["choices"]]
    if include_usage and believed(answer.usage) is not None:
        events.append(write_event(msgspec.json.encode(whole | {"choices": [], "usage": usage})))
    return b"".join((*events, DONE_EVENT))


def answer_of(stream: bytes) -> Answer:
    """Raises what the stream's watcher finds wrong with it."""
    whole, choices = folded(stream, _fold)
    return read_answer(msgspec.json.encode(whole | {"choices": choices}))


def _fold(whole: dict[str, Any], choices: dict[int, dict[str, Any]], chunk: dict[str, Any]) -> None:
    for name, value in chunk.items():
        if name != "choices":
            whole[name] = (value or whole.get(name)) if name == "usage" else (whole.get(name) or value)
    for said in chunk.get("choices") or ():
        index = said.get("index") or 0
        choice = choices.setdefault(index, {"text": "", "index": index, "logprobs": None, "finish_reason": "stop"})
        choice["text"] += said.get("text") or ""
        choice["finish_reason"] = said.get("finish_reason") or choice["finish_reason"]
        if logprobs := said.get("logprobs"):
            choice["logprobs"] = _joined(choice["logprobs"] or {}, logprobs)


def _joined(before: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Each of its lists has an item for each token."""
    return {name: (before.get(name) or []) + (tokens or []) for name, tokens in more.items()}
