"""What is read of responses that go on as they came: usage, how much was said, the ending, an error."""

from __future__ import annotations

from msgspec import Raw

from gaiarouter.canonical.usage import Usage, later, token_weight
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.gemini.errors import read_error_in_answer
from gaiarouter.dialects.gemini.usage import UsageTotals


class Watched:
    """One answer, response by response.

    is_complete: every candidate, or the filter that let none come, has given its reason. weight: estimated tokens.
    """

    def __init__(self) -> None:
        self._totals = UsageTotals()
        self._unfinished: set[int] = set()
        self._finished: set[int] = set()
        self._blocked = False
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.content_started = False
        self.weight = 0.0

    @property
    def is_empty(self) -> bool:
        return not (self._blocked or self._unfinished or self._finished)

    @property
    def is_complete(self) -> bool:
        return self._blocked or bool(self._finished and not self._unfinished)

    def read(self, data: bytes | Raw) -> None:
        """Raises msgspec.DecodeError for what is not of this format, and the error that it holds."""
        response = wire.decode_response(data)
        if wire.is_given(response.error):
            raise read_error_in_answer(bytes(data))
        feedback = response.prompt_feedback
        if feedback and feedback.block_reason is not None:
            self._blocked = True
            self.finish_reason = self.finish_reason or str(feedback.block_reason)
        for position, raw in enumerate(response.candidates or ()):
            self._candidate(position, wire.decode_candidate(raw))
        if wire.is_given(response.usage_metadata):
            self.usage = later(self.usage, self._totals.take(response.usage_metadata))

    def _candidate(self, position: int, candidate: wire.Candidate) -> None:
        index = position if candidate.index is None else candidate.index
        for raw in (candidate.content and candidate.content.parts) or ():
            self._part(raw)
        if candidate.finish_reason is not None:
            self._finished.add(index)
            self._unfinished.discard(index)
            if index == 0:
                self.finish_reason = str(candidate.finish_reason)
        elif index not in self._finished:
            self._unfinished.add(index)

    def _part(self, raw: Raw) -> None:
        part = wire.decode_part(raw)
        if part.text is None:
            self.weight += len(raw) / 4 if part.function_call else 0.0
            self.content_started = True
        elif part.text:
            self.weight += token_weight(part.text)
            self.content_started = True
