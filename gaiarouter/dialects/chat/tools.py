"""The tools of a Chat request, old and new names, and which of them must be called."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import Cache
from gaiarouter.canonical.request import Grammar, Tool, ToolChoice
from gaiarouter.dialects.chat import form
from gaiarouter.dialects.strays import Strays


def read_tools(said: form.Form, strays: Strays) -> tuple[Tool, ...]:
    tools = [_tool(raw, f"tools[{index}]", strays) for index, raw in enumerate(said.tools or ())]
    tools += [_function(function, f"functions[{index}]") for index, function in enumerate(said.functions or ())]
    if said.web_search_options is not None:
        tools.append(_web_search(said.web_search_options))
    return tuple(tools)


def _tool(raw: Raw, path: str, strays: Strays) -> Tool:
    try:
        tool = form.decode_tool(raw)
    except msgspec.ValidationError:
        tool = strays.read(raw, form.Tool, path)
    cache = Cache(tool.cache_control.ttl) if tool.cache_control else None
    match tool:
        case form.Tool(type="function" | None, function=form.Function() as function):
            found = _function(function, path)
            return msgspec.structs.replace(found, cache=cache or found.cache, defer=tool.defer_loading)
        case form.Tool(type="custom", custom=form.Custom() as custom):
            return Tool(
                kind="custom",
                name=custom.name,
                description=custom.description,
                grammar=_grammar(custom.format),
                cache=cache,
                path=path,
            )
        case _:
            # another dialect's own: its members are untouched in `raw`
            strays.forget(path)
            name = tool.name or tool.type or ""
            return Tool(kind="hosted", name=name, capability=_capability(tool.type), raw=raw, cache=cache, path=path)


def _grammar(wish: form.CustomFormat | None) -> Grammar | None:
    return Grammar(wish.grammar.syntax, wish.grammar.definition) if wish and wish.grammar else None


def _function(function: form.Function, path: str) -> Tool:
    return Tool(
        name=function.name,
        description=function.description,
        schema=form.given(function.parameters),
        strict=function.strict,
        cache=Cache(function.cache_control.ttl) if function.cache_control else None,
        path=path,
    )


def _capability(kind: str | None) -> str | None:
    return "web_search" if kind and kind.startswith("web_search") else None


def _web_search(options: form.WebSearch) -> Tool:
    return Tool(
        kind="hosted",
        name="web_search",
        capability="web_search",
        user_location=form.given(options.user_location.approximate) if options.user_location else None,
        dialect="chat",
        path="web_search_options",
    )


def read_tool_choice(said: form.Form) -> ToolChoice | None:
    choice, path = said.tool_choice, "tool_choice"
    if choice is None:
        choice, path = said.function_call, "function_call"
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":
            return ToolChoice("required")
        case form.Choice(allowed_tools=form.AllowedTools(tools=tools, mode=mode)):
            names = tuple(_allowed(tool, f"{path}.allowed_tools.tools[{n}]") for n, tool in enumerate(tools))
            return ToolChoice("allowed", names, required=mode == "required")
        case form.Choice(function=form.Named(name=name)) | form.Choice(custom=form.Named(name=name)):
            return ToolChoice("named", (name,))
        case form.Choice(name=str(name)):
            return ToolChoice("named", (name,))
        case _:
            raise refused(path, "no such choice of tools is known", code="invalid_value")


def _allowed(tool: form.AllowedTool, path: str) -> str:
    named = tool.function or tool.custom
    name = named.name if named else tool.name
    if not name:
        raise refused(path, "a tool is named by its function or custom tool")
    return name
