"""Callers of Messages, Responses and Gemini before a provider of their own format: every recorded interaction.

The provider must get the caller's bytes but for the model's name, odd spacing and members that nobody knows too, and
the caller the provider's.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gaiarouter.dialects.kept.handles import Handles, Marking
from gaiarouter.store.keys import parse
from tests.recorded import Interaction, interactions
from tests.replay.test_recorded_chat import Outcome as Got
from tests.replay.test_recorded_chat import Replay, error_verdict, told_of_error
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.upstream import ScriptedUpstream

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
ALIAS, MODEL = "the-callers-name-of-it", "the-providers-name-of-it"
MARK = re.compile(rb'_g[\w-]{16}"')
"""Behind the id of an answer that its provider keeps."""
HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "never-heard-of-2031-01-01", "openai-beta": "x=1"}


@dataclass(frozen=True, slots=True)
class Format:
    """endpoint: as tests/recorded calls it. kind: of a provider that speaks it."""

    endpoint: str
    kind: str
    path: str
    stream_path: str
    headers: tuple[str, ...] = ()


FORMATS = {
    "Messages": Format(
        "messages",
        "anthropic",
        "/v1/messages?beta=true",
        "/v1/messages?beta=true",
        ("anthropic-version", "anthropic-beta"),
    ),
    "Responses": Format("responses", "openai", "/v1/responses", "/v1/responses", ("openai-beta",)),
    "Gemini": Format(
        "generate",
        "google",
        f"/v1beta/models/{ALIAS}:generateContent",
        f"/v1beta/models/{ALIAS}:streamGenerateContent?alt=sse",
    ),
}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Replay, ScriptedUpstream, RunningGateway]]:
    now = Replay()
    kinds = {each.kind for each in FORMATS.values()}
    async with ScriptedUpstream(now.script) as upstream:
        config = {
            "providers": {kind: {"dialect": kind, "base_url": upstream.url("/v1"), "api_key": "k"} for kind in kinds},
            "routes": [
                {"match": f"{ALIAS}-{kind}", "targets": [{"provider": kind, "model": MODEL}]} for kind in sorted(kinds)
            ]
            + [{"match": ALIAS, "targets": [{"provider": "google", "model": MODEL}]}],
            "defaults": {"retry": {"attempts": 1}},
            "limits": {"requests": "unlimited", "tokens": "unlimited"},
        }
        async with running_gateway(config, tmp_path) as gateway:
            yield now, upstream, gateway


def recorded(name: str) -> list[Interaction]:
    """Requests of conversations: a few recordings are of other paths of the same API. Streams that came as an array go
    another way: the gateway asks for events."""
    return [
        each
        for each in interactions(endpoint=FORMATS[name].endpoint)
        if isinstance(each.request, dict) and each.request.keys() & {"messages", "input", "contents"}
        if not each.body.lstrip().startswith(b"[") and each.answer_base64 is None
        if not each.request.keys() & {"models", "provider"}  # wishes to a gateway, which this one fulfils itself
    ]


def sent_by_caller(interaction: Interaction, kind: str) -> bytes:
    """With what no gateway knows, and not spelt as ours would."""
    model = {} if kind == "google" else {"model": f"{ALIAS}-{kind}"}
    body = {**interaction.request, **model, "never_heard_of": {"b": [1.0, "é"], "a": None}}
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


@pytest.mark.parametrize("name", FORMATS)
async def test_every_recorded_interaction_passes_byte_for_byte(
    name: str, stage: tuple[Replay, ScriptedUpstream, RunningGateway]
) -> None:
    now, upstream, gateway = stage
    form, found, wrong = FORMATS[name], Counter[str](), []
    marking = await marking_of(gateway, form.kind)
    for interaction in recorded(name):
        before = interaction.request.get("previous_response_id")
        now.interaction = interaction
        upstream.requests.clear()
        gateway.gateway.health.forget(form.kind)  # an earlier recording's refused key must not rest this one
        sent = sent_by_caller(interaction, form.kind)
        body = sent if before is None else sent.replace(before.encode(), marking(before).encode())
        path = form.stream_path if interaction.is_stream else form.path
        async with gateway.post(path, data=body, headers={"content-type": "application/json", **HEADERS}) as response:
            told = MARK.sub(b'"', await response.read())
            got = Got(response.status, told, upstream.requests[0].body if upstream.requests else None)
        said = verdict(interaction, got, sent.replace(f'"{ALIAS}-{form.kind}"'.encode(), f'"{MODEL}"'.encode()))
        if upstream.requests and any(upstream.requests[0].headers[each] != HEADERS[each] for each in form.headers):
            said = "a header was lost"
        found[said] += 1
        if said not in ("same", "error"):
            wrong.append(f"{interaction}: {said}")
    assert not wrong, wrong[:3]
    count = found["same"] + found["error"]
    assert f"| {name} | {count} | {found['same']} | {found['error']} |" in PAGE.read_text().splitlines()


async def marking_of(gateway: RunningGateway, kind: str) -> Marking:
    """How the test's key is told of answers that this provider keeps."""
    secret = await gateway.gateway.store.secret("handles", b"", now_us=0)
    parsed = parse(gateway.key)
    assert parsed is not None
    return Handles(secret).marking(issuer=kind, owner=parsed.id)


def verdict(interaction: Interaction, got: Got, wanted: bytes) -> str:
    """`same` if all is as it must be, `error` if the caller is truly told of an error; else what is wrong."""
    if got.upstream_body != wanted:
        return f"the provider got another request: {got.status} {got.body[:200]!r}"
    if interaction.status >= 400:
        same = (got.status, got.body) == (interaction.status, interaction.body)
        return "same" if same else error_verdict(interaction, got)
    # one gateway ends these streams with a word that the format does not have
    if got.status == 200 and got.body == interaction.body.removesuffix(b"data: [DONE]\n\n"):
        return "same"
    return "error" if told_of_error(got) else f"another answer: {got.status} {got.body[-200:]!r}"
