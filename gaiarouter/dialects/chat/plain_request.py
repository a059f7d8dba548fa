"""A Chat request that only says texts, as most do, read in one go. `decode` reads the same of it, and all else."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from gaiarouter.canonical.parts import Text
from gaiarouter.canonical.request import UNSAMPLED, CanonicalRequest, Instruction, Sampling, Turn


class _Part(Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["text"]
    text: str


class _Message(Struct, gc=False, forbid_unknown_fields=True):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]


class _StreamOptions(Struct, gc=False, forbid_unknown_fields=True):
    include_usage: bool | None = None


class _Body(Struct, gc=False, forbid_unknown_fields=True):
    model: str
    messages: list[_Message]
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    stream_options: _StreamOptions | None = None


_PATHS: Final = {"model": "model", "turns": "messages"}
_TOOLS: Final = b'"tools"'
"""Not so inside a text, where JSON escapes the marks."""
_decode = msgspec.json.Decoder(_Body).decode


def read_plain(body: bytes) -> CanonicalRequest | None:
    """None for any other request, and for what is none."""
    if body.rfind(_TOOLS) >= 0:
        return None  # they often stand behind a long conversation, which would be read in vain
    try:
        said = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    instructions, turns = _turns(said.messages)
    limit, options = said.max_completion_tokens, said.stream_options
    return CanonicalRequest(
        dialect="chat",
        model=said.model,
        instructions=instructions,
        turns=turns,
        stream=bool(said.stream),
        include_usage=bool(said.stream and options is not None and options.include_usage),
        sampling=UNSAMPLED
        if said.temperature is said.top_p is None
        else Sampling(temperature=said.temperature, top_p=said.top_p),
        max_output_tokens=said.max_tokens if limit is None else limit,
        paths=_paths(said),
    )


def _turns(messages: list[_Message]) -> tuple[tuple[Instruction, ...], tuple[Turn, ...]]:
    instructions: list[Instruction] = []
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        path, role, content = f"messages[{index}].content", message.role, message.content
        if isinstance(content, str):
            texts: tuple[Text, ...] = (Text(text=content, path=path),)
        else:
            texts = tuple([Text(text=part.text, path=f"{path}[{place}]") for place, part in enumerate(content)])
        if turns or role == "user" or role == "assistant":
            turns.append(Turn(role=role, parts=texts, path=f"messages[{index}]"))
        else:
            instructions += [Instruction(text=text.text, origin=role, path=text.path) for text in texts]
    return tuple(instructions), tuple(turns)


def _paths(said: _Body) -> dict[str, str]:
    paths: dict[str, str] = {}
    if said.temperature is not None:
        paths["sampling.temperature"] = "temperature"
    if said.top_p is not None:
        paths["sampling.top_p"] = "top_p"
    paths |= _PATHS
    if said.stream is not None:
        paths["stream"] = "stream"
    if said.max_completion_tokens is not None:
        paths["max_output_tokens"] = "max_completion_tokens"
    elif said.max_tokens is not None:
        paths["max_output_tokens"] = "max_tokens"
    if said.stream_options is not None:
        paths["include_usage"] = "stream_options"
    return paths
