"""Forms: sound to be written down, pictures to be changed. They go on while they come."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.official import openai_client
from tests.gateway.running import PROVIDER_KEY, QUICK, Starter, assert_error
from tests.recorded import interactions
from tests.support.script import Hang, Read, Reset, Send, answer, error_answer, json_answer, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

PATH = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
FORM_TYPE = {"content-type": "multipart/form-data; boundary=b"}
SOUND = b"RIFF" + bytes(range(256)) * 64
(RECORDED,) = [
    each
    for each in interactions("openai", "audio", ok=True)
    if each.url_path.endswith("transcriptions") and each.status == 200
]


def model_part(name: str = "alone") -> bytes:
    return b'Content-Disposition: form-data; name="model"\r\n\r\n' + name.encode()


def file_part(data: bytes = SOUND) -> bytes:
    return b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n' + data


def form(*parts: bytes) -> bytes:
    return b"--b\r\n" + b"\r\n--b\r\n".join(parts) + b"\r\n--b--\r\n"


async def test_the_official_client_has_a_recording_written_down(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(RECORDED.answer)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            told = await client.audio.transcriptions.create(model="alone", file=("a.wav", SOUND), language="ja")
        (request,) = upstream.requests
    assert told.text == RECORDED.answer["text"]
    assert request.path == PATH
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert int(request.headers["content-length"]) == len(request.body)
    assert b'name="model"\r\n\r\nm-1\r\n' in request.body
    assert b"alone" not in request.body
    assert SOUND in request.body
    row = await gateway.record()
    usage = RECORDED.answer["usage"]
    assert (row["in_uncached"], row["out_visible"]) == (usage["input_tokens"], usage["output_tokens"])
    assert (row["model_asked"], row["model_served"]) == ("alone", "m-1")


async def test_nothing_is_changed_in_a_recorded_form_but_the_name_of_the_model(start: Starter) -> None:
    sent = base64.b64decode(RECORDED_FORM)
    boundary = sent[2 : sent.index(b"\r\n")].decode()
    async with ScriptedUpstream(json_answer(RECORDED.answer)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, routes=_routes("gpt-4o-transcribe"))
        reply = await gateway.post(
            sent, path=PATH, headers={"content-type": f"multipart/form-data; boundary={boundary}"}
        )
        (request,) = upstream.requests
    assert reply.json() == RECORDED.answer
    assert request.body == sent.replace(b"gpt-4o-transcribe", b"m-1")


# the form of an official client, its file cut short
RECORDED_FORM = (
    "LS04NzA3MjRjNDQ1OTQ1NDQwYjRmOTQ2ODAyNTNlM2Y0OQ0KQ29udGVudC1EaXNwb3NpdGlvbjogZm9ybS1kYXRhOyBuYW1lPSJtb2RlbCINCg0K"
    "Z3B0LTRvLXRyYW5zY3JpYmUNCi0tODcwNzI0YzQ0NTk0NTQ0MGI0Zjk0NjgwMjUzZTNmNDkNCkNvbnRlbnQtRGlzcG9zaXRpb246IGZvcm0tZGF0"
    "YTsgbmFtZT0iZmlsZSI7IGZpbGVuYW1lPSJhdWRpby53YXYiDQpDb250ZW50LVR5cGU6IGF1ZGlvL3dhdg0KDQpSSUZG5BIAAFdBVkUNCi0tODcw"
    "NzI0YzQ0NTk0NTQ0MGI0Zjk0NjgwMjUzZTNmNDktLQ0K"
)


def _routes(match: str) -> list[dict[str, Any]]:
    return [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": match, "targets": [{"provider": "main", "model": "m-1"}]},
    ]


@pytest.mark.parametrize("parts", [(model_part(), file_part()), (file_part(), model_part())], ids=["first", "last"])
@pytest.mark.parametrize("told", [True, False], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("client", ["own", "aiohttp"])
async def test_the_model_may_stand_before_the_file_or_behind_it(
    start: Starter, parts: tuple[bytes, ...], told: bool, client: str
) -> None:
    sent = form(*parts)
    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, upstream={"client": client})
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE}
        data = sent if told else _in_pieces(sent)
        async with gateway.session.post(gateway.url(PATH), headers=headers, data=data) as response:
            assert (response.status, await response.json()) == (200, {"text": "said"})
        (request,) = upstream.requests
    assert request.body == sent.replace(b"alone", b"m-1")
    assert ("content-length" in request.headers) is told


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def test_the_provider_has_the_beginning_before_the_caller_has_sent_the_end(start: Starter) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield form(model_part(), file_part())[:5000]
        await asyncio.Event().wait()

    # it answers as soon as it has this much, which it would wait for in vain if the form were kept until its end
    async with ScriptedUpstream(on_connect=(Read(4500), *json_answer({"text": "said"}))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE}
        async with gateway.session.post(gateway.url(PATH), headers=headers, data=half()) as response:
            assert (response.status, await response.json()) == (200, {"text": "said"})


async def test_a_caller_that_is_slow_is_not_taken_for_a_slow_provider(start: Starter) -> None:
    """The provider has 400 ms to its first byte; the upload alone takes longer."""
    sent = form(model_part(), file_part())

    async def slowly() -> AsyncIterator[bytes]:
        yield sent[:200]
        await _pause()
        yield sent[200:]

    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=QUICK)
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE}
        async with gateway.session.post(gateway.url(PATH), headers=headers, data=slowly()) as response:
            assert response.status == 200


async def _pause() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await asyncio.Event().wait()


@pytest.mark.parametrize("first", [error_answer(503), (Reset(),), error_answer(401), (Hang(),)])
async def test_another_provider_is_sent_the_whole_form_again(start: Starter, first: Any) -> None:
    sent = form(model_part("fb"), file_part(b"x" * 1_000_000))
    async with ScriptedUpstream(first) as main, ScriptedUpstream(json_answer({"text": "said"})) as backup:
        defaults = {"defaults": QUICK} if first == (Hang(),) else {}
        gateway = await start({"main": main.url("/v1"), "backup": backup.url("/v1")}, **defaults)
        reply = await gateway.post(sent, path=PATH, headers=FORM_TYPE)
    assert (reply.status, reply.json()) == (200, {"text": "said"})
    assert backup.requests[0].body == sent.replace(b"fb", b"m-2", 1)


async def test_a_large_form_is_not_held_in_memory(start: Starter) -> None:
    size = 50_000_000
    got = 0

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        data = b""
        while not data.endswith(b"--b--\r\n"):
            data = await reader.read(65536)
            got += len(data)
        (step,) = json_answer({"text": "said"})
        assert isinstance(step, Send)
        writer.write(step.data)
        await writer.drain()
        writer.close()

    async def data() -> AsyncIterator[bytes]:
        yield form(model_part(), file_part(b""))[: -len(b"\r\n--b--\r\n")]
        block = bytes(500_000)
        for _ in range(size // len(block)):
            yield block
        yield b"\r\n--b--\r\n"

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    async with server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        gateway = await start({"main": base}, server={"body_limit": "200MB"})
        length = size + len(form(model_part(), file_part(b"")))
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE, "content-length": str(length)}
        tracemalloc.start()
        try:
            async with gateway.session.post(gateway.url(PATH), headers=headers, data=data()) as response:
                assert (response.status, await response.json()) == (200, {"text": "said"})
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert got > size
    assert most < size // 5


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "param"),
    [
        (form(file_part()), FORM_TYPE, 400, "missing_field", "model"),
        (form(model_part("nobody"), file_part()), FORM_TYPE, 404, "model_not_found", "model"),
        (form(model_part(""), file_part()), FORM_TYPE, 400, "invalid_request", "model"),
        (form(model_part(), model_part("other"), file_part()), FORM_TYPE, 400, "invalid_request", "model"),
        (form(model_part(), file_part(), model_part("other")), FORM_TYPE, 400, "invalid_request", "model"),
        (b"{}", {}, 400, "invalid_request", None),
        (form(model_part(), file_part(b"x" * 3_000_000)), FORM_TYPE, 413, "request_too_large", None),
    ],
)
async def test_what_is_wrong_with_a_form_is_told(
    start: Starter, body: bytes, headers: dict[str, str], status: int, code: str, param: str | None
) -> None:
    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, server={"body_limit": "2MB"})
        reply = await gateway.post(body, path=PATH, headers=headers)
    assert_error(reply, status, code, param=param)
    assert gateway.metric("requests_in_flight") == 0


async def test_a_form_that_grows_too_large_on_its_way_is_refused(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, server={"body_limit": "2MB"})
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE}
        sent = form(model_part(), file_part(b"x" * 3_000_000))
        async with gateway.session.post(gateway.url(PATH), headers=headers, data=_in_pieces(sent)) as response:
            assert response.status == 413
        assert not upstream.requests


class BrokenDisk:
    """Files are kept; what they give back is `outcome`."""

    def __init__(self, outcome: bytes | OSError) -> None:
        self.outcome = outcome

    def pread(self, *_: int) -> bytes:
        if isinstance(self.outcome, OSError):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize("outcome", [b"", OSError("EIO")], ids=["cut short", "unreadable"])
@pytest.mark.parametrize("client", ["own", "aiohttp"])
async def test_a_form_that_the_disk_does_not_give_back_is_no_silence(
    start: Starter, monkeypatch: pytest.MonkeyPatch, client: str, outcome: bytes | OSError
) -> None:
    """The provider waits for the rest, so that nobody but the gateway can end it."""
    monkeypatch.setattr("os.pread", BrokenDisk(outcome).pread)
    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, upstream={"client": client})
        sent = form(model_part(), file_part(SOUND * 40))
        reply = await gateway.post(sent, path=PATH, headers=FORM_TYPE)
    assert_error(reply, 503, "overloaded")


async def test_a_caller_that_hangs_up_ends_the_request_at_the_provider(start: Starter) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield form(model_part(), file_part())[:5000]
        await asyncio.Event().wait()

    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE}
        asked = asyncio.create_task(gateway.session.post(gateway.url(PATH), headers=headers, data=half()))
        await upstream.until(lambda: upstream.connections)
        asked.cancel()
        await upstream.client_gone()
    row = await gateway.record()
    assert row["outcome"] == "cancelled"


async def test_a_transcript_of_plain_text_stays_one(start: Starter) -> None:
    said = answer(b"Hello there.\n", headers={"content-type": "text/plain; charset=utf-8"})
    async with ScriptedUpstream(said) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            told = await client.audio.transcriptions.create(
                model="alone", file=("a.wav", SOUND), response_format="text"
            )
    assert told == "Hello there.\n"
    row = await gateway.record()
    assert (row["out_visible"], row["estimated"]) == (4, 1)


async def test_a_transcript_comes_while_it_is_written(start: Starter) -> None:
    events = [
        {"type": "transcript.text.delta", "delta": "Hel"},
        {"type": "transcript.text.delta", "delta": "lo"},
        {
            "type": "transcript.text.done",
            "text": "Hello",
            "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 5},
        },
    ]
    async with ScriptedUpstream(sse_answer([sse(event) for event in events])) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            stream = await client.audio.transcriptions.create(model="alone", file=("a.wav", SOUND), stream=True)
            kinds = [event.type async for event in stream]
    assert kinds == [event["type"] for event in events]
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"], row["estimated"]) == (14, 5, 0)


async def test_seconds_of_sound_are_kept_as_such(start: Starter) -> None:
    told = {"text": "Hello", "usage": {"type": "duration", "seconds": 9}}
    async with ScriptedUpstream(json_answer(told)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post(form(model_part(), file_part()), path=PATH, headers=FORM_TYPE)
    assert reply.json() == told
    assert b'"units":{"audio_seconds":9' in gateway.log.getvalue()
    assert (await gateway.record())["estimated"] == 0


async def test_sound_is_translated_and_a_picture_changed(start: Starter) -> None:
    made = {"created": 1, "data": [{"b64_json": "aGk="}], "usage": {"input_tokens": 5, "output_tokens": 6}}
    async with ScriptedUpstream(json_answer({"text": "Hello"}), json_answer(made)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            translated = await gateway.post(form(model_part(), file_part()), path=TRANSLATIONS, headers=FORM_TYPE)
            changed = await client.images.edit(model="alone", image=("a.png", b"\x89PNG"), prompt="a hat")
        paths = [request.path for request in upstream.requests]
    assert translated.json() == {"text": "Hello"}
    assert changed.data is not None
    assert changed.data[0].b64_json == "aGk="
    assert paths == [TRANSLATIONS, "/v1/images/edits"]


async def test_a_provider_without_transcripts_is_passed_over(start: Starter) -> None:
    async with ScriptedUpstream() as upstream:
        main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY, "speaks": ["chat"]}
        gateway = await start({"main": upstream.url("/v1")}, providers={"demo": {"dialect": "echo"}, "main": main})
        reply = await gateway.post(form(model_part(), file_part()), path=PATH, headers=FORM_TYPE)
    assert_error(reply, 400, "unsupported_operation")


async def test_a_form_of_someone_unknown_is_not_read(start: Starter) -> None:
    gateway = await start({"main": "http://127.0.0.1:9/v1"})
    headers = {"authorization": "Bearer sk-gaia-unknown", **FORM_TYPE}
    reply = await gateway.post(form(model_part(), file_part()), path=PATH, headers=headers)
    assert_error(reply, 401, "invalid_api_key")


async def test_an_upload_that_waits_to_be_wanted_is_told_to_come(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"text": "said"})) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        headers = {"authorization": f"Bearer {gateway.key}", **FORM_TYPE}
        async with gateway.session.post(
            gateway.url(PATH), headers=headers, data=form(model_part(), file_part()), expect100=True
        ) as response:
            assert response.status == 200
