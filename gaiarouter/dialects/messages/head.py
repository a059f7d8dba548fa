"""A Messages request as it passes by: checked field by field, and patched in the caller's own bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, structs

from gaiarouter.canonical.usage import token_weight
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.body import parse
from gaiarouter.dialects.bulk import Bulk
from gaiarouter.dialects.members import HasMembers, JsonObject
from gaiarouter.dialects.messages.decode_turns import ATTRIBUTION
from gaiarouter.dialects.sealing import is_sealed
from gaiarouter.errors import InvalidRequest

# what a picture or a document is taken for in an estimate, whose true price depends on the model
_MEDIA_TOKENS: Final = 1500
_MESSAGE_TOKENS: Final = 4
_BYTES_PER_TOKEN: Final = 4
_FORWARDED: Final = ("anthropic-", "x-claude-code-")
_KEPT_BACK: Final = frozenset({"anthropic-organization-id", "anthropic-workspace-id"})
"""Whose account it is, the operator says."""
_DEFAULT_VERSION: Final = "2023-06-01"
_MEDIA: Final = frozenset({"image", "document"})


class _Block(Struct, gc=False):
    type: str
    text: str | None = None
    content: Raw = Raw(b"")
    input: Raw = Raw(b"")
    signature: Raw = Raw(b"")


class _Message(Struct, gc=False):
    role: str
    content: str | list[_Block]


class _Metadata(Struct, gc=False):
    user_id: str | None = None


class _Body(Struct, gc=False):
    model: str
    max_tokens: int
    messages: list[_Message]
    system: str | list[_Block] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: _Metadata | None = None
    tools: list[dict[str, Raw]] | None = None
    tool_choice: dict[str, Raw] | None = None
    thinking: dict[str, Raw] | None = None


_decode = msgspec.json.Decoder(_Body).decode
read_large = Bulk(_Body, "messages", _Message).read
_decode_system = msgspec.json.Decoder(str | list[Raw]).decode


class MessagesHead(HasMembers, Struct, gc=False):
    """Implements dialects.base.RequestHead."""

    model: str
    stream: bool
    include_usage: bool
    max_output_tokens: int | None
    prompt_bytes: int
    forwarded: Mapping[str, str]
    sealed: bool
    _input_weight: float
    _object: JsonObject

    def estimated_input_tokens(self) -> int:
        return int(self._input_weight) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        """Usage comes unasked."""
        return self._object.body if model == self.model else self._object.replaced("model", msgspec.json.encode(model))

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> MessagesHead:
        """Raises InvalidRequest if what the edits make of it is no request any more."""
        given = {name for name, value in self._object.members.items() if bytes(value) != b"null"}
        changes = {name: value for name, value in default.items() if name not in given} | dict(set_)
        values = {name: msgspec.json.encode(value) for name, value in changes.items() if name not in drop}
        if system is not None:
            values["system"] = _with_system(system, values.get("system") or self._object.members.get("system"))
        if not values and not drop:
            return self
        return structs.replace(read_request(self._object.patched(values, drop)), forwarded=self.forwarded)


def _with_system(text: str, before: bytes | None) -> bytes:
    """Before the caller's own, but behind a block that the provider finds by its being first."""
    own = {"type": "text", "text": text}
    if before is None or bytes(before) == b"null":
        return msgspec.json.encode(text)
    found = _decode_system(before)
    blocks: list[Any] = [{"type": "text", "text": found}] if isinstance(found, str) else list(found)
    first = bytes(found[0]) if isinstance(found, list) and found else msgspec.json.encode(found)
    place = 1 if ATTRIBUTION.encode() in first[:128] else 0
    return msgspec.json.encode([*blocks[:place], own, *blocks[place:]])


def read_request(body: bytes, envelope: Envelope = BARE) -> MessagesHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    request, members = parse(body, _decode, read_large)
    if not request.model.strip():
        raise InvalidRequest("`model` must not be empty", param="model")
    if not request.messages:
        raise InvalidRequest("`messages` must hold at least one message", param="messages")
    tools = members.members.get("tools")
    tools_bytes = len(tools) if tools is not None else 0
    system = members.members.get("system")
    return MessagesHead(
        model=request.model,
        stream=bool(request.stream),
        include_usage=bool(request.stream),
        max_output_tokens=request.max_tokens if request.max_tokens >= 0 else None,
        prompt_bytes=len(members.members["messages"]) + tools_bytes + (len(system) if system is not None else 0),
        forwarded=_forwarded(envelope.headers),
        sealed=any(_is_sealed(each.content) for each in request.messages),
        _input_weight=tools_bytes / _BYTES_PER_TOKEN + _input_weight(request),
        _object=members,
    )


def _input_weight(request: _Body) -> float:
    weight = sum(_MESSAGE_TOKENS + _weight(message.content) for message in request.messages)
    return weight + (_weight(request.system) if request.system is not None else 0.0)


def _is_sealed(content: str | list[_Block]) -> bool:
    return not isinstance(content, str) and any(is_sealed(block.signature) for block in content if block.signature)


def _weight(content: str | list[_Block]) -> float:
    if isinstance(content, str):
        return token_weight(content)
    return sum(map(_block_weight, content))


def _block_weight(block: _Block) -> float:
    if block.type in _MEDIA:
        return _MEDIA_TOKENS
    text = token_weight(block.text) if block.text else 0.0
    return text + (len(block.content) + len(block.input)) / _BYTES_PER_TOKEN


def _forwarded(headers: Mapping[str, str]) -> Mapping[str, str]:
    """An open list: values of `anthropic-beta` and members of the body come in pairs."""
    own = {name.lower(): value for name, value in headers.items() if name.lower().startswith(_FORWARDED)}
    return {"anthropic-version": _DEFAULT_VERSION} | {n: value for n, value in own.items() if n not in _KEPT_BACK}
