"""Cache breakpoints: the API takes four, and answers 400 to a fifth."""

from __future__ import annotations

from collections.abc import Iterable

from gaiarouter.canonical.losses import Losses
from gaiarouter.dialects.messages.blocks import Block
from gaiarouter.dialects.messages.turns import Message

MAX_MARKERS = 4


def limit_markers(
    tools: Iterable[Block], system: Iterable[Block], messages: Iterable[Message], *, automatic: bool, losses: Losses
) -> None:
    """Takes off what is too much. Those on tools and system stay first, then the latest of the conversation.

    automatic: the API will set one by itself, which counts.
    """
    fixed = [block for block in (*tools, *system) if "cache_control" in block.body]
    said = [block for message in messages for block in message.blocks if "cache_control" in block.body]
    room = MAX_MARKERS - automatic
    if len(fixed) + len(said) <= room:
        return
    kept = fixed[-room:]
    left = room - len(kept)
    kept += said[-left:] if left else []
    keep = {id(block.body) for block in kept}
    for block in (*fixed, *said):
        if id(block.body) not in keep:
            del block.body["cache_control"]
            losses.drop(block.path, f"a request holds at most {MAX_MARKERS} cache breakpoints")
