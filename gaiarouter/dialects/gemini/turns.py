"""Turns as the contents that the API accepts: results of functions together and right after their calls, the user
first and last.

The output for the start of a conversation never changes when it grows: caches work by prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import Text, ToolCall, ToolResult
from gaiarouter.canonical.request import Turn
from gaiarouter.dialects.gemini.parts import NO_BREAKPOINTS, PartWriter

PLACEHOLDER_USER = "."
NO_SIGNATURE = "skip_thought_signature_validator"
"""Stands for a signature that is lost, or that another provider's model never made. From Google's documentation."""


class Content(Struct):
    """One content under construction."""

    role: str
    parts: list[dict[str, Any]] = []
    path: str = ""

    def body(self) -> dict[str, Any]:
        return {"role": self.role, "parts": self.parts}

    @property
    def calls(self) -> bool:
        return any("functionCall" in part for part in self.parts)


class _OpenCalls(Struct):
    """The calls of the last turn. following: what stands between them and the next one, their results apart."""

    calls: Sequence[ToolCall] = ()
    ids: frozenset[str] = frozenset()
    results: dict[str, ToolResult] = {}
    following: list[Content] = []


class ContentWriter(Struct, kw_only=True):
    """signs_calls: the model refuses a call without a signature."""

    parts: PartWriter
    losses: Losses
    signs_calls: bool
    open: _OpenCalls = field(default_factory=_OpenCalls)
    contents: list[Content] = []

    def write(self, turns: Sequence[Turn]) -> list[Content]:
        """Raises InvalidRequest where it is no conversation: nothing said, or calls and results that do not match."""
        for turn in turns:
            if turn.name is not None and turn.role in ("user", "assistant") and not _is_result(turn):
                self.losses.drop(f"{turn.path}.name", "a turn has no author's name")
            self.losses.drop_breakpoint(turn, NO_BREAKPOINTS)
            if turn.role == "assistant":
                self._model_turn(turn)
            else:
                self._user_turn(turn)
        self._answer_calls()
        contents = self.contents
        if not contents:
            path = turns[-1].path if turns else "messages"
            raise refused(path, "there must be a message with content", code="invalid_value")
        if contents[-1].role == "model":
            raise refused(
                contents[-1].path, "prefill: the model does not continue its own text", code="unsupported_value"
            )
        if contents[0].role != "user":
            contents.insert(0, Content("user", [{"text": PLACEHOLDER_USER}]))
        if self.signs_calls:
            for content in contents:
                _sign(content)
        return contents

    def _model_turn(self, turn: Turn) -> None:
        self._answer_calls()
        content = Content("model", self.parts.write(turn), turn.path)
        if not content.parts:
            return
        before = self.contents[-1] if self.contents else None
        if before and before.role == "model" and content.calls:
            before.parts += content.parts  # calls must follow the user directly
        else:
            self.contents.append(content)
        calls = [part for part in turn.parts if isinstance(part, ToolCall)]
        self.open = _OpenCalls(calls, frozenset(call.call_id for call in calls))

    def _user_turn(self, turn: Turn) -> None:
        if turn.role != "user":
            self.losses.adapt(turn.path, "an instruction in the conversation is sent as the user's")
            turn = Turn(role="user", parts=tuple(_wrapped(part) for part in turn.parts if isinstance(part, Text)))
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self._take(part)
        parts = self.parts.write(turn)
        if parts:
            self.open.following.append(Content("user", parts, turn.path))

    def _take(self, result: ToolResult) -> None:
        call_id = result.call_id
        if call_id in self.open.results or call_id not in self.open.ids:
            text = f"{call_id[:64]!r} answers no call of the message before"
            raise refused(result.path, text, code="invalid_value")
        self.open.results[call_id] = result

    def _answer_calls(self) -> None:
        """All results of a turn are one content, in the order of its calls, and nothing else is in it: the API counts
        them, and misreads contents that mix them with other parts."""
        open_, self.open = self.open, _OpenCalls()
        responses = Content("user")
        outside: list[Content] = []
        for call in open_.calls:
            result = open_.results.get(call.call_id)
            if result is None:
                text = f"the call {call.call_id[:64]!r} has no result in the next message"
                raise refused(call.path, text, code="invalid_value")
            response, more = self.parts.response(result, call)
            responses.parts.append(response)
            if more:
                outside.append(Content("user", more, result.path))
        self.contents += [responses] if responses.parts else []
        self.contents += outside + open_.following


def _is_result(turn: Turn) -> bool:
    """A result may be called by its function's name."""
    return any(isinstance(part, ToolResult) for part in turn.parts)


def _wrapped(part: Text) -> Text:
    return Text(text=f"<system>\n{part.text}\n</system>" if part.text.strip() else "", path=part.path)


def _sign(content: Content) -> None:
    """The first call of each step must have a signature. All steps get one, though only those since the user last spoke
    are checked: what was sent once must not change."""
    first = next((part for part in content.parts if "functionCall" in part), None)
    if first is not None and "thoughtSignature" not in first:
        first["thoughtSignature"] = NO_SIGNATURE
