"""`traces:` of the file: whether it means something, and what it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from gaiarouter.config.addresses import fault_of_base_url, goes_in_clear
from gaiarouter.config.problems import Findings
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Traces
from gaiarouter.config.units import parse_share


def check_traces(data: Mapping[str, Any], findings: Findings, *, installed: bool | None = None) -> None:
    """installed: whether what makes traces is there; None looks."""
    given = data.get("traces")
    if given is None:
        return
    if not (is_installed() if installed is None else installed):
        message = "need the extra `otel`, which is not installed: pip install 'gaiarouter[otel]'"
        findings.error(("traces",), message, at_key=True)
    endpoint = given.get("endpoint")
    if endpoint is not None:
        if fault_of_base_url(endpoint):
            message = "found no address of a collector, expected one such as http://collector:4318"
            findings.error(("traces", "endpoint"), message)
        elif goes_in_clear(endpoint):
            findings.warning(("traces", "endpoint"), "goes in clear text to a public address: expected https://")
    for name, value in given.get("headers", {}).items():
        if not value.isascii() or not value.isprintable():
            findings.error(("traces", "headers", name), "has a character that may not stand in a header")


def is_installed() -> bool:
    return find_spec("opentelemetry") is not None and all(
        find_spec(f"opentelemetry.{name}") is not None for name in ("sdk", "exporter")
    )


def build_traces(given: Mapping[str, Any]) -> Traces:
    default = Traces(given["endpoint"])
    return Traces(
        endpoint=given["endpoint"],
        sample=parse_share(given["sample"]) if "sample" in given else default.sample,
        follow_callers=given.get("follow_callers", default.follow_callers),
        # an empty one stands for a variable that is not set
        headers={name.lower(): Secret(value) for name, value in given.get("headers", {}).items() if value},
        service=given.get("service", default.service),
        attributes=dict(given.get("attributes", {})),
    )
