"""A Messages request into the canonical form."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import Cache
from gaiarouter.canonical.request import (
    CanonicalRequest,
    Extra,
    Format,
    JsonSchema,
    Output,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from gaiarouter.dialects.messages import form
from gaiarouter.dialects.messages.blocks import DIALECT
from gaiarouter.dialects.messages.decode_turns import read_instructions, read_turns
from gaiarouter.dialects.messages.fields import OUTPUT_CONFIG, TOP_LEVEL
from gaiarouter.dialects.messages.form import Form
from gaiarouter.dialects.messages.tools import FUNCTION_MEMBERS
from gaiarouter.dialects.strays import Strays
from gaiarouter.errors import InvalidRequest

_NULL = b"null"
_PARALLEL = {"parallel_tool_calls": "tool_choice.disable_parallel_tool_use"}
_CONFIG = frozenset(form.OutputConfig.__struct_fields__)
_VISIBLE: dict[str | None, Literal["shown", "summary", "withheld"]] = {
    None: "shown",
    "summarized": "summary",
    "omitted": "withheld",
}


def decode_request(body: bytes) -> CanonicalRequest:
    """`body`: JSON that `read_request` has accepted. Raises InvalidRequest with the path of the first wrong field."""
    strays = Strays()
    try:
        said, members = strays.read_body(form.decode_form, body, Form), form.decode_members(body)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON", code="invalid_json") from None
    given = {name: value for name, value in members.items() if bytes(value) != _NULL}
    choice = said.tool_choice
    return CanonicalRequest(
        dialect=DIALECT,
        model=said.model,
        instructions=read_instructions(said.system, strays),
        turns=read_turns(said.messages, strays),
        stream=bool(said.stream),
        include_usage=bool(said.stream),
        tools=tuple(_tool(raw, f"tools[{index}]", strays) for index, raw in enumerate(said.tools or ())),
        tool_choice=_tool_choice(choice),
        parallel_tool_calls=False if choice and choice.disable_parallel_tool_use else None,
        sampling=Sampling(
            temperature=said.temperature,
            top_p=said.top_p,
            top_k=said.top_k,
            stop=None if said.stop_sequences is None else tuple(said.stop_sequences),
        ),
        max_output_tokens=said.max_tokens,
        output=Output(format=_format(said)),
        thinking=_thinking(said),
        tier="priority" if said.speed == "fast" else said.service_tier,
        end_user=said.metadata.user_id if said.metadata else None,
        extras=_extras(given) | strays.extras,
        paths=_paths(given) | _PARALLEL if choice and choice.disable_parallel_tool_use else _paths(given),
    )


def _paths(given: dict[str, Raw]) -> dict[str, str]:
    """Of two fields for one slot the first in the table is the one that counts."""
    paths: dict[str, str] = {}
    for name, known in TOP_LEVEL.items():
        if name in given and known.slot is not None:
            paths.setdefault(known.slot, name)
    return paths


def _extras(given: dict[str, Raw]) -> dict[str, Extra]:
    extras: dict[str, Extra] = {}
    for name, value in given.items():
        known = TOP_LEVEL.get(name)
        if known is None:
            extras[name] = Extra(value=value)
        elif known.slot is None:
            extras[name] = Extra(value=value, loss=known.loss)
    if "output_config" in given:
        config = form.decode_members(given["output_config"])
        rest = {name: value for name, value in config.items() if name not in _CONFIG and bytes(value) != _NULL}
        extras |= {f"{OUTPUT_CONFIG}{name}": Extra(value=value) for name, value in rest.items()}
    return extras


def _tool(raw: Raw, path: str, strays: Strays) -> Tool:
    try:
        tool = form.decode_tool(raw)
    except msgspec.ValidationError:
        tool = strays.read(raw, form.Tool, path)
    members = form.decode_members(raw)
    cache = Cache(tool.cache_control.ttl) if tool.cache_control else None
    if tool.type not in (None, "custom"):
        return Tool(
            kind="hosted",
            name=tool.name or tool.type,
            capability="web_search" if tool.type.startswith("web_search") else None,
            user_location=form.given(tool.user_location),
            defer=tool.defer_loading,
            dialect=DIALECT,
            raw=raw,
            cache=cache,
            path=path,
        )
    if tool.name is None:
        raise refused(f"{path}.name", "a tool needs a name", code="missing_field")
    own = members.keys() - FUNCTION_MEMBERS
    for name in sorted(own):
        strays.note(f"{path}.{name}", members[name])
    return Tool(
        name=tool.name,
        description=tool.description,
        schema=form.given(tool.input_schema),
        strict=tool.strict,
        defer=tool.defer_loading,
        # members that only this format has
        raw=raw if own else None,
        dialect=DIALECT,
        cache=cache,
        path=path,
    )


def _tool_choice(choice: form.ToolChoice | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case form.ToolChoice(type="auto" | "none" as mode):
            return ToolChoice(mode)
        case form.ToolChoice(type="any"):
            return ToolChoice("required")
        case form.ToolChoice(type="tool", name=str(name)):
            return ToolChoice("named", (name,))
        case _:
            raise refused("tool_choice", "no such choice of tools is known", code="invalid_value")


def _format(said: Form) -> Format | None:
    config = said.output_config
    path, wish = "output_config.format", config.format if config else None
    if wish is None:
        path, wish = "output_format", said.output_format
    if wish is None:
        return None
    schema = form.given(wish.schema)
    if wish.type != "json_schema" or schema is None:
        raise refused(path, "only `json_schema` with a `schema` is known", code="invalid_value")
    return JsonSchema(schema=schema)


def _thinking(said: Form) -> Thinking:
    """Who does not switch it on sees none, whatever the target thinks."""
    effort = said.output_config.effort if said.output_config else None
    wish = said.thinking
    if wish is None:
        return Thinking(effort=effort, visible="omit")
    visible = _VISIBLE.get(wish.display, "shown")
    match wish.type:
        case "enabled":
            if wish.budget_tokens is None:
                raise refused("thinking.budget_tokens", "is missing", code="missing_field")
            return Thinking(mode="budget", budget=wish.budget_tokens, effort=effort, visible=visible)
        case "adaptive":
            return Thinking(mode="adaptive", effort=effort, visible=visible)
        case "between_tools":
            return Thinking(mode="between_tools", effort=effort, visible=visible)
        case "disabled":
            return Thinking(mode="off", effort=effort, visible="omit")
        case _:
            raise refused("thinking.type", "no such kind of thinking is known", code="invalid_value")
