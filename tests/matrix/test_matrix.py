"""Every client on every provider: each cell is one call of an official library, through the gateway, to a recording.

What the library shows is held against what the official library of the provider's own vendor shows of the same
recording without the gateway. What must reach the provider is looked for in what it got.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from itertools import product
from typing import Any, Protocol

import httpx2
import pytest
import pytest_asyncio

from tests.matrix import chat, gemini, messages, responses
from tests.matrix.cells import DIALECTS, REFUSED, ROWS, WORDLESS
from tests.matrix.recordings import SIGNED_CHAT, recording, script
from tests.matrix.said import PDF, PNG, WAV, FailedError, Place, Said, Wish
from tests.support.gateway import running_gateway
from tests.support.script import Script
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Ask(Protocol):
    def __call__(self, place: Place, wish: Wish, *, stream: bool) -> Awaitable[Said]: ...


CLIENTS: dict[str, Ask] = {
    "chat": chat.ask,
    "responses": responses.ask,
    "messages": messages.ask,
    "gemini": gemini.ask,
}
MODELS = {
    "chat": "gpt-4.1",
    "responses": "gpt-5",
    "messages": "claude-sonnet-4-5",
    "gemini": "gemini-3-pro-preview",
    SIGNED_CHAT: "anthropic/claude-haiku-4.5",
}
MEDIA = {"image": PNG, "PDF": PDF, "tool results with image": PNG, "sound": WAV}
"""What the model is to see or hear."""
KINDS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "google", SIGNED_CHAT: SIGNED_CHAT}


class Stage:
    """One gateway before one scripted provider, which plays what is set here."""

    def __init__(self, gateway: Place, upstream: ScriptedUpstream, scripts: list[Script]) -> None:
        self.gateway = gateway
        self.vendor = Place(upstream.url(), "x", gateway.http)
        self.upstream = upstream
        self._scripts = scripts
        self._heard: dict[tuple[str, str, bool], Said | FailedError] = {}

    def play(self, played: Script) -> None:
        self._scripts[:] = [played]
        self.upstream.requests.clear()

    async def vendors(self, target: str, row: str, *, stream: bool) -> Said | FailedError:
        """What the library of the provider's own vendor shows, without the gateway."""
        key = (target, row, stream)
        if key not in self._heard:
            played = script(target, row, stream=stream)
            assert played is not None
            self.play(played)
            self._heard[key] = await outcome(CLIENTS[target](self.vendor, Wish("m"), stream=stream))
        return self._heard[key]

    async def callers(self, client: str, wish: Wish, *, stream: bool) -> Said | FailedError:
        return await outcome(CLIENTS[client](self.gateway, wish, stream=stream))


async def outcome(asked: Awaitable[Said]) -> Said | FailedError:
    try:
        return await asked
    except FailedError as error:
        return error


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    scripts: list[Script] = []
    async with ScriptedUpstream(lambda _: scripts[0]) as upstream:
        providers = {
            name: {"dialect": kind, "base_url": upstream.url("/v1"), "api_key": "sk-x"} for name, kind in KINDS.items()
        }
        for name in ("chat", "responses", SIGNED_CHAT):
            providers[name]["speaks"] = ["responses" if name == "responses" else "chat"]  # type: ignore[assignment]
        config = {
            "providers": providers,
            "limits": {"requests": "unlimited", "tokens": "unlimited"},
            "defaults": {"retry": {"attempts": 1}, "breaker": {"failures": 1000}},
            "routes": [
                {"match": f"to-{name}", "targets": [{"provider": name, "model": model}]}
                for name, model in MODELS.items()
            ],
        }
        folder = tmp_path_factory.mktemp("matrix")
        async with running_gateway(config, folder) as gateway, httpx2.AsyncClient(timeout=30) as http:
            yield Stage(Place(gateway.url, gateway.key, http), upstream, scripts)


def cells(*rows: str) -> list[Any]:
    """Those that can be: caller, target, row, streamed or not."""
    return [
        pytest.param(*cell, stream, id=f"{cell[0]} to {cell[1]}: {cell[2]}, {'streamed' if stream else 'whole'}")
        for cell in product(DIALECTS, DIALECTS, rows)
        for stream in (False, True)
        if cell not in REFUSED and cell[0] not in WORDLESS.get(cell[2], ())
        if script(cell[1], cell[2], stream=stream) is not None
    ]


def wish_for(target: str, row: str) -> Wish:
    place = SIGNED_CHAT if target == "chat" and row == "thinking with signature" else target
    return replace(ROWS[row], model=f"to-{place}")


def squeezed(text: str) -> str:
    """Formats part pieces of thinking in their own ways."""
    return "".join(text.split())


@pytest.mark.parametrize(
    ("client", "target", "row", "stream"),
    cells(*(row for row in ROWS if not row.startswith("error"))),
)
async def test_the_caller_is_shown_what_the_vendors_own_client_shows(
    stage: Stage, client: str, target: str, row: str, stream: bool
) -> None:
    expected = await stage.vendors(target, row, stream=stream)
    played = script(target, row, stream=stream)
    assert played is not None
    stage.play(played)
    said = await stage.callers(client, wish_for(target, row), stream=stream)
    assert isinstance(expected, Said)
    assert isinstance(said, Said), said
    assert said.calls == expected.calls
    # a refusal without a word is told in some
    assert said.text == expected.text or (row == "refusal" and not expected.text)
    assert squeezed(said.thinking) == squeezed(expected.thinking if ROWS[row].thinking else said.thinking)
    assert (said.finish, said.tokens) == (expected.finish, expected.tokens)
    (sent,) = stage.upstream.requests
    if row in MEDIA:
        assert media_in(sent.json(), MEDIA[row]) == 1
    if row == "structured output":
        json.loads(said.text)
        assert '"required":["name","population"]' in sent.body.decode().replace(" ", "")


def media_in(body: Any, data: str) -> int:
    """How often the bytes stand in a member of their own: alone, or as a data URL."""
    match body:
        case dict():
            return sum(media_in(value, data) for value in body.values())
        case list():
            return sum(media_in(value, data) for value in body)
        case str():
            found = body.translate(_STANDARD)
            return found == data or (found.startswith("data:") and found.endswith("," + data))
        case _:
            return 0


_STANDARD = str.maketrans("-_", "+/")
"""Google's library spells base64 in the other alphabet."""
_SEALED = re.compile(r'"(?:signature|encrypted_content|thoughtSignature|data)"\s*:\s*"([^"]{16,})"')


@pytest.mark.parametrize(("client", "target", "row", "stream"), cells("thinking with signature"))
async def test_the_seals_on_thinking_come_back_with_the_next_turn(
    stage: Stage, client: str, target: str, row: str, stream: bool
) -> None:
    played, recorded = script(target, row, stream=stream), recording(target, row, stream=stream)
    assert played is not None
    assert recorded is not None
    stage.play(played)
    first = await stage.callers(client, wish_for(target, row), stream=stream)
    assert isinstance(first, Said)
    again = await stage.callers(client, replace(wish_for(target, row), earlier=first), stream=stream)
    assert isinstance(again, Said), again
    seals = {seal.translate(_STANDARD) for seal in _SEALED.findall(recorded.body.decode())}
    sent = stage.upstream.requests[1].body.decode().translate(_STANDARD)
    missing = {seal for seal in seals if seal not in sent}
    # a Response seals its one piece of thinking anew in each event that holds it, and any of them will do
    assert missing < seals if recorded.endpoint == "responses" else seals and not missing


@pytest.mark.parametrize(("client", "target", "row", "stream"), cells("error before", "error in mid-stream"))
async def test_a_failure_is_the_clients_own_error_with_the_vendors_words(
    stage: Stage, client: str, target: str, row: str, stream: bool
) -> None:
    expected = await stage.vendors(target, row, stream=stream)
    played = script(target, row, stream=stream)
    assert played is not None
    stage.play(played)
    failed = await stage.callers(client, wish_for(target, row), stream=stream)
    assert isinstance(expected, FailedError), expected
    assert isinstance(failed, FailedError), failed
    assert failed.text == expected.text
    if row == "error before":
        recorded = recording(target, row, stream=False)
        assert recorded is not None
        assert failed.status == expected.status == recorded.status
        assert recorded.answer["error"]["message"] in failed.message
    else:
        assert failed.text


@pytest.mark.parametrize(("cell", "field"), REFUSED.items(), ids=str)
async def test_a_cell_that_cannot_be_is_a_400_that_names_the_field(
    stage: Stage, cell: tuple[str, str, str], field: str
) -> None:
    client, target, row = cell
    stage.upstream.requests.clear()
    failed = await stage.callers(client, wish_for(target, row), stream=False)
    assert isinstance(failed, FailedError), failed
    assert failed.status == 400
    assert f"`{field}`" in failed.message
    assert stage.upstream.requests == []
