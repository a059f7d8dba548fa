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
CACHES_BY_ITSELF = "the provider caches by itself"
CALLERS_OWN = frozenset(
    f"{name}{end}"
    for name in ("computer_call", "local_shell_call", "shell_call", "apply_patch_call")
    for end in ("", "_output")
)
"""Carried out by the caller: without them the model would not know what was done in its name."""
ISSUERS = frozenset({"item_reference", "compaction", "compaction_trigger", *CALLERS_OWN})
"""Items that mean nothing to anybody but who made them."""
SEARCHES = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")

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

_CONTENT: Mapping[str, str] = {
    "text": "part.text",
    "image_url": "part.image",
    "detail": "part.image.detail",
    "file_data": "part.document",
    "file_url": "part.document",
    "filename": "part.document.filename",
    "file_id": "part.document.file_ref",
    "prompt_cache_breakpoint": "cache",
    "prompt_cache_breakpoint.mode": "cache",
    "prompt_cache_breakpoint.ttl": "cache",
}
"""Members of a part, where a message and a tool's output have the same."""

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
            **{f"input[].content[].{name}": slot for name, slot in _CONTENT.items()},
            "input[].content[].refusal": "part.refusal",
            "input[].content[].input_audio": "part.audio",
            "tools[].name": "tools",
            "tools[].description": "tools",
            "tools[].parameters": "tools",
            "tools[].strict": "tool.strict",
            "tools[].format": "tool.custom",
            "tools[].tools": "tools",
        }
    ),
    **slots(
        **{
            **{f"input[].output[].{name}": slot for name, slot in _CONTENT.items()},
            **{f"input[].content[].input_audio.{name}": "part.audio" for name in ("data", "format")},
            "input[].summary[].text": "thinking",
            "tools[].format.syntax": "tool.custom",
            "tools[].format.definition": "tool.custom",
            **{f"tools[].tools[].{name}": "tools" for name in ("name", "description", "parameters")},
            "tools[].tools[].strict": "tool.strict",
            **{f"tools[].tools[].{name}": "tool.custom" for name in ("format.syntax", "format.definition")},
            **{f"tool_choice.{name}": "tool_choice" for name in ("name", "mode", "tools")},
        }
    ),
    "reasoning.mode": Field(),
    "reasoning.context": Field(),
    "input[].id": Field(loss="blind"),
    "input[].status": Field(loss="blind"),
    "input[].caller": Field(loss="blind"),
    "input[].async": Field(loss="blind"),
    "input[].encrypted_content": Field(loss="refuse"),
    # told of text that is sent
    "input[].content[].annotations": Field(loss="blind"),
    "input[].content[].logprobs": Field(loss="blind"),
    **{
        f"tools[].{inside}{name}": Field(loss="blind")
        for inside in ("", "tools[].")
        for name in ("defer_loading", "allowed_callers", "output_schema", "async")
    },
    "tool_choice.server_label": Field(loss="refuse"),
    # items and tools that only this format has, each as a whole
    **{
        f"input[type={kind}]": Field(loss="blind")
        for kind in (
            *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "program"),
            *("program_output", "mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"),
            *("tool_search_call", "tool_search_output", "additional_tools", "configuration_update"),
        )
    },
    **{f"input[type={kind}]": Field(loss="refuse") for kind in sorted(ISSUERS)},
    **{
        f"tools[type={kind}]": Field(loss="refuse")
        for kind in (
            *("file_search", "computer", "computer_use_preview", "mcp", "code_interpreter", "tool_search"),
            *("programmatic_tool_calling", "image_generation", "local_shell", "shell", "apply_patch"),
        )
    },
    **slots(**{f"tools[type={kind}]": "tools" for kind in SEARCHES}),
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
    "cache": Rule("drop", CACHES_BY_ITSELF, blind=True),
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
    "part.document.context": Rule("drop", NO_COUNTERPART, blind=True),
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
