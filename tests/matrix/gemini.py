"""Google's library."""

from __future__ import annotations

import base64
from typing import Any

from google import genai
from google.genai import errors, types

from tests.matrix.said import PARAMETERS, PDF, PNG, PROMPT, SCHEMA, WAV, FailedError, Place, Said, Wish

_FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION"), "refusal"),
}


async def ask(place: Place, wish: Wish, *, stream: bool) -> Said:
    shown: list[str] = []
    options = types.HttpOptions(base_url=place.url, api_version="v1beta", httpx_async_client=place.http)
    client = genai.Client(api_key=place.key, vertexai=False, http_options=options)
    try:
        contents, config = _contents(wish), types.GenerateContentConfig(**_config(wish))
        if not stream:
            whole = await client.aio.models.generate_content(model=wish.model, contents=contents, config=config)
            return _read([whole])
        chunks = []
        async for chunk in await client.aio.models.generate_content_stream(
            model=wish.model, contents=contents, config=config
        ):
            chunks.append(chunk)
            shown += [part.text or "" for part in _parts(chunk) if not part.thought]
        return _read(chunks)
    except errors.APIError as error:
        raise FailedError(error.code, error.message or "", "".join(shown)) from error


def _blob(kind: str, data: str) -> dict[str, Any]:
    return {"inline_data": {"mime_type": kind, "data": base64.b64decode(data)}}


def _contents(wish: Wish) -> list[Any]:
    said: list[Any] = [{"text": PROMPT}]
    if wish.picture:
        said.append(_blob("image/png", PNG))
    if wish.pdf:
        said.append(_blob("application/pdf", PDF))
    if wish.sound:
        said.append(_blob("audio/wav", WAV))
    contents: list[Any] = [{"role": "user", "parts": said}]
    if wish.shown_picture:
        result = {"name": "look", "response": {"output": "See the picture."}, "parts": [_blob("image/png", PNG)]}
        contents += [
            {"role": "model", "parts": [{"function_call": {"name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"function_response": result}]},
        ]
    if wish.earlier:
        contents += [*wish.earlier.replay, {"role": "user", "parts": [{"text": "And then?"}]}]
    return contents


def _config(wish: Wish) -> dict[str, Any]:
    # the library would call functions by itself
    config: dict[str, Any] = {"automatic_function_calling": {"disable": True}}
    if wish.tools or wish.shown_picture:
        declared = [{"name": name, "parameters_json_schema": PARAMETERS} for name in ("weather", "look")]
        config["tools"] = [{"function_declarations": declared}]
    if wish.schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
    if wish.thinking:
        config["thinking_config"] = {"include_thoughts": True}
    if wish.choices is not None:
        config["candidate_count"] = wish.choices
    return config


def _parts(answer: types.GenerateContentResponse) -> list[types.Part]:
    candidates = answer.candidates or []
    content = candidates[0].content if candidates else None
    return list((content and content.parts) or [])


def _read(chunks: list[types.GenerateContentResponse]) -> Said:
    parts = [part for chunk in chunks for part in _parts(chunk)]
    reasons = [c.finish_reason.name for chunk in chunks for c in chunk.candidates or () if c.finish_reason]
    blocked = any(chunk.prompt_feedback and chunk.prompt_feedback.block_reason for chunk in chunks)
    calls = [(part.function_call.name or "", part.function_call.args or {}) for part in parts if part.function_call]
    finish = "refusal" if blocked and not reasons else _FINISH[reasons[-1]]
    usage = next((chunk.usage_metadata for chunk in reversed(chunks) if chunk.usage_metadata), None)
    return Said(
        text="".join(part.text or "" for part in parts if not part.thought),
        thinking="".join(part.text or "" for part in parts if part.thought),
        calls=calls,
        # the format has no word of its own for it
        finish="tool_calls" if calls and finish == "stop" else finish,
        tokens=usage
        and (
            (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
            (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            usage.cached_content_token_count or 0,
        ),
        replay=[types.Content(role="model", parts=parts)],
    )
