from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.members import DuplicateMember, JsonObject

SPACE = st.sampled_from(["", " ", "\r\n\t", "   "])
NO_SPACE = st.just("")
ODD_NAMES = ["model", "a", "stream_options", 'q"uote', "back\\slash", "", "é", "}:,{"]
NAMES = st.one_of(st.sampled_from(ODD_NAMES), st.text(max_size=5)).filter(lambda name: name.isprintable())
VALUES = st.sampled_from(
    [
        "1e2",
        "0.10",
        "12345678901234567890123",
        '"\\u00e9\\/"',
        '"}{\\",\\\\"',
        "[1, {}]",
        '{"model": "x"}',
        "null",
        '" "',
        "true",
    ]
)
Spelled = tuple[str, list[tuple[str, str]]]
ESCAPED = st.booleans()


@st.composite
def spelled_objects(draw: st.DrawFn) -> Spelled:
    """A JSON object in some spelling, and its members with their values as spelled."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    members = [(name, draw(VALUES)) for name in names]
    space = draw(st.sampled_from([SPACE, NO_SPACE]))
    text = draw(space) + "{"
    for position, (name, value) in enumerate(members):
        spelled = json.dumps(name, ensure_ascii=draw(ESCAPED))
        text += (
            ("," if position else "") + draw(SPACE) + spelled + draw(SPACE) + ":" + draw(SPACE) + value + draw(SPACE)
        )
    return text + "}" + draw(space), members


@given(spelled_objects(), st.data())
def test_replacing_a_value_changes_nothing_else(spelled: Spelled, data: st.DataObject) -> None:
    text, members = spelled
    name, old = data.draw(st.sampled_from(members))
    body = text.encode()
    json_object = JsonObject(body)
    _, _, start, end = json_object.spans[name]
    assert body[start:end] == old.encode()
    changed = body[:start] + b'"NEW"' + body[end:]
    assert json_object.patched({name: b'"NEW"'}) == changed
    assert JsonObject(body).replaced(name, b'"NEW"') == changed
    assert JsonObject(body).replaced("added", b"1") == json_object.patched({"added": b"1"})


@given(spelled_objects(), st.data())
def test_any_mix_of_changes_parses_to_what_was_meant(spelled: Spelled, data: st.DataObject) -> None:
    text, members = spelled
    names = [name for name, _ in members]
    drop = data.draw(st.lists(st.sampled_from(names), unique=True))
    values = data.draw(st.dictionaries(st.one_of(st.sampled_from(names), st.just("added")), VALUES, max_size=3))
    values = {name: value for name, value in values.items() if name not in drop}
    patched = JsonObject(text.encode()).patched({name: value.encode() for name, value in values.items()}, drop)
    expected = {name: value for name, value in [*members, *values.items()] if name not in drop} | values
    spellings = msgspec.json.decode(patched, type=dict[str, msgspec.Raw])
    assert {name: bytes(value).decode() for name, value in spellings.items()} == expected


@given(spelled_objects())
def test_a_change_to_the_same_is_none(spelled: Spelled) -> None:
    text, members = spelled
    body = text.encode()
    assert JsonObject(body).patched({name: value.encode() for name, value in members}) is body
    assert all(JsonObject(body).replaced(name, value.encode()) is body for name, value in members)


@given(spelled_objects(), st.data())
def test_a_name_given_twice_is_refused_however_it_is_spelled(spelled: Spelled, data: st.DataObject) -> None:
    text, members = spelled
    name, _ = data.draw(st.sampled_from(members))
    again = json.dumps(name, ensure_ascii=data.draw(ESCAPED))
    if name.isascii() and data.draw(ESCAPED):
        again = '"' + "".join(f"\\u{ord(character):04x}" for character in name) + '"'
    body = text.rstrip()[:-1] + f",{again}:{data.draw(VALUES)}}}"
    with pytest.raises(DuplicateMember):
        JsonObject(body.encode())


def test_an_empty_object_can_be_added_to() -> None:
    assert JsonObject(b" { } ").patched({"a": b"1"}) == b' {"a":1 } '


def test_all_members_can_go() -> None:
    assert json.loads(JsonObject(b'{ "a" : 1 , "b" : 2 }').patched({}, ["a", "b"])) == {}
