"""The conversation of a Gemini request as instructions and turns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import Part, Reasoning, Text, ToolCall, ToolResult
from gaiarouter.canonical.request import Instruction, Role, Turn
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.decode_parts import TEXT_MEMBERS, PartReader
from gaiarouter.dialects.gemini.foreign import Wrapped
from gaiarouter.dialects.gemini.parts import SIGNATURE_FORMAT
from gaiarouter.dialects.strays import Strays

_ROLES: dict[str | None, Role] = {None: "user", "": "user", "user": "user", "function": "user", "model": "assistant"}


def read_instructions(raw: Raw | None, strays: Strays) -> tuple[Instruction, ...]:
    """A text, a content, or a list of parts. Raises InvalidRequest for anything but text."""
    path = "systemInstruction"
    if raw is None:
        return ()
    if (text := form.text_of(raw)) is not None:
        return (Instruction(text=text, origin="top_level", path=path),)
    parts, inside = raw, path
    if bytes(raw).startswith(b"{") and "parts" in form.members(raw, path):
        parts, inside = form.read(raw, form.Content, path, strays).parts, f"{path}.parts"
    return tuple(_instruction(each, f"{inside}[{index}]") for index, each in enumerate(form.items(parts, inside)))


def _instruction(raw: Raw, path: str) -> Instruction:
    text = form.text_of(raw)
    if text is None:
        text = form.read(raw, form.Part, path).text
        if not TEXT_MEMBERS.issuperset(form.members(raw, path)):
            text = None
    if text is None:
        raise refused(path, "only text stands here", code="invalid_value")
    return Instruction(text=text, origin="top_level", path=path)


def read_turns(raw: Raw, strays: Strays) -> tuple[Turn, ...]:
    """A list of contents; a single one, or a text, in its place. Raises InvalidRequest with the path of the part that
    is wrong."""
    if (text := form.text_of(raw)) is not None:
        return (Turn(role="user", parts=(Text(text=text, path="contents"),), path="contents"),)
    waiting: list[ToolCall] = []
    turns: list[Turn] = []
    for index, each in enumerate(form.items(raw, "contents")):
        turn = _turn(each, index, strays)
        if turn.role == "assistant" and waiting and turns[-1].role == "assistant":
            # the results of both follow: for other formats this is one message
            before = turns.pop()
            turn = msgspec.structs.replace(before, parts=before.parts + turn.parts)
        if turn.role == "assistant":
            waiting = [part for part in turn.parts if isinstance(part, ToolCall)]
        else:
            turn = msgspec.structs.replace(turn, parts=tuple(_matched(part, waiting) for part in turn.parts))
        turns.append(turn)
    return tuple(turns)


def _turn(raw: Raw, index: int, strays: Strays) -> Turn:
    path = f"contents[{index}]"
    if (text := form.text_of(raw)) is not None:
        return Turn(role="user", parts=(Text(text=text, path=path),), path=path)
    content = form.read(raw, form.Content, path, strays)
    role = _ROLES.get(content.role)
    if role is None:
        raise refused(f"{path}.role", "must be `user` or `model`", code="invalid_value")
    raws = form.items(content.parts, f"{path}.parts") if form.given(content.parts) is not None else []
    reader = PartReader(turn=index, strays=strays)
    parts = [reader.read(each, f"{path}.parts[{number}]") for number, each in enumerate(raws)]
    return Turn(role=role, parts=tuple(_with_thoughts(parts, reader.wrapped)), path=path)


def _matched(part: Part, waiting: list[ToolCall]) -> Part:
    """A result with the id of its call: told by the caller, else that of the first call of its name that has none."""
    if not isinstance(part, ToolResult):
        return part
    call = next((each for each in waiting if each.call_id == part.call_id), None)
    if call is None and not part.call_id:
        call = next((each for each in waiting if each.name == part.name), None)
        if call is None:
            raise refused(f"{part.path}.name", "answers no call of the content before", code="invalid_value")
    if call is None:
        return part
    waiting.remove(call)
    return msgspec.structs.replace(part, call_id=call.call_id)


def _with_thoughts(parts: list[Part], wrapped: Sequence[tuple[Wrapped, str]]) -> list[Part]:
    """Thinking that was wrapped, back in its place. What was shown of it is in there too."""
    thoughts = [found for each, path in wrapped for found in each.reasoning(path)]
    if not thoughts:
        return parts
    placed: list[Part] = []
    for number, thing in enumerate(_things(parts)):
        placed += _interrupted(thing, [(place.characters, part) for place, part in thoughts if place.things == number])
    return placed + [part for place, part in thoughts if place.things >= len(_things(parts))]


def _things(parts: list[Part]) -> list[list[Part]]:
    """As Place counts them: neighbouring texts are one."""
    things: list[list[Part]] = []
    for part in parts:
        if isinstance(part, Reasoning) and part.format == SIGNATURE_FORMAT and not part.sealed:
            continue  # what was shown of wrapped thinking
        if isinstance(part, Text) and not part.text and part.sealed is None:
            continue  # it was there to carry a signature
        if things and isinstance(part, Text) and isinstance(things[-1][-1], Text):
            things[-1].append(part)
        else:
            things.append([part])
    return things


def _interrupted(thing: list[Part], thoughts: list[tuple[int, Reasoning]]) -> list[Part]:
    """The thing with each thought after so many of its characters."""
    pieces: list[tuple[int, Part]] = [*thoughts]
    done = 0
    for part in thing:
        length = len(part.text) if isinstance(part, Text) else 0
        cuts = [at - done for at, _ in thoughts if done < at < done + length]
        for start, end in pairwise([0, *cuts, length]):
            pieces.append((done + start, _piece(part, start, end) if cuts else part))
        done += length
    return [piece for _, piece in sorted(pieces, key=_start)]


def _piece(part: Part, start: int, end: int) -> Part:
    assert isinstance(part, Text)
    sealed = part.sealed if end == len(part.text) else None
    return msgspec.structs.replace(part, text=part.text[start:end], sealed=sealed)


def _start(placed: tuple[int, Part]) -> int:
    return placed[0]
