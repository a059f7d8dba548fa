"""The settings beside `model_list`: what has a counterpart, and a sentence for each that has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gaiarouter.config.litellm.report import Report
from gaiarouter.config.litellm.source import duration_of, mapping_of, number_of, text_of, variable

_LOGS = "LiteLLM's callbacks: here every request is one line of the log, and GET /metrics is always on"
_CACHE = "answers are not cached; providers' prompt caches stay warm by a route's `affinity`"
_SPEND = "spend is counted by the ledger: GET /v1/usage and `gaiarouter reconcile`"
_KEYS = "keys and their limits are made with `gaiarouter keys` and /v1/api-keys"
_TAGS = "requests are not routed by tags"
_ALERTS = "alerts are Prometheus rules over GET /metrics"
_LOGIN = "callers and admins have keys; there is no other log-in"

SECTIONS: Final[Mapping[str, str]] = {
    "guardrails": "there are no guardrails",
    "policies": "there are no guardrails",
    "policy_attachments": "there are no guardrails",
    "callback_settings": _LOGS,
    "finetune_settings": "fine-tuning endpoints are not served",
    "files_settings": "file endpoints are not served",
    "batch_settings": "batch endpoints are not served",
    "mcp_servers": "the gateway is no MCP server",
    "mcp_tools": "the gateway is no MCP server",
    "vector_store_registry": "there are no vector stores",
    "search_tools": "the gateway does not search; providers' own web search is passed on",
    "sandbox_tools": "the gateway runs no tools",
    "agents": "there are no agents",
    "agent_list": "there are no agents",
    "prompts": "prompts are not kept; a route may put a `transform.system` before a conversation",
    "assistant_settings": "the Assistants endpoints are not served",
    "default_team_settings": _LOGS,
}
_LITELLM: Final[Mapping[str, str]] = {
    **dict.fromkeys(("callbacks", "success_callback", "failure_callback", "service_callbacks"), _LOGS),
    **dict.fromkeys(("langfuse_default_tags", "turn_off_message_logging", "redact_user_api_key_info"), _LOGS),
    **dict.fromkeys(("cache", "enable_caching_on_provider_specific_optional_params"), _CACHE),
    **dict.fromkeys(("max_budget", "budget_duration", "max_user_budget", "max_end_user_budget"), _KEYS),
    **dict.fromkeys(("default_internal_user_params", "default_key_generate_params", "key_generation_settings"), _KEYS),
    "upperbound_key_generate_params": _KEYS,
    "default_team_settings": _LOGS,
    "require_auth_for_metrics_endpoint": "GET /metrics may be moved to an address of its own: `server.admin_listen`",
    "modify_params": "the translators say what they change in `x-gaia-dropped`",
}
_ROUTER: Final[Mapping[str, str]] = {
    **dict.fromkeys(("enable_tag_filtering", "tag_filtering_match_any"), _TAGS),
    **dict.fromkeys(("cache_responses", "cache_kwargs", "caching_groups", "client_ttl"), _CACHE),
    "retry_policy": "retries follow the kind of failure by themselves: `retry` says how many",
    "allowed_fails_policy": "breakers count the provider's faults alone: `breaker` says how many",
    "disable_cooldowns": "breakers are always on; `breaker.failures` may be 1000",
    "enable_pre_call_checks": "a conversation that is too long is noticed by the provider's answer",
    "routing_strategy_args": "strategies have no settings here",
    "stream_timeout": "`timeouts.first_byte` is one for streams and whole answers",
    "optional_pre_call_checks": "sticky routing is a route's `affinity`",
    "alerting_config": _ALERTS,
}
_GENERAL: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("alerting", "alerting_threshold", "alert_types", "alerting_args", "alert_to_webhook_url"), _ALERTS
    ),
    **dict.fromkeys(
        ("custom_auth", "enable_jwt_auth", "litellm_jwtauth", "enable_oauth2_auth", "ui_access_mode"), _LOGIN
    ),
    **dict.fromkeys(("disable_spend_logs", "disable_spend_updates", "store_prompts_in_spend_logs"), _SPEND),
    **dict.fromkeys(("proxy_batch_write_at", "use_redis_transaction_buffer", "disable_reset_budget"), _SPEND),
    **dict.fromkeys(("proxy_budget_rescheduler_min_time", "proxy_budget_rescheduler_max_time"), _SPEND),
    "pass_through_endpoints": "paths of your own that go to any address",
    "store_model_in_db": "the routing table is the file; it is reloaded when it changes",
    "max_parallel_requests": "the gateway limits keys, organizations and itself, not a provider",
    "background_health_checks": "health is known from requests; no model is called to find out",
    "health_check_interval": "health is known from requests; no model is called to find out",
    "allowed_routes": "a key's permissions and `models` say what it may do",
    "key_management_system": "secrets come from the environment, or a file .env",
    "key_management_settings": "secrets come from the environment, or a file .env",
    "completion_model": "a request names its model",
}
_WORDS: Final = {"litellm_settings": _LITELLM, "router_settings": _ROUTER, "general_settings": _GENERAL}
_SILENT: Final[Mapping[str, frozenset[str]]] = {
    "litellm_settings": frozenset(
        {"drop_params", "set_verbose", "json_logs", "telemetry", "force_ipv4", "cache_params"}
    ),
    "router_settings": frozenset({"set_verbose", "debug_level", "redis_host", "redis_port", "redis_password"}),
    "general_settings": frozenset(
        {
            "master_key",
            "database_url",
            "coordination_redis",
            "database_connection_pool_limit",
            "database_connection_timeout",
        }
        | {"allow_requests_on_db_unavailable", "infer_model_from_keys", "database_connection_pool_timeout"}
    ),
}
"""Taken elsewhere, or nothing that anybody misses."""

Sections = Mapping[str, Mapping[str, Any]]


def settings(sections: Sections, report: Report, longest_chain: int) -> dict[str, Any]:
    """The blocks that are no providers and no routes. longest_chain: links of a route behind its targets."""
    written = _store(sections, report)
    if defaults := _defaults(sections, longest_chain, report):
        written["defaults"] = defaults
    _note_keys(sections, report)
    for section, words in _WORDS.items():
        for name, value in sections[section].items():
            if name not in _TAKEN and name not in _SILENT[section] and value not in (None, False):
                report.left_out((section, name), words.get(name, "not known to this import"))
    return written


_TAKEN: Final = frozenset(
    {"fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks", "model_group_alias"}
    | {"routing_strategy", "num_retries", "request_timeout", "timeout", "cooldown_time", "allowed_fails", "redis_url"}
    | {"global_max_parallel_requests", "maximum_spend_logs_retention_period"}
)


def _store(sections: Sections, report: Report) -> dict[str, Any]:
    general, written = sections["general_settings"], dict[str, Any]()
    if most := number_of(general.get("global_max_parallel_requests")):
        written["server"] = {"max_requests": max(int(most), 1)}
        at = ("general_settings", "global_max_parallel_requests")
        report.differs(at, "`server.max_requests` holds for each worker, and `server.max_pending_requests` may wait")
    if general.get("database_url"):
        url = general["database_url"]
        written["store"] = "${DATABASE_URL}" if variable(url) is None else text_of(url)
        at = ("general_settings", "database_url")
        report.differs(at, "give it a database of its own: keys, teams and spend do not come along")
    if redis := _redis(sections):
        written["redis"] = redis
    if keep := general.get("maximum_spend_logs_retention_period"):
        written["ledger"] = {"keep": text_of(keep)}
    return written


def _redis(sections: Sections) -> str | None:
    router = sections["router_settings"]
    cached = mapping_of(sections["litellm_settings"].get("cache_params"))
    shared = mapping_of(sections["general_settings"].get("coordination_redis"))
    said = {
        **{key: shared.get(key) for key in _REDIS},
        **{key: cached[key] for key in _REDIS if cached.get("type") == "redis" and cached.get(key)},
        **{key: router[f"redis_{key}"] for key in _REDIS if router.get(f"redis_{key}")},
    }
    if said["url"]:
        return text_of(said["url"])
    host, port, password = said["host"], said["port"] or 6379, said["password"]
    if not host:
        return None
    user = f":{text_of(password) if variable(password) else '${REDIS_PASSWORD}'}@" if password else ""
    return f"redis://{user}{text_of(host)}:{text_of(port)}/0"


_REDIS: Final = ("url", "host", "port", "password")


def _defaults(sections: Sections, longest_chain: int, report: Report) -> dict[str, Any]:
    router, litellm = sections["router_settings"], sections["litellm_settings"]
    written: dict[str, Any] = {}
    wait = number_of(router.get("timeout", litellm.get("request_timeout")))
    if wait:
        written["timeouts"] = {"first_byte": duration_of(wait)}
        if wait > _TOTAL_S:
            written["timeouts"]["total"] = duration_of(wait)
    retries = number_of(router.get("num_retries", litellm.get("num_retries")))
    if retries is not None:
        per_target = min(int(retries) + 1, _MOST_TRIES)
        written["retry"] = {"attempts": min(per_target + longest_chain, _MOST_TRIES), "per_target": per_target}
        section = "router_settings" if "num_retries" in router else "litellm_settings"
        report.differs((section, "num_retries"), "`retry.attempts` counts all tries of a request, fallbacks too")
    elif longest_chain >= _TRIES:
        written["retry"] = {"attempts": min(longest_chain + 1, _MOST_TRIES)}
    breaker = {}
    if (fails := number_of(router.get("allowed_fails", litellm.get("allowed_fails")))) is not None:
        breaker = {"failures": min(int(fails) + 1, 1000), "window": "1m"}
    if rest := number_of(router.get("cooldown_time")):
        breaker["cooldown"] = duration_of(rest)
    return {**written, "breaker": breaker} if breaker else written


_TOTAL_S: Final = 900
_TRIES: Final = 3
_MOST_TRIES: Final = 20
"""What our file says when nothing is said, and the most it takes."""


def _note_keys(sections: Sections, report: Report) -> None:
    general = sections["general_settings"]
    if general.get("master_key"):
        name = variable(general["master_key"]) or "it"
        report.differs(
            ("general_settings", "master_key"),
            f"an admin's key is GAIAROUTER_ADMIN_KEY in the environment (32 characters or more) instead of {name}; "
            "callers' keys are made with `gaiarouter keys create`",
        )
    else:
        report.differs((), "without a master_key LiteLLM lets everybody in; here a caller has a key (`auth.required`)")
    if sections["litellm_settings"].get("drop_params") is not True:
        report.differs(
            (),
            "fields that a provider cannot take are left out and named in x-gaia-dropped, as with drop_params: true; "
            "`unsupported: error` on a route refuses them",
        )
