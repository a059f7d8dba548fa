"""Pictures and files at callers' addresses, for targets that are sent bytes: `fetch_media: true`."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.script import Drip, Hang, Script, Send, answer, head, json_answer
from tests.support.upstream import Received, ScriptedUpstream

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PDF = b"%PDF-1.7\n" + bytes(range(256))
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)
SECRET = "canary-71c2"

GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "seen"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}
MESSAGES = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "seen"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "seen"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


ANSWERS = json_answer(GEMINI)
AT_GOOGLE = {"provider": "google", "model": "gemini-3-flash"}
AT_ANTHROPIC = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
ROUTES = [
    {"match": "gemini", "targets": [AT_GOOGLE]},
    {"match": "claude", "targets": [AT_ANTHROPIC]},
    {"match": "chat", "targets": [{"provider": "openai", "model": "gpt-5"}]},
    {"match": "fb", "targets": [AT_GOOGLE], "fallbacks": [{**AT_ANTHROPIC, "provider": "by-itself"}]},
    {"match": "twice", "targets": [AT_GOOGLE], "fallbacks": [AT_ANTHROPIC]},
]


def media(request: Received) -> Script:
    """A server of pictures and files, by the ends of their names."""
    bodies = {"png": PNG, "pdf": PDF, "wav": WAV, "txt": b"plain text"}
    path = request.path.partition("?")[0]
    if path == "/moved.png":
        return answer(b"", status=302, headers={"location": "/there.png"})
    if path == "/inside.png":
        return answer(b"", status=302, headers={"location": f"http://10.0.0.1/{SECRET}"})
    if path == "/dripping.png":
        return (Send(head(200, {"content-length": str(len(PNG))}) + PNG[:-20]), Drip(PNG[-20:]))
    if path == "/slow.png":
        return (Hang(),)
    body = bodies.get(path.rpartition(".")[2])
    return answer(SECRET.encode(), status=404) if body is None else answer(body)


class Scene:
    """Three providers behind `gemini`, `claude` and `chat`; `fb` tries the first, then the second, which is sent
    addresses as they are."""

    def __init__(self, gateway: RunningGateway, files: ScriptedUpstream, **providers: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.files = files
        self.providers = providers

    def url(self, path: str) -> str:
        return self.files.url(path)

    async def ask(self, model: str, *parts: dict[str, Any], path: str = "/v1/chat/completions", **members: Any) -> Any:
        body = {"model": model, "messages": [{"role": "user", "content": list(parts)}], **members}
        async with self.gateway.post(path, json=body) as response:
            return response.status, json.loads(await response.read())

    def sent(self, provider: str) -> str:
        """The one request that this provider got, as text."""
        (request,) = self.providers[provider].requests
        return request.body.decode()


@asynccontextmanager
async def scene(
    folder: Path, *, fetch_media: bool = True, total: str = "30s", gemini: Script = ANSWERS
) -> AsyncIterator[Scene]:
    async with (
        ScriptedUpstream(media) as files,
        ScriptedUpstream(gemini) as google,
        ScriptedUpstream(json_answer(MESSAGES)) as anthropic,
        ScriptedUpstream(json_answer(MESSAGES)) as by_itself,
        ScriptedUpstream(json_answer(CHAT)) as openai,
    ):
        config = {
            "providers": {
                "google": {"base_url": google.url(), "api_key": "k", "fetch_media": fetch_media},
                "anthropic": {"base_url": anthropic.url(), "api_key": "k", "fetch_media": fetch_media},
                "by-itself": {"dialect": "anthropic", "base_url": by_itself.url(), "api_key": "k"},
                "openai": {
                    "base_url": openai.url("/v1"),
                    "api_key": "k",
                    "speaks": ["chat"],
                    "fetch_media": fetch_media,
                },
            },
            "routes": ROUTES,
            "defaults": {"timeouts": {"total": total}},
        }
        async with running_gateway(config, folder, media_from=lambda address: address == "127.0.0.1") as gateway:
            yield Scene(gateway, files, google=google, anthropic=anthropic, by_itself=by_itself, openai=openai)


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def in_base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


async def test_t11_a_picture_reaches_gemini_in_its_bytes(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        status, _ = await there.ask("gemini", {"type": "text", "text": "What?"}, image(there.url("/a.png?sig=a%2Fb")))
        sent = json.loads(there.sent("google"))
    assert status == 200
    assert sent["contents"][0]["parts"] == [
        {"text": "What?"},
        {"inlineData": {"mimeType": "image/png", "data": in_base64(PNG)}},
    ]
    assert [request.path for request in there.files.requests] == ["/a.png?sig=a%2Fb"]


async def test_a_picture_reaches_a_messages_server_in_its_bytes(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        status, _ = await there.ask("claude", image(there.url("/moved.png")))
        sent = json.loads(there.sent("anthropic"))
    assert status == 200
    assert sent["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": in_base64(PNG)}}
    ]


async def test_files_of_a_messages_caller_reach_chat_and_gemini_in_their_bytes(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        pdf = {"type": "document", "source": {"type": "url", "url": there.url("/a.pdf")}, "title": "a.pdf"}
        picture = {"type": "image", "source": {"type": "url", "url": there.url("/a.png")}}
        for model in ("chat", "gemini"):
            status, body = await there.ask(model, pdf, picture, path="/v1/messages", max_tokens=9)
            assert status == 200, body
        chat, gemini = json.loads(there.sent("openai")), json.loads(there.sent("google"))
    assert chat["messages"][0]["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{in_base64(PDF)}"}},
        image(f"data:image/png;base64,{in_base64(PNG)}"),
    ]
    assert gemini["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "application/pdf", "data": in_base64(PDF)}},
        {"inlineData": {"mimeType": "image/png", "data": in_base64(PNG)}},
    ]


async def test_a_file_of_a_responses_caller_reaches_gemini_in_its_bytes(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        parts = [{"type": "input_file", "file_url": there.url("/a.txt")}]
        body = {"model": "gemini", "input": [{"role": "user", "content": parts}]}
        async with there.gateway.post("/v1/responses", json=body) as response:
            assert response.status == 200, await response.read()
        sent = json.loads(there.sent("google"))
    assert sent["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "text/plain", "data": in_base64(b"plain text")}}
    ]


async def test_a_text_reaches_every_chat_server_as_text(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        text = {"type": "document", "source": {"type": "url", "url": there.url("/a.txt")}, "title": "T"}
        status, body = await there.ask("chat", text, path="/v1/messages", max_tokens=9)
        assert status == 200, body
        assert json.loads(there.sent("openai"))["messages"][0]["content"] == "T\nplain text"


async def test_a_file_of_a_gemini_caller_reaches_chat_in_its_bytes(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        parts = [{"fileData": {"fileUri": there.url("/a.pdf"), "mimeType": "application/pdf"}}]
        body = {"contents": [{"role": "user", "parts": parts}]}
        async with there.gateway.post("/v1beta/models/chat:generateContent", json=body) as response:
            assert response.status == 200, await response.read()
        (part,) = json.loads(there.sent("openai"))["messages"][0]["content"]
    assert part["file"]["file_data"] == f"data:application/pdf;base64,{in_base64(PDF)}"


async def test_a_picture_in_a_tools_result_is_loaded_too(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        picture = {"type": "image", "source": {"type": "url", "url": there.url("/a.png")}}
        turns = [
            {"role": "user", "content": "Look"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [picture]}]},
        ]
        body = {"model": "gemini", "max_tokens": 9, "messages": turns}
        async with there.gateway.post("/v1/messages", json=body) as response:
            assert response.status == 200, await response.read()
        assert in_base64(PNG) in there.sent("google")
        assert there.files.url() not in there.sent("google")


async def test_without_the_setting_nothing_is_loaded(tmp_path: Path) -> None:
    async with scene(tmp_path, fetch_media=False) as there:
        status, body = await there.ask("gemini", image(there.url("/a.png")))
        assert (status, body["error"]["param"]) == (400, "messages[0].content[0]")
        assert (await there.ask("claude", image(there.url("/a.png"))))[0] == 200
        sent = json.loads(there.sent("anthropic"))
    assert sent["messages"][0]["content"][0]["source"] == {"type": "url", "url": there.url("/a.png")}
    assert there.files.connections == []


async def test_what_is_passed_through_is_not_touched(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        assert (await there.ask("chat", image(there.url("/a.png"))))[0] == 200
        assert json.loads(there.sent("openai"))["messages"][0]["content"] == [image(there.url("/a.png"))]
    assert there.files.connections == []


async def test_what_comes_in_bytes_or_by_a_handle_is_left_alone(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        status, _ = await there.ask(
            "gemini",
            image(f"data:image/png;base64,{in_base64(PNG)}"),
            image("https://generativelanguage.googleapis.com/v1beta/files/abc"),
            {"type": "video_url", "video_url": {"url": "https://www.youtube.com/watch?v=abc"}},
        )
        assert status == 200
    assert there.files.connections == []


FAILURES = [
    ("/missing", "its server answered 404", "failed"),
    ("/a.wav", "it is audio/wav, no picture", "ok"),
    ("/inside.png", "its host leads to no public address", "refused"),
    ("/slow.png", "it did not come in time", "timeout"),
]


@pytest.mark.parametrize(("path", "why", "outcome"), FAILURES)
@pytest.mark.parametrize("api", ["/v1/chat/completions", "/v1/messages"])
async def test_what_cannot_be_loaded_is_refused_by_its_field(
    tmp_path: Path, api: str, path: str, why: str, outcome: str
) -> None:
    async with scene(tmp_path, total="400ms" if outcome == "timeout" else "30s") as there:
        url = there.url(f"{path}?key={SECRET}")
        chat = api == "/v1/chat/completions"
        bad = image(url) if chat else {"type": "image", "source": {"type": "url", "url": url}}
        good = {"type": "text", "text": "Hi"}
        status, body = await there.ask("gemini", good, bad, path=api, max_tokens=9)
        (record,) = await there.gateway.records(1)
        ends = {name: there.gateway.metric("gaiarouter_media_loads_total", outcome=name) for name in ("ok", outcome)}
    assert status == 400
    assert ends == {"ok": 0, outcome: 1}
    message = body["error"]["message"]
    assert message == f"`messages[0].content[1]`: what `127.0.0.1` has there could not be loaded: {why}"
    assert body["error"]["type"] == "invalid_request_error"
    if chat:
        assert (body["error"]["code"], body["error"]["param"]) == ("media_not_loaded", "messages[0].content[1]")
    assert there.providers["google"].connections == []
    assert (record["status"], record["outcome"], record["attempts"]) == (400, "error", 0)
    assert record["duration_us"] < 10_000_000


async def test_an_address_inside_is_refused_before_any_connection(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        for host in ("169.254.169.254", "[::ffff:127.0.0.1]", "2130706433", "127.1"):
            status, body = await there.ask("gemini", image(f"http://{host}:{there.files.port}/a.png"))
            assert (status, body["error"]["code"]) == (400, "media_not_loaded")
        status, body = await there.ask("gemini", image("ftp://example.com/a.png"))
        assert (status, body["error"]["code"]) == (400, "invalid_value")
    assert there.files.connections == []


async def test_what_cannot_be_loaded_falls_back_to_a_target_that_loads_it_itself(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        status, _ = await there.ask("fb", image(there.url("/missing")))
        assert status == 200
        sent = json.loads(there.sent("by_itself"))
    assert sent["messages"][0]["content"][0]["source"] == {"type": "url", "url": there.url("/missing")}
    assert there.providers["google"].connections == []


async def test_what_cannot_be_loaded_is_not_held_against_the_target(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        for _ in range(6):  # one more than opens a breaker
            assert (await there.ask("gemini", image(there.url("/missing"))))[0] == 400
        assert (await there.ask("gemini", image(there.url("/a.png"))))[0] == 200


async def test_a_fallback_does_not_load_again(tmp_path: Path) -> None:
    overloaded = json_answer({"error": {"code": 503, "message": "no"}}, status=503)
    async with scene(tmp_path, gemini=overloaded) as there:
        status, _ = await there.ask("twice", image(there.url("/a.png")), image(there.url("/a.png")))
        assert status == 200
        assert there.sent("anthropic").count(in_base64(PNG)) == 2
        assert len(there.files.requests) == 1
        assert (await there.ask("twice", image(there.url("/missing"))))[0] == 400
        assert len(there.files.requests) == 2


async def test_the_time_for_media_counts_neither_as_the_gateways_nor_as_the_targets(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        assert (await there.ask("gemini", image(there.url("/dripping.png"))))[0] == 200
        (record,) = await there.gateway.records(1)
        overhead = there.gateway.metric("gaiarouter_overhead_seconds_sum")
        first_content = there.gateway.metric("gaiarouter_first_content_seconds_sum", provider="google")
    assert overhead > 0
    assert first_content > 0
    # the file's last bytes took 0.2 s to come
    assert overhead + first_content < record["duration_us"] / 1e6 - 0.19
