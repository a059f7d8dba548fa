"""What an answer in Chat's form looks like on the wire, as far as the gateway reads it.

The same shapes serve whole answers and chunks. Types are as wide as what providers send: a field may be null
anywhere, `content` may be a list (Mistral), `arguments` an object (Mistral), a choice may lack everything but its index
(Azure). What is not named here passes by unread.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import token_weight

ABSENT = Raw(b"")


class Function(Struct, gc=False):
    name: str | None = None
    arguments: Raw = ABSENT

    @property
    def is_empty(self) -> bool:
        return not self.name and bytes(self.arguments) in _EMPTY_VALUES

    def weight(self) -> float:
        return (len(self.name or "") + len(self.arguments)) / 4


class ToolCall(Struct, gc=False):
    index: int | None = None
    function: Function | None = None


class Part(Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: list[Part] | str | None = None

    def weight(self) -> float:
        if isinstance(self.thinking, list):
            return sum(part.weight() for part in self.thinking)
        return token_weight(self.text or self.thinking or "")


class Said(Struct, gc=False):
    """A message, or the delta of one."""

    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Raw] | None = None
    refusal: str | None = None
    function_call: Function | None = None
    audio: Raw = ABSENT
    images: list[Raw] | None = None

    def has_content(self) -> bool:
        """Whether a caller sees something of it: text, a call, a refusal, reasoning, sound or a picture."""
        return bool(
            self.content
            or self.tool_calls
            or self.reasoning_content
            or self.reasoning
            or self.refusal
            or self.reasoning_details
            or self.images
            or (self.function_call and not self.function_call.is_empty)
            or (self.audio is not ABSENT and _has_value(self.audio))
        )

    @property
    def is_text(self) -> bool:
        """Whether it is a piece of text, or of thinking under the name that most give it."""
        return isinstance(self.content or self.reasoning_content, str) and not self.tool_calls

    def weight(self) -> float:
        """Tokens of the text in it, not rounded. Reasoning that comes in two spellings counts once."""
        content = self.content
        weight = 0.0
        if content:
            weight = token_weight(content) if isinstance(content, str) else sum(part.weight() for part in content)
        if thought := self.reasoning_content or self.reasoning:
            weight += token_weight(thought)
        if self.refusal:
            weight += token_weight(self.refusal)
        if self.tool_calls:
            weight += sum(call.function.weight() for call in self.tool_calls if call.function)
        if self.function_call and not self.function_call.is_empty:
            weight += self.function_call.weight()
        return weight


class Choice(Struct, gc=False):
    index: int | None = 0
    delta: Said | None = None
    message: Said | None = None
    text: str | None = None
    """In place of either, of Completions, whose chunks have the shape of its answers."""
    finish_reason: str | None = None
    error: Raw = ABSENT


class XGroq(Struct, gc=False):
    usage: Raw = ABSENT


class Body(Struct, gc=False):
    """A chunk, or a whole answer."""

    choices: list[Choice] | None = None
    usage: Raw = ABSENT
    service_tier: Raw = ABSENT
    error: Raw = ABSENT
    x_groq: XGroq | None = None


decode_body = msgspec.json.Decoder(Body).decode

_EMPTY_VALUES = (b"", b"null", b'""', b"{}", b"[]", b"false", b"0")


def is_truthy(value: Raw) -> bool:
    """Whether an `error` member says that there is one: `null`, `""`, `{}`, `false` and 0 are sent with good chunks."""
    return value is not ABSENT and bytes(value) not in _EMPTY_VALUES


def _has_value(value: Raw) -> bool:
    """Whether an object holds anything: some servers write every field of a struct, empty or not."""
    decoded = msgspec.json.decode(value)
    return any(decoded.values()) if isinstance(decoded, dict) else bool(decoded)
