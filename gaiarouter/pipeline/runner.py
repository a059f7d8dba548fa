"""Runs a request through the stages.

`request()` goes down the list until a stage raises; `finish()` then goes down the whole list, always, synchronously:
a caller's hang-up (CancelledError) cannot skip it, and a stage whose `request()` never ran is finished too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from gaiarouter.pipeline.exchange import Exchange

_log = structlog.get_logger("gaiarouter.pipeline")


class Stage:
    """Has both verbs or one of them: what it leaves out is not called."""

    async def request(self, exchange: Exchange) -> None:
        """The stage's work, or a GatewayError that ends the request."""

    def finish(self, exchange: Exchange) -> None:
        """Called exactly once for every request, however it ended. Never waits; looks before it settles."""


class Stages:
    """In their order, by what they have to do."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.requested: Final = tuple(stage for stage in stages if type(stage).request is not Stage.request)
        self.finished: Final = tuple(stage for stage in stages if type(stage).finish is not Stage.finish)


async def run(stages: Stages, exchange: Exchange) -> None:
    try:
        for stage in stages.requested:
            await stage.request(exchange)
    except asyncio.CancelledError as error:
        exchange.error = exchange.cut_short or error
        if exchange.cut_short is None:
            raise
        # the gateway ended it, not the caller: the caller is still there to be told
        asyncio.current_task().uncancel()  # type: ignore[union-attr]  # a coroutine that runs is in a task
        raise exchange.cut_short from None
    except BaseException as error:
        exchange.error = error
        raise
    finally:
        for stage in stages.finished:
            try:
                stage.finish(exchange)
            except Exception:  # noqa: BLE001  # one stage's bug must not starve the next of its finish()
                _log.exception("stage.finish_failed", stage=type(stage).__name__, request_id=exchange.request_id)
