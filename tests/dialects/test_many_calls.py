"""A turn may call as many tools as it likes: what it takes to write it grows with their number, not with its square."""

from __future__ import annotations

import json
import time

import pytest

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.gemini.capabilities import CapabilityTable as GeminiTable
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.messages.capabilities import CapabilityTable as MessagesTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.responses.target import ResponsesTarget
from gaiarouter.dialects.translate import Target

TARGETS = {
    "messages": MessagesTarget(MessagesTable()),
    "gemini": GeminiTarget(GeminiTable()),
    "responses": ResponsesTarget(),
}


def calling(count: int) -> CanonicalRequest:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": f"c{number}", "type": "function", "function": function} for number in range(count)]
    results = [{"role": "tool", "tool_call_id": f"c{number}", "content": "x"} for number in range(count)]
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": calls}, *results]
    return ChatCaller().decode_request(json.dumps({"model": "m", "messages": messages}).encode())


def seconds(target: Target, request: CanonicalRequest) -> float:
    begin = time.process_time()
    target.prepare(request, model="m", strict=False)
    return time.process_time() - begin


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_many_calls_of_one_turn_cost_what_they_are_many(target: Target) -> None:
    few, many = calling(500), calling(4000)
    small, large = (min(seconds(target, request) for _ in range(3)) for request in (few, many))
    assert large < 8 * 4 * small  # eight times as many; the square would be sixty-four
