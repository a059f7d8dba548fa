"""A Chat stream folded into the whole answer that it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.chat.chunks import DONE_EVENT, ChatStreamWatcher
from gaiarouter.dialects.chat.response import read_answer
from gaiarouter.dialects.sse import EventFramer, read_event

Json = dict[str, Any]

_TEXTS = frozenset(
    [
        "content",
        "refusal",
        "reasoning",
        "reasoning_content",
        "arguments",
        "input",
        "data",
        "transcript",
        "text",
        "summary",
    ],
)


def answer_of(stream: bytes) -> Answer:
    """Raises what the stream's watcher finds wrong with it."""
    whole, choices = folded(stream, _fold_chunk)
    whole["object"] = "chat.completion"
    whole["choices"] = [_closed(choice) for choice in choices]
    return read_answer(msgspec.json.encode(whole))


def folded(stream: bytes, fold: Callable[[Json, dict[int, Json], Json], None]) -> tuple[Json, list[Json]]:
    """What a stream's chunks say of the answer, and of its choices in their order. fold: takes up one chunk.

    Raises what the stream's watcher finds wrong with it.
    """
    watcher = ChatStreamWatcher(drop_usage=False)
    sound = watcher.feed(stream) + watcher.close()
    if watcher.error is not None:
        raise watcher.error
    whole: Json = {}
    choices: dict[int, Json] = {}
    for raw in EventFramer().feed(sound):
        data = read_event(raw).data
        if data is not None and raw != DONE_EVENT:
            fold(whole, choices, msgspec.json.decode(data))
    return whole, [choices[index] for index in sorted(choices)]


def _fold_chunk(whole: dict[str, Any], choices: dict[int, dict[str, Any]], chunk: dict[str, Any]) -> None:
    """The first id, model and time that say anything are the answer's (Azure's first chunk has empty ones)."""
    for name, value in chunk.items():
        if name == "usage":
            whole[name] = value or whole.get(name)
        elif name not in ("choices", "obfuscation"):
            whole[name] = whole.get(name) or value
    for choice in chunk.get("choices") or ():
        index = choice.get("index") or 0
        folded = choices.setdefault(index, {"index": index, "message": {"role": "assistant", "content": None}})
        _fold_delta(folded["message"], choice.get("delta") or {})
        for name, value in choice.items():
            if name == "logprobs" and value:
                _fold_logprobs(folded, value)
            elif name not in ("index", "delta", "logprobs", "message") and value is not None:
                folded[name] = value


def _fold_delta(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if value is None:
            message.setdefault(name, None)
        elif name == "tool_calls":
            message[name] = _calls(message.get(name) or [], value)
        elif name == "reasoning_details":
            message[name] = _details(message.get(name) or [], value)
        else:
            message[name] = _joined(name, message.get(name), value)


def _joined(name: str, before: Any, value: Any) -> Any:
    """Text grows, lists grow, objects are joined member by member, all else is what was said last."""
    if before is None:
        return value
    if isinstance(value, str) and isinstance(before, str) and name in _TEXTS:
        return before + value
    if isinstance(value, list) or isinstance(before, list):
        return _parts(before) + _parts(value)
    if isinstance(value, dict) and isinstance(before, dict):
        return before | {key: _joined(key, before.get(key), each) for key, each in value.items()}
    return value or before


def _parts(content: Any) -> list[Any]:
    """Mistral mixes text and lists of parts within one answer."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _calls(calls: list[dict[str, Any]], fragments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A fragment continues the call of its index, unless it brings another id: some servers give all calls index 0."""
    for position, fragment in enumerate(fragments):
        said = {name: value for name, value in fragment.items() if value is not None and value != "null"}
        index, call_id = said.get("index", position), said.get("id")
        known = next((call for call in reversed(calls) if call["index"] == index), None)
        if known is None or (call_id and known.get("id") and call_id != known["id"]):
            calls.append(said | {"index": index})
        else:
            known.update(_joined("call", known, said))
    return calls


def _details(details: list[dict[str, Any]], fragments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """OpenRouter: fragments of one piece of reasoning share its index and type, and their order is kept."""
    for fragment in fragments:
        key = (fragment.get("index"), fragment.get("type"))
        known = next((each for each in details if (each.get("index"), each.get("type")) == key), None)
        if known is None or key[0] is None:
            details.append(dict(fragment))
        else:
            known.update(_joined("details", known, {k: v for k, v in fragment.items() if v is not None}))
    return details


def _fold_logprobs(folded: dict[str, Any], value: dict[str, Any]) -> None:
    known = folded.setdefault("logprobs", {})
    for name, tokens in value.items():
        known[name] = (known.get(name) or []) + tokens if tokens else known.get(name)


def _closed(choice: dict[str, Any]) -> dict[str, Any]:
    """Without the indices that only a stream needs."""
    message = choice["message"]
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{name: each for name, each in call.items() if name != "index"} for call in calls]
    elif "tool_calls" in message:
        del message["tool_calls"]
    return {"finish_reason": "stop", "logprobs": None} | choice
