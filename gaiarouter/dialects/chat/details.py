"""Thinking inside Chat messages: `reasoning_details` as OpenRouter has them, in both directions.

They carry what a provider must get back unchanged: its text to the byte, its signature, or sealed bytes. Callers keep
them as they came, joined by index, or as the fragments of a stream one after another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from gaiarouter.canonical.parts import Reasoning, Sealed
from gaiarouter.dialects.chat.form import Detail, Message, ThinkingBlock

REASONING_GAP = "\n\n"
"""Between pieces of thinking where they are shown as one text."""
_BLOCK_FORMAT = "anthropic-claude-v1"


def read_reasoning(message: Message, path: str) -> tuple[Reasoning, ...]:
    """The thinking of an assistant's message, in order. Text alone, without a seal, is kept too."""
    if message.reasoning_details:
        return tuple(_joined(message.reasoning_details, f"{path}.reasoning_details"))
    if message.thinking_blocks:
        return tuple(_from_block(block, f"{path}.thinking_blocks") for block in message.thinking_blocks)
    for name, text in (("reasoning_content", message.reasoning_content), ("reasoning", message.reasoning)):
        if text:
            return (Reasoning(visible=(text,), path=f"{path}.{name}"),)
    return ()


def _joined(details: Iterable[Detail], path: str) -> Iterable[Reasoning]:
    pieces: dict[tuple[float, str], list[Detail]] = {}
    for position, detail in enumerate(details):
        # without an index each stands alone
        index = position + 0.5 if detail.index is None else float(detail.index)
        pieces.setdefault((index, detail.type), []).append(detail)
    for _, fragments in sorted(pieces.items(), key=lambda piece: piece[0][0]):
        yield _from_details(fragments, path)


def _from_details(fragments: list[Detail], path: str) -> Reasoning:
    first = fragments[0]
    text = "".join(fragment.text or "" for fragment in fragments)
    summary = "".join(fragment.summary or "" for fragment in fragments)
    signature = "".join(fragment.signature or "" for fragment in fragments)
    data = "".join(fragment.data or "" for fragment in fragments)
    format_ = _format(first)
    sealed: list[Sealed] = []
    if signature:
        sealed.append(Sealed("signature", format_, signature))
    if data:
        sealed.append(Sealed("redacted" if format_ == _BLOCK_FORMAT else "encrypted", format_, data))
    return Reasoning(
        visible=(text,) if first.type == "reasoning.text" else (),
        summary=(summary,) if summary else (),
        sealed=tuple(sealed),
        format=format_,
        id=first.id,
        position=next((each.position for each in fragments if each.position is not None), None),
        path=path,
    )


def _format(detail: Detail) -> str:
    """Some callers join the fragments of a stream by adding all their texts up, `format` among them."""
    text = detail.format or ""
    return _BLOCK_FORMAT if text and not text.replace(_BLOCK_FORMAT, "") else text


def _from_block(block: ThinkingBlock, path: str) -> Reasoning:
    if block.data is not None:
        redacted = (Sealed("redacted", _BLOCK_FORMAT, block.data),)
        return Reasoning(sealed=redacted, format=_BLOCK_FORMAT, path=path)
    sealed = (Sealed("signature", _BLOCK_FORMAT, block.signature),) if block.signature else ()
    return Reasoning(visible=(block.thinking,), sealed=sealed, format=_BLOCK_FORMAT, path=path)


def text_detail(text: str, *, index: int, format_: str, position: int | None) -> dict[str, Any]:
    return _placed({"type": "reasoning.text", "text": text, "index": index, "format": format_}, position)


def summary_detail(text: str, *, index: int, format_: str, position: int | None) -> dict[str, Any]:
    return _placed({"type": "reasoning.summary", "summary": text, "index": index, "format": format_}, position)


def sealed_detail(sealed: Sealed, *, index: int, position: int | None, id_: str | None = None) -> dict[str, Any]:
    """A signature goes with the text that it signs, at its index; sealed bytes are a detail of their own."""
    if sealed.kind == "signature":
        detail = text_detail("", index=index, format_=sealed.format, position=position)
        return detail | {"signature": sealed.data}
    detail = {"type": "reasoning.encrypted", "data": sealed.data, "index": index, "format": sealed.format}
    return _placed(detail | ({"id": id_} if id_ else {}), position)


def _placed(detail: dict[str, Any], position: int | None) -> dict[str, Any]:
    return detail if position is None else detail | {"position": position}


class Places(Struct):
    """Where thinking stands among the other things that a Chat message tells apart: text (all of it one), and calls.

    A caller that sends the details back lets the target put each piece of thinking where it was.
    """

    pieces: int = 0
    calls: int = 0
    has_text: bool = False

    def text(self) -> None:
        self.has_text = True

    def call(self) -> int:
        """The position of the new call among the calls."""
        self.calls += 1
        return self.calls - 1

    def reasoning(self) -> tuple[int, int | None]:
        """The index of the new piece, and its place if anything but thinking stands before it."""
        others = self.calls + self.has_text
        self.pieces += 1
        index = self.pieces - 1
        return index, index + others if others else None
