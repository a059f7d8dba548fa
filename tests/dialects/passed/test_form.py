"""The model's name is found in a form that passes by, and what could be read in two ways is refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.passed.form import FormScanner, Value, boundary_of
from gaiarouter.errors import InvalidRequest

FILE = (
    b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRI\r\n--\r\n-bF'
)
MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1'
FORM = b"--b\r\n" + FILE + b"\r\n--b\r\n" + MODEL + b"\r\n--b--\r\n"


def form(*parts: bytes) -> bytes:
    return b"--b\r\n" + b"\r\n--b\r\n".join(parts) + b"\r\n--b--\r\n"


def scanned(data: bytes) -> Value | None:
    scanner = FormScanner(b"b")
    scanner.feed(data)
    scanner.close()
    return scanner.model


@given(st.lists(st.integers(0, len(FORM))))
def test_the_model_is_found_wherever_the_form_is_cut(cuts: list[int]) -> None:
    scanner = FormScanner(b"b")
    for start, end in itertools.pairwise([0, *sorted(cuts), len(FORM)]):
        scanner.feed(FORM[start:end])
    scanner.close()
    assert scanner.model is not None
    assert scanner.model.text == "whisper-1"
    assert FORM[scanner.model.start : scanner.model.end] == b"whisper-1"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Disposition: form-data; name=model",
        b'content-disposition: form-data; name="model"\r\nContent-Type: text/plain; charset=utf-8',
        b'Content-Type: text/plain\r\nContent-Disposition:form-data;name="model"',
    ],
)
def test_usual_ways_of_naming_the_part(head: bytes) -> None:
    found = scanned(form(head + b"\r\n\r\nm"))
    assert found is not None
    assert found.text == "m"


def test_a_form_without_a_model_has_none() -> None:
    assert scanned(form(FILE)) is None


def test_it_holds_little_of_a_large_file() -> None:
    scanner = FormScanner(b"b")
    scanner.feed(b"--b\r\n" + FILE)
    for _ in range(100):
        scanner.feed(b"x" * 10_000)
    assert len(scanner._pending) < 100


@pytest.mark.parametrize(
    "data",
    [
        form(MODEL, MODEL),
        form(MODEL, b"Content-Disposition: form-data; name=model\r\n\r\nother"),
        form(MODEL, b"Content-Disposition: form-data; name*=utf-8''model\r\n\r\nother"),
        form(MODEL, b'Content-Disposition: form-data; name="mo\\del"\r\n\r\nother'),
        form(MODEL, b'Content-Disposition: form-data; name="x"; name="model"\r\n\r\nother'),
        form(MODEL, b'Content-Disposition: form-data;\r\n name="model"\r\n\r\nother'),
        form(MODEL, b'Content-Disposition: attachment; name="x"\r\n\r\nother'),
        form(MODEL, b"Content-Type: text/plain\r\n\r\nother"),
        form(MODEL, b"\r\n\r\nother"),
        form(
            MODEL,
            b'Content-Disposition: form-data; name="x"\r\nContent-Disposition: form-data; name="model"\r\n\r\nother',
        ),
        form(b'Content-Disposition: form-data; name="model"; filename="m"\r\n\r\nm'),
        form(b'Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64\r\n\r\nbQ=='),
        form(b'Content-Disposition: form-data; name="model"\r\n\r\n' + b"m" * 2000),
        form(b'Content-Disposition: form-data; name="model"\r\n\r\n\xff'),
        form(b'Content-Disposition: form-data; name="x"\r\n' + b"X-Y: z\r\n" * 2000 + b"\r\nm"),
        form(MODEL, FILE + b"\n--b\n" + MODEL.replace(b"\r\n", b"\n").replace(b"whisper-1", b"other") + b"\n--b--"),
        form(MODEL, FILE + b"\r--b\r" + MODEL.replace(b"\r\n", b"\r") + b"\r--b--"),
        form(MODEL, b'Content-Disposition: form-data; name="x"\r\n\r\n--b\r\n' + MODEL),
        form(
            MODEL,
            b'X-Y: z\nContent-Disposition: form-data; name="model"\r\nContent-Disposition: form-data; name=x\r\n\r\n',
        ),
        form(
            MODEL,
            b'X-Y: z\rContent-Disposition: form-data; name="model"\r\nContent-Disposition: form-data; name=x\r\n\r\n',
        ),
        b"preamble\r\n" + form(MODEL),
        form(MODEL) + form(MODEL),
        form(MODEL)[:-6],
        form(MODEL).replace(b"\r\n", b"\n"),
        b"--b \r\n" + MODEL + b"\r\n--b--\r\n",
        b"",
        b"--",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        scanned(data)
    assert "other" not in caught.value.message


def fed(data: bytes, cuts: list[int]) -> FormScanner:
    scanner = FormScanner(b"b")
    for start, end in itertools.pairwise([0, *sorted(cuts), len(data)]):
        scanner.feed(data[start:end])
    return scanner


LOOSE = form(MODEL, FILE + b"\n--b\nx")


@given(st.lists(st.integers(0, len(LOOSE))))
def test_a_line_that_only_some_take_for_the_boundary_is_refused_wherever_it_is_cut(cuts: list[int]) -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        fed(LOOSE, cuts)


@given(st.lists(st.integers(0, 40)))
def test_a_boundary_within_a_line_is_none(cuts: list[int]) -> None:
    data = form(MODEL, FILE + b"x--b--b\n---b\r\n-b--b")
    fed(data, [len(data) - 40 + cut for cut in cuts]).close()


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=----formdata-undici-0123", b"----formdata-undici-0123"),
    ],
)
def test_a_boundary_is_read(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=" + "a" * 71,
    ],
)
def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        boundary_of(content_type)
