"""N8 and N10: what is large, broken or away costs those beside it, and the request itself, little time."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of, completion, healthy
from tests.gateway.running import ANSWER, BACKUP_ANSWER, Starter, chat_body
from tests.performance.test_translated_path import ANSWERS as ANSWERS_OF
from tests.support.script import SSE_HEAD, Script, Send, chunk, json_answer, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

STALL_S = 0.1
BEAT_S = 0.002
OPEN = 2
OWN_S = 0.005
"""What a provider that is well may take more than the gateway's own."""
PATIENT = {"timeouts": {"connect": "9s", "first_byte": "9s", "idle": "9s", "total": "60s"}}
LARGE = "x" * 6_000_000


@asynccontextmanager
async def longest_step() -> AsyncIterator[Callable[[], float]]:
    """The most time of the processor, in seconds, that the loop took between two beats of a task on it. Neighbours on
    the machine do not count, nor does looking for cycles among what other tests have left; the test's own client and
    provider do."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(BEAT_S)
            longest = max(longest, time.thread_time() - before)

    gc.freeze()  # as the gateway does when it has started
    task = asyncio.create_task(beat())
    try:
        yield lambda: longest
    finally:
        task.cancel()
        gc.unfreeze()


ANSWERS: dict[str, tuple[Script, bool]] = {
    "a whole answer of 6 MB": (json_answer(completion(LARGE)), False),
    "an event of 4 MB": (sse_answer([ROLE, sse(chunk_of(LARGE[:4_000_000])), FINISH, DONE]), True),
    "two thousand events at once": (sse_answer([ROLE, b"".join([sse(chunk_of("x"))] * 2000), FINISH, DONE]), True),
    "a line without end": ([Send(SSE_HEAD), Send(chunk(b"data: ")), Send(chunk(b"x" * 2**16), times=None)], True),
    "blank lines": ([Send(SSE_HEAD), Send(chunk(b"\n" * 300_000)), Send(chunk(ROLE + FINISH + DONE))], True),
    "nothing but brackets": (json_answer({"choices": []}), False),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_n8_no_answer_holds_up_the_others(start: Starter, name: str) -> None:
    script, stream = ANSWERS[name]
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=PATIENT)
        await gateway.chat("demo")
        async with longest_step() as longest:
            await gateway.chat("alone", stream=stream)
        assert longest() < STALL_S


TURNS = [{"role": "user", "content": "x"}] * 20_000
BODIES = {
    "a prompt of 6 MB": json.dumps(chat_body("alone", user=LARGE)).encode(),
    "twenty thousand turns": json.dumps({"model": "alone", "messages": TURNS}).encode(),
    "a hundred thousand members": json.dumps(chat_body("alone", **{f"m{n}": n for n in range(100_000)})).encode(),
    "brackets": b'{"model": "alone", "messages": ' + b"[" * 4_000_000,
    "escapes": b'{"model": "alone", "messages": [{"role": "user", "content": "' + b"\\u0041" * 800_000 + b'"}]}',
}
REFUSED = {"a hundred thousand members", "brackets"}


@pytest.mark.parametrize("name", BODIES)
async def test_n8_no_request_holds_up_the_others(start: Starter, name: str) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=PATIENT)
        await gateway.chat("demo")
        async with longest_step() as longest:
            reply = await gateway.post(BODIES[name])
        assert longest() < STALL_S
        assert (reply.status, len(upstream.requests)) == ((400, 0) if name in REFUSED else (200, 1)), reply.body


def _calls(count: int) -> list[dict[str, object]]:
    """As a Messages caller tells them."""
    turns: list[dict[str, object]] = [{"role": "user", "content": "x"}]
    for n in range(count):
        call = {"type": "tool_use", "id": f"toolu_{n}", "name": "f", "input": {"n": n}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": "x"}
        turns += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return turns


CHAT = "/v1/chat/completions"
MANY = {"model": "alone", "messages": TURNS[:1] * 200_000}
CALLS = {"model": "alone", "max_tokens": 9, "messages": _calls(16_000)}
CONVERSATIONS = {
    "200,000 turns": ("openai", CHAT, MANY, completion("x")),
    "200,000 turns to Claude": ("anthropic", CHAT, MANY, ANSWERS_OF["anthropic"]),
    "200,000 turns to Gemini": ("google", CHAT, MANY, ANSWERS_OF["google"]),
    "16,000 calls of tools from Messages to Chat": ("openai", "/v1/messages", CALLS, completion("x")),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_n8_no_long_conversation_holds_up_the_others(start: Starter, name: str) -> None:
    main, path, members, answer = CONVERSATIONS[name]
    body = json.dumps(members).encode()
    async with ScriptedUpstream(json_answer(answer)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, main=main, defaults=PATIENT)
        await gateway.chat("demo")
        async with longest_step() as longest:
            reply = await gateway.post(body, path=path)
        assert reply.status == 200, reply.body
        assert longest() < STALL_S


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_n10_a_provider_that_is_away_costs_little_and_one_that_is_known_to_be_nothing(
    start: Starter, closed_port: int
) -> None:
    async with ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start(
            {"main": f"http://127.0.0.1:{closed_port}/v1", "backup": backup.url("/v1")},
            defaults=PATIENT | {"breaker": {"failures": 3, "cooldown": "60s"}},
        )

        async def seconds(model: str) -> float:
            began = time.perf_counter()
            reply = await gateway.chat(model)
            assert reply.status == 200
            return time.perf_counter() - began

        unknown: list[float] = []
        while gateway.metric("breaker_state", provider="main") != OPEN:
            unknown.append(await seconds("fb"))
        assert min(unknown) < 0.3
        away, own = zip(*[(await seconds("fb"), await seconds("demo")) for _ in range(20)], strict=True)
        assert min(away) - min(own) < 0.005 + OWN_S, "neighbours on the machine do not slow down each of them"
        assert len(backup.requests) == 20 + 3
