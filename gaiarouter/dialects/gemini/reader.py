"""Responses of the Gemini format, one after another, as canonical events: a whole answer is a stream of one.

What each adds is an increment, but for the usage, which is a total. Nothing in a stream says that it is at its end but
the end of its bytes, so that only then it is told why the answer ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Raw

from gaiarouter.canonical.events import Aside, End, Event, PartEnd, Start, TextRun, UsageSnapshot
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.gemini import finish, wire
from gaiarouter.dialects.gemini.candidate import CandidateReader
from gaiarouter.dialects.gemini.errors import read_error_in_answer
from gaiarouter.dialects.gemini.parts import DIALECT
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.runs import pieces_of
from gaiarouter.dialects.gemini.usage import UsageTotals

_READ = frozenset({"responseId", "modelVersion", "createTime", "candidates", "usageMetadata", "error"})
_READ_OF_CANDIDATE = frozenset({"index", "content", "finishReason", "finishMessage", "logprobsResult"})


class AnswerReader:
    """One instance per answer."""

    def __init__(self, plan: AnswerPlan) -> None:
        self._plan = plan
        self._candidates: dict[int, CandidateReader] = {}
        self._totals = UsageTotals()
        self._usage: Usage | None = None
        self._blocked: wire.PromptFeedback | None = None
        self._started = False

    def read(self, data: bytes | Raw) -> list[Event]:
        """Raises msgspec.DecodeError for what is not of this format, and the error that it holds."""
        response = wire.decode_response(data)
        if response.error is not wire.ABSENT and wire.is_given(response.error):
            raise read_error_in_answer(bytes(data))
        events: list[Event] = []
        if not self._started:
            self._started = True
            created = None if response.create_time is None else seconds(response.create_time)
            events.append(Start(response.response_id or "", response.model_version or "", created))
        feedback = response.prompt_feedback
        if feedback and feedback.block_reason is not None:
            self._blocked = feedback
        for position, raw in enumerate(response.candidates or ()):
            events += self._candidate(position, raw)
        members = wire.decode_members(data)
        if not members.keys() <= _READ:
            events += _asides(members, _READ, "")
        self._totals.take(response.usage_metadata)
        return events + self.owed()

    def run(self, events: bytes) -> TextRun | None:
        """What whole events add to the text that is open; their totals are owed then. None, and nothing read, if that
        is not all that they say."""
        if not [reader for reader in self._candidates.values() if reader.text is not None]:
            return None
        pieces = pieces_of(events)
        index = pieces[0].candidates[0].index if pieces else None
        reader = None if index is None else self._candidates.get(index)
        if reader is None or reader.text is None:
            return None
        texts = [each.candidates[0].content.parts[0].text for each in pieces if each.candidates[0].index == index]
        if len(texts) != len(pieces) or not self._totals.follow([each.usage_metadata for each in pieces]):
            return None
        return reader.run(texts if all(texts) else [text for text in texts if text])

    def owed(self) -> list[Event]:
        """Totals that were read and not told yet."""
        usage = self._totals.usage
        if usage is None or usage == self._usage:
            return []
        self._usage = usage
        return [UsageSnapshot(usage)]

    def _candidate(self, position: int, raw: Raw) -> list[Event]:
        told = wire.decode_candidate(raw)
        index = position if told.index is None else told.index
        reader = self._candidates.get(index)
        if reader is None:
            reader = self._candidates[index] = CandidateReader(self._plan, index, first_call=self._plan.next_call)
        events, members = reader.read(told), wire.decode_members(raw)
        if not members.keys() <= _READ_OF_CANDIDATE:
            events += _asides(members, _READ_OF_CANDIDATE, f"candidates[{index}].")
        return events

    @property
    def is_complete(self) -> bool:
        """Every choice, or that there is none, has its reason."""
        if self._blocked:
            return True
        return bool(self._candidates) and all(reader.is_finished for reader in self._candidates.values())

    @property
    def is_empty(self) -> bool:
        return not self._candidates and self._blocked is None

    def close(self) -> list[Event]:
        """The rest of the events. Raises Failed where what the model made is of no use."""
        events = self.owed()
        for reader in self._candidates.values():
            events += (PartEnd(part, reader.choice) for part in reader.open_parts())
        for choice in self._candidates or (0,):
            found = self._candidates.get(choice)
            if self._blocked and not (found and found.is_finished):
                events.append(finish.blocked(self._blocked, choice))
            elif found:
                events.append(found.finish())
        return [*events, End()]


def _asides(members: dict[str, Raw], read: frozenset[str], prefix: str) -> Iterator[Aside]:
    for name, raw in members.items():
        if name not in read and wire.is_given(raw):
            yield Aside(prefix + name, raw, DIALECT)


def seconds(created: str) -> int | None:
    """Since 1970. None for what is no time."""
    try:
        return int(datetime.fromisoformat(created).timestamp())
    except (ValueError, OverflowError):
        return None
