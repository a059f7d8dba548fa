"""OpenAI's library, speaking Responses."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai.types.responses import Response

from tests.matrix.said import PARAMETERS, PDF, PNG, PROMPT, SCHEMA, FailedError, Place, Said, Wish


async def ask(place: Place, wish: Wish, *, stream: bool) -> Said:
    shown: list[str] = []
    client = openai.AsyncOpenAI(base_url=place.url + "/v1", api_key=place.key, max_retries=0, http_client=place.http)
    try:
        if not stream:
            return _read(await client.responses.create(**_request(wish)))
        async for event in await client.responses.create(**_request(wish), stream=True):
            if event.type == "response.output_text.delta":
                shown.append(event.delta)
            elif event.type in ("response.completed", "response.incomplete"):
                return _read(event.response)
            elif event.type == "response.failed":
                error = event.response.error
                raise FailedError(None, error.message if error else "", "".join(shown))
            elif event.type == "error":
                raise FailedError(None, event.message, "".join(shown))
    except openai.APIError as error:
        raise FailedError(getattr(error, "status_code", None), error.message, "".join(shown)) from error
    raise AssertionError("the stream ended without an end")


def _request(wish: Wish) -> dict[str, Any]:
    said: list[Any] = [{"type": "input_text", "text": PROMPT}]
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    if wish.picture:
        said.append(picture)
    if wish.pdf:
        data = f"data:application/pdf;base64,{PDF}"
        said.append({"type": "input_file", "filename": "a.pdf", "file_data": data})
    items: list[Any] = [{"role": "user", "content": said}]
    if wish.shown_picture:
        output = [{"type": "input_text", "text": "See the picture."}, picture]
        items += [
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": output},
        ]
    if wish.earlier:
        items += [*wish.earlier.replay, {"role": "user", "content": "And then?"}]
    request: dict[str, Any] = {"model": wish.model, "input": items, "store": False}
    if wish.tools or wish.shown_picture:
        names = ("weather", "look")
        tools = [{"type": "function", "name": n, "parameters": PARAMETERS, "strict": False} for n in names]
        request["tools"] = tools
    if wish.schema:
        named = {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}
        request["text"] = {"format": named}
    if wish.thinking:
        request["reasoning"] = {"effort": "medium", "summary": "auto"}
        request["include"] = ["reasoning.encrypted_content"]
    return request


def _read(answer: Response) -> Said:
    refusals: list[str] = []
    thinking: list[str] = []
    calls: list[tuple[str, Any]] = []
    for item in answer.output:
        if item.type == "message":
            refusals += [part.refusal for part in item.content if part.type == "refusal"]
        elif item.type == "reasoning":
            thinking += [part.text for part in (*item.summary, *(item.content or ()))]
        elif item.type == "function_call":
            calls.append((item.name, json.loads(item.arguments)))
    usage = answer.usage
    return Said(
        text=answer.output_text or "".join(refusals),
        thinking="".join(thinking),
        calls=calls,
        finish=_finish(answer, refused=bool(refusals), called=bool(calls)),
        tokens=usage and (usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens),
        replay=[item.model_dump(exclude_none=True) for item in answer.output],
    )


def _finish(answer: Response, *, refused: bool, called: bool) -> str:
    if answer.status == "incomplete":
        assert answer.incomplete_details is not None
        reasons = {"max_output_tokens": "length", "content_filter": "refusal"}
        return reasons[answer.incomplete_details.reason or ""]
    return "refusal" if refused else "tool_calls" if called else "stop"
