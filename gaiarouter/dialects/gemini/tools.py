"""Functions, the provider's own tools, and the choice among them, as the API takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import Tool, ToolChoice
from gaiarouter.dialects.gemini.capabilities import Capabilities
from gaiarouter.dialects.gemini.form import FUNCTION_MEMBERS, members
from gaiarouter.dialects.gemini.names import Names
from gaiarouter.dialects.gemini.openapi import openapi_schema
from gaiarouter.dialects.gemini.parts import DIALECT, NO_BREAKPOINTS
from gaiarouter.dialects.gemini.plan import Choices
from gaiarouter.dialects.gemini.schema import NotExpressible, decoded, is_empty, json_schema

_HOSTED = frozenset(
    {
        *("googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval"),
        *("codeExecution", "code_execution", "urlContext", "url_context", "googleMaps", "google_maps"),
        *("fileSearch", "file_search", "computerUse", "computer_use", "enterpriseWebSearch", "enterprise_web_search"),
    }
)
_TOLD = "constraints that the provider does not know are told in descriptions"


class ToolPlan(Struct, frozen=True, kw_only=True):
    """functions: their declarations. hosted: objects of the provider's own tools. strict: every function is to be held
    to its schema. choices: as of AnswerPlan."""

    functions: tuple[dict[str, Any], ...] = ()
    hosted: tuple[dict[str, Any], ...] = ()
    strict: bool = False
    choices: dict[str, tuple[Choices, ...]] = {}

    @property
    def names(self) -> list[str]:
        return [function["name"] for function in self.functions]

    def only(self, names: Sequence[str]) -> ToolPlan:
        kept = tuple(function for function in self.functions if function["name"] in names)
        return msgspec.structs.replace(self, functions=kept)

    def body(self) -> list[dict[str, Any]] | None:
        """All functions in one object: the API refuses several."""
        declared = [{"functionDeclarations": list(self.functions)}] if self.functions else []
        return [*self.hosted, *declared] or None


NO_TOOLS = ToolPlan()


class ToolWriter:
    """web_search: callers may use the provider's search."""

    def __init__(self, *, losses: Losses, names: Names, model: Capabilities, web_search: bool) -> None:
        self._losses = losses
        self._names = names
        self._model = model
        self._web_search = web_search
        self._choices: dict[str, tuple[Choices, ...]] = {}

    def write(self, tools: Sequence[Tool]) -> ToolPlan:
        self._names.reserve([tool.name for tool in tools if tool.kind != "hosted"])
        callable_ = [tool for tool in tools if tool.kind != "hosted"]
        hosted = [tool for tool in tools if tool.kind == "hosted"]
        if hosted and callable_ and not self._model.hosted_with_functions:
            raise refused(hosted[0].path, "the model takes the provider's own tools only without functions")
        for tool in tools:
            self._losses.drop_breakpoint(tool, NO_BREAKPOINTS)
            if tool.defer:
                self._losses.drop(f"{tool.path}.defer_loading", "the provider is told of all tools at once", blind=True)
        return ToolPlan(
            functions=tuple(self._declaration(tool) for tool in callable_),
            hosted=tuple(self._hosted(tool) for tool in hosted),
            strict=self._strict(callable_),
            choices=self._choices,
        )

    def _strict(self, tools: Sequence[Tool]) -> bool:
        strict = [tool for tool in tools if tool.strict]
        if strict and self._model.validated and len(strict) == len(tools):
            return True
        for tool in strict:
            self._losses.drop(tool.path, "the model is held to schemas only where every function is strict")
        return False

    def _declaration(self, tool: Tool) -> dict[str, Any]:
        name = self._names.wire(tool.name)
        if tool.kind == "custom":
            return self._custom(tool, name)
        declaration: dict[str, Any] = {"name": name, "description": tool.description or ""}
        return _own_members(tool) | declaration | self._parameters(tool, name)

    def _parameters(self, tool: Tool, name: str) -> dict[str, Any]:
        if tool.schema is None:
            return {}
        try:
            schema = decoded(tool.schema)
            if is_empty(schema):
                return {}
            if not isinstance(schema, dict):
                raise refused(tool.path, "a function's schema must be an object", code="invalid_value")
            if self._model.json_schema:
                clean, moved = json_schema(tool.schema)
                written: dict[str, Any] = {"parametersJsonSchema": clean}
            else:
                found = openapi_schema(schema)
                moved, written = found.moved, {"parameters": found.node}
                self._choices |= {name: found.choices} if found.choices else {}
        except NotExpressible as error:
            raise refused(tool.path, f"the provider cannot take this schema: {error}") from None
        if moved:
            self._losses.adapt(tool.path, _TOLD)
        return written

    def _custom(self, tool: Tool, name: str) -> dict[str, Any]:
        self._losses.adapt(tool.path, "free text is sent as one string argument")
        grammar = (
            tool.grammar and f"The input must match this {tool.grammar.syntax} grammar:\n{tool.grammar.definition}"
        )
        schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
        description = "\n\n".join(text for text in (tool.description, grammar) if text)
        member = "parametersJsonSchema" if self._model.json_schema else "parameters"
        return {"name": name, "description": description, member: schema}

    def _hosted(self, tool: Tool) -> dict[str, Any]:
        if tool.raw is None and tool.capability == "web_search" and self._web_search:
            if tool.user_location is not None:
                self._losses.drop(tool.path, "the provider's search does not ask where the user is", blind=True)
            return {"googleSearch": {}}
        told: dict[str, Raw] = {} if tool.raw is None else msgspec.json.decode(tool.raw, type=dict[str, Raw])
        if told and tool.dialect == DIALECT:
            return told
        own = {name: value for name, value in told.items() if name in _HOSTED}
        if tool.dialect is None and own and told.keys() - own.keys() <= {"type", "cache_control"}:
            return own
        raise refused(tool.path, "a tool that runs at another provider cannot be used with this model")


def _own_members(tool: Tool) -> dict[str, Raw]:
    """Those of a declaration that only this format has, for its own callers."""
    if tool.raw is None or tool.dialect != DIALECT:
        return {}
    return {name: value for name, value in members(tool.raw).items() if name not in FUNCTION_MEMBERS}


class ChoiceWriter:
    """path: the caller's name of the choice."""

    def __init__(self, *, losses: Losses, names: Names, model: Capabilities, path: str) -> None:
        self._losses = losses
        self._names = names
        self._model = model
        self._path = path

    def write(self, choice: ToolChoice | None, tools: ToolPlan) -> tuple[dict[str, Any] | None, ToolPlan]:
        """`functionCallingConfig`, and the tools that remain. The API refuses a choice where there are no functions."""
        if not tools.functions:
            return None, self._without_functions(choice, tools)
        if choice is None:
            return self._free(tools), tools
        match choice.mode:
            case "auto":
                return self._free(tools), tools
            case "none":
                return {"mode": "NONE"}, tools
            case "required":
                return {"mode": "ANY"}, tools
            case "named":
                return {"mode": "ANY", "allowedFunctionNames": self._known(choice.names, tools)}, tools
            case "allowed":
                return self._allowed(choice, tools)

    def _free(self, tools: ToolPlan) -> dict[str, Any]:
        return {"mode": "VALIDATED" if tools.strict else "AUTO"}

    def _without_functions(self, choice: ToolChoice | None, tools: ToolPlan) -> ToolPlan:
        match choice:
            case None | ToolChoice(mode="auto"):
                return tools
            case ToolChoice(mode="none"):
                if tools.hosted:
                    self._losses.adapt(self._path, "the provider's own tools cannot be forbidden: they are left out")
                return ToolPlan()
            case _:
                raise refused(self._path, "there is no function that could be called", code="invalid_value")

    def _allowed(self, choice: ToolChoice, tools: ToolPlan) -> tuple[dict[str, Any], ToolPlan]:
        names = self._known(choice.names, tools)
        if choice.required:
            return {"mode": "ANY", "allowedFunctionNames": names}, tools
        if self._model.validated:
            return {"mode": "VALIDATED", "allowedFunctionNames": names}, tools
        self._losses.adapt(self._path, "the other functions are left out of the request")
        return {"mode": "AUTO"}, tools.only(names)

    def _known(self, names: Sequence[str], tools: ToolPlan) -> list[str]:
        wire = [self._names.wire(name) for name in names]
        for name, known in zip(names, wire, strict=True):
            if known not in tools.names:
                raise refused(self._path, f"{name[:64]!r} is none of the functions", code="invalid_value")
        return wire
