from __future__ import annotations

import time

import pytest

from gaiarouter.dialects.redaction import message_of, redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefgh12345678",
        "sk-proj-AbC_dEf-123456",
        "sk-ant-api03-xyz_123",
        "gsk_AbCdEf123456",
        "xai-AbCdEf123456",
        "AIzaSyA1234567890abcdef",
        "Bearer abc.def-123",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "0123456789abcdef0123456789abcdef",
        "bad-key-**********test",
        "****1234",
        "org-AbCdEfGh12345678",
        "proj_AbCdEfGh12345678",
        "user@example.com",
        "https://api.openai.com/v1/chat?key=1",
        "http://10.0.0.1:8080/x",
        "postgres://u:p@db/x",
        "api.openai.com",
        "vllm.internal:8000/v1",
        "service.ns.svc.local",
        "192.168.1.10:443",
    ],
)
def test_what_looks_like_a_key_or_an_address_goes(secret: str) -> None:
    shown = redact(f"The thing {secret} is wrong, says '{secret}'.")
    assert secret not in shown
    assert shown.startswith("The thing [")
    assert "is wrong, says" in shown


@pytest.mark.parametrize(
    "text",
    [
        "Invalid 'messages[3].content[0].text': expected a string.",
        "This model's maximum context length is 8192 tokens. However, you requested 9000.",
        "`claude-sonnet-4-5-20250929` and meta-llama/llama-3.2-3b-instruct:free do not take `stop`",
        "unknown variant `image_url`, expected `text` at line 1 column 201",
        "code: unsupported_parameter, type: invalid_request_error, use max_completion_tokens",
        "No tool output found for function call call_9GCD8ZQwlaXwLJp4fDYR4887.",
    ],
)
def test_what_a_caller_needs_to_know_stays(text: str) -> None:
    assert message_of(text) == text


def test_a_message_is_one_line_of_at_most_512_characters() -> None:
    assert message_of("a\n\n  b\tc") == "a b c"
    assert len(message_of("word " * 1000)) == 512


@pytest.mark.parametrize("piece", ["a", "a.b", "*", "sk-", "1.", "-a", "a@", "0:", "é", "a1" * 60 + " ", "bearer "])
def test_no_text_takes_long(piece: str) -> None:
    text = piece * 50_000
    begin = time.process_time()
    redact(text)
    assert time.process_time() - begin < 0.05
