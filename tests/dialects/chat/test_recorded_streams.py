"""Every recorded Chat stream, watched: what the caller gets is what was recorded, but for a missing `[DONE]`, or an
error. The expectations are read from the recordings with the standard library, not with the code under test."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.chat.chunks import DONE_EVENT, ChatStreamWatcher
from gaiarouter.errors import Interrupted
from tests.recorded import Interaction, chat_interactions, every

STREAMS = chat_interactions(ok=True, stream=True)
SOUND = [each for each in STREAMS if "error_in_stream" not in each.features]
BROKEN = [each for each in STREAMS if "error_in_stream" in each.features]


@dataclass(frozen=True)
class Seen:
    out: bytes
    finished: bool
    error: type[Exception] | None
    started: bool
    finish_reason: str | None
    usage: Usage | None
    text_tokens: int


def watch(parts: list[bytes], *, drop_usage: bool = False) -> Seen:
    watcher = ChatStreamWatcher(drop_usage=drop_usage)
    out = b"".join([*(watcher.feed(part) for part in parts), watcher.close()])
    error = type(watcher.error) if watcher.error else None
    return Seen(
        out,
        watcher.finished,
        error,
        watcher.content_started,
        watcher.finish_reason,
        watcher.usage,
        watcher.text_tokens,
    )


def events_of(stream: bytes) -> list[bytes]:
    """The recordings end every line alike, so that their events can be cut plainly."""
    blank = b"\r\n\r\n" if b"\r\n" in stream else b"\n\n"
    return [event + blank for event in stream.split(blank)[:-1]]


def json_of(event: bytes) -> dict[str, Any] | None:
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return json.loads(lines[0]) if lines and lines[0] not in (b"", b"[DONE]") else None


def is_complete(events: list[bytes]) -> bool:
    """Every choice that spoke has its finish reason, or the provider said that it is done."""
    seen: set[int] = set()
    finished: set[int] = set()
    for event in events:
        if b"[DONE]" in event:
            return True
        for choice in (json_of(event) or {}).get("choices") or []:
            seen.add(choice["index"])
            if choice.get("finish_reason"):
                finished.add(choice["index"])
    return bool(seen) and seen == finished


def with_done(stream: bytes) -> bytes:
    return stream if b"data: [DONE]" in stream else stream + DONE_EVENT


def test_the_recordings_hold_what_these_tests_are_about() -> None:
    assert len(STREAMS) == 387
    assert len(BROKEN) == 3
    assert len([each for each in SOUND if b"[DONE]" not in each.body]) == 6


@every(SOUND)
def test_a_recorded_stream_goes_on_byte_by_byte_as_it_came(recorded: Interaction) -> None:
    body = recorded.body
    whole = watch([body])
    assert whole.out == with_done(body)
    assert (whole.finished, whole.error) == (True, None)
    assert watch([body[i : i + 1] for i in range(len(body))]) == whole


@every(STREAMS)
def test_what_is_read_does_not_depend_on_where_reads_end(recorded: Interaction) -> None:
    body, chance = recorded.body, random.Random(recorded.id)
    whole = watch([body])
    for _ in range(5):
        edges = [0, *sorted(chance.choices(range(len(body)), k=chance.randint(1, 60))), len(body)]
        assert watch([body[a:b] for a, b in pairwise(edges)]) == whole


@every(SOUND)
def test_a_stream_cut_short_is_never_taken_for_whole(recorded: Interaction) -> None:
    events = events_of(recorded.body)
    places = range(len(events) + 1)
    if len(events) > 150:
        places = [*places[:20], *random.Random(recorded.id).sample(places[20:-20], 60), *places[-20:]]
    for place in places:
        kept = b"".join(events[:place])
        seen = watch([kept])
        if is_complete(events[:place]):
            assert (seen.out, seen.finished, seen.error) == (with_done(kept), True, None)
        else:
            assert (seen.out, seen.finished, seen.error) == (kept, False, Interrupted)


@every(SOUND)
def test_an_event_torn_in_two_is_not_passed_on(recorded: Interaction) -> None:
    events, chance = events_of(recorded.body), random.Random(recorded.id)
    places = [place for place, event in enumerate(events) if event.strip()]
    for place in chance.sample(places, min(10, len(places))):
        kept = b"".join(events[:place])
        torn = events[place].rstrip()[: chance.randint(1, len(events[place].rstrip()) - 1)]
        seen = watch([kept + torn])
        assert seen.finished is is_complete(events[:place])
        assert seen.out == (with_done(kept) if seen.finished else kept) or torn.startswith(b":")


@every(BROKEN)
def test_an_error_inside_a_stream_ends_it_where_it_stands(recorded: Interaction) -> None:
    events = events_of(recorded.body)
    first_bad = next(place for place, event in enumerate(events) if (json_of(event) or {}).get("error"))
    seen = watch([recorded.body])
    assert seen.out == b"".join(events[:first_bad])
    assert not seen.finished
    assert seen.error is not None
    assert seen.error is not Interrupted


@every(SOUND)
def test_the_usage_is_the_last_that_was_sent(recorded: Interaction) -> None:
    chunks = [chunk for event in events_of(recorded.body) if (chunk := json_of(event))]
    sent = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    sent += [chunk["x_groq"]["usage"] for chunk in chunks if not sent and (chunk.get("x_groq") or {}).get("usage")]
    usage = watch([recorded.body]).usage
    if not sent:
        assert usage is None
        return
    assert usage is not None
    details = sent[-1].get("completion_tokens_details") or {}
    completion = sent[-1]["completion_tokens"]
    assert usage.input_tokens == sent[-1]["prompt_tokens"]
    assert usage.out_reasoning == (details.get("reasoning_tokens") or 0)
    assert usage.output_tokens in (completion, completion + usage.out_reasoning)
    cached = (sent[-1].get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    assert usage.in_cache_read == min(cached, usage.input_tokens)  # Azure serves a model that counts 161 of 7


@every(SOUND)
def test_only_the_usage_chunk_is_taken_out_when_it_was_our_wish(recorded: Interaction) -> None:
    def is_ours(event: bytes) -> bool:
        chunk = json_of(event)
        return chunk is not None and not chunk["choices"] and bool(chunk.get("usage"))

    seen = watch([recorded.body], drop_usage=True)
    assert seen.out == with_done(b"".join(event for event in events_of(recorded.body) if not is_ours(event)))
    assert seen.usage == watch([recorded.body]).usage


@every(SOUND)
def test_content_starts_with_the_first_thing_a_reader_sees(recorded: Interaction) -> None:
    names = ("content", "reasoning", "reasoning_content", "refusal", "tool_calls", "reasoning_details")
    watcher = ChatStreamWatcher(drop_usage=False)
    visible = False
    for event in events_of(recorded.body):
        watcher.feed(event)
        deltas = [choice.get("delta") or {} for choice in (json_of(event) or {}).get("choices") or []]
        visible = visible or any(delta.get(name) for delta in deltas for name in names)
        assert watcher.content_started is visible


@every(SOUND)
def test_the_line_ends_do_not_matter(recorded: Interaction) -> None:
    lf = recorded.body.replace(b"\r\n", b"\n")
    expected = watch([lf])
    crlf = watch([lf.replace(b"\n", b"\r\n")])
    assert crlf.out.replace(b"\r\n", b"\n") == expected.out
    cr = watch([lf.replace(b"\n", b"\r")])
    assert b"\r" not in cr.out
    assert [line for line in cr.out.split(b"\n") if line] == [line for line in expected.out.split(b"\n") if line]
    for seen in (crlf, cr):
        assert (seen.usage, seen.finish_reason, seen.finished) == (expected.usage, expected.finish_reason, True)


@every(SOUND)
def test_t44_comments_between_any_two_lines_change_nothing(recorded: Interaction) -> None:
    commented = recorded.body.replace(b"\n", b"\n: still here\n").removesuffix(b": still here\n")
    seen, expected = watch([commented]), watch([recorded.body])
    assert seen.out.removesuffix(DONE_EVENT) in commented
    assert (seen.usage, seen.finish_reason, seen.finished) == (expected.usage, expected.finish_reason, True)
    assert seen.text_tokens == expected.text_tokens


@every(SOUND)
def test_fields_nobody_knows_yet_pass_by(recorded: Interaction) -> None:
    new = {"new_field": {"error": "none", "list": [1, None, "\u2028"]}}
    events = []
    for event in events_of(recorded.body):
        if (chunk := json_of(event)) is None:
            events.append(event)
            continue
        for choice in chunk["choices"]:
            choice.update(new, delta=(choice.get("delta") or {}) | new)
        events.append(b"data: " + json.dumps(chunk | new, ensure_ascii=False).encode() + b"\n\n")
    stream = b"".join(events)
    seen, expected = watch([stream]), watch([recorded.body])
    assert seen.out == with_done(stream)
    assert (seen.usage, seen.finish_reason, seen.started) == (expected.usage, expected.finish_reason, expected.started)
