"""Anthropic's library."""

from __future__ import annotations

from typing import Any

import anthropic
from anthropic.types import Message

from tests.matrix.said import PARAMETERS, PDF, PNG, PROMPT, SCHEMA, FailedError, Place, Said, Wish

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


async def ask(place: Place, wish: Wish, *, stream: bool) -> Said:
    shown: list[str] = []
    client = anthropic.AsyncAnthropic(base_url=place.url, api_key=place.key, max_retries=0, http_client=place.http)
    try:
        if not stream:
            return _read(await client.messages.create(**_request(wish)))
        async with client.messages.stream(**_request(wish)) as events:
            async for text in events.text_stream:
                shown.append(text)  # noqa: PERF401  # what came before a failure must be kept
            return _read(await events.get_final_message())
    except anthropic.APIError as error:
        raise FailedError(getattr(error, "status_code", None), error.message, "".join(shown)) from error


def _request(wish: Wish) -> dict[str, Any]:
    said: list[Any] = [{"type": "text", "text": PROMPT}]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    if wish.picture:
        said.append(picture)
    if wish.pdf:
        source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
        said.append({"type": "document", "source": source})
    messages: list[Any] = [{"role": "user", "content": said}]
    if wish.shown_picture:
        content = [{"type": "text", "text": "See the picture."}, picture]
        messages += [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}]},
        ]
    if wish.earlier:
        messages += [*wish.earlier.replay, {"role": "user", "content": "And then?"}]
    request: dict[str, Any] = {"model": wish.model, "max_tokens": 4096, "messages": messages}
    if wish.tools or wish.shown_picture:
        request["tools"] = [{"name": name, "input_schema": PARAMETERS} for name in ("weather", "look")]
    if wish.schema:
        request["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if wish.thinking:
        request["thinking"] = {"type": "enabled", "budget_tokens": 2048}
    return request


def _read(answer: Message) -> Said:
    usage = answer.usage
    cached = usage.cache_read_input_tokens or 0
    return Said(
        text="".join(block.text for block in answer.content if block.type == "text"),
        thinking="".join(block.thinking for block in answer.content if block.type == "thinking"),
        calls=[(block.name, block.input) for block in answer.content if block.type == "tool_use"],
        finish=_FINISH[answer.stop_reason or ""],
        tokens=(
            usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
            usage.output_tokens,
            cached,
        ),
        replay=[{"role": "assistant", "content": [each.model_dump(exclude_none=True) for each in answer.content]}],
    )
