"""Every field of a Chat request: where its meaning lies in the canonical form, and what becomes of each slot of that in
a request of this format.

A field without a slot stays an extra of this dialect, which no other one can take unless it knows the very name.
"""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.accounting import NO_COUNTERPART, Field, Rule, slots

_SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty"),
    *("seed", "stop", "n", "logit_bias", "logprobs", "top_logprobs"),
)

TOP_LEVEL: dict[str, Field] = {
    **{name: Field(f"sampling.{name}") for name in _SAMPLING},
    **slots(
        model="model",
        messages="turns",
        stream="stream",
        max_completion_tokens="max_output_tokens",
        max_tokens="max_output_tokens",
        tools="tools",
        functions="tools",
        tool_choice="tool_choice",
        function_call="tool_choice",
        parallel_tool_calls="parallel_tool_calls",
        response_format="output.format",
        modalities="output.modalities",
        audio="output.audio",
        verbosity="output.verbosity",
        # of several names for one slot, the first that is given counts
        thinking="thinking",
        reasoning="thinking",
        reasoning_effort="thinking",
        include_reasoning="thinking",
        safety_identifier="end_user",
        user="end_user",
        metadata="metadata",
        service_tier="tier",
        stream_options="include_usage",
        prompt_cache_options="cache",
        web_search_options="tools",
    ),
    # no target's answer is another for want of these
    "store": Field(loss="blind"),
    "prompt_cache_key": Field(loss="blind"),
    "prompt_cache_retention": Field(loss="blind"),
    "prediction": Field(),
    "moderation": Field(),
    "background": Field(loss="refuse"),
}

NESTED: dict[str, Field] = slots(
    **{
        "stream_options.include_usage": "include_usage",
        "messages[].role": "turns",
        "messages[].content": "turns",
        "messages[].name": "turn.name",
        "messages[].refusal": "part.refusal",
        "messages[].audio": "part.audio",
        "messages[].tool_calls": "part.tool_call",
        "messages[].function_call": "part.tool_call",
        "messages[].tool_call_id": "part.tool_result",
        "messages[].content[].text": "part.text",
        "messages[].content[].refusal": "part.refusal",
        "messages[].content[].image_url.url": "part.image",
        "messages[].content[].image_url.detail": "part.image.detail",
        "messages[].content[].input_audio": "part.audio",
        "messages[].content[].file.file_data": "part.document",
        "messages[].content[].file.file_id": "part.document.file_ref",
        "messages[].content[].file.filename": "part.document.filename",
        "messages[].content[].prompt_cache_breakpoint": "cache",
        "tools[].function.name": "tools",
        "tools[].function.description": "tools",
        "tools[].function.parameters": "tools",
        "tools[].function.strict": "tool.strict",
        "tools[].custom.name": "tool.custom",
        "tools[].custom.description": "tool.custom",
        "tools[].custom.format": "tool.custom",
        "response_format.json_schema.name": "output.format.name",
        "response_format.json_schema.description": "output.format",
        "response_format.json_schema.schema": "output.format",
        "response_format.json_schema.strict": "output.format.strict",
        "web_search_options.search_context_size": "tool.web_search.size",
        "web_search_options.user_location": "tools",
    }
) | {"stream_options.include_obfuscation": Field(loss="blind")}

_MAP = Rule("map")
_BY_SERVER = "as far as the provider has it"

SLOTS: Mapping[str, Rule] = {
    **dict.fromkeys(
        (
            *("model", "stream", "include_usage", "instructions", "turns", "max_output_tokens", "tool_choice"),
            *("tier", "output.verbosity", "part.text", "part.image", "part.image.detail", "part.refusal"),
            *("part.tool_call", "turn.name", "output.format.name", "tool.strict", "sampling.temperature"),
            *("sampling.top_p", "sampling.seed", "sampling.logprobs", "sampling.top_logprobs", "sampling.logit_bias"),
            *("sampling.frequency_penalty", "sampling.presence_penalty", "sampling.n", "output.format.strict"),
        ),
        _MAP,
    ),
    **dict.fromkeys(
        (
            *("sampling.top_k", "sampling.min_p", "sampling.repetition_penalty", "sampling.stop", "output.modalities"),
            *(
                "output.audio",
                "parallel_tool_calls",
                "part.audio",
                "part.document",
                "part.document.filename",
                "thinking",
            ),
        ),
        Rule("adapt", _BY_SERVER),
    ),
    "tools": Rule("map", "a tool that runs at another provider is refused"),
    "end_user": Rule("adapt", "what is too long is hashed", blind=True),
    "metadata": Rule("adapt", "left out: it is kept beside stored answers alone"),
    "cache": Rule("adapt", "most providers find by themselves what to cache", blind=True),
    "output.format": Rule("adapt", "where the provider cannot be held to a schema, the model is told it"),
    "part.video": Rule("reject", "no films"),
    "part.document.context": Rule("adapt", "stands before a text; dropped of other files", blind=True),
    "part.document.file_ref": Rule("reject", "save handles of the provider's own"),
    "part.tool_result": Rule("adapt", "results are text: pictures follow in a message of the user's"),
    "tool.custom": Rule("adapt", "free text becomes one string argument, where the provider has no such tools"),
    "tool.web_search.size": Rule("drop", NO_COUNTERPART, blind=True),
}
