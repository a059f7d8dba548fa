"""What Messages and Gemini models really said, told as Responses streams, and read by the official client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from openai import AsyncOpenAI

from gaiarouter.canonical.events import CanonicalAnswer, Event, Failure
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.parts import AnswerPart, Reasoning, Refusal, Text, ToolCall
from gaiarouter.dialects.gemini.chunks import StreamDecoder as GeminiDecoder
from gaiarouter.dialects.gemini.plan import AnswerPlan as GeminiPlan
from gaiarouter.dialects.messages.chunks import StreamDecoder as MessagesDecoder
from gaiarouter.dialects.messages.plan import AnswerPlan as MessagesPlan
from gaiarouter.dialects.responses.caller import ResponsesCaller
from tests.recorded import Interaction, interactions

DECODERS: dict[str, Any] = {
    "messages": lambda: MessagesDecoder(MessagesPlan()),
    "generate": lambda: GeminiDecoder(GeminiPlan()),
}
RECORDED = [
    (each, endpoint)
    for provider, endpoint in (("anthropic", "messages"), ("google", "generate"))
    for each in interactions(provider, endpoint, ok=True, stream=True)
]
CALLER = ResponsesCaller()


def events_of(recorded: Interaction, endpoint: str) -> list[Event]:
    decoder = DECODERS[endpoint]()
    found: list[Event] = [*decoder.feed(recorded.body), *decoder.close()]
    return found


WHOLE = [
    pytest.param(events, id=repr(recorded))
    for recorded, endpoint in RECORDED
    if not isinstance((events := events_of(recorded, endpoint))[-1], Failure)
]


def told(events: list[Event]) -> bytes:
    request = CALLER.decode_request(b'{"model":"m","input":"Hi","stream":true}')
    return CALLER.writer(request, answer_id="own", created=7, input_tokens=1).stream_encoder().encode(events)


class Stub:
    """Answers every request with `body`."""

    def __init__(self) -> None:
        self.body = b""

    async def answer(self, _: web.Request) -> web.Response:
        return web.Response(body=self.body, content_type="text/event-stream")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[tuple[Stub, AsyncOpenAI]]:
    stub, app = Stub(), web.Application()
    app.router.add_post("/v1/responses", stub.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with AsyncOpenAI(api_key="x", base_url=f"http://{host}:{port}/v1", max_retries=0) as client:
        yield stub, client
    await runner.cleanup()


def parts(answer: CanonicalAnswer) -> tuple[AnswerPart, ...]:
    return answer.choices[0].parts


def texts(answer: CanonicalAnswer) -> str:
    return "".join(part.text for part in parts(answer) if isinstance(part, Text))


def calls(answer: CanonicalAnswer) -> list[tuple[str, str, str]]:
    return [
        (part.call_id, part.name, part.arguments)
        for part in parts(answer)
        if isinstance(part, ToolCall) and part.kind in ("function", "custom")
    ]


def thoughts(answer: CanonicalAnswer) -> list[str]:
    return [
        text for part in parts(answer) if isinstance(part, Reasoning) for text in (*part.visible, *part.summary) if text
    ]


STATUS = {"length": "incomplete", "context_length": "incomplete", "content_filter": "incomplete"}


def test_there_is_something_to_read() -> None:
    assert len(WHOLE) > 200
    answers = [fold(each.values[0]) for each in WHOLE]  # type: ignore[arg-type]
    assert all(any(found(answer) for answer in answers) for found in (texts, calls, thoughts))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("events", WHOLE)
async def test_t87_the_official_client_reads_what_the_model_said(
    events: list[Event], served: tuple[Stub, AsyncOpenAI]
) -> None:
    stub, client = served
    stub.body, answer = told(events), fold(events)
    expected = STATUS.get(answer.choices[0].finish.reason, "completed")
    pieces: dict[str, list[str]] = {}
    async with client.responses.stream(model="m", input="Hi") as stream:
        numbers = []
        async for event in stream:
            numbers.append(event.sequence_number)
            if event.type.endswith(".delta"):
                pieces.setdefault(event.type, []).append(str(event.delta))  # type: ignore[union-attr]
    assert numbers == list(range(len(numbers)))
    assert event.type == f"response.{expected}"
    found: Any = event.response  # type: ignore[union-attr]
    assert found.status == expected
    assert found.output_text == texts(answer)
    assert [(i.call_id, i.name, i.arguments) for i in found.output if i.type == "function_call"] == calls(answer)
    shown = [piece.text for i in found.output if i.type == "reasoning" for piece in (*i.summary, *(i.content or ()))]
    assert shown == thoughts(answer)
    assert "".join(pieces.get("response.output_text.delta", ())) == texts(answer)
    assert "".join(pieces.get("response.function_call_arguments.delta", ())) == "".join(c[2] for c in calls(answer))
    if answer.usage is not None:
        usage = found.usage
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            answer.usage.total_tokens,
        )
        assert usage.input_tokens_details.cached_tokens == answer.usage.in_cache_read
        assert usage.output_tokens_details.reasoning_tokens == answer.usage.out_reasoning


@pytest.mark.parametrize("events", WHOLE)
def test_the_whole_answer_is_the_one_that_ends_its_stream(events: list[Event]) -> None:
    request = CALLER.decode_request(b'{"model":"m","input":"Hi","stream":true}')
    whole = json.loads(CALLER.writer(request, answer_id="own", created=7, input_tokens=1).encode_answer(fold(events)))
    last = json.loads(told(events).rstrip().rpartition(b"data: ")[2])["response"]
    assert last == whole


@pytest.mark.parametrize("events", WHOLE)
def test_what_the_caller_sends_back_is_what_the_model_said(events: list[Event]) -> None:
    """Thinking with its seals, and the seals of calls and texts, survive a caller that keeps nothing but the items."""
    answer = fold(events)
    request = CALLER.decode_request(b'{"model":"m","input":"Hi"}')
    whole = json.loads(CALLER.writer(request, answer_id="own", created=7, input_tokens=1).encode_answer(answer))
    back = CALLER.decode_request(json.dumps({"model": "m", "input": whole["output"]}).encode())
    found = [part for turn in back.turns for part in turn.parts]
    for kind in (Reasoning, ToolCall):
        assert [essence(part) for part in found if isinstance(part, kind)] == [
            essence(part) for part in parts(answer) if isinstance(part, kind) and essence(part) is not None
        ]
    assert "".join(part.text for part in found if isinstance(part, Text)) == texts(answer)
    seals = [part.sealed for part in parts(answer) if isinstance(part, Text) and part.sealed]
    assert [part.sealed for part in found if isinstance(part, Text) and part.sealed] == seals


def essence(part: AnswerPart) -> Any:
    match part:
        case Reasoning():
            return part.visible, part.summary, part.sealed
        case ToolCall(kind="function" | "custom"):
            return part.call_id, part.name, part.arguments, part.sealed
        case Refusal(text=text):
            return text
        case _:
            return None
