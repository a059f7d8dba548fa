"""The conversation of a Messages request as instructions and turns: every block in its place, nothing merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import (
    Base64,
    Cache,
    Citation,
    Document,
    FileRef,
    Image,
    Opaque,
    Part,
    PlainText,
    Reasoning,
    ResultPart,
    Sealed,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from gaiarouter.canonical.rawjson import compact
from gaiarouter.canonical.request import Instruction, Role, Turn
from gaiarouter.dialects.media import asks_to_cite, checked_base64
from gaiarouter.dialects.messages import form
from gaiarouter.dialects.messages.blocks import DIALECT, THINKING_FORMAT
from gaiarouter.dialects.messages.content import read_citation
from gaiarouter.dialects.messages.foreign import Wrapped, unwrap
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.dialects.strays import Strays

ATTRIBUTION = "x-anthropic-billing-header:"
"""How a coding client's block for the provider's own books begins: no prompt, and nobody else's to read."""
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


def read_instructions(system: str | list[Raw] | None, strays: Strays) -> tuple[Instruction, ...]:
    if system is None:
        return ()
    if isinstance(system, str):
        first, _, rest = system.partition("\n")
        texts = (first, rest) if first.startswith(ATTRIBUTION) else (system,)
        return tuple(_instruction(text, None, "system") for text in texts if text)
    return tuple(_system_block(raw, f"system[{index}]", strays) for index, raw in enumerate(system))


def _system_block(raw: Raw, path: str, strays: Strays) -> Instruction:
    block = _block(raw, path, strays)
    if block.type != "text" or block.text is None:
        raise refused(path, "only text stands here", code="invalid_value")
    return _instruction(block.text, _cache(block), path)


def _instruction(text: str, cache: Cache | None, path: str) -> Instruction:
    reader = DIALECT if text.startswith(ATTRIBUTION) else None
    return Instruction(text=text, origin="top_level", cache=cache, reader=reader, path=path)


def read_turns(messages: Sequence[form.Message], strays: Strays) -> tuple[Turn, ...]:
    """Raises InvalidRequest with the path of the block that is wrong."""
    return tuple(_turn(message, f"messages[{index}]", strays) for index, message in enumerate(messages))


def _turn(message: form.Message, path: str, strays: Strays) -> Turn:
    role = _ROLES.get(message.role)
    if role is None:
        raise refused(f"{path}.role", "must be `user`, `assistant` or `system`", code="invalid_value")
    if isinstance(message.content, str):
        return Turn(role=role, parts=(Text(text=message.content, path=f"{path}.content"),), path=path)
    reader = _PartReader(strays)
    for index, raw in enumerate(message.content):
        reader.add(raw, f"{path}.content[{index}]")
    return Turn(role=role, parts=reader.parts(), path=path)


class _PartReader:
    """The blocks of one message. What another provider sealed goes back to the text or call that it was on."""

    def __init__(self, strays: Strays) -> None:
        self._strays = strays
        self._parts: list[Part] = []
        self._seals: dict[str, Sealed] = {}

    def parts(self) -> tuple[Part, ...]:
        return tuple(self._sealed(part) for part in self._parts)

    def add(self, raw: Raw, path: str) -> None:
        block = _block(raw, path, self._strays)
        match block.type:
            case "thinking" | "redacted_thinking":
                wrapped = unwrap(block.signature or "")
                if wrapped is None or wrapped.on == "thinking":
                    self._parts.append(_thinking(block, wrapped, path))
                else:
                    self._take_seal(wrapped)
            case "tool_use":
                self._parts.append(_tool_use(block, path))
            case "tool_result":
                self._parts.append(_tool_result(block, path, self._strays))
            case _:
                self._parts.append(_content(block, raw, path, self._strays))

    def _take_seal(self, wrapped: Wrapped) -> None:
        if not wrapped.sealed:
            return
        if wrapped.call_id is not None:
            self._seals[wrapped.call_id] = wrapped.sealed[0]
        elif self._parts and isinstance(last := self._parts[-1], Text):
            self._parts[-1] = msgspec.structs.replace(last, sealed=wrapped.sealed[0])
        else:
            self._parts.append(Text(text="", sealed=wrapped.sealed[0]))

    def _sealed(self, part: Part) -> Part:
        if isinstance(part, ToolCall) and part.call_id in self._seals:
            return msgspec.structs.replace(part, sealed=self._seals[part.call_id])
        return part


def _citations(block: form.Block, path: str) -> tuple[Citation, ...]:
    cited = form.given(block.citations)
    try:
        return tuple(map(read_citation, form.decode_list(cited))) if cited else ()
    except msgspec.ValidationError as error:
        raise wrong_field(str(error), inside=f"{path}.citations") from None


def _content(block: form.Block, raw: Raw, path: str, strays: Strays) -> Text | Image | Document | Opaque:
    """What may stand in a message and in the result of a tool."""
    match block:
        case form.Block(type="text", text=str(text)):
            return Text(text=text, citations=_citations(block, path), cache=_cache(block), path=path)
        case form.Block(type="image", source=form.Source() as source):
            return Image(source=_source(source, path), cache=_cache(block), path=path)
        case form.Block(type="document", source=form.Source() as source) if source.type != "content":
            return Document(
                source=_source(source, path),
                title=block.title,
                context=block.context,
                citations=form.given(block.citations),
                cache=_cache(block),
                path=path,
            )
        case form.Block(type="text" | "image" | "document") if block.source is None:
            member = "text" if block.type == "text" else "source"
            raise refused(f"{path}.{member}", "is missing", code="missing_field")
        case _:
            fallback = _readable(block, path, strays)
            if fallback is None:
                strays.forget(path)
            elif (cites := form.given(block.citations)) is not None and asks_to_cite(cites):
                strays.note(f"{path}.citations", cites)
            return Opaque(dialect=DIALECT, type=block.type, raw=raw, fallback=fallback, path=path)


def _source(source: form.Source, path: str) -> Source:
    match source:
        case form.Source(type="base64", data=str(data)):
            try:
                return Base64(source.media_type, checked_base64(data))
            except ValueError:
                raise refused(f"{path}.source.data", "is not base64", code="invalid_value") from None
        case form.Source(type="text", data=str(data)):
            return PlainText(data)
        case form.Source(type="url", url=str(url)):
            return Url(url, source.media_type)
        case form.Source(type="file", file_id=str(file_id)):
            return FileRef(file_id, minted_by=DIALECT)
        case _:
            raise refused(f"{path}.source", "no such source is known", code="invalid_value")


def _readable(block: form.Block, path: str, strays: Strays) -> str | None:
    """What a model that does not know the block can read of it; None where that is nothing."""
    if block.type == "document" and isinstance(block.source, form.Source) and block.source.content is not None:
        return _joined([block.context, block.title, *_texts(block.source.content, f"{path}.source", strays)])
    if block.type == "search_result":
        source = block.source if isinstance(block.source, str) else None
        content = form.given(block.content)
        return _joined([block.title, source, *_texts(form.decode_content(content) if content else "", path, strays)])
    return None


def _texts(content: str | list[Raw], path: str, strays: Strays) -> Iterable[str | None]:
    if isinstance(content, str):
        return [content]
    return [_block(raw, f"{path}.content[{index}]", strays).text for index, raw in enumerate(content)]


def _joined(texts: Iterable[str | None]) -> str:
    return "\n".join(text for text in texts if text)


def _thinking(block: form.Block, wrapped: Wrapped | None, path: str) -> Reasoning:
    if wrapped is not None:
        told = (block.thinking,) if block.thinking else ()
        visible, summary = ((), told) if wrapped.is_summary else (told, ())
        return Reasoning(
            visible=visible,
            summary=summary,
            sealed=wrapped.sealed,
            format=wrapped.format,
            id=wrapped.id,
            path=path,
        )
    if block.type == "redacted_thinking":
        sealed = (Sealed("redacted", THINKING_FORMAT, block.data or ""),)
        return Reasoning(sealed=sealed, format=THINKING_FORMAT, path=path)
    own = (Sealed("signature", THINKING_FORMAT, block.signature),) if block.signature else ()
    return Reasoning(visible=(block.thinking or "",), sealed=own, format=THINKING_FORMAT, path=path)


def _tool_use(block: form.Block, path: str) -> ToolCall:
    if not block.id or not block.name:
        raise refused(f"{path}.{'name' if block.id else 'id'}", "is missing", code="missing_field")
    arguments = form.given(block.input)
    return ToolCall(
        call_id=block.id,
        name=block.name,
        arguments=compact(arguments).decode() if arguments else "{}",
        invoked_by=form.given(block.caller),
        cache=_cache(block),
        path=path,
        arguments_path=f"{path}.input",
    )


def _tool_result(block: form.Block, path: str, strays: Strays) -> ToolResult:
    if not block.tool_use_id:
        raise refused(f"{path}.tool_use_id", "is missing", code="missing_field")
    raw = form.given(block.content)
    try:
        content = form.decode_content(raw) if raw else ""
    except msgspec.ValidationError as error:
        raise wrong_field(str(error), inside=f"{path}.content") from None
    return ToolResult(
        call_id=block.tool_use_id,
        content=content if isinstance(content, str) else _result_parts(content, path, strays),
        is_error=block.is_error,
        cache=_cache(block),
        path=path,
    )


def _result_parts(content: list[Raw], path: str, strays: Strays) -> tuple[ResultPart, ...]:
    places = [f"{path}.content[{index}]" for index in range(len(content))]
    return tuple(
        _content(_block(raw, place, strays), raw, place, strays) for raw, place in zip(content, places, strict=True)
    )


def _cache(block: form.Block) -> Cache | None:
    return Cache(block.cache_control.ttl) if block.cache_control else None


def _block(raw: Raw, path: str, strays: Strays) -> form.Block:
    try:
        return form.decode_block(raw)
    except msgspec.ValidationError:
        return strays.read(raw, form.Block, path)
