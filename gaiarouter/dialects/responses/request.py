"""A Responses request: checked field by field, and patched in the caller's own bytes.

Fields we know are type-checked; what we do not know goes on untouched. Kinds of items, parts and tools are open, and
null is allowed wherever a field may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from gaiarouter.canonical.usage import token_weight
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.body import parse
from gaiarouter.dialects.bulk import Bulk
from gaiarouter.dialects.members import HasMembers, JsonObject
from gaiarouter.dialects.sealing import is_sealed
from gaiarouter.errors import InvalidRequest

# what a picture, a sound or a file is taken for in an estimate, whose true price depends on the model
_MEDIA_TOKENS = 800
_ITEM_TOKENS = 4
_MEDIA = frozenset({"input_image", "input_file", "input_audio"})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_CONTINUES = ("prompt", "previous_response_id", "conversation")


class _Part(Struct, gc=False):
    type: str | None = None
    text: str | None = None

    def weight(self) -> float:
        return _MEDIA_TOKENS if self.type in _MEDIA else token_weight(self.text or "")


class _Item(Struct, gc=False):
    type: str | None = None
    role: str | None = None
    content: str | list[_Part] | None = None
    arguments: Raw = Raw(b"")
    output: Raw = Raw(b"")
    encrypted_content: Raw = Raw(b"")

    def weight(self) -> float:
        content = self.content
        said = token_weight(content) if isinstance(content, str) else sum(part.weight() for part in content or ())
        return said + _ITEM_TOKENS + (len(self.arguments) + len(self.output)) / 4


class _Tool(Struct, gc=False):
    type: str | None = None


class _Body(Struct, gc=False):
    model: str
    input: str | list[_Item] | None = None
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | dict[str, Raw] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Raw] | None = None
    reasoning: dict[str, Raw] | None = None
    include: list[str] | None = None
    metadata: dict[str, Raw] | None = None
    user: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
read_large = Bulk(_Body, "input", _Item).read


class ResponsesHead(HasMembers, Struct, gc=False):
    """Implements dialects.base.RequestHead. Not frozen only because the protocol's members are plain attributes."""

    model: str
    stream: bool
    max_output_tokens: int | None
    prompt_bytes: int
    forwarded: Mapping[str, str]
    sealed: bool
    _input_weight: float
    _object: JsonObject
    include_usage: bool = True
    """Every stream of this format ends with it, asked for or not."""

    def estimated_input_tokens(self) -> int:
        return int(self._input_weight) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        return self._object.body if model == self.model else self._object.replaced("model", msgspec.json.encode(model))

    def edited(
        self,
        *,
        default: Mapping[str, Any],
        set_: Mapping[str, Any],
        drop: tuple[str, ...],
        system: str | None,
    ) -> ResponsesHead:
        """Raises InvalidRequest if what the edits make of it is no request any more."""
        changes = {name: value for name, value in default.items() if not self._is_given(name)} | dict(set_)
        values = {name: msgspec.json.encode(value) for name, value in changes.items() if name not in drop}
        if system is not None:
            own = values.get("instructions") or bytes(self._object.members.get("instructions", b"null"))
            said = None if "instructions" in drop else msgspec.json.decode(own, type=str | None)
            values["instructions"] = msgspec.json.encode(f"{system}\n\n{said}" if said else system)
            drop = tuple(name for name in drop if name != "instructions")
        if not values and not drop:
            return self
        return structs.replace(read_request(self._object.patched(values, drop)), forwarded=self.forwarded)

    def _is_given(self, name: str) -> bool:
        """Whether the caller said so; null says nothing."""
        return bytes(self._object.members.get(name, b"null")) != b"null"


def read_request(body: bytes, envelope: Envelope = BARE) -> ResponsesHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    request, json_object = parse(body, _decode, read_large)
    if not request.model.strip():
        raise InvalidRequest("`model` must not be empty", param="model")
    members = json_object.members
    if not request.input and all(bytes(members.get(name, b"null")) == b"null" for name in _CONTINUES):
        raise InvalidRequest("`input` must hold a text or at least one item", param="input")
    limit = request.max_output_tokens
    read = [members[name] for name in ("instructions", "input", "tools") if name in members]
    tools = members.get("tools", b"")
    return ResponsesHead(
        model=request.model,
        stream=bool(request.stream),
        max_output_tokens=limit if limit is not None and limit >= 0 else None,
        prompt_bytes=sum(len(each) for each in read),
        forwarded=_forwarded(envelope.headers),
        sealed=isinstance(request.input, list) and any(is_sealed(item.encrypted_content) for item in request.input),
        _input_weight=len(tools) / 4 + token_weight(request.instructions or "") + _input_weight(request.input),
        _object=json_object,
    )


def _input_weight(said: str | list[_Item] | None) -> float:
    return token_weight(said) if isinstance(said, str) else sum(item.weight() for item in said or ())


def _forwarded(headers: Mapping[str, str]) -> Mapping[str, str]:
    beta = headers.get("openai-beta")
    return {"openai-beta": beta} if beta is not None else _NO_HEADERS
