"""Every field of a Responses request and what becomes of it: as a caller's, and as a target's.

A caller's field fills a slot of the canonical form, or it is an extra. What the API keeps, or only its maker can read,
goes to no other target.
"""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.accounting import Field, slots

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
