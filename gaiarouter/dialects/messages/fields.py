"""Every field of a Messages request: where its meaning lies in the canonical form, and what becomes of each slot of
that in a request of this format."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects import accounting
from gaiarouter.dialects.accounting import NO_COUNTERPART, Field, Rule, dropped, slots
from gaiarouter.dialects.messages.blocks import DIALECT

TOP_LEVEL: dict[str, Field] = {
    **slots(
        model="model",
        messages="turns",
        max_tokens="max_output_tokens",
        system="instructions",
        stream="stream",
        stop_sequences="sampling.stop",
        temperature="sampling.temperature",
        top_p="sampling.top_p",
        top_k="sampling.top_k",
        metadata="end_user",
        # of several names for one slot, the first that is given counts
        thinking="thinking",
        output_config="thinking",
        output_format="output.format",
        tools="tools",
        tool_choice="tool_choice",
        speed="tier",
        service_tier="tier",
    ),
    # clients put it on everything
    "cache_control": Field(loss="blind"),
    "context_management": Field(loss="blind"),
    "diagnostics": Field(loss="blind"),
    "inference_geo": Field(),
    "user_profile_id": Field(),
    "billing_policy": Field(),
    "fallbacks": Field(),
    "fallback_credit_token": Field(),
    "workspace_id": Field(),
    # without these the answer would be another
    "container": Field(loss="refuse"),
    "mcp_servers": Field(loss="refuse"),
    "thread": Field(loss="refuse"),
    "compaction": Field(loss="refuse"),
    "betas": Field(loss="blind"),
}
"""A field without a slot stays an extra of this dialect, which no other one can take."""

_BLOCKS = "messages[].content[]"
NESTED: dict[str, Field] = {
    **slots(
        **{
            "messages[].role": "turns",
            "messages[].content": "turns",
            f"{_BLOCKS}.text": "part.text",
            f"{_BLOCKS}.cache_control": "cache",
            f"{_BLOCKS}.source": "turns",
            f"{_BLOCKS}.title": "part.document.filename",
            f"{_BLOCKS}.context": "part.document.context",
            f"{_BLOCKS}.id": "part.tool_call",
            f"{_BLOCKS}.name": "part.tool_call",
            f"{_BLOCKS}.input": "part.tool_call",
            f"{_BLOCKS}.caller": "part.tool_call",
            f"{_BLOCKS}.tool_use_id": "part.tool_result",
            f"{_BLOCKS}.content": "part.tool_result",
            f"{_BLOCKS}.is_error": "part.tool_result",
            f"{_BLOCKS}.thinking": "thinking",
            f"{_BLOCKS}.signature": "thinking",
            f"{_BLOCKS}.data": "thinking",
            "tools[].name": "tools",
            "tools[].description": "tools",
            "tools[].input_schema": "tools",
            "tools[].strict": "tool.strict",
            "tools[].cache_control": "cache",
            "metadata.user_id": "end_user",
            "output_config.effort": "thinking",
            "output_config.format": "output.format",
        }
    ),
    # kept for targets of this format, of no meaning elsewhere
    f"{_BLOCKS}.citations": Field(loss="blind"),
    f"{_BLOCKS}.transformations": Field(loss="blind"),
    f"{_BLOCKS}.toolset_name": Field(loss="blind"),
    "tools[].defer_loading": Field(loss="blind"),
    "tools[].allowed_callers": Field(loss="blind"),
    "tools[].eager_input_streaming": Field(loss="blind"),
    "tools[].input_examples": Field(loss="blind"),
    "output_config.task_budget": Field(),
}

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
    "part.document.context": _MAP,
    "part.document.file_ref": Rule("reject", "save handles of the provider's own"),
    "part.tool_call": _MAP,
    "part.tool_result": _MAP,
    "tool.strict": Rule("adapt", "constraints that the provider cannot enforce move into the description"),
    "tool.custom": Rule("adapt", "free text becomes one string argument"),
    "tool.web_search.size": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.name": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.strict": Rule("adapt", "the provider is always strict"),
}

OUTPUT_CONFIG = "output_config."
"""How the name of an extra begins that stands in there."""
FORWARDED_EXTRAS = frozenset(
    {"cache_control", "container", "context_management", "mcp_servers", "inference_geo", "speed"}
)
"""Members of the Messages format that callers of other formats may send by its own names."""


def account(request: CanonicalRequest, losses: Losses) -> None:
    """Drops or refuses what has no place in a Messages request. Raises InvalidRequest."""
    known = request.extras if request.dialect == DIALECT else forwarded(request)
    accounting.account(request, losses, slots=SLOTS, forwarded=known)


def forwarded(request: CanonicalRequest) -> dict[str, Raw]:
    """Those that the API takes: all of its own callers'."""
    if not request.extras:
        return {}
    own = request.dialect == DIALECT
    return {
        name: extra.value
        for name, extra in request.extras.items()
        if name in FORWARDED_EXTRAS or (own and _is_a_field(name))
    }


def _is_a_field(name: str) -> bool:
    """Of the body, or of `output_config`, and of nothing inside them."""
    return "." not in name.removeprefix(OUTPUT_CONFIG)
