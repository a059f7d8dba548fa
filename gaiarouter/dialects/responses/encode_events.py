"""Canonical events as the events of a Responses stream, numbered without a gap; the last holds the whole answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gaiarouter.canonical.events import (
    End,
    Event,
    Finish,
    PartDelta,
    PartEnd,
    PartStart,
    Start,
    TextRun,
    UsageSnapshot,
    spread,
)
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.responses.output import Told
from gaiarouter.dialects.responses.telling import Telling
from gaiarouter.dialects.responses.view import REFUSED, AnswerView, Body, ending

_json = msgspec.json.Encoder().encode


class StreamEncoder:
    """One instance per answer. A Failure writes nothing: how a stream ends with an error is its caller's to say."""

    def __init__(self, view: AnswerView) -> None:
        self._story = Story(view)
        self.next_number = 0

    def encode(self, events: Iterable[Event | TextRun]) -> bytes:
        return b"".join(self._event(*told) for event in spread(events) for told in self._story.take(event))

    def _event(self, kind: str, members: Body) -> bytes:
        data = write_event(kind, self.next_number, members)
        self.next_number += 1
        return data


def write_event(kind: str, number: int, members: dict[str, Any]) -> bytes:
    data = _json({"type": kind, "sequence_number": number, **members})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


class Story:
    """What is to be told of each event. response: the whole answer, once it is complete."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._start = Start("", "")
        self._telling = Telling(view)
        self._usage: Usage | None = None
        self._finish = Finish(reason="stop")
        self.response: Body = {}

    def take(self, event: Event) -> list[Told]:
        match event:
            case Start():
                return self._begin(event)
            case UsageSnapshot(usage=usage):
                self._usage = usage
            case Finish(choice=0):
                self._finish = event
            case End():
                return self._end()
            case _ if isinstance(event, PartStart | PartEnd | PartDelta) and event.choice == 0:
                return self._telling.take(event)
            case _:
                pass
        return []

    def _begin(self, start: Start) -> list[Told]:
        self._start = start
        self._telling.response_id = self._view.id_of(start.id)
        skeleton = self._view.response(start)
        return [("response.created", {"response": skeleton}), ("response.in_progress", {"response": skeleton})]

    def _end(self) -> list[Told]:
        finish = self._finish
        told = self._telling.end(finish.explanation or REFUSED if finish.reason == "refusal" else None)
        status, members = ending(finish, self._usage)
        self.response = self._view.response(self._start, **members, output=self._telling.items)
        return [*told, (f"response.{status}", {"response": self.response})]
