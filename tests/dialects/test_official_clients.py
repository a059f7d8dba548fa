"""Every recorded answer of Anthropic's and Google's, translated to Chat: OpenAI's own client says of the translation
what the vendor's own client says of the recording."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.gemini.capabilities import CapabilityTable as GeminiTable
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.messages.capabilities import CapabilityTable as MessagesTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.translate import Translation
from tests.dialects.gemini.test_recorded import USABLE as GEMINI
from tests.dialects.messages.test_recorded import ANSWERS as MESSAGES
from tests.dialects.official import Told, by_anthropic, by_google, by_openai
from tests.recorded import Interaction, every

CALLER = ChatCaller()
ASKED = CALLER.decode_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
STREAMED = CALLER.decode_request(
    b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}'
)
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
    "pause_turn": "stop",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "blocked": "content_filter",
}


def to_chat(interaction: Interaction, request: CanonicalRequest) -> Translation:
    writer = CALLER.writer(request, answer_id="x", created=7, input_tokens=1)
    if interaction.endpoint == "messages":
        prepared = MessagesTarget(MessagesTable()).prepare(request, model="claude-opus-4-8", strict=False)
        return Translation(prepared, writer)
    return Translation(GeminiTarget(GeminiTable()).prepare(request, model="gemini-3-pro", strict=False), writer)


def streamed(interaction: Interaction, cuts: list[int]) -> bytes:
    """The translated stream, its source cut at `cuts`."""
    watcher = to_chat(interaction, STREAMED).watch()
    edges = [0, *sorted(cuts), len(interaction.body)]
    pieces = [watcher.feed(interaction.body[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join(pieces) + watcher.close()


def expected(told: Told) -> Told:
    """In Chat's words for why it ended."""
    finish = FINISH[told.finish or ""]
    return replace(told, finish="tool_calls" if finish == "stop" and told.calls else finish)


RECORDED = [*MESSAGES, *GEMINI]
READERS: dict[str, Callable[..., Told]] = {"messages": by_anthropic, "generate": by_google}
UNREAD = {each.id for each in GEMINI if each.body.lstrip().startswith(b"[") or b'"finishReason": 1' in each.body}
"""Google's own client reads no arrays, which come to who asks without `alt=sse`, and no numbers for words.
dialects/gemini/test_recorded.py reads them."""


def test_nearly_everything_is_read_by_the_vendors_clients() -> None:
    assert len(UNREAD) < 40 < 500 < len(RECORDED)


@every([each for each in RECORDED if each.id not in UNREAD])
def test_openais_client_says_of_the_translation_what_the_vendors_client_says_of_the_recording(
    interaction: Interaction,
) -> None:
    stream = interaction.is_stream
    told = expected(READERS[interaction.endpoint](interaction.body, stream=stream))
    body = streamed(interaction, []) if stream else to_chat(interaction, ASKED).read_answer(interaction.body).body
    assert by_openai(body, stream=stream) == told


STREAMS = [each for each in RECORDED if each.is_stream]
_FINELY = 16 * 1024
"""Bytes."""


@every(STREAMS)
def test_a_translated_stream_is_the_same_to_the_byte_wherever_its_source_is_cut(interaction: Interaction) -> None:
    """Byte by byte where each kind of event has been seen; pictures that follow in megabytes are cut less often."""
    whole, length, chance = streamed(interaction, []), len(interaction.body), random.Random(interaction.id)
    assert streamed(interaction, [*range(1, min(length, _FINELY)), *range(_FINELY, length, 17)]) == whole
    for _ in range(3):
        assert streamed(interaction, chance.choices(range(length + 1), k=chance.randrange(1, 30))) == whole


@every(STREAMS[::4])
def test_a_whole_answer_and_its_stream_are_read_alike(interaction: Interaction) -> None:
    """For a target that streams unasked, and one that does not although it was asked to."""
    body = to_chat(interaction, ASKED).answer_of(interaction.body).body
    assert by_openai(body, stream=False) == by_openai(streamed(interaction, []), stream=True)


@every([each for each in RECORDED if not each.is_stream][::4])
def test_an_answer_told_as_a_stream_is_read_as_the_answer(interaction: Interaction) -> None:
    stream, _ = to_chat(interaction, STREAMED).stream_of(interaction.body)
    body = to_chat(interaction, ASKED).read_answer(interaction.body).body
    assert by_openai(stream, stream=True) == by_openai(body, stream=False)
