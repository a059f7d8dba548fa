"""A canonical request as the body of a Messages request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Loss, Losses, refused
from gaiarouter.canonical.parts import ToolCall
from gaiarouter.canonical.request import UNSAMPLED, CanonicalRequest, Instruction, Kinds
from gaiarouter.dialects.accounting import usable_tools
from gaiarouter.dialects.messages.blocks import DIALECT, Block, BlockWriter, cache_control
from gaiarouter.dialects.messages.capabilities import Capabilities
from gaiarouter.dialects.messages.fields import OUTPUT_CONFIG, account, forwarded
from gaiarouter.dialects.messages.format import NO_FORMAT, FormatPlan, plan_format
from gaiarouter.dialects.messages.markers import limit_markers
from gaiarouter.dialects.messages.names import MAX_ID_CHARS, MAX_NAME_CHARS, Names
from gaiarouter.dialects.messages.plain_request import DEFAULT_MAX_TOKENS, write_plain
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.thinking import ThinkingPlan, plan_thinking
from gaiarouter.dialects.messages.tools import ChoiceWriter, ToolWriter, called_names
from gaiarouter.dialects.messages.turns import Message, MessageWriter, replays_thinking

HIDDEN_TOOL = "respond_json"
VERSION_WITH_SAMPLING = "2023-06-01"
VERSION = "2026-10-21"
_WITH_SAMPLING = {"anthropic-version": VERSION_WITH_SAMPLING}
_WITHOUT_SAMPLING = {"anthropic-version": VERSION}
_LEAST_TOP_P = 0.95
"""While a model thinks."""
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[\d\s().-]{7,}")
_AS_IT_COMES = AnswerPlan()
_TIERS = {
    "auto": "auto",
    "default": "standard_only",
    "priority": "auto",
    "fast": "auto",
    "standard_only": "standard_only",
}


class Target(Struct, frozen=True, kw_only=True):
    """Who the request is for. fetches_urls: the provider loads addresses of pictures by itself. web_search: callers
    may use the provider's search. strict: whatever cannot be carried over exactly is refused."""

    model: str
    capabilities: Capabilities
    strict: bool = False
    fetches_urls: bool = True
    web_search: bool = False


class EncodedRequest(Struct, frozen=True, kw_only=True):
    """headers: those that go with this very body."""

    body: bytes
    headers: Mapping[str, str]
    losses: tuple[Loss, ...]
    plan: AnswerPlan


def encode_request(request: CanonicalRequest, target: Target) -> EncodedRequest:
    """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do."""
    body = write_plain(request, target.model, target.capabilities)
    if body is not None:
        headers = _WITHOUT_SAMPLING if request.sampling == UNSAMPLED else _WITH_SAMPLING
        return EncodedRequest(body=body, headers=headers, losses=(), plan=_AS_IT_COMES)
    return Encoder(request, target).encode()


class Encoder:
    """Writes any request."""

    def __init__(self, request: CanonicalRequest, target: Target) -> None:
        self._request = request
        self._target = target
        self._model = target.capabilities
        self._losses = Losses(strict=target.strict)
        self._names = Names(max_chars=MAX_NAME_CHARS)

    def encode(self) -> EncodedRequest:
        request, kinds = self._request, self._request.kinds()
        account(request, self._losses)
        max_tokens = self._max_tokens()
        offered = self._tools(kinds)
        messages = self._messages(kinds)
        thinking = self._thinking(messages, max_tokens)
        format_ = NO_FORMAT if request.output.format is None else self._format(thinking)
        choice, tools = self._choice(offered, messages, thinking, format_)
        system = [*self._system(), *format_.instructions]
        extras = forwarded(request)
        output_config = _output_config(thinking, format_, extras)
        limit_markers(tools, system, messages, automatic="cache_control" in extras, losses=self._losses)
        sampling = self._sampling(thinking)
        body: dict[str, Any] = {
            "model": self._target.model,
            "max_tokens": max_tokens,
            "system": [block.body for block in system] if system else None,
            "messages": [message.body() for message in messages],
            "tools": [tool.body for tool in tools] if tools else None,
            "tool_choice": choice,
            "thinking": thinking.thinking,
            "output_config": output_config,
            **sampling,
            "stop_sequences": self._stop(),
            "metadata": self._metadata(),
            "service_tier": self._tier(),
            "stream": True if request.stream else None,
            **extras,
        }
        return EncodedRequest(
            body=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
            headers=_WITH_SAMPLING if sampling else _WITHOUT_SAMPLING,
            losses=self._losses.all(),
            plan=self._plan(format_) if offered or format_.tool else _AS_IT_COMES,
        )

    def _path(self, slot: str) -> str:
        return self._request.paths.get(slot, slot)

    def _max_tokens(self) -> int:
        given, most = self._request.max_output_tokens, self._model.max_output
        if given is None:
            return most or DEFAULT_MAX_TOKENS
        path = self._path("max_output_tokens")
        if given < 1:
            raise refused(path, "must be at least 1", code="invalid_value")
        if most is not None and given > most:
            self._losses.adapt(path, f"the model's maximum is {most}")
            return most
        return given

    def _tools(self, kinds: Kinds) -> list[Block]:
        """Those of the request; where it has none but the conversation calls some, one for each name called: some
        servers refuse calls of tools that they do not know."""
        if not self._request.tools:
            return self._called_tools() if ToolCall in kinds else []
        tools = ToolWriter(
            losses=self._losses,
            names=self._names,
            structured=self._model.structured_outputs,
            web_search=self._target.web_search,
        ).write(usable_tools(self._request, self._losses, dialect=DIALECT))
        return tools or self._called_tools()

    def _called_tools(self) -> list[Block]:
        schema = Raw(b'{"type":"object","properties":{}}')
        return [
            Block({"name": self._names.wire(name), "input_schema": schema}, "tools")
            for name in called_names(self._request)
        ]

    def _messages(self, kinds: Kinds) -> list[Message]:
        blocks = BlockWriter(
            losses=self._losses,
            call_ids=Names(max_chars=MAX_ID_CHARS),
            tools=self._names,
            fetches_urls=self._target.fetches_urls,
        )
        messages = MessageWriter(
            blocks=blocks,
            losses=self._losses,
            system_turns=self._model.system_turns,
            thinks=bool(self._model.thinking),
        ).write(self._request.turns, kinds)
        last = messages[-1]
        if last.role == "assistant":
            if not self._model.prefill:
                raise refused(last.path, "prefill: the model does not continue its own text", code="unsupported_value")
            text = last.blocks[-1].body
            if isinstance(text.get("text"), str):
                text["text"] = text["text"].rstrip()
        return messages

    def _thinking(self, messages: list[Message], max_tokens: int) -> ThinkingPlan:
        path = self._path("thinking")
        plan = plan_thinking(self._request.thinking, self._model, max_tokens=max_tokens, path=path, losses=self._losses)
        if plan.thinking is None or not plan.is_enabled:
            return plan
        if messages[-1].role == "assistant":
            self._losses.adapt(path, "a model that continues its own text cannot think before it")
            return ThinkingPlan({"type": "disabled"})
        last = next((message for message in reversed(messages) if message.role == "assistant"), None)
        if last and last.ids("tool_use", "id") and "thinking" not in last.blocks[0].type:
            self._losses.adapt(path, "the last turn calls tools and its thinking is missing: the API refuses to go on")
            return ThinkingPlan({"type": "disabled"})
        return plan

    def _format(self, thinking: ThinkingPlan) -> FormatPlan:
        return plan_format(
            self._request.output.format,
            self._model,
            hidden_tool=self._names.fresh(HIDDEN_TOOL),
            may_force=self._may_force(thinking),
            path=self._path("output.format"),
            losses=self._losses,
        )

    def _may_force(self, thinking: ThinkingPlan) -> bool:
        match self._model.forced_choice:
            case "yes":
                return True
            case "unless_enabled":
                return not thinking.is_enabled
            case "no":
                return False

    def _choice(
        self, tools: list[Block], messages: list[Message], thinking: ThinkingPlan, format_: FormatPlan
    ) -> tuple[dict[str, Any] | None, list[Block]]:
        request = self._request
        if not tools and not format_.tool:
            return None, tools
        if tools and not request.tools:
            return {"type": "none"}, tools
        choice, tools = ChoiceWriter(
            losses=self._losses,
            names=self._names,
            may_force=self._may_force(thinking),
            may_filter=not (self._model.bound and replays_thinking(messages)),
            path=self._path("tool_choice"),
        ).write(request.tool_choice, tools, request.parallel_tool_calls)
        return _with_hidden(format_.tool, choice, tools) if format_.tool else (choice, tools)

    def _system(self) -> list[Block]:
        if not self._request.instructions:
            return []
        return [_system_block(instruction) for instruction in self._request.instructions_for(DIALECT)]

    def _sampling(self, thinking: ThinkingPlan) -> dict[str, Any]:
        wish = self._request.sampling
        if wish.temperature is wish.top_p is wish.top_k is None:
            return {}
        values = {"temperature": wish.temperature, "top_p": wish.top_p, "top_k": wish.top_k}
        given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        for name in list(given):
            if reason := self._sampling_refused(name, given, thinking):
                del given[name]
                self._losses.drop(self._path(f"sampling.{name}"), reason)
        if given.get("temperature", 0) > 1:
            given["temperature"] = 1
            self._losses.adapt(self._path("sampling.temperature"), "1 is the highest temperature")
        return given

    def _sampling_refused(self, name: str, given: Mapping[str, float], thinking: ThinkingPlan) -> str | None:
        if not self._model.sampling:
            return "the model takes no sampling parameters"
        if name == "top_p" and "temperature" in given and not self._model.temperature_with_top_p:
            return "the model does not take it beside `temperature`"
        harmless = {"temperature": given[name] == 1, "top_p": given[name] >= _LEAST_TOP_P}.get(name, False)
        return "the model does not take it while it thinks" if thinking.on and not harmless else None

    def _stop(self) -> list[str] | None:
        stop = self._request.sampling.stop
        if stop is None:
            return None
        kept = [sequence for sequence in stop if sequence.strip()]
        if len(kept) < len(stop):
            self._losses.adapt(self._path("sampling.stop"), "blank stop sequences are left out")
        return kept or None

    def _metadata(self) -> dict[str, str] | None:
        user, metadata = self._request.end_user, self._request.metadata
        if metadata is not None:
            members: Any = msgspec.json.decode(metadata)
            if user is None and isinstance(members, dict) and isinstance(members.get("user_id"), str):
                user = members.pop("user_id")
            if members:
                self._losses.drop(self._path("metadata"), "only `user_id` has a counterpart", blind=True)
        if not user:
            return None
        return {"user_id": hashlib.sha256(user.encode()).hexdigest() if _PERSONAL.fullmatch(user) else user}

    def _tier(self) -> str | None:
        tier = self._request.tier
        if tier is None:
            return None
        found = _TIERS.get(tier)
        if found is None:
            self._losses.drop(self._path("tier"), "the provider has no such tier")
        elif tier not in ("auto", found, "default"):
            self._losses.adapt(self._path("tier"), f"the nearest tier is `{found}`")
        return found

    def _plan(self, format_: FormatPlan) -> AnswerPlan:
        custom = frozenset(self._names.wire(tool.name) for tool in self._request.tools if tool.kind == "custom")
        hidden = format_.tool.body["name"] if format_.tool else None
        return AnswerPlan(tools=self._names.renamed(), custom=custom, hidden=hidden)


def _system_block(instruction: Instruction) -> Block:
    body: dict[str, Any] = {"type": "text", "text": instruction.text}
    if instruction.cache:
        body["cache_control"] = cache_control(instruction.cache)
    return Block(body, instruction.path)


def _with_hidden(
    hidden: Block, choice: dict[str, Any] | None, tools: list[Block]
) -> tuple[dict[str, Any], list[Block]]:
    """The model must call one: a tool of the caller's, or the one that stands for the answer."""
    if choice and choice["type"] == "tool":
        return choice, [*tools, hidden]
    if tools and not (choice and choice["type"] == "none"):
        return {**(choice or {}), "type": "any"}, [*tools, hidden]
    return {"type": "tool", "name": hidden.body["name"]}, [*tools, hidden]


def _output_config(thinking: ThinkingPlan, format_: FormatPlan, extras: dict[str, Raw]) -> dict[str, Any] | None:
    """Takes what belongs there out of the extras."""
    config: dict[str, Any] = {}
    if thinking.effort is not None:
        config["effort"] = thinking.effort
    if format_.format is not None:
        config["format"] = format_.format
    for name in [name for name in extras if name.startswith(OUTPUT_CONFIG)]:
        config[name.removeprefix(OUTPUT_CONFIG)] = extras.pop(name)
    return config or None
