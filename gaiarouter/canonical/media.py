"""Pictures, sounds, films and files of a request, wherever they stand: among what was said, or in a tool's result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import structs

from gaiarouter.canonical.parts import Audio, Document, Image, Part, ResultPart, ToolResult, Url, Video
from gaiarouter.canonical.request import CanonicalRequest

Media = Image | Audio | Video | Document


def media_of(request: CanonicalRequest) -> Iterator[Media]:
    for turn in request.turns:
        for part in turn.parts:
            if isinstance(part, Media):
                yield part
            elif isinstance(part, ToolResult) and isinstance(part.content, tuple):
                yield from (each for each in part.content if isinstance(each, Media))


def with_media(request: CanonicalRequest, change: Callable[[Media], Media]) -> CanonicalRequest:
    """The request with each of them put through `change`, and all else as it was."""
    turns = (
        structs.replace(turn, parts=tuple(_changed(part, change) for part in turn.parts)) for turn in request.turns
    )
    return structs.replace(request, turns=tuple(turns))


def web_address(part: Media) -> str | None:
    """None where its bytes are there, or what it stands for is no page of the web."""
    match part.source:
        case Url(url=url) if url[:8].lower().startswith(("https://", "http://")):
            return url
        case _:
            return None


def _changed(part: Part, change: Callable[[Media], Media]) -> Part:
    if isinstance(part, Media):
        return change(part)
    if isinstance(part, ToolResult) and isinstance(part.content, tuple):
        return structs.replace(part, content=tuple(_in_result(each, change) for each in part.content))
    return part


def _in_result(part: ResultPart, change: Callable[[Media], Media]) -> ResultPart:
    return change(part) if isinstance(part, Media) else part
