"""The crowd's driver tells answers from refusals, and refusals with a hint from those without."""

from __future__ import annotations

from pathlib import Path

from bench import crowd


async def test_more_than_there_is_room_for_is_seen_to_be_refused(tmp_path: Path) -> None:
    async with crowd.gateway(tmp_path) as subject:
        callers = crowd.Callers(subject.port, subject.key)
        within = await callers.in_turn(4, 0.3)
        over = await callers.at(3 * crowd.CAPACITY, 0.5)
    assert set(within.statuses) == {"200"}
    assert set(over.statuses) == {"200", "503"}
    assert over.statuses.total() == 600
    assert over.without_hint == 0
    assert min(over.admitted_s) >= crowd.ANSWERS_AFTER_S


def test_a_refusal_that_does_not_say_when_to_come_back_is_counted() -> None:
    seen = crowd.Seen()
    seen.add(b"HTTP/1.1 503 No\r\nretry-after: 1\r\n\r\n", 0.1)
    seen.add(b"HTTP/1.1 503 No\r\n\r\n", 0.1)
    assert (seen.without_hint, seen.refused_s) == (1, [0.1, 0.1])
