"""Google's cloud: what Google's and Anthropic's own clients send there is what the gateway sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from anthropic import AnthropicVertex
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from gaiarouter.canonical.parts import Bucket, Image
from gaiarouter.canonical.request import CanonicalRequest, Turn
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Provider, ProviderKey
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.gemini import head as gemini
from gaiarouter.dialects.gemini.counting import GeminiCount
from gaiarouter.dialects.messages import head as messages
from gaiarouter.providers import PROFILES
from gaiarouter.providers.base import UpstreamRequest
from gaiarouter.providers.endpoint import compile_provider
from gaiarouter.providers.request import request_for
from gaiarouter.providers.targets import compile_targets

PLACE = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
ASKED: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
KEY = ProviderKey(Secret("token"), 0)


def sent(kind: str, operation: str, body: bytes, *, headers: dict[str, str], stream: bool = False) -> UpstreamRequest:
    endpoint = compile_provider(Provider(name="p", kind=kind, base_url=PLACE), PROFILES[kind])[operation]
    return request_for(endpoint, key=KEY, model="m-1@20", body=body, headers=headers, stream=stream, request_id="r")


def by_anthropic(call: Callable[[AnthropicVertex], object]) -> httpx2.Request:
    """What Anthropic's own client for Vertex sends."""
    seen: list[httpx2.Request] = []

    def answered(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(400, json={"type": "error", "error": {"type": "invalid_request_error", "message": "x"}})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answered)) as http,
        AnthropicVertex(project_id="p", region="us-east5", access_token="token", http_client=http) as client,
        pytest.raises(Exception, match="x"),
    ):
        call(client)
    return seen[0]


@pytest.mark.parametrize("stream", [False, True])
def test_claude_is_asked_as_anthropics_own_client_asks(stream: bool) -> None:
    official = by_anthropic(lambda client: client.messages.create(model="m-1@20", stream=stream, **ASKED))
    body = json.dumps({"model": "any"} | ASKED | {"stream": stream}).encode()
    request = messages.read_request(body, Envelope(headers={"anthropic-version": "2026-10-21", "anthropic-beta": "b"}))
    ours = sent(
        "vertex-anthropic",
        "messages",
        request.body_for(model="m-1@20", ask_usage=False),
        headers=dict(request.forwarded),
        stream=stream,
    )
    assert ours.url == str(official.url).replace("@", "%40")
    assert json.loads(ours.body) == json.loads(official.content)
    assert ours.headers["authorization"] == official.headers["authorization"]
    assert ours.headers["anthropic-beta"] == "b"
    assert "anthropic-version" not in ours.headers


def test_claudes_tokens_are_counted_as_anthropics_own_client_counts_them() -> None:
    official = by_anthropic(
        lambda client: client.messages.count_tokens(model="m-1@20", messages=[{"role": "user", "content": "Hi"}])
    )
    body = json.dumps({"model": "m-1@20", "messages": ASKED["messages"]}).encode()
    ours = sent("vertex-anthropic", "messages.count_tokens", body, headers={"anthropic-version": "2026-10-21"})
    assert ours.url == str(official.url)
    assert json.loads(ours.body) == json.loads(official.content)


def test_an_older_version_has_another_name_there() -> None:
    ours = sent("vertex-anthropic", "messages", b'{"model":"m"}', headers={"anthropic-version": "2023-06-01"})
    assert ours.body == b'{"anthropic_version":"vertex-2023-10-16"}'


def by_google(call: Callable[[genai.Client], object]) -> httpx2.Request:
    """What Google's own client sends to its cloud."""
    seen: list[httpx2.Request] = []

    def answered(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(400, json={"error": {"code": 400, "message": "x", "status": "INVALID_ARGUMENT"}})

    with httpx2.Client(transport=httpx2.MockTransport(answered)) as http:
        client = genai.Client(
            vertexai=True,
            project="p",
            location="us-east5",
            credentials=Credentials(token="token"),  # no secret
            http_options=types.HttpOptions(httpx_client=http, api_version="v1"),
        )
        with pytest.raises(Exception, match="x"):
            call(client)
    return seen[0]


@pytest.mark.parametrize("stream", [False, True])
def test_gemini_is_asked_as_googles_own_client_asks(stream: bool) -> None:
    def ask(client: genai.Client) -> object:
        models = client.models
        if stream:
            return list(models.generate_content_stream(model="m-1@20", contents="Hi"))
        return models.generate_content(model="m-1@20", contents="Hi")

    official = by_google(ask)
    request = gemini.read_request(official.content, Envelope(model="any", stream=stream))
    body = request.body_for(model="m-1@20", ask_usage=False)
    ours = sent("vertex", "gemini", body, headers={}, stream=stream)
    assert ours.url == str(official.url).replace("@", "%40")
    assert ours.body == official.content
    assert ours.headers["authorization"] == official.headers["authorization"]


def test_geminis_tokens_are_counted_as_googles_own_client_counts_them() -> None:
    official = by_google(lambda client: client.models.count_tokens(model="m-1@20", contents="Hi"))
    whole = json.dumps(json.loads(official.content) | {"toolConfig": {}}).encode()
    body = GeminiCount().body_of(whole, model="m-1@20")
    ours = sent("vertex", "gemini.count_tokens", body, headers={})
    assert ours.url == str(official.url).replace("@", "%40")
    assert json.loads(ours.body) == json.loads(official.content)


def test_its_storage_is_read_by_gemini_there_and_tiers_are_not_known() -> None:
    target = compile_targets(Provider(name="p", kind="vertex", base_url=PLACE), PROFILES["vertex"])["gemini"]
    turn = Turn(role="user", parts=(Image(source=Bucket("gs://b/a.png")),))
    request = CanonicalRequest(dialect="chat", model="m", turns=(turn,), tier="flex", paths={"tier": "service_tier"})
    prepared = target.prepare(request, model="gemini-2.5-flash", strict=False)
    body = json.loads(prepared.body)
    assert body["contents"][0]["parts"] == [{"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}}]
    assert "serviceTier" not in body
    assert [loss.path for loss in prepared.losses] == ["service_tier"]
