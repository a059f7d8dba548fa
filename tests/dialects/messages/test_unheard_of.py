"""Blocks and pieces of them that nobody has told us of, in a stream of Messages."""

from __future__ import annotations

import pytest

from gaiarouter.canonical.events import End
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.parts import Opaque
from tests.dialects.messages.stream import START, STOP, arguments, block, decode, delta, end, spoken, stop, wire


def test_t39_a_new_kind_of_piece_in_a_provider_s_own_call_is_left_out() -> None:
    """The call begins for us when its arguments are whole; whatever else comes before has no place to go."""
    search = block(0, type="server_tool_use", id="srvtoolu_1", name="web_search", input={})
    events = decode(
        wire(START, search, delta(0, "progress", share=0.5), arguments(0, '{"query":"x"}'), end(0), stop(), STOP)
    )
    assert isinstance(events[-1], End)
    (part,) = fold(events).choices[0].parts
    assert isinstance(part, Opaque)
    assert b'"query":"x"' in bytes(part.raw)


@pytest.mark.parametrize("kind", ["progress", "text", "thinking", "signature", "citations"])
def test_t39_a_piece_of_a_block_that_was_never_begun_is_left_out(kind: str) -> None:
    events = decode(wire(START, delta(7, kind, text="x"), *spoken("Hi"), stop(), STOP))
    assert isinstance(events[-1], End)
    assert len(fold(events).choices[0].parts) == 1
