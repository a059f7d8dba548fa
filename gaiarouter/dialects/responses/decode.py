"""A Responses request into the canonical form."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.request import (
    CanonicalRequest,
    Extra,
    Format,
    Instruction,
    JsonSchema,
    Output,
    Sampling,
    Thinking,
)
from gaiarouter.dialects.responses import form
from gaiarouter.dialects.responses.content import ContentReader
from gaiarouter.dialects.responses.fields import DIALECT, NAMESAKES, NEUTRAL, TOP_LEVEL
from gaiarouter.dialects.responses.form import Form
from gaiarouter.dialects.responses.items import ItemReader
from gaiarouter.dialects.responses.tools import read_tool_choice, read_tools
from gaiarouter.dialects.strays import Strays
from gaiarouter.errors import InvalidRequest

LOGPROBS = "message.output_text.logprobs"
"""In `include`: the caller wants them."""
_READ_INSIDE = {"text": ("format", "verbosity"), "reasoning": ("effort", "summary", "generate_summary")}


def decode_request(body: bytes) -> CanonicalRequest:
    """`body`: JSON that `read_request` has accepted. Raises InvalidRequest with the path of the first wrong field."""
    strays = Strays()
    try:
        said, members = strays.read_body(form.decode_form, body, Form), form.decode_members(body)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON", code="invalid_json") from None
    given = {name: value for name, value in members.items() if bytes(value) != b"null"}
    options = said.prompt_cache_options
    items = ItemReader(ContentReader(cache_ttl=options.ttl if options else None, strays=strays), strays)
    leading, turns = items.read(said.input)
    choice = read_tool_choice(said.tool_choice, strays)
    return CanonicalRequest(
        dialect=DIALECT,
        model=said.model,
        instructions=_instructions(said) + leading,
        turns=turns,
        stream=bool(said.stream),
        include_usage=True,
        tools=read_tools(said.tools, choice, strays),
        tool_choice=choice,
        parallel_tool_calls=said.parallel_tool_calls,
        sampling=_sampling(said),
        max_output_tokens=said.max_output_tokens,
        output=_output(said),
        thinking=_thinking(said),
        tier=said.service_tier,
        end_user=said.user if said.safety_identifier is None else said.safety_identifier,
        metadata=form.given(said.metadata),
        extras=_extras(given) | items.extras | strays.extras,
        echoed=given,
        paths=_paths(said, given),
    )


def _instructions(said: Form) -> tuple[Instruction, ...]:
    if not said.instructions:
        return ()
    return (Instruction(text=said.instructions, origin="top_level", path="instructions"),)


def _paths(said: Form, given: dict[str, Raw]) -> dict[str, str]:
    """Of two fields for one slot the first in the table is the one that counts."""
    paths: dict[str, str] = {}
    for name, known in TOP_LEVEL.items():
        if name in given and known.slot is not None:
            paths.setdefault(known.slot, name)
    if said.text is not None:
        paths |= {"output.format": "text.format"} if said.text.format else {}
        paths |= {"output.verbosity": "text.verbosity"} if said.text.verbosity else {}
    if LOGPROBS in (said.include or ()):
        paths["sampling.logprobs"] = "include"
    return paths


def _extras(given: dict[str, Raw]) -> dict[str, Extra]:
    extras: dict[str, Extra] = {}
    for name, value in given.items():
        known = TOP_LEVEL.get(name)
        if known is None:
            extras[name] = Extra(value=value)
        elif known.slot is None and not (name in _READ_INSIDE or bytes(value) in NEUTRAL.get(name, ())):
            extras[NAMESAKES.get(name, name)] = Extra(value=value, loss=known.loss)
    for name, read in _READ_INSIDE.items():
        for inner, value in form.decode_members(given.get(name, b"{}")).items():
            if inner not in read and bytes(value) != b"null":
                extras[f"{name}.{inner}"] = Extra(value=value)
    return extras | _chosen_server(given.get("tool_choice", b""))


def _chosen_server(choice: Raw | bytes) -> dict[str, Extra]:
    """Of the provider's own tools, one that must be called: nobody else can reach it."""
    label = form.decode_members(choice).get("server_label") if bytes(choice).startswith(b"{") else None
    return {} if label is None else {"tool_choice.server_label": Extra(value=label, loss="refuse")}


def _sampling(said: Form) -> Sampling:
    return Sampling(
        temperature=said.temperature,
        top_p=said.top_p,
        logprobs=True if said.top_logprobs or LOGPROBS in (said.include or ()) else None,
        top_logprobs=said.top_logprobs,
    )


def _output(said: Form) -> Output:
    text = said.text or form.TextForm()
    return Output(format=_format(text.format), verbosity=text.verbosity)


def _format(wish: form.TextFormat | None) -> Format | None:
    match wish:
        case None:
            return None
        case form.TextFormat(type="text"):
            return "text"
        case form.TextFormat(type="json_object"):
            return "json_object"
        case form.TextFormat(type="json_schema", schema=raw):
            schema = form.given(raw)
            if schema is None:
                raise refused("text.format.schema", "a schema is missing", code="missing_field")
            return JsonSchema(schema=schema, name=wish.name, description=wish.description, strict=wish.strict)
        case _:
            raise refused("text.format.type", "no such format of an answer is known")


def _thinking(said: Form) -> Thinking:
    wish = said.reasoning or form.ReasoningForm()
    summary = wish.summary or wish.generate_summary
    visible: Literal["summary"] | None = "summary" if summary else None
    if wish.effort == "none":
        return Thinking(mode="off", effort="none", visible=visible, summary=summary)
    return Thinking(mode="effort" if wish.effort else None, effort=wish.effort, visible=visible, summary=summary)
