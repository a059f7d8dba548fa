"""Every field of a Responses request and what becomes of it: as a caller's, and as a target's.

A caller's field fills a slot of the canonical form, or it is an extra. What the API keeps, or only its maker can read,
goes to no other target.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects import accounting
from gaiarouter.dialects.accounting import NO_COUNTERPART, Field, Rule, dropped, slots

DIALECT = "responses"


TOP_LEVEL: dict[str, Field] = {
    **slots(
        model="model",
        input="turns",
        instructions="instructions",
        stream="stream",
        max_output_tokens="max_output_tokens",
        temperature="sampling.temperature",
        top_p="sampling.top_p",
        top_logprobs="sampling.top_logprobs",
        tools="tools",
        tool_choice="tool_choice",
        parallel_tool_calls="parallel_tool_calls",
        reasoning="thinking",
        # of two names for one slot, the first that is given counts
        safety_identifier="end_user",
        user="end_user",
        metadata="metadata",
        service_tier="tier",
    ),
    # looked into: see NESTED
    "text": Field(),
    # kept by who answers: the next request would find nothing anywhere else
    "store": Field(loss="refuse"),
    "previous_response_id": Field(loss="refuse"),
    "conversation": Field(loss="refuse"),
    "background": Field(loss="refuse"),
    "background_options": Field(),
    "prompt": Field(loss="refuse"),
    "context_management": Field(loss="refuse"),
    # no target's answer is another for want of these
    "include": Field(loss="blind"),
    "stream_options": Field(loss="blind"),
    "prompt_cache_key": Field(loss="blind"),
    "prompt_cache_retention": Field(loss="blind"),
    "prompt_cache_options": Field(loss="blind"),
    "truncation": Field(),
    "max_tool_calls": Field(),
    "moderation": Field(),
    "access_programs": Field(),
    "image": Field(),
}

NEUTRAL: Mapping[str, tuple[bytes, ...]] = {
    "store": (b"false",),
    "background": (b"false",),
    "truncation": (b'"disabled"',),
}
"""Values that ask for what is done anyway."""

NAMESAKES: Mapping[str, str] = {"context_management": "context_management[0]"}
"""Members that other formats have by the same name with another meaning, and what they are known by as extras."""

NESTED: dict[str, Field] = {
    **slots(
        **{
            "text.format": "output.format",
            "text.verbosity": "output.verbosity",
            "text.format.name": "output.format.name",
            "text.format.description": "output.format",
            "text.format.schema": "output.format",
            "text.format.strict": "output.format.strict",
            "reasoning.effort": "thinking",
            "reasoning.summary": "thinking",
            "reasoning.generate_summary": "thinking",
            "input[].role": "turns",
            "input[].content": "turns",
            "input[].phase": "turns",
            "input[].call_id": "part.tool_call",
            "input[].name": "part.tool_call",
            "input[].namespace": "part.tool_call",
            "input[].arguments": "part.tool_call",
            "input[].input": "part.tool_call",
            "input[].output": "part.tool_result",
            "input[].summary": "turns",
            "input[].content[].text": "part.text",
            "input[].content[].refusal": "part.refusal",
            "input[].content[].annotations": "part.text",
            "input[].content[].logprobs": "part.text",
            "input[].content[].image_url": "part.image",
            "input[].content[].detail": "part.image.detail",
            "input[].content[].file_data": "part.document",
            "input[].content[].file_url": "part.document",
            "input[].content[].filename": "part.document.filename",
            "input[].content[].file_id": "part.document.file_ref",
            "input[].content[].input_audio": "part.audio",
            "input[].content[].prompt_cache_breakpoint": "cache",
            "tools[].name": "tools",
            "tools[].description": "tools",
            "tools[].parameters": "tools",
            "tools[].strict": "tool.strict",
            "tools[].format": "tool.custom",
            "tools[].tools": "tools",
        }
    ),
    "reasoning.mode": Field(),
    "reasoning.context": Field(),
    "input[].id": Field(loss="blind"),
    "input[].status": Field(loss="blind"),
    "input[].caller": Field(loss="blind"),
    "input[].async": Field(loss="blind"),
    "input[].encrypted_content": Field(loss="refuse"),
    "tools[].defer_loading": Field(loss="blind"),
    "tools[].allowed_callers": Field(loss="blind"),
    "tools[].output_schema": Field(loss="blind"),
    "tools[].async": Field(loss="blind"),
}

_MAP = Rule("map")

SLOTS: Mapping[str, Rule] = {
    "model": _MAP,
    "stream": _MAP,
    "include_usage": _MAP,
    "instructions": _MAP,
    "turns": _MAP,
    "max_output_tokens": Rule("adapt", "16 is the least"),
    "tools": Rule("map", "a tool that runs at another provider is refused"),
    "tool_choice": _MAP,
    "parallel_tool_calls": _MAP,
    "thinking": Rule("adapt", "a budget becomes the nearest effort; models that do not reason are not told"),
    "tier": Rule("adapt", "tiers differ between providers"),
    "end_user": _MAP,
    "metadata": _MAP,
    "cache": Rule("drop", "the provider caches by itself", blind=True),
    "sampling.temperature": _MAP,
    "sampling.top_p": _MAP,
    "sampling.top_k": dropped(),
    "sampling.min_p": dropped(0),
    "sampling.frequency_penalty": dropped(0),
    "sampling.presence_penalty": dropped(0),
    "sampling.repetition_penalty": dropped(1),
    "sampling.seed": dropped(),
    "sampling.stop": Rule("reject", "the model's provider cannot be told where to stop", ((),)),
    "sampling.n": Rule("reject", "the model's provider gives one answer to a request", (1,)),
    "sampling.logit_bias": dropped(Raw(b"{}")),
    "sampling.logprobs": _MAP,
    "sampling.top_logprobs": _MAP,
    "output.format": Rule("adapt", "for `json_object` the model is told so where nothing else names JSON"),
    "output.modalities": Rule("reject", "the model's provider answers with text only", (("text",),)),
    "output.audio": Rule("reject", "the model's provider answers with text only"),
    "output.verbosity": _MAP,
    # of parts and tools
    "turn.name": Rule("drop", "a message has no author's name"),
    "part.text": _MAP,
    "part.refusal": _MAP,
    "part.image": _MAP,
    "part.image.detail": _MAP,
    "part.audio": _MAP,
    "part.video": Rule("reject", "no model of the provider sees films"),
    "part.document": _MAP,
    "part.document.filename": _MAP,
    "part.document.file_ref": Rule("reject", "save handles of the provider's own"),
    "part.tool_call": _MAP,
    "part.tool_result": Rule("adapt", "that it is an error is told in its text"),
    "tool.strict": _MAP,
    "tool.custom": _MAP,
    "tool.web_search.size": Rule("drop", NO_COUNTERPART, blind=True),
    "output.format.name": _MAP,
    "output.format.strict": _MAP,
}

FORWARDED_EXTRAS = frozenset({"prompt_cache_key", "prompt_cache_retention", "moderation", "max_tool_calls"})
"""Members of the format that callers of others may send by its own names."""


def account(request: CanonicalRequest, losses: Losses) -> None:
    """Drops or refuses what has no place in a Responses request. Raises InvalidRequest."""
    own = request.extras.keys() if request.dialect == DIALECT else frozenset[str]()
    accounting.account(request, losses, slots=SLOTS, forwarded=FORWARDED_EXTRAS | own)


def forwarded(request: CanonicalRequest) -> dict[str, Raw]:
    """Extras that are members of the format, whoever sent them; of a caller of this format, all that it has."""
    if request.dialect != DIALECT:
        return {name: extra.value for name, extra in request.extras.items() if name in FORWARDED_EXTRAS}
    named = {NAMESAKES.get(name, name): name for name in TOP_LEVEL}
    found = {named.get(name, name): extra.value for name, extra in request.extras.items()}
    return {name: value for name, value in found.items() if name.isidentifier()}
