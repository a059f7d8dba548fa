"""A Chat request into the canonical form."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.request import (
    NO_WISH,
    UNSAMPLED,
    CanonicalRequest,
    Extra,
    Format,
    JsonSchema,
    Output,
    Sampling,
    Thinking,
)
from gaiarouter.dialects.chat import form
from gaiarouter.dialects.chat.fields import TOP_LEVEL
from gaiarouter.dialects.chat.form import Form
from gaiarouter.dialects.chat.plain_request import read_plain
from gaiarouter.dialects.chat.tools import read_tool_choice, read_tools
from gaiarouter.dialects.chat.turns import TurnReader
from gaiarouter.dialects.strays import Strays
from gaiarouter.errors import InvalidRequest

_NULL: Final = Raw(b"null")
_SLOTS: Final = {name: known.slot for name, known in TOP_LEVEL.items() if known.slot is not None}
_PLACES: Final = {name: place for place, name in enumerate(_SLOTS)}
_SAMPLING: Final = frozenset(slot for slot in _SLOTS.values() if slot.startswith("sampling."))
_OUTPUT: Final = frozenset(slot for slot in _SLOTS.values() if slot.startswith("output."))
_ANY_OUTPUT: Final = Output()


def decode_request(body: bytes) -> CanonicalRequest:
    """`body`: JSON that `read_request` has accepted. Raises InvalidRequest with the path of the first wrong field."""
    return read_plain(body) or read_any(body)


def read_any(body: bytes) -> CanonicalRequest:
    strays = Strays()
    try:
        said, members = strays.read_body(form.decode_form, body, Form), form.decode_members(body)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON", code="invalid_json") from None
    if _NULL in members.values():
        members = {name: value for name, value in members.items() if value != _NULL}
    paths = _paths(members)
    options = said.prompt_cache_options
    instructions, turns = TurnReader(cache_ttl=options.ttl if options else None, strays=strays).read(said.messages)
    return CanonicalRequest(
        dialect="chat",
        model=said.model,
        instructions=instructions,
        turns=turns,
        stream=bool(said.stream),
        include_usage=bool(said.stream and said.stream_options and said.stream_options.include_usage),
        tools=read_tools(said, strays) if "tools" in paths else (),
        tool_choice=read_tool_choice(said) if "tool_choice" in paths else None,
        # who speaks of `functions` can take but one call
        parallel_tool_calls=False if said.functions and not said.tools else said.parallel_tool_calls,
        sampling=UNSAMPLED if _SAMPLING.isdisjoint(paths) else _sampling(said),
        max_output_tokens=said.max_tokens if said.max_completion_tokens is None else said.max_completion_tokens,
        output=_ANY_OUTPUT if _OUTPUT.isdisjoint(paths) else _output(said),
        thinking=_thinking(said) if "thinking" in paths else NO_WISH,
        tier=said.service_tier,
        end_user=said.user if said.safety_identifier is None else said.safety_identifier,
        metadata=said.metadata if "metadata" in paths else None,
        extras=_extras(said, members) | strays.extras,
        paths=paths,
    )


def _paths(given: dict[str, Raw]) -> dict[str, str]:
    """Of two fields for one slot the first in the table is the one that counts."""
    paths: dict[str, str] = {}
    for name in sorted(given.keys() & _SLOTS.keys(), key=_PLACES.__getitem__):
        if (slot := _SLOTS[name]) not in paths:
            paths[slot] = name
    return paths


def _extras(said: Form, given: dict[str, Raw]) -> dict[str, Extra]:
    extras: dict[str, Extra] = {}
    if not given.keys() <= _SLOTS.keys():
        for name, value in given.items():
            known = TOP_LEVEL.get(name)
            if known is None:
                extras[name] = Extra(value=value)
            elif known.slot is None and not (name == "background" and bytes(value) == b"false"):
                extras[name] = Extra(value=value, loss=known.loss)
    size = said.web_search_options and said.web_search_options.search_context_size
    if size not in (None, "medium"):
        extras["web_search_options.search_context_size"] = Extra(value=Raw(msgspec.json.encode(size)), loss="blind")
    if said.stream_options and said.stream_options.include_obfuscation is not None:
        extras["stream_options.include_obfuscation"] = Extra(value=Raw(b"true"), loss="blind")
    return extras


def _sampling(said: Form) -> Sampling:
    stop = (said.stop,) if isinstance(said.stop, str) else said.stop
    return Sampling(
        temperature=said.temperature,
        top_p=said.top_p,
        top_k=said.top_k,
        min_p=said.min_p,
        frequency_penalty=said.frequency_penalty,
        presence_penalty=said.presence_penalty,
        repetition_penalty=said.repetition_penalty,
        seed=said.seed,
        stop=None if stop is None else tuple(stop),
        n=said.n,
        logit_bias=form.given(said.logit_bias),
        logprobs=said.logprobs,
        top_logprobs=said.top_logprobs,
    )


def _output(said: Form) -> Output:
    return Output(
        modalities=None if said.modalities is None else tuple(said.modalities),
        format=_format(said.response_format),
        verbosity=said.verbosity,
        audio=form.given(said.audio),
    )


def _format(wish: form.ResponseFormat | None) -> Format | None:
    match wish:
        case None:
            return None
        case form.ResponseFormat(type="text"):
            return "text"
        case form.ResponseFormat(type="json_object"):
            return "json_object"
        case form.ResponseFormat(type="json_schema", json_schema=found):
            schema = form.given(found.schema) if found else None
            if found is None or schema is None:
                raise refused("response_format.json_schema.schema", "a schema is missing", code="missing_field")
            return JsonSchema(schema=schema, name=found.name, description=found.description, strict=found.strict)
        case _:
            raise refused("response_format.type", "no such format of an answer is known")


def _thinking(said: Form) -> Thinking:
    """`thinking` (Anthropic's) counts before `reasoning` (OpenRouter's), and that before `reasoning_effort`."""
    thinking, reasoning = said.thinking or form.ThinkingForm(), said.reasoning or form.ReasoningForm()
    effort = reasoning.effort or said.reasoning_effort
    budget = thinking.budget_tokens if thinking.budget_tokens is not None else reasoning.max_tokens
    visible = _visible(said)
    if thinking.type == "disabled" or (thinking.type is None and (reasoning.enabled is False or effort == "none")):
        return Thinking(mode="off", effort=effort, visible=visible)
    if thinking.type == "between_tools":
        return Thinking(mode="between_tools", effort=effort, visible=visible)
    if budget is not None and thinking.type != "adaptive":
        return Thinking(mode="budget", budget=budget, effort=effort, visible=visible)
    if thinking.type == "adaptive" or (reasoning.enabled and effort is None):
        return Thinking(mode="adaptive", effort=effort, visible=visible)
    return Thinking(mode="effort" if effort else None, effort=effort, visible=visible)


def _visible(said: Form) -> Literal["omit", "withheld", "summary", "full"] | None:
    reasoning = said.reasoning
    if (reasoning and reasoning.exclude) or said.include_reasoning is False:
        return "omit"
    if said.thinking and said.thinking.display == "omitted":
        return "withheld"
    if reasoning or said.include_reasoning or (said.thinking and said.thinking.display):
        return "summary"
    return None
