"""A closer estimate for an answer whose provider tells no usage, where the extra `tokens` is installed.

The tokenizer is loaded when the first such answer is there, in a thread, since that takes a second and 140 MB. Until it
is, and without the extra, the estimate stays what the script-aware one says. What is counted is bounded, so that nobody
waits for the length of another's prompt; what lies beyond is taken to be like what was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import Thread
from typing import Any, Final

import msgspec
import structlog

from gaiarouter.canonical.usage import token_weight

_log = structlog.get_logger("gaiarouter.ledger")

PACKAGE = "bpe_openai"
_ENCODING: Final = "o200k_base"
_MOST_BYTES: Final = 1 << 20
"""Of JSON that is searched for text."""
_MOST_TEXT: Final = 1 << 15
"""Characters that are counted: about two milliseconds."""
_HEARD_BYTES: Final = 1 << 14
_SAID: Final = frozenset(
    {"arguments", "content", "delta", "partial_json", "reasoning", "reasoning_content", "refusal", "text", "thinking"}
)
_GIVEN: Final = _SAID | {"input", "instructions", "prompt", "system"}

Encode = Callable[[str], list[int]]


class Heard:
    """The beginning of a stream, as it goes to the caller. It stands for the rest of it."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, events: bytes) -> None:
        if len(self.data) < _HEARD_BYTES:
            self.data += events[:_HEARD_BYTES]


class Tokenizer:
    """Never raises: what it cannot count stays as it was estimated."""

    def __init__(self) -> None:
        self._package = PACKAGE
        self._is_installed = find_spec(self._package) is not None
        self._loading: Thread | None = None
        self._encode: Encode | None = None

    def listen(self) -> Heard | None:
        """For a stream; None where nothing would be made of it."""
        return Heard() if self._is_installed else None

    def is_ready(self) -> bool:
        """Whether it can count. It is loaded from now on where it can be."""
        if self._is_installed and self._loading is None:
            self._loading = Thread(target=self._load, name="tokenizer")
            self._loading.start()
        return self._encode is not None

    def given(self, estimate: int, body: bytes) -> int:
        """Tokens of a request. estimate: without a tokenizer. body: its JSON; what is no text counts as estimated."""
        return self._corrected(estimate, "".join(_texts(_decoded(body), _GIVEN)))

    def said(self, estimate: int, body: bytes) -> int:
        """Tokens of a whole answer."""
        return self._corrected(estimate, "".join(_texts(_decoded(body), _SAID)))

    def heard(self, estimate: int, heard: Heard) -> int:
        """Tokens of a stream."""
        lines = bytes(heard.data).split(b"\n")
        events = (_decoded(line[5:]) for line in lines if line.startswith(b"data:"))
        ratio = self._ratio("".join(text for event in events for text in _texts(event, _SAID)))
        return max(min(estimate, 1), round(estimate * ratio))

    def _corrected(self, estimate: int, text: str) -> int:
        return max(0, round(estimate + (self._ratio(text) - 1) * token_weight(text)))

    def _ratio(self, text: str) -> float:
        """Counted to estimated; 1 where there is nothing to count, or nothing to count with."""
        sample = text[:_MOST_TEXT]
        if self._encode is None or not sample:
            return 1.0
        return len(self._encode(sample)) / token_weight(sample)

    def _load(self) -> None:
        try:
            self._encode = _encoder(self._package)
        except (ImportError, OSError) as error:
            _log.warning("tokenizer.unusable", package=self._package, error=type(error).__name__)


@cache
def _encoder(package: str) -> Encode:
    """Once for all configurations that a process has had."""
    encode: Encode = import_module(package).get_encoding(_ENCODING).encode_ordinary
    return encode


def _decoded(body: bytes) -> Any:
    """None for what is no JSON, or too much of it."""
    if len(body) > _MOST_BYTES:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _texts(value: Any, names: frozenset[str], name: str = "") -> Iterator[str]:
    """Every text that is a member of one of these names, or in a list that is."""
    if isinstance(value, str):
        if name in names:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, names, name)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, names, key)
