"""Events and answers are two ways to say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    Aside,
    CanonicalAnswer,
    Choice,
    CitationDelta,
    End,
    Event,
    Failure,
    Finish,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    UsageSnapshot,
    is_content,
    said,
)
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Citation,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
)
from gaiarouter.canonical.usage import Usage
from gaiarouter.errors import Interrupted, Overloaded

TEXT = st.text(max_size=4)
SEALED = st.builds(Sealed, st.sampled_from(["signature", "encrypted", "redacted"]), st.just("f"), TEXT)
CITATION = st.builds(
    Citation, kind=st.sampled_from(["url", "document"]), dialect=st.just("d"), raw=st.just(Raw(b"{}")), url=TEXT
)
PARTS = st.one_of(
    st.builds(Text, text=TEXT, citations=st.lists(CITATION, max_size=2).map(tuple), sealed=st.none() | SEALED),
    st.builds(Refusal, text=TEXT),
    st.builds(
        Reasoning,
        visible=st.lists(TEXT, max_size=2).map(tuple),
        summary=st.lists(TEXT, max_size=2).map(tuple),
        sealed=st.lists(SEALED, max_size=2).map(tuple),
    ),
    st.builds(ToolCall, call_id=TEXT, name=TEXT, arguments=TEXT, sealed=st.none() | SEALED),
    st.builds(Opaque, dialect=st.just("d"), type=TEXT, raw=st.just(Raw(b"{}")), deltas=st.just((Raw(b"1"),))),
    st.builds(Image, source=st.builds(Base64, st.just("image/png"), st.just("AA=="))),
    st.builds(Audio, source=st.builds(Base64, st.just("audio/wav"), st.just("AA==")), transcript=st.none() | TEXT),
)


@st.composite
def answers(draw: st.DrawFn) -> CanonicalAnswer:
    choices = tuple(
        Choice(index, tuple(draw(st.lists(PARTS, max_size=4))), Finish(reason="stop", choice=index))
        for index in range(draw(st.integers(1, 3)))
    )
    usage = draw(st.none() | st.builds(Usage, in_uncached=st.integers(0, 9)))
    return CanonicalAnswer(id="i", model="m", choices=choices, usage=usage, asides=(Aside("a", Raw(b"1")),))


@given(answers())
def test_an_answer_that_is_told_and_folded_is_itself(answer: CanonicalAnswer) -> None:
    assert fold(unfold(answer)) == answer


def test_deltas_add_up_in_their_own_part_and_choice() -> None:
    citation = Citation(kind="url", dialect="d", raw=Raw(b"{}"))
    seal = Sealed("signature", "f", "S")
    answer = fold(
        [
            Start("i", "m"),
            PartStart(0, Text(text="a")),
            PartStart(1, ToolCall(call_id="c", name="f")),
            PartStart(0, Reasoning(), 1),
            TextDelta(0, "b"),
            ArgumentsDelta(1, "{"),
            ReasoningDelta(0, "x", 1, False, 1),
            ArgumentsDelta(1, "}"),
            CitationDelta(0, citation),
            SealedDelta(0, seal, 1),
            PartEnd(0),
            Finish(reason="length", choice=1),
            UsageSnapshot(Usage(in_uncached=1)),
            UsageSnapshot(Usage(in_uncached=2)),
            Finish(reason="stop"),
            End(),
        ]
    )
    assert answer.choices == (
        Choice(
            0,
            (Text(text="ab", citations=(citation,)), ToolCall(call_id="c", name="f", arguments="{}")),
            Finish(reason="stop"),
        ),
        Choice(1, (Reasoning(visible=("", "x"), sealed=(seal,)),), Finish(reason="length", choice=1)),
    )
    assert answer.usage == Usage(in_uncached=2)


def test_a_failure_is_raised_whatever_came_before() -> None:
    with pytest.raises(Overloaded):
        fold([Start("i", "m"), PartStart(0, Text(text="a")), Failure(Overloaded("x"))])


@pytest.mark.parametrize(
    "events",
    [[], [Start("i", "m")], [Start("i", "m"), PartStart(0, Text(text="a")), End()], [Finish(reason="stop"), End()]],
)
def test_events_that_stop_early_are_no_answer(events: list[Event]) -> None:
    with pytest.raises(Interrupted):
        fold(events)


@pytest.mark.parametrize(
    ("event", "content", "text"),
    [
        (Start("i", "m"), False, ""),
        (PartStart(0, Text(text="")), False, ""),
        (PartStart(0, Text(text="a")), True, "a"),
        (PartStart(0, Reasoning(visible=("",))), True, ""),
        (PartStart(0, ToolCall(call_id="c", name="f")), True, "f"),
        (PartStart(0, Opaque(dialect="d", type="t", raw=Raw(b"{}"))), True, ""),
        (TextDelta(0, "a"), True, "a"),
        (ReasoningDelta(0, "a"), True, "a"),
        (UsageSnapshot(Usage()), False, ""),
        (End(), False, ""),
    ],
)
def test_content_is_what_the_model_has_begun_to_say(event: Event, content: bool, text: str) -> None:
    assert (is_content(event), said(event)) == (content, text)
