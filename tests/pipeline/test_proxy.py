"""Targets are tried until one speaks, and none after that."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.config.settings import Retry
from gaiarouter.dialects.base import Conversion
from gaiarouter.errors import (
    Failed,
    GatewayError,
    Interrupted,
    KeyRefused,
    NotServed,
    ProtocolBroken,
    Rejected,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget
from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of, completion
from tests.pipeline.scripted import (
    BODY,
    JSON,
    SSE,
    STREAM_BODY,
    Clock,
    KeptReply,
    ScriptedResponse,
    ScriptedTarget,
    Step,
    match_of,
    proxy,
    routed,
)
from tests.support.script import sse

SAID = sse(chunk_of("hello"))
ANSWER = json.dumps(completion("hello")).encode()


def whole(clock: Clock, body: bytes = ANSWER, status: int = 200) -> ScriptedResponse:
    return ScriptedResponse(clock, status, JSON, [body])


def stream(clock: Clock, *steps: Step) -> ScriptedResponse:
    return ScriptedResponse(clock, 200, SSE, steps or (ROLE, SAID, FINISH, DONE))


async def test_the_first_target_that_answers_is_the_last_one_asked() -> None:
    clock = Clock()
    answer = whole(clock)
    target = ScriptedTarget(answer)
    made = routed(clock, BODY, match_of("main", "backup"))
    await proxy(clock, target, made).request(made)
    ((request, timeouts),) = target.asked
    assert request.url == "http://main/v1"
    assert json.loads(request.body)["model"] == "main-model"
    assert request.headers["x-request-id"] == "req_1"
    assert (timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s) == (1.0, 10.0, 5.0)
    assert [(a.provider, a.outcome) for a in made.attempts] == [("main", "ok")]
    assert made.served is not None
    assert made.served.provider == "main"
    assert answer.closed == 1


FALLS_BACK: list[tuple[str, UpstreamError | list[Step] | int]] = [
    ("refused", Unreachable("x")),
    ("silent", TimedOut("x", phase="first_byte")),
    ("broken", ProtocolBroken("x")),
    ("500", 500),
    ("429", 429),
    ("401", 401),
    ("error in the stream", [ROLE, sse({"error": {"message": "x"}})]),
    ("cut short", [ROLE]),
    ("garbage", [b"data: {\n\n"]),
    ("its share of the time is up", TimedOut("x", phase="total")),
]


@pytest.mark.parametrize(("name", "fault"), FALLS_BACK, ids=[name for name, _ in FALLS_BACK])
async def test_a_failure_before_content_moves_on_to_the_next_target(
    name: str, fault: UpstreamError | list[Step] | int
) -> None:
    clock = Clock()
    first: ScriptedResponse | UpstreamError
    match fault:
        case int():
            first = whole(clock, b"{}", fault)
        case list():
            first = stream(clock, *fault)
        case error:
            first = error
    target = ScriptedTarget(first, stream(clock))
    made = routed(clock, STREAM_BODY, match_of("main", "backup"), reply := KeptReply())
    await proxy(clock, target, made).request(made)
    assert [request.url for request, _ in target.asked] == ["http://main/v1", "http://backup/v1"]
    assert [a.provider for a in made.attempts] == ["main", "backup"]
    assert made.attempts[0].outcome != "ok"
    assert b"".join(reply.sent) == ROLE + SAID + FINISH + DONE
    if isinstance(first, ScriptedResponse):
        assert first.closed == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_the_callers_fault_ends_it(status: int) -> None:
    clock = Clock()
    target = ScriptedTarget(whole(clock, b'{"error": {"message": "bad"}}', status))
    made = routed(clock, BODY, match_of("main", "backup"))
    with pytest.raises(Rejected) as caught:
        await proxy(clock, target, made).request(made)
    assert caught.value.status == status
    assert len(target.asked) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (ProtocolBroken("x"), Interrupted, "upstream_stream_interrupted"),
        (TimedOut("x", phase="idle"), TimedOut, "stream_timeout"),
        (TimedOut("x", phase="total"), TimedOut, "deadline_exceeded"),
        (sse({"error": {"message": "x"}}), Failed, "upstream_error"),
    ],
)
async def test_after_content_nothing_is_tried_again(fault: Step, kind: type[GatewayError], code: str) -> None:
    clock = Clock()
    broken = stream(clock, ROLE, SAID, fault)
    target = ScriptedTarget(broken, stream(clock))
    made = routed(clock, STREAM_BODY, match_of("main", "backup"))
    with pytest.raises(kind) as caught:
        await proxy(clock, target, made).request(made)
    assert caught.value.code == code
    assert len(target.asked) == 1
    assert broken.closed == 1
    assert made.usage is not None


async def test_a_retry_is_within_the_budget_of_attempts() -> None:
    clock = Clock()
    target = ScriptedTarget(*(Unreachable("x") for _ in range(9)))
    made = routed(clock, BODY, match_of("main", "backup"))
    with pytest.raises(Unreachable):
        await proxy(clock, target, made).request(made)
    assert [a.provider for a in made.attempts] == ["main", "backup", "main"]


async def test_a_target_may_use_only_its_share_of_the_time_while_another_waits() -> None:
    """60 % of what is left, the last one all of it; a stream's first content at most `first_byte`."""
    clock = Clock()
    target = ScriptedTarget(Unreachable("x"), whole(clock))
    made = routed(clock, BODY, match_of("main", "backup"))
    await proxy(clock, target, made).request(made)
    assert [timeouts.deadline for _, timeouts in target.asked] == [136.0, 160.0]
    target = ScriptedTarget(stream(clock))
    made = routed(clock, STREAM_BODY, match_of("main"))
    await proxy(clock, target, made).request(made)
    assert target.asked[0][1].deadline == 110.0


async def test_only_a_stream_is_held() -> None:
    clock = Clock()
    for body, held in ((BODY, None), (STREAM_BODY, 7.0)):
        made = routed(clock, body, match_of("main"), reply := KeptReply())
        answer = whole(clock) if held is None else stream(clock)
        await proxy(clock, ScriptedTarget(answer), made).request(made)
        assert reply.held_s == held


@pytest.mark.parametrize("fault", [asyncio.CancelledError(), RuntimeError("bug")])
async def test_a_cancelled_attempt_is_recorded_and_closed(fault: BaseException) -> None:
    clock = Clock()

    class Cut(ScriptedResponse):
        async def read(self) -> bytes:
            raise fault

    answer = Cut(clock, 200, JSON, [])
    made = routed(clock, BODY, match_of("main", "backup"))
    with pytest.raises(type(fault)):
        await proxy(clock, ScriptedTarget(answer), made).request(made)
    assert [(a.provider, a.outcome, a.lost is not None) for a in made.attempts] == [("main", "cancelled", True)]
    assert answer.closed == 1


async def test_what_the_provider_may_bill_is_noted() -> None:
    clock = Clock()
    target = ScriptedTarget(Unreachable("x"), TimedOut("x", phase="first_byte"), Unreachable("x"))
    made = routed(clock, BODY, match_of("main", "backup"))
    with pytest.raises(UpstreamError):
        await proxy(clock, target, made).request(made)
    assert [a.lost is not None for a in made.attempts] == [False, True, False]


async def test_what_may_be_billed_is_what_was_sent_or_what_the_provider_told_of_it() -> None:
    """Of a stream that broke off before any content; of one that broke off in it, the request's own usage tells."""
    clock = Clock()
    told = sse({"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 2}})
    target = ScriptedTarget(stream(clock, ROLE, told), TimedOut("x", phase="first_byte"), stream(clock, ROLE, SAID))
    made = routed(clock, STREAM_BODY, match_of("main", "backup", "third"))
    made.estimated_input = 7
    with pytest.raises(UpstreamError):
        await proxy(clock, target, made).request(made)
    assert [each.lost for each in made.attempts] == [
        Usage(in_uncached=40, out_visible=2),
        Usage(in_uncached=7, estimated=True),
        None,
    ]
    assert made.usage is not None


async def test_who_hangs_up_during_a_pause_has_cost_nothing() -> None:
    clock = Clock()
    target = ScriptedTarget(Unreachable("x"), whole(clock))
    match = match_of("main")
    match = replace(match, route=replace(match.route, retry=Retry(backoff_s=30.0, max_backoff_s=30.0)))
    made = routed(clock, BODY, match)
    task = asyncio.create_task(proxy(clock, target, made).request(made))
    while len(made.attempts) < 1:  # noqa: ASYNC110  # the pause before the second try announces nothing
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(each.outcome, each.lost) for each in made.attempts] == [("connect_error", None), ("cancelled", None)]


async def test_who_hangs_up_while_the_request_is_translated_has_cost_nothing() -> None:
    clock = Clock()
    made = routed(clock, BODY, match_of("main"))
    begun = asyncio.Event()

    async def convert(exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        begun.set()
        await asyncio.Event().wait()
        raise NotServed

    target = ScriptedTarget(whole(clock))
    task = asyncio.create_task(proxy(clock, target, made, convert=convert).request(made))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(each.outcome, each.lost) for each in made.attempts] == [("cancelled", None)]


async def test_the_usage_event_is_asked_for_and_taken_out_unless_the_caller_wants_it() -> None:
    clock = Clock()
    for body, kept in ((STREAM_BODY, False), (STREAM_BODY[:-1] + b',"stream_options":{"include_usage":true}}', True)):
        usage = sse({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        target = ScriptedTarget(stream(clock, ROLE, SAID, FINISH, usage, DONE))
        made = routed(clock, body, match_of("main"), reply := KeptReply())
        await proxy(clock, target, made).request(made)
        assert json.loads(target.asked[0][0].body)["stream_options"] == {"include_usage": True}
        assert (usage in b"".join(reply.sent)) is kept


async def test_when_all_keys_are_refused_the_caller_is_told_it_is_not_theirs_to_mend() -> None:
    clock = Clock()
    target = ScriptedTarget(whole(clock, b"{}", 401), whole(clock, b"{}", 403))
    made = routed(clock, BODY, match_of("main", "backup"))
    with pytest.raises(KeyRefused) as caught:
        await proxy(clock, target, made).request(made)
    assert (caught.value.status, caught.value.should_retry) == (502, False)
