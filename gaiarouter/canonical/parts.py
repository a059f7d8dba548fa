"""What turns and answers are made of. The order of the parts in a turn means something and is kept.

JSON that is not ours to read (schemas, foreign blocks) stays in the bytes it came in. `path` is where a part stood in
the caller's own request; "" in answers.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

SealKind = Literal["signature", "encrypted", "redacted"]
CallKind = Literal["function", "custom", "server", "hosted"]


class Base64(Struct, frozen=True):
    """`data` holds no blank space."""

    media_type: str | None
    data: str


class Url(Struct, frozen=True):
    url: str
    media_type: str | None = None


class FileRef(Struct, frozen=True):
    """A handle that only its maker can open. minted_by: a dialect, where the handle itself does not tell."""

    id: str
    minted_by: str | None = None
    media_type: str | None = None


class PlainText(Struct, frozen=True):
    text: str


class Bucket(Struct, frozen=True):
    """An object in a cloud's storage, `s3://…` or `gs://…`."""

    uri: str
    owner: str | None = None


Source = Base64 | Url | FileRef | PlainText | Bucket


class Cache(Struct, frozen=True):
    """A breakpoint: what stands up to here may be cached. ttl: the caller's word (`5m`, `30m`, `1h`, `12h`)."""

    ttl: str | None = None


class Sealed(Struct, frozen=True, omit_defaults=True):
    """Bytes that only their maker can read and that must come back unchanged. format: `anthropic-claude-v1` …
    via: the dialect in which they were told, where that is not their maker's: then only whoever told them gets them."""

    kind: SealKind
    format: str
    data: str
    via: str | None = None


class Citation(Struct, frozen=True, kw_only=True):
    """Where a text is from. start, end: characters of the part it is on. raw: the maker's own object."""

    kind: Literal["url", "document", "other"]
    dialect: str
    raw: Raw
    url: str | None = None
    title: str | None = None
    start: int | None = None
    end: int | None = None


class Text(Struct, frozen=True, kw_only=True):
    """item_id, phase: of the message that it is a part of, where a provider makes several of one answer."""

    text: str
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[Raw, ...] = ()
    sealed: Sealed | None = None
    cache: Cache | None = None
    item_id: str | None = None
    phase: str | None = None
    path: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    text: str
    item_id: str | None = None
    path: str = ""


class Image(Struct, frozen=True, kw_only=True):
    """sealed: a signature on a picture that a model made."""

    source: Source
    detail: str | None = None
    sealed: Sealed | None = None
    cache: Cache | None = None
    path: str = ""


class Audio(Struct, frozen=True, kw_only=True):
    source: Source
    format: str | None = None
    transcript: str | None = None
    path: str = ""


class Video(Struct, frozen=True, kw_only=True):
    source: Source
    path: str = ""


class Document(Struct, frozen=True, kw_only=True):
    """citations: the maker's own switch for them."""

    source: Source
    filename: str | None = None
    title: str | None = None
    context: str | None = None
    citations: Raw | None = None
    cache: Cache | None = None
    path: str = ""


class Reasoning(Struct, frozen=True, kw_only=True):
    """One piece of thinking.

    visible: the text itself, ("",) where it is withheld but was there. summary: what was told of it. format: whose
    thinking it is, as of Sealed. position: its place among the turn's thinking, text and calls, where it did not stand
    first (all text counts as one).
    """

    visible: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    sealed: tuple[Sealed, ...] = ()
    format: str = ""
    id: str | None = None
    position: int | None = None
    path: str = ""


class ToolCall(Struct, frozen=True, kw_only=True):
    """arguments: JSON text as the model wrote it, or free text (`custom`). kind: `server` and `hosted` calls are
    carried out by the provider, never by the caller; `native` is then its type there. sealed: a signature on this very
    call."""

    call_id: str
    name: str
    arguments: str = ""
    kind: CallKind = "function"
    item_id: str | None = None
    namespace: str | None = None
    native: str | None = None
    sealed: Sealed | None = None
    invoked_by: Raw | None = None
    cache: Cache | None = None
    path: str = ""
    arguments_path: str = ""


class Opaque(Struct, frozen=True, kw_only=True):
    """Something that only `dialect` knows. deltas: what came after its start, in a stream, and is not in `raw`.
    fallback: what others may read in its place."""

    dialect: str
    type: str
    raw: Raw
    fallback: str | None = None
    deltas: tuple[Raw, ...] = ()
    path: str = ""


ResultPart = Text | Image | Audio | Video | Document | Opaque


class ToolResult(Struct, frozen=True, kw_only=True):
    """content: text, parts, or JSON. is_error: None where the caller's dialect cannot say."""

    call_id: str
    content: str | tuple[ResultPart, ...] | Raw
    name: str | None = None
    is_error: bool | None = None
    cache: Cache | None = None
    path: str = ""


Part = Text | Refusal | Image | Audio | Video | Document | Reasoning | ToolCall | ToolResult | Opaque
AnswerPart = Text | Refusal | Image | Audio | Reasoning | ToolCall | Opaque
