"""What is read in two parts is what it is as a whole, or it is not read in parts."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from gaiarouter.dialects.body import parse
from gaiarouter.dialects.bulk import Bulk
from gaiarouter.dialects.chat import request as chat
from gaiarouter.dialects.members import JsonObject
from gaiarouter.dialects.messages import head as messages
from gaiarouter.dialects.responses import request as responses
from gaiarouter.errors import InvalidRequest


class Said(Struct):
    role: str
    content: str | list[Raw] | None = None


class Asked(Struct):
    model: str
    messages: list[Said]
    stream: bool | None = None
    stop: list[str] | None = None
    tools: list[dict[str, Raw]] | None = None


Found = tuple[Asked, JsonObject]

decode = msgspec.json.Decoder(Asked).decode
read = Bulk(Asked, "messages", Said).read

# what a search for the array could take for its beginning, its end, or what follows it
SNIPPETS = [
    '"messages":[',
    r"\"messages\":[",
    '"messages":',
    '"mess\\u0061ges":[]',
    '}],"model":',
    r"}],\"model\":",
    '}],"stream":true',
    ',"stop":["a"]',
    ',"messages":[{"role":"user"}]',
    ',"a":[{"b":{}}]',
    "}]}",
    *'[]{}",:\\ \n0é',
    "\\u0041",
]
NAMES = st.sampled_from(
    ['"model"', '"stream"', '"stop"', '"tools"', '"messages"', '"mess\\u0061ges"', '"models"', '"a"', '"\\"model"']
)
TEXTS = st.sampled_from(['"Hi"', '""', '"}],"', r'"}],\"model\":"', r'"\"messages\":[{"', r'"\\"', '"messages"', '"é"'])
LEAVES = st.one_of(TEXTS, st.sampled_from(["null", "true", "1.0", "[]", "{}", '["a"]']))
ROLES = st.sampled_from(['"user"', '"model"', "1"])


def spelled(members: list[tuple[str, str]], space: str) -> str:
    return "{" + f"{space},{space}".join(f"{name}{space}:{space}{value}" for name, value in members) + space + "}"


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda each: f"[{','.join(each)}]")


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        arrays(inner), st.lists(st.tuples(NAMES, inner), max_size=2).map(lambda each: spelled(each, ""))
    ),
    max_leaves=6,
)


@st.composite
def said(draw: st.DrawFn) -> str:
    more = draw(st.lists(st.tuples(NAMES, VALUES), max_size=1))
    members = [('"role"', draw(ROLES)), ('"content"', draw(st.one_of(TEXTS, arrays(VALUES)))), *more]
    return spelled(draw(st.permutations(members)), "")


MESSAGES = arrays(said())
MEMBERS = st.one_of(
    st.tuples(st.just('"messages"'), MESSAGES),
    st.tuples(st.just('"model"'), TEXTS),
    st.tuples(st.just('"stream"'), st.just("true")),
    st.tuples(st.just('"stop"'), arrays(TEXTS)),
    st.tuples(st.just('"tools"'), arrays(VALUES)),
    st.tuples(NAMES, VALUES),
)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    usual = [('"model"', '"m"'), ('"messages"', draw(MESSAGES))]
    members = draw(st.permutations(usual + draw(st.lists(MEMBERS, max_size=3))))
    return spelled(members, draw(st.sampled_from(["", "", " ", "\n  "])))


def shown(found: Found) -> tuple[object, ...]:
    request, members = found
    return (
        request,
        members.body,
        [(name, bytes(value)) for name, value in members.members.items()],
        list(members.spans.items()),
        members.patched({"model": b'"other"', "more": b"1"}),
        members.patched({"stream": b"null"}, drop=["stop", "messages"]),
    )


def agrees(text: str) -> bool:
    """Whether the text was read in parts, as the same that it is as a whole."""
    body = text.encode()
    found = read(body)
    if found is not None:
        assert shown(found) == shown(parse(body, decode))
    return found is not None


@given(bodies())
def test_parts_are_read_as_the_whole_is(body: str) -> None:
    agrees(body)


@given(bodies(), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(SNIPPETS)), max_size=2), st.integers(0, 8))
def test_so_they_are_where_the_body_is_disturbed(body: str, disturbed: list[tuple[int, str]], left_out: int) -> None:
    for drawn, snippet in disturbed:
        place = drawn % len(body)
        body = body[:place] + snippet + body[place + left_out :]
    agrees(body)


TURN = {"role": "user", "content": "All work and no play makes a dull }],"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": 'a "quote"'}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}

FOUND: dict[str, dict[str, Any]] = {
    "the array comes last": {"model": "m", "messages": [TURN, PARTS]},
    "the array comes first": {"messages": [PARTS, TURN], "model": "m", "stream": True},
    "other arrays follow": {"model": "m", "messages": [TURN], "stop": ["a"], "stream": False},
    "an array as good follows, which nobody knows": {"model": "m", "messages": [TURN], "x": [TURN], "stream": True},
    "definitions of tools follow": {"model": "m", "messages": [TURN] * 80, "tools": [TOOL] * 12, "stream": True},
    "flat ones do": {"model": "m", "messages": [TURN] * 80, "tools": [{"name": "f", "strict": True}], "stream": True},
}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("request_", FOUND.values(), ids=FOUND)
def test_the_usual_are_read_in_parts(request_: dict[str, Any], separators: tuple[str, str]) -> None:
    assert agrees(json.dumps(request_, separators=separators))


NOT_FOUND = {
    "the array is a member's of another": '{"metadata":{"messages":[{"role":"user"}]},"model":"m","messages":[]}',
    "so is what follows it": '{"a":{"messages":[{"role":"a"}],"model":"x"},"model":"m","messages":[{"role":"b"}]}',
    "two arrays": '{"model":"m","messages":[{"role":"a"}],"messages":[{"role":"b"}],"stream":true}',
    "the array in another spelling": '{"model":"m","messages":[{"role":"a"}],"mess\\u0061ges":[{"role":"b"}]}',
    "a member twice": '{"model":"m","messages":[{"role":"a"}],"stream":true,"stream":false}',
    "a member twice around it": '{"a":1,"model":"m","messages":[{"role":"a"}],"a":2}',
    "no model": '{"messages":[{"role":"a"}]}',
    "a message without a role": '{"model":"m","messages":[{"content":"a"}]}',
    "a comma too many": '{"model":"m","messages":[{"role":"a"}],}',
    "an array in a text": r'{"model":"\"messages\":[{\"role\":\"a\"}],\"stop\":[]","stream":true}',
    "something behind it": '{"model":"m","messages":[{"role":"a"}]} {}',
    "too deep": '{"model":"m","messages":[{"role":"a","x":' + "[" * 5000 + "]" * 5000 + "}]}",
}


@pytest.mark.parametrize("body", NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_is_odd_is_left_to_who_reads_the_whole(body: str) -> None:
    assert read(body.encode()) is None


LONG = [TURN, PARTS] * 500
FORMATS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "chat": (chat, {"model": "m", "messages": LONG}),
    "messages": (messages, {"model": "m", "max_tokens": 1, "messages": LONG}),
    "responses": (responses, {"model": "m", "input": LONG}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_large_request_of_each_format_is_read_in_parts(name: str) -> None:
    module, request = FORMATS[name]
    parts, whole = (json.dumps(each).encode() for each in ({"unknown": 1} | request, request | {"unknown": 1}))
    assert module.read_large(parts) is not None
    assert module.read_large(whole) is None, "nobody knows what follows the array"
    one, other = module.read_request(parts), module.read_request(whole)
    assert one.prompt_bytes == other.prompt_bytes > len(parts) * 0.9
    assert one.estimated_input_tokens() == other.estimated_input_tokens()
    assert json.loads(one.body_for(model="n", ask_usage=False)) == {"unknown": 1} | request | {"model": "n"}


def test_a_mistake_in_a_large_request_is_told_with_its_path() -> None:
    body = json.dumps({"model": "m", "messages": [*LONG, {"role": 1}]}).encode()
    with pytest.raises(InvalidRequest) as raised:
        chat.read_request(body)
    assert raised.value.param == "messages[1000].role"
