"""Where an answer's texts were taken from, as `groundingMetadata`: pages once each, places in bytes."""

from __future__ import annotations

from typing import Any

from gaiarouter.canonical.parts import Citation
from gaiarouter.dialects.gemini.parts import DIALECT


class Sources:
    """Of one candidate. Its texts count as one, as they do for a client that joins them."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._cited: list[tuple[int, Citation]] = []

    def say(self, part: int, text: str) -> None:
        self._texts.setdefault(part, []).append(text)

    def cite(self, part: int, citation: Citation) -> None:
        """One of this very format is told in the provider's own words."""
        if citation.dialect != DIALECT and citation.url is not None:
            self._cited.append((part, citation))

    def metadata(self) -> dict[str, Any] | None:
        if not self._cited:
            return None
        pages: dict[tuple[str | None, str | None], int] = {}
        supports: list[dict[str, Any]] = []
        for part, citation in self._cited:
            page = pages.setdefault((citation.url, citation.title), len(pages))
            if (segment := self._segment(part, citation)) is not None:
                supports.append({"segment": segment, "groundingChunkIndices": [page]})
        chunks = [{"web": {"uri": url} | ({"title": title} if title else {})} for url, title in pages]
        return {"groundingChunks": chunks} | ({"groundingSupports": supports} if supports else {})

    def _segment(self, part: int, citation: Citation) -> dict[str, Any] | None:
        text = "".join(self._texts.get(part, ()))
        if citation.start is None or citation.end is None or not 0 <= citation.start < citation.end <= len(text):
            return None
        before = sum(len(piece.encode()) for index, pieces in self._texts.items() if index < part for piece in pieces)
        start = before + len(text[: citation.start].encode())
        quoted = text[citation.start : citation.end]
        segment = {"startIndex": start, "endIndex": start + len(quoted.encode()), "text": quoted}
        return segment if start else segment | {"startIndex": 0}
