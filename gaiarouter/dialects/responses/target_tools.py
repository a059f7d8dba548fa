"""Tools, and which of them must be called, as a Responses request has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.request import Tool, ToolChoice
from gaiarouter.dialects.responses.fields import DIALECT
from gaiarouter.dialects.responses.names import Names

Body = dict[str, Any]


class ToolWriter:
    """own: the caller speaks this format too: what it left unsaid stays unsaid."""

    def __init__(self, tools: Sequence[Tool], *, names: Names, own: bool) -> None:
        self._tools = tools
        self._names = names
        self._own = own
        names.reserve([tool.name for tool in tools if tool.kind != "hosted"])

    def tools(self) -> list[Any] | None:
        return [self._tool(tool) for tool in self._tools] or None

    def _tool(self, tool: Tool) -> Any:
        if tool.kind == "hosted":
            if tool.raw is not None and tool.dialect == DIALECT:
                return tool.raw
            raise refused(tool.path, "a tool that runs at another provider cannot be used with this model")
        body: Body = {"type": tool.kind, "name": self._names.wire(tool.name)}
        if tool.description is not None:
            body["description"] = tool.description
        return body | (self._custom(tool) if tool.kind == "custom" else self._function(tool))

    def _custom(self, tool: Tool) -> Body:
        defer = {} if tool.defer is None else {"defer_loading": tool.defer}
        if tool.grammar is None:
            return defer
        grammar = {"syntax": tool.grammar.syntax, "definition": tool.grammar.definition}
        return {"format": {"type": "grammar", **grammar}, **defer}

    def _function(self, tool: Tool) -> Body:
        """Left out, `strict` would be true here wherever the schema allows; elsewhere it is false."""
        body: Body = {}
        if tool.schema is not None:
            body["parameters"] = tool.schema
        elif not self._own:
            body["parameters"] = {"type": "object", "properties": {}}
        if tool.strict is not None or not self._own:
            body["strict"] = bool(tool.strict)
        if tool.defer is not None and self._own:
            body["defer_loading"] = tool.defer
        return body

    def choice(self, wish: ToolChoice | None) -> Any:
        if wish is None:
            return None
        if wish.mode == "named":
            return self._named(wish.names[0])
        if wish.mode == "allowed":
            mode = "required" if wish.required else "auto"
            return {"type": "allowed_tools", "mode": mode, "tools": [self._named(name) for name in wish.names]}
        return wish.mode

    def _named(self, name: str) -> Body:
        kind = next((tool.kind for tool in self._tools if tool.name == name), "function")
        return {"type": name} if kind == "hosted" else {"type": kind, "name": self._names.wire(name)}
