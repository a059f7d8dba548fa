"""Requests besides one POST of bytes: bodies that come piece by piece, and other methods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gaiarouter.errors import InvalidRequest, TimedOut
from gaiarouter.upstream.base import UpstreamRequest
from tests.support.script import Hang, json_answer
from tests.support.upstream import ScriptedUpstream
from tests.upstream.conftest import Client, within

PIECES = [b"first", b"", b"x" * 300_000, b"last"]
WHOLE = b"".join(PIECES)


async def pieces() -> AsyncIterator[bytes]:
    for piece in PIECES:
        yield piece


@pytest.mark.parametrize("length", [None, len(WHOLE)], ids=["in chunks", "with a length"])
async def test_a_body_that_comes_piece_by_piece_arrives_whole(client: Client, length: int | None) -> None:
    async with ScriptedUpstream(json_answer({})) as upstream:
        response = await client.send(UpstreamRequest(upstream.url("/v1"), {}, pieces(), length), within())
        assert await response.read() == b"{}"
        response.close()
        (request,) = upstream.requests
    assert request.body == WHOLE
    assert request.headers.get("content-length") == (None if length is None else str(length))


async def test_a_body_that_is_slow_to_come_is_not_the_providers_silence(client: Client) -> None:
    come = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await come.wait()
        yield b"last"

    async with ScriptedUpstream(json_answer({})) as upstream:
        request = UpstreamRequest(upstream.url("/v1"), {}, slow(), 9)
        asked = asyncio.create_task(client.send(request, within(first_byte_s=0.4)))
        done, _ = await asyncio.wait([asked], timeout=0.6)
        assert not done
        come.set()
        (await asked).close()


async def test_silence_after_such_a_body_is_the_providers(client: Client) -> None:
    async with ScriptedUpstream((Hang(),)) as upstream:
        request = UpstreamRequest(upstream.url("/v1"), {}, pieces(), len(WHOLE))
        with pytest.raises(TimedOut) as caught:
            await client.send(request, within(first_byte_s=0.1))
    assert caught.value.phase == "first_byte"


async def test_what_is_wrong_with_such_a_body_is_what_the_attempt_fails_with(client: Client) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"first"
        raise InvalidRequest("The form is none")

    async with ScriptedUpstream(json_answer({})) as upstream:
        with pytest.raises(InvalidRequest, match="none"):
            await client.send(UpstreamRequest(upstream.url("/v1"), {}, broken(), 100), within())
        await upstream.client_gone()
        assert not upstream.requests


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_other_methods_go_out_without_a_body(client: Client, method: str) -> None:
    async with ScriptedUpstream(json_answer({})) as upstream:
        response = await client.send(UpstreamRequest(upstream.url("/v1/x?a=b"), {}, b"", method=method), within())
        await response.read()
        response.close()
        (request,) = upstream.requests
    assert (request.method, request.path, request.body) == (method, "/v1/x?a=b", b"")
