"""Who serves: address, credentials, dialects and quirks of a provider, as data compiled once per configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

AuthScheme = Literal["bearer", "api-key", "none"]
Transport = Literal["http", "echo"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of the catalogue: what is known of a provider by its name.

    base_url: None where the operator must give one. speaks: operations it serves, by dialect name.
    asks_usage: whether a stream must be asked for usage with `stream_options.include_usage`; False where the
    provider sends it unasked or refuses the field.
    """

    name: str
    base_url: str | None
    auth: AuthScheme = "bearer"
    transport: Transport = "http"
    speaks: tuple[str, ...] = ("chat",)
    asks_usage: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one operation of one configured provider is called: all but the model, key and body.

    url: may hold `{model}` where the provider takes the model in the path (percent-encoded when filled in).
    """

    provider: str
    transport: Transport
    url: str
    auth: AuthScheme
    headers: Mapping[str, str]
    asks_usage: bool
