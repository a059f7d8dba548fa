"""What becomes of each slot of the canonical form in a Gemini request."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects import accounting
from gaiarouter.dialects.accounting import NO_COUNTERPART, Rule, dropped

_MAP = Rule("map")

SLOTS: Mapping[str, Rule] = {
    "model": _MAP,
    "stream": _MAP,
    "include_usage": _MAP,
    "instructions": _MAP,
    "turns": Rule("map", "an instruction in the conversation is sent as the user's"),
    "max_output_tokens": _MAP,
    "tools": Rule("map", "a tool that runs at another provider is refused"),
    "tool_choice": Rule("adapt", "older models cannot choose freely among some functions: the others are left out"),
    "parallel_tool_calls": Rule("adapt", "the model cannot be kept from several calls at once"),
    "thinking": Rule("adapt", "becomes what the model knows: a budget, or a level"),
    "tier": Rule("adapt", "tiers differ between providers"),
    "end_user": Rule("drop", NO_COUNTERPART, blind=True),
    "metadata": Rule("drop", NO_COUNTERPART, blind=True),
    "cache": Rule("drop", "the provider caches by itself, or what was stored beforehand", blind=True),
    "sampling.temperature": _MAP,
    "sampling.top_p": _MAP,
    "sampling.top_k": _MAP,
    "sampling.min_p": dropped(0),
    "sampling.frequency_penalty": _MAP,
    "sampling.presence_penalty": _MAP,
    "sampling.repetition_penalty": dropped(1),
    "sampling.seed": Rule("adapt", "beyond 32 bits, its remainder"),
    "sampling.stop": Rule("adapt", "empty sequences are left out, and those after the fifth"),
    "sampling.n": Rule("map", "several answers cannot be streamed"),
    "sampling.logit_bias": dropped(Raw(b"{}")),
    "sampling.logprobs": _MAP,
    "sampling.top_logprobs": _MAP,
    "output.format": Rule("adapt", "older models with functions are told the schema in words"),
    "output.modalities": Rule("map", "text and pictures, or sound alone"),
    "output.audio": Rule("map", "with a voice of the provider's own"),
    "output.verbosity": dropped("medium"),
    # of parts and tools
    "turn.name": Rule("drop", "a turn has no author's name"),
    "part.text": _MAP,
    "part.refusal": Rule("map", "as text"),
    "part.image": Rule("map", "an address only where the provider loads it"),
    "part.image.detail": Rule("adapt", "`low` and `high`, where the model knows them", blind=True),
    "part.audio": _MAP,
    "part.video": _MAP,
    "part.document": _MAP,
    "part.document.filename": Rule("drop", NO_COUNTERPART, blind=True),
    "part.document.file_ref": Rule("reject", "save handles of the provider's own"),
    "part.tool_call": _MAP,
    "part.tool_result": _MAP,
    "tool.strict": Rule("adapt", "only where every function is strict and the model can be held to schemas"),
    "tool.custom": Rule("adapt", "free text becomes one string argument"),
    "tool.web_search.size": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.name": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.strict": Rule("adapt", "the provider is always strict"),
}

FORWARDED_EXTRAS: Mapping[str, str] = {
    "safety_settings": "safetySettings",
    "safetySettings": "safetySettings",
    "cached_content": "cachedContent",
    "cachedContent": "cachedContent",
}
"""Members of the Gemini format that callers of other formats may send, and how they are spelt there."""


def account(request: CanonicalRequest, losses: Losses) -> None:
    """Drops or refuses what has no place in a Gemini request. Raises InvalidRequest."""
    accounting.account(request, losses, slots=SLOTS, forwarded=FORWARDED_EXTRAS)


def forwarded(request: CanonicalRequest) -> dict[str, Raw]:
    known = FORWARDED_EXTRAS
    return {known[name]: extra.value for name, extra in request.extras.items() if name in known}
