"""The rows and the columns of the matrix, and the cells that cannot be."""

from __future__ import annotations

from tests.matrix.said import Wish

DIALECTS = {"chat": "Chat", "responses": "Responses", "messages": "Messages", "gemini": "Gemini"}

ROWS: dict[str, Wish] = {
    "plain": Wish(""),
    "tools": Wish("", tools=True),
    "parallel tools": Wish("", tools=True),
    "tool results with image": Wish("", shown_picture=True),
    "thinking with signature": Wish("", thinking=True),
    "structured output": Wish("", schema=True),
    "image": Wish("", picture=True),
    "PDF": Wish("", pdf=True),
    "sound": Wish("", sound=True),
    "two answers": Wish("", choices=2),
    "refusal": Wish(""),
    "max tokens": Wish(""),
    "error before": Wish(""),
    "error in mid-stream": Wish(""),
    "usage": Wish(""),
}

WORDLESS = {"sound": ("responses", "messages"), "two answers": ("responses", "messages")}
"""What a caller's format has no words for."""
REFUSED: dict[tuple[str, str, str], str] = {
    ("chat", "messages", "sound"): "messages[0].content[1]",
    ("gemini", "messages", "sound"): "contents[0].parts[1]",
    ("chat", "responses", "two answers"): "n",
    ("chat", "messages", "two answers"): "n",
    ("gemini", "responses", "two answers"): "generationConfig.candidateCount",
    ("gemini", "messages", "two answers"): "generationConfig.candidateCount",
}
"""Caller, target, row: the field that the 400 names."""
