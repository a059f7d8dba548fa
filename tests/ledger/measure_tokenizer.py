"""What the extra `tokens` costs a stream, in CPU: .venv/bin/python -m tests.ledger.measure_tokenizer

Every stream keeps its beginning, in case that no usage comes; one that tells none is counted at its end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial

from gaiarouter.ledger.tokenizer import Heard
from tests.ledger.conftest import loaded

WORDS = "The quick brown fox jumps over the lazy dog, which does not mind. "
EVENTS = [
    b"data: "
    + json.dumps({"choices": [{"index": 0, "delta": {"content": WORDS[n % 60 : n % 60 + 5]}}]}).encode()
    + b"\n\n"
    for n in range(300)
]
"""A stream of 300 chunks of a token or so each."""


def request_of(characters: int) -> bytes:
    content = (WORDS * (characters // len(WORDS) + 1))[:characters]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()


def cpu_us(work: Callable[[], object], times: int) -> float:
    """Of the fastest of five turns."""
    turns = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            work()
        turns.append((time.process_time() - began) / times * 1e6)
    return min(turns)


def listened() -> Heard:
    heard = Heard()
    for event in EVENTS:
        heard.add(event)
    return heard


def main() -> None:
    tokenizer, heard = loaded(), listened()
    print(f"a stream of 300 chunks that tells its usage: {cpu_us(listened, 100):.0f} µs in all")
    print(f"one that tells none, its output: {cpu_us(lambda: tokenizer.heard(300, heard), 20):.0f} µs")
    for characters in (300, 32_768, 500_000):
        body = request_of(characters)
        print(f"its prompt of {characters:,} characters: {cpu_us(partial(tokenizer.given, 100, body), 10):.0f} µs")


if __name__ == "__main__":
    main()
