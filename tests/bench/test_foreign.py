"""What is measured as translated says the same in every format, or the rows could not be compared."""

from __future__ import annotations

import json

import pytest

from bench import foreign, wire
from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.parts import Text
from gaiarouter.dialects.gemini.chunks import StreamDecoder as GeminiDecoder
from gaiarouter.dialects.gemini.plan import AnswerPlan as GeminiPlan
from gaiarouter.dialects.gemini.response import decode_answer as decode_gemini
from gaiarouter.dialects.messages.chunks import StreamDecoder as MessagesDecoder
from gaiarouter.dialects.messages.plan import AnswerPlan as MessagesPlan
from gaiarouter.dialects.messages.response import decode_answer as decode_messages

MESSAGES, GEMINI = foreign.SCRIPTS.values()


@pytest.mark.parametrize(
    "answer",
    [
        decode_messages(MESSAGES.answer, MessagesPlan()),
        decode_gemini(GEMINI.answer, GeminiPlan()),
    ],
    ids=["messages", "gemini"],
)
def test_an_answer_says_what_the_one_in_chat_says(answer: CanonicalAnswer) -> None:
    (part,) = answer.choices[0].parts
    assert isinstance(part, Text)
    assert part.text == json.loads(wire.ANSWER)["choices"][0]["message"]["content"]
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (40, 12)


@pytest.mark.parametrize(
    ("script", "decoder"),
    [(MESSAGES, MessagesDecoder(MessagesPlan())), (GEMINI, GeminiDecoder(GeminiPlan()))],
    ids=["messages", "gemini"],
)
def test_a_stream_is_whole(script: foreign.Script, decoder: MessagesDecoder | GeminiDecoder) -> None:
    stream = script.first + b"".join(script.deltas) * 2 + script.last
    answer = fold([*decoder.feed(stream), *decoder.close()])
    (part,) = answer.choices[0].parts
    assert isinstance(part, Text)
    assert part.text.replace(foreign.WORD, "") == ""
    assert part.text.count(foreign.WORD) in (2, 5)
