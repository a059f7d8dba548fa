"""The messages of a Chat request as turns: parts in order, results of tools in user turns, nothing merged."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Cache,
    Document,
    FileRef,
    Image,
    Opaque,
    Part,
    PlainText,
    Reasoning,
    Refusal,
    ResultPart,
    Text,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gaiarouter.canonical.rawjson import compact
from gaiarouter.canonical.request import Instruction, Role, Turn
from gaiarouter.dialects.chat import form
from gaiarouter.dialects.chat.details import read_reasoning
from gaiarouter.dialects.media import checked_base64, sniffed, source_of
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.dialects.strays import Strays

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "user",
    "function": "user",
}
_TEXT_SUFFIXES = (".txt", ".md", ".csv", ".json", ".xml", ".html", ".yaml", ".yml", ".log")


class TurnReader(Struct, kw_only=True):
    """Reads the messages of one request, in order. cache_ttl: of breakpoints that name none. legacy_call: the id that
    the last call was given, if it came without one."""

    cache_ttl: str | None
    strays: Strays
    legacy_call: str = ""

    def read(self, messages: list[form.Message]) -> tuple[tuple[Instruction, ...], tuple[Turn, ...]]:
        """The leading system messages, and the rest."""
        instructions: list[Instruction] = []
        turns: list[Turn] = []
        for index, message in enumerate(messages):
            path = f"messages[{index}]"
            if message.role in ("system", "developer") and not turns:
                instructions += self._instructions(message, path)
            else:
                turns.append(self._turn(message, index, path))
        return tuple(instructions), tuple(turns)

    def _instructions(self, message: form.Message, path: str) -> list[Instruction]:
        if message.name is not None:
            self.strays.note(f"{path}.name", Raw(msgspec.json.encode(message.name)))
        texts = [self._only_text(part) for part in self._content(message, path)]
        last = len(texts) - 1
        return [
            Instruction(
                text=part.text,
                origin="developer" if message.role == "developer" else "system",
                cache=part.cache or (_cache(message.cache_control) if position == last else None),
                path=part.path,
            )
            for position, part in enumerate(texts)
        ]

    def _turn(self, message: form.Message, index: int, path: str) -> Turn:
        role = _ROLES.get(message.role)
        if role is None:
            raise refused(f"{path}.role", "this role has no counterpart in the format of the model's provider")
        parts: tuple[Part, ...]
        if message.role in ("tool", "function"):
            parts = (self._result(message, path),)
        elif role == "assistant":
            parts = self._assistant(message, index, path)
        else:
            parts = self._content(message, path)
            if role != "user":
                parts = tuple(self._only_text(part) for part in parts)
        cache = _cache(message.cache_control) if message.cache_control else None
        return Turn(role=role, parts=parts, name=message.name, cache=cache, path=path)

    def _only_text(self, part: Part) -> Text:
        if not isinstance(part, Text):
            raise refused(part.path, "only text may stand here")
        return part

    def _assistant(self, message: form.Message, index: int, path: str) -> tuple[Part, ...]:
        """Thinking, then text, then calls; save thinking that knows its place."""
        thinking = read_reasoning(message, path)
        said: list[Part] = [part for part in thinking if part.position is None]
        said += [
            _provider_block(block, f"{path}.provider_blocks[{n}]")
            for n, block in enumerate(message.provider_blocks or ())
        ]
        said += self._content(message, path)
        if message.refusal:
            said.append(Refusal(text=message.refusal, path=f"{path}.refusal"))
        if message.audio:
            said.append(Audio(source=FileRef(message.audio.id), path=f"{path}.audio"))
        said += [_call(call, f"{path}.tool_calls[{n}]") for n, call in enumerate(message.tool_calls or ())]
        if message.function_call:
            self.legacy_call = f"call_{index}"
            called = f"{path}.function_call"
            said.append(_called(message.function_call, self.legacy_call, called, f"{called}.arguments"))
        return _placed(said, thinking)

    def _result(self, message: form.Message, path: str) -> ToolResult:
        call_id = message.tool_call_id if message.role == "tool" else self.legacy_call
        if not call_id:
            raise refused(f"{path}.tool_call_id", "a result must name the call that it answers", code="missing_field")
        content: str | tuple[ResultPart, ...]
        if message.content is None or isinstance(message.content, str):
            content = message.content or ""
        else:
            content = tuple(self._result_part(part) for part in self._content(message, path))
        return ToolResult(call_id=call_id, content=content, name=message.name, is_error=message.is_error, path=path)

    def _result_part(self, part: Part) -> ResultPart:
        match part:
            case Text() | Image() | Document() | Audio() | Video() | Opaque():
                return part
            case _:
                raise refused(part.path, "no part of a tool's result")

    def _content(self, message: form.Message, path: str) -> tuple[Part, ...]:
        content = message.content
        if content is None:
            return ()
        if isinstance(content, str):
            return (Text(text=content, path=f"{path}.content"),)
        return tuple(self._part(raw, f"{path}.content[{index}]") for index, raw in enumerate(content))

    def _part(self, raw: Raw, path: str) -> Part:
        try:
            part = form.decode_part(raw)
        except msgspec.ValidationError:
            part = self.strays.read(raw, form.Part, path)
        if isinstance(part, str):
            return Text(text=part, path=path)
        cache = self._cache_of(part)
        match part:
            case form.Part(type="text" | "input_text" | "output_text", text=str(text)):
                return Text(text=text, cache=cache, path=path)
            case form.Part(type="refusal", refusal=str(text)):
                return Refusal(text=text, path=path)
            case form.Part(type="image_url", image_url=str(url)):
                return Image(source=_source(url, f"{path}.image_url"), cache=cache, path=path)
            case form.Part(type="image_url", image_url=form.ImageUrl(url=url, detail=detail)):
                return Image(source=_source(url, f"{path}.image_url.url"), detail=detail, cache=cache, path=path)
            case form.Part(type="input_audio", input_audio=form.InputAudio(data=data, format=kind)):
                return Audio(source=Base64(f"audio/{kind}" if kind else None, data), format=kind, path=path)
            case form.Part(type="video_url", video_url=str(url) | form.VideoUrl(url=url)):
                return Video(source=_source(url, f"{path}.video_url"), path=path)
            case form.Part(type="file", file=form.File() as file):
                return Document(source=_file(file, path), filename=file.filename, cache=cache, path=path)
            case _:
                self.strays.forget(path)
                return Opaque(dialect="chat", type=part.type, raw=raw, path=path)

    def _cache_of(self, part: form.Part) -> Cache | None:
        if part.prompt_cache_breakpoint:
            return Cache(part.prompt_cache_breakpoint.ttl or self.cache_ttl)
        return _cache(part.cache_control)


def _cache(control: form.CacheControl | None) -> Cache | None:
    return Cache(control.ttl) if control else None


def _placed(said: list[Part], thinking: tuple[Reasoning, ...]) -> tuple[Part, ...]:
    for part in sorted(thinking, key=lambda part: part.position or 0):
        if part.position is not None:
            said.insert(part.position, part)
    return tuple(said)


def _provider_block(block: form.ProviderBlock, path: str) -> Opaque:
    try:
        kind = form.decode_kind(block.block).type
    except msgspec.ValidationError as error:
        raise wrong_field(str(error), inside=f"{path}.block") from None
    return Opaque(dialect=block.dialect, type=kind, raw=block.block, path=path)


def _call(call: form.Call, path: str) -> ToolCall:
    if not call.id:
        raise refused(f"{path}.id", "a call needs an id", code="missing_field")
    if call.custom:
        name, text, inner = call.custom.name, call.custom.input, f"{path}.custom.input"
        return ToolCall(call_id=call.id, name=name, arguments=text, kind="custom", path=path, arguments_path=inner)
    if call.function is None:
        raise refused(f"{path}.type", "neither a function nor a custom tool is called")
    return _called(call.function, call.id, path, f"{path}.function.arguments")


def _called(function: form.CalledFunction, call_id: str, path: str, arguments_path: str) -> ToolCall:
    arguments = _arguments(function.arguments)
    return ToolCall(call_id=call_id, name=function.name, arguments=arguments, path=path, arguments_path=arguments_path)


def _arguments(raw: Raw) -> str:
    """JSON in a string, or (Mistral) as it is."""
    if form.given(raw) is None:
        return ""
    if bytes(raw).startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return compact(raw).decode()


def _source(url: str, path: str) -> Base64 | Url:
    try:
        return source_of(url)
    except ValueError:
        raise refused(path, "this data URL holds no base64", code="invalid_value") from None


def _file(file: form.File, path: str) -> Base64 | Url | FileRef | PlainText:
    """The bytes of a file: as a data URL, or bare base64 whose kind its name or its first bytes tell."""
    if file.file_id:
        return FileRef(file.file_id)
    path = f"{path}.file.file_data"
    if not file.file_data:
        raise refused(path, "a file needs `file_data` or `file_id`", code="missing_field")
    if file.file_data.lstrip()[:5].lower() == "data:" or "://" in file.file_data[:16]:
        return _source(file.file_data, path)
    try:
        data = checked_base64(file.file_data)
    except ValueError:
        raise refused(path, "this is no base64", code="invalid_value") from None
    name = (file.filename or "").lower()
    if name.endswith(_TEXT_SUFFIXES):
        return Base64("text/plain", data)
    return Base64("application/pdf" if name.endswith(".pdf") else sniffed(data), data)
