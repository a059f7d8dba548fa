"""Tools and the choice among them, as Chat takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import Tool, ToolChoice
from gaiarouter.dialects.chat.names import Names
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.dialects.chat.target_parts import DIALECT

_FREE_TEXT = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


class ToolWriter:
    def __init__(self, profile: ChatProfile, names: Names, losses: Losses) -> None:
        self._profile = profile
        self._names = names
        self._losses = losses

    def wrapped(self, tools: Sequence[Tool]) -> frozenset[str]:
        """The caller's names of tools of free text that this server knows as functions only."""
        if self._profile.custom_tools:
            return frozenset()
        return frozenset(tool.name for tool in tools if tool.kind == "custom")

    def write(self, tools: Sequence[Tool]) -> list[dict[str, Any]]:
        self._names.reserve([tool.name for tool in tools if tool.kind != "hosted"])
        return [self._tool(tool) for tool in tools]

    def _tool(self, tool: Tool) -> dict[str, Any]:
        match tool.kind:
            case "function":
                return self._marked({"type": "function", "function": self._function(tool)}, tool)
            case "custom" if self._profile.custom_tools:
                return {"type": "custom", "custom": self._custom(tool)}
            case "custom":
                self._losses.adapt(tool.path, "free text is sent as one string argument")
                return {"type": "function", "function": self._free_text(tool)}
            case "hosted" if tool.dialect in (None, DIALECT) and tool.raw is not None:
                return dict(msgspec.json.decode(tool.raw, type=dict[str, Raw]))
            case "hosted":
                raise refused(tool.path, "a tool that runs at another provider cannot be used with this model")

    def _marked(self, body: dict[str, Any], tool: Tool) -> dict[str, Any]:
        if tool.cache is None:
            return body
        if not self._profile.cache_control:
            self._losses.drop(tool.path, "the provider finds by itself what to cache", blind=True)
            return body
        return body | {"cache_control": {"type": "ephemeral"} | ({"ttl": tool.cache.ttl} if tool.cache.ttl else {})}

    def _function(self, tool: Tool) -> dict[str, Any]:
        if tool.defer:
            self._losses.drop(f"{tool.path}.defer_loading", "the provider is told of all tools at once", blind=True)
        optional = {"description": tool.description, "parameters": tool.schema, "strict": tool.strict}
        given = {name: value for name, value in optional.items() if value is not None}
        if not self._profile.strict_tools and given.pop("strict", False):
            self._losses.drop(f"{tool.path}.function.strict", "the provider cannot hold calls to their schema")
        return {"name": self._names.wire(tool.name)} | given

    def _custom(self, tool: Tool) -> dict[str, Any]:
        body: dict[str, Any] = {"name": self._names.wire(tool.name)}
        if tool.description is not None:
            body["description"] = tool.description
        if tool.grammar is not None:
            grammar = {"syntax": tool.grammar.syntax, "definition": tool.grammar.definition}
            body["format"] = {"type": "grammar", "grammar": grammar}
        return body

    def _free_text(self, tool: Tool) -> dict[str, Any]:
        grammar = (
            tool.grammar and f"The input must match this {tool.grammar.syntax} grammar:\n{tool.grammar.definition}"
        )
        description = "\n\n".join(text for text in (tool.description, grammar) if text)
        told = {"description": description} if description else {}
        return {"name": self._names.wire(tool.name), **told, "parameters": _FREE_TEXT}


class ChoiceWriter:
    """path: the caller's name of the choice."""

    def __init__(self, profile: ChatProfile, names: Names, losses: Losses, *, path: str) -> None:
        self._profile = profile
        self._names = names
        self._losses = losses
        self._path = path

    def write(self, choice: ToolChoice | None, tools: Sequence[Tool]) -> Any:
        """The `tool_choice` member; None where nothing is said."""
        if choice is None or not tools:
            return None
        match choice.mode:
            case "auto" | "none":
                return choice.mode
            case _ if not self._profile.forced_choice:
                self._losses.adapt(self._path, "the model cannot be forced: it is left to choose")
                return "auto"
            case "required":
                return "required"
            case "named":
                return self._named(choice.names[0], tools)
            case "allowed":
                allowed = [self._named(name, tools) for name in choice.names]
                mode = "required" if choice.required else "auto"
                return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}

    def _named(self, name: str, tools: Sequence[Tool]) -> dict[str, Any]:
        tool = next((tool for tool in tools if tool.name == name), None)
        if tool is None:
            raise refused(self._path, f"{name[:64]!r} is none of the tools", code="invalid_value")
        kind = "custom" if tool.kind == "custom" and self._profile.custom_tools else "function"
        return {"type": kind, kind: {"name": self._names.wire(name)}}
