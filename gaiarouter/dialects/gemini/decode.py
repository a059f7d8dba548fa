"""A Gemini request into the canonical form. Model and streaming stand in its address."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.request import CanonicalRequest, Extra, Format, JsonSchema, Output, Sampling, Thinking
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.decode_schema import json_schema_of
from gaiarouter.dialects.gemini.decode_tools import read_choice, read_tools
from gaiarouter.dialects.gemini.decode_turns import read_instructions, read_turns
from gaiarouter.dialects.gemini.fields import CONFIG, FIELDS
from gaiarouter.dialects.gemini.form import Config
from gaiarouter.dialects.gemini.parts import DIALECT
from gaiarouter.dialects.strays import Strays
from gaiarouter.errors import InvalidRequest

MEDIA_TYPE = CONFIG + "responseMimeType"
ENUM = b'"text/x.enum"'
"""The media type, as JSON, of one of the values of a schema, bare."""
_TIERS = {"standard": "default", "unspecified": None, "service_tier_unspecified": None}
_UNSPECIFIED = "MODALITY_UNSPECIFIED"


def decode_request(body: bytes, envelope: Envelope) -> CanonicalRequest:
    """`body`: JSON that `read_request` has accepted. Raises InvalidRequest with the path of the first wrong field."""
    try:
        return _request(body, envelope)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON", code="invalid_json") from None


def _request(body: bytes, envelope: Envelope) -> CanonicalRequest:
    said, members = form.read(body, form.Form), form.members(body)
    strays = Strays()
    raw_config = members.get("generationConfig", Raw(b"{}"))
    config, wishes = form.read(raw_config, Config, "generationConfig"), form.members(raw_config, "generationConfig")
    calling = _calling(said, strays)
    given = members | {CONFIG + name: value for name, value in wishes.items()}
    given.pop("generationConfig", None)
    return CanonicalRequest(
        dialect=DIALECT,
        model=envelope.model or "",
        instructions=read_instructions(form.given(said.system_instruction), strays),
        turns=read_turns(said.contents, strays),
        stream=bool(envelope.stream),
        include_usage=bool(envelope.stream),
        tools=read_tools(form.given(said.tools), calling, strays),
        tool_choice=read_choice(calling),
        sampling=_sampling(config),
        max_output_tokens=config.max_output_tokens,
        output=Output(format=_format(config), modalities=_modalities(config)),
        thinking=_thinking(config, strays),
        tier=_tier(said.service_tier),
        extras=_extras(given, members) | strays.extras,
        echoed={MEDIA_TYPE: given[MEDIA_TYPE]} if MEDIA_TYPE in given else {},
        paths=_paths(given),
    )


def _calling(said: form.Form, strays: Strays) -> form.Calling | None:
    raw = form.given(said.tool_config)
    config = form.read(raw, form.ToolConfig, "toolConfig") if raw is not None else form.ToolConfig()
    calling = form.given(config.function_calling_config)
    return None if calling is None else form.read(calling, form.Calling, "toolConfig.functionCallingConfig", strays)


def _sampling(config: Config) -> Sampling:
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=None if config.top_k is None else round(config.top_k),
        frequency_penalty=config.frequency_penalty,
        presence_penalty=config.presence_penalty,
        seed=config.seed,
        stop=None if config.stop_sequences is None else tuple(config.stop_sequences),
        n=config.candidate_count,
        logprobs=config.response_logprobs,
        top_logprobs=config.logprobs,
    )


def _format(config: Config) -> Format | None:
    older, schema = form.given(config.response_schema), form.given(config.response_json_schema)
    if schema is None and older is not None:
        schema = json_schema_of(older, CONFIG + "responseSchema")
    match config.response_mime_type:
        case None if schema is None:
            return None
        case None | "application/json" | "text/x.enum" if schema is not None:
            return JsonSchema(schema=schema)
        case "application/json":
            return "json_object"
        case "text/plain":
            return "text"
        case _:
            raise refused(MEDIA_TYPE, "no such form of an answer is known", code="invalid_value")


def _modalities(config: Config) -> tuple[str, ...] | None:
    wanted = config.response_modalities
    return tuple(each.lower() for each in wanted if each != _UNSPECIFIED) or None if wanted else None


def _thinking(config: Config, strays: Strays) -> Thinking:
    raw = form.given(config.thinking_config)
    wish = form.read(raw, form.Thinking, CONFIG + "thinkingConfig", strays) if raw is not None else form.Thinking()
    visible: Literal["shown", "omit"] = "shown" if wish.include_thoughts else "omit"
    level = (wish.thinking_level or "").lower()
    if level and level != "thinking_level_unspecified":
        return Thinking(mode="effort", effort=level, visible=visible)
    match wish.thinking_budget:
        case None:
            return Thinking(visible=visible)
        case 0:
            return Thinking(mode="off", visible=visible)
        case budget if budget < 0:
            return Thinking(mode="adaptive", visible=visible)
        case budget:
            return Thinking(mode="budget", budget=budget, visible=visible)


def _tier(word: str | None) -> str | None:
    tier = word.lower() if word else None
    return _TIERS.get(tier, tier) if tier else None


def _paths(given: dict[str, Raw]) -> dict[str, str]:
    """Of several fields for one slot the first in the table is the one that counts."""
    paths: dict[str, str] = {}
    for name, known in FIELDS.items():
        if name in given and known.slot is not None:
            paths.setdefault(known.slot, name)
    return paths


def _extras(given: dict[str, Raw], members: dict[str, Raw]) -> dict[str, Extra]:
    extras: dict[str, Extra] = {}
    for name, value in given.items():
        known = FIELDS.get(name)
        if known is None:
            extras[name] = Extra(value=value)
        elif known.slot is None:
            extras[name] = Extra(value=value, loss=known.loss)
    if "toolConfig" in members:
        rest = form.members(members["toolConfig"], "toolConfig")
        rest.pop("functionCallingConfig", None)
        extras |= {f"toolConfig.{name}": Extra(value=value, loss="blind") for name, value in rest.items()}
    return extras
