"""Checked data becomes frozen settings, with every default filled in. It knows no errors: all were found before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from itertools import chain, count
from typing import Any

from gaiarouter.config.check import provider_keys
from gaiarouter.config.problems import Findings, Path
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import (
    Auth,
    BodyLog,
    Breaker,
    Group,
    Ledger,
    Limits,
    Log,
    ModelCapabilities,
    ModelPrices,
    ModelReference,
    Provider,
    ProviderKey,
    Rate,
    Retry,
    Route,
    Server,
    Settings,
    Stream,
    Target,
    Timeouts,
    Tls,
    Transform,
    Upstream,
)
from gaiarouter.config.traces import build_traces
from gaiarouter.config.units import cpu_count, parse_duration, parse_rate, parse_share, parse_size

Variables = Mapping[Path, tuple[str, ...]]


def build_settings(data: Mapping[str, Any], variables: Variables, findings: Findings) -> Settings:
    """variables: the names that the text at a path was made from, to say why a provider is off."""
    stream = data.get("stream", {})
    hold_s = parse_duration(stream["hold"]) if "hold" in stream else Stream().hold_s
    auth = data.get("auth", {})
    return Settings(
        server=_server(data.get("server", {})),
        store=Secret(data["store"]) if "store" in data else Settings().store,
        providers={name: _provider(name, value, variables) for name, value in data.get("providers", {}).items()},
        routes=tuple(_routes(data, findings, hold_s)),
        limits=_limits(data.get("limits", {})),
        auth=Auth(
            required=auth.get("required", True),
            stale_s=_seconds(auth, "stale", Auth().stale_s),
            wrong_keys=_rate(auth["wrong_keys"]) if "wrong_keys" in auth else Auth().wrong_keys,
        ),
        stream=Stream(hold_s),
        upstream=Upstream(**data.get("upstream", {})),
        ledger=_ledger(data.get("ledger", {})),
        log=_log(data.get("log", {})),
        traces=build_traces(data["traces"]) if "traces" in data else None,
        redis=Secret(data["redis"]) if "redis" in data else None,
    )


def _ledger(given: Mapping[str, Any]) -> Ledger:
    default = Ledger()
    return Ledger(
        path=given.get("path"),
        spool=parse_size(given["spool"]) if "spool" in given else default.spool,
        on_full=given.get("on_full", default.on_full),
        keep_s=parse_duration(given["keep"]) if "keep" in given else default.keep_s,
        budget_grace_s=_seconds(given, "budget_grace", default.budget_grace_s),
    )


def _log(given: Mapping[str, Any]) -> Log:
    if "bodies" not in given:
        return Log(**given)
    sizes = {name: parse_size(given["bodies"][name]) for name in ("limit", "file_limit") if name in given["bodies"]}
    return Log(**{**given, "bodies": BodyLog(given["bodies"]["path"], **sizes)})


def _server(given: Mapping[str, Any]) -> Server:
    default = Server()
    workers = given.get("workers", default.workers)
    return Server(
        host=given.get("host", default.host),
        port=int(given.get("port", default.port)),
        workers=cpu_count() if workers == "auto" else int(workers),
        cors_origins=tuple(given.get("cors", {}).get("origins", ())),
        forwarded=given.get("forwarded", default.forwarded),
        tls=Tls(**given["tls"]) if "tls" in given else None,
        admin_listen=_address(given["admin_listen"]) if "admin_listen" in given else None,
        body_limit=parse_size(given["body_limit"]) if "body_limit" in given else default.body_limit,
        drain_s=_seconds(given, "drain", default.drain_s),
        memory_limit=parse_size(given["memory_limit"]) if "memory_limit" in given else None,
        trusted_proxies=tuple(ip_network(text, strict=False) for text in given.get("trusted_proxies", ())),
        max_requests=int(given.get("max_requests", default.max_requests)),
        max_pending_requests=int(given.get("max_pending_requests", default.max_pending_requests)),
        pending_timeout_s=_seconds(given, "pending_timeout", default.pending_timeout_s),
        drain_delay_s=_seconds(given, "drain_delay", default.drain_delay_s),
    )


def _seconds(given: Mapping[str, Any], name: str, default: float) -> float:
    return parse_duration(given[name]) if name in given else default


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _provider(name: str, given: Mapping[str, Any], variables: Variables) -> Provider:
    path: Path = ("providers", name)
    keys = list(provider_keys(given, path))
    usable = [(at, key) for at, key in keys if key]
    return Provider(
        name=name,
        kind=given.get("dialect", name),
        base_url=given.get("base_url"),
        keys=tuple(
            ProviderKey(Secret(key), index, _key_weight(given["api_key"], at)) for index, (at, key) in enumerate(usable)
        ),
        speaks=tuple(given["speaks"]) if "speaks" in given else None,
        api_version=given.get("api_version"),
        headers=dict(given.get("headers", {})),
        capabilities=tuple(_capabilities(each) for each in given.get("capabilities", ())),
        prices=tuple(_prices(each) for each in given.get("prices", ())),
        fetch_media=given.get("fetch_media", False),
        web_search=given.get("web_search", False),
        trace_context=given.get("trace_context", False),
        off=_off([at for at, _ in keys], variables) if keys and not usable else None,
    )


def _capabilities(given: Mapping[str, Any]) -> ModelCapabilities:
    return ModelCapabilities(
        match=_globs(given["match"]),
        fields={
            dialect: {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
            for dialect, told in given.items()
            if dialect != "match"
        },
    )


def _prices(given: Mapping[str, Any]) -> ModelPrices:
    return ModelPrices(_globs(given["match"]), {name: amount for name, amount in given.items() if name != "match"})


def _globs(given: str | list[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _key_weight(api_key: Any, path: Path) -> int:
    item = api_key[path[3]] if len(path) > 3 else None
    return int(item.get("weight", 1)) if isinstance(item, dict) else 1


def _off(paths: list[Path], variables: Variables) -> str:
    names = list(dict.fromkeys(name for path in paths for name in variables.get(path, ())))
    if not names:
        return "api_key is empty"
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} empty"


def _routes(data: Mapping[str, Any], findings: Findings, hold_s: float) -> Iterator[Route]:
    defaults = data.get("defaults", {})
    names: set[str] = set()
    for index, given in enumerate(data.get("routes", ())):
        match = _globs(given["match"])
        yield Route(
            name=_unique(match[0], names),
            match=match,
            targets=_group(given["targets"]),
            fallbacks=tuple(_fallback(item) for item in given.get("fallbacks", ())),
            balance=given.get("balance", "weighted"),
            affinity=given.get("affinity"),
            transform=_transform(given.get("transform", {})),
            unsupported=given.get("unsupported", "drop"),
            timeouts=_timeouts({**defaults.get("timeouts", {}), **given.get("timeouts", {})}),
            retry=_retry({**defaults.get("retry", {}), **given.get("retry", {})}),
            breaker=_breaker({**defaults.get("breaker", {}), **given.get("breaker", {})}),
            hold_s=hold_s,
            line=findings.line(("routes", index)),
        )


def _unique(glob: str, names: set[str]) -> str:
    """The glob, or with `#2`, `#3` … behind it where another route has that name; it is then one of `names`."""
    candidates = chain([glob], (f"{glob}#{number}" for number in count(2)))
    name = next(name for name in candidates if name not in names)
    names.add(name)
    return name


def _group(targets: list[Mapping[str, Any]]) -> Group:
    return Group(tuple(_target(target) for target in targets))


def _target(given: Mapping[str, Any]) -> Target:
    return Target(given["provider"], given.get("model"), int(given.get("weight", 1)))


def _fallback(given: Any) -> Group:
    if isinstance(given, list):
        return _group(given)
    on = tuple(given["on"]) if "on" in given else None
    if "provider" in given:
        return Group((_target(given),), on=on)
    return Group(reference=ModelReference(given["model"]), on=on)


def _transform(given: Mapping[str, Any]) -> Transform:
    return Transform(
        default=given.get("default", {}),
        set=given.get("set", {}),
        drop=tuple(given.get("drop", ())),
        system=given.get("system"),
    )


def _timeouts(given: Mapping[str, str]) -> Timeouts:
    return Timeouts(**{f"{name}_s": parse_duration(text) for name, text in given.items()})


def _retry(given: Mapping[str, Any]) -> Retry:
    default = Retry()
    return Retry(
        attempts=int(given.get("attempts", default.attempts)),
        per_target=int(given.get("per_target", default.per_target)),
        backoff_s=parse_duration(given["backoff"]) if "backoff" in given else default.backoff_s,
        max_backoff_s=parse_duration(given["max_backoff"]) if "max_backoff" in given else default.max_backoff_s,
        budget=parse_share(given["budget"]) if "budget" in given else default.budget,
    )


def _breaker(given: Mapping[str, Any]) -> Breaker:
    default = Breaker()
    return Breaker(
        failures=int(given.get("failures", default.failures)),
        window_s=parse_duration(given["window"]) if "window" in given else default.window_s,
        cooldown_s=parse_duration(given["cooldown"]) if "cooldown" in given else default.cooldown_s,
    )


def _limits(given: Mapping[str, Any]) -> Limits:
    default = Limits()
    concurrent = given.get("concurrent", default.concurrent)
    return Limits(
        requests=_rate(given["requests"]) if "requests" in given else default.requests,
        tokens=_rate(given["tokens"]) if "tokens" in given else default.tokens,
        concurrent=None if concurrent == "unlimited" else concurrent and int(concurrent),
    )


def _rate(text: str) -> Rate | None:
    return None if text == "unlimited" else parse_rate(text)
