"""What callers send to be embedded: every form of input, and every mistake by its path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.embeddings.request import read_request
from gaiarouter.errors import InvalidRequest
from tests.recorded import interactions


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **members}).encode()


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("Hi", ("Hi",)),
        (["a", "b"], ("a", "b")),
        ([1, 2, 3], ((1, 2, 3),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["a", [1]], ("a", (1,))),
    ],
)
def test_each_form_of_input_is_as_many_vectors(given: Any, inputs: tuple[Any, ...]) -> None:
    assert read_request(body(input=given)).canonical.inputs == inputs


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [[]]}, "input[0]"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [1.5]}, "input[0]"),
        ({"input": None}, "input"),
        ({"model": " "}, "model"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "64"}, "dimensions"),
    ],
)
def test_a_mistake_is_named_by_its_path(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request(body(**members))
    assert raised.value.param == param


def test_edits_leave_all_other_bytes_alone() -> None:
    text = b'{ "input" : "Hi",  "model":"m", "user" : "u" }'
    head = read_request(text).edited(default={"dimensions": 8}, set_={}, drop=("user",), system="Be kind")
    assert head.body_for(model="n", ask_usage=True) == b'{ "input" : "Hi",  "model":"n","dimensions":8 }'


def test_every_recorded_request_is_read_and_goes_on_as_it_came() -> None:
    recorded = [each for each in interactions("openai", "embeddings") if each.status == 200]
    assert recorded
    for each in recorded:
        sent = json.dumps(each.request).encode()
        head = read_request(sent)
        assert head.body_for(model=head.model, ask_usage=True) == sent
