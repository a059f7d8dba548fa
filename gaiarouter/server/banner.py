"""What a start says: what is on, what is off and why, and where to look next."""

from __future__ import annotations

import shlex

from gaiarouter.config.settings import Provider, Settings


def banner(settings: Settings, *, version: str, store: str, first_key: str | None) -> str:
    """A few lines for a person. first_key: shown here once, and never again."""
    scheme = "http" if settings.server.tls is None else "https"
    address = f"{scheme}://{_host(settings.server.host)}:{settings.server.port}"
    host, port = settings.server.admin_listen or (settings.server.host, settings.server.port)
    operators = f"{scheme}://{_host(host)}:{port}"
    lines = [
        f"GaiaRouter {version} listens on {address}",
        _row("routes", ", ".join(route.name for route in settings.routes) or "none: every model answers 404"),
        _row("on", _providers(settings, on=True)),
        _row("off", _providers(settings, on=False)),
        _row("store", store),
        _row("look at", f"{address}/health  {operators}/metrics  `gaiarouter explain MODEL`  `gaiarouter --help`"),
        _row("manage", f"{operators}/docs"),
    ]
    if not settings.auth.required:
        lines.append(_row("auth", "OFF: whoever reaches this address may call models (auth.required: false)"))
    if first_key is not None:
        lines.append(_row("first key", f"{first_key}   (shown once; more: `gaiarouter keys create --name NAME`)"))
        lines.append(_row("try it", _curl(address, settings, first_key)))
    return "\n".join(lines)


def _row(name: str, text: str) -> str:
    return f"  {name:<10} {text}"


def _providers(settings: Settings, *, on: bool) -> str:
    return ", ".join(_provider(one) for one in settings.providers.values() if (one.off is None) is on) or "no provider"


def _provider(provider: Provider) -> str:
    return provider.name if provider.off is None else f"{provider.name} ({provider.off})"


def _host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _curl(address: str, settings: Settings, key: str) -> str:
    model = next((route.name for route in reversed(settings.routes) if not set(route.name) & set("*?[")), "demo")
    body = f'{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}'
    return (
        f"curl -sN {address}/v1/chat/completions -H {shlex.quote('authorization: Bearer ' + key)} "
        f"-H 'content-type: application/json' -d {shlex.quote(body)}"
    )
