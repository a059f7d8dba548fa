from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.chat.request import ChatHead, read_request
from gaiarouter.errors import InvalidRequest
from tests.recorded import Interaction, chat_interactions

ACCEPTED = [each for each in chat_interactions(ok=True) if isinstance(each.request, dict)]
HELLO = [{"role": "user", "content": "Hello"}]


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "messages": HELLO} | members).encode()


def read(**members: Any) -> ChatHead:
    return read_request(body(**members))


def recorded_body(recorded: Interaction) -> bytes:
    """Azure's older paths carry the model; everyone else's bodies do."""
    return json.dumps({"model": "m"} | recorded.request, ensure_ascii=False).encode()


def test_every_recorded_request_that_a_provider_took_is_read() -> None:
    assert len(ACCEPTED) > 1000
    for recorded in ACCEPTED:
        head = read_request(recorded_body(recorded))
        assert head.model == recorded.request.get("model", "m")
        assert head.stream is recorded.request.get("stream", False)
        assert head.body_for(model=head.model, ask_usage=False) == recorded_body(recorded)


def test_every_recorded_request_goes_out_with_only_the_model_and_the_wish_for_usage_changed() -> None:
    for recorded in ACCEPTED:
        sent = read_request(recorded_body(recorded)).body_for(model="other/model", ask_usage=True)
        expected = recorded.request | {"model": "other/model"}
        if recorded.request.get("stream"):
            expected["stream_options"] = (recorded.request.get("stream_options") or {}) | {"include_usage": True}
        assert json.loads(sent) == expected


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"not json", "invalid_json", None),
        (body() + b" x", "invalid_json", None),
        (body()[:-1] + b', "x": NaN}', "invalid_json", None),
        (body()[:-1] + b', "x": Infinity}', "invalid_json", None),
        (body()[:-1] + b', "x": "\\ud800"}', "invalid_json", None),
        (body()[:-1] + b', "x": "\xff"}', "invalid_json", None),
        (body(user="\xff").decode().encode("utf-16"), "invalid_json", None),
        (b"\xef\xbb\xbf" + body(), "invalid_json", None),
        (body()[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json", None),
        (body()[:-1] + b', "model": "other"}', "invalid_json", None),
        (body()[:-1] + b', "mod\\u0065l": "m"}', "invalid_json", None),
        (body()[:-1] + b', "messages": []}', "invalid_json", None),
        (b"[]", "invalid_type", None),
        (b'"text"', "invalid_type", None),
        (b"null", "invalid_type", None),
        (b'{"messages": []}', "missing_field", "model"),
        (b'{"model": "m"}', "missing_field", "messages"),
        (body(model=""), "invalid_request", "model"),
        (body(model="  "), "invalid_request", "model"),
        (body(messages=[]), "invalid_request", "messages"),
        (body(model=None), "invalid_type", "model"),
        (body(model=5), "invalid_type", "model"),
        (body(messages={}), "invalid_type", "messages"),
        (body(messages=["x"]), "invalid_type", "messages[0]"),
        (body(messages=[*HELLO, {"content": "x"}]), "missing_field", "messages[1].role"),
        (body(messages=[{"role": 5}]), "invalid_type", "messages[0].role"),
        (body(messages=[{"role": "user", "content": 5}]), "invalid_type", "messages[0].content"),
        (body(messages=[{"role": "user", "content": {}}]), "invalid_type", "messages[0].content"),
        (body(messages=[{"role": "user", "content": [5]}]), "invalid_type", "messages[0].content[0]"),
        (body(messages=[{"role": "user", "content": [{"text": "x"}]}]), "missing_field", "messages[0].content[0].type"),
        (
            body(messages=[*HELLO, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}]),
            "invalid_type",
            "messages[1].content[0].image_url.url",
        ),
        (body(messages=[{"role": "assistant", "tool_calls": {}}]), "invalid_type", "messages[0].tool_calls"),
        (
            body(messages=[{"role": "assistant", "tool_calls": [{"function": {"arguments": 5}}]}]),
            "invalid_type",
            "messages[0].tool_calls[0].function.arguments",
        ),
        (body(stream="true"), "invalid_type", "stream"),
        (body(stream_options=True), "invalid_type", "stream_options"),
        (body(stream_options={"include_usage": 1}), "invalid_type", "stream_options.include_usage"),
        (body(temperature="0"), "invalid_type", "temperature"),
        (body(top_p=[]), "invalid_type", "top_p"),
        (body(n=1.5), "invalid_type", "n"),
        (body(n=True), "invalid_type", "n"),
        (body(stop=[1]), "invalid_type", "stop[0]"),
        (body(max_tokens="1"), "invalid_type", "max_tokens"),
        (body(max_completion_tokens=1.5), "invalid_type", "max_completion_tokens"),
        (body(tools={}), "invalid_type", "tools"),
        (body(tools=[{"type": "function", "function": {}}]), "missing_field", "tools[0].function.name"),
        (body(tools=[{"function": {"name": "f", "parameters": 5}}]), "invalid_type", "tools[0].function.parameters"),
        (body(tool_choice=5), "invalid_type", "tool_choice"),
        (body(response_format="json"), "invalid_type", "response_format"),
        (body(seed="x"), "invalid_type", "seed"),
        (body(logprobs=1), "invalid_type", "logprobs"),
        (body(logit_bias={"50256": "x"}), "invalid_type", "logit_bias[...]"),
        (body(user=1), "invalid_type", "user"),
        (body(metadata=[]), "invalid_type", "metadata"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_wrong_is_named_with_its_place(text: bytes, code: str, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(text)
    assert (caught.value.code, caught.value.param, caught.value.status) == (code, param, 400)
    if param:
        assert f"`{param}`" in caught.value.message


def test_a_wrong_type_is_told_in_the_words_of_json() -> None:
    with pytest.raises(InvalidRequest, match=r"^`stop` must be a string or an array or null, not an integer$"):
        read(stop=5)


@pytest.mark.parametrize(
    "members",
    [
        {"model": ["secret"]},
        {"messages": "secret"},
        {"messages": [{"role": {"secret": 1}}]},
        {"messages": [{"role": "user", "content": [{"secret": "secret"}]}]},
        {"temperature": "secret"},
        {"stop": {"secret": "secret"}},
        {"tools": ["secret"]},
        {"metadata": "secret"},
        {"logit_bias": {"secret": "secret"}},
        {"response_format": {"secret": 1}},
    ],
    ids=str,
)
def test_nothing_of_the_callers_is_quoted_back(members: dict[str, Any]) -> None:
    text = body(**members)
    with pytest.raises(InvalidRequest) as caught:
        read_request(text)
    assert "secret" not in caught.value.message
    assert len(caught.value.message) < 200


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_but_an_invalid_request_comes_of_garbage(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_request(text)


@pytest.mark.parametrize(
    "members",
    [
        {"temperature": None, "stop": None, "tools": None, "stream": None, "stream_options": None, "n": None},
        {"temperature": 1, "logit_bias": {"1": -100}},
        {"messages": [{"role": "a new role", "content": [{"type": "a_new_part", "data": {}}, "bare text"]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com/"}]}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": {}}}]}]},
        {"tools": [{"type": "web_search"}], "tool_choice": {"type": "allowed_tools"}},
        {"provider": {"order": ["x"]}, "top_k": 5, "chat_template_kwargs": {"thinking": True}},
        {"seed": 12345678901234567890},
    ],
    ids=str,
)
def test_what_providers_extend_is_let_through(members: dict[str, Any]) -> None:
    sent = read(**members).body_for(model="other", ask_usage=True)
    assert sent == body(**members).replace(b'"model": "m"', b'"model": "other"')


def test_the_head_says_what_limits_and_routing_need() -> None:
    head = read(stream=True, stream_options={"include_usage": True}, max_tokens=5, max_completion_tokens=7)
    assert (head.model, head.stream, head.include_usage, head.max_output_tokens) == ("m", True, True, 7)
    assert head.prompt_bytes == len(json.dumps(HELLO))
    assert not read(stream_options={"include_usage": True}).include_usage
    assert read(max_tokens=-1).max_output_tokens is None
    assert read(max_tokens=5, n=3).max_output_tokens == 15  # the limit is of each answer
    assert read(max_tokens=5, n=-3).max_output_tokens == 5


def test_the_estimate_counts_text_and_tools_but_not_the_bytes_of_a_picture() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    head = read(messages=[{"role": "user", "content": [{"type": "text", "text": "x" * 400}, picture]}])
    assert 500 < head.estimated_input_tokens() < 2000
    assert read(tools=[{"type": "function", "function": {"name": "x" * 400}}]).estimated_input_tokens() > 100


def test_nothing_changed_means_the_very_same_bytes() -> None:
    text = b' { "model" : "m" , "messages":[{"role":"user"}],"temperature":1.00 } '
    head = read_request(text)
    assert head.body_for(model="m", ask_usage=True) is text


def test_numbers_escapes_and_blanks_survive_a_change_of_model() -> None:
    text = b'{"seed":12345678901234567890123,"x":1e2, "messages" : [{"role":"u","content":"\\u00e9\\/"}],"model":"m"}'
    assert read_request(text).body_for(model="n", ask_usage=False) == text.replace(b'"model":"m"', b'"model":"n"')


@pytest.mark.parametrize(
    ("given_options", "sent"),
    [
        (b"", b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":null', b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":{}', b',"stream_options":{"include_usage":true}'),
        (b',"stream_options":{"include_usage": false }', b',"stream_options":{"include_usage": true }'),
        (b',"stream_options":{"include_usage":true}', b',"stream_options":{"include_usage":true}'),
        (
            b',"stream_options":{"include_obfuscation":false}',
            b',"stream_options":{"include_obfuscation":false,"include_usage":true}',
        ),
    ],
)
def test_the_wish_for_usage_keeps_the_other_options(given_options: bytes, sent: bytes) -> None:
    text = b'{"model":"m","stream":true,"messages":[{"role":"user"}]'
    assert read_request(text + given_options + b"}").body_for(model="m", ask_usage=True) == text + sent + b"}"
    assert read_request(text + given_options + b"}").body_for(model="m", ask_usage=False) == text + given_options + b"}"


@pytest.mark.parametrize(
    ("members", "edits", "expected"),
    [
        ({}, {"default": {"temperature": 0.2}}, {"temperature": 0.2}),
        ({"temperature": 1}, {"default": {"temperature": 0.2}}, {"temperature": 1}),
        ({"temperature": None}, {"default": {"temperature": 0.2}}, {"temperature": 0.2}),
        ({"max_completion_tokens": 9}, {"default": {"max_tokens": 5}}, {"max_completion_tokens": 9}),
        ({"user": "me"}, {"set_": {"user": "team"}}, {"user": "team"}),
        ({}, {"set_": {"metadata": {"a": ["é", None]}}}, {"metadata": {"a": ["é", None]}}),
        ({"logit_bias": {"1": 2}, "n": 1}, {"drop": ("logit_bias", "absent")}, {"n": 1}),
        ({}, {"set_": {"user": "x"}, "drop": ("user",)}, {}),
    ],
    ids=str,
)
def test_a_routes_edits(members: dict[str, Any], edits: dict[str, Any], expected: dict[str, Any]) -> None:
    edited = read(**members).edited(**{"default": {}, "set_": {}, "drop": (), "system": None} | edits)
    assert json.loads(edited.body_for(model="m", ask_usage=False)) == {"model": "m", "messages": HELLO} | expected


def test_a_routes_words_come_first_and_the_rest_of_the_conversation_stays_to_the_byte() -> None:
    messages = b'[ {"role" : "user", "content":"\\u00e9 1e2"} ]'
    head = read_request(b'{"model":"m","messages":' + messages + b',"n" : 1}')
    edited = head.edited(default={}, set_={}, drop=(), system='Say "hi".')
    assert edited.body_for(model="m", ask_usage=False) == (
        b'{"model":"m","messages":[{"role":"system","content":"Say \\"hi\\"."},' + messages[1:] + b',"n" : 1}'
    )
    assert edited.prompt_bytes > head.prompt_bytes


def test_no_edits_leave_the_request_as_it_is() -> None:
    head = read()
    assert head.edited(default={}, set_={}, drop=(), system=None) is head
