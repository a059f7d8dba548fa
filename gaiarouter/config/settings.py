"""The configuration as frozen values: what gaiarouter.yaml says, with every default filled in.

The loader makes these, once; nobody changes one. A reload makes a new `Settings` beside the old.
Times are seconds, sizes are bytes, shares are fractions; the text forms (`5s`, `32MB`, `20%`) end in loader.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

from gaiarouter.config.secret import Secret

Balance = Literal["weighted", "least_latency", "least_busy", "cheapest"]
Affinity = Literal["key", "user", "prefix"]
Client = Literal["own", "aiohttp"]
Forwarded = Literal["x-forwarded-for", "forwarded"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]
FallbackCondition = Literal["context_length", "content_policy"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: the certificate with those of its issuers behind it, and its key."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Server:
    """max_requests: that run at the same time in one process; max_pending_requests: that wait for one of them.
    memory_limit: bytes for all workers together; None is the container's. trusted_proxies: whose word of
    where a request comes from is believed; forwarded: the header that says it."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    body_limit: int = 32_000_000
    drain_s: float = 30.0
    max_requests: int = 4096
    max_pending_requests: int = 1024
    pending_timeout_s: float = 0.25
    memory_limit: int | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    drain_delay_s: float = 0.0
    cors_origins: tuple[str, ...] = ()
    admin_listen: tuple[str, int] | None = None
    forwarded: Forwarded = "x-forwarded-for"
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One credential of a provider. `index` names it in logs and metrics; the secret never does."""

    secret: Secret
    index: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class ModelCapabilities:
    """An entry of `capabilities:`. match: globs over the provider's names of models. fields: by dialect, those of its
    Capabilities that the operator knows better."""

    match: tuple[str, ...]
    fields: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """An entry of `prices:`. match: globs over the provider's names of models. dollars: by class, for a million tokens
    or a thousand uses; what is not said is not charged apart."""

    match: tuple[str, ...]
    dollars: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Provider:
    """One entry of `providers:`.

    `kind` is the row of the provider catalogue it stands on (`openai`, `azure`, `groq`, `echo` …): its `dialect`,
    else its own name. `off` is None when it is on, else the reason in words. `keys` is empty for a provider
    that sends no credential at all (`api_key` absent: a local server).
    """

    name: str
    kind: str
    base_url: str | None = None
    keys: tuple[ProviderKey, ...] = ()
    speaks: tuple[str, ...] | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[ModelCapabilities, ...] = ()
    prices: tuple[ModelPrices, ...] = ()
    fetch_media: bool = False
    web_search: bool = False
    trace_context: bool = False
    off: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    connect_s: float = 5.0
    first_byte_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Retry:
    attempts: int = 3
    per_target: int = 2
    backoff_s: float = 0.25
    max_backoff_s: float = 8.0
    budget: float = 0.2


@dataclass(frozen=True, slots=True)
class Breaker:
    failures: int = 5
    window_s: float = 30.0
    cooldown_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Target:
    """One place a request may go: a provider and the model's name there, which may hold `{model}` and `{1}`.

    `model` of None sends the name the caller used.
    """

    provider: str
    model: str | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A fallback to another entry of the table: `{model: fast}`."""

    model: str


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that share the traffic by weight; in `fallbacks` also a reference to another route.

    `on` of None: reached after any failure that falls back. Else reached for those conditions only.
    """

    targets: tuple[Target, ...] = ()
    reference: ModelReference | None = None
    on: tuple[FallbackCondition, ...] | None = None


@dataclass(frozen=True, slots=True)
class Transform:
    """Edits to the request body, in this order: `default`, `set`, `drop`, `system`. Values may hold `{key.name}`."""

    default: Mapping[str, Any] = field(default_factory=dict)
    set: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of `routes:`. `name` is its first glob (unique names get `#2` …); `line` is where it stands.

    affinity: what requests have in common that are to go to the same target; None draws by weight.
    """

    name: str
    match: tuple[str, ...]
    targets: Group
    fallbacks: tuple[Group, ...] = ()
    balance: Balance = "weighted"
    affinity: Affinity | None = None
    transform: Transform = field(default_factory=Transform)
    unsupported: Literal["drop", "error"] = "drop"
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)
    breaker: Breaker = field(default_factory=Breaker)
    hold_s: float = 30.0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """`600/min` is Rate(600, 60.0)."""

    amount: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """None is no limit."""

    requests: Rate | None = Rate(600, 60.0)
    tokens: Rate | None = Rate(1_000_000, 60.0)
    concurrent: int | None = 64


@dataclass(frozen=True, slots=True)
class Auth:
    """wrong_keys: how many one source may show; None is no limit. admin_key, pepper: from the environment, never from
    the file."""

    required: bool = True
    stale_s: float = 900.0
    wrong_keys: Rate | None = Rate(20, 60.0)
    admin_key: Secret | None = None
    pepper: Secret | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """`hold_s`: how long a stream waits for its first content before status and headers go out with keep-alives."""

    hold_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """`client`: what speaks HTTP to providers."""

    client: Client = "own"


@dataclass(frozen=True, slots=True)
class Ledger:
    """`path`: the folder of the journals; None is beside the store. `spool`: bytes of them, over all workers.
    `keep_s`: how old records in the store may become; None is for ever. `budget_grace_s`: how old what is known of a
    budget may be while the store is away."""

    path: str | None = None
    spool: int = 1_000_000_000
    on_full: Literal["refuse", "drop"] = "refuse"
    keep_s: float | None = None
    budget_grace_s: float = 300.0


@dataclass(frozen=True, slots=True)
class BodyLog:
    """Where what keys with the flag say and hear is kept. limit: bytes of a request, and of an answer. file_limit: of
    the file, beyond which nothing is added."""

    path: str
    limit: int = 64_000
    file_limit: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Log:
    """`format`: `auto` is words for a terminal, and JSON for everything else. `bodies`: None keeps none."""

    level: LogLevel = "info"
    format: LogFormat = "auto"
    bodies: BodyLog | None = None


@dataclass(frozen=True, slots=True)
class Traces:
    """endpoint: of a collector that takes OTLP over HTTP. sample: the share of requests that are traced where the
    caller has not decided. follow_callers: whether a caller's trace is gone on with. service, attributes: what the
    gateway is called in every span."""

    endpoint: str
    sample: float = 1.0
    follow_callers: bool = True
    headers: Mapping[str, Secret] = field(default_factory=dict)
    service: str = "gaiarouter"
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything gaiarouter.yaml says. `fingerprint` is a short hash of the file's text, for /health and logs."""

    server: Server = field(default_factory=Server)
    store: Secret = field(default_factory=lambda: Secret("sqlite:///gaiarouter.db"))
    providers: Mapping[str, Provider] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    limits: Limits = field(default_factory=Limits)
    auth: Auth = field(default_factory=Auth)
    stream: Stream = field(default_factory=Stream)
    upstream: Upstream = field(default_factory=Upstream)
    ledger: Ledger = field(default_factory=Ledger)
    log: Log = field(default_factory=Log)
    traces: Traces | None = None
    redis: Secret | None = None
    fingerprint: str = ""
    path: str | None = None
