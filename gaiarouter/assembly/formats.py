"""The wire formats that callers and providers speak, by name. They hold nothing: one set serves every configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from gaiarouter.dialects.base import Dialect, Listing, SpokenByBoth
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.dialects.chat import listing as chat_listing
from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.completions import CompletionsDialect
from gaiarouter.dialects.completions.caller import CompletionsCaller
from gaiarouter.dialects.counting import CountDialect, CountFormat
from gaiarouter.dialects.embeddings import EmbeddingsDialect
from gaiarouter.dialects.embeddings.conversion import EmbeddingTarget
from gaiarouter.dialects.embeddings.target import EmbeddingsTarget
from gaiarouter.dialects.gemini import listing as gemini_listing
from gaiarouter.dialects.gemini.caller import GeminiCaller
from gaiarouter.dialects.gemini.counting import GeminiCount
from gaiarouter.dialects.gemini.dialect import GeminiDialect
from gaiarouter.dialects.gemini.embedding_dialect import BATCH, SINGLE, GeminiEmbeddingDialect
from gaiarouter.dialects.gemini.embeddings import GeminiEmbeddings
from gaiarouter.dialects.kept.dialect import KeptDialect
from gaiarouter.dialects.messages import listing as messages_listing
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.messages.counting import MessagesCount
from gaiarouter.dialects.messages.dialect import MessagesDialect
from gaiarouter.dialects.passed.dialect import PassedDialect
from gaiarouter.dialects.passed.operations import OPERATIONS
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.dialects.responses.counting import ResponsesCount
from gaiarouter.dialects.responses.dialect import ResponsesDialect
from gaiarouter.pipeline.conversion import Caller


class Formats:
    """both: of conversations, spoken by callers and by targets. callers: those that can be translated from. counts:
    those in which tokens are counted. dialects: all that callers may speak, whatever they ask models for."""

    def __init__(self) -> None:
        self.chat: Final = ChatDialect()
        spoken: tuple[SpokenByBoth, ...] = (
            self.chat,
            MessagesDialect(),
            ResponsesDialect(),
            GeminiDialect(),
            CompletionsDialect(),
        )
        self.both: Final = {each.name: each for each in spoken}
        self.callers: Final[Mapping[str, Caller]] = {
            "chat": ChatCaller(),
            "messages": MessagesCaller(),
            "responses": ResponsesCaller(),
            "gemini": GeminiCaller(),
            "completions": CompletionsCaller(),
        }
        self.counts: Final[Mapping[str, CountFormat]] = {
            "messages": MessagesCount(),
            "responses": ResponsesCount(),
            "gemini": GeminiCount(),
        }
        self.embeddings: Final[Mapping[str, EmbeddingTarget]] = {
            BATCH: GeminiEmbeddings(),
            "embeddings": EmbeddingsTarget(),
        }
        """By operation: what callers' requests for vectors are translated to."""
        self.listings: Final[Mapping[str, Listing]] = {
            "chat": chat_listing,
            "messages": messages_listing,
            "gemini": gemini_listing,
        }
        self.passed: Final = tuple(operation.name for operation in OPERATIONS)
        """What goes to targets as it comes, or not at all."""
        self.dialects: Final[Mapping[str, Dialect]] = {**self.both, **{each.name: each for each in self._others()}}

    def _others(self) -> Iterator[Dialect]:
        """What models are asked for besides conversations."""
        yield from (CountDialect(self.both[name], format_) for name, format_ in self.counts.items())
        yield EmbeddingsDialect()
        yield KeptDialect()
        yield from (GeminiEmbeddingDialect(name) for name in (SINGLE, BATCH))
        yield from (PassedDialect(operation) for operation in OPERATIONS)
