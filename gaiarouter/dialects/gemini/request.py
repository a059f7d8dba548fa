"""A canonical request as the body of a Gemini request. Model and streaming stand in its address: see `method`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.losses import Loss, Losses, refused
from gaiarouter.canonical.parts import ToolCall
from gaiarouter.canonical.request import NO_WISH, CanonicalRequest, Kinds
from gaiarouter.dialects.accounting import usable_tools
from gaiarouter.dialects.gemini.capabilities import Capabilities
from gaiarouter.dialects.gemini.chunks import StreamDecoder
from gaiarouter.dialects.gemini.errors import read_error
from gaiarouter.dialects.gemini.fields import CONFIG, FORWARDED_EXTRAS, TOOL_CONFIG, account, forwarded
from gaiarouter.dialects.gemini.format import NO_FORMAT, FormatPlan, plan_format
from gaiarouter.dialects.gemini.media import MediaWriter
from gaiarouter.dialects.gemini.names import Names
from gaiarouter.dialects.gemini.parts import DIALECT, NO_BREAKPOINTS, SAID, PartWriter
from gaiarouter.dialects.gemini.plain_request import write_plain
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.response import decode_answer
from gaiarouter.dialects.gemini.sampling import SamplingWriter
from gaiarouter.dialects.gemini.thinking import thinking_config
from gaiarouter.dialects.gemini.tools import NO_TOOLS, ChoiceWriter, ToolPlan, ToolWriter
from gaiarouter.dialects.gemini.turns import ContentWriter
from gaiarouter.errors import UpstreamError

_MINTED = re.compile(r"call_gm_(\d{1,9})")
_CACHED = "cachedContent"
_AS_IT_COMES = AnswerPlan()
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Target(Struct, frozen=True, kw_only=True):
    """Who the request is for.

    developer_api: Google's developer API, with its Files API and its tiers; False for its cloud. fetches_urls: the
    provider loads any address by itself. web_search: callers may use the provider's search. strict: whatever
    cannot be carried over exactly is refused.
    """

    model: str
    capabilities: Capabilities
    strict: bool = False
    developer_api: bool = True
    fetches_urls: bool = False
    web_search: bool = False


class EncodedRequest(Struct, frozen=True, kw_only=True):
    """Implements dialects.translate.PreparedRequest. headers: those that go with this very body."""

    body: bytes
    headers: Mapping[str, str]
    losses: tuple[Loss, ...]
    plan: AnswerPlan

    def decode_answer(self, body: bytes) -> CanonicalAnswer:
        return decode_answer(body, self.plan)

    def stream_decoder(self) -> StreamDecoder:
        return StreamDecoder(self.plan)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)


def method(model: str, *, stream: bool) -> str:
    """The end of the address. Without `alt=sse` a stream would come as one JSON array."""
    name = model.removeprefix("models/")
    return f"models/{name}:streamGenerateContent?alt=sse" if stream else f"models/{name}:generateContent"


def encode_request(request: CanonicalRequest, target: Target) -> EncodedRequest:
    """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do."""
    body = write_plain(request)
    if body is not None:
        return EncodedRequest(body=body, headers=_NO_HEADERS, losses=(), plan=_AS_IT_COMES)
    return Encoder(request, target).encode()


class Encoder:
    """Writes any request."""

    def __init__(self, request: CanonicalRequest, target: Target) -> None:
        self._request = request
        self._target = target
        self._model = target.capabilities
        self._losses = Losses(strict=target.strict)
        self._names = Names(max_chars=self._model.name_chars)

    def encode(self) -> EncodedRequest:
        request, kinds = self._request, self._request.kinds()
        account(request, self._losses)
        tools, tool_config = self._tools()
        format_ = NO_FORMAT if request.output.format is None else self._format(tools)
        sampling = SamplingWriter(request, self._losses, self._target.developer_api)
        body = _given(
            {
                "systemInstruction": self._system(format_),
                "tools": None if tools is NO_TOOLS else tools.body(),
                "toolConfig": tool_config,
                "contents": self._contents(kinds),
                "generationConfig": self._config(sampling, format_) or None,
                "serviceTier": sampling.tier(),
                **forwarded(request),
            }
        )
        if request.extras:
            self._check_cached(body)
        return EncodedRequest(
            body=msgspec.json.encode(body),
            headers=_NO_HEADERS,
            losses=self._losses.all(),
            plan=_AS_IT_COMES if tools is NO_TOOLS and ToolCall not in kinds else self._plan(tools),
        )

    def _config(self, sampling: SamplingWriter, format_: FormatPlan) -> dict[str, Any]:
        wish, config = self._request.thinking, sampling.config()
        if wish != NO_WISH:
            thinking = thinking_config(wish, self._model, path=self._path("thinking"), losses=self._losses)
            config |= {"thinkingConfig": thinking} if thinking is not None else {}
        return {**config, **format_.config, **forwarded(self._request, CONFIG)}

    def _path(self, slot: str) -> str:
        return self._request.paths.get(slot, slot)

    def _tools(self) -> tuple[ToolPlan, dict[str, Any] | None]:
        request, losses = self._request, self._losses
        if not request.tools and request.tool_choice is None:
            return NO_TOOLS, forwarded(request, TOOL_CONFIG) or None
        tools = ToolWriter(
            losses=losses, names=self._names, model=self._model, web_search=self._target.web_search
        ).write(usable_tools(request, losses, dialect=DIALECT))
        calling, tools = ChoiceWriter(
            losses=losses, names=self._names, model=self._model, path=self._path("tool_choice")
        ).write(request.tool_choice, tools)
        if request.parallel_tool_calls is False and tools.functions:
            losses.adapt(self._path("parallel_tool_calls"), "the model may call several functions at once")
        config: dict[str, Any] = {"functionCallingConfig": calling} if calling else {}
        if tools.hosted and tools.functions and self._target.developer_api:
            config["includeServerSideToolInvocations"] = True
        return tools, (config | forwarded(request, TOOL_CONFIG)) or None

    def _format(self, tools: ToolPlan) -> FormatPlan:
        return plan_format(
            self._request.output.format,
            self._model,
            has_functions=bool(tools.functions),
            path=self._path("output.format"),
            losses=self._losses,
        )

    def _system(self, format_: FormatPlan) -> dict[str, Any] | None:
        if not self._request.instructions and not format_.instruction:
            return None
        for instruction in self._request.instructions:
            self._losses.drop_breakpoint(instruction, NO_BREAKPOINTS)
        texts = [instruction.text for instruction in self._request.instructions_for(DIALECT)]
        if format_.instruction:
            texts.append(format_.instruction)
        return {"parts": [{"text": text} for text in texts]} if texts else None

    def _contents(self, kinds: Kinds) -> list[dict[str, Any]]:
        target = self._target
        media = MediaWriter(
            model=self._model,
            losses=self._losses,
            fetches_urls=target.fetches_urls,
            own_files=target.developer_api,
        )
        parts = PartWriter(model=self._model, names=self._names, media=media, losses=self._losses, kinds=kinds)
        writer = ContentWriter(
            parts=parts, losses=self._losses, signs_calls=self._model.signs_calls and not kinds <= SAID
        )
        return [content.body() for content in writer.write(self._request.turns)]

    def _check_cached(self, body: Mapping[str, Any]) -> None:
        """What was stored beforehand holds its own instructions and tools: the API refuses others beside it."""
        cached = next((name for name in self._request.extras if FORWARDED_EXTRAS.get(name) == _CACHED), None)
        if cached is not None and not body.keys().isdisjoint(("systemInstruction", "tools", "toolConfig")):
            text = "cannot stand beside instructions, tools or a choice of them: it holds its own"
            raise refused(cached, text, code="invalid_value")

    def _plan(self, tools: ToolPlan) -> AnswerPlan:
        custom = frozenset(self._names.wire(tool.name) for tool in self._request.tools if tool.kind == "custom")
        return AnswerPlan(
            tools=self._names.renamed(),
            declared=frozenset(tools.names),
            custom=custom,
            choices=tools.choices,
            next_call=_next_call(self._request),
        )


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _next_call(request: CanonicalRequest) -> int:
    """Beyond all numbers that this conversation's calls were given when they came without an id."""
    ids = (part.call_id for turn in request.turns for part in turn.parts if isinstance(part, ToolCall))
    numbers = (int(minted.group(1)) for call_id in ids if (minted := _MINTED.fullmatch(call_id)))
    return max(numbers, default=-1) + 1
