"""A whole Chat answer: read for usage, errors and its ending; its bytes go on as they came wherever they are sound."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from gaiarouter.canonical.usage import REJECTED, believed
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.chat.chunks import DONE_EVENT
from gaiarouter.dialects.chat.provider_errors import read_error_in_answer
from gaiarouter.dialects.chat.usage import read_usage
from gaiarouter.dialects.chat.wire import ABSENT, Body, Choice, decode_body, is_truthy
from gaiarouter.dialects.sse import write_event
from gaiarouter.errors import BadAnswer, Failed

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# the standard library reads what it mends at about 30 MB/s, and holds up everybody meanwhile
_MAX_MENDED_BYTES = 1024 * 1024


def read_answer(body: bytes) -> Answer:
    """Read a 200 body. It goes on to the byte, save that NaN becomes null and what is no character U+FFFD.

    Raises BadAnswer, or the error object that the body holds.
    """
    answer = _decode(body)
    numbers_are_sound = True
    if answer is None:
        body, numbers_are_sound = _mended(body)
        answer = _decode(body)
    if answer is None:
        raise BadAnswer("The provider's answer is not of Chat's form")
    if answer.error is not ABSENT and is_truthy(answer.error):
        raise read_error_in_answer(body)
    if not answer.choices:
        raise BadAnswer("The provider's answer holds no choices")
    for choice in answer.choices:
        _check(choice)
    usage = read_usage(answer.usage, answer.service_tier)
    if not numbers_are_sound and is_truthy(answer.usage):
        usage = REJECTED
    return Answer(
        body=body,
        usage=usage,
        text_tokens=_text_tokens(answer.choices) if usage is None or usage is REJECTED else 0,
        finish_reason=answer.choices[0].finish_reason or None,
    )


def _text_tokens(choices: Sequence[Choice]) -> int:
    return math.ceil(sum(choice.message.weight() for choice in choices if choice.message))


def _decode(body: bytes) -> Body | None:
    """None for what is not strict JSON in UTF-8. Raises BadAnswer where it is, but of another form."""
    try:
        if not body.isascii():
            body.decode()
        return decode_body(body)
    except msgspec.ValidationError as error:
        raise BadAnswer("The provider's answer is not of Chat's form") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    except RecursionError as error:
        raise BadAnswer("The provider's answer is nested too deeply") from error


def _mended(body: bytes) -> tuple[bytes, bool]:
    """The body as strict JSON, and whether its numbers were numbers: counts beside a NaN are not believed."""
    odd: list[str] = []
    if len(body) > _MAX_MENDED_BYTES:
        raise BadAnswer("The provider's answer is not strict JSON")
    try:
        value = json.loads(body.decode("utf-8", "replace"), parse_constant=odd.append)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not JSON") from error
    return _LONE_SURROGATE.sub("\ufffd", text).encode(), not odd


def _check(choice: Choice) -> None:
    if choice.error is not ABSENT and is_truthy(choice.error):
        raise read_error_in_answer(b'{"error":' + bytes(choice.error) + b"}")
    if choice.finish_reason == "error":
        raise Failed("The provider's model failed while it answered", outcome="bad_response")
    if choice.message is None:
        raise BadAnswer("The provider's answer holds a choice without a message")


def stream_of(answer: Answer, *, include_usage: bool) -> bytes:
    """The stream that says what `answer` says: a chunk with the whole message for each choice, then the endings."""
    whole: dict[str, Any] = msgspec.json.decode(answer.body)
    choices = whole.pop("choices")
    usage = whole.pop("usage", None)
    head = whole | {"object": "chat.completion.chunk"}
    events = [_event(head, [_spoken(choice)]) for choice in choices]
    events += [_event(head, [_ending(choice)]) for choice in choices]
    if include_usage and believed(answer.usage) is not None:
        events.append(write_event(msgspec.json.encode(head | {"choices": [], "usage": usage})))
    return b"".join((*events, DONE_EVENT))


def _event(head: dict[str, Any], choices: list[dict[str, Any]]) -> bytes:
    return write_event(msgspec.json.encode(head | {"choices": choices}))


def _spoken(choice: dict[str, Any]) -> dict[str, Any]:
    delta = dict(choice["message"])
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": index} | call for index, call in enumerate(calls)]
    rest = {name: value for name, value in choice.items() if name not in ("message", "finish_reason")}
    return {"index": 0} | rest | {"delta": delta, "finish_reason": None}


def _ending(choice: dict[str, Any]) -> dict[str, Any]:
    return {"index": choice.get("index", 0), "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
