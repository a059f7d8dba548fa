"""A route's own system prompt, put before the caller's."""

from __future__ import annotations

import json

import pytest

from gaiarouter.dialects.messages.head import read_request

OWN = {"type": "text", "text": "Ours."}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "Ours."),
        (',"system":null', "Ours."),
        (',"system": null ', "Ours."),
        (',"system":"Theirs."', [OWN, {"type": "text", "text": "Theirs."}]),
        (',"system":[{"type":"text","text":"Theirs."}]', [OWN, {"type": "text", "text": "Theirs."}]),
        (',"system":[]', [OWN]),
    ],
)
def test_it_comes_before_whatever_the_caller_has(before: str, after: object) -> None:
    head = read_request(b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]%b}' % before.encode())
    made = head.edited(default={}, set_={}, drop=(), system="Ours.")
    assert json.loads(made.body_for(model="m", ask_usage=False))["system"] == after
