"""What each vendor's own client makes of an answer: the judge of what was said, on both sides of a translation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

STREAM = {"content-type": "text/event-stream"}
WHOLE = {"content-type": "application/json"}
ASKED: Any = [{"role": "user", "content": "x"}]


@dataclass(slots=True)
class Told:
    """One choice of an answer. calls: name and arguments. tokens: input, output, from a cache, of thinking."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str | None = None
    tokens: tuple[int, int, int, int] | None = None


@dataclass(slots=True)
class Provider:
    """Gives one answer to whatever is asked, until it is given another."""

    body: bytes = b""
    stream: bool = False

    def __call__(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=STREAM if self.stream else WHOLE, content=self.body)


PROVIDER = Provider()
"""All clients here ask it; each of them is made once, because that takes a tenth of a second."""


@cache
def http() -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(PROVIDER))


@cache
def anthropic() -> Anthropic:
    return Anthropic(api_key="x", http_client=http(), max_retries=0)


@cache
def google() -> genai.Client:
    return genai.Client(api_key="x", http_options=types.HttpOptions(base_url="http://gateway", httpx_client=http()))


@cache
def openai() -> OpenAI:
    return OpenAI(api_key="x", http_client=http(), max_retries=0)


def by_anthropic(body: bytes, *, stream: bool) -> Told:
    PROVIDER.body, PROVIDER.stream = body, stream
    messages = anthropic().beta.messages
    if stream:
        with messages.stream(model="m", max_tokens=1, messages=ASKED) as events:
            message = events.get_final_message()
    else:
        message = messages.create(model="m", max_tokens=1, messages=ASKED)
    usage = message.usage
    cached = usage.cache_read_input_tokens or 0
    details = usage.output_tokens_details
    return Told(
        text="".join(block.text for block in message.content if block.type == "text"),
        thinking="".join(block.thinking for block in message.content if block.type == "thinking"),
        calls=[(block.name, block.input) for block in message.content if block.type == "tool_use"],
        finish=message.stop_reason,
        tokens=(
            usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
            usage.output_tokens,
            cached,
            (details and details.thinking_tokens) or 0,
        ),
    )


def by_google(body: bytes, *, stream: bool) -> Told:
    told, counts = Told(), dict[str, int]()
    PROVIDER.body, PROVIDER.stream = body, stream
    models = google().models
    if stream:
        answers = list(models.generate_content_stream(model="m", contents="x"))
    else:
        answers = [models.generate_content(model="m", contents="x")]
    for answer in answers:
        for candidate in (answer.candidates or ())[:1]:
            _take(told, candidate)
        if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None:
            told.finish = "blocked"
        usage = answer.usage_metadata
        found = usage.model_dump() if usage is not None else {}
        counts |= {name: count for name, count in found.items() if isinstance(count, int)}
    if counts:
        told.tokens = (
            counts.get("prompt_token_count", 0) + counts.get("tool_use_prompt_token_count", 0),
            counts.get("candidates_token_count", 0) + counts.get("thoughts_token_count", 0),
            counts.get("cached_content_token_count", 0),
            counts.get("thoughts_token_count", 0),
        )
    return told


def _take(told: Told, candidate: types.Candidate) -> None:
    for part in (candidate.content and candidate.content.parts) or ():
        if part.function_call is not None:
            told.calls.append((part.function_call.name or "", part.function_call.args or {}))
        elif part.thought:
            told.thinking += part.text or ""
        else:
            told.text += part.text or ""
    if candidate.finish_reason is not None:
        told.finish = candidate.finish_reason.name


def by_openai(body: bytes, *, stream: bool) -> Told:
    """Thinking is shown in pieces with a gap between them: the gaps are not told."""
    told, thinking = Told(), dict[int, str]()
    PROVIDER.body, PROVIDER.stream = body, stream
    completions = openai().chat.completions
    completion: Any
    if stream:
        state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
        asked: Any = {"include_usage": True}
        for chunk in completions.create(model="m", messages=ASKED, stream=True, stream_options=asked):
            state.handle_chunk(chunk)
            for choice in chunk.choices:
                _think(thinking, (choice.delta.model_extra or {}).get("reasoning_details"))
        completion = state.current_completion_snapshot
    else:
        completion = completions.create(model="m", messages=ASKED)
        _think(thinking, (completion.choices[0].message.model_extra or {}).get("reasoning_details"))
    answer, *_ = completion.choices
    told.text, told.finish = answer.message.content or "", answer.finish_reason
    told.thinking = "".join(text for _, text in sorted(thinking.items()))
    told.calls = [(call.function.name, json.loads(call.function.arguments)) for call in answer.message.tool_calls or ()]
    if (usage := completion.usage) is not None:
        told.tokens = (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.prompt_tokens_details.cached_tokens,
            usage.completion_tokens_details.reasoning_tokens,
        )
    return told


def _think(thinking: dict[int, str], details: Any) -> None:
    for detail in details or ():
        thinking[detail["index"]] = thinking.get(detail["index"], "") + (detail.get("text") or "")
