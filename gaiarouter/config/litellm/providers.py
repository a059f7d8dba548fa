"""The endpoints of all deployments become `providers:`, each under a name that says who it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from gaiarouter.config.litellm.deployments import Deployment, Endpoint
from gaiarouter.config.litellm.report import Report
from gaiarouter.config.litellm.source import VARIABLE

_COMMON_LABELS: Final = frozenset({"api", "www", "llm", "inference", "gateway"})
_ENDINGS: Final = re.compile(r"_(API_BASE|BASE_URL|API_URL|ENDPOINT|BASE|URL)$")


def name_providers(deployments: Sequence[Deployment]) -> Mapping[Endpoint, str]:
    """A provider whose key is in the environment takes its plain name before those with one in the file."""
    endpoints = sorted(dict.fromkeys(each.endpoint for each in deployments), key=lambda each: each.literal is not None)
    wanted = Counter(_plain_name(endpoint) for endpoint in endpoints)
    names: dict[Endpoint, str] = {}
    for endpoint in endpoints:
        plain = _plain_name(endpoint)
        is_alone = wanted[plain] == 1 or endpoint.base_url == endpoint.vendor.base_url
        name = plain if is_alone or plain == _address_name(endpoint) else f"{plain}-{_address_name(endpoint)}"
        names[endpoint] = _free(name, names.values())
    return names


def providers(
    deployments: Sequence[Deployment], names: Mapping[Endpoint, str], report: Report
) -> dict[str, dict[str, Any]]:
    taken = {name for endpoint in names for name in VARIABLE.findall(f"{endpoint.key} {endpoint.base_url}")}
    block: dict[str, dict[str, Any]] = {}
    for endpoint, name in names.items():
        own = [each for each in deployments if each.endpoint == endpoint]
        entry: dict[str, Any] = {} if name == endpoint.vendor.kind else {"dialect": endpoint.vendor.kind}
        if endpoint.base_url is not None:
            entry["base_url"] = endpoint.base_url
        if endpoint.literal is not None:
            variable = _free_variable(name, taken)
            entry["api_key"] = f"${{{variable}:-}}"
            at = (*own[0].path, "litellm_params", "api_key")
            report.differs(at, f"a key in the file: put it into the environment, or a file .env, as {variable}")
        elif endpoint.key is not None:
            entry["api_key"] = endpoint.key
        if endpoint.api_version is not None:
            entry["api_version"] = endpoint.api_version
        if endpoint.headers:
            entry["headers"] = dict(endpoint.headers)
        if prices := list(_prices(own)):
            entry["prices"] = prices
        block[name] = entry
    return block


def _plain_name(endpoint: Endpoint) -> str:
    """A server of one's own that speaks as OpenAI does is no OpenAI: its address names it."""
    if endpoint.vendor.name == "openai" and endpoint.base_url not in (None, "https://api.openai.com/v1"):
        return _address_name(endpoint)
    return endpoint.vendor.name.replace("_", "-")


def _address_name(endpoint: Endpoint) -> str:
    base = endpoint.base_url or ""
    if found := VARIABLE.search(base):
        return _ENDINGS.sub("", found[1]).lower().replace("_", "-")
    host = urlsplit(base).hostname or ""
    if not host:
        return "key"
    if host == "localhost" or re.fullmatch(r"[0-9.]+|.*:.*", host):
        return "local"
    labels = [label for label in host.split(".") if label not in _COMMON_LABELS]
    return re.sub(r"[^a-z0-9-]", "-", labels[0])[:40]


def _free(name: str, taken: Any) -> str:
    known, count, free = set(taken), 1, name
    while free in known:
        count += 1
        free = f"{name}-{count}"
    return free


def _free_variable(name: str, taken: set[str]) -> str:
    free = _free(re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_API_KEY", taken)
    variable = free.replace("-", "_")
    taken.add(variable)
    return variable


def _prices(deployments: Sequence[Deployment]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for each in deployments:
        if each.prices and each.model not in seen:
            seen.add(each.model)
            yield {"match": each.model, "input": 0, **each.prices}
