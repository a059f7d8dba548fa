"""OpenAI's library, speaking Chat."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion

from tests.matrix.said import PARAMETERS, PDF, PNG, PROMPT, SCHEMA, WAV, FailedError, Place, Said, Wish

_FINISH = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "refusal"}


async def ask(place: Place, wish: Wish, *, stream: bool) -> Said:
    shown: list[str] = []
    client = openai.AsyncOpenAI(base_url=place.url + "/v1", api_key=place.key, max_retries=0, http_client=place.http)
    try:
        if not stream:
            return _read(await client.chat.completions.create(**_request(wish)))
        state = ChatCompletionStreamState()
        options = {"include_usage": True}
        async for chunk in await client.chat.completions.create(**_request(wish), stream=True, stream_options=options):
            state.handle_chunk(chunk)
            shown += [choice.delta.content or "" for choice in chunk.choices]
        return _read(state.current_completion_snapshot)
    except openai.APIError as error:
        raise FailedError(getattr(error, "status_code", None), error.message, "".join(shown)) from error


def _request(wish: Wish) -> dict[str, Any]:
    said: list[Any] = [{"type": "text", "text": PROMPT}]
    if wish.picture:
        said.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
    if wish.pdf:
        file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
        said.append({"type": "file", "file": file})
    if wish.sound:
        said.append({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})
    messages: list[Any] = [{"role": "user", "content": said}]
    if wish.shown_picture:
        call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            # the format's results are text: a picture follows as the user's
            {"role": "tool", "tool_call_id": "call_1", "content": "See the picture."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
        ]
    if wish.earlier:
        messages += [*wish.earlier.replay, {"role": "user", "content": "And then?"}]
    request: dict[str, Any] = {"model": wish.model, "messages": messages}
    if wish.tools or wish.shown_picture:
        names = ("weather", "look")
        request["tools"] = [{"type": "function", "function": {"name": n, "parameters": PARAMETERS}} for n in names]
    if wish.schema:
        named = {"name": "city", "schema": SCHEMA, "strict": True}
        request["response_format"] = {"type": "json_schema", "json_schema": named}
    if wish.thinking:
        request["reasoning_effort"] = "medium"
    if wish.choices is not None:
        request["n"] = wish.choices
    return request


def _read(answer: ChatCompletion) -> Said:
    choice, usage = answer.choices[0], answer.usage
    message = choice.message
    beside = message.model_extra or {}
    finish = _FINISH[choice.finish_reason]
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    return Said(
        text=message.content or message.refusal or "",
        thinking=beside.get("reasoning") or beside.get("reasoning_content") or "",
        calls=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
        # a call that was asked for by its name ends with `stop` in this format
        finish="refusal" if message.refusal else "tool_calls" if calls and finish == "stop" else finish,
        tokens=None
        if usage is None
        else (
            usage.prompt_tokens,
            usage.completion_tokens,
            (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0,
        ),
        replay=[message.model_dump(exclude_none=True)],
    )
