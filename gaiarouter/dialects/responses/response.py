"""A whole Response: read for usage, errors and its ending, and told as a stream; its bytes go on as they came."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.responses.chunks import ResponsesStreamWatcher
from gaiarouter.dialects.responses.encode_events import write_event
from gaiarouter.dialects.responses.errors import read_error_object
from gaiarouter.dialects.responses.output import Told
from gaiarouter.dialects.responses.usage import read_usage
from gaiarouter.dialects.responses.wire import decode_raw_event, decode_response, is_given
from gaiarouter.errors import BadAnswer

_TEXTS = {
    "output_text": ("text", "content_part", "output_text", "content_index"),
    "refusal": ("refusal", "content_part", "refusal", "content_index"),
    "reasoning_text": ("text", "content_part", "reasoning_text", "content_index"),
    "summary_text": ("text", "reasoning_summary_part", "reasoning_summary_text", "summary_index"),
}
"""By the type of a piece: its member, the events of the piece, those of its text, and what counts it."""
_ARGUMENTS = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}


def read_answer(body: bytes) -> Answer:
    """Read a 200 body. Raises BadAnswer, or the error object that the body holds."""
    try:
        if not body.isascii():
            body.decode()
        response = decode_response(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the Responses format") from error
    if is_given(response.error) or response.status == "failed":
        raise read_error_object(response.error)
    if response.output is None:
        raise BadAnswer("The provider's answer holds no output")
    return Answer(
        body=body,
        usage=read_usage(response.usage, response.service_tier),
        text_tokens=math.ceil(sum(item.weight() for item in response.output)),
        finish_reason=response.reason(),
    )


def answer_of(stream: bytes) -> Answer:
    """The answer that a stream ends with. Raises what the stream's watcher finds wrong with it."""
    watcher = ResponsesStreamWatcher()
    watcher.feed(stream)
    watcher.close()
    if watcher.error is not None:
        raise watcher.error
    return read_answer(bytes(decode_raw_event(watcher.ending).response))


def stream_of(answer: Answer) -> bytes:
    """The stream that says what `answer` says."""
    whole: dict[str, Any] = msgspec.json.decode(answer.body)
    begun = whole | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    told: list[Told] = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    for at, item in enumerate(whole["output"]):
        told += _told_item(item, at)
    ending = "response.incomplete" if whole.get("status") == "incomplete" else "response.completed"
    told.append((ending, {"response": whole}))
    return b"".join(write_event(kind, number, members) for number, (kind, members) in enumerate(told))


def _told_item(item: dict[str, Any], at: int) -> Iterator[Told]:
    where = {"item_id": item.get("id"), "output_index": at}
    bare = item | {name: type(item[name])() for name in ("content", "summary", "arguments", "input") if item.get(name)}
    yield "response.output_item.added", {"output_index": at, "item": bare}
    for pieces in (item.get("summary"), item.get("content")):
        for index, piece in enumerate(pieces if isinstance(pieces, list) else ()):
            if piece.get("type") in _TEXTS:
                yield from _told_piece(piece, index, where)
    if item.get("type") in _ARGUMENTS:
        member, event = _ARGUMENTS[item["type"]]
        yield f"response.{event}.delta", {**where, "delta": item[member]}
        yield f"response.{event}.done", {**where, member: item[member]}
    yield "response.output_item.done", {"output_index": at, "item": item}


def _told_piece(piece: dict[str, Any], index: int, where: dict[str, Any]) -> Iterator[Told]:
    member, part_event, text_event, counter = _TEXTS[piece["type"]]
    where = {**where, counter: index}
    logprobs = {"logprobs": piece.get("logprobs") or []} if piece["type"] == "output_text" else {}
    yield f"response.{part_event}.added", {**where, "part": piece | {member: ""}}
    yield f"response.{text_event}.delta", {**where, "delta": piece[member], **logprobs}
    yield f"response.{text_event}.done", {**where, member: piece[member], **logprobs}
    yield f"response.{part_event}.done", {**where, "part": piece}
