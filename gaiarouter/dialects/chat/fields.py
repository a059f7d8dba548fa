"""Every field of a Chat request, and where its meaning lies in the canonical form.

What becomes of it is the target's to say: the table of the same name in the target's dialect knows each canonical slot.
A field without a slot stays an extra of this dialect, which no other one can take unless it knows the very name.
"""

from __future__ import annotations

from gaiarouter.dialects.accounting import Field, slots

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
