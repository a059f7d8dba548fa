"""Every field of a Gemini request: where its meaning lies in the canonical form, and what becomes of each slot of that
in a request of this format."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects import accounting
from gaiarouter.dialects.accounting import NO_COUNTERPART, Field, Rule, dropped, slots
from gaiarouter.dialects.gemini.parts import DIALECT

CONFIG = "generationConfig."
"""How the name of a field begins that stands in there."""
TOOL_CONFIG = "toolConfig."

FIELDS: dict[str, Field] = {
    **slots(
        **{
            "model": "model",
            "contents": "turns",
            "systemInstruction": "instructions",
            "tools": "tools",
            "toolConfig": "tool_choice",
            "serviceTier": "tier",
            f"{CONFIG}maxOutputTokens": "max_output_tokens",
            f"{CONFIG}temperature": "sampling.temperature",
            f"{CONFIG}topP": "sampling.top_p",
            f"{CONFIG}topK": "sampling.top_k",
            f"{CONFIG}presencePenalty": "sampling.presence_penalty",
            f"{CONFIG}frequencyPenalty": "sampling.frequency_penalty",
            f"{CONFIG}seed": "sampling.seed",
            f"{CONFIG}stopSequences": "sampling.stop",
            f"{CONFIG}candidateCount": "sampling.n",
            f"{CONFIG}responseLogprobs": "sampling.logprobs",
            f"{CONFIG}logprobs": "sampling.top_logprobs",
            f"{CONFIG}responseModalities": "output.modalities",
            f"{CONFIG}thinkingConfig": "thinking",
            # of several names for one slot, the first that is given counts
            f"{CONFIG}responseJsonSchema": "output.format",
            f"{CONFIG}responseSchema": "output.format",
            f"{CONFIG}responseMimeType": "output.format",
        }
    ),
    "safetySettings": Field(),
    "labels": Field(loss="blind"),
    "store": Field(loss="blind"),
    "modelArmorConfig": Field(),
    # without these the answer would be another
    "cachedContent": Field(loss="refuse"),
    f"{CONFIG}responseFormat": Field(loss="refuse"),
    f"{CONFIG}speechConfig": Field(),
    f"{CONFIG}imageConfig": Field(),
    f"{CONFIG}mediaResolution": Field(loss="blind"),
    f"{CONFIG}audioTimestamp": Field(),
    f"{CONFIG}audioTranscriptionConfig": Field(),
    f"{CONFIG}enableAffectiveDialog": Field(),
    f"{CONFIG}enableEnhancedCivicAnswers": Field(),
    f"{CONFIG}modelSelectionConfig": Field(),
    f"{CONFIG}routingConfig": Field(),
    f"{CONFIG}translationConfig": Field(),
    f"{CONFIG}continuationToken": Field(loss="refuse"),
    f"{CONFIG}automaticContinuation": Field(),
    f"{CONFIG}generationOutputConfig": Field(loss="refuse"),
}
"""A field without a slot stays an extra of this dialect, which no other one can take."""

_PARTS = "contents[].parts[]."
_RESULT = f"{_PARTS}functionResponse.parts[]."
_INSTRUCTION = "systemInstruction."
_METADATA = ("videoMetadata", "mediaProcessing", "audioMetadata", "documentMetadata", "spreadsheetMetadata")
_OWN_PARTS = ("partMetadata", "audioTranscription", "speechMetadata", *_METADATA)
_OF_THE_MODEL = ("codeExecutionResult", "executableCode", "toolCall", "toolResponse")
_MEDIA = ("inlineData", "fileData", "functionCall", "functionResponse", "mediaResolution")
NESTED: dict[str, Field] = {
    **slots(
        **{
            "contents[].role": "turns",
            "contents[].parts": "turns",
            f"{_PARTS}text": "part.text",
            f"{_PARTS}thought": "thinking",
            f"{_PARTS}thoughtSignature": "thinking",
            f"{_PARTS}inlineData": "turns",
            f"{_PARTS}inlineData.data": "turns",
            f"{_PARTS}inlineData.mimeType": "turns",
            f"{_PARTS}fileData": "part.document.file_ref",
            f"{_PARTS}fileData.fileUri": "part.document.file_ref",
            f"{_PARTS}fileData.mimeType": "turns",
            f"{_PARTS}functionCall": "part.tool_call",
            f"{_PARTS}functionCall.id": "part.tool_call",
            f"{_PARTS}functionCall.name": "part.tool_call",
            f"{_PARTS}functionCall.args": "part.tool_call",
            f"{_PARTS}functionResponse": "part.tool_result",
            f"{_PARTS}functionResponse.id": "part.tool_result",
            f"{_PARTS}functionResponse.name": "part.tool_result",
            f"{_PARTS}functionResponse.response": "part.tool_result",
            **{f"{_RESULT}{name}": "part.tool_result" for name in ("inlineData.data", "inlineData.mimeType")},
            **{f"{_RESULT}{name}": "part.tool_result" for name in ("fileData.fileUri", "fileData.mimeType")},
            f"{_RESULT}mediaResolution.level": "part.image.detail",
            f"{_PARTS}mediaResolution.level": "part.image.detail",
            **{f"{_INSTRUCTION}{name}": "instructions" for name in ("role", "parts[].text")},
            "tools[].functionDeclarations": "tools",
            "tools[].functionDeclarations[].name": "tools",
            "tools[].functionDeclarations[].description": "tools",
            "tools[].functionDeclarations[].parameters": "tools",
            "tools[].functionDeclarations[].parametersJsonSchema": "tools",
            "toolConfig.functionCallingConfig": "tool_choice",
            "toolConfig.functionCallingConfig.mode": "tool_choice",
            "toolConfig.functionCallingConfig.allowedFunctionNames": "tool_choice",
            f"{CONFIG}thinkingConfig.thinkingBudget": "thinking",
            f"{CONFIG}thinkingConfig.thinkingLevel": "thinking",
            f"{CONFIG}thinkingConfig.includeThoughts": "thinking",
        }
    ),
    # parts and tools that only this format has: refused by all others
    **{f"{_PARTS}{name}": Field(loss="refuse") for name in _OWN_PARTS},
    **{f"{_RESULT}{name}": Field(loss="refuse") for name in _METADATA},
    **{f"{_INSTRUCTION}parts[].{name}": Field(loss="refuse") for name in (*_OWN_PARTS, *_OF_THE_MODEL, *_MEDIA)},
    **{
        f"tools[].{name}": Field(loss="refuse")
        for name in (
            *("retrieval", "computerUse", "fileSearch", "googleMaps", "codeExecution", "parallelAiSearch"),
            *("urlContext", "mcpServers", "exaAiSearch", "googleSearch", "googleSearchRetrieval"),
            "enterpriseWebSearch",
        )
    },
    # what the model did at its provider: left out of its turns
    **{f"{_PARTS}{name}": Field(loss="blind") for name in _OF_THE_MODEL},
    # of no meaning elsewhere
    f"{_PARTS}inlineData.displayName": Field(loss="blind"),
    f"{_PARTS}fileData.displayName": Field(loss="blind"),
    f"{_RESULT}inlineData.displayName": Field(loss="blind"),
    f"{_RESULT}fileData.displayName": Field(loss="blind"),
    **{f"{place}mediaResolution.numTokens": Field(loss="blind") for place in (_PARTS, _RESULT)},
    **{f"{_INSTRUCTION}parts[].{name}": Field(loss="blind") for name in ("thought", "thoughtSignature")},
    f"{_PARTS}functionCall.partialArgs": Field(loss="blind"),
    f"{_PARTS}functionCall.willContinue": Field(loss="blind"),
    f"{_PARTS}functionResponse.willContinue": Field(loss="blind"),
    f"{_PARTS}functionResponse.scheduling": Field(loss="blind"),
    "tools[].functionDeclarations[].response": Field(loss="blind"),
    "tools[].functionDeclarations[].responseJsonSchema": Field(loss="blind"),
    "tools[].functionDeclarations[].behavior": Field(loss="blind"),
    "toolConfig.retrievalConfig": Field(loss="blind"),
    "toolConfig.includeServerSideToolInvocations": Field(loss="blind"),
    "toolConfig.functionCallingConfig.streamFunctionCallArguments": Field(loss="blind"),
}

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
    "part.image": Rule("map", "an address only where the provider loads it, or `fetch_media` does"),
    "part.image.detail": Rule("adapt", "`low` and `high`, where the model knows them", blind=True),
    "part.audio": _MAP,
    "part.video": _MAP,
    "part.document": _MAP,
    "part.document.filename": Rule("drop", NO_COUNTERPART, blind=True),
    "part.document.context": Rule("drop", NO_COUNTERPART, blind=True),
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
    known = request.extras if request.dialect == DIALECT else FORWARDED_EXTRAS
    accounting.account(request, losses, slots=SLOTS, forwarded=known)


def forwarded(request: CanonicalRequest, inside: str = "") -> dict[str, Raw]:
    """Those that the API takes, all of its own callers': at the top, or `inside` an object there."""
    if not request.extras:
        return {}
    if request.dialect != DIALECT:
        known = {} if inside else FORWARDED_EXTRAS
        return {known[name]: extra.value for name, extra in request.extras.items() if name in known}
    found = {name: extra.value for name, extra in request.extras.items() if name.startswith(inside)}
    own = {name.removeprefix(inside): value for name, value in found.items()}
    return {name: value for name, value in own.items() if "." not in name}
