"""Many pieces of one text that come together are read and told at once, and say what they say one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.events import Event, Failure, TextDelta, TextRun, UsageSnapshot, spread
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.view import AnswerView
from gaiarouter.dialects.gemini import chunks as gemini_chunks
from gaiarouter.dialects.gemini.plan import AnswerPlan as GeminiPlan
from gaiarouter.dialects.messages import chunks as messages_chunks
from gaiarouter.dialects.messages.plan import AnswerPlan as MessagesPlan
from gaiarouter.dialects.translate import StreamDecoder, TranslatedStream
from tests.dialects.gemini import stream as gemini
from tests.dialects.messages import stream as messages
from tests.recorded import Interaction, interactions

Maker = Callable[[], StreamDecoder]


def of_messages() -> StreamDecoder:
    return messages_chunks.StreamDecoder(MessagesPlan())


def of_gemini() -> StreamDecoder:
    return gemini_chunks.StreamDecoder(GeminiPlan())


RECORDED = [
    *(pytest.param(of_messages, each, id=repr(each)) for each in interactions("anthropic", "messages", ok=True)),
    *(pytest.param(of_gemini, each, id=repr(each)) for each in interactions("google", "generate", ok=True)),
]
STREAMS = [each for each in RECORDED if each.values[1].is_stream]
WORDS = ["Once", " upon", ' a "time"', "\n\n", " naïve 漢字 😀", " \\ ", "}\\n\\ndata: {", "\t", "1"]


def said(events: list[Event]) -> tuple[list[Event], list[UsageSnapshot]]:
    """Without the totals, which may come later; and the last of those."""
    totals = [event for event in events if isinstance(event, UsageSnapshot)]
    return [event for event in events if not isinstance(event, UsageSnapshot | Failure)], totals[-1:]


def one_by_one(make: Maker, data: bytes) -> list[Event]:
    decoder = make()
    return [*decoder.feed(data), *decoder.close()]


def in_runs(make: Maker, data: bytes, cuts: list[int]) -> list[Event | TextRun]:
    decoder, edges = make(), [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    told = [each for first, last in itertools.pairwise(edges) for each in decoder.read(data[first:last])]
    return [*told, *decoder.close()]


@pytest.mark.parametrize(("make", "interaction"), STREAMS)
def test_a_recorded_stream_says_the_same(make: Maker, interaction: Interaction) -> None:
    data = interaction.body
    expected = said(one_by_one(make, data))
    assert said([*spread(in_runs(make, data, []))]) == expected
    assert said([*spread(in_runs(make, data, list(range(0, len(data), 777))))]) == expected


def word(place: int, text: str) -> dict[str, Any]:
    """One response of Gemini's. Its totals grow."""
    return gemini.response(gemini.text(text)) | {"usageMetadata": gemini.USAGE | {"candidatesTokenCount": 2 + place}}


def spoken_by_gemini(texts: list[str]) -> bytes:
    return gemini.wire(*itertools.starmap(word, enumerate(texts)), gemini.response(gemini.text(""), finish="STOP"))


def spoken_by_messages(texts: list[str]) -> bytes:
    return messages.wire(messages.START, *messages.spoken(*texts), messages.stop(), messages.STOP)


SPOKEN = [
    pytest.param(of_messages, spoken_by_messages, id="messages"),
    pytest.param(of_gemini, spoken_by_gemini, id="gemini"),
]


@pytest.mark.parametrize(("make", "spoken"), SPOKEN)
@given(texts=st.lists(st.sampled_from(["", *WORDS]), min_size=1, max_size=60), cuts=st.lists(st.integers(0, 9000)))
def test_whatever_a_text_holds_and_wherever_reads_end(
    make: Maker, spoken: Callable[[list[str]], bytes], texts: list[str], cuts: list[int]
) -> None:
    data = spoken(texts)
    assert said([*spread(in_runs(make, data, cuts))]) == said(one_by_one(make, data))


@pytest.mark.parametrize(("make", "spoken"), SPOKEN)
def test_a_text_that_comes_at_once_is_few_runs(make: Maker, spoken: Callable[[list[str]], bytes]) -> None:
    told = in_runs(make, spoken(WORDS * 50), [])
    runs = [each for each in told if isinstance(each, TextRun)]
    assert sum(len(run.texts) for run in runs) >= len(WORDS) * 50 - 1
    assert len(runs) < 30
    assert not any(isinstance(each, TextDelta) for each in told[len(told) // 2 :])


ODD_IN_MESSAGES = {
    "another block": messages.wire(messages.text(1, "x")),
    "another kind": messages.wire(messages.delta(0, "citations", citation={"type": "x"})),
    "a comment": b": ping\n\n",
    "two objects": b'event: content_block_delta\ndata: {"a":1},{"b":2}\n\n',
    "an object over two events": (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",\n\n'
        b'"text":"x"}}\n\n'
    ),
    "a text over two events": (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
        b'"text":"x}\n\nevent: content_block_delta\ndata: {y"}}\n\n'
    ),
    "no UTF-8": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"x":"\xff",'
    b'"delta":{"type":"text_delta","text":"x"}}\n\n',
    "an error": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
    "a lone CR": b'event: content_block_delta\rdata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"x"}}\r\r',
}
ODD_IN_GEMINI = {
    "thinking": gemini.wire(gemini.response(gemini.text("x", thought=True))),
    "a signature": gemini.wire(gemini.response(gemini.text("x", thoughtSignature="S"))),
    "two parts": gemini.wire(gemini.response(gemini.text("x"), gemini.text("y"))),
    "another choice": gemini.wire(gemini.response(gemini.text("x"), index=1)),
    "an unknown member": gemini.wire(gemini.response(gemini.text("x")) | {"surprise": 1}),
    "other totals": gemini.wire(gemini.response(gemini.text("x")) | {"usageMetadata": {"thoughtsTokenCount": 7}}),
    "no totals": gemini.wire({k: v for k, v in gemini.response(gemini.text("x")).items() if k != "usageMetadata"}),
    "two objects": gemini.wire(word(0, "x"), word(0, "y")).replace(b"}\r\n\r\ndata: {", b"},{"),
    "no UTF-8": gemini.wire(word(0, "x")).replace(b"gemini-x", b"gemini-\xff"),
    "another line end": gemini.wire(word(0, "x"), end="\n"),
}


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("odd", ODD_IN_MESSAGES.values(), ids=ODD_IN_MESSAGES.keys())
def test_what_is_odd_in_messages_is_read_as_ever(odd: bytes, size: int) -> None:
    texts = [messages.text(0, each) for each in ("a", "b", "c", "d", "e", "f")] * size
    opened = messages.wire(messages.START, messages.block(0, type="text", text=""), *texts)
    data = opened + odd + messages.wire(*texts, messages.end(0), messages.stop(), messages.STOP)
    assert said([*spread(in_runs(of_messages, data, []))]) == said(one_by_one(of_messages, data))


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("odd", ODD_IN_GEMINI.values(), ids=ODD_IN_GEMINI.keys())
def test_what_is_odd_in_gemini_is_read_as_ever(odd: bytes, size: int) -> None:
    texts = gemini.wire(*(word(place, f"w{place}") for place in range(6 * size)))
    data = texts + odd + texts + gemini.wire(gemini.response(finish="STOP"))
    assert said([*spread(in_runs(of_gemini, data, []))]) == said(one_by_one(of_gemini, data))


def test_the_totals_of_a_run_are_there_for_who_leaves_in_the_middle_of_it() -> None:
    watcher = TranslatedStream(of_gemini(), StreamEncoder(AnswerView(fallback_id="x", created=1)))
    watcher.feed(gemini.wire(word(0, "a")))
    written = watcher.feed(gemini.wire(*(word(place, "b") for place in range(1, 9))))
    assert written.count(b'"content":"b"') == 8
    assert watcher.usage is not None
    assert watcher.usage.out_visible == 10
    assert watcher.text_tokens == 3
