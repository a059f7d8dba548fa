"""The one form that every dialect's request is read into, and every target's request is written from.

Two rules hold: what the caller did not say is None, never a default; and nothing that the caller did say is lost, it is
in a field, in `extras`, or it was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from msgspec import Raw, Struct, field

from gaiarouter.canonical.parts import Cache, Part

Role = Literal["user", "assistant", "system", "developer"]
Kinds = AbstractSet[type[Part]]
"""Of parts, by their types."""


class Instruction(Struct, frozen=True, kw_only=True):
    """One text of what stands before the conversation. reader: the one dialect whose targets may see it."""

    text: str
    reader: str | None = None
    origin: Literal["system", "developer", "top_level"] = "system"
    cache: Cache | None = None
    path: str = ""


class Turn(Struct, frozen=True, kw_only=True):
    """One message as the caller sent it; who merges neighbours is the encoder. Results of tools stand in user turns.

    cache: a breakpoint on the whole message.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    phase: str | None = None
    id: str | None = None
    cache: Cache | None = None
    path: str = ""


class Grammar(Struct, frozen=True):
    """syntax: `lark` or `regex`."""

    syntax: str
    definition: str


class Tool(Struct, frozen=True, kw_only=True):
    """schema: JSON, untouched; None where none was given. grammar: of a `custom` tool's free text, where it has one.

    A `hosted` tool is `dialect`'s own: `raw` is its definition, `capability` what it does (`web_search` …), and
    user_location whence to search, an object of city, region, country and timezone. spare: it is offered beside the
    caller's own, so that a model without it can still do what it was asked for.
    """

    kind: Literal["function", "custom", "hosted"] = "function"
    name: str
    description: str | None = None
    schema: Raw | None = None
    grammar: Grammar | None = None
    strict: bool | None = None
    defer: bool | None = None
    capability: str | None = None
    user_location: Raw | None = None
    spare: bool = False
    dialect: str | None = None
    raw: Raw | None = None
    cache: Cache | None = None
    path: str = ""


class ToolChoice(Struct, frozen=True):
    """names: the one of `named`, the several of `allowed`. required: of `allowed`, that one of them must be called."""

    mode: Literal["auto", "none", "required", "named", "allowed"]
    names: tuple[str, ...] = ()
    required: bool = False


class Sampling(Struct, frozen=True, kw_only=True):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    n: int | None = None
    logit_bias: Raw | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


UNSAMPLED: Final = Sampling()


class JsonSchema(Struct, frozen=True, kw_only=True):
    """An answer of this form. schema: JSON, untouched."""

    schema: Raw
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


Format = Literal["text", "json_object"] | JsonSchema


class Output(Struct, frozen=True, kw_only=True):
    modalities: tuple[str, ...] | None = None
    format: Format | None = None
    verbosity: str | None = None
    audio: Raw | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    """How much to reason, and what of it the caller wants to see.

    mode: None where nothing was said; `between_tools` is off but for the pauses between calls. effort: none, minimal,
    low, medium, high, xhigh, max. budget: tokens. visible: nothing at all (`omit`), only what must be sent back
    (`withheld`), or text; `shown` is the target's own way of it, if it shows any at all. summary: how it is to be
    summed up: auto, concise, detailed.
    """

    mode: Literal["off", "adaptive", "budget", "effort", "between_tools"] | None = None
    effort: str | None = None
    budget: int | None = None
    visible: Literal["omit", "withheld", "shown", "summary", "full"] | None = None
    summary: str | None = None


NO_WISH: Final = Thinking()


class Extra(Struct, frozen=True, kw_only=True):
    """A member of the request that has no place here. value: its JSON.

    loss: what it means that a target cannot take it. `blind`: callers send it to everybody, even strict ones lose it
    without an error; `refuse`: without it the answer would be another.
    """

    value: Raw
    loss: Literal["drop", "blind", "refuse"] = "drop"


class CanonicalRequest(Struct, frozen=True, kw_only=True):
    """dialect: the caller's. paths: for each field that the caller gave (`sampling.seed`), its name in the caller's own
    request; what cannot be carried over is reported by it. extras: by name in the caller's request. echoed: members as
    the caller spelt them, for a dialect whose answers repeat them or are written by them."""

    dialect: str
    model: str
    turns: tuple[Turn, ...]
    instructions: tuple[Instruction, ...] = ()
    stream: bool = False
    include_usage: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = UNSAMPLED
    max_output_tokens: int | None = None
    output: Output = Output()
    thinking: Thinking = NO_WISH
    tier: str | None = None
    end_user: str | None = None
    metadata: Raw | None = None
    extras: Mapping[str, Extra] = field(default_factory=dict)
    echoed: Mapping[str, Raw] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)

    def kinds(self) -> Kinds:
        """Which kinds of parts the conversation has: what is for others of them need not be looked for."""
        return {type(part) for turn in self.turns for part in turn.parts}

    def instructions_for(self, dialect: str) -> list[Instruction]:
        """Those that a target of the dialect may read, without blank ones."""
        return [each for each in self.instructions if each.text.strip() and each.reader in (None, dialect)]
