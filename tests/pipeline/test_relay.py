"""One target's answer: held until it is one, then passed on, and accounted for at every ending."""

from __future__ import annotations

import json

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.passing import PassThrough
from gaiarouter.errors import BadAnswer, CallerGone, Interrupted, ProtocolBroken, TimedOut, UpstreamError
from gaiarouter.ledger.tokenizer import Tokenizer
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.relay import Relay
from gaiarouter.routing.base import ResolvedTarget
from tests.gateway.faults import DONE, FINISH, ROLE, USAGE_EVENT, chunk_of, completion
from tests.pipeline.scripted import (
    BODY,
    JSON,
    SSE,
    STREAM_BODY,
    Clock,
    KeptReply,
    ScriptedResponse,
    Step,
    match_of,
    routed,
)
from tests.support.script import sse

SAID = sse(chunk_of("hello"))
REPORTED = Usage(in_uncached=7, out_visible=3)


class Scene:
    """A relay with all that is around it."""

    def __init__(
        self,
        *steps: Step,
        body: bytes = STREAM_BODY,
        headers: dict[str, str] = SSE,
        gone_after: int | None = None,
        ask_usage: bool = False,
    ) -> None:
        self.clock = Clock()
        self.reply = KeptReply(gone_after=gone_after)
        self.exchange: Exchange = routed(self.clock, body, match_of("main"), self.reply)
        self.exchange.attempt_started_s = self.clock.now
        self.exchange.served = ResolvedTarget("main", "main-model", "r")
        self.response = ScriptedResponse(self.clock, 200, headers, steps)
        self.spoke: list[float] = []
        assert self.exchange.request is not None
        self.relay = Relay(
            self.exchange,
            PassThrough(self.exchange.dialect, self.exchange.request, model="m", ask_usage=ask_usage),
            self.response,
            self.clock,
            first_content_by=self.clock.now + 10,
            deadline=self.clock.now + 60,
            spoke=lambda now, _: self.spoke.append(now),
            charge=self.charge,
            tokenizer=Tokenizer(),
        )

    def charge(self, provider: str, model: str, usage: Usage) -> int:
        self.charged = (provider, model, usage)
        return 77

    async def stream(self) -> None:
        await self.relay.stream()

    async def fail(self) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await self.stream()
        return caught.value


async def test_nothing_is_sent_before_the_first_content_and_then_all_of_it_at_once() -> None:
    scene = Scene(b": hello\n\n", ROLE, 2.0, SAID, FINISH, DONE)
    await scene.stream()
    assert scene.reply.sent == [b": hello\n\n" + ROLE + SAID, FINISH, DONE]
    assert scene.spoke == [102.0]
    assert (scene.exchange.spoke_s, scene.exchange.upstream_s) == (102.0, 2.0)
    assert scene.response.deadline == 160.0, "a stream that speaks has the request's whole time"
    assert scene.exchange.complete
    assert scene.response.drained


@pytest.mark.parametrize(
    "steps", [(ROLE, sse(chunk_of(finish="content_filter")), DONE), (ROLE, FINISH)], ids=["done", "without done"]
)
async def test_an_answer_without_a_word_is_an_answer(steps: tuple[Step, ...]) -> None:
    scene = Scene(*steps)
    await scene.stream()
    assert b"".join(scene.reply.sent).endswith(DONE)
    assert scene.exchange.complete


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ((ROLE, sse({"error": {"message": "x"}})), UpstreamError),
        ((ROLE,), Interrupted),
        ((), Interrupted),
        ((ROLE, DONE), BadAnswer),
        ((ROLE, sse(b"{")), BadAnswer),
        ((ROLE, ProtocolBroken("x")), ProtocolBroken),
        ((ROLE, TimedOut("x", phase="idle")), TimedOut),
        ((ROLE, 11.0, b": thinking\n\n"), TimedOut),
        ((ROLE, *(sse(chunk_of("", pad="x" * 2**17)) for _ in range(9))), BadAnswer),
        ((SAID + sse({"error": {"message": "x"}}),), UpstreamError),
    ],
    ids=[
        "error",
        "end",
        "nothing",
        "done",
        "garbage",
        "broken",
        "silence",
        "patience",
        "too much",
        "content and error",
    ],
)
async def test_a_failure_before_anything_was_sent_leaves_the_reply_untouched(
    steps: tuple[Step, ...], kind: type[UpstreamError]
) -> None:
    """So that another target may still answer; nothing is accounted for."""
    scene = Scene(*steps)
    assert isinstance(await scene.fail(), kind)
    assert not scene.reply.committed
    assert scene.spoke == []
    assert scene.exchange.usage is None
    assert not scene.exchange.complete


@pytest.mark.parametrize(
    "steps",
    [
        (ProtocolBroken("x"),),
        (TimedOut("x", phase="idle"),),
        (TimedOut("x", phase="total"),),
        (sse({"error": {"message": "x"}}),),
        (sse(b"{nope"),),
        (),
        (FINISH[:20],),
    ],
)
async def test_a_failure_after_that_is_accounted_for_as_an_estimate(steps: tuple[Step, ...]) -> None:
    scene = Scene(ROLE, SAID, *steps)
    await scene.fail()
    assert scene.reply.sent == [ROLE + SAID]
    usage = scene.exchange.usage
    assert usage is not None
    assert usage.estimated
    assert usage.in_uncached > 0
    assert usage.out_visible == 2  # five letters
    assert not scene.exchange.complete


async def test_what_was_good_in_the_same_read_as_the_fault_still_goes_out() -> None:
    more = sse(chunk_of(" world"))
    scene = Scene(ROLE, SAID, more + sse(b"{nope"))
    await scene.fail()
    assert scene.reply.sent == [ROLE + SAID, more]


async def test_usage_that_the_target_reported_is_believed_whole_or_broken() -> None:
    whole = Scene(ROLE, SAID, FINISH, USAGE_EVENT, DONE, ask_usage=True)
    await whole.stream()
    assert whole.exchange.usage == REPORTED
    assert whole.charged == ("main", "main-model", REPORTED)
    assert whole.exchange.cost_nano == 77
    assert USAGE_EVENT not in b"".join(whole.reply.sent)
    broken = Scene(ROLE, SAID, USAGE_EVENT, ProtocolBroken("x"))
    await broken.fail()
    assert broken.exchange.usage == REPORTED


@pytest.mark.parametrize(
    ("letters", "told", "recorded", "estimated"),
    [(400, 1, 100, True), (400, 0, 100, True), (76, 1, 1, False), (400, 2, 2, False)],
    ids=["one for a hundred", "none for a hundred", "one long word", "more than a beginning"],
)
async def test_a_count_of_an_answers_beginning_is_none_of_the_whole(
    letters: int, told: int, recorded: int, estimated: bool
) -> None:
    """As of a server that begins as Claude does, and never tells the end. A quarter of a token is counted a letter."""
    usage = {"prompt_tokens": 7, "completion_tokens": told, "total_tokens": 7 + told}
    scene = Scene(ROLE, sse(chunk_of("a" * letters)), sse(chunk_of(finish="stop", usage=usage)), DONE)
    await scene.stream()
    used = scene.exchange.usage
    assert used is not None
    assert (used.in_uncached, used.out_visible, used.estimated) == (7, recorded, estimated)


async def test_a_caller_that_is_gone_is_accounted_for_and_nothing_more_is_read() -> None:
    scene = Scene(ROLE, SAID, SAID, SAID, SAID, FINISH, DONE, gone_after=2)
    with pytest.raises(CallerGone):
        await scene.stream()
    assert scene.response.reads == 4
    assert scene.exchange.usage is not None
    assert not scene.exchange.complete


async def test_what_comes_after_the_end_is_not_read() -> None:
    scene = Scene(ROLE, SAID, FINISH + DONE, SAID, DONE)
    await scene.stream()
    assert scene.response.reads == 3
    assert scene.reply.sent[-1] == FINISH + DONE


@pytest.mark.parametrize(
    "content_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8", "text/event-stream ;x=y"]
)
async def test_a_stream_is_known_by_its_type(content_type: str) -> None:
    scene = Scene(ROLE, SAID, FINISH, DONE, headers={"content-type": content_type})
    await scene.stream()
    assert scene.exchange.complete


async def test_a_web_page_is_no_answer_to_either_wish() -> None:
    page = {"content-type": "text/html"}
    with pytest.raises(BadAnswer):
        await Scene(b"<html>", headers=page).stream()
    with pytest.raises(BadAnswer):
        await Scene(b"<html>", headers=page, body=BODY).relay.answer()


@pytest.mark.parametrize("headers", [JSON, {}], ids=["JSON", "no type"])
async def test_a_whole_answer_goes_on_to_the_byte(headers: dict[str, str]) -> None:
    body = json.dumps(completion("hello"), indent=3).encode()
    scene = Scene(body[:10], 1.5, body[10:], body=BODY, headers=headers)
    await scene.relay.answer()
    assert scene.reply.body == body
    assert (scene.exchange.usage, scene.exchange.finish_reason) == (REPORTED, "stop")
    assert (scene.spoke, scene.exchange.upstream_s) == ([101.5], 1.5)
    assert scene.exchange.complete


@pytest.mark.parametrize("fault", [b"{nope", b'{"error": {"message": "x"}}', ProtocolBroken("x")])
async def test_a_whole_answer_that_is_none_is_not_accounted_for(fault: Step) -> None:
    scene = Scene(fault, body=BODY, headers=JSON)
    with pytest.raises(UpstreamError):
        await scene.relay.answer()
    assert scene.reply.body is None
    assert scene.exchange.usage is None
    assert scene.spoke == []


async def test_t88_json_for_a_stream_and_a_stream_for_json_are_made_into_the_other() -> None:
    told = Scene(json.dumps(completion("hello")).encode(), headers=JSON)
    await told.stream()
    assert b"".join(told.reply.sent).endswith(DONE)
    assert told.exchange.usage == REPORTED
    folded = Scene(ROLE, SAID, FINISH, USAGE_EVENT, DONE, body=BODY)
    await folded.relay.answer()
    assert folded.reply.body is not None
    assert json.loads(folded.reply.body)["choices"][0]["message"]["content"] == "hello"
    assert folded.exchange.usage == REPORTED
