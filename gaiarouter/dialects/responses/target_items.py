"""Turns as the items of a Responses request, in their order. The items of a conversation's start never change when it
grows: providers cache by prefix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import (
    Audio,
    Cache,
    Document,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from gaiarouter.canonical.request import Turn
from gaiarouter.dialects.responses.fields import CACHES_BY_ITSELF, DIALECT
from gaiarouter.dialects.responses.names import CallIds, Names
from gaiarouter.dialects.responses.sealing import is_own, is_own_seal
from gaiarouter.dialects.responses.target_media import audio_part, document_part, image_part

_ERROR = "Error: "
Body = dict[str, Any]


class ItemWriter:
    """own: the caller speaks this format too, so that ids, roles and what has no meaning elsewhere stay as they are."""

    def __init__(self, *, names: Names, call_ids: CallIds, losses: Losses, own: bool) -> None:
        self._names = names
        self._call_ids = call_ids
        self._losses = losses
        self._own = own
        self._custom: set[str] = set()
        self._items: list[Any] = []

    def write(self, turns: Sequence[Turn]) -> list[Any]:
        """Raises InvalidRequest for what an item cannot hold, and for results that answer no call."""
        for turn in turns:
            self._turn(turn)
        if self._own:
            return self._items
        _check_results(turns)
        return _paired(self._items)

    def _turn(self, turn: Turn) -> None:
        if turn.name is not None and turn.role in ("user", "assistant"):
            self._losses.drop(f"{turn.path}.name", "a message has no author's name")
        self._losses.drop_breakpoint(turn, CACHES_BY_ITSELF)
        said: list[Any] = []
        for part in turn.parts:
            match part:
                case ToolCall() | ToolResult() | Reasoning():
                    self._message(turn, said)
                    said = []
                    self._standing_alone(part)
                case Opaque(dialect="responses") if turn.role == "assistant":
                    self._message(turn, said)
                    said = []
                    self._items.append(part.raw)
                case _:
                    content = self._spoken(part) if turn.role == "assistant" else self.content(part)
                    said += [] if content is None else [content]
        self._message(turn, said)

    def _message(self, turn: Turn, content: list[Any]) -> None:
        if not content:
            return
        role = "developer" if turn.role == "system" and not self._own else turn.role
        item: Body = {"type": "message", "role": role, "content": content}
        if turn.phase is not None:
            item["phase"] = turn.phase
        if turn.id is not None and self._own:
            item |= {"id": turn.id, "status": "completed"}
        self._items.append(item)

    def _spoken(self, part: Part) -> Any:
        """What the assistant has said before."""
        match part:
            case Text():
                self._losses.drop_breakpoint(part, CACHES_BY_ITSELF)
                annotations = [each.raw for each in part.citations if each.dialect == DIALECT]
                logprobs = {"logprobs": part.logprobs[0]} if part.logprobs else {}
                return {"type": "output_text", "text": part.text, "annotations": annotations, **logprobs}
            case Refusal(text=text):
                return {"type": "refusal", "refusal": text}
            case Opaque(fallback=str(text)):
                return {"type": "output_text", "text": text, "annotations": []}
            case Opaque():
                self._losses.drop(part.path, "another provider's own", blind=True)
            case _:
                self._losses.drop(part.path, "an assistant's message holds text only")
        return None

    def content(self, part: Part) -> Any:
        """A part of a user's message, of an instruction, or of a tool's output."""
        match part:
            case Text(text=text) | Refusal(text=text):
                return {"type": "input_text", "text": text} | self._cache(part)
            case Image():
                return image_part(part, self._losses) | self._cache(part)
            case Document():
                return document_part(part, self._losses) | self._cache(part)
            case Audio():
                return audio_part(part)
            case Opaque(dialect="responses", raw=raw):
                return raw
            case Opaque(fallback=str(text)):
                return {"type": "input_text", "text": text}
            case Video():
                raise refused(part.path, "no model of the provider sees films")
            case _:
                raise refused(part.path, "this part has no counterpart in the format of the model's provider")

    def _cache(self, part: Text | Refusal | Image | Document) -> Body:
        cache: Cache | None = None if isinstance(part, Refusal) else part.cache
        if cache is None:
            return {}
        if not self._own:
            self._losses.drop(part.path, CACHES_BY_ITSELF, blind=True)
            return {}
        return {"prompt_cache_breakpoint": {"mode": "explicit"} | ({"ttl": cache.ttl} if cache.ttl else {})}

    def _standing_alone(self, part: ToolCall | ToolResult | Reasoning) -> None:
        match part:
            case ToolCall(kind="function" | "custom"):
                self._items.append(self._call(part))
            case ToolCall():
                self._losses.drop(part.path, "another provider's own", blind=True)
            case ToolResult():
                self._items.append(self._result(part))
            case Reasoning():
                self._reasoning(part)

    def _call(self, call: ToolCall) -> Body:
        self._losses.drop_breakpoint(call, CACHES_BY_ITSELF)
        custom = call.kind == "custom"
        if custom:
            self._custom.add(call.call_id)
        item: Body = {
            "type": "custom_tool_call" if custom else "function_call",
            "call_id": self._call_ids.wire(call.call_id),
            "name": call.name.removeprefix(f"{call.namespace}__") if call.namespace else self._names.wire(call.name),
            "input" if custom else "arguments": call.arguments,
        }
        if call.namespace is not None:
            item["namespace"] = call.namespace
        if call.item_id is not None and self._own:
            item |= {"id": call.item_id, "status": "completed"}
        return item

    def _result(self, result: ToolResult) -> Body:
        self._losses.drop_breakpoint(result, CACHES_BY_ITSELF)
        kind = "custom_tool_call_output" if result.call_id in self._custom else "function_call_output"
        return {"type": kind, "call_id": self._call_ids.wire(result.call_id), "output": self._output(result)}

    def _output(self, result: ToolResult) -> Any:
        content = result.content
        if isinstance(content, Raw):
            content = bytes(content).decode()
        if isinstance(content, str):
            return _ERROR + content if result.is_error and not content.startswith("Error") else content
        parts = [self.content(part) for part in content]
        return [{"type": "input_text", "text": _ERROR.strip()}, *parts] if result.is_error else parts

    def _reasoning(self, part: Reasoning) -> None:
        encrypted = next((each.data for each in part.sealed if is_own_seal(each)), None)
        if encrypted is None and not self._own:
            self._losses.drop(part.path, "thinking that the provider did not seal cannot be sent back", blind=True)
            return
        item: Body = {"type": "reasoning", "summary": [{"type": "summary_text", "text": text} for text in part.summary]}
        if part.id is not None and (self._own or part.id.startswith("rs_")):
            item["id"] = part.id
        if part.visible and is_own(part.format):
            item["content"] = [{"type": "reasoning_text", "text": text} for text in part.visible]
        if encrypted is not None:
            item["encrypted_content"] = encrypted
        self._items.append(item)


def _paired(items: list[Any]) -> list[Any]:
    """Without thinking that nothing follows: the API refuses a piece without the item that it led to."""
    kept: list[Any] = []
    follows = False
    for item in reversed(items):
        is_thinking = isinstance(item, dict) and item["type"] == "reasoning"
        if not is_thinking:
            follows = not isinstance(item, dict) or item["type"] == "function_call" or _is_assistants(item)
        if follows or not is_thinking:
            kept.append(item)
    return kept[::-1]


def _is_assistants(item: Body) -> bool:
    return item["type"] == "custom_tool_call" or item.get("role") == "assistant"


def _check_results(turns: Sequence[Turn]) -> None:
    called: dict[str, str] = {}
    answered: set[str] = set()
    for part in (part for turn in turns for part in turn.parts):
        if isinstance(part, ToolCall) and part.kind in ("function", "custom"):
            called.setdefault(part.call_id, part.path)
        elif isinstance(part, ToolResult):
            if part.call_id not in called:
                raise refused(part.path, f"{part.call_id[:64]!r} answers no call before it", code="invalid_value")
            answered.add(part.call_id)
    for call_id, path in called.items():
        if call_id not in answered:
            raise refused(path, f"the call {call_id[:64]!r} has no result", code="invalid_value")
