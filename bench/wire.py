"""The little HTTP/1.1 that upstream and load driver need, written to be cheap: they must not be what is measured."""

from __future__ import annotations

import json
import re
from typing import Final

PATH: Final = "/v1/chat/completions"
HEAD_END: Final = b"\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
EVENT: Final = b"data: "

SMALL_PROMPT: Final = "Say in one sentence what a reverse proxy does. " * 4
LARGE_PROMPT: Final = "All work and no play makes a dull gateway. " * 2400


def request(model: str, prompt: str, *, stream: bool, key: str, port: int) -> bytes:
    """A chat request as an official client sends it, head and body."""
    messages = [{"role": "user", "content": prompt}]
    body = json.dumps({"model": model, "messages": messages, "stream": stream}, separators=(",", ":")).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\naccept: */*\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(delta: dict[str, str], *, finish: str | None = None) -> bytes:
    """One chunk of a chat stream, about 200 bytes."""
    value = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "bench-model",
        "system_fingerprint": "fp_bench",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def usage_event() -> bytes:
    value = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "bench-model",
        "choices": [],
        "usage": USAGE,
    }
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


USAGE: Final = {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52}
ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "bench-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "It passes requests on and answers back."},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    },
    separators=(",", ":"),
).encode()
