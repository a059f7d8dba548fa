"""A canonical request as the body of a Responses request. The provider keeps nothing: what the next request needs comes
back sealed, and is sent along."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from gaiarouter.canonical.losses import Loss, Losses, refused
from gaiarouter.canonical.request import CanonicalRequest, Instruction, JsonSchema, Tool
from gaiarouter.dialects.responses.decode import LOGPROBS
from gaiarouter.dialects.responses.fields import CACHES_BY_ITSELF, DIALECT, account, forwarded
from gaiarouter.dialects.responses.names import MAX_CHARS, CallIds, Names
from gaiarouter.dialects.responses.plan import AnswerPlan
from gaiarouter.dialects.responses.target_items import Body, ItemWriter
from gaiarouter.dialects.responses.target_tools import ToolWriter

_ENCRYPTED = "reasoning.encrypted_content"
_LEAST_TOKENS = 16
_GAP = "\n\n"
_JSON = "Respond in JSON."
# models of the vendor that do not reason, and refuse to be told how; all that is newer does
_UNREASONING = re.compile(r"(?:.*/)?(?:gpt-3|gpt-4|chatgpt-4|gpt-5(?:\.\d)?-chat)")
# those that refuse to be told how to sample while they reason
_UNSAMPLED = re.compile(r"(?:.*/)?(?:o\d|gpt-[5-9](?!(?:\.\d)?-chat))")
_EFFORTS = ((2048, "low"), (8192, "medium"), (24576, "high"))
_TIERS = {"standard_only": "default"}


class EncodedRequest(Struct, frozen=True, kw_only=True):
    body: bytes
    losses: tuple[Loss, ...]
    plan: AnswerPlan


def encode_request(request: CanonicalRequest, *, model: str, strict: bool) -> EncodedRequest:
    """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do."""
    return _Encoder(request, model, Losses(strict=strict)).encode()


class _Encoder:
    def __init__(self, request: CanonicalRequest, model: str, losses: Losses) -> None:
        self._request = request
        self._model = model
        self._losses = losses
        self._own = request.dialect == DIALECT
        self._reasons = _UNREASONING.match(model) is None
        self._names = Names(max_chars=MAX_CHARS)
        self._call_ids = CallIds(max_chars=MAX_CHARS)

    def encode(self) -> EncodedRequest:
        request = self._request
        account(request, self._losses)
        self._drop_of_tools()
        tools = ToolWriter(request.tools, names=self._names, own=self._own)
        said: Body = {
            "model": self._model,
            "instructions": self._instructions(),
            "input": self._input(),
            "tools": tools.tools(),
            "tool_choice": tools.choice(request.tool_choice),
            "parallel_tool_calls": request.parallel_tool_calls,
            "text": self._text(),
            "reasoning": self._reasoning(),
            "max_output_tokens": self._max_tokens(),
            **self._sampling(),
            "service_tier": self._tier(),
            self._path_of_user(): request.end_user,
            "metadata": request.metadata,
            "stream": True if request.stream else None,
        }
        body = said | forwarded(request) | {"store": False, "include": self._include()}
        return EncodedRequest(
            body=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
            losses=self._losses.all(),
            plan=AnswerPlan(tools=self._names.renamed()),
        )

    def _path(self, slot: str) -> str:
        return self._request.paths.get(slot, slot)

    def _path_of_user(self) -> str:
        return "user" if self._path("end_user") == "user" else "safety_identifier"

    def _drop_marks(self, marked: Iterable[Instruction | Tool]) -> None:
        for each in marked:
            self._losses.drop_breakpoint(each, CACHES_BY_ITSELF)

    def _drop_of_tools(self) -> None:
        self._drop_marks(self._request.tools)
        for tool in self._request.tools:
            if tool.defer and not self._own:
                self._losses.drop(f"{tool.path}.defer_loading", "the provider is told of all tools at once", blind=True)

    def _is_item(self, instruction: Instruction) -> bool:
        return self._own and instruction.origin != "top_level"

    def _instructions(self) -> str | None:
        found = self._request.instructions_for(DIALECT)
        self._drop_marks(found)
        return _GAP.join(each.text for each in found if not self._is_item(each)) or None

    def _input(self) -> list[Any]:
        request = self._request
        writer = ItemWriter(names=self._names, call_ids=self._call_ids, losses=self._losses, own=self._own)
        leading = [
            {"type": "message", "role": each.origin, "content": [{"type": "input_text", "text": each.text}]}
            for each in request.instructions_for(DIALECT)
            if self._is_item(each)
        ]
        items = leading + writer.write(request.turns)
        if not items and not self._own:
            path = request.turns[-1].path if request.turns else self._path("turns")
            raise refused(path, "there must be a message with content", code="invalid_value")
        return self._with_json_named(items)

    def _with_json_named(self, items: list[Any]) -> list[Any]:
        """The API gives `json_object` only to a conversation that names JSON; instructions do not count."""
        if self._own or self._request.output.format != "json_object" or b"json" in msgspec.json.encode(items).lower():
            return items
        self._losses.adapt(self._path("output.format"), "the model is told to answer in JSON")
        told = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": _JSON}]}
        return [told, *items]

    def _text(self) -> Body | None:
        output, text = self._request.output, self._dotted("text")
        match output.format:
            case None:
                pass
            case JsonSchema() as wish:
                found: Body = {"name": wish.name or "answer", "description": wish.description}
                found |= {"schema": wish.schema, "strict": wish.strict}
                named = {name: value for name, value in found.items() if value is not None}
                text["format"] = {"type": "json_schema", **named}
            case kind:
                text["format"] = {"type": kind}
        if output.verbosity is not None:
            text["verbosity"] = output.verbosity
        return text or None

    def _dotted(self, name: str) -> Body:
        """Members of the caller's own `name` that have no slot."""
        prefix = f"{name}."
        found = self._request.extras.items() if self._own else ()
        own = {path.removeprefix(prefix): extra.value for path, extra in found if path.startswith(prefix)}
        return {name: value for name, value in own.items() if "." not in name}

    def _reasoning(self) -> Body | None:
        thinking, path = self._request.thinking, self._path("thinking")
        told = self._dotted("reasoning")
        effort = thinking.effort
        if thinking.mode in ("off", "between_tools"):
            effort = "none"
        elif thinking.mode == "budget" and effort is None and thinking.budget is not None:
            effort = next((word for most, word in _EFFORTS if thinking.budget <= most), "xhigh")
            self._losses.adapt(path, f"the nearest effort is `{effort}`")
        summary = thinking.summary or ("auto" if thinking.visible in ("shown", "summary", "full") else None)
        if not self._reasons and not self._own:
            if (effort or "none") != "none":
                self._losses.drop(path, "the model does not reason")
            return None
        told |= {"effort": effort} if effort is not None else {}
        return told | ({"summary": summary} if summary is not None else {}) or None

    def _max_tokens(self) -> int | None:
        given = self._request.max_output_tokens
        if given is None or given >= _LEAST_TOKENS or self._own:
            return given
        path = self._path("max_output_tokens")
        if given < 1:
            raise refused(path, "must be at least 1", code="invalid_value")
        self._losses.adapt(path, f"the least is {_LEAST_TOKENS}")
        return _LEAST_TOKENS

    def _sampling(self) -> Body:
        sampling = self._request.sampling
        names = ("temperature", "top_p", "top_logprobs")
        if self._own or self._request.thinking.mode == "off" or not _UNSAMPLED.match(self._model):
            return {name: getattr(sampling, name) for name in names}
        for name in names:
            if getattr(sampling, name) is not None:
                self._losses.drop(self._path(f"sampling.{name}"), "the model reasons, and takes none")
        return {}

    def _tier(self) -> str | None:
        tier = self._request.tier
        if tier in _TIERS:
            self._losses.adapt(self._path("tier"), f"the nearest tier is `{_TIERS[tier]}`")
        return _TIERS.get(tier, tier) if tier is not None else None

    def _include(self) -> list[str] | None:
        asked = self._request.extras.get("include") if self._own else None
        include = [] if asked is None else msgspec.json.decode(asked.value, type=list[str])
        if self._request.sampling.logprobs and (self._own or not _UNSAMPLED.match(self._model)):
            include.append(LOGPROBS)
        if self._reasons:
            include.append(_ENCRYPTED)
        return list(dict.fromkeys(include)) or None
