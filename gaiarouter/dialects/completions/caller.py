"""Callers that speak Completions, to a target that holds conversations: the prompt is all that is said in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gaiarouter.canonical.events import (
    CanonicalAnswer,
    Choice,
    End,
    Event,
    Finish,
    PartStart,
    Start,
    TextDelta,
    TextRun,
    UsageSnapshot,
    said,
    spread,
)
from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import AnswerPart, Refusal, Text
from gaiarouter.canonical.request import CanonicalRequest, Extra, Sampling, Turn
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.chat.chunks import DONE_EVENT
from gaiarouter.dialects.chat.view import REASONS
from gaiarouter.dialects.completions.fields import TOP_LEVEL
from gaiarouter.dialects.completions.request import MOST_TOKENS, Form, decode_form, decode_members
from gaiarouter.dialects.sse import write_event

_PREFIX = re.compile("^[a-z]+[-_]")
_WORDS: Mapping[str, str] = {"tool_calls": "stop"}
_CONTINUES = "only a provider that continues texts has such a setting"


class CompletionsCaller:
    """Stateless; one instance serves all requests."""

    def decode_request(self, body: bytes, envelope: Envelope = BARE) -> CanonicalRequest:
        """body: as read_request accepts it. Raises InvalidRequest for what only a text that is continued can have."""
        form, members = decode_form(body), decode_members(body)
        given = {name: value for name, value in members.items() if bytes(value) != b"null"}
        for name, asked in _wishes(form).items():
            if asked:
                raise refused(name, _CONTINUES)
        return CanonicalRequest(
            dialect="completions",
            model=form.model,
            turns=(Turn(role="user", parts=(Text(text=_prompt(form), path="prompt"),), path="prompt"),),
            stream=bool(form.stream),
            include_usage=form.includes_usage(),
            sampling=_sampling(form, given),
            max_output_tokens=MOST_TOKENS if form.max_tokens is None else form.max_tokens,
            end_user=form.user,
            extras={name: Extra(value=value) for name, value in given.items() if name not in TOP_LEVEL},
            paths={known.slot: name for name, known in TOP_LEVEL.items() if name in given and known.slot is not None},
        )

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, input_tokens: int, model: str | None = None
    ) -> CompletionsWriter:
        """As of pipeline.conversion.Caller."""
        return CompletionsWriter(
            CompletionsView(answer_id=answer_id, created=created, model=model, include_usage=request.include_usage)
        )


def _wishes(form: Form) -> dict[str, bool]:
    """By field: whether it asks for what a conversation cannot give."""
    return {
        "suffix": bool(form.suffix),
        "echo": bool(form.echo),
        "best_of": (form.best_of or 1) > 1,
        "logprobs": form.logprobs is not None,
    }


def _prompt(form: Form) -> str:
    prompt = form.prompt[0] if isinstance(form.prompt, list) and len(form.prompt) == 1 else form.prompt
    if isinstance(prompt, str) and prompt:
        return prompt
    if not prompt:
        raise refused("prompt", "the model's provider answers nothing where nothing is said")
    several = isinstance(prompt, list) and any(isinstance(each, str) for each in prompt)
    raise refused(
        "prompt",
        "the model's provider continues one text at a time"
        if several
        else "the model's provider takes texts, not tokens of another's",
    )


def _sampling(form: Form, given: dict[str, msgspec.Raw]) -> Sampling:
    return Sampling(
        temperature=form.temperature,
        top_p=form.top_p,
        top_k=form.top_k,
        min_p=form.min_p,
        frequency_penalty=form.frequency_penalty,
        presence_penalty=form.presence_penalty,
        repetition_penalty=form.repetition_penalty,
        seed=form.seed,
        stop=(form.stop,) if isinstance(form.stop, str) else None if form.stop is None else tuple(form.stop),
        n=form.n,
        logit_bias=given.get("logit_bias"),
    )


class CompletionsView(Struct, frozen=True, kw_only=True):
    """answer_id: of one that has no id of its own. created: seconds since 1970. model: shown in place of the
    provider's."""

    answer_id: str
    created: int
    model: str | None
    include_usage: bool

    def head(self, id_: str, created: int | None, model: str) -> dict[str, Any]:
        """What answers and chunks begin with."""
        return {
            "id": "cmpl-" + (_PREFIX.sub("", id_) or self.answer_id),
            "object": "text_completion",
            "created": self.created if created is None else created,
            "model": self.model or model,
        }


class CompletionsWriter:
    """Implements dialects.translate.AnswerWriter. Thinking has no place in this format."""

    def __init__(self, view: CompletionsView) -> None:
        self._view = view

    def encode_answer(self, answer: CanonicalAnswer) -> bytes:
        body = self._view.head(answer.id, answer.created, answer.model)
        body["choices"] = [_choice(choice.index, _text(choice), choice.finish) for choice in answer.choices]
        if answer.usage is not None:
            body["usage"] = _usage(answer.usage)
        return msgspec.json.encode(body)

    def stream_encoder(self) -> CompletionsStreamEncoder:
        return CompletionsStreamEncoder(self._view)


class CompletionsStreamEncoder:
    """Implements dialects.translate.StreamEncoder. One instance per answer."""

    next_number = 0

    def __init__(self, view: CompletionsView) -> None:
        self._view = view
        self._head: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._texts: set[tuple[int, int]] = set()
        """By choice and index: the parts that are read as text."""

    def encode(self, events: Iterable[Event | TextRun]) -> bytes:
        return b"".join(self._encode(event) for event in spread(events))

    def _encode(self, event: Event) -> bytes:
        match event:
            case Start(id=id_, model=model, created=created):
                self._head = self._view.head(id_, created, model)
            case PartStart(part=Text() | Refusal()):
                self._texts.add((event.choice, event.index))
                return self._chunk(event.choice, said(event))
            case TextDelta(text=text) if (event.choice, event.index) in self._texts:
                return self._chunk(event.choice, text)
            case Finish():
                return self._event([_choice(event.choice, "", event)])
            case UsageSnapshot(usage=usage):
                self._usage = usage
            case End():
                return self._end()
            case _:
                pass
        return b""

    def _chunk(self, choice: int, text: str) -> bytes:
        return self._event([_choice(choice, text, None)]) if text else b""

    def _end(self) -> bytes:
        if not self._view.include_usage or self._usage is None:
            return DONE_EVENT
        return self._event([], usage=_usage(self._usage)) + DONE_EVENT

    def _event(self, choices: list[dict[str, Any]], **members: Any) -> bytes:
        return write_event(msgspec.json.encode({**self._head, "choices": choices, **members}))


def _text(choice: Choice) -> str:
    return "".join(_said(part) for part in choice.parts)


def _said(part: AnswerPart) -> str:
    return part.text if isinstance(part, Text | Refusal) else ""


def _choice(index: int, text: str, finish: Finish | None) -> dict[str, Any]:
    word = None if finish is None else _WORDS.get(finish.reason) or REASONS[finish.reason]
    return {"text": text, "index": index, "logprobs": None, "finish_reason": word}


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
