"""A Chat request: checked field by field, and patched in the caller's own bytes.

Fields we know are type-checked; what we do not know goes on untouched. Roles and the types of content parts are open,
and null is allowed wherever a field may be left out: providers extend them freely.
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
from gaiarouter.dialects.members import HasMembers, JsonObject, asking_for_usage
from gaiarouter.errors import InvalidRequest

# what a picture, a sound or a file is taken for in an estimate, whose true price depends on the model
_MEDIA_TOKENS = 800
_MESSAGE_TOKENS = 4
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class _ImageUrl(Struct, gc=False):
    url: str


class _InputAudio(Struct, gc=False):
    data: str | None = None
    format: str | None = None


class _Part(Struct, gc=False):
    type: str
    text: str | None = None
    image_url: _ImageUrl | str | None = None
    input_audio: _InputAudio | str | None = None


class _CalledFunction(Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Raw] | None = None


class _ToolCall(Struct, gc=False):
    id: str | None = None
    type: str | None = None
    function: _CalledFunction | None = None


class _Message(Struct, gc=False):
    role: str
    content: str | list[_Part | str] | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    function_call: _CalledFunction | None = None


class _Function(Struct, gc=False):
    name: str
    description: str | None = None
    parameters: dict[str, Raw] | bool | None = None
    strict: bool | None = None


class _Tool(Struct, gc=False):
    type: str | None = None
    function: _Function | None = None


class _StreamOptions(Struct, gc=False):
    include_usage: bool | None = None


class _ResponseFormat(Struct, gc=False):
    type: str


class _Body(Struct, gc=False):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    seed: int | None = None
    user: str | None = None
    metadata: dict[str, Raw] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | dict[str, Raw] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[_Function] | None = None
    function_call: str | dict[str, Raw] | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    store: bool | None = None


_decode = msgspec.json.Decoder(_Body).decode
read_large = Bulk(_Body, "messages", _Message).read


class ChatHead(HasMembers, Struct, gc=False):
    """Implements dialects.base.RequestHead. Not frozen only because the protocol's members are plain attributes."""

    model: str
    stream: bool
    include_usage: bool
    max_output_tokens: int | None
    prompt_bytes: int
    forwarded: Mapping[str, str]
    _input_weight: float
    _object: JsonObject
    sealed: bool = False
    """Thinking that comes back in this format is in its own words, whoever sealed it."""

    def estimated_input_tokens(self) -> int:
        return int(self._input_weight) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        own = self._object
        if ask_usage and self.stream and not self.include_usage:
            changes = {} if model == self.model else {"model": msgspec.json.encode(model)}
            return own.patched(changes | asking_for_usage(own))
        return own.body if model == self.model else own.replaced("model", msgspec.json.encode(model))

    def edited(
        self,
        *,
        default: Mapping[str, Any],
        set_: Mapping[str, Any],
        drop: tuple[str, ...],
        system: str | None,
    ) -> ChatHead:
        """Raises InvalidRequest if what the edits make of it is no request any more."""
        changes = {name: value for name, value in default.items() if not self._is_given(name)} | dict(set_)
        values = {name: msgspec.json.encode(value) for name, value in changes.items() if name not in drop}
        if system is not None:
            messages = values.get("messages") or bytes(self._object.members["messages"])
            first = msgspec.json.encode({"role": "system", "content": system})
            values["messages"] = b"[" + first + b"," + messages[1:]
        if not values and not drop:
            return self
        return structs.replace(read_request(self._object.patched(values, drop)), forwarded=self.forwarded)

    def _is_given(self, name: str) -> bool:
        """Whether the caller said so; null says nothing. The two names of the output limit are one wish."""
        limits = ("max_tokens", "max_completion_tokens")
        names = limits if name in limits else (name,)
        return any(bytes(self._object.members.get(each, b"null")) != b"null" for each in names)


def read_request(body: bytes, envelope: Envelope = BARE) -> ChatHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    request, json_object = parse(body, _decode, read_large)
    if not request.model.strip():
        raise InvalidRequest("`model` must not be empty", param="model")
    if not request.messages:
        raise InvalidRequest("`messages` must hold at least one message", param="messages")
    members = json_object.members
    tools = members.get("tools")
    tools_bytes = len(tools) if tools is not None else 0
    limit = request.max_completion_tokens if request.max_completion_tokens is not None else request.max_tokens
    options = request.stream_options
    return ChatHead(
        model=request.model,
        stream=bool(request.stream),
        include_usage=bool(request.stream and options and options.include_usage),
        max_output_tokens=limit * max(1, request.n or 1) if limit is not None and limit >= 0 else None,
        prompt_bytes=len(members["messages"]) + tools_bytes,
        _input_weight=tools_bytes / 4 + _input_weight(request.messages),
        forwarded=_forwarded(envelope.headers) if envelope.headers else _NO_HEADERS,
        _object=json_object,
    )


def _forwarded(headers: Mapping[str, str]) -> Mapping[str, str]:
    beta = headers.get("openai-beta")
    return {"openai-beta": beta} if beta is not None else _NO_HEADERS


def _input_weight(messages: list[_Message]) -> float:
    weight = 0.0
    for message in messages:
        content = message.content
        weight += _MESSAGE_TOKENS
        if isinstance(content, str):
            weight += token_weight(content)
        elif content:
            weight += sum(_part_weight(part) for part in content)
        if message.tool_calls:
            weight += sum(_call_weight(call) for call in message.tool_calls)
    return weight


def _part_weight(part: _Part | str) -> float:
    text = part if isinstance(part, str) else part.text
    return _MEDIA_TOKENS if text is None else token_weight(text)


def _call_weight(call: _ToolCall) -> float:
    arguments = call.function.arguments if call.function else None
    return len(arguments) / 4 if isinstance(arguments, str) else 0.0
