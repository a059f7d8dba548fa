"""The official client's own types are the measure of the table of fields."""

from __future__ import annotations

import typing

from openai.types import completion_create_params as official

from gaiarouter.dialects.completions.fields import TOP_LEVEL
from gaiarouter.dialects.completions.request import Form


def test_every_member_of_the_official_request_is_in_the_table() -> None:
    members = {
        *typing.get_type_hints(official.CompletionCreateParamsNonStreaming),
        *typing.get_type_hints(official.CompletionCreateParamsStreaming),
    }
    assert members - TOP_LEVEL.keys() == set()


def test_every_member_that_is_read_is_in_the_table() -> None:
    assert set(Form.__struct_fields__) <= TOP_LEVEL.keys()
