"""The short ways of requests that only say texts write to the byte what the long ones write, wherever they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.dialects.gemini import plain_request as gemini
from gaiarouter.dialects.gemini import request as gemini_request
from gaiarouter.dialects.gemini.capabilities import CapabilityTable as GeminiTable
from gaiarouter.dialects.messages import plain_request as messages
from gaiarouter.dialects.messages import request as messages_request
from gaiarouter.dialects.messages.capabilities import Capabilities
from gaiarouter.dialects.messages.capabilities import CapabilityTable as MessagesTable
from gaiarouter.errors import InvalidRequest
from tests.dialects.test_mutated_requests import RECORDED, decoded
from tests.recorded import Interaction

CLAUDES = ("claude-2", "claude-3-haiku", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5", "claude-haiku-5-5")
# of an operator's: one that samples though it thinks unasked
KNOWN = {
    **{model: MessagesTable().of(model) for model in (*CLAUDES, "other")},
    "thinks": Capabilities(thinking=("adaptive",), thinks_unasked="yes"),
}


def check_messages(request: CanonicalRequest, model: str) -> bool:
    """Whether the short way writes it; then as the long one does, which is as strict as can be."""
    body = messages.write_plain(request, model, KNOWN[model])
    if body is None:
        return False
    target = messages_request.Target(model=model, capabilities=KNOWN[model], strict=True)
    expected = messages_request.Encoder(request, target).encode()
    assert body == expected.body
    assert messages_request.encode_request(request, target) == expected
    return True


def check_gemini(request: CanonicalRequest, model: str) -> bool:
    body = gemini.write_plain(request)
    if body is None:
        return False
    target = gemini_request.Target(model=model, capabilities=GeminiTable().of(model), strict=True)
    expected = gemini_request.Encoder(request, target).encode()
    assert body == expected.body
    assert gemini_request.encode_request(request, target) == expected
    return True


WAYS = [
    *(pytest.param(check_messages, model, id=model) for model in KNOWN),
    *(pytest.param(check_gemini, model, id=model) for model in ("gemini-2.0-flash", "gemini-3-pro")),
]
Check = Callable[[CanonicalRequest, str], bool]


def read(name: str, interaction: Interaction) -> CanonicalRequest | None:
    try:
        return decoded(name, interaction.request)
    except (InvalidRequest, msgspec.ValidationError):
        return None


@pytest.fixture(scope="module")
def recorded() -> list[CanonicalRequest]:
    found = (read(name, each) for name, recorded in RECORDED.items() for each in recorded)
    return [request for request in found if request is not None]


@pytest.mark.parametrize(("check", "model"), WAYS)
def test_recorded_requests_are_written_the_short_way_as_the_long_one(
    recorded: list[CanonicalRequest], check: Check, model: str
) -> None:
    written = [request for request in recorded if check(request, model)]
    assert len(written) > 100, len(written)


TEXTS = st.sampled_from(["", " ", "\n", "Hi", "Grüß dich", '"\\\x01'])
MESSAGES = st.builds(
    lambda role, content, more: {"role": role, "content": content} | more,
    st.sampled_from(["system", "developer", "user", "user", "assistant"]),
    TEXTS | st.lists(st.builds(lambda text: {"type": "text", "text": text}, TEXTS), max_size=2),
    st.sampled_from([{}, {}, {}, {"name": "n"}, {"refusal": "No"}, {"cache_control": {"type": "ephemeral"}}]),
)
MEMBERS = {
    "temperature": st.sampled_from([None, 0, 0.5, 1, 1.5]),
    "top_p": st.sampled_from([None, 0.5, 1]),
    "max_tokens": st.sampled_from([None, -1, 0, 1, 4096, 10_000_000]),
    "stream": st.sampled_from([None, True, False]),
    "user": st.sampled_from([None, "u"]),
    "seed": st.sampled_from([None, 7]),
    "reasoning_effort": st.sampled_from([None, "low"]),
    "unheard_of": st.just(1),
}
REQUESTS = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGES, min_size=1, max_size=4)}, optional=MEMBERS
)


@pytest.mark.parametrize(("check", "model"), WAYS)
@given(body=REQUESTS)
def test_the_short_way_writes_what_the_long_one_writes(check: Check, model: str, body: dict[str, Any]) -> None:
    check(decode_request(json.dumps(body).encode()), model)


@pytest.mark.parametrize(("check", "model"), WAYS)
@given(
    texts=st.lists(st.text("ab c\n", min_size=1).filter(str.strip), min_size=1, max_size=5).filter(
        lambda it: len(it) % 2
    )
)
def test_texts_in_turn_are_written_the_short_way(check: Check, model: str, texts: list[str]) -> None:
    turns = [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]
    body = {"model": "m", "messages": [{"role": "system", "content": "Be brief"}, *turns], "max_tokens": 9}
    assert check(decode_request(json.dumps(body).encode()), model)
