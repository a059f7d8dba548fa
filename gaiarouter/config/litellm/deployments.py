"""One entry of LiteLLM's `model_list`: whom it calls, under which name, and what it says of its requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gaiarouter.config.litellm.report import Report
from gaiarouter.config.litellm.source import list_of, mapping_of, number_of, text_of, variable
from gaiarouter.config.litellm.vendors import CLOUDS, VENDORS, Vendor, split_model
from gaiarouter.config.problems import Path

REQUEST_FIELDS: Final = frozenset(
    {"temperature", "top_p", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "stop"}
    | {"seed", "user", "n", "response_format", "reasoning_effort", "tools", "tool_choice", "parallel_tool_calls"}
    | {"logit_bias", "logprobs", "top_logprobs", "thinking", "dimensions", "encoding_format", "verbosity"}
    | {"service_tier"}
)
"""Fields of a request that an entry may set for requests without them."""

_PRICES: Final = (
    ("input_cost_per_token", "input"),
    ("output_cost_per_token", "output"),
    ("cache_read_input_token_cost", "cache_read"),
    ("cache_creation_input_token_cost", "cache_write"),
    ("output_cost_per_reasoning_token", "reasoning"),
    ("input_cost_per_audio_token", "input_audio"),
)
_READ: Final = frozenset(
    {"model", "custom_llm_provider", "api_base", "base_url", "api_key", "api_version", "organization", "headers"}
    | {"extra_headers", "extra_body", "weight", "order", "rpm", "tpm", "timeout", "stream_timeout", "drop_params"}
    | {"additional_drop_params", "litellm_credential_name", "vertex_project", "vertex_location", "vertex_credentials"}
    | {name for name, _ in _PRICES}
)
_WORDS: Final[Mapping[str, str]] = {
    "max_retries": "retries are counted for a route (`retry`), not for a deployment",
    "num_retries": "retries are counted for a route (`retry`), not for a deployment",
    "tags": "requests are not routed by tags: give each tag a model name of its own, and keys their `models`",
    "mock_response": "made-up answers: a provider with `dialect: echo` answers by itself",
    "mock_timeout": "made-up failures: `gaiarouter test` plays them",
    "max_parallel_requests": "the gateway limits keys, organizations and itself, not a provider",
    "max_budget": "budgets are for keys and organizations",
    "budget_duration": "budgets are for keys and organizations",
    "cache_control_injection_points": "the gateway does not put cache marks into requests",
    "guardrails": "there are no guardrails",
    "use_in_pass_through": "vendors' own endpoints are served for every route",
    "region_name": "a region is part of the provider's `base_url`",
    "auto_router_config": "routing by the content of a request",
    "allowed_openai_params": "unknown fields go to the provider where the formats agree",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Two deployments with the same one share a provider. Texts are as our file writes them.

    key: the provider's `api_key`; None where none is sent. literal: the key itself, where the file held it.
    headers: pairs, so that endpoints compare.
    """

    vendor: Vendor
    base_url: str | None
    key: str | None
    literal: str | None = field(default=None, repr=False)
    api_version: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """`path` is its place in the file. Times are in seconds, prices by token class in dollars for a million."""

    name: str
    path: Path
    endpoint: Endpoint
    model: str
    weight: float | None
    order: float
    timeout: float | None
    default: Mapping[str, Any]
    always: Mapping[str, Any]
    drop: tuple[str, ...]
    prices: Mapping[str, float]


def deployment(entry: Any, path: Path, credentials: Mapping[str, Any], report: Report) -> Deployment | None:
    """None, and a note of why, for what cannot be served here."""
    if not isinstance(entry, dict) or not isinstance(entry.get("litellm_params"), dict):
        report.left_out(path, "no deployment: expected model_name and litellm_params")
        return None
    parameters, info = _parameters(entry, path, credentials, report), mapping_of(entry.get("model_info"))
    name = str(entry.get("model_name") or parameters.get("model"))
    found = _endpoint(parameters, (*path, "litellm_params"), report)
    if found is None:
        return None
    endpoint, model = found
    limits = {key: entry.get(key, parameters.get(key)) for key in ("rpm", "tpm")}
    _note_rest(parameters, info, limits, path, report)
    return Deployment(
        name=name,
        path=path,
        endpoint=endpoint,
        model=model,
        weight=next(filter(None, map(number_of, (parameters.get("weight"), *limits.values()))), None),
        order=number_of(parameters.get("order")) or 0.0,
        timeout=number_of(parameters.get("timeout")),
        default={key: value for key, value in parameters.items() if key in REQUEST_FIELDS and value is not None},
        always=mapping_of(parameters.get("extra_body")),
        drop=tuple(str(field) for field in list_of(parameters.get("additional_drop_params"))),
        prices=_prices({**info, **parameters}),
    )


def _parameters(entry: Mapping[str, Any], path: Path, credentials: Mapping[str, Any], report: Report) -> dict[str, Any]:
    own = {key: value for key, value in entry["litellm_params"].items() if value is not None}
    named = own.get("litellm_credential_name")
    if named is not None and named not in credentials:
        report.differs((*path, "litellm_params"), f"no credential {named!r} stands in credential_list")
    return {**credentials.get(str(named), {}), **own}


def _endpoint(parameters: Mapping[str, Any], path: Path, report: Report) -> tuple[Endpoint, str] | None:
    given = parameters.get("custom_llm_provider")
    named = str(parameters.get("model", ""))
    provider, model = split_model(named, str(given) if given else None)
    if model == "*" and provider is None:
        report.left_out((*path, "model"), "every model of every provider: write a route for each provider")
    elif provider is not None and provider in CLOUDS:
        report.left_out((*path, "model"), CLOUDS[provider])
    elif provider == "azure_ai":
        return _azure_ai(parameters, model, path, report)
    elif provider in ("vertex_ai", "vertex_ai_beta"):
        return _vertex(parameters, model, path, report)
    elif provider is not None and provider in VENDORS:
        return _plain(VENDORS[provider], parameters, model, path, report)
    elif provider is not None and _base(parameters):
        report.differs((*path, "model"), f"{provider!r} is taken to speak as OpenAI does, at the address that is given")
        return _plain(Vendor(provider, "openai"), parameters, model, path, report)
    elif provider is not None:
        report.left_out((*path, "model"), f"the provider {provider!r} is not known here")
    else:
        report.left_out((*path, "model"), f"nothing says whose model {named!r} is: write it as PROVIDER/MODEL")
    return None


def _plain(
    vendor: Vendor, parameters: Mapping[str, Any], model: str, path: Path, report: Report
) -> tuple[Endpoint, str] | None:
    base = _base(parameters)
    if vendor.kind in ("azure", "vllm") and base is None:
        report.left_out((*path, "model"), "no address: set api_base")
        return None
    if vendor.kind == "huggingface":
        report.differs((*path, "model"), "Hugging Face's router names models as ORGANIZATION/MODEL:PROVIDER")
    headers = {**mapping_of(parameters.get("headers")), **mapping_of(parameters.get("extra_headers"))}
    if organization := parameters.get("organization"):
        headers["OpenAI-Organization"] = organization
    version = parameters.get("api_version")
    default = None if base is not None and vendor.kind == "openai" else vendor.key
    key, literal = _key(parameters.get("api_key"), default)
    endpoint = Endpoint(
        vendor=vendor,
        base_url=base or vendor.base_url,
        key=key,
        literal=literal,
        api_version=text_of(version) if version and vendor.kind == "azure" else None,
        headers=tuple(sorted((str(name), text_of(value)) for name, value in headers.items())),
    )
    return endpoint, model


def _azure_ai(parameters: Mapping[str, Any], model: str, path: Path, report: Report) -> tuple[Endpoint, str] | None:
    base = _base(parameters)
    if base is None:
        report.left_out((*path, "model"), "no address: set api_base")
        return None
    key, literal = _key(parameters.get("api_key"), "AZURE_AI_API_KEY")
    if model.startswith("claude"):
        bare = base.rstrip("/").removesuffix("/v1/messages").removesuffix("/anthropic")
        return Endpoint(Vendor("azure-anthropic", "anthropic"), f"{bare}/anthropic", key, literal), model
    report.differs((*path, "api_base"), "taken to speak as OpenAI does: it should end where /chat/completions begins")
    return Endpoint(Vendor("azure-ai", "openai"), base, key, literal), model


def _vertex(parameters: Mapping[str, Any], model: str, path: Path, report: Report) -> tuple[Endpoint, str] | None:
    if not model.startswith(("gemini", "claude", "*")):
        report.left_out((*path, "model"), "of Vertex AI, Gemini's and Claude's models are served")
        return None
    location = text_of(parameters.get("vertex_location", "us-central1"))
    project = text_of(parameters.get("vertex_project", "os.environ/VERTEXAI_PROJECT"))
    host = "aiplatform.googleapis.com" if location == "global" else f"{location}-aiplatform.googleapis.com"
    report.differs(
        (*path, "model"),
        "Vertex AI is called with an access token in ${VERTEX_ACCESS_TOKEN}, which lasts an hour and which you renew",
    )
    kind = "vertex-anthropic" if model.startswith("claude") else "vertex"
    base = f"https://{host}/v1/projects/{project}/locations/{location}"
    return Endpoint(Vendor(kind, kind), base, "${VERTEX_ACCESS_TOKEN:-}"), model


def _base(parameters: Mapping[str, Any]) -> str | None:
    base = parameters.get("api_base") or parameters.get("base_url")
    return text_of(base).rstrip("/") if base else None


def _key(given: object, default: str | None) -> tuple[str | None, str | None]:
    """As our file writes it, and the key itself where it stood in the file: that gets a variable later."""
    if given is None or given == "":
        return (f"${{{default}:-}}" if default else None), None
    if variable(given):
        return text_of(given, may_miss=True), None
    return None, str(given)


def _prices(said: Mapping[str, Any]) -> Mapping[str, float]:
    prices = {ours: number_of(said.get(theirs)) for theirs, ours in _PRICES}
    return {name: round(price * 1e6, 6) for name, price in prices.items() if price is not None}


def _note_rest(
    parameters: Mapping[str, Any], info: Mapping[str, Any], limits: Mapping[str, Any], path: Path, report: Report
) -> None:
    at = (*path, "litellm_params")
    for name, value in limits.items():
        if value is not None:
            place = (*at, name) if name in parameters else (*path, name)
            report.differs(place, "taken as a weight alone: the gateway limits keys and organizations, not a provider")
    if "stream_timeout" in parameters:
        report.differs((*at, "stream_timeout"), "`timeouts.first_byte` is one for streams and whole answers")
    if info.get("base_model") is not None:
        report.differs((*path, "model_info"), "prices go by the name at the provider: set `prices` where it differs")
    if info.get("access_groups"):
        report.left_out((*path, "model_info", "access_groups"), "a key's `models` says which it may use")
    if "per_second" in " ".join([*parameters, *info]):
        report.left_out(path, "prices by the second")
    for name in parameters:
        if name not in _READ and name not in REQUEST_FIELDS and not name.endswith("_per_second"):
            report.left_out((*at, name), _WORDS.get(name, "not known to this import"))
