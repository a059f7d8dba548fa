"""Functions, the provider's own tools, and the choice among them, as a Gemini request names them."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.request import Tool, ToolChoice
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.decode_schema import json_schema_of
from gaiarouter.dialects.gemini.parts import DIALECT
from gaiarouter.dialects.strays import Strays

_DECLARATIONS = "functionDeclarations"
_SEARCHES = frozenset({"googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"})


def read_tools(raw: Raw | None, choice: form.Calling | None, strays: Strays) -> tuple[Tool, ...]:
    """choice: a mode may hold every function to its schema. Raises InvalidRequest."""
    strict = True if choice is not None and (choice.mode or "").upper() == "VALIDATED" else None
    tools: list[Tool] = []
    for index, each in enumerate(form.items(raw, "tools") if raw is not None else ()):
        path = f"tools[{index}]"
        for name, value in form.members(each, path).items():
            if name == _DECLARATIONS:
                tools += _functions(value, f"{path}.{name}", strict, strays)
            else:
                tools.append(_hosted(name, value, f"{path}.{name}"))
    return tuple(tools)


def _functions(raw: Raw, path: str, strict: bool | None, strays: Strays) -> list[Tool]:
    return [_function(each, f"{path}[{index}]", strict, strays) for index, each in enumerate(form.items(raw, path))]


def _function(raw: Raw, path: str, strict: bool | None, strays: Strays) -> Tool:
    told = form.read(raw, form.Declaration, path)
    members = form.members(raw, path)
    own = members.keys() - form.FUNCTION_MEMBERS
    for name in sorted(own):
        strays.note(f"{path}.{name}", members[name])
    schema = form.given(told.parameters_json_schema)
    if schema is None and (older := form.given(told.parameters)) is not None:
        schema = json_schema_of(older, f"{path}.parameters")
    return Tool(
        name=told.name,
        description=told.description,
        schema=schema,
        strict=strict,
        dialect=DIALECT,
        # members that only this format has
        raw=raw if own else None,
        path=path,
    )


def _hosted(name: str, value: Raw, path: str) -> Tool:
    return Tool(
        kind="hosted",
        name=name,
        capability="web_search" if name in _SEARCHES else None,
        dialect=DIALECT,
        raw=Raw(msgspec.json.encode({name: value})),
        path=path,
    )


def read_choice(calling: form.Calling | None) -> ToolChoice | None:
    if calling is None:
        return None
    names = tuple(calling.allowed_function_names or ())
    match (calling.mode or "").upper():
        case "" | "MODE_UNSPECIFIED":
            return None
        case "AUTO":
            return ToolChoice("auto")
        case "NONE":
            return ToolChoice("none")
        case "ANY" if len(names) == 1:
            return ToolChoice("named", names)
        case "ANY":
            return ToolChoice("allowed", names, required=True) if names else ToolChoice("required")
        case "VALIDATED":
            return ToolChoice("allowed", names) if names else ToolChoice("auto")
        case _:
            path = "toolConfig.functionCallingConfig.mode"
            raise refused(path, "no such mode is known", code="invalid_value")
