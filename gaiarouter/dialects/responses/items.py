"""The input of a Responses request as turns: one for each item, nothing merged."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import Opaque, Part, Reasoning, Sealed, Text, ToolCall, ToolResult
from gaiarouter.canonical.request import Extra, Instruction, Role, Turn
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.dialects.responses import form
from gaiarouter.dialects.responses.content import ContentReader
from gaiarouter.dialects.responses.fields import DIALECT, ISSUERS
from gaiarouter.dialects.responses.sealing import OWN_FORMAT, Wrapped, unsealed, unwrap
from gaiarouter.dialects.strays import Strays

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}


def flat_name(name: str, namespace: str | None) -> str:
    """The name of a tool in a namespace, for targets that have none."""
    return f"{namespace}__{name}" if namespace else name


class ItemReader:
    """Reads the input of one request, in order. extras: what must go to no target but the issuer, by path."""

    def __init__(self, content: ContentReader, strays: Strays) -> None:
        self._content = content
        self._strays = strays
        self._instructions: list[Instruction] = []
        self._turns: list[Turn] = []
        self.extras: dict[str, Extra] = {}

    def read(self, items: str | list[Raw] | None) -> tuple[tuple[Instruction, ...], tuple[Turn, ...]]:
        """The leading system messages, and the rest."""
        if isinstance(items, str):
            return (), (Turn(role="user", parts=(Text(text=items, path="input"),), path="input"),)
        for index, raw in enumerate(items or ()):
            self._read(raw, f"input[{index}]")
        return tuple(self._instructions), tuple(self._turns)

    def _read(self, raw: Raw, path: str) -> None:
        try:
            item: form.Item = form.decode_sent_item(raw)
        except msgspec.ValidationError:
            item = self._strays.read(raw, form.SentItem, path)
        kind = item.type or ("message" if item.role else "item_reference")
        match kind:
            case "message":
                self._message(item, path)
            case "function_call" | "custom_tool_call":
                self._add("assistant", _call(item, kind, path), path)
            case "function_call_output" | "custom_tool_call_output":
                self._add("user", self._result(item, path), path)
            case "reasoning":
                self._reasoning(item, path)
            case _:
                self._strays.forget(path)
                if kind in ISSUERS:
                    self.extras[path] = Extra(value=raw, loss="refuse")
                self._add("assistant", Opaque(dialect=DIALECT, type=kind, raw=raw, path=path), path)

    def _add(self, role: Role, part: Part, path: str, **members: Any) -> None:
        self._turns.append(Turn(role=role, parts=(part,), path=path, **members))

    def _message(self, item: form.Item, path: str) -> None:
        role = _ROLES.get(item.role or "")
        if role is None:
            raise refused(f"{path}.role", "this role has no counterpart in the format of the model's provider")
        parts = self._content.read(item.content, f"{path}.content")
        if role in ("system", "developer"):
            texts = tuple(_only_text(part) for part in parts)
            if not self._turns:
                origin: Literal["system", "developer"] = "developer" if role == "developer" else "system"
                self._instructions += (
                    Instruction(text=part.text, origin=origin, cache=part.cache, path=part.path) for part in texts
                )
                return
        self._turns.append(Turn(role=role, parts=parts, phase=item.phase, id=item.id, path=path))

    def _result(self, item: form.Item, path: str) -> ToolResult:
        if not item.call_id:
            raise refused(f"{path}.call_id", "a result must name the call that it answers", code="missing_field")
        return ToolResult(
            call_id=item.call_id, content=self._content.read_output(item.output, f"{path}.output"), path=path
        )

    def _reasoning(self, item: form.Item, path: str) -> None:
        visible = self._texts(item.content, f"{path}.content")
        summary = tuple(part.text or "" for part in item.summary or ())
        encrypted = item.encrypted_content
        wrapped = unwrap(encrypted) if encrypted else None
        if wrapped is not None and wrapped.of is not None:
            self._seal(wrapped)
        elif wrapped is not None:
            self._add("assistant", unsealed(visible or summary, wrapped, path=path), path)
        else:
            sealed = (Sealed("encrypted", OWN_FORMAT, encrypted),) if encrypted else ()
            if encrypted:
                self.extras[f"{path}.encrypted_content"] = Extra(value=Raw(b'""'), loss="refuse")
            own = Reasoning(visible=visible, summary=summary, sealed=sealed, format=OWN_FORMAT, id=item.id, path=path)
            self._add("assistant", own, path)

    def _texts(self, content: str | list[Raw] | None, path: str) -> tuple[str, ...]:
        if isinstance(content, str):
            return (content,)
        try:
            return tuple(form.decode_part(raw).text or "" for raw in content or ())
        except msgspec.ValidationError as error:
            raise wrong_field(str(error), inside=path) from None

    def _seal(self, wrapped: Wrapped) -> None:
        """Back onto the text or the call before it that it was a signature of."""
        for index in range(len(self._turns) - 1, -1, -1):
            turn = self._turns[index]
            if turn.role == "assistant" and any(_is_sealed_by(part, wrapped) for part in turn.parts):
                parts = tuple(_sealed(part, wrapped) for part in turn.parts)
                self._turns[index] = msgspec.structs.replace(turn, parts=parts)
                return


def _is_sealed_by(part: Part, wrapped: Wrapped) -> bool:
    return isinstance(part, ToolCall) and part.call_id == wrapped.of if wrapped.of else isinstance(part, Text)


def _sealed(part: Part, wrapped: Wrapped) -> Part:
    if isinstance(part, Text | ToolCall) and _is_sealed_by(part, wrapped):
        return msgspec.structs.replace(part, sealed=wrapped.sealed[0] if wrapped.sealed else None)
    return part


def _only_text(part: Part) -> Text:
    if not isinstance(part, Text):
        raise refused(part.path, "only text may stand here")
    return part


def _call(item: form.Item, kind: str, path: str) -> ToolCall:
    if not item.call_id or not item.name:
        missing = "name" if item.call_id else "call_id"
        raise refused(f"{path}.{missing}", f"a call needs a `{missing}`", code="missing_field")
    custom = kind == "custom_tool_call"
    return ToolCall(
        call_id=item.call_id,
        name=flat_name(item.name, item.namespace),
        arguments=(item.input or "") if custom else form.text_of(item.arguments),
        kind="custom" if custom else "function",
        item_id=item.id,
        namespace=item.namespace,
        path=path,
        arguments_path=f"{path}.input" if custom else f"{path}.arguments",
    )
