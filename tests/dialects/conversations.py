"""Random conversations in the canonical form, and what counts when two of them are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw, structs

from gaiarouter.canonical.parts import Base64, Image, Part, Reasoning, Sealed, Text, ToolCall, ToolResult
from gaiarouter.canonical.request import (
    CanonicalRequest,
    Instruction,
    JsonSchema,
    Output,
    Sampling,
    Tool,
    ToolChoice,
    Turn,
)

NAMES = ("get_weather", "get.time", "f", "x" * 70)
IDS = ("a", "call_9", "b.1", "b_1", "toolu_01Ab", "c:2", "z" * 60)
TEXTS = st.sampled_from(["Hi", "é\u2028ü", "  lines\n\nand more ", "0", "<system>", "x" * 300, "\U0001f600"])
ARGUMENTS = st.sampled_from(
    ["{}", '{"b":1,"a":2}', '{"n":12345678901234567890,"f":1.50}', '{"s":"é\\u2028","l":[null,true]}']
)
SCHEMA = Raw(b'{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":["string","null"]}},"required":["b"]}')
ANSWER = Raw(bytes(SCHEMA)[:-1].replace(b'["b"]', b'["b","a"]') + b',"additionalProperties":false}')
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def text() -> st.SearchStrategy[Part]:
    return TEXTS.map(lambda value: Text(text=value))


def picture() -> st.SearchStrategy[Part]:
    return st.just(Image(source=Base64("image/png", PICTURE)))


@st.composite
def assistant(draw: st.DrawFn, ids: list[str], own: str) -> list[Turn]:
    """What a model did, and the results of its calls. ids: those left to use. own: the format of its thinking."""
    parts: list[Part] = []
    if draw(st.booleans()):
        parts.append(Reasoning(visible=(draw(TEXTS),), sealed=(Sealed("signature", own, "c2VhbA=="),), format=own))
    if draw(st.booleans()):
        parts.append(Text(text=draw(TEXTS)))
    count = draw(st.integers(0 if any(isinstance(part, Text) for part in parts) else 1, 3))
    calls = [
        ToolCall(call_id=ids.pop(0), name=draw(st.sampled_from(NAMES)), arguments=draw(ARGUMENTS))
        for _ in range(min(count, len(ids)))
    ]
    if not calls and not any(isinstance(part, Text) for part in parts):
        parts.append(Text(text="So"))
    results = [
        ToolResult(
            call_id=call.call_id, name=call.name, content=draw(TEXTS), is_error=draw(st.sampled_from([None, True]))
        )
        for call in draw(st.permutations(calls))
    ]
    turns = [Turn(role="assistant", parts=(*parts, *calls))]
    return [*turns, Turn(role="user", parts=tuple(results))] if results else turns


@st.composite
def requests(draw: st.DrawFn, own: str) -> CanonicalRequest:
    ids = list(draw(st.permutations(IDS)))
    turns: list[Turn] = []
    for _ in range(draw(st.integers(0, 3))):
        turns.append(Turn(role="user", parts=tuple(draw(st.lists(text() | picture(), min_size=1, max_size=3)))))
        turns += draw(assistant(ids, own))
    turns.append(Turn(role="user", parts=(*draw(st.lists(picture(), max_size=1)), Text(text=draw(TEXTS)))))
    tools = tuple(Tool(name=name, description=draw(st.sampled_from([None, "What"])), schema=SCHEMA) for name in NAMES)
    choices: list[ToolChoice | None] = [
        None,
        *(ToolChoice(mode) for mode in ("auto", "none", "required")),
        ToolChoice("named", (NAMES[0],)),
    ]
    request = CanonicalRequest(
        dialect="canonical",
        model="m",
        instructions=tuple(Instruction(text=each) for each in draw(st.lists(TEXTS, max_size=2))),
        turns=tuple(turns),
        stream=draw(st.booleans()),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tool_calls=draw(st.sampled_from([None, False])),
        sampling=Sampling(
            temperature=draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
            top_p=draw(st.sampled_from([None, 0.9])),
            stop=draw(st.sampled_from([None, ("END",), ("a", "\n\n")])),
        ),
        max_output_tokens=draw(st.sampled_from([None, 5000])),
        output=Output(format=draw(st.sampled_from([None, JsonSchema(schema=ANSWER, name="answer")]))),
    )
    said = {slot for slot, value in View(request, {}).settings().items() if value is not None}
    return structs.replace(request, paths={slot: slot for slot in said - {"instructions"}})


class View:
    """A request as its reader takes it. renamed: names of tools on the wire -> the caller's."""

    def __init__(self, request: CanonicalRequest, renamed: Mapping[str, str]) -> None:
        self._request = request
        self._renamed = renamed
        self._calls: dict[str, int] = {}

    def conversation(self) -> list[Any]:
        """Who said what, in order: texts of one speaker in a row are one, calls are known by their numbers."""
        said: list[Any] = []
        for role, kind, value in self._said():
            if said and kind == "text" and said[-1][:2] == [role, "text"]:
                said[-1][2] += value
            else:
                said.append([role, kind, value])
        return said

    def _said(self) -> Iterator[tuple[str, str, Any]]:
        for turn in self._request.turns:
            yield from self._results(turn)
            for part in turn.parts:
                if not isinstance(part, ToolResult):
                    yield (turn.role, *self._part(part))

    def _results(self, turn: Turn) -> Iterator[tuple[str, str, Any]]:
        for part in turn.parts:
            if isinstance(part, ToolResult):
                yield turn.role, "result", (self._calls[part.call_id], written(part.content), bool(part.is_error))

    def _part(self, part: Part) -> tuple[str, Any]:
        match part:
            case Text(text=value):
                return "text", value
            case Image(source=Base64(media_type=media_type, data=data)):
                return "image", (media_type, data)
            case Reasoning(visible=visible, sealed=sealed):
                return "thinking", ("".join(visible), [each.data for each in sealed])
            case ToolCall(call_id=call_id, name=name, arguments=arguments):
                number = self._calls[call_id] = len(self._calls)
                return "call", (number, self._renamed.get(name, name), json.loads(arguments))
            case _:
                raise AssertionError(part)

    def settings(self) -> dict[str, Any]:
        """By the slot that a loss of it is told by."""
        request = self._request
        choice = request.tool_choice
        format_ = request.output.format
        return {
            "stream": request.stream,
            # some formats have one text for all
            "instructions": "".join(each.text for each in request.instructions).replace("\n", ""),
            "tools": [
                (self._renamed.get(tool.name, tool.name), tool.description or None, bytes(tool.schema or b"{}"))
                for tool in request.tools
            ],
            "tool_choice": choice and (choice.mode, tuple(self._renamed.get(name, name) for name in choice.names)),
            # who may call nothing calls nothing twice
            "parallel_tool_calls": None if choice and choice.mode == "none" else request.parallel_tool_calls,
            "sampling.temperature": request.sampling.temperature,
            "sampling.top_p": request.sampling.top_p,
            "sampling.stop": request.sampling.stop,
            "max_output_tokens": request.max_output_tokens,
            "output.format": json.loads(bytes(format_.schema)) if isinstance(format_, JsonSchema) else format_,
        }


def written(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Raw):
        return bytes(content).decode()
    return "".join(part.text for part in content)
