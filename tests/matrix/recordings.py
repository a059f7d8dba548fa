"""Which recording stands behind each row of the matrix, for each dialect that a target is spoken to in."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests.recorded import Interaction, interactions
from tests.support.script import Drip, Script, chunk, sse, sse_answer
from tests.support.script import answer as http_answer

_SOURCES = {
    "chat": ("openai", "chat"),
    "responses": ("openai", "responses"),
    "messages": ("anthropic", "messages"),
    "gemini": ("google", "generate"),
}
SIGNED_CHAT = "openrouter"
"""Who speaks Chat and signs thinking."""

Pair = tuple[str | None, str | None]

RECORDED: dict[str, dict[str, Pair]] = {
    "chat": {
        "plain": ("068237a9af99", "32873c91f5cb"),
        "tools": ("00eeb1f94878", "e105492cdbaa"),
        "parallel tools": ("3c0bcc2e4f5f", "deepseek/8050351fc3f9"),
        "tool results with image": ("1dbb885e4bec", "dbc781138f52"),
        "thinking with signature": ("openrouter/34e93a5b77c1", "openrouter/0d91205c16d6"),
        "structured output": ("05b1ba736418", "24db567e25ad"),
        "image": ("12a381b6e497", "156893da7343"),
        "PDF": ("f5e0435b8377", None),
        "refusal": ("3d9c6cbadedf", "15e1b80c8844"),
        "max tokens": ("b87c2245788e", "a76c76c31abb"),
        "error before": ("04a11337fdcf", None),
        "usage": ("e462fdb9252c", "26c85ca4eaee"),
    },
    "responses": {
        "plain": ("132aef034e0a", "e7ac21001937"),
        "tools": ("28e97f423232", "43ee892c1b46"),
        "parallel tools": ("231d6ac13f1f", "d1ad7ad2fbb0"),
        "tool results with image": ("086b1a741e1a", "1eb2f5470cff"),
        "thinking with signature": ("5ba82b5839b2", "1201e18f5c5e"),
        "structured output": ("1cea2c455c8c", "5f54863f7981"),
        "image": ("9403d8214300", None),
        "PDF": ("3101894816b1", None),
        "refusal": ("3ced8ce2f962", "1a63b4186e84"),
        "max tokens": ("fef2fe8014fe", "dba2ff042578"),
        "error before": ("01da4860280b", None),
        "usage": ("54b7a5fce11f", "aabcbeec0427"),
    },
    "messages": {
        "plain": ("6e7577e75a29", "7ad81ec2318a"),
        "tools": ("0f6e21e0762f", "24914bd7c168"),
        "parallel tools": ("3a36eb5e9391", "667143e4e950"),
        "tool results with image": ("0bb8e402f481", "4793a33b016e"),
        "thinking with signature": ("6400ef71b19a", "8acff199a481"),
        "structured output": ("068cd4dfbe50", "a864895aaeb8"),
        "image": ("ab08cf9860d8", "7ba7b317af6a"),
        "PDF": ("ad49ff1e7b93", None),
        "max tokens": ("02a205a79165", "014ee3189441"),
        "error before": ("05f011d651e7", None),
        "usage": ("c6b9522dadf6", "71e5edbbe196"),
    },
    "gemini": {
        "plain": ("433edcf1316b", "5934cb5a318f"),
        "tools": ("7a2706d07caf", "46b51caa7a09"),
        "parallel tools": ("efa05a1fbc17", "45015fcf93d9"),
        "tool results with image": ("22086bb3786a", "f5774b7d2bec"),
        "thinking with signature": ("f08e2bf18401", "3a40e7b13caa"),
        "structured output": ("2150895b4041", "0d2cbcc819ba"),
        "image": ("35e61d467486", "0b2fc6327fb4"),
        "PDF": ("a6ec15a6b2da", None),
        "refusal": ("3bf6768260b3", None),
        "max tokens": ("ddcdc642b96e", "42547673541f"),
        "error before": ("vertex/d2874a68f767", None),
        "usage": ("b14c98d3ab73", "952d5ee4d44e"),
    },
}
"""The answer as a whole, and streamed: ids of tests/recorded, with the provider where it is another than the format's
own vendor, who was not recorded so. None: nobody was."""

_ASKED = frozenset({"image", "PDF", "sound", "two answers"})
"""Rows that are about what is asked: the answer may be any."""

_REFUSED: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "stop_reason": "refusal",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
"""As the vendor documents it; nobody has recorded one."""

FAILURES: dict[str, bytes] = {
    "chat": sse({"error": {"message": "Overheated", "type": "server_error", "param": None, "code": None}}),
    "responses": b"event: error\n"
    + sse({"type": "error", "code": "server_error", "message": "Overheated", "param": None, "sequence_number": 99}),
    "messages": b"event: error\n" + sse({"type": "error", "error": {"type": "api_error", "message": "Overheated"}}),
    "gemini": sse({"error": {"code": 500, "message": "Overheated", "status": "INTERNAL"}}),
}
"""How each vendor tells in mid-stream that it has failed."""


@cache
def _by_id(provider: str, endpoint: str) -> dict[str, Interaction]:
    return {each.id: each for each in interactions(provider, endpoint)}


def recording(target: str, row: str, *, stream: bool) -> Interaction | None:
    found = RECORDED[target].get(row, (None, None))[stream]
    if found is None and row in _ASKED:
        found = RECORDED[target]["plain"][stream]
    if found is None:
        return None
    provider, endpoint = _SOURCES[target]
    named, _, identity = found.rpartition("/")
    return _by_id(named or provider, endpoint)[identity]


def script(target: str, row: str, *, stream: bool) -> Script | None:
    """What the provider answers. None where there is no such recording."""
    if row == "error in mid-stream":
        return _broken(target) if stream else None
    if row == "two answers" and stream:
        return None  # several answers at once are not streamed
    if target == "messages" and row == "refusal":
        return None if stream else http_answer(json.dumps(_REFUSED).encode(), headers=_JSON)
    found = recording(target, row, stream=stream)
    if found is None:
        return None
    return http_answer(found.body, status=found.status, headers=_EVENTS if found.is_stream else _JSON)


_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream"}


def _broken(target: str) -> Script:
    """The beginning of the plain stream, as far as some text is in it, and then the vendor's word for a failure."""
    whole = recording(target, "plain", stream=True)
    assert whole is not None
    separator = b"\r\n\r\n" if b"\r\n\r\n" in whole.body else b"\n\n"
    events = whole.body.split(separator)
    begun = separator.join(events[: _first_text(events) + 1]) + separator
    # the text is on its way before the failure is whole
    return (*sse_answer([begun], end=False), Drip(chunk(FAILURES[target]), every_s=0.001))


def _first_text(events: list[bytes]) -> int:
    """The first event that holds a piece of the answer's text."""
    for index, event in enumerate(events):
        data = json.loads(event.partition(b"data:")[2] or b"{}") if b"[DONE]" not in event else {}
        chat = [choice.get("delta", {}).get("content") for choice in data.get("choices", ())]
        contents = [candidate.get("content", {}) for candidate in data.get("candidates", ())]
        spoken = [part.get("text") for content in contents for part in content.get("parts", ())]
        own = data.get("delta") if data.get("type") in ("response.output_text.delta", "content_block_delta") else None
        if any((*chat, *spoken, own)):
            return index
    raise AssertionError("no text in it")
