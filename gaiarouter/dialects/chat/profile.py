"""What a provider that speaks Chat does in its own way: switches over one encoder and one decoder."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ChatProfile(Struct, frozen=True, kw_only=True):
    """The defaults are those of a server that nobody has told us of.

    limit_field: the name of the answer's limit. stream_options: usage is asked for with it. developer_role: messages
    may have it. system_role: whose messages instructions are. one_system: the only system message is the first one.
    text_only: content is a string. images, files, audio: parts that are taken. image_urls: addresses of pictures are
    loaded. forced_choice: `tool_choice` may be other than auto and none. choice_none: tools may stand beside `none`.
    parallel_field: `parallel_tool_calls` is known. custom_tools: tools of free text. strict_tools: functions may be
    `strict`. json_schema: answers can be held to a schema. seed_field: its name. stop_max: as many sequences.
    many_answers: `n` is known.
    effort: how the wish to think is told: by `reasoning_effort`, OpenRouter's `reasoning`, DeepSeek's `thinking`.
    echo: what of earlier thinking goes back: nothing, `reasoning_content` beside calls, or `reasoning_details`.
    call_ids: any, of at most 40 characters, or exactly 9 letters and digits. bridge: an assistant's message must stand
    between results and the user's. prefill: the last message may be the assistant's, marked with `prefix` or as it is.
    user_field: who asks, by that name. cache_control: breakpoints in Anthropic's words are known. drops: members that
    it answers with a 400. extensions: sampling that OpenAI does not have is known.
    """

    limit_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    stream_options: bool = True
    developer_role: bool = False
    system_role: Literal["system", "developer", "user"] = "system"
    one_system: bool = False
    text_only: bool = False
    images: bool = True
    image_urls: bool = True
    files: bool = False
    audio: bool = False
    forced_choice: bool = True
    choice_none: bool = True
    parallel_field: bool = False
    custom_tools: bool = False
    strict_tools: bool = True
    json_schema: bool = True
    seed_field: str = "seed"
    stop_max: int | None = None
    many_answers: bool = True
    effort: Literal["effort", "reasoning", "thinking"] = "effort"
    echo: Literal["nothing", "content", "details"] = "nothing"
    call_ids: Literal["any", "40", "9"] = "any"
    bridge: bool = False
    prefill: Literal["refused", "marked", "plain"] = "plain"
    user_field: Literal["user", "safety_identifier"] | None = "user"
    cache_control: bool = False
    drops: frozenset[str] = frozenset()
    extensions: bool = True


ANY_SERVER = ChatProfile()
