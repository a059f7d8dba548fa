"""An answer without usage, counted with the extra `tokens` installed."""

from __future__ import annotations

import asyncio

import pytest

from gaiarouter.ledger.tokenizer import PACKAGE
from tests.gateway.faults import DONE, FINISH, chunk_of, completion
from tests.gateway.running import Starter
from tests.support.script import Script, json_answer, sse, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

# ` hello` and ` world` are a token each of the vocabulary's, and one and a half by the estimate
SAID, TOKENS, ESTIMATE = " hello world" * 10, 20, 30
LOADED_S = 30.0


def silent_about_usage(request: Received) -> Script:
    if request.json().get("stream"):
        pieces = [sse(chunk_of(word)) for word in SAID.replace(" ", "| ").split("|")[1:]]
        return sse_answer([*pieces, FINISH, DONE])
    return json_answer(completion(SAID, usage=None))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_record_has_the_tokenizer_s_count_once_it_is_loaded(
    start: Starter, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr("gaiarouter.ledger.tokenizer.PACKAGE", PACKAGE)
    async with ScriptedUpstream(silent_about_usage) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        found = []
        async with asyncio.timeout(LOADED_S):
            while not found or found[-1] != TOKENS:
                assert (await gateway.chat("alone", stream=stream)).status == 200
                record = (await gateway.records())[-1]
                assert record["estimated"] == 1
                found.append(record["out_visible"])
    assert set(found) <= {ESTIMATE, TOKENS}


async def test_without_the_extra_it_is_the_estimate(start: Starter) -> None:
    async with ScriptedUpstream(silent_about_usage) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        for _ in range(2):
            assert (await gateway.chat("alone", stream=True)).status == 200
        assert [each["out_visible"] for each in await gateway.records()] == [ESTIMATE, ESTIMATE]
