"""Every recorded Chat interaction, through the whole gateway over real sockets.

The recorded answer is replayed by a scripted provider; what the caller gets is compared with what was recorded, byte by
byte, and what the provider got with what the caller sent. docs/conformance.md holds the table of the results.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import PROVIDERS, Interaction, chat_interactions
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.script import Script, answer, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Replay:
    """The provider's side: answers each request with the interaction that is on."""

    interaction: Interaction | None = None

    def script(self, _: Received) -> Script:
        assert self.interaction is not None
        return recorded_answer(self.interaction)


def recorded_answer(interaction: Interaction) -> Script:
    body = interaction.body
    if interaction.is_stream:
        rng = random.Random(interaction.id)
        return sse_answer([body], cuts=sorted(rng.sample(range(len(body)), min(8, len(body)))))
    headers = {"content-type": interaction.headers.get("content-type", "application/json")}
    return answer(body, status=interaction.status, headers=headers)


def kind_of(interaction: Interaction) -> str:
    """The kind of provider that the recording is replayed as; those without a row of their own are any server."""
    return interaction.provider if interaction.provider in KINDS else "openai"


KINDS = (
    "azure",
    "cerebras",
    "deepseek",
    "groq",
    "huggingface",
    "mistral",
    "ollama",
    "openai",
    "openrouter",
    "together",
    "xai",
)
UNASKED_USAGE = ("mistral",)
"""Providers that refuse `stream_options` and send usage by themselves."""


def sent_by_caller(interaction: Interaction) -> bytes:
    kind, request = kind_of(interaction), interaction.request
    more = {"models": [f"{kind}/{each}" for each in request["models"]]} if "models" in request else {}
    return dumped({**request, "model": f"{kind}/{model_of(interaction)}", **more})


def wanted_upstream(interaction: Interaction) -> bytes:
    """What the provider must get: the recorded request, and for a stream the wish for usage."""
    body = {**interaction.request, "model": model_of(interaction)}
    if asks_for_usage(interaction):
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return dumped(body)


def asks_for_usage(interaction: Interaction) -> bool:
    """The gateway asks because the caller did not."""
    options = interaction.request.get("stream_options") or {}
    is_silent = interaction.request.get("stream") is True and not options.get("include_usage")
    return is_silent and kind_of(interaction) not in UNASKED_USAGE


def model_of(interaction: Interaction) -> str:
    return interaction.request.get("model") or "unnamed"


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def wanted_stream(interaction: Interaction) -> bytes:
    """The recorded bytes, less the usage chunk that only the gateway asked for, with the ending that Chat has."""
    text = interaction.answer
    if asks_for_usage(interaction):
        text = "".join(event + "\n\n" for event in text.split("\n\n") if event and not is_lone_usage(event))
    return text.encode() + (b"" if "data: [DONE]" in text else DONE)


def is_lone_usage(event: str) -> bool:
    data = event.removeprefix("data: ")
    chunk = json.loads(data) if data.startswith("{") else {}
    return bool(chunk.get("usage")) and chunk.get("choices") == []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller and the provider saw."""

    status: int
    body: bytes
    upstream_body: bytes | None


async def replay(gateway: RunningGateway, upstream: ScriptedUpstream, interaction: Interaction) -> Outcome:
    calls = len(upstream.requests)
    gateway.gateway.health.forget(kind_of(interaction))  # an earlier recording's refused key must not rest this one
    headers = {"content-type": "application/json"}
    async with gateway.post(data=sent_by_caller(interaction), headers=headers) as response:
        body = await response.read()
    sent = upstream.requests[-1].body if len(upstream.requests) > calls else None
    return Outcome(response.status, body, sent)


def verdict(interaction: Interaction, got: Outcome) -> str:
    """`same` if all is as it must be, `error` if the caller is truly told of an error; else what is wrong."""
    if interaction.id in OURS_TO_REFUSE:
        return "error" if got.status == 400 and got.upstream_body is None else f"not refused: {got.status}"
    if not is_wanted(got.upstream_body, interaction):
        return "the provider got another request"
    if interaction.status >= 400:
        return error_verdict(interaction, got)
    if "error_in_stream" in interaction.features:
        return "error" if told_of_error(got) else "an error inside the stream was not told"
    wanted = wanted_stream(interaction) if interaction.is_stream else interaction.body
    return "same" if (got.status, got.body) == (200, wanted) else f"another answer: {got.status} {got.body[-200:]!r}"


def is_wanted(sent: bytes | None, interaction: Interaction) -> bool:
    """The gateway itself asks other models; wishes about providers are told to a router of providers, behind the rest
    of the request."""
    wanted = wanted_upstream(interaction)
    if interaction.request.keys() & {"models", "provider"} and sent is not None:
        others = {name: value for name, value in json.loads(wanted).items() if name != "models"}
        return bool(json.loads(sent) == others)
    return sent == wanted


OURS_TO_REFUSE = {"ee660ffa8cb7"}
"""`temperature` is a string there: the gateway names the field itself instead of asking the provider."""

STATUS = {401: {502}, 403: {502}, 404: {502}, 429: {429}, 500: {502}, 400: {400, 502}}
"""What a provider's status becomes: a key of ours that is refused, or a model that a route misnames, is not the
caller's fault; and Mistral says 400 where it means that it does not know the model."""


def error_verdict(interaction: Interaction, got: Outcome) -> str:
    error = json.loads(got.body)["error"]
    text = error if isinstance(error, str) else error["message"]
    if got.status not in STATUS[interaction.status] or not text:
        return f"{interaction.status} became {got.status}"
    return "error"


def told_of_error(got: Outcome) -> bool:
    """By its status if the error came before any content was sent, else as the stream's last event."""
    if got.status != 200:
        return got.status >= 400 and "error" in json.loads(got.body)
    *_, last = got.body.strip().split(b"\n\n")
    return "error" in json.loads(last.removeprefix(b"data: "))


TABLE = Path(__file__).parents[2] / "docs" / "conformance.md"
NOT_CHAT = ("cohere", "vertex")
"""Recorded in formats of their own only."""


@pytest.fixture
async def upstream_and_gateway(tmp_path: Path) -> AsyncIterator[tuple[Replay, ScriptedUpstream, RunningGateway]]:
    now = Replay()
    async with ScriptedUpstream(now.script) as upstream:
        config = {
            "providers": {kind: {"dialect": kind, "base_url": upstream.url("/v1"), "api_key": "k"} for kind in KINDS},
            "routes": [{"match": f"{k}/*", "targets": [{"provider": k, "model": "{1}"}]} for k in KINDS],
            "defaults": {"retry": {"attempts": 1}},
            "limits": {"requests": "1M/min", "tokens": "1000M/min"},
        }
        async with running_gateway(config, tmp_path) as gateway:
            yield now, upstream, gateway


@pytest.mark.parametrize("provider", [each for each in PROVIDERS if each not in NOT_CHAT])
async def test_every_recorded_answer_reaches_the_caller_as_it_was(
    provider: str, upstream_and_gateway: tuple[Replay, ScriptedUpstream, RunningGateway]
) -> None:
    now, upstream, gateway = upstream_and_gateway
    found: Counter[tuple[bool, str]] = Counter()
    wrong: list[str] = []
    for interaction in (each for each in chat_interactions() if each.provider == provider):
        now.interaction = interaction
        said = verdict(interaction, await replay(gateway, upstream, interaction))
        found[interaction.asked_stream, said] += 1
        if said not in ("same", "error"):
            wrong.append(f"{interaction}: {said}")
    assert not wrong
    for stream in sorted({stream for stream, _ in found}):
        assert row(provider, stream, found[stream, "same"], found[stream, "error"]) in TABLE.read_text().splitlines()


def row(provider: str, stream: bool, same: int, errors: int) -> str:
    return f"| {provider} | {'yes' if stream else 'no'} | {same + errors} | {same} | {errors} |"
