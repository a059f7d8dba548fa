"""How one caller sees an answer: the Response object around it, which repeats what the request asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import Finish, Start
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.responses.usage import write_usage

REFUSED = "The model declined to answer."
_PREFIX = "resp_"
_MAX_TAIL_CHARS = 48
_INCOMPLETE = {"length": "max_output_tokens", "context_length": "max_output_tokens", "content_filter": "content_filter"}
_SETTINGS: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "user": None,
    "metadata": {},
}
"""Members of an answer that repeat the request's, and what the API says where the request has none."""
_FIXED: Mapping[str, Any] = {"background": False, "store": False, "truncation": "disabled"}
"""Nothing is kept and nothing is cut, whatever was asked for."""
Body = dict[str, Any]


class AnswerView(Struct, frozen=True, kw_only=True):
    """fallback_id: for an answer that has no id. created: seconds since 1970. model: shown in place of the provider's.
    settings: what the answer repeats. namespaces: of tools, by the names that targets know them by."""

    fallback_id: str
    created: int
    settings: Mapping[str, Any]
    model: str | None = None
    namespaces: Mapping[str, str] = {}

    def id_of(self, provider_id: str) -> str:
        """The same for the same answer: a provider's `msg_01Ab` is `resp_01Ab`."""
        if not provider_id:
            return self.fallback_id
        if provider_id.startswith(_PREFIX):
            return provider_id
        return _PREFIX + (provider_id.partition("_")[2] or provider_id)

    def item_id(self, prefix: str, response_id: str, index: int) -> str:
        """Of the item at `index` of an answer, where its maker gave it none."""
        return f"{prefix}_{response_id.removeprefix(_PREFIX)[:_MAX_TAIL_CHARS]}_{index}"

    def response(self, start: Start, **members: Any) -> Body:
        """members: what is known of the answer so far."""
        return {
            "id": self.id_of(start.id),
            "object": "response",
            "created_at": self.created if start.created is None else start.created,
            "completed_at": None,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": self.model or start.model,
            "output": [],
            "usage": None,
            **self.settings,
            **members,
        }


def view_of(
    request: CanonicalRequest,
    *,
    answer_id: str,
    created: int,
    namespaces: Mapping[str, str],
    model: str | None = None,
) -> AnswerView:
    return AnswerView(
        fallback_id=_PREFIX + answer_id,
        created=created,
        model=model,
        settings={name: _setting(name, default, request.echoed) for name, default in _SETTINGS.items()} | dict(_FIXED),
        namespaces=namespaces,
    )


def _setting(name: str, default: Any, echoed: Mapping[str, Raw]) -> Any:
    given = echoed.get(name)
    if given is None:
        return default
    if isinstance(default, dict) and default:
        return default | msgspec.json.decode(given, type=dict[str, Raw])
    return given


def ending(finish: Finish, usage: Usage | None) -> tuple[str, Body]:
    """The status of the whole, and the members that say why."""
    written = write_usage(usage) if usage is not None else None
    if finish.reason in _INCOMPLETE:
        details = {"reason": _INCOMPLETE[finish.reason]}
        return "incomplete", {"status": "incomplete", "incomplete_details": details, "usage": written}
    if finish.reason == "error":
        error = {"code": "server_error", "message": "The provider's model failed while it answered"}
        return "failed", {"status": "failed", "error": error, "usage": written}
    return "completed", {"status": "completed", "usage": written}
