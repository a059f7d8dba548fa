"""Everything recorded of the Messages format, read into the canonical form and written in the same format again."""

from __future__ import annotations

import json
import random
from typing import Any

from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.decode import decode_request
from gaiarouter.dialects.messages.encode import encode_answer
from gaiarouter.dialects.messages.encode_events import StreamEncoder
from gaiarouter.dialects.messages.response import decode_answer
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.messages.view import AnswerView
from tests.dialects.messages.stream import PLAN, decode
from tests.dialects.official import ASKED, PROVIDER, anthropic
from tests.recorded import Interaction, every, interactions

VIEW = AnswerView(fallback_id="msg_x")
PROVIDERS = ("anthropic", "vertex")
RECORDED = [each for provider in PROVIDERS for each in interactions(provider, "messages", ok=True)]
STREAMS = [each for each in RECORDED if each.is_stream]
WHOLE = [each for each in RECORDED if not each.is_stream]
REQUESTS = [each for each in RECORDED if "model" in each.request]
TARGET = MessagesTarget(CapabilityTable())


def without_nulls(value: Any) -> Any:
    """null and absent say the same in this format."""
    match value:
        case dict():
            return {name: without_nulls(item) for name, item in value.items() if item is not None}
        case list():
            return [without_nulls(item) for item in value]
        case _:
            return value


def as_blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def normal_request(body: dict[str, Any]) -> dict[str, Any]:
    """What is spelt in two ways, in one: text alone is a block of text, and so is a system prompt; `false` is said by
    saying nothing."""
    body = without_nulls(body)
    body["messages"] = [{**message, "content": as_blocks(message["content"])} for message in body["messages"]]
    if "system" in body:
        body["system"] = as_blocks(body["system"])
    if (schema := body.pop("output_format", None)) is not None:
        body["output_config"] = {**body.get("output_config", {}), "format": schema}
    for tool in body.get("tools", ()):
        if tool.get("type") == "custom":
            del tool["type"]
        if tool.get("strict") is False:
            del tool["strict"]
    if not body.get("stream"):
        body.pop("stream", None)
    if not body.get("tool_choice", {}).get("disable_parallel_tool_use", True):
        del body["tool_choice"]["disable_parallel_tool_use"]
    return body


# what a translation does to a request of its own format, and why
EXCEPTIONS: dict[str, str] = {
    **dict.fromkeys(
        [
            "023a0d743ffe",
            "0b88b15b6f33",
        ],
        "neighbouring messages of one role are merged",
    ),
    **dict.fromkeys(
        [
            "0bb8e402f481",
            "17f2e0c55d53",
            "f7d20080dadc",
        ],
        "`disabled` is what the model does unasked",
    ),
    **dict.fromkeys(
        [
            "0de4442b78dd",
            "10782c1e34ce",
            "13a2c33c0754",
            "25eeaf0afa3f",
            "42478c7b7928",
            "70d640686c27",
            "8acff199a481",
            "97b79665c302",
            "a22fff745d86",
        ],
        "`enabled` becomes the adaptive thinking that the model has",
    ),
    **dict.fromkeys(
        [
            "25154056547c",
            "ba2c3540dfa6",
        ],
        "a system prompt without text is left out",
    ),
    **dict.fromkeys(
        [
            "55b43a10d499",
        ],
        "a text without text is left out",
    ),
}


@every(REQUESTS)
def test_a_recorded_request_is_written_as_it_was_read(interaction: Interaction) -> None:
    body = json.dumps(interaction.request, ensure_ascii=False).encode()
    request = decode_request(body)
    written = json.loads(TARGET.prepare(request, model=request.model, strict=False).body)
    sent = normal_request(interaction.request)
    if interaction.id in EXCEPTIONS:
        assert normal_request(written) != sent, "no exception any more"
    else:
        assert normal_request(written) == sent


def told(message: dict[str, Any]) -> dict[str, Any]:
    """An answer as its reader sees it. Counts are compared as sums of their own: how they are told may differ."""
    message = without_nulls(message)
    usage = message.pop("usage")
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    message.pop("stop_details", None)
    for block in message["content"]:
        if not block.get("citations", True):
            del block["citations"]
    return message | {"counts": [usage.get(name) or 0 for name in names]}


@every(WHOLE)
def test_a_recorded_answer_is_written_as_it_was_read(interaction: Interaction) -> None:
    written = json.loads(encode_answer(decode_answer(interaction.body, PLAN), VIEW))
    assert told(written) == told(interaction.answer)


def official(stream: bytes) -> dict[str, Any]:
    """What Anthropic's own client makes of a stream."""

    PROVIDER.body, PROVIDER.stream = stream, True
    with anthropic().beta.messages.stream(model="m", max_tokens=1, messages=ASKED) as events:
        message = events.get_final_message()
    told_by: dict[str, Any] = message.model_dump(mode="json", warnings=False, exclude_unset=True)
    return told_by


@every(STREAMS)
def test_the_official_client_reads_a_rewritten_stream_as_it_reads_the_recorded_one(interaction: Interaction) -> None:
    rewritten = StreamEncoder(VIEW).encode(decode(interaction.body))
    assert told(official(rewritten)) == told(official(interaction.body))
    assert decode(rewritten)[-1] == decode(interaction.body)[-1]


@every(STREAMS[::7])
def test_a_rewritten_stream_does_not_depend_on_chunk_borders(interaction: Interaction) -> None:
    data, chance = interaction.body, random.Random(interaction.id)
    whole = StreamEncoder(VIEW).encode(decode(data))
    assert StreamEncoder(VIEW).encode(decode(data, cuts=list(range(1, len(data))))) == whole
    for _ in range(3):
        cuts = chance.choices(range(len(data) + 1), k=20)
        assert StreamEncoder(VIEW).encode(decode(data, cuts=cuts)) == whole


@every(STREAMS)
def test_blocks_of_a_rewritten_stream_are_told_one_by_one(interaction: Interaction) -> None:
    is_open, expected = False, 0
    for line in StreamEncoder(VIEW).encode(decode(interaction.body)).split(b"\n"):
        if not line.startswith(b"data:"):
            continue
        event = json.loads(line[5:])
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == expected
                is_open = True
            case "content_block_delta":
                assert is_open
                assert event["index"] == expected
            case "content_block_stop":
                assert is_open
                assert event["index"] == expected
                is_open, expected = False, expected + 1
    assert not is_open
