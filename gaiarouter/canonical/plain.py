"""Requests that only say texts, as most do: whoever writes them for a target may have a short way for these."""

from __future__ import annotations

from typing import Final, Literal

from gaiarouter.canonical.parts import Text
from gaiarouter.canonical.request import NO_WISH, CanonicalRequest

Speaker = Literal["user", "assistant"]

_SLOTS: Final = frozenset(
    {
        *("model", "instructions", "turns", "stream", "include_usage", "max_output_tokens"),
        *("sampling.temperature", "sampling.top_p"),
    }
)


def plain_turns(request: CanonicalRequest) -> list[tuple[Speaker, list[str]]] | None:
    """The texts of each turn, where user and assistant say bare texts in turn, the user first and last and none of them
    blank, and no other wish is there than a limit, `temperature` and `top_p`. None for any other request."""
    if request.extras or not request.paths.keys() <= _SLOTS or request.thinking != NO_WISH:
        return None
    for instruction in request.instructions:
        if instruction.cache is not None or instruction.reader is not None or not instruction.text.strip():
            return None
    turns: list[tuple[Speaker, list[str]]] = []
    speaker: Speaker = "user"
    for turn in request.turns:
        if turn.role != speaker or turn.name is not None or turn.cache is not None:
            return None
        texts: list[str] = []
        for part in turn.parts:
            if type(part) is not Text or part.cache is not None or part.sealed is not None or part.citations:
                return None
            if not part.text or part.text.isspace():
                return None
            texts.append(part.text)
        if not texts:
            return None
        turns.append((speaker, texts))
        speaker = "assistant" if speaker == "user" else "user"
    return turns if speaker == "assistant" else None
