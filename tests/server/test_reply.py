"""A caller that is gone in the very moment in which its answer begins."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gaiarouter.errors import CallerGone
from gaiarouter.server.reply import HttpReply
from tests.pipeline.scripted import Clock, exchange


def _reply(request: web.Request) -> HttpReply:
    reply = HttpReply(request, Clock())
    reply.attach(exchange(Clock()))
    return reply


def _lost_at_the_head() -> web.Request:
    """Its connection breaks when the head is written."""
    writer = mock.Mock()
    for method in ("write_headers", "write", "write_eof"):
        setattr(writer, method, mock.AsyncMock(side_effect=ConnectionResetError("closing")))
    return make_mocked_request("POST", "/", writer=writer)


def _lost_before() -> web.Request:
    request = make_mocked_request("POST", "/")
    request.protocol.transport = None
    request._transport = None  # type: ignore[attr-defined]  # as of a connection that is gone
    return request


@pytest.mark.parametrize("lost", [_lost_at_the_head, _lost_before])
async def test_a_stream_whose_caller_leaves_as_it_begins_ends_like_any_other(lost: Any) -> None:
    """The server gives the slot back after `close`: an error here would keep it for ever."""
    reply = _reply(lost())
    with pytest.raises(CallerGone) as gone:
        await reply.send(b"data: x\n\n")
    await reply.fail(gone.value)
    await reply.written()
    reply.close()


@pytest.mark.parametrize("lost", [_lost_at_the_head, _lost_before])
async def test_an_answer_whose_caller_leaves_as_it_begins_ends_like_any_other(lost: Any) -> None:
    reply = _reply(lost())
    await reply.answer(b"{}")
    await reply.written()
    reply.close()
