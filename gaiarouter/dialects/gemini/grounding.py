"""What an answer was taken from. Places are told in bytes of a part, and become characters of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from gaiarouter.canonical.parts import Citation
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.gemini.parts import DIALECT

Located = tuple[int, int | None, int | None]
"""The index of a text, and the first and the last character there."""


class Texts:
    """The texts that citations may be of. texts: by index, in order; by_part: index of the text that a part of the
    answer became."""

    def __init__(self, texts: dict[int, str], by_part: Sequence[int | None]) -> None:
        self._texts = texts
        self._by_part = by_part

    def locate(self, segment: wire.Segment | None) -> Located | None:
        """None where there is no text. In streams the parts are counted as if their texts were one: what a segment
        quotes decides."""
        if not self._texts:
            return None
        last = next(reversed(self._texts))
        if segment is None:
            return last, None, None
        start, end = segment.start_index or 0, segment.end_index or 0
        if found := self._by_number(segment, start, end) or self._by_offset(segment, start, end):
            return found
        if segment.text:
            for index, text in self._texts.items():
                if (at := text.find(segment.text)) >= 0:
                    return index, at, at + len(segment.text)
        return last, None, None

    def _by_number(self, segment: wire.Segment, start: int, end: int) -> Located | None:
        number = segment.part_index or 0
        index = self._by_part[number] if 0 <= number < len(self._by_part) else None
        if index is None or index not in self._texts:
            return None
        return _characters(index, self._texts[index], start, end, segment.text)

    def _by_offset(self, segment: wire.Segment, start: int, end: int) -> Located | None:
        before = 0
        for index, text in self._texts.items():
            if found := _characters(index, text, start - before, end - before, segment.text):
                return found
            before += len(text.encode())
        return None


def _characters(index: int, text: str, start: int, end: int, quoted: str | None) -> Located | None:
    encoded = text.encode()
    if not 0 <= start < end <= len(encoded):
        return None
    first = len(encoded[:start].decode("utf-8", "ignore"))
    last = len(encoded[:end].decode("utf-8", "ignore"))
    return (index, first, last) if quoted is None or text[first:last] == quoted else None


def citations(candidate: wire.Candidate, texts: Texts) -> Iterator[tuple[int, Citation]]:
    """Each with the index of its text. Raises msgspec.DecodeError."""
    grounding = candidate.grounding_metadata or wire.Grounding()
    chunks = grounding.grounding_chunks or []
    for support in grounding.grounding_supports or ():
        located = texts.locate(support.segment)
        for number in support.grounding_chunk_indices or ():
            if located is not None and 0 <= number < len(chunks):
                yield located[0], _source(chunks[number], located)
    quotations = (candidate.citation_metadata or wire.Quotations()).citations
    for raw in quotations or ():
        yield from _quoted(raw, texts)


def _source(raw: Raw, located: Located) -> Citation:
    chunk = wire.decode_chunk(raw)
    found = chunk.web or chunk.maps or chunk.retrieved_context or wire.Web()
    is_page = chunk.web is not None or chunk.maps is not None
    return Citation(
        kind="url" if is_page else "document",
        dialect=DIALECT,
        raw=raw,
        url=found.uri,
        title=found.title,
        start=located[1],
        end=located[2],
    )


def _quoted(raw: Raw, texts: Texts) -> Iterator[tuple[int, Citation]]:
    told = wire.decode_quotation(raw)
    located = texts.locate(wire.Segment(start_index=told.start_index, end_index=told.end_index))
    if told.uri is None or located is None:
        return
    yield (
        located[0],
        Citation(
            kind="url",
            dialect=DIALECT,
            raw=raw,
            url=told.uri,
            title=told.title,
            start=located[1],
            end=located[2],
        ),
    )


def logprobs(told: wire.Logprobs) -> Raw:
    """A list of tokens, each with its rivals."""
    rivals = told.top_candidates or []
    tokens = [
        _token(token) | {"top_logprobs": [_token(each) for each in _rivals(rivals, position)]}
        for position, token in enumerate(told.chosen_candidates or ())
    ]
    return Raw(msgspec.json.encode(tokens))


def _rivals(rivals: list[wire.TopTokens], position: int) -> list[wire.Token]:
    return (rivals[position].candidates or []) if position < len(rivals) else []


def _token(token: wire.Token) -> dict[str, object]:
    text = token.token or ""
    return {"token": text, "logprob": token.log_probability or 0.0, "bytes": list(text.encode())}
