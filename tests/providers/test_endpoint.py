"""Where each provider is called, and how. The expected addresses are from the vendors' documentation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter import __version__
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Provider, ProviderKey, Settings
from gaiarouter.errors import NotFound
from gaiarouter.providers import PROFILES, known_kinds
from gaiarouter.providers.base import Endpoint
from gaiarouter.providers.endpoint import compile_provider, endpoints
from gaiarouter.providers.request import request_for

KEY = ProviderKey(Secret("k-123"), 0)


def chat(kind: str, **given: Any) -> Endpoint:
    """Where Chat, or the provider's own format, is sent to."""
    spoken = compile_provider(Provider(name="p", kind=kind, **given), PROFILES[kind])
    return spoken.get("chat") or next(iter(spoken.values()))


# kind, configured base_url: the address of chat completions, the header of the key
BEARER, API_KEY, X_API_KEY = ("authorization", "Bearer k-123"), ("api-key", "k-123"), ("x-api-key", "k-123")
X_GOOG_API_KEY = ("x-goog-api-key", "k-123")
CASES: dict[tuple[str, str | None], tuple[str, tuple[str, str]]] = {
    ("openai", None): ("https://api.openai.com/v1/chat/completions", BEARER),
    ("openai", "http://gpu:8000/v1/"): ("http://gpu:8000/v1/chat/completions", BEARER),
    ("openai", "https://gw.example/llm/v4"): ("https://gw.example/llm/v4/chat/completions", BEARER),
    ("openrouter", None): ("https://openrouter.ai/api/v1/chat/completions", BEARER),
    ("anthropic", None): ("https://api.anthropic.com/v1/messages", X_API_KEY),
    ("anthropic", "https://api.anthropic.com"): ("https://api.anthropic.com/v1/messages", X_API_KEY),
    ("anthropic", "https://api.anthropic.com/v1"): ("https://api.anthropic.com/v1/messages", X_API_KEY),
    ("anthropic", "https://gw.example/anthropic/"): ("https://gw.example/anthropic/v1/messages", X_API_KEY),
    ("google", None): (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent",
        X_GOOG_API_KEY,
    ),
    ("google", "https://generativelanguage.googleapis.com/v1beta"): (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent",
        X_GOOG_API_KEY,
    ),
    ("google", "https://generativelanguage.googleapis.com/v1"): (
        "https://generativelanguage.googleapis.com/v1/models/gemini-x:generateContent",
        X_GOOG_API_KEY,
    ),
    ("google", "https://gw.example/google/"): (
        "https://gw.example/google/v1beta/models/gemini-x:generateContent",
        X_GOOG_API_KEY,
    ),
    ("azure", "https://res.openai.azure.com"): ("https://res.openai.azure.com/openai/v1/chat/completions", API_KEY),
    ("azure", "https://res.openai.azure.com/"): ("https://res.openai.azure.com/openai/v1/chat/completions", API_KEY),
    ("azure", "https://res.openai.azure.com/openai"): (
        "https://res.openai.azure.com/openai/v1/chat/completions",
        API_KEY,
    ),
    ("azure", "https://res.openai.azure.com/openai/v1/"): (
        "https://res.openai.azure.com/openai/v1/chat/completions",
        API_KEY,
    ),
    ("groq", None): ("https://api.groq.com/openai/v1/chat/completions", BEARER),
    ("mistral", None): ("https://api.mistral.ai/v1/chat/completions", BEARER),
    ("deepseek", None): ("https://api.deepseek.com/chat/completions", BEARER),
    ("deepseek", "https://api.deepseek.com/beta"): ("https://api.deepseek.com/beta/chat/completions", BEARER),
    ("xai", None): ("https://api.x.ai/v1/chat/completions", BEARER),
    ("together", None): ("https://api.together.xyz/v1/chat/completions", BEARER),
    ("fireworks", None): ("https://api.fireworks.ai/inference/v1/chat/completions", BEARER),
    ("cerebras", None): ("https://api.cerebras.ai/v1/chat/completions", BEARER),
    ("perplexity", None): ("https://api.perplexity.ai/chat/completions", BEARER),
    ("huggingface", None): ("https://router.huggingface.co/v1/chat/completions", BEARER),
    ("ollama", None): ("http://127.0.0.1:11434/v1/chat/completions", BEARER),
    ("ollama", "http://box:11434"): ("http://box:11434/v1/chat/completions", BEARER),
    ("lmstudio", None): ("http://127.0.0.1:1234/v1/chat/completions", BEARER),
    ("vllm", "http://vllm.internal:8000/v1"): ("http://vllm.internal:8000/v1/chat/completions", BEARER),
    ("sglang", "http://box:30000/v1"): ("http://box:30000/v1/chat/completions", BEARER),
    ("llamacpp", "http://box:8080/v1"): ("http://box:8080/v1/chat/completions", BEARER),
    ("vertex", "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4"): (
        (
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4"
            "/publishers/google/models/gemini-x:generateContent"
        ),
        BEARER,
    ),
    ("vertex", "https://aiplatform.googleapis.com/v1/projects/p/locations/global/"): (
        (
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global"
            "/publishers/google/models/gemini-x:generateContent"
        ),
        BEARER,
    ),
    ("vertex-anthropic", "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"): (
        (
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
            "/publishers/anthropic/models/gemini-x:rawPredict"
        ),
        BEARER,
    ),
}


def test_every_kind_has_a_case() -> None:
    assert {kind for kind, _ in CASES} | {"echo"} == set(PROFILES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1] or ''}")
def test_chat_is_called_where_the_vendor_says(case: tuple[str, str | None]) -> None:
    kind, base_url = case
    url, (name, value) = CASES[case]
    request = request_for(chat(kind, base_url=base_url), key=KEY, model="gemini-x", body=b"{}", request_id="r-1")
    assert request.url == url
    assert request.body == (b'{"anthropic_version":"vertex-2023-10-16"}' if kind == "vertex-anthropic" else b"{}")
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": f"gaiarouter/{__version__}",
        "x-request-id": "r-1",
        name: value,
    }


@pytest.mark.parametrize(
    "base_url",
    ["https://res.openai.azure.com", "https://res.openai.azure.com/openai", "https://res.openai.azure.com/openai/v1"],
)
def test_azure_with_a_version_takes_the_model_in_the_path(base_url: str) -> None:
    endpoint = chat("azure", base_url=base_url, api_version="2025-01-01-preview")
    request = request_for(endpoint, key=KEY, model="my gpt-4o", body=b"{}", request_id="r")
    assert request.url == (
        "https://res.openai.azure.com/openai/deployments/my%20gpt-4o/chat/completions?api-version=2025-01-01-preview"
    )


@given(st.text())
def test_a_model_in_a_path_never_leaves_its_place_in_it(model: str) -> None:
    endpoint = chat("azure", base_url="https://res.example", api_version="2025-01-01")
    before, after = "https://res.example/openai/deployments/", "/chat/completions?api-version=2025-01-01"
    try:
        url = request_for(endpoint, key=None, model=model, body=b"", request_id="r").url
    except NotFound:
        return
    assert url.startswith(before)
    assert url.endswith(after)
    place = url[len(before) : -len(after)]
    assert place not in ("", ".", "..")
    assert not set("/?#@\\ \r\n") & set(place)
    assert place.isascii()


@pytest.mark.parametrize("model", ["", ".", "..", "a/b", "a?b", "a#b", "a\\b", "a\nb", "a\0b", "\ud800"])
def test_a_name_that_cannot_stand_in_a_path_is_not_found(model: str) -> None:
    endpoint = chat("azure", base_url="https://res.example", api_version="2025-01-01")
    with pytest.raises(NotFound):
        request_for(endpoint, key=None, model=model, body=b"", request_id="r")


def test_a_provider_without_a_key_is_sent_none() -> None:
    request = request_for(chat("ollama"), key=None, model="m", body=b"", request_id="r")
    assert not {"authorization", "api-key"} & request.headers.keys()


def test_configured_headers_go_along_but_do_not_change_what_the_body_is() -> None:
    given = {"X-Title": "Team", "User-Agent": "team/1", "Content-Type": "text/plain", "Authorization": "Bearer other"}
    request = request_for(chat("openrouter", headers=given), key=KEY, model="m", body=b"", request_id="r")
    assert request.headers["x-title"] == "Team"
    assert request.headers["user-agent"] == "team/1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer k-123"
    assert all(name == name.lower() for name in request.headers)


def test_openai_speaks_its_formats_each_at_its_own_path() -> None:
    compiled = compile_provider(Provider(name="p", kind="openai"), PROFILES["openai"])
    assert {name: endpoint.url.removeprefix("https://api.openai.com/v1") for name, endpoint in compiled.items()} == {
        "chat": "/chat/completions",
        "responses": "/responses",
        "completions": "/completions",
        "embeddings": "/embeddings",
        "responses.count_tokens": "/responses/input_tokens",
        "moderations": "/moderations",
        "images": "/images/generations",
        "speech": "/audio/speech",
        "transcriptions": "/audio/transcriptions",
        "images.edits": "/images/edits",
        "transcriptions.translations": "/audio/translations",
    }


def test_speaks_narrows_what_a_server_takes() -> None:
    provider = Provider(name="p", kind="vllm", base_url="http://box/v1", speaks=("chat",))
    assert set(compile_provider(provider, PROFILES["vllm"])) == {"chat"}


def test_endpoints_are_by_provider_and_by_the_dialects_that_it_speaks() -> None:
    settings = Settings(
        providers={
            "anthropic": Provider(name="anthropic", kind="anthropic"),
            "demo": Provider(name="demo", kind="echo"),
            "vectors": Provider(name="vectors", kind="vllm", base_url="http://box/v1", speaks=("embeddings",)),
        }
    )
    found = endpoints(settings)
    assert {name: set(spoken) for name, spoken in found.items()} == {
        "anthropic": {"messages", "messages.count_tokens"},
        "demo": {"chat"},
        "vectors": {"embeddings"},
    }
    assert (found["demo"]["chat"].provider, found["demo"]["chat"].transport) == ("demo", "echo")


def test_only_servers_without_an_address_of_their_own_need_a_base_url() -> None:
    needing = {kind for kind, needs in known_kinds().items() if needs}
    assert needing == {"azure", "vllm", "sglang", "llamacpp", "vertex", "vertex-anthropic"}
    assert set(known_kinds()) == set(PROFILES)


def test_a_stream_is_asked_for_usage_only_where_the_field_is_known() -> None:
    assert {kind for kind, profile in PROFILES.items() if not profile.asks_usage} == {"mistral", "perplexity"}


def test_a_key_is_never_shown_with_its_endpoint() -> None:
    provider = Provider(name="p", kind="openai", keys=(KEY,))
    assert "k-123" not in repr(compile_provider(provider, PROFILES["openai"]))
