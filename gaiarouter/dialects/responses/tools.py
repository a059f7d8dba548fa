"""The tools of a Responses request, and which of them must be called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.request import Grammar, Tool, ToolChoice
from gaiarouter.dialects.responses import form
from gaiarouter.dialects.responses.fields import DIALECT
from gaiarouter.dialects.responses.items import flat_name
from gaiarouter.dialects.strays import Strays

_CALLERS = ("function", "custom")
"""Kinds of tools that callers carry out themselves."""


def read_tools(tools: list[Raw] | None, choice: ToolChoice | None, strays: Strays) -> tuple[Tool, ...]:
    found = (_tools(raw, f"tools[{index}]", None, strays) for index, raw in enumerate(tools or ()))
    read = tuple(tool for each in found for tool in each)
    if (choice is not None and choice.mode != "auto") or all(tool.kind == "hosted" for tool in read):
        return read
    # coding clients offer the search to whatever model they are set to
    return tuple(replace(tool, spare=True) if tool.capability == "web_search" else tool for tool in read)


def namespaces(tools: Raw | None) -> Mapping[str, str]:
    """The namespace of each tool that stands in one, by the name that targets know it by. `tools`: as it was read."""
    groups = [form.decode_tool(raw) for raw in msgspec.json.decode(tools, type=list[Raw])] if tools is not None else []
    return {
        flat_name(form.decode_tool(inner).name or "", group.name): group.name
        for group in groups
        if group.type == "namespace" and group.name
        for inner in group.tools or ()
    }


def _tools(raw: Raw, path: str, namespace: str | None, strays: Strays) -> Iterator[Tool]:
    try:
        tool: form.Tool = form.decode_sent_tool(raw)
    except msgspec.ValidationError:
        tool = strays.read(raw, form.SentTool, path)
    if tool.type == "namespace":
        if tool.description is not None:
            strays.note(f"{path}.description", Raw(msgspec.json.encode(tool.description)))
        for index, inner in enumerate(tool.tools or ()):
            yield from _tools(inner, f"{path}.tools[{index}]", tool.name, strays)
    else:
        if tool.type not in _CALLERS:
            strays.forget(path)
        yield _tool(tool, raw, path, namespace)


def _tool(tool: form.Tool, raw: Raw, path: str, namespace: str | None) -> Tool:
    if tool.type not in _CALLERS:
        name = tool.name or tool.type
        capability = "web_search" if tool.type.startswith("web_search") else None
        return Tool(kind="hosted", name=name, capability=capability, dialect=DIALECT, raw=raw, path=path)
    if not tool.name:
        raise refused(f"{path}.name", "a tool needs a name", code="missing_field")
    return Tool(
        kind="custom" if tool.type == "custom" else "function",
        name=flat_name(tool.name, namespace),
        description=tool.description,
        schema=form.given(tool.parameters),
        grammar=_grammar(tool.format),
        strict=tool.strict,
        defer=tool.defer_loading,
        path=path,
    )


def _grammar(wish: form.CustomFormat | None) -> Grammar | None:
    if wish is None or wish.syntax is None or wish.definition is None:
        return None
    return Grammar(wish.syntax, wish.definition)


def read_tool_choice(raw: Raw, strays: Strays) -> ToolChoice | None:
    if form.given(raw) is None:
        return None
    try:
        choice = form.decode_choice(raw)
    except msgspec.ValidationError:
        choice = strays.read(raw, form.Choice, "tool_choice")
    match choice:
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case form.Choice(type="allowed_tools", tools=list(tools), mode=mode):
            names = tuple(each.name or each.type for each in tools)
            return ToolChoice("allowed", names, required=mode == "required")
        case form.Choice(type="function" | "custom", name=str(name)):
            return ToolChoice("named", (name,))
        case form.Choice(type=kind) if kind not in ("function", "custom", "allowed_tools"):
            return ToolChoice("named", (choice.name or kind,))  # a hosted tool, which is called by its type
        case _:
            raise refused("tool_choice", "no such choice of tools is known", code="invalid_value")
