"""What becomes of each slot of the canonical form in a Messages request."""

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
    "turns": _MAP,
    "max_output_tokens": Rule("map", "above the model's maximum it is lowered to that"),
    "tools": Rule("map", "a tool that runs at another provider is refused"),
    "tool_choice": Rule("adapt", "a forced choice becomes `auto` where the model refuses it"),
    "parallel_tool_calls": _MAP,
    "thinking": Rule("adapt", "becomes what the model knows: adaptive thinking with an effort, or a budget"),
    "tier": Rule("adapt", "tiers differ between providers"),
    "end_user": Rule("adapt", "an address or a phone number is hashed", blind=True),
    "metadata": Rule("adapt", "only `user_id` has a counterpart", blind=True),
    "cache": Rule("adapt", "lifetimes are 5 minutes or 1 hour, and there are at most 4 breakpoints"),
    "sampling.temperature": Rule("adapt", "1 is the highest; some models take none"),
    "sampling.top_p": Rule("adapt", "some models take none, or none beside `temperature`"),
    "sampling.top_k": Rule("adapt", "some models take none"),
    "sampling.min_p": dropped(0),
    "sampling.frequency_penalty": dropped(0),
    "sampling.presence_penalty": dropped(0),
    "sampling.repetition_penalty": dropped(1),
    "sampling.seed": dropped(),
    "sampling.stop": Rule("adapt", "empty and blank sequences are left out"),
    "sampling.n": Rule("reject", "the model's provider gives one answer to a request", (1,)),
    "sampling.logit_bias": dropped(Raw(b"{}")),
    "sampling.logprobs": dropped(False),
    "sampling.top_logprobs": dropped(0),
    "output.format": Rule("adapt", "`json_object` becomes an instruction; older models are made to call a tool"),
    "output.modalities": Rule("reject", "the model's provider answers with text only", (("text",),)),
    "output.audio": Rule("reject", "the model's provider answers with text only"),
    "output.verbosity": dropped("medium"),
    # of parts and tools
    "turn.name": Rule("drop", "a message has no author's name"),
    "part.text": _MAP,
    "part.refusal": Rule("map", "as text"),
    "part.image": Rule("map", "JPEG, PNG, GIF and WebP"),
    "part.image.detail": Rule("drop", NO_COUNTERPART, blind=True),
    "part.audio": Rule("reject", "no model of the provider hears"),
    "part.video": Rule("reject", "no model of the provider sees films"),
    "part.document": Rule("map", "PDF and text"),
    "part.document.filename": Rule("map", "as the title"),
    "part.document.file_ref": Rule("reject", "save handles of the provider's own"),
    "part.tool_call": _MAP,
    "part.tool_result": _MAP,
    "tool.strict": Rule("adapt", "constraints that the provider cannot enforce move into the description"),
    "tool.custom": Rule("adapt", "free text becomes one string argument"),
    "tool.web_search.size": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.name": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.strict": Rule("adapt", "the provider is always strict"),
}

FORWARDED_EXTRAS = frozenset(
    {"cache_control", "container", "context_management", "mcp_servers", "inference_geo", "speed"}
)
"""Members of the Messages format that callers of other formats may send by its own names."""


def account(request: CanonicalRequest, losses: Losses) -> None:
    """Drops or refuses what has no place in a Messages request. Raises InvalidRequest."""
    accounting.account(request, losses, slots=SLOTS, forwarded=FORWARDED_EXTRAS)


def forwarded(request: CanonicalRequest) -> dict[str, Raw]:
    return {name: extra.value for name, extra in request.extras.items() if name in FORWARDED_EXTRAS}
