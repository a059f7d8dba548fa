"""Parts of a turn as parts of a Gemini content. A signature goes back on the very part that it came on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import (
    Audio,
    Document,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    ResultPart,
    Sealed,
    Text,
    ToolCall,
    ToolResult,
    Video,
)
from gaiarouter.canonical.rawjson import compact
from gaiarouter.canonical.request import Kinds, Turn
from gaiarouter.dialects.gemini.capabilities import Capabilities
from gaiarouter.dialects.gemini.media import MediaWriter
from gaiarouter.dialects.gemini.names import Names

DIALECT = "gemini"
NO_BREAKPOINTS = "the provider has no cache breakpoints"
SIGNATURE_FORMAT = "google-gemini-v1"
_IN_RESULTS = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
SAID: Kinds = frozenset({Text, Refusal, Image, Audio, Video, Document})
"""Parts that neither call nor answer a call."""
_OWN_PARTS = frozenset({"inlineData", "fileData", "inline_data", "file_data"})


class PartWriter(Struct, kw_only=True):
    """Writes the parts of one request. kinds: of all its parts."""

    model: Capabilities
    names: Names
    media: MediaWriter
    losses: Losses
    kinds: Kinds

    def write(self, turn: Turn) -> list[dict[str, Any]]:
        """Without its results of functions, which stand in contents of their own. Empty parts are left out."""
        seals = _seals(turn) if Reasoning in self.kinds else {}
        return [body for part in turn.parts if (body := self._part(part, turn, seals)) is not None]

    def _text(self, part: Text) -> dict[str, Any] | None:
        self.losses.drop_breakpoint(part, NO_BREAKPOINTS)
        if part.sealed is not None and (own := own_seal((part.sealed,))):
            return {"text": part.text} | _signed(own)
        return {"text": part.text} if part.text and not part.text.isspace() else None

    def _part(self, part: Part, turn: Turn, seals: Mapping[str | None, str]) -> dict[str, Any] | None:
        match part:
            case Text():
                return self._text(part)
            case Refusal(text=text):
                return {"text": text} if text.strip() else None
            case Image(sealed=sealed):
                self.losses.drop_breakpoint(part, NO_BREAKPOINTS)
                return self.media.write(part) | _signed(own_seal((sealed,) if sealed else ()))
            case Document():
                self.losses.drop_breakpoint(part, NO_BREAKPOINTS)
                return self.media.write(part)
            case Audio() | Video():
                return self.media.write(part)
            case Reasoning():
                return None if part.id in seals else self._thinking(part)
            case ToolCall():
                self.losses.drop_breakpoint(part, NO_BREAKPOINTS)
                return self._call(part, seals)
            case Opaque(fallback=str(text)) if part.dialect != DIALECT:
                return {"text": text} if text.strip() else None
            case Opaque():
                return self._own(part, turn)
            case ToolResult():
                return None
            case _:
                assert_never(part)

    def _thinking(self, part: Reasoning) -> dict[str, Any] | None:
        """A signature that came with thinking, or on a text of its own: behind the text that a caller has joined."""
        sealed = own_seal(part.sealed)
        if sealed is None or part.id is not None:
            own = part.format == SIGNATURE_FORMAT
            reason = "what was told of thinking is not sent back" if own else "another provider's thinking"
            self.losses.drop(part.path, reason, blind=True)
            return None
        text = "".join(part.visible)
        thought = {"thought": True} if sealed.kind == "signature" and text else {}
        return {"text": text if thought else ""} | thought | {"thoughtSignature": sealed.data}

    def _call(self, call: ToolCall, seals: Mapping[str | None, str]) -> dict[str, Any]:
        body: dict[str, Any] = {"name": self.names.wire(call.name), "args": _arguments(call)}
        if self.model.call_ids:
            body = {"id": call.call_id, **body}
        own = own_seal((call.sealed,) if call.sealed else ())
        signature = own.data if own else seals.get(call.call_id)
        return {"functionCall": body} | ({"thoughtSignature": signature} if signature else {})

    def _own(self, part: Opaque, turn: Turn) -> dict[str, Any] | None:
        """A part of this very format, as it came; callers of another one may put media among theirs."""
        members = msgspec.json.decode(part.raw, type=dict[str, Raw])
        if part.dialect == DIALECT:
            return dict(members)
        if turn.role == "assistant":
            self.losses.drop(part.path, "another provider's own", blind=True)
            return None
        if own := {name: value for name, value in members.items() if name in _OWN_PARTS}:
            return dict(own)
        raise refused(part.path, "the model's provider cannot take a part of this type")

    def response(self, result: ToolResult, call: ToolCall) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The `functionResponse` part, and what must follow it outside, for models whose results are text alone."""
        self.losses.drop_breakpoint(result, NO_BREAKPOINTS)
        media = [] if isinstance(result.content, str | Raw) else self._result_media(result.content)
        name = self.names.wire(call.name)
        body: dict[str, Any] = {"name": name, "response": _response(result)}
        if self.model.call_ids:
            body = {"id": call.call_id, **body}
        if media and self.model.media_results:
            return {"functionResponse": body | {"parts": media}}, []
        return {"functionResponse": body}, [{"text": f"Result of `{name}`:"}, *media] if media else []

    def _result_media(self, parts: tuple[ResultPart, ...]) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for part in parts:
            match part:
                case Text():
                    self.losses.drop_breakpoint(part, NO_BREAKPOINTS)
                    continue
                case Opaque(fallback=str()):
                    continue
                case Image() | Document():
                    self.losses.drop_breakpoint(part, NO_BREAKPOINTS)
                    media = self.media.write(part)
                case Audio() | Video():
                    media = self.media.write(part)
                case Opaque() if part.dialect == DIALECT:
                    written.append(dict(msgspec.json.decode(part.raw, type=dict[str, Raw])))
                    continue
                case Opaque():
                    raise refused(part.path, "no part of a function's result for this provider")
                case _:
                    assert_never(part)
            kind = (media.get("inlineData") or media["fileData"]).get("mimeType")
            if self.model.media_results and kind not in _IN_RESULTS:
                raise refused(part.path, "a result may hold pictures (PNG, JPEG, WebP), PDF and text")
            written.append(media)
        return written


def _seals(turn: Turn) -> dict[str | None, str]:
    """Of its thinking that stands for a call, by the call's id."""
    calls = {part.call_id for part in turn.parts if isinstance(part, ToolCall)}
    return {
        part.id: sealed.data
        for part in turn.parts
        if isinstance(part, Reasoning) and part.id in calls and (sealed := own_seal(part.sealed))
    }


def own_seal(sealed: tuple[Sealed, ...]) -> Sealed | None:
    return next((each for each in sealed if each.format == SIGNATURE_FORMAT and each.data), None)


def _signed(sealed: Sealed | None) -> dict[str, str]:
    return {"thoughtSignature": sealed.data} if sealed else {}


def _arguments(call: ToolCall) -> Raw | dict[str, str]:
    """The arguments as the object they must be, in the bytes they came in."""
    if call.kind == "custom":
        return {"input": call.arguments}
    if not call.arguments.strip() or call.arguments.strip() == "null":
        return Raw(b"{}")
    found = _object(call.arguments)
    if found is None:
        raise refused(call.arguments_path or call.path, "must be the JSON of an object", code="invalid_value")
    return found


def _response(result: ToolResult) -> Raw | dict[str, Any]:
    """`output` and `error` are the API's own names for what is no object."""
    content = result.content
    if isinstance(content, tuple) and all(_read_as(part) is None for part in content) and not result.is_error:
        return {}  # it is all in the parts beside
    if isinstance(content, Raw):
        content = compact(content).decode()
    elif not isinstance(content, str):
        content = "\n".join(text for part in content if (text := _read_as(part)))
    if result.is_error:
        return {"error": content}
    found = _object(content)
    return {"output": content} if found is None else found


def _read_as(part: ResultPart) -> str | None:
    match part:
        case Text(text=text) | Opaque(fallback=str(text)):
            return text
        case _:
            return None


def _object(text: str) -> Raw | None:
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Raw(compact(text.encode()))
