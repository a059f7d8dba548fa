"""What the tokenizer makes of an estimate, and what stays as it was without it."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from gaiarouter.ledger.tokenizer import PACKAGE, Tokenizer
from tests.ledger.conftest import loaded

# `hello` and ` world` are a token each of the vocabulary's
TEXT, TOKENS, ESTIMATE = "hello world", 2, 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return loaded()


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"role": "assistant", "content": TEXT}}]},
        {"content": [{"type": "text", "text": TEXT}]},
        {"candidates": [{"content": {"parts": [{"text": TEXT}]}}]},
        {"output": [{"content": [{"type": "output_text", "text": TEXT}]}]},
    ],
)
def test_an_answer_s_text_is_counted_in_every_format(tokenizer: Tokenizer, body: object) -> None:
    assert tokenizer.said(ESTIMATE, json.dumps(body).encode()) == TOKENS


def test_a_request_keeps_what_is_estimated_beside_its_text(tokenizer: Tokenizer) -> None:
    """The hundred stands for a picture."""
    parts = [
        {"type": "text", "text": " hello world" * 4},
        {"type": "image_url", "image_url": {"url": "data:,aGVsbG8gd29ybGQ="}},
    ]
    body = json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()
    text_estimate, text_tokens = 12, 8
    counted = tokenizer.given(100 + text_estimate, body)
    assert counted == 100 + text_tokens


def test_a_stream_is_counted_by_its_beginning(tokenizer: Tokenizer) -> None:
    heard = tokenizer.listen()
    assert heard is not None
    for piece in (" hello", " world") * 10_000:
        heard.add(b'data: {"choices": [{"delta": {"content": %b}}]}\n\n' % json.dumps(piece).encode())
    assert len(heard.data) < 2 * 16_384
    # twenty thousand tokens, six characters each
    assert tokenizer.heard(30_000, heard) == pytest.approx(20_000, rel=0.01)


@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"data": [1]}', b'{"text": 5}', b"[" * 5_000, b"\xff"])
def test_what_holds_no_text_stays_as_it_was_estimated(tokenizer: Tokenizer, body: bytes) -> None:
    assert (tokenizer.given(7, body), tokenizer.said(7, body)) == (7, 7)


def test_the_longest_text_holds_nobody_up(tokenizer: Tokenizer) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "a" * 1_000_000}]}).encode()
    started = time.thread_time()
    assert 0 < tokenizer.given(250_000, body) < 250_000
    assert time.thread_time() - started < 0.5


def test_without_the_extra_nothing_is_counted_or_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaiarouter.ledger.tokenizer.PACKAGE", "a_package_that_is_not_there")
    bare = Tokenizer()
    assert (bare.listen(), bare.is_ready()) == (None, False)


@pytest.mark.parametrize("package", ["antigravity_of_no_use", "gaiarouter.nothing"])
def test_one_that_cannot_be_loaded_leaves_the_estimate(package: str) -> None:
    broken = Tokenizer()
    broken._package, broken._is_installed = package, True
    assert not broken.is_ready()
    assert broken._loading is not None
    broken._loading.join(10)
    assert not broken.is_ready()
    assert broken.said(7, b'{"text": "hello"}') == 7


def test_it_is_not_loaded_before_it_is_needed() -> None:
    """The whole program is imported, and a tokenizer made, in a process of its own."""
    script = (
        "import sys, gaiarouter.app\n"
        "from gaiarouter.ledger.tokenizer import PACKAGE, Tokenizer\n"
        "Tokenizer().listen()\n"
        "sys.exit(PACKAGE in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
    assert PACKAGE == "bpe_openai"
