"""Every stage is finished exactly once, however the request ended."""

from __future__ import annotations

import asyncio

import pytest

from gaiarouter.errors import InvalidRequest, Unavailable
from gaiarouter.pipeline import STAGES, Admission, Auth, Booking, Metering, Proxy, RateLimit, Recording, Transform
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage, Stages, run
from tests.pipeline.scripted import Clock, exchange


class Recorder(Stage):
    """A stage that notes what is asked of it. fault: what its request() raises. sour: its finish() raises too."""

    def __init__(self, name: str, trace: list[str], *, fault: BaseException | None = None, sour: bool = False) -> None:
        self._name = name
        self._trace = trace
        self._fault = fault
        self._sour = sour

    async def request(self, exchange: Exchange) -> None:
        self._trace.append(f"request {self._name}")
        if self._fault is not None:
            raise self._fault

    def finish(self, exchange: Exchange) -> None:
        self._trace.append(f"finish {self._name}: {type(exchange.error).__name__}")
        if self._sour:
            raise ValueError("a bug in a finish")


class Waiter(Recorder):
    """A stage that waits until it is cancelled."""

    async def request(self, exchange: Exchange) -> None:
        await super().request(exchange)
        await asyncio.Event().wait()


def test_the_stages_stand_in_the_order_of_time() -> None:
    assert (Admission, Auth, Recording, RateLimit, Transform, Booking, Proxy, Metering) == STAGES


async def test_a_request_goes_down_the_list_and_finish_too() -> None:
    trace: list[str] = []
    await run(Stages([Recorder("a", trace), Recorder("b", trace)]), exchange(Clock()))
    assert trace == ["request a", "request b", "finish a: NoneType", "finish b: NoneType"]


class Gate(Stage):
    """Has nothing to finish."""

    async def request(self, exchange: Exchange) -> None:
        exchange.admitted = True


class Counter(Stage):
    """Has nothing to do before the end."""

    ended = 0

    def finish(self, exchange: Exchange) -> None:
        self.ended += 1


@pytest.mark.parametrize("fault", [None, InvalidRequest("no")])
async def test_a_stage_may_have_one_verb_only(fault: BaseException | None) -> None:
    gate, last, made = Gate(), Counter(), exchange(Clock())
    running = run(Stages([gate, Recorder("a", [], fault=fault), last]), made)
    if fault is None:
        await running
    else:
        with pytest.raises(type(fault)):
            await running
    assert made.admitted
    assert last.ended == 1


@pytest.mark.parametrize(
    "fault",
    [InvalidRequest("no"), RuntimeError("bug"), asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()],
    ids=lambda fault: type(fault).__name__,
)
async def test_what_a_stage_raises_ends_the_request_and_finishes_all(fault: BaseException) -> None:
    trace: list[str] = []
    made = exchange(Clock())
    stages = [Recorder("a", trace), Recorder("b", trace, fault=fault), Recorder("c", trace)]
    with pytest.raises(type(fault)) as caught:
        await run(Stages(stages), made)
    assert caught.value is fault
    assert made.error is fault
    name = type(fault).__name__
    assert trace == ["request a", "request b", f"finish a: {name}", f"finish b: {name}", f"finish c: {name}"]


@pytest.mark.parametrize("fault", [None, InvalidRequest("no"), asyncio.CancelledError()])
async def test_a_finish_that_fails_starves_no_other(fault: BaseException | None) -> None:
    trace: list[str] = []
    stages = [Recorder(name, trace, sour=True) for name in "ab"] + [Recorder("c", trace, fault=fault)]
    if fault is None:
        await run(Stages(stages), exchange(Clock()))
    else:
        with pytest.raises(type(fault)):
            await run(Stages(stages), exchange(Clock()))
    assert [line.partition(":")[0] for line in trace[-3:]] == ["finish a", "finish b", "finish c"]


async def test_a_caller_that_hangs_up_cancels_and_is_finished() -> None:
    trace: list[str] = []
    made = exchange(Clock())
    task = asyncio.create_task(run(Stages([Waiter("a", trace)]), made))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(made.error, asyncio.CancelledError)
    assert trace == ["request a", "finish a: CancelledError"]


async def test_what_the_gateway_cuts_short_ends_with_its_words_and_no_cancellation() -> None:
    """The caller is still there to be told, so the task goes on."""
    trace: list[str] = []
    made = exchange(Clock())
    told: list[object] = []

    async def serve() -> None:
        try:
            await run(Stages([Waiter("a", trace)]), made)
        except Unavailable as error:
            await asyncio.sleep(0)  # would raise if the task were still being cancelled
            told.append(error.code)

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    made.cut_short = Unavailable("The gateway is shutting down.", code="draining")
    task.cancel()
    await task
    assert told == ["draining"]
    assert task.cancelling() == 0
    assert made.error is made.cut_short
    assert trace == ["request a", "finish a: Unavailable"]
