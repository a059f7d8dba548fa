"""The targets hold for their seeds, and can fail: a fuzzer's hours rest on both."""

from __future__ import annotations

import importlib.util

import pytest

from gaiarouter.dialects.sse import EventFramer
from tests.fuzz import __main__ as driver
from tests.fuzz.targets import SEEDS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_is_left_of_them_keep_every_promise(name: str) -> None:
    for seed in SEEDS[name]:
        for end in range(len(seed) + 1):
            TARGETS[name](seed[:end])


def test_a_framer_that_loses_bytes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventFramer, "close", lambda framer: b"")
    with pytest.raises(AssertionError):
        TARGETS["events"](b"\0\0\0data: {}\n\ndata: cut")


def test_without_its_fuzzer_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["tests.fuzz"])
    assert driver.main() == 2
    assert "pip install atheris" in capsys.readouterr().err
