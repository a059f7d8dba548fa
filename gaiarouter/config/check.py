"""Whether the file means something: known kinds of provider, sound addresses, nothing open that should not be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from gaiarouter.config.addresses import fault_of_base_url, goes_in_clear, is_loopback, is_network
from gaiarouter.config.problems import Findings, Path, clip
from gaiarouter.config.structure import nearest
from gaiarouter.config.units import parse_duration

_REDIS = re.compile(r"(redis|rediss)://[^\s]+|unix://[^\s]+")
_ORIGIN = re.compile(
    r"https?://[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?"
)
_RESERVED_FIELDS = frozenset({"model", "stream"})
_MOVING_BALANCES = frozenset({"least_latency", "least_busy"})
_OWN_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "trailer"})
_KEY_PLACEHOLDER = re.compile(r"\{(key\.[^{}]*)\}")
_KEY_PLACEHOLDERS = ("key.name", "key.id")
_KEY_PREFIX = re.compile(r"\b(?:(?:sk|gsk|xai|hf|r8|nvapi)[-_]|AIza|AKIA)(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{16,}")
_LONG_WORD = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_+/=.-]{20,}")


def check_server(server: Mapping[str, Any], host: str, *, required: bool, insecure: bool, findings: Findings) -> None:
    """host: where the gateway will listen, after flags and environment had their say."""
    if not required and not insecure and not is_loopback(host):
        message = f"callers need no key, and {clip(host)} can be reached from outside: expected true, or --insecure"
        findings.error(("auth", "required"), message)
    if not is_loopback(host) and not server.get("tls") and not server.get("trusted_proxies"):
        message = (
            f"keys and prompts come to {clip(host)} in clear: set `server.tls`, or name the proxy with TLS that stands "
            "before it in `server.trusted_proxies`"
        )
        findings.warning(("server", "host"), message)
    for index, text in enumerate(server.get("trusted_proxies", ())):
        if not is_network(text):
            message = f"found {clip(text)!r}, expected an address or a network such as 10.0.0.0/8"
            findings.error(("server", "trusted_proxies", index), message)
    for index, origin in enumerate((server.get("cors") or {}).get("origins", ())):
        if not _ORIGIN.fullmatch(origin):
            message = f"found {clip(origin)!r}, expected an origin such as https://chat.example.com, without a path"
            findings.error(("server", "cors", "origins", index), message)
    if "admin_listen" in server and not 1 <= int(server["admin_listen"].rpartition(":")[2]) <= 65535:
        findings.error(("server", "admin_listen"), "has a port that is none, expected one from 1 to 65535")


def check_store(data: Mapping[str, Any], findings: Findings) -> None:
    if "redis" in data and not _REDIS.match(data["redis"]):
        message = "must read redis://host:6379/0, rediss://… with TLS, or unix:///path"
        findings.error(("redis",), message)
    store = data.get("store")
    if store is not None and not _is_store(store):
        findings.error(("store",), "found another address, expected sqlite:///FILE or postgresql://user@host/database")


def check_providers(
    providers: Mapping[str, Any],
    written: Mapping[str, Any],
    known_kinds: Mapping[str, bool] | None,
    findings: Findings,
) -> None:
    """written: the same entries with what was found wrong in them: such a value is not missing.

    known_kinds: kind to whether it needs a base_url; None where that is not known, and not checked.
    """
    for name, provider in providers.items():
        path: Path = ("providers", name)
        if known_kinds is not None:
            _check_kind(path, {**written[name], **provider}, known_kinds, findings)
        if "base_url" in provider:
            _check_base_url((*path, "base_url"), provider["base_url"], findings)
        for key_path, key in provider_keys(provider, path):
            if not key.isascii() or not key.isprintable() or " " in key:
                findings.error(key_path, "has a character that no key has: a space, a line break or a special sign")
        for header, value in provider.get("headers", {}).items():
            at = (*path, "headers", header)
            if header.lower() in _OWN_HEADERS:
                findings.error(at, "is the connection's own header; take it out", at_key=True)
            if not value.isascii() or not value.isprintable():
                findings.error(at, "has a character that may not stand in a header")


def check_route_edits(routes: Sequence[Any], traps: Mapping[Path, str], findings: Findings) -> None:
    """traps: by path, the words that YAML's versions read differently; in a request's body they would go out wrong."""
    for index, given in enumerate(routes):
        route: Mapping[str, Any] = given or {}
        path: Path = ("routes", index)
        if "affinity" in route and route.get("balance") in _MOVING_BALANCES:
            message = f"keeps requests together, and `balance: {route['balance']}` moves them by load; keep one"
            findings.error((*path, "affinity"), message)
        transform, at = route.get("transform", {}), (*path, "transform")
        for section in ("default", "set"):
            for field in _RESERVED_FIELDS.intersection(transform.get(section, {})):
                findings.error((*at, section, field), "cannot be set: caller and target decide it", at_key=True)
        for position, field in enumerate(transform.get("drop", ())):
            if field in _RESERVED_FIELDS:
                findings.error((*at, "drop", position), f"{field} cannot be dropped: caller and target decide it")
        for place, text in _texts(transform, at):
            for name in _KEY_PLACEHOLDER.findall(text):
                if name not in _KEY_PLACEHOLDERS:
                    findings.error(place, f"unknown placeholder {{{clip(name)}}}{nearest(name, _KEY_PLACEHOLDERS)}")
    for place, trap in traps.items():
        if place[2:4] in (("transform", "default"), ("transform", "set")):
            findings.error(place, trap)


def check_waits(data: Mapping[str, Any], findings: Findings) -> None:
    """A time-out of nothing fails every request."""
    sections: list[tuple[Path, Any]] = [(("defaults",), data.get("defaults", {}))]
    sections += [(("routes", index), route or {}) for index, route in enumerate(data.get("routes", []))]
    for path, section in sections:
        for part in ("timeouts", "breaker"):
            for name, text in section.get(part, {}).items():
                if isinstance(text, str) and not parse_duration(text):
                    findings.error((*path, part, name), f"found {text!r}, expected more than nothing")


def check_secrets(data: Any, findings: Findings) -> None:
    """data: the file before variables are filled in: a secret in it ends up in a repository."""
    for path, text in _texts(data, ()):
        in_key = path[0] == "providers" and path[2:3] == ("api_key",)
        if _KEY_PREFIX.search(text) or (in_key and _LONG_WORD.fullmatch(text)):
            findings.warning(path, "looks like a key in the file: keep it in the environment and write ${NAME}")
        if path == ("store",) and re.search(r"//[^/@:]*:[^/@$]+@", text):
            findings.warning(path, "has a password in the file: keep it in the environment and write ${NAME}")


def provider_keys(provider: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    """The texts of `api_key`, whichever way it is written, without space around them."""
    written = provider.get("api_key")
    path = (*path, "api_key")
    if isinstance(written, str):
        yield path, written.strip()
        return
    for index, item in enumerate(written or ()):
        if isinstance(item, str):
            yield (*path, index), item.strip()
        elif isinstance(item, dict) and "key" in item:
            yield (*path, index, "key"), item["key"].strip()


def _check_kind(path: Path, provider: Mapping[str, Any], known: Mapping[str, bool], findings: Findings) -> None:
    name = str(path[-1])
    kind = provider.get("dialect", name)
    if not isinstance(kind, str) or not kind:
        return  # reported before
    if kind not in known:
        near = nearest(kind, known)
        if "dialect" in provider:
            findings.error((*path, "dialect"), f"unknown dialect {clip(kind)!r}{near or _list(known)}")
        else:
            message = f"{clip(kind)!r} is no known provider, expected a `dialect` beside it{near or _list(known)}"
            findings.error(path, message, at_key=True)
    elif known[kind] and "base_url" not in provider:
        findings.error(path, f"`base_url` is missing: {kind} has no address of its own", at_key=True)


def _list(known: Mapping[str, bool]) -> str:
    return f"; known are {', '.join(sorted(known))}"


def _check_base_url(path: Path, url: str, findings: Findings) -> None:
    fault = fault_of_base_url(url)
    if fault:
        findings.error(path, fault)
    elif goes_in_clear(url):
        findings.warning(path, "goes in clear text to a public address: expected https://")


def _is_store(url: str) -> bool:
    if url.startswith("sqlite:///"):
        return url.removeprefix("sqlite:///") not in ("", ":memory:")
    try:
        parts = urlsplit(url)
        return parts.scheme in ("postgresql", "postgres") and parts.port != 0
    except ValueError:
        return False


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in the data, with its path."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*path, index))
        case _:
            pass
