"""Tools and the choice among them, as the API takes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import ToolCall
from gaiarouter.canonical.request import CanonicalRequest, Tool, ToolChoice
from gaiarouter.dialects.messages.blocks import DIALECT, Block, cache_control
from gaiarouter.dialects.messages.names import Names
from gaiarouter.dialects.messages.schema import NotEnforceable, enforceable

FUNCTION_MEMBERS = frozenset(
    {"name", "type", "description", "input_schema", "strict", "defer_loading", "cache_control"}
)
"""What of a function the canonical form has a place for."""
_DATED = re.compile(r"_\d{8}$")
_EMPTY = Raw(b'{"type":"object","properties":{}}')
_VARIANTS = frozenset({"anyOf", "oneOf", "allOf"})


class ToolWriter:
    """structured: the model can be held to a schema. web_search: callers may use the provider's search."""

    def __init__(self, *, losses: Losses, names: Names, structured: bool, web_search: bool) -> None:
        self._losses = losses
        self._names = names
        self._structured = structured
        self._web_search = web_search

    def write(self, tools: Sequence[Tool]) -> list[Block]:
        self._names.reserve([tool.name for tool in tools if tool.kind != "hosted"])
        return [Block(self._body(tool) | self._marks(tool), tool.path) for tool in tools]

    def _body(self, tool: Tool) -> dict[str, Any]:
        match tool.kind:
            case "function":
                return self._function(tool)
            case "custom":
                return self._custom(tool)
            case "hosted":
                return self._hosted(tool)

    def _marks(self, tool: Tool) -> dict[str, Any]:
        if tool.defer:
            if tool.cache:
                self._losses.drop(tool.path, "a tool that is loaded later cannot be a cache breakpoint")
            return {"defer_loading": True}
        return {"cache_control": cache_control(tool.cache)} if tool.cache else {}

    def _function(self, tool: Tool) -> dict[str, Any]:
        body: dict[str, Any] = {"name": self._names.wire(tool.name), **_own_members(tool)}
        if tool.description or (tool.description is not None and tool.dialect == DIALECT):
            body["description"] = tool.description
        body["input_schema"] = _input_schema(tool)
        if tool.strict:
            body |= self._strict(tool, body["input_schema"])
        return body

    def _strict(self, tool: Tool, schema: object) -> dict[str, Any]:
        if not self._structured:
            self._losses.drop(tool.path, "the model cannot be held to a schema")
            return {}
        try:
            clean, moved = enforceable(msgspec.json.decode(msgspec.json.encode(schema)))
        except NotEnforceable:
            self._losses.drop(tool.path, "the provider cannot enforce this schema")
            return {}
        if moved:
            self._losses.adapt(tool.path, "constraints that cannot be enforced are told in descriptions")
        return {"strict": True, "input_schema": clean}

    def _custom(self, tool: Tool) -> dict[str, Any]:
        self._losses.adapt(tool.path, "free text is sent as one string argument")
        grammar = (
            tool.grammar and f"The input must match this {tool.grammar.syntax} grammar:\n{tool.grammar.definition}"
        )
        schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
        body: dict[str, Any] = {"name": self._names.wire(tool.name)}
        if description := "\n\n".join(text for text in (tool.description, grammar) if text):
            body["description"] = description
        return body | {"input_schema": schema}

    def _hosted(self, tool: Tool) -> dict[str, Any]:
        if tool.raw is None and tool.capability == "web_search" and self._web_search:
            return _web_search(tool)
        members: dict[str, Raw] = {} if tool.raw is None else msgspec.json.decode(tool.raw, type=dict[str, Raw])
        kind = msgspec.json.decode(members["type"]) if "type" in members else ""
        is_dated = isinstance(kind, str) and _DATED.search(kind) is not None
        if tool.dialect in (None, DIALECT) and ("input_schema" in members or is_dated):
            self._names.wire(tool.name)
            return {name: value for name, value in members.items() if name != "cache_control"}
        raise refused(tool.path, "a tool that runs at another provider cannot be used with this model")


def _own_members(tool: Tool) -> dict[str, Raw]:
    """Of a function of this format's callers: what no other format has."""
    if tool.dialect != DIALECT or tool.raw is None:
        return {}
    members = msgspec.json.decode(tool.raw, type=dict[str, Raw])
    return {name: value for name, value in members.items() if name not in FUNCTION_MEMBERS}


def _input_schema(tool: Tool) -> Raw | dict[str, Any]:
    """The schema in its own bytes, unless the API asks for a type that was left out."""
    if tool.schema is None or bytes(tool.schema) == b"{}":
        return _EMPTY
    try:
        members = msgspec.json.decode(tool.schema, type=dict[str, Raw])
    except msgspec.ValidationError:
        raise refused(tool.path, "a tool's schema must be that of an object") from None
    if not members:
        return _EMPTY
    if not _VARIANTS.isdisjoint(members) or bytes(members.get("type", b'"object"')) != b'"object"':
        raise refused(tool.path, "a tool's schema must be that of an object, without variants at its root")
    return tool.schema if "type" in members else {"type": "object", **members}


def _web_search(tool: Tool) -> dict[str, Any]:
    body: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
    if tool.user_location is not None:
        place = msgspec.json.decode(tool.user_location, type=dict[str, Raw])
        body["user_location"] = {"type": "approximate", **place}
    return body


def called_names(request: CanonicalRequest) -> list[str]:
    """Of the tools that the conversation has called, each once."""
    names = (part.name for turn in request.turns for part in turn.parts if isinstance(part, ToolCall))
    return list(dict.fromkeys(names))


class ChoiceWriter:
    """may_force: the model takes `any` and `tool`. may_filter: tools can be left out without harm to thinking."""

    def __init__(self, *, losses: Losses, names: Names, may_force: bool, may_filter: bool, path: str) -> None:
        self._losses = losses
        self._names = names
        self._may_force = may_force
        self._may_filter = may_filter
        self._path = path

    def write(
        self, choice: ToolChoice | None, tools: list[Block], parallel: bool | None
    ) -> tuple[dict[str, Any] | None, list[Block]]:
        """The `tool_choice` member and the tools that remain."""
        if not tools:
            return None, []
        written, tools = self._choice(choice, tools)
        if parallel is False and (written is None or written["type"] != "none"):
            written = (written or {"type": "auto"}) | {"disable_parallel_tool_use": True}
        return written, tools

    def _choice(self, choice: ToolChoice | None, tools: list[Block]) -> tuple[dict[str, Any] | None, list[Block]]:
        if choice is None:
            return None, tools
        match choice.mode:
            case "auto" | "none":
                return {"type": choice.mode}, tools
            case "required":
                return self._forced({"type": "any"}), tools
            case "named":
                return self._forced({"type": "tool", "name": self._known(choice.names[0], tools)}), tools
            case "allowed":
                return self._allowed(choice, tools)

    def _allowed(self, choice: ToolChoice, tools: list[Block]) -> tuple[dict[str, Any], list[Block]]:
        names = {self._known(name, tools) for name in choice.names}
        if not self._may_filter:
            self._losses.adapt(self._path, "leaving tools out would invalidate the thinking: all stay, on `auto`")
            return {"type": "auto"}, tools
        self._losses.adapt(self._path, "the other tools are left out of the request")
        left = [tool for tool in tools if tool.body.get("name") in names]
        return self._forced({"type": "any"}) if choice.required else {"type": "auto"}, left

    def _forced(self, choice: dict[str, Any]) -> dict[str, Any]:
        if self._may_force:
            return choice
        self._losses.adapt(self._path, "the model refuses a forced choice: it is left to choose")
        return {"type": "auto"}

    def _known(self, name: str, tools: list[Block]) -> str:
        wire = self._names.wire(name)
        if all(tool.body.get("name") != wire for tool in tools):
            raise refused(self._path, f"{name[:64]!r} is none of the tools", code="invalid_value")
        return wire
