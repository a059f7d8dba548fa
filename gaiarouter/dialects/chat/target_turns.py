"""Turns as Chat's messages: results right behind their calls, the user's words and pictures after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from gaiarouter.canonical.request import Instruction, Turn
from gaiarouter.dialects.chat.details import sealed_detail, summary_detail, text_detail
from gaiarouter.dialects.chat.names import Names, legal_id
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.dialects.chat.target_parts import DIALECT, PartWriter

PLACEHOLDER_ASSISTANT = "."
Message = dict[str, Any]


class MessageWriter:
    """wrapped: the caller's names of tools of free text that are sent as functions."""

    def __init__(self, profile: ChatProfile, names: Names, losses: Losses, *, wrapped: frozenset[str]) -> None:
        self._profile = profile
        self._names = names
        self._losses = losses
        self._wrapped = wrapped
        self._parts = PartWriter(profile, losses)
        self._open: dict[str, str] = {}

    def write(self, instructions: Sequence[Instruction], turns: Sequence[Turn]) -> list[Message]:
        """Raises InvalidRequest where calls and results do not match."""
        messages = self._system(instructions)
        for turn in _joined(turns):
            self._add(messages, turn)
        self._check_answered()
        if self._profile.bridge:
            messages = _bridged(messages)
        if messages and messages[-1]["role"] == "assistant":
            self._prefill(messages[-1], turns[-1].path)
        return messages

    def _system(self, instructions: Sequence[Instruction]) -> list[Message]:
        if instructions and (self._profile.one_system or self._profile.system_role == "user"):
            for each in instructions:
                self._parts.drop_cache(each)
            text = "\n\n".join(each.text for each in instructions)
            if self._profile.system_role == "user":
                return [_as_users(text)]
            return [{"role": self._role("system"), "content": text}]
        if all(each.origin == "top_level" for each in instructions):
            texts: list[Part] = [Text(text=each.text, cache=each.cache, path=each.path) for each in instructions]
            content = self._parts.content(texts)
            return [{"role": self._role("system"), "content": content}] if content is not None else []
        return [
            {
                "role": self._role(each.origin),
                "content": self._parts.content([Text(text=each.text, cache=each.cache, path=each.path)]),
            }
            for each in instructions
        ]

    def _role(self, origin: str) -> str:
        known = origin == "developer" and self._profile.developer_role
        return "developer" if known or self._profile.system_role == "developer" else "system"

    def _add(self, messages: list[Message], turn: Turn) -> None:
        self._parts.drop_cache(turn)
        match turn.role:
            case "assistant":
                self._check_answered()
                message = self._assistant(turn)
                if message is not None:
                    messages.append(message)
            case "user":
                messages += self._user(turn)
            case "system" | "developer":
                self._check_answered()
                messages += self._instruction(turn)

    def _instruction(self, turn: Turn) -> list[Message]:
        content = self._parts.content([part for part in turn.parts if isinstance(part, Text)])
        if content is None:
            return []
        if self._profile.one_system or self._profile.system_role == "user":
            self._losses.adapt(turn.path, "an instruction in the conversation is sent as the user's")
            return [_as_users("\n".join(part.text for part in turn.parts if isinstance(part, Text)))]
        return [self._named({"role": self._role(turn.role), "content": content}, turn)]

    def _user(self, turn: Turn) -> list[Message]:
        results = [part for part in turn.parts if isinstance(part, ToolResult)]
        order = {call_id: place for place, call_id in enumerate(self._open)}
        results.sort(key=lambda result: order.get(result.call_id, len(order)))
        messages: list[Message] = []
        beside: list[Part] = []
        for result in results:
            wire = self._answered(result)
            text, more = self._parts.result(result, wire)
            messages.append({"role": "tool", "tool_call_id": wire, "content": text})
            beside += more
        content = self._parts.content([*beside, *(part for part in turn.parts if not isinstance(part, ToolResult))])
        if content is not None:
            self._check_answered()
            messages.append(self._named({"role": "user", "content": content}, turn))
        return messages

    def _named(self, message: Message, turn: Turn) -> Message:
        return message if turn.name is None else {**message, "name": turn.name}

    def _answered(self, result: ToolResult) -> str:
        if result.call_id not in self._open:
            raise refused(
                result.path, f"{result.call_id[:64]!r} answers no call of the turn before", code="invalid_value"
            )
        del self._open[result.call_id]
        return legal_id(result.call_id, self._profile.call_ids)

    def _check_answered(self) -> None:
        for call_id, path in self._open.items():
            raise refused(path, f"the call {call_id[:64]!r} has no result after it", code="invalid_value")

    def _assistant(self, turn: Turn) -> Message | None:
        """None where nothing of it is left: thinking alone, that another provider made."""
        calls = [part for part in turn.parts if isinstance(part, ToolCall) and part.kind in ("function", "custom")]
        text = "".join(part.text for part in turn.parts if isinstance(part, Text))
        refusal = "".join(part.text for part in turn.parts if isinstance(part, Refusal))
        for part in turn.parts:
            if isinstance(part, Opaque) and part.dialect != DIALECT:
                self._losses.drop(part.path, "another provider's own", blind=True)
            elif isinstance(part, Text | ToolCall):
                self._parts.drop_cache(part)
        message: Message = {"role": "assistant", "content": text if text or not calls else None}
        if refusal:
            message["refusal"] = refusal
        message |= self._thinking(turn, has_calls=bool(calls))
        if calls:
            self._open = {call.call_id: call.path for call in calls}
            message["tool_calls"] = [self._call(call) for call in calls]
        said = text or refusal or calls or "reasoning_details" in message or "reasoning_content" in message
        return self._named(message, turn) if said else None

    def _call(self, call: ToolCall) -> dict[str, Any]:
        name, call_id = self._names.wire(call.name), legal_id(call.call_id, self._profile.call_ids)
        if call.kind == "custom" and call.name not in self._wrapped:
            return {"id": call_id, "type": "custom", "custom": {"name": name, "input": call.arguments}}
        arguments = call.arguments
        if call.kind == "custom":
            arguments = msgspec.json.encode({"input": arguments}).decode()
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}

    def _thinking(self, turn: Turn, *, has_calls: bool) -> Message:
        thoughts = [part for part in turn.parts if isinstance(part, Reasoning)]
        match self._profile.echo:
            case "details" if thoughts:
                return {
                    "reasoning_details": [detail for n, part in enumerate(thoughts) for detail in _details(part, n)]
                }
            case "content" if has_calls:
                own = [part for part in thoughts if not part.sealed]
                return {"reasoning_content": "".join(text for part in own for text in part.visible)}
            case _:
                for part in thoughts:
                    self._losses.drop(part.path, "the provider takes no thinking back", blind=True)
                return {}

    def _prefill(self, message: Message, path: str) -> None:
        match self._profile.prefill:
            case "refused":
                raise refused(path, "prefill: the model does not continue its own text", code="unsupported_value")
            case "marked":
                message["prefix"] = True
            case "plain":
                pass


def _joined(turns: Sequence[Turn]) -> list[Turn]:
    """What an assistant thought, said and called before anybody answered is one message here, however many it is of
    in the caller's format. Two texts stay two, unless a call of the first waits for its result."""
    joined: list[Turn] = []
    for turn in turns:
        before = joined[-1] if joined else None
        if before is None or not before.role == turn.role == "assistant" or (_ends(before) and _says(turn)):
            joined.append(turn)
        else:
            joined[-1] = msgspec.structs.replace(before, parts=before.parts + turn.parts)
    return joined


def _says(turn: Turn) -> bool:
    return any(isinstance(part, Text | Refusal) for part in turn.parts)


def _ends(turn: Turn) -> bool:
    return _says(turn) and not any(isinstance(part, ToolCall) for part in turn.parts)


def _as_users(text: str) -> Message:
    return {"role": "user", "content": f"<system>\n{text}\n</system>"}


def _details(part: Reasoning, index: int) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if part.visible:
        details.append(text_detail("".join(part.visible), index=index, format_=part.format, position=None))
    if part.summary:
        details.append(summary_detail("".join(part.summary), index=index, format_=part.format, position=None))
    for sealed in part.sealed:
        if sealed.kind == "signature" and details:
            details[0]["signature"] = sealed.data
        else:
            details.append(sealed_detail(sealed, index=index, position=None, id_=part.id))
    return details


def _bridged(messages: list[Message]) -> list[Message]:
    bridged: list[Message] = []
    for message in messages:
        if bridged and bridged[-1]["role"] == "tool" and message["role"] == "user":
            bridged.append({"role": "assistant", "content": PLACEHOLDER_ASSISTANT})
        bridged.append(message)
    return bridged
