"""Parts of a turn as content blocks of the Messages format."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Bucket,
    Cache,
    Citation,
    Document,
    FileRef,
    Image,
    Opaque,
    Part,
    PlainText,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gaiarouter.canonical.rawjson import compact
from gaiarouter.dialects.media import text_of
from gaiarouter.dialects.messages.names import Names

DIALECT = "messages"
THINKING_FORMAT = "anthropic-claude-v1"
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_FILE_ID = "file_"
_ANY_DETAIL = (None, "auto")
# blocks of this very format that callers of another one may put among their parts
_OWN_PARTS = frozenset({"image", "document", "search_result"})


class Block(Struct, frozen=True):
    """body: what is sent; may still get or lose its `cache_control`. path: where it is from."""

    body: dict[str, Any]
    path: str

    @property
    def type(self) -> str:
        return str(self.body["type"])


def cache_control(cache: Cache) -> dict[str, str]:
    """The API knows 5 minutes and an hour; a promise of 30 minutes or more takes the hour."""
    if cache.ttl is None:
        return {"type": "ephemeral"}
    return {"type": "ephemeral", "ttl": "5m" if cache.ttl == "5m" else "1h"}


class BlockWriter(Struct, kw_only=True):
    """Writes the blocks of one request. fetches_urls: the provider loads an address by itself."""

    losses: Losses
    call_ids: Names
    tools: Names
    fetches_urls: bool

    def write(self, part: Part) -> list[Block]:
        """None of it where it is empty, which the API refuses. Raises InvalidRequest for what it cannot hold."""
        match part:
            case Text(text=text, citations=citations):
                if not text or text.isspace():
                    return []
                body = {"type": "text", "text": text}
                return self._block(part, body | _cited(citations) if citations else body)
            case Refusal(text=text):
                return [Block({"type": "text", "text": text}, part.path)] if text.strip() else []
            case Image():
                return self._block(part, self._image(part))
            case Document():
                return self._block(part, self._document(part))
            case Reasoning():
                return [Block(body, part.path) for body in thinking_blocks(part)]
            case ToolCall():
                return self._block(part, self._tool_use(part))
            case ToolResult():
                return self._block(part, self._result(part))
            case Opaque():
                return [Block(self._own(part), part.path)]
            case Audio() | Video():
                raise refused(part.path, "no model of the provider takes sound or films")
            case _:
                assert_never(part)

    def _block(self, part: Text | Image | Document | ToolCall | ToolResult, body: dict[str, Any]) -> list[Block]:
        if part.cache is not None:
            body["cache_control"] = cache_control(part.cache)
        return [Block(body, part.path)]

    def _image(self, part: Image) -> dict[str, Any]:
        source = part.source
        if isinstance(source, Base64) and source.media_type not in _IMAGES:
            raise refused(part.path, "a picture must be JPEG, PNG, GIF or WebP", code="invalid_value")
        if part.detail not in _ANY_DETAIL:
            self.losses.drop(part.path, "the model takes all pictures as they are", blind=True)
        return {"type": "image", "source": self._source(source, part.path)}

    def _document(self, part: Document) -> dict[str, Any]:
        source = part.source
        if isinstance(source, Base64) and (source.media_type or "").startswith("text/"):
            source = PlainText(text_of(source, part.path))
        if isinstance(source, Base64) and source.media_type != "application/pdf":
            raise refused(part.path, "a file must be a PDF or text")
        body: dict[str, Any] = {"type": "document", "source": self._source(source, part.path)}
        title = part.title or part.filename
        optional = {"title": title, "context": part.context, "citations": part.citations}
        return body | {name: value for name, value in optional.items() if value is not None}

    def _source(self, source: Base64 | Url | FileRef | PlainText | Bucket, path: str) -> dict[str, Any]:
        match source:
            case Base64(media_type=media_type, data=data):
                return {"type": "base64", "media_type": media_type, "data": data}
            case Url(url=url) if not url.lower().startswith(("https://", "http://")):
                raise refused(path, "this is neither a web address nor a data URL", code="invalid_value")
            case Url(url=url) if self.fetches_urls:
                return {"type": "url", "url": url}
            case Url():
                raise refused(path, "the model's provider does not fetch addresses: send the bytes as a data URL")
            case FileRef(id=file_id) if file_id.startswith(_FILE_ID):
                return {"type": "file", "file_id": file_id}
            case FileRef():
                raise refused(path, "a handle to a file is good only where the file was uploaded")
            case PlainText(text=text):
                return {"type": "text", "media_type": "text/plain", "data": text}
            case Bucket():
                raise refused(path, "the model's provider cannot read another cloud's storage")
            case _:
                assert_never(source)

    def _tool_use(self, call: ToolCall) -> dict[str, Any]:
        body = {
            "type": "tool_use",
            "id": self.call_ids.wire(call.call_id),
            "name": self.tools.wire(call.name),
            "input": _input(call),
        }
        return body | ({"caller": call.invoked_by} if call.invoked_by is not None else {})

    def _result(self, result: ToolResult) -> dict[str, Any]:
        body: dict[str, Any] = {"type": "tool_result", "tool_use_id": self.call_ids.wire(result.call_id)}
        content = result.content
        match content:
            case str():
                body["content"] = content
            case Raw():
                body["content"] = compact(content).decode()
            case _:
                body["content"] = [block.body for part in content for block in self.write(part)] or ""
        return body | ({} if result.is_error is None else {"is_error": result.is_error})

    def _own(self, part: Opaque) -> dict[str, Any]:
        members = msgspec.json.decode(part.raw, type=dict[str, Raw])
        if part.dialect == DIALECT or (part.type in _OWN_PARTS and "source" in members):
            body: dict[str, Any] = {"type": part.type}
            return body | {name: value for name, value in members.items() if name != "type"}
        if part.fallback:
            return {"type": "text", "text": part.fallback}
        raise refused(part.path, "the model's provider cannot take a part of this type")


def _cited(citations: tuple[Citation, ...]) -> dict[str, Any]:
    own = [citation.raw for citation in citations if citation.dialect == DIALECT]
    return {"citations": own} if own else {}


def thinking_blocks(part: Reasoning) -> list[dict[str, Any]]:
    """Empty where it is not this format's, or not signed: the API refuses thinking that it cannot check."""
    blocks: list[dict[str, Any]] = []
    for sealed in part.sealed:
        if sealed.format != THINKING_FORMAT or not sealed.data:
            continue
        if sealed.kind == "signature":
            blocks.append({"type": "thinking", "thinking": "".join(part.visible), "signature": sealed.data})
        else:
            blocks.append({"type": "redacted_thinking", "data": sealed.data})
    return blocks


def _input(call: ToolCall) -> Raw | dict[str, str]:
    """The arguments as the object they must be, in the bytes they came in."""
    if call.kind == "custom":
        return {"input": call.arguments}
    if not call.arguments.strip() or call.arguments.strip() == "null":
        return Raw(b"{}")
    try:
        msgspec.json.decode(call.arguments, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise refused(call.arguments_path, "must be the JSON of an object", code="invalid_value") from None
    return Raw(compact(call.arguments.encode()))
