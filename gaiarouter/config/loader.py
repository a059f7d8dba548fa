"""gaiarouter.yaml becomes Settings: read, substitute, check, build, with every problem of the file at once.

This is the only place that reads the configuration's files; the environment is an argument.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

import orjson
from dotenv.parser import parse_stream

from gaiarouter.config.build import build_settings
from gaiarouter.config.chains import check_routes
from gaiarouter.config.check import (
    check_providers,
    check_route_edits,
    check_secrets,
    check_server,
    check_store,
    check_waits,
)
from gaiarouter.config.document import MAX_BYTES, Document, read
from gaiarouter.config.environment import read_secrets
from gaiarouter.config.expand import Expanded, expand
from gaiarouter.config.problems import ConfigError, Findings, Problem, clip
from gaiarouter.config.settings import Server, Settings
from gaiarouter.config.structure import check_structure, without
from gaiarouter.config.traces import check_traces
from gaiarouter.config.units import cpu_count

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; it wins over the environment, which wins over the file."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """settings: None if there is an error among the problems."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def load(
    path: str | os.PathLike[str],
    *,
    environ: Mapping[str, str] = _NONE,
    known_kinds: Mapping[str, bool] | None = None,
    overrides: Overrides = Overrides(),
    insecure: bool = False,
) -> Loaded:
    """Reads the file, and the `.env` beside it.

    known_kinds: the kinds of provider, and whether each needs a base_url; None leaves kinds unchecked.
    insecure: whether callers without a key may be let in from outside.
    """
    findings = Findings(os.fspath(path))
    text = read_text(FilePath(path), findings)
    document = read(text, findings) if text is not None else None
    if text is None or document is None:
        return Loaded(None, findings.sorted())
    environ = {**_dotenv(FilePath(path).parent / ".env", findings), **environ}
    given = _Given(environ, known_kinds, overrides, insecure, _fingerprint(text.encode()), os.path.abspath(path))
    return _settings(document, given, Findings(findings.file, document.places, findings.sorted()))


def load_mapping(
    mapping: Mapping[str, Any],
    *,
    environ: Mapping[str, str] = _NONE,
    known_kinds: Mapping[str, bool] | None = None,
    overrides: Overrides = Overrides(),
    insecure: bool = False,
) -> Loaded:
    """The same for data that is already here, in the shape of the file."""
    findings = Findings("configuration")
    try:
        text = orjson.dumps(mapping, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        findings.error((), f"holds what a file could not: {error}")
        return Loaded(None, findings.sorted())
    given = _Given(environ, known_kinds, overrides, insecure, _fingerprint(text), None)
    return _settings(Document(orjson.loads(text)), given, findings)


def load_settings(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    environ: Mapping[str, str] = _NONE,
    known_kinds: Mapping[str, bool] | None = None,
    overrides: Overrides = Overrides(),
    insecure: bool = False,
) -> Settings:
    """Settings or ConfigError, from a path or a mapping."""
    if isinstance(source, Mapping):
        loaded = load_mapping(source, environ=environ, known_kinds=known_kinds, overrides=overrides, insecure=insecure)
    else:
        loaded = load(source, environ=environ, known_kinds=known_kinds, overrides=overrides, insecure=insecure)
    return settings_of(loaded)


def settings_of(loaded: Loaded) -> Settings:
    """Raises ConfigError."""
    if loaded.settings is None:
        raise ConfigError(loaded.problems)
    return loaded.settings


@dataclass(frozen=True, slots=True)
class _Given:
    """All that the file itself does not say."""

    environ: Mapping[str, str]
    known_kinds: Mapping[str, bool] | None
    overrides: Overrides
    insecure: bool
    fingerprint: str
    path: str | None


def _settings(document: Document, given: _Given, findings: Findings) -> Loaded:
    if not isinstance(document.data, dict):
        findings.error((), "found no mapping at the top, expected `providers`, `routes` and the rest")
        return Loaded(None, findings.sorted())
    expanded = expand(document.data, given.environ, findings)
    unusable = check_structure(expanded, document.refused, findings)
    data = without(expanded.data, unusable)
    overrides = _overrides(given, findings)
    admin_key, pepper = read_secrets(given.environ, findings)
    _check_meaning(data, document, expanded, given, overrides, findings)
    if any(problem.severity == "error" for problem in findings.sorted()):
        return Loaded(None, findings.sorted())
    settings = build_settings(data, expanded.variables, findings)
    settings = replace(
        settings,
        server=_override(settings.server, overrides),
        auth=replace(settings.auth, admin_key=admin_key, pepper=pepper),
        fingerprint=given.fingerprint,
        path=given.path,
    )
    return Loaded(settings, findings.sorted())


def _check_meaning(
    data: dict[str, Any],
    document: Document,
    expanded: Expanded,
    given: _Given,
    overrides: Overrides,
    findings: Findings,
) -> None:
    server, routes = data.get("server", {}), data.get("routes", [])
    host = overrides.host or server.get("host", Server().host)
    required = data.get("auth", {}).get("required", True)
    check_server(server, host, required=required, insecure=given.insecure, findings=findings)
    check_store(data, findings)
    written = expanded.data.get("providers")
    named: dict[str, Any] = written if isinstance(written, dict) else {}
    check_providers(data.get("providers", {}), named, given.known_kinds, findings)
    # a provider with an error in it is still one that a target may name
    check_routes(routes, named, findings)
    check_route_edits(routes, document.traps, findings)
    check_waits(data, findings)
    check_traces(data, findings)
    check_secrets(document.data, findings)
    if not routes and "routes" not in expanded.data:
        findings.warning((), "has no `routes`: every request is answered 404")


def _overrides(given: _Given, findings: Findings) -> Overrides:
    """The command line's words, completed by the environment's."""
    environ, flags = given.environ, given.overrides
    port = _number("GAIAROUTER_PORT", 65535, environ, findings)
    workers: int | None
    if environ.get("GAIAROUTER_WORKERS") == "auto":
        workers = cpu_count()
    else:
        workers = _number("GAIAROUTER_WORKERS", 256, environ, findings)
    return Overrides(
        host=flags.host or environ.get("GAIAROUTER_HOST") or None,
        port=flags.port or port,
        workers=flags.workers or workers,
    )


def _number(name: str, most: int, environ: Mapping[str, str], findings: Findings) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= most:
        return int(text)
    findings.add(Problem(name, 0, 0, "", f"found {clip(text)!r}, expected a whole number from 1 to {most}"))
    return None


def _override(server: Server, overrides: Overrides) -> Server:
    return replace(
        server,
        host=overrides.host or server.host,
        port=overrides.port or server.port,
        workers=overrides.workers or server.workers,
    )


def read_text(path: FilePath, findings: Findings) -> str | None:
    """Of a file of the configuration or of its tests; None, and a problem, where it cannot be had."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        findings.add(Problem(findings.file, 0, 0, "", f"cannot be read: {error.strerror}"))
        return None
    if len(content) > MAX_BYTES:
        findings.add(Problem(findings.file, 0, 0, "", "is larger than 1 MiB"))
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        findings.add(Problem(findings.file, line, column, "", "found a byte that is not UTF-8"))
        return None


def _dotenv(path: FilePath, findings: Findings) -> dict[str, str]:
    """The variables of a `.env` file, if there is one; the process's own environment is left alone."""
    if not path.is_file():
        return {}
    beside = Findings(str(path))
    text = read_text(path, beside)
    for problem in beside.sorted():
        findings.add(problem)
    variables: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text or "")):
        if binding.error:
            message = "found a line that is no NAME=value; it is left out"
            findings.add(Problem(str(path), binding.original.line, 1, "", message, "warning"))
        elif binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    return variables


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
