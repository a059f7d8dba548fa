"""What the dashboard shows, as a table. grafana.py makes Grafana's JSON of it, picture.py a picture.

Queries take the variables `$job`, `$instance` and `$route`. The grid has 24 columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6

I = 'job="$job", instance=~"$instance"'  # noqa: E741
R = f'{I}, route=~"$route"'
RECORDED = 'job="$job", route=~"$route"'
WINDOW = "[$__rate_interval]"

GREEN, YELLOW, RED = "green", "#EAB839", "red"


@dataclass(frozen=True, slots=True)
class Panel:
    """kind: stat, timeseries, state-timeline or table. queries: each with its legend. unit: Grafana's id of it.

    limits: from which value on it is yellow, and red. words: what a number is shown as, with its colour.
    """

    kind: str
    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    width: int = HALF
    stacked: bool = False
    limits: tuple[float, float] | None = None
    words: dict[str, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None


def rate(metric: str, by: str, where: str = I) -> str:
    return f"sum by ({by}) (rate(gaiarouter_{metric}{{{where}}}{WINDOW}))"


def quantile(q: float, metric: str, by: str = "", where: str = I) -> str:
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate(gaiarouter_{metric}_bucket{{{where}}}{WINDOW})))"


def stat(title: str, about: str, query: str, unit: str, limits: tuple[float, float] | None = None) -> Panel:
    return Panel("stat", title, about, ((query, ""),), unit, width=4, limits=limits)


FAILED = (
    f'sum by (code) (rate(gaiarouter_requests_total{{{R}, code_class=~"2xx|5xx", code!="ok"}}{WINDOW})'
    f' or rate(gaiarouter_requests_total{{{R}, code="upstream_rate_limited"}}{WINDOW}))'
)
REFUSED = f'gaiarouter_requests_total{{{R}, code_class="4xx", code!="upstream_rate_limited"}}'
ATTEMPTS = f'gaiarouter_upstream_attempts_total{{{I}, outcome!="ok"}}'
ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        stat("Requests", "A second, all of them.", f"sum(rate(gaiarouter_requests_total{{{R}}}{WINDOW}))", "reqps"),
        stat(
            "Failed answers",
            "5xx, streams that broke off, a provider's 429 that nobody made good. Callers' own faults do not count.",
            f"sum(job_route:gaiarouter_answers_failed:rate5m{{{RECORDED}}})"
            f" / sum(job_route:gaiarouter_answers:rate5m{{{RECORDED}}})",
            "percentunit",
            (0.005, 0.03),
        ),
        stat(
            "Time to first content, p95",
            "From sending to a provider to its first words.",
            quantile(0.95, "first_content_seconds"),
            "s",
            (5, 30),
        ),
        stat(
            "Gateway's own time, p99", "What the gateway adds.", quantile(0.99, "overhead_seconds"), "s", (0.01, 0.05)
        ),
        stat(
            "Cost",
            "US dollars an hour, at the present pace.",
            f"3600 * sum(rate(gaiarouter_cost_usd_total{{{I}}}{WINDOW}))",
            "currencyUSD",
        ),
        stat(
            "Firing alerts",
            "What each means: docs/alerts.md.",
            'count(ALERTS{alertname=~"GaiaRouter.*", alertstate="firing"}) or vector(0)',
            "none",
            (1, 3),
        ),
    ),
    "Traffic": (
        Panel(
            "timeseries",
            "Requests by route",
            "Of every outcome.",
            ((rate("requests_total", "route", R), "{{route}}"),),
            "reqps",
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Failed answers by code",
            "What callers saw that the gateway or a provider is to blame for: docs/errors.md has every code.",
            ((FAILED, "{{code}}"),),
            "reqps",
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Share of failed answers",
            "Of each route, over five minutes. The service level is 0.5 %.",
            ((f"job_route:gaiarouter_answers_failed:ratio_rate5m{{{RECORDED}}}", "{{route}}"),),
            "percentunit",
            limits=(0.005, 0.072),
        ),
        Panel(
            "timeseries",
            "Refused to callers",
            "What the caller is to blame for: limits, budgets, keys, mistakes in a request, hanging up.",
            ((f"sum by (code) (rate({REFUSED}{WINDOW}))", "{{code}}"),),
            "reqps",
            stacked=True,
        ),
    ),
    "Latency": (
        Panel(
            "timeseries",
            "Time to first content",
            "From sending to a provider to the first words, or to a whole answer.",
            (
                (quantile(0.5, "first_content_seconds", "provider"), "{{provider}} p50"),
                (quantile(0.95, "first_content_seconds", "provider"), "{{provider}} p95"),
            ),
            "s",
            width=THIRD,
        ),
        Panel(
            "timeseries",
            "Time of whole answers, p95",
            "From a request's head to the end of its answer.",
            ((quantile(0.95, "request_duration_seconds", "route, stream", R), "{{route}} stream={{stream}}"),),
            "s",
            width=THIRD,
        ),
        Panel(
            "timeseries",
            "Gateway's own time",
            "What the gateway adds until the first byte: usual are one or two milliseconds.",
            (
                (quantile(0.5, "overhead_seconds"), "p50"),
                (quantile(0.95, "overhead_seconds"), "p95"),
                (quantile(0.99, "overhead_seconds"), "p99"),
            ),
            "s",
            width=THIRD,
        ),
    ),
    "Tokens and cost": (
        Panel(
            "timeseries",
            "Tokens a second by class",
            "A second: read fresh, read from a cache, written to one, answered, thought.",
            ((rate("tokens_total", "class"), "{{class}}"),),
            "short",
            width=THIRD,
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Cost an hour by model",
            "US dollars an hour.",
            ((f"3600 * {rate('cost_usd_total', 'provider, model')}", "{{provider}}/{{model}}"),),
            "currencyUSD",
            width=THIRD,
            stacked=True,
        ),
        Panel(
            "table",
            "Models in this time",
            "Tokens and cost of the time shown above. Whose they are, by organization and key, is in GET /v1/stats.",
            (
                (f"sum by (provider, model) (increase(gaiarouter_tokens_total{{{I}}}[$__range]))", "tokens"),
                (f"sum by (provider, model) (increase(gaiarouter_cost_usd_total{{{I}}}[$__range]))", "US dollars"),
                (f"sum by (provider, model) (increase(gaiarouter_unpriced_total{{{I}}}[$__range]))", "unpriced"),
            ),
            "short",
            width=THIRD,
            decimals=2,
        ),
    ),
    "Providers": (
        Panel(
            "timeseries",
            "Outcomes of attempts",
            "Tries at targets that did not get an answer, by provider and how they ended.",
            (
                (
                    f"sum by (provider, outcome) (rate({ATTEMPTS}{WINDOW}))",
                    "{{provider}} {{outcome}}",
                ),
            ),
            "reqps",
            width=THIRD,
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Fallbacks",
            "Moves from one target to another, and why.",
            ((rate("fallbacks_total", "from, to, reason"), "{{from}} → {{to}} ({{reason}})"),),
            "reqps",
            width=THIRD,
            stacked=True,
        ),
        Panel(
            "state-timeline",
            "Circuits",
            "A provider's worst target.",
            ((f"max by (provider) (gaiarouter_breaker_state{{{I}}})", "{{provider}}"),),
            "none",
            width=THIRD,
            words={"0": ("closed", GREEN), "1": ("half open", YELLOW), "2": ("open", RED)},
        ),
    ),
    "Streams, limits, keys": (
        Panel(
            "timeseries",
            "Streams interrupted, callers gone",
            "Half answers that providers are to blame for; callers that hung up, before their answer or in it.",
            (
                (rate("streams_interrupted_total", "provider, cause"), "{{provider}} {{cause}}"),
                (rate("client_disconnects_total", "phase"), "caller gone: {{phase}}"),
            ),
            "reqps",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Limits and budgets",
            "Refused by a limit or a budget, let in with four fifths of a budget spent, counted without Redis.",
            (
                (rate("limit_refusals_total", "limit"), "limit of {{limit}}"),
                (rate("budget_refusals_total", "scope"), "budget of the {{scope}}"),
                (rate("budget_soft_threshold_total", "scope"), "budget of the {{scope}} nearly spent"),
                (f"sum(rate(gaiarouter_limits_alone_total{{{I}}}{WINDOW}))", "counted without Redis"),
            ),
            "reqps",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Not let in",
            "Callers without a key, with a wrong one, or with too many wrong ones.",
            ((rate("auth_failures_total", "reason"), "{{reason}}"),),
            "reqps",
            width=QUARTER,
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Turned away",
            "For want of room: slots, memory, descriptors.",
            ((rate("shed_total", "reason"), "{{reason}}"),),
            "reqps",
            width=QUARTER,
            stacked=True,
        ),
    ),
    "Processes": (
        Panel(
            "timeseries",
            "In flight",
            "Requests that run now, and those that wait for one of them to end.",
            (
                (f"sum by (instance) (gaiarouter_requests_in_flight{{{I}}})", "{{instance}}"),
                (f"sum(gaiarouter_requests_pending{{{I}}})", "waiting"),
            ),
            "short",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Event loop lag, p99",
            "How late the event loop runs: every request of the process waits that long.",
            ((quantile(0.99, "event_loop_lag_seconds", "instance"), "{{instance}}"),),
            "s",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Usage records that wait",
            "Not in the store yet.",
            ((f"sum by (instance) (gaiarouter_ledger_pending{{{I}}})", "{{instance}}"),),
            "short",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Journal",
            "On disk, sent or not.",
            ((f"sum by (instance) (gaiarouter_ledger_spool_bytes{{{I}}})", "{{instance}}"),),
            "decbytes",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Connections",
            "Of callers and operators, to providers (used, and idle in the pool) and to the database.",
            (
                (f"sum by (listener) (gaiarouter_connections{{{I}}})", "{{listener}}"),
                (f"sum by (state) (gaiarouter_upstream_connections{{{I}}})", "providers, {{state}}"),
                (f"sum by (state) (gaiarouter_store_connections{{{I}}})", "database, {{state}}"),
            ),
            "short",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Memory",
            "Resident, all workers.",
            ((f"sum by (instance) (gaiarouter_memory_resident_bytes{{{I}}})", "{{instance}}"),),
            "decbytes",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "File descriptors in use",
            "Of those that a process may open.",
            (
                (
                    f"max by (instance) (gaiarouter_descriptors_open{{{I}}} / gaiarouter_descriptors_limit{{{I}}})",
                    "{{instance}}",
                ),
            ),
            "percentunit",
            width=QUARTER,
        ),
        Panel(
            "timeseries",
            "Workers and versions",
            "Processes that serve, and how many instances run which version.",
            (
                (f"sum by (instance) (gaiarouter_workers{{{I}}})", "{{instance}}"),
                (f"count by (version) (gaiarouter_build_info{{{I}}})", "version {{version}}"),
            ),
            "short",
            width=QUARTER,
        ),
        Panel(
            "state-timeline",
            "Instances",
            "Whether Prometheus reaches them.",
            ((f"up{{{I}}}", "{{instance}}"),),
            "none",
            width=THIRD,
            words={"0": ("down", RED), "1": ("up", GREEN)},
        ),
        Panel(
            "state-timeline",
            "Configuration in force",
            "Whether it is the file's.",
            ((f"min by (instance) (gaiarouter_config_last_reload_successful{{{I}}})", "{{instance}}"),),
            "none",
            width=THIRD,
            words={"0": ("older than the file", RED), "1": ("as the file", GREEN)},
        ),
        Panel(
            "state-timeline",
            "Database",
            "Whether it answers.",
            ((f"max by (instance) (gaiarouter_storage_away{{{I}}})", "{{instance}}"),),
            "none",
            width=THIRD,
            words={"0": ("answers", GREEN), "1": ("away", RED)},
        ),
    ),
}
