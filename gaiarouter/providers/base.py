"""Who serves: address, credentials, dialects and quirks of a provider, as data compiled once per configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from gaiarouter.dialects.chat.profile import ANY_SERVER, ChatProfile

AuthScheme = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key", "none"]
Transport = Literal["http", "echo"]
Reshape = Callable[[bytes, Mapping[str, str]], tuple[bytes, Mapping[str, str]]]
"""A body and its headers as a host of somebody else's format wants them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of the catalogue: what is known of a provider by its name.

    label: the vendor's own spelling. base_url: None where the operator must give one. root: the path that its
    operations stand under, put behind a configured base_url as far as that does not end with it already; empty where
    the operator gives the whole address. speaks: operations it serves, by dialect name; `count_tokens` is the counting
    of tokens in those of its dialects that have it, `embeddings` beside `gemini` are Gemini's.
    picks_providers: it chooses among providers itself, and takes callers' wishes about that (`provider`).
    asks_usage: whether a stream must be asked for usage with `stream_options.include_usage`; False where the
    provider sends it unasked or refuses the field. versioned_root: the root when the configuration names an
    `api_version`; the model is then part of the path. sends_base64: embeddings come in base64
    where they are asked for so. chat: what it does in its own way when it speaks Chat. paths, stream_paths: by
    operation, where it is served if not at the format's own path. reshape: by operation, what is changed in a body that
    is otherwise of the format. loads_urls: addresses of pictures and files are loaded where the format has them.
    known_as: what OpenTelemetry's conventions call it, where that is not its name.
    developer_api: of Gemini's two hosts, the one with the Files API and tiers. stateless: it keeps no answers and no
    files, so that no handle is of its making. tells_cost: its usage says in dollars what it charges.
    """

    name: str
    label: str
    base_url: str | None
    root: str = ""
    auth: AuthScheme = "bearer"
    transport: Transport = "http"
    speaks: tuple[str, ...] = ("chat",)
    asks_usage: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    versioned_root: str | None = None
    sends_base64: bool = False
    stateless: bool = False
    picks_providers: bool = False
    tells_cost: bool = False
    chat: ChatProfile = ANY_SERVER
    paths: Mapping[str, str] = field(default_factory=dict)
    stream_paths: Mapping[str, str] = field(default_factory=dict)
    reshape: Mapping[str, Reshape] = field(default_factory=dict)
    loads_urls: bool = True
    developer_api: bool = True
    known_as: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one operation of one configured provider is called: all but the model, key and body.

    url: may hold `{model}` where the provider takes the model in the path (percent-encoded when filled in). stream_url:
    another for streams, where the path says so.
    headers: names in lower case, everything but the credential and the request's id. fetch_media: what the provider
    does not load by itself is loaded by the gateway. reshape: the last change of a body and its headers. known_as: the
    provider in traces. trace_context: it may know which trace a request belongs to.
    """

    provider: str
    transport: Transport
    url: str
    auth: AuthScheme
    headers: Mapping[str, str]
    asks_usage: bool
    stream_url: str | None = None
    sends_base64: bool = False
    fetch_media: bool = False
    reshape: Reshape | None = None
    method: str = "POST"
    known_as: str = ""
    trace_context: bool = False


class UpstreamRequest(Struct, frozen=True):
    """One request to a target. `headers` is all that is sent besides what HTTP itself needs.

    body: an iterator is read once, piece by piece, as the target takes it; a GatewayError that it raises is what the
    attempt fails with. length: of an iterator's bytes, where it is known; else they go out in chunks.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]
    length: int | None = None
    method: str = "POST"
