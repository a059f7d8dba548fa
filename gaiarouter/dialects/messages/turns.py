"""Turns as the messages that the API accepts: merged, results first, system turns only where they may stand.

The output for the start of a conversation never changes when it grows: providers cache by prefix, and newer models
refuse thinking whose earlier messages differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import Cache, Document, Image, Opaque, Reasoning, Refusal, Text
from gaiarouter.canonical.request import Kinds, Turn
from gaiarouter.dialects.messages.blocks import (
    DIALECT,
    THINKING_FORMAT,
    Block,
    BlockWriter,
    cache_control,
    thinking_blocks,
)

PLACEHOLDER_USER = "."
_UNMARKABLE = frozenset({"thinking", "redacted_thinking"})
_INSTRUCTIONS = frozenset({"system", "developer"})
_SAID: Kinds = frozenset({Text, Refusal, Image, Document})
"""Parts that neither call nor answer a call."""


class Message(Struct):
    """One message under construction."""

    role: str
    blocks: list[Block]
    path: str = ""

    def body(self) -> dict[str, Any]:
        return {"role": self.role, "content": [block.body for block in self.blocks]}

    def ids(self, kind: str, name: str) -> list[tuple[str, str]]:
        return [(block.body[name], block.path) for block in self.blocks if block.type == kind]


class MessageWriter(Struct, kw_only=True):
    """system_turns: the model takes `system` messages in the conversation."""

    blocks: BlockWriter
    losses: Losses
    system_turns: bool
    thinks: bool

    def write(self, turns: Sequence[Turn], kinds: Kinds) -> list[Message]:
        """kinds: of the turns' parts. Raises InvalidRequest where it is no conversation: nothing said, or calls and
        results that do not match."""
        first_thinking = self._first_thinking(turns) if Reasoning in kinds else 0
        messages: list[Message] = []
        instructed = False
        for index, turn in enumerate(turns):
            message = self._message(turn, thinks=index >= first_thinking)
            if message is not None:
                messages.append(message)
                instructed = instructed or message.role in _INSTRUCTIONS
        if not messages:
            path = turns[-1].path if turns else "messages"
            raise refused(path, "there must be a message with content", code="invalid_value")
        if instructed:
            messages = self._with_system_placed(messages)
        messages = _merged(messages)
        if messages[0].role != "user":
            messages.insert(0, Message("user", [Block({"type": "text", "text": PLACEHOLDER_USER}, "messages")]))
        if not kinds <= _SAID:
            _answer_calls(messages)
        return messages

    def _first_thinking(self, turns: Sequence[Turn]) -> int:
        """The turn from which thinking may be sent. A piece that has lost its signature takes all before it along: the
        API refuses a chain with a hole, and accepts one that lacks its start."""
        if not self.thinks:
            return len(turns)
        broken = [
            index
            for index, turn in enumerate(turns)
            for part in turn.parts
            if isinstance(part, Reasoning) and not thinking_blocks(part) and not _is_foreign(part)
        ]
        return max(broken, default=-1) + 1

    def _message(self, turn: Turn, *, thinks: bool) -> Message | None:
        if turn.name is not None and turn.role in ("user", "assistant"):
            self.losses.drop(f"{turn.path}.name", "a message has no author's name")
        blocks: list[Block] = []
        for part in turn.parts:
            match part:
                case Reasoning() if not thinks:
                    self.losses.drop(part.path, "thinking that its maker did not sign cannot be sent back", blind=True)
                case Opaque() if turn.role == "assistant" and part.dialect != DIALECT:
                    self.losses.drop(part.path, "another provider's own", blind=True)
                case Reasoning():
                    written = self.blocks.write(part)
                    if not written:
                        self.losses.drop(part.path, "another provider's thinking", blind=True)
                    blocks += written
                case _:
                    blocks += self.blocks.write(part)
        if turn.cache is not None:
            _mark_last(blocks, turn.cache)
        return Message(turn.role, blocks, turn.path) if blocks else None

    def _with_system_placed(self, messages: list[Message]) -> list[Message]:
        """A system turn may stand after the user and before the assistant or the end; anywhere else its text goes
        into a user turn. It is never moved: that would change what the model has already read."""
        placed: list[Message] = []
        before: str | None = None
        for message, after in zip(messages, _roles_after(messages), strict=True):
            if message.role not in _INSTRUCTIONS:
                placed.append(message)
            elif self.system_turns and before == "user" and after in (None, "assistant"):
                placed.append(Message("system", message.blocks, message.path))
            else:
                self.losses.adapt(message.path, "an instruction in the conversation is sent as the user's")
                placed.append(Message("user", [_wrapped(block) for block in message.blocks], message.path))
            if placed[-1].role != "system":
                before = placed[-1].role
        return placed


def _roles_after(messages: Sequence[Message]) -> list[str | None]:
    """For each the role of the next one that is no instruction."""
    roles: list[str | None] = []
    after: str | None = None
    for message in reversed(messages):
        roles.append(after)
        if message.role not in _INSTRUCTIONS:
            after = message.role
    return roles[::-1]


def _is_foreign(part: Reasoning) -> bool:
    """Made by another provider, so that its absence is no hole in a chain of this one's."""
    return part.format not in ("", THINKING_FORMAT)


def _mark_last(blocks: list[Block], cache: Cache) -> None:
    for block in reversed(blocks):
        if block.type not in _UNMARKABLE:
            block.body.setdefault("cache_control", cache_control(cache))
            return


def _wrapped(block: Block) -> Block:
    """Raises InvalidRequest for what is no text."""
    if not isinstance(block.body.get("text"), str):
        raise refused(block.path, "an instruction is text", code="invalid_value")
    return Block({**block.body, "text": f"<system>\n{block.body['text']}\n</system>"}, block.path)


def _merged(messages: list[Message]) -> list[Message]:
    merged = messages[:1]
    for message in messages[1:]:
        if merged[-1].role == message.role:
            merged[-1].blocks += message.blocks
        else:
            merged.append(message)
    return merged


def _answer_calls(messages: list[Message]) -> None:
    """Every call's result stands first in the very next message, in the order of the calls; there are no others."""
    open_calls: list[tuple[str, str]] = []
    for message in messages:
        results = message.ids("tool_result", "tool_use_id")
        if message.role == "user":
            _check_results(open_calls, results)
            order = {call: position for position, (call, _) in enumerate(open_calls)}
            message.blocks.sort(key=lambda block: order.get(block.body.get("tool_use_id", ""), len(order)))
            open_calls = []
        elif open_calls:
            _check_results(open_calls, [])
        if message.role == "assistant":
            open_calls = message.ids("tool_use", "id")
    _check_results(open_calls, [])


def _check_results(calls: list[tuple[str, str]], results: list[tuple[str, str]]) -> None:
    called, answered = {call for call, _ in calls}, Counter(call for call, _ in results)
    for call, path in results:
        if call not in called or answered[call] > 1:
            raise refused(path, f"{call[:64]!r} answers no call of the message before", code="invalid_value")
    for call, path in calls:
        if call not in answered:
            raise refused(path, f"the call {call[:64]!r} has no result in the next message", code="invalid_value")


def replays_thinking(messages: Sequence[Message]) -> bool:
    return any(block.type in _UNMARKABLE for message in messages for block in message.blocks)
