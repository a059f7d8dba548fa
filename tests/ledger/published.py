"""Providers' published prices of the models in tests/recorded, in dollars for a million tokens.

Columns: provider, model, fresh input, read from a cache, written to a cache, written for an hour, output, sound in,
sound out, sound read from a cache; and a tier where the price is that tier's. `-`: not published apart from the column
that it is a part of.
None of the recorded requests is long enough for a long-context price.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars a token, which is micro-dollars for a million."""

    input: int
    read: int
    write: int
    write_1h: int
    output: int
    in_audio: int
    out_audio: int
    read_audio: int


_TABLE = """
anthropic claude-3-5-haiku-20241022 0.8 0.08 1 1.6 4 - - -
anthropic claude-3-5-haiku-latest 0.8 0.08 1 1.6 4 - - -
anthropic claude-3-5-sonnet-20240620 3 0.3 3.75 6 15 - - -
anthropic claude-3-5-sonnet-20241022 3 0.3 3.75 6 15 - - -
anthropic claude-3-7-sonnet-20250219 3 0.3 3.75 6 15 - - -
anthropic claude-3-haiku-20240307 0.25 0.03 0.3 0.5 1.25 - - -
anthropic claude-3-opus-20240229 15 1.5 18.75 30 75 - - -
anthropic claude-haiku-4-5 1 0.1 1.25 2 5 - - -
anthropic claude-haiku-4-5-20251001 1 0.1 1.25 2 5 - - -
anthropic claude-opus-4-1-20250805 15 1.5 18.75 30 75 - - -
anthropic claude-opus-4-6 5 0.5 6.25 10 25 - - -
anthropic claude-opus-4-7 5 0.5 6.25 10 25 - - -
anthropic claude-opus-4-8 5 0.5 6.25 10 25 - - -
anthropic claude-opus-5 5 0.5 6.25 10 25 - - -
anthropic claude-sonnet-4-0 3 0.3 3.75 6 15 - - -
anthropic claude-sonnet-4-20250514 3 0.3 3.75 6 15 - - -
anthropic claude-sonnet-4-5 3 0.3 3.75 6 15 - - -
anthropic claude-sonnet-4-5-20250929 3 0.3 3.75 6 15 - - -
anthropic claude-sonnet-4-6 3 0.3 3.75 6 15 - - -
anthropic claude-sonnet-5 2 0.2 2.5 4 10 - - -
azure gpt-35-turbo 0.5 - - - 1.5 - - -
azure gpt-4 30 - - - 60 - - -
azure gpt-4o-mini 0.15 0.075 - - 0.6 - - -
azure gpt-5-mini 0.25 0.025 - - 2 - - -
azure gpt-5-nano 0.05 0.005 - - 0.4 - - -
azure gpt-5.2-chat 1.75 0.175 - - 14 - - -
azure gpt-5.4 2.5 0.25 - - 15 - - -
azure gpt-5.5 5 0.5 - - 30 - - -
azure gpt-5.6-luna 0.2 0.02 0.25 - 1.2 - - -
azure gpt-5.6-sol 4 0.4 5 - 20 - - -
azure o4-mini 1.1 0.275 - - 4.4 - - -
cerebras gpt-oss-120b 0.35 - - - 0.75 - - -
cerebras zai-glm-4.7 2.25 - - - 2.75 - - -
deepseek deepseek-chat 0.27 0.07 - - 1.1 - - -
deepseek deepseek-reasoner 0.55 0.14 - - 2.19 - - -
deepseek deepseek-v4-flash 0.15 0.003 - - 0.6 - - -
google gemini-1.5-flash 0.075 0.01875 - - 0.3 - - -
google gemini-2.0-flash 0.1 0.025 - - 0.4 0.7 - 0.175
google gemini-2.0-flash-001 0.1 0.025 - - 0.4 0.7 - 0.175
google gemini-2.0-flash-exp 0.1 0.025 - - 0.4 0.7 - 0.175
google gemini-2.5-flash 0.3 0.03 - - 2.5 1 - 0.1
google gemini-2.5-flash-lite 0.1 0.01 - - 0.4 0.3 - -
google gemini-2.5-pro 1.25 0.125 - - 10 - - -
google gemini-3-flash-preview 0.5 0.05 - - 3 1 - -
google gemini-3-pro-preview 2 0.2 - - 12 - - -
google gemini-3.1-flash-lite 0.25 0.025 - - 1.5 0.5 - -
google gemini-3.5-flash 1.5 0.15 - - 9 - - -
google gemini-flash-latest 0.75 0.075 - - 3.75 - - -
groq llama-3.3-70b-versatile 0.59 - - - 0.79 - - -
groq llama3-8b-8192 0.05 - - - 0.08 - - -
groq meta-llama/llama-4-maverick-17b-128e-instruct 0.2 - - - 0.6 - - -
groq meta-llama/llama-4-scout-17b-16e-instruct 0.11 - - - 0.34 - - -
groq moonshotai/kimi-k2-instruct-0905 1 0.5 - - 3 - - -
groq openai/gpt-oss-120b 0.15 0.075 - - 0.6 - - -
groq openai/gpt-oss-20b 0.075 0.0375 - - 0.3 - - -
groq qwen/qwen3-32b 0.29 - - - 0.59 - - -
mistral magistral-medium-latest 2 - - - 5 - - -
mistral magistral-small-latest 0.5 - - - 1.5 - - -
mistral ministral-8b-latest 0.15 0.015 - - 0.15 - - -
mistral mistral-large-latest 2 - - - 6 - - -
mistral mistral-medium-latest 1.5 0.15 - - 7.5 - - -
mistral mistral-small-latest 0.15 0.015 - - 0.6 - - -
mistral mistral-tiny 0.25 - - - 0.25 - - -
mistral pixtral-12b-latest 0.15 - - - 0.15 - - -
openai gpt-3.5-turbo 0.5 - - - 1.5 - - -
openai gpt-4 30 - - - 60 - - -
openai gpt-4-vision-preview 10 - - - 30 - - -
openai gpt-4.1 2 0.5 - - 8 - - -
openai gpt-4.1-mini 0.4 0.1 - - 1.6 - - -
openai gpt-4.1-nano 0.1 0.025 - - 0.4 - - -
openai gpt-4.1-nano 0.2 0.05 - - 0.8 - - - priority
openai gpt-4o 2.5 1.25 - - 10 - - -
openai gpt-4o-mini 0.15 0.075 - - 0.6 - - -
openai gpt-4o-mini-search-preview 0.15 0.075 - - 0.6 - - -
openai gpt-4o-search-preview 2.5 - - - 10 - - -
openai gpt-5 1.25 0.125 - - 10 - - -
openai gpt-5 2.5 0.25 - - 20 - - - priority
openai gpt-5-mini 0.25 0.025 - - 2 - - -
openai gpt-5-nano 0.05 0.005 - - 0.4 - - -
openai gpt-5-nano 0.025 0.0025 - - 0.2 - - - flex
openai gpt-5.1 1.25 0.125 - - 10 - - -
openai gpt-5.2 1.75 0.175 - - 14 - - -
openai gpt-5.4 2.5 0.25 - - 15 - - -
openai gpt-5.4-mini 0.75 0.075 - - 4.5 - - -
openai gpt-5.4-nano 0.2 0.02 - - 1.25 - - -
openai gpt-5.5 5 0.5 - - 30 - - -
openai gpt-5.6 4 0.4 5 - 20 - - -
openai gpt-5.6-sol 4 0.4 5 - 20 - - -
openai gpt-5.6-terra 2 0.2 2.5 - 12 - - -
openai gpt-audio-mini 0.6 - - - 2.4 10 20 -
openai o3-mini 1.1 0.55 - - 4.4 - - -
openai o4-mini 1.1 0.275 - - 4.4 - - -
together meta-llama/Llama-3.3-70B-Instruct-Turbo 0.88 - - - 0.88 - - -
together mistralai/Mixtral-8x7B-Instruct-v0.1 0.9 - - - 0.9 - - -
vertex claude-3-7-sonnet@20250219 3 0.3 3.75 - 15 - - -
vertex gemini-2.0-flash 0.1 0.025 - - 0.4 0.7 - 0.175
vertex gemini-2.5-flash 0.3 0.03 - - 2.5 1 - 0.1
vertex gemini-2.5-pro 1.25 0.125 - - 10 - - -
vertex gemini-3-flash-preview 0.5 0.05 - - 3 1 - -
vertex gemini-3.1-pro-preview 2 0.2 - - 12 - - -
xai grok-3-mini 0.3 0.075 - - 0.5 - - -
xai grok-4-0709 3 0.75 - - 15 - - -
xai grok-4-fast 0.2 0.05 - - 0.5 - - -
xai grok-4.3 1.25 0.2 - - 2.5 - - -
xai grok-code-fast-1 0.2 0.02 - - 1.5 - - -
"""


def _rates(columns: list[str]) -> Rates:
    fresh, read, write, write_1h, output, in_audio, out_audio, read_audio = (
        None if column == "-" else int(Decimal(column) * 1_000_000) for column in columns
    )
    assert fresh is not None
    assert output is not None
    written = fresh if write is None else write
    cached = fresh if read is None else read
    return Rates(
        input=fresh,
        read=cached,
        write=written,
        write_1h=written if write_1h is None else write_1h,
        output=output,
        in_audio=fresh if in_audio is None else in_audio,
        out_audio=output if out_audio is None else out_audio,
        read_audio=cached if read_audio is None else read_audio,
    )


PUBLISHED = {
    (provider, model, *tier): _rates(columns[:8])
    for provider, model, *columns in (line.split() for line in _TABLE.strip().splitlines())
    for tier in [columns[8:]]
}
