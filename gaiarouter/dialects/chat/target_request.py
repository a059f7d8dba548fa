"""A canonical request as the body of a Chat request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Loss, Losses, refused
from gaiarouter.canonical.request import CanonicalRequest, Instruction, JsonSchema, Thinking
from gaiarouter.dialects.accounting import account, usable_tools
from gaiarouter.dialects.chat.capabilities import Capabilities
from gaiarouter.dialects.chat.fields import SLOTS
from gaiarouter.dialects.chat.names import MAX_NAME_CHARS, Names
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.dialects.chat.target_parts import DIALECT
from gaiarouter.dialects.chat.target_tools import ChoiceWriter, ToolWriter
from gaiarouter.dialects.chat.target_turns import MessageWriter

_TIERS = {"standard_only": "default", "fast": "priority"}
_EFFORTS = ((2048, "low"), (8192, "medium"), (24576, "high"))
_ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_WITH_REASONING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias")
_LOGPROBS = ("logprobs", "top_logprobs")
_EXTENSIONS = ("top_k", "min_p", "repetition_penalty")
_SLOTS = {
    "user": "end_user",
    "safety_identifier": "end_user",
    "service_tier": "tier",
    "verbosity": "output.verbosity",
}
"""Of members that are no sampling: by which the caller's own name is found."""
_MAX_USER_CHARS = {"user": 64, "safety_identifier": 128}
_MAX_DEPTH = 64
_TOLD_SCHEMA = "Respond with a single JSON value that matches this JSON Schema, and nothing else:\n"


class Target(Struct, frozen=True, kw_only=True):
    """Who the request is for. strict: whatever cannot be carried over exactly is refused."""

    model: str
    profile: ChatProfile
    capabilities: Capabilities
    strict: bool = False


class EncodedRequest(Struct, frozen=True, kw_only=True):
    body: bytes
    losses: tuple[Loss, ...]
    plan: AnswerPlan


def encode_request(request: CanonicalRequest, target: Target) -> EncodedRequest:
    """Raises InvalidRequest, by the caller's own name of the field, for what the server cannot do."""
    return _Encoder(request, target).encode()


class _Encoder:
    def __init__(self, request: CanonicalRequest, target: Target) -> None:
        self._request = request
        self._target = target
        self._profile = target.profile
        self._model = target.capabilities
        self._losses = Losses(strict=target.strict)
        self._names = Names(max_chars=MAX_NAME_CHARS)

    def encode(self) -> EncodedRequest:
        request = self._request
        extras = self._extras()
        account(request, self._losses, slots=SLOTS, forwarded=extras)
        tools = ToolWriter(self._profile, self._names, self._losses)
        usable = usable_tools(request, self._losses, dialect=DIALECT)
        wrapped = tools.wrapped(usable)
        written = tools.write(usable)
        format_, told = self._format()
        writer = MessageWriter(self._profile, self._names, self._losses, wrapped=wrapped)
        body: dict[str, Any] = {
            "model": self._target.model,
            "messages": writer.write([*request.instructions_for(DIALECT), *told], request.turns),
            **self._stream(),
            **self._limit(),
            **self._sampling(),
            **self._tools(written),
            "response_format": format_,
            "modalities": request.output.modalities,
            "audio": request.output.audio,
            "verbosity": request.output.verbosity,
            **self._thinking(),
            **self._caller(),
            **extras,
        }
        kept = {name: value for name, value in body.items() if value is not None and self._takes(name)}
        plan = AnswerPlan(tools=self._names.renamed(), wrapped=frozenset(self._names.wire(name) for name in wrapped))
        return EncodedRequest(body=msgspec.json.encode(kept), losses=self._losses.all(), plan=plan)

    def _path(self, slot: str) -> str:
        return self._request.paths.get(slot, slot)

    def _takes(self, name: str) -> bool:
        if name not in self._profile.drops:
            return True
        self._losses.drop(self._path(_SLOTS.get(name, f"sampling.{name}")), "the provider refuses it")
        return False

    def _extras(self) -> Mapping[str, Raw]:
        """Of this format's own callers all; of others none."""
        if self._request.dialect != DIALECT:
            return {}
        return {name: extra.value for name, extra in self._request.extras.items() if "." not in name}

    def _stream(self) -> dict[str, Any]:
        if not self._request.stream:
            return {}
        return {"stream": True} | ({"stream_options": {"include_usage": True}} if self._profile.stream_options else {})

    def _limit(self) -> dict[str, int]:
        given = self._request.max_output_tokens
        if given is None:
            return {}
        if given < 1:
            raise refused(self._path("max_output_tokens"), "must be at least 1", code="invalid_value")
        return {self._profile.limit_field: given}

    def _sampling(self) -> dict[str, Any]:
        wish = self._request.sampling
        said: dict[str, Any] = {name: getattr(wish, name) for name in (*_WITH_REASONING, *_LOGPROBS, *_EXTENSIONS, "n")}
        for name in (*_WITH_REASONING, *_LOGPROBS) if self._reasons_without_sampling() else ():
            self._leave_out(said, name, "the model takes none while it reasons")
        if not self._profile.extensions:
            for name in _EXTENSIONS:
                self._leave_out(said, name, "the provider has no such setting")
        if said["n"] not in (None, 1) and not self._profile.many_answers:
            raise refused(self._path("sampling.n"), "the model's provider gives one answer to a request")
        return said | {"stop": self._stop(), self._profile.seed_field: wish.seed}

    def _leave_out(self, said: dict[str, Any], name: str, reason: str) -> None:
        if said[name] is not None:
            self._losses.drop(self._path(f"sampling.{name}"), reason)
            said[name] = None

    def _reasons_without_sampling(self) -> bool:
        model, wish = self._model, self._request.thinking
        if model.sampling_with_reasoning or not model.reasons:
            return False
        if wish.mode == "off" and "none" in model.efforts:
            return False
        return model.reasons_unasked or wish.mode is not None or wish.effort is not None

    def _stop(self) -> list[str] | None:
        given, path = self._request.sampling.stop, self._path("sampling.stop")
        if given is None:
            return None
        if not self._model.stop:
            self._losses.drop(path, "the model takes no stop sequences")
            return None
        kept = [sequence for sequence in given if sequence]
        if self._profile.stop_max is not None and len(kept) > self._profile.stop_max:
            self._losses.adapt(path, f"the first {self._profile.stop_max} are sent")
            kept = kept[: self._profile.stop_max]
        return kept or None

    def _tools(self, tools: list[dict[str, Any]]) -> dict[str, Any]:
        request = self._request
        if not tools:
            return {}
        if request.tool_choice is not None and request.tool_choice.mode == "none" and not self._profile.choice_none:
            self._losses.adapt(self._path("tool_choice"), "tools that must not be called are left out")
            return {}
        choice = ChoiceWriter(self._profile, self._names, self._losses, path=self._path("tool_choice"))
        said: dict[str, Any] = {"tools": tools, "tool_choice": choice.write(request.tool_choice, request.tools)}
        if request.parallel_tool_calls is not None:
            if self._profile.parallel_field:
                said["parallel_tool_calls"] = request.parallel_tool_calls
            elif request.parallel_tool_calls is False:
                path = self._path("parallel_tool_calls")
                self._losses.drop(path, "the provider cannot be told to call one tool at a time")
        return said

    def _format(self) -> tuple[Any, list[Instruction]]:
        """The `response_format` member, and what must be said instead of it."""
        wish = self._request.output.format
        if not isinstance(wish, JsonSchema):
            return ({"type": wish} if wish is not None else None), []
        if not self._profile.json_schema:
            self._losses.adapt(
                self._path("output.format"), "the model is told the schema; the provider does not enforce it"
            )
            text = _TOLD_SCHEMA + bytes(wish.schema).decode()
            return {"type": "json_object"}, [Instruction(text=text)]
        strict = wish.strict
        if strict is None and self._request.dialect != DIALECT:
            strict = _is_strict(msgspec.json.decode(wish.schema))
        schema: dict[str, Any] = {"name": wish.name or "response", "schema": wish.schema}
        optional = {"description": wish.description, "strict": strict}
        schema |= {name: value for name, value in optional.items() if value is not None}
        return {"type": "json_schema", "json_schema": schema}, []

    def _thinking(self) -> dict[str, Any]:
        wish, path = self._request.thinking, self._path("thinking")
        if wish.mode is None and wish.effort is None:
            return {}
        match self._profile.effort:
            case "reasoning":
                return {"reasoning": _reasoning(wish)}
            case "thinking" if wish.effort is None or wish.mode != "effort":
                return {"thinking": {"type": "disabled" if wish.mode in ("off", "between_tools") else "enabled"}}
            case "effort" | "thinking":
                word = self._effort(wish, path)
                return {} if word is None else {"reasoning_effort": word}

    def _effort(self, wish: Thinking, path: str) -> str | None:
        off = wish.mode in ("off", "between_tools")
        if not self._model.reasons:
            if not off:
                self._losses.drop(path, "the model does not reason")
            return None
        word = "none" if off else wish.effort or (_effort_of(wish.budget) if wish.mode == "budget" else None)
        if word is None or word in self._model.efforts:
            return word
        if word not in _ORDER or not self._model.efforts:
            self._losses.drop(path, "no effort that the model knows")
            return None
        nearest = min(self._model.efforts, key=lambda known: abs(_ORDER.index(known) - _ORDER.index(word)))
        self._losses.adapt(path, f"the nearest effort that the model knows is `{nearest}`")
        return nearest

    def _caller(self) -> dict[str, Any]:
        request, said = self._request, dict[str, Any]()
        if request.tier is not None:
            said["service_tier"] = _TIERS.get(request.tier, request.tier)
        if request.metadata is not None and request.dialect == DIALECT:
            said["metadata"] = request.metadata
        elif request.metadata is not None:
            self._losses.drop(self._path("metadata"), "it is kept beside stored answers alone", blind=True)
        if request.end_user is not None and self._profile.user_field is not None:
            longest = _MAX_USER_CHARS[self._profile.user_field]
            user = request.end_user
            said[self._profile.user_field] = user if len(user) <= longest else hashlib.sha256(user.encode()).hexdigest()
        return said


def _is_strict(schema: Any, depth: int = 0) -> bool:
    """Whether every object of it names all its members and allows no other, as OpenAI's strictness demands."""
    match schema:
        case _ if depth > _MAX_DEPTH:
            return False
        case dict():
            if "properties" in schema or schema.get("type") == "object":
                properties, required = schema.get("properties", {}), schema.get("required", [])
                if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
                    return False
                if not isinstance(required, list) or any(name not in required for name in properties):
                    return False
            return all(_is_strict(value, depth + 1) for value in schema.values())
        case list():
            return all(_is_strict(value, depth + 1) for value in schema)
        case _:
            return True


def _reasoning(wish: Thinking) -> dict[str, Any]:
    said: dict[str, Any] = {"exclude": True} if wish.visible == "omit" else {}
    if wish.mode in ("off", "between_tools"):
        return {"enabled": False}
    if wish.mode == "budget" and wish.budget is not None:
        return {"max_tokens": wish.budget} | said
    return ({"effort": wish.effort} if wish.effort else {"enabled": True}) | said


def _effort_of(budget: int | None) -> str:
    return next((effort for limit, effort in _EFFORTS if (budget or 0) <= limit), "xhigh")
