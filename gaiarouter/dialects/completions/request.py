"""A Completions request: checked field by field, and patched in the caller's own bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import token_weight
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.body import parse
from gaiarouter.dialects.members import HasMembers, JsonObject, asking_for_usage, edited_members
from gaiarouter.errors import InvalidRequest

MOST_TOKENS = 16
"""What the API answers with where the caller sets no limit."""


class _StreamOptions(Struct, gc=False):
    include_usage: bool | None = None


class Form(Struct, gc=False):
    """The members whose types are checked. prompt: a text, texts, one text's tokens, or several texts' tokens; none is
    a text of nothing."""

    model: str
    prompt: str | list[str | int | list[int]] | None = None
    suffix: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None
    logprobs: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    user: str | None = None
    # of servers of one's own
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None

    def includes_usage(self) -> bool:
        return bool(self.stream and self.stream_options and self.stream_options.include_usage)


decode_form = msgspec.json.Decoder(Form).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


class CompletionHead(HasMembers, Struct, gc=False):
    """Implements dialects.base.RequestHead."""

    model: str
    stream: bool
    include_usage: bool
    max_output_tokens: int | None
    prompt_bytes: int
    _weight: float
    _object: JsonObject
    forwarded: Mapping[str, str] = msgspec.field(default_factory=dict)
    sealed: bool = False

    def estimated_input_tokens(self) -> int:
        return int(self._weight) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        own = self._object
        if ask_usage and self.stream and not self.include_usage:
            changes = {} if model == self.model else {"model": msgspec.json.encode(model)}
            return own.patched(changes | asking_for_usage(own))
        return own.body if model == self.model else own.replaced("model", msgspec.json.encode(model))

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> CompletionHead:
        """`system` has no place before a text that is not a conversation."""
        body = edited_members(self._object, default=default, set_=set_, drop=drop)
        return self if body is None else read_request(body)


def read_request(body: bytes, envelope: Envelope = BARE) -> CompletionHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    form, members = parse(body, decode_form)
    if not form.model.strip():
        raise InvalidRequest("`model` must not be empty", param="model")
    limit = MOST_TOKENS if form.max_tokens is None else form.max_tokens
    return CompletionHead(
        model=form.model,
        stream=bool(form.stream),
        include_usage=form.includes_usage(),
        max_output_tokens=limit * max(1, form.n or 1, form.best_of or 1) if limit >= 0 else None,
        prompt_bytes=len(members.members.get("prompt", b"")),
        _weight=_weight(form.prompt),
        _object=members,
    )


def _weight(prompt: str | list[str | int | list[int]] | None) -> float:
    if isinstance(prompt, str):
        return token_weight(prompt)
    return sum(
        token_weight(each) if isinstance(each, str) else len(each) if isinstance(each, list) else 1
        for each in prompt or ()
    )
