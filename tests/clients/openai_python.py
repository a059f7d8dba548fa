"""The official Python library at work, as its user would write it. node/client.mjs does the same in JavaScript.

Each operation returns what its user sees, as JSON; an exception is part of that.
"""

from __future__ import annotations

from typing import Any

from openai import APIError, APIStatusError, AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


class City(BaseModel):
    name: str
    people: int


async def run(operation: str, job: dict[str, Any]) -> dict[str, Any]:
    async with AsyncOpenAI(base_url=job["url"], api_key=job["key"], max_retries=job["retries"], timeout=20) as client:
        try:
            return await OPERATIONS[operation](client, job)
        except APIError as error:
            return {"error": _seen(error)}


def _seen(error: APIError) -> dict[str, Any]:
    status = error.status_code if isinstance(error, APIStatusError) else None
    return {"class": type(error).__name__, "status": status, "code": error.code}


async def chat(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    answer = await client.chat.completions.create(model=job["model"], messages=HELLO)
    assert answer.usage is not None
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "tokens": answer.usage.total_tokens}


async def stream(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    text, finish, seen = "", None, 0
    try:
        async with await client.chat.completions.create(model=job["model"], messages=HELLO, stream=True) as chunks:
            async for chunk in chunks:
                seen += 1
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
    except APIError as error:
        return {"text": text, "finish": finish, "error": _seen(error)}
    return {"text": text, "finish": finish, "chunks": seen}


async def stream_usage(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    async with await client.chat.completions.create(
        model=job["model"], messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as chunks:
        return {"totals": [chunk.usage.total_tokens async for chunk in chunks if chunk.usage is not None]}


async def tools(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    answer = await client.chat.completions.create(model=job["model"], messages=HELLO, tools=[WEATHER])
    choice = answer.choices[0]
    calls = [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    ]
    return {"calls": calls, "finish": choice.finish_reason}


async def stream_tools(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    async with client.chat.completions.stream(model=job["model"], messages=HELLO, tools=[WEATHER]) as chunks:
        final = await chunks.get_final_completion()
    choice = final.choices[0]
    calls = [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
        for call in choice.message.tool_calls or ()
    ]
    return {"calls": calls, "finish": choice.finish_reason}


async def structured(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    answer = await client.chat.completions.parse(model=job["model"], messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed is not None
    return answer.choices[0].message.parsed.model_dump()


async def vision(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    image: Any = {"type": "image_url", "image_url": {"url": job["data_url"], "detail": "low"}}
    text: Any = {"type": "text", "text": "What is this?"}
    answer = await client.chat.completions.create(
        model=job["model"], messages=[{"role": "user", "content": [text, image]}]
    )
    return {"text": answer.choices[0].message.content}


async def abort(client: AsyncOpenAI, job: dict[str, Any]) -> dict[str, Any]:
    chunks = await client.chat.completions.create(model=job["model"], messages=HELLO, stream=True)
    async for chunk in chunks:
        if text := chunk.choices[0].delta.content:
            await chunks.close()
            return {"text": text}
    return {"text": None}


async def models(client: AsyncOpenAI, _job: dict[str, Any]) -> dict[str, Any]:
    return {"models": [model.id async for model in client.models.list()]}


OPERATIONS = {
    operation.__name__: operation
    for operation in (chat, stream, stream_usage, tools, stream_tools, structured, vision, abort, models)
}
