"""Claude refuses thinking that is bound to another conversation: what the gateway wrote is written again without it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types.beta import BetaThinkingConfigAdaptiveParam
from anthropic.types.beta.beta_thinking_block_binding_param import BetaThinkingBlockBindingParam

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.errors import Rejected
from tests.dialects.messages.send import OPUS_5_5, SONNET_4, USER, assistant, decode_request
from tests.dialects.messages.test_replayed_thinking import thought

TEXT = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation."
DROPS: dict[str, BetaThinkingBlockBindingParam] = {"block_binding": {"prefix_mismatch_behavior": "drop_block"}}


def asked(details: list[dict[str, Any]] | None = None, **members: Any) -> CanonicalRequest:
    said = assistant(content="Fine.", reasoning_details=[thought("Hm.")] if details is None else details)
    return decode_request(json.dumps({"model": "x", "messages": [USER, said, USER]} | members).encode())


def refused(target: MessagesTarget, request: CanonicalRequest, *, model: str = OPUS_5_5, text: str = TEXT) -> Rejected:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": text}}
    prepared = target.prepare(request, model=model, strict=False)
    error = prepared.read_error(400, {}, json.dumps(body).encode())
    assert isinstance(error, Rejected)
    return error


def test_the_request_is_written_again_so_that_the_api_drops_such_blocks() -> None:
    target = MessagesTarget(CapabilityTable())
    first = target.prepare(asked(), model=OPUS_5_5, strict=False)
    error = refused(target, asked())
    assert (error.mended, error.outcome, error.edits_history) == (True, "mended", True)
    second = target.prepare(asked(), model=OPUS_5_5, strict=False)
    adaptive: BetaThinkingConfigAdaptiveParam = {"type": "adaptive"}
    assert json.loads(second.body) == {"thinking": adaptive} | json.loads(first.body) | {"thinking": adaptive | DROPS}
    assert second.headers == {**first.headers, "anthropic-beta": "thinking-binding-controls-2026-08-01"}


def test_what_was_asked_of_thinking_stays() -> None:
    target = MessagesTarget(CapabilityTable())
    request = asked(reasoning={"max_tokens": 2048}, max_tokens=9000)
    before = json.loads(target.prepare(request, model=SONNET_4, strict=False).body)["thinking"]
    assert refused(target, request, model=SONNET_4).mended
    after = json.loads(target.prepare(request, model=SONNET_4, strict=False).body)["thinking"]
    assert before == {"type": "enabled", "budget_tokens": 2048}
    assert after == before | DROPS


def test_it_is_done_once_and_for_this_request_alone() -> None:
    target = MessagesTarget(CapabilityTable())
    assert refused(target, asked()).mended
    again = refused(target, asked())
    assert (again.mended, again.edits_history, again.outcome) == (False, False, "http_4xx")
    other = target.prepare(asked(max_tokens=9), model=OPUS_5_5, strict=False)
    assert b"block_binding" not in other.body
    assert "anthropic-beta" not in other.headers


@pytest.mark.parametrize(
    ("request_", "model", "text"),
    [
        (asked([]), OPUS_5_5, TEXT),
        (asked(reasoning={"enabled": False}), SONNET_4, TEXT),
        (asked(), OPUS_5_5, "messages.1.content.0: Invalid `signature` in `thinking` block"),
    ],
    ids=["nothing is bound", "the model does not think", "another refusal"],
)
def test_what_it_would_not_help_is_left_alone(request_: CanonicalRequest, model: str, text: str) -> None:
    target = MessagesTarget(CapabilityTable())
    before = target.prepare(request_, model=model, strict=False)
    assert not refused(target, request_, model=model, text=text).mended
    after = target.prepare(request_, model=model, strict=False)
    assert (after.body, after.headers) == (before.body, before.headers)


def test_a_messages_client_mends_its_own_history() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "S"}
    said = {"role": "assistant", "content": [thinking, {"type": "text", "text": "Fine."}]}
    body = {"model": "x", "max_tokens": 9, "messages": [USER, said, USER]}
    request = MessagesCaller().decode_request(json.dumps(body).encode(), Envelope())
    assert not refused(MessagesTarget(CapabilityTable()), request).mended
