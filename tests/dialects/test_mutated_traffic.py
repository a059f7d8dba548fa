"""Recorded answers, damaged in the ways that providers and networks have found: nothing crashes, nothing that is broken
off ends well, and what nobody has told us of changes nothing.

Every damaged answer is told to callers of every format.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from gaiarouter.canonical.events import End, Event, Failure, Finish, TextDelta
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.dialects.translate import StreamDecoder
from gaiarouter.errors import BadAnswer, UpstreamError
from tests.dialects.test_answer_round_trip import FORMATS
from tests.recorded import Interaction, chat_interactions, interactions


@dataclass(frozen=True)
class Source:
    """How one format is read, and what was recorded of it."""

    name: str
    recorded: tuple[Interaction, ...]

    @property
    def decoder(self) -> Callable[[], StreamDecoder]:
        return FORMATS[self.name].decoder

    def read(self, body: bytes) -> Iterable[Event]:
        return unfold(FORMATS[self.name].read(body))


SOURCES = (
    Source("chat", chat_interactions(ok=True)),
    Source("messages", interactions("anthropic", "messages", ok=True)),
    Source("gemini", interactions("google", "generate", ok=True)),
    Source("responses", interactions(endpoint="responses", ok=True)),
)


def is_events(interaction: Interaction) -> bool:
    return interaction.is_stream and b"data:" in interaction.body[:2000] and len(interaction.body) < 20_000


def some(count: int, chosen: Callable[[Interaction], bool]) -> list[Any]:
    """As many of each format, spread over all of it."""
    picked = []
    for source in SOURCES:
        found = [each for each in source.recorded if chosen(each)]
        step = max(1, len(found) // count)
        picked += [pytest.param(source, each, id=f"{source.name}-{each!r}") for each in found[::step][:count]]
    return picked


def pieces(body: bytes) -> list[bytes]:
    """The events of a stream, each with its blank line."""
    return [each + b"\n\n" for each in body.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n\n")]


def decoded(source: Source, stream: bytes) -> list[Event]:
    decoder = source.decoder()
    events = [*decoder.feed(stream), *decoder.close()]
    check(events)
    return events


def check(events: list[Event]) -> None:
    """What holds whatever comes: one ending and nothing after it, and every writer can bear it."""
    assert events
    endings = [event for event in events if isinstance(event, End | Failure)]
    assert endings == [events[-1]]
    if isinstance(events[-1], End):
        choices = [event.choice for event in events if isinstance(event, Finish)]
        assert choices
        assert len(choices) == len(set(choices))
        fold(events)
    for format_ in FORMATS.values():
        written = format_.writer.stream_encoder().encode(events)
        for line in re.findall(rb"^data: (\{.*)$", written, re.MULTILINE):
            json.loads(line)


def outcome(events: list[Event]) -> Any:
    """What was said, and how it ended."""
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    ended = events[-1].error.code if isinstance(events[-1], Failure) else "well"
    return said, [event.reason for event in events if isinstance(event, Finish)], ended


UNKNOWN = (
    b'event: surprise\ndata: {"type":"surprise","index":0,"payload":{"text":"no"}}\n\n',
    b": a comment\n\n",
    b"id: 7\nretry: 10\n\n",
)


@pytest.mark.parametrize(("source", "interaction"), some(8, is_events))
def test_what_nobody_has_told_us_of_changes_nothing(source: Source, interaction: Interaction) -> None:
    """Between any two events, and as members of any object of them."""
    chance, events = random.Random(interaction.id), pieces(interaction.body)
    expected = outcome(decoded(source, b"".join(events)))
    for unknown in UNKNOWN[0 if source.name in ("messages", "responses") else 1 :]:
        for _ in range(3):
            place = chance.randrange(len(events))
            assert outcome(decoded(source, b"".join([*events[:place], unknown, *events[place:]]))) == expected
    assert outcome(decoded(source, b"".join(map(with_members, events)))) == expected


def with_members(event: bytes) -> bytes:
    """A member more at the end of the outermost object."""
    return re.sub(rb"^(data: ?\{.*)\}[ \t]*$", rb'\1,"surprise":{"a":[1,null]}}', event, flags=re.MULTILINE)


@pytest.mark.parametrize(("source", "interaction"), some(8, is_events))
def test_t33_without_its_end_no_stream_ends_well(source: Source, interaction: Interaction) -> None:
    """Cut off before the reason for the end has come, wherever that is."""
    events = pieces(interaction.body)
    reason_at = next(
        place for place in range(len(events)) if outcome(decoded(source, b"".join(events[: place + 1])))[2] == "well"
    )
    whole = b"".join(events[:reason_at])
    chance = random.Random(interaction.id)
    for cut in [len(whole), *chance.choices(range(len(whole) + 1), k=8)]:
        assert outcome(decoded(source, whole[:cut]))[2] != "well"


@pytest.mark.parametrize(("source", "interaction"), some(8, is_events))
def test_events_that_are_lost_doubled_or_in_another_order_are_no_crash(
    source: Source, interaction: Interaction
) -> None:
    chance, events = random.Random(interaction.id), pieces(interaction.body)
    for _ in range(8):
        place, other = chance.randrange(len(events)), chance.randrange(len(events))
        decoded(source, b"".join(events[:place] + events[place + 1 :]) or b"\n")
        decoded(source, b"".join([*events[: place + 1], *events[place:]]))
        swapped = list(events)
        swapped[place], swapped[other] = swapped[other], swapped[place]
        decoded(source, b"".join(swapped))


ODD: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, "", "x", [], [None], [{}], {}, {"a": None})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], odd)
    return copy


@pytest.mark.parametrize(("source", "interaction"), some(8, is_events))
def test_t39_values_of_any_type_at_any_place_of_a_stream_are_no_crash(source: Source, interaction: Interaction) -> None:
    chance, events = random.Random(interaction.id), pieces(interaction.body)
    for _ in range(25):
        place = chance.randrange(len(events))
        found = re.search(rb"^data: ?(\{.*)$", events[place], re.MULTILINE)
        if found is None:
            continue
        value = json.loads(found[1])
        odd = json.dumps(changed(value, chance.choice(list(places(value))), chance.choice(ODD))).encode()
        damaged = events[place].replace(found[1], odd)
        decoded(source, b"".join([*events[:place], damaged, *events[place + 1 :]]))


@pytest.mark.parametrize(("source", "interaction"), some(8, is_events))
def test_bytes_that_are_lost_or_changed_are_no_crash(source: Source, interaction: Interaction) -> None:
    chance, body = random.Random(interaction.id), interaction.body
    for _ in range(12):
        place, length = chance.randrange(len(body)), chance.randrange(1, 40)
        decoded(source, body[:place] + body[place + length :])
        decoded(source, body[:place] + bytes([chance.randrange(256)]) + body[place + 1 :])


def is_whole(interaction: Interaction) -> bool:
    return not interaction.is_stream and isinstance(interaction.answer, dict)


@pytest.mark.parametrize(("source", "interaction"), some(15, is_whole))
def test_values_of_any_type_at_any_place_of_an_answer_are_no_crash(source: Source, interaction: Interaction) -> None:
    chance, every = random.Random(interaction.id), list(places(interaction.answer))
    for _ in range(30):
        odd = changed(interaction.answer, chance.choice(every), chance.choice(ODD))
        try:
            answer = fold(source.read(json.dumps(odd).encode()))
        except UpstreamError:
            continue
        for format_ in FORMATS.values():
            with suppress(BadAnswer):  # arguments that are no JSON: not every format can tell them
                json.loads(format_.writer.encode_answer(answer))
        check(list(unfold(answer)))
