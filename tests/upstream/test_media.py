"""What comes from a caller's address: within limits, of the type that its bytes tell, and nothing of it given away."""

from __future__ import annotations

import asyncio
import base64
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from gaiarouter.canonical.parts import Base64
from gaiarouter.upstream.base import Loaded, NotLoaded
from gaiarouter.upstream.media import MediaLoader
from tests.support import tls
from tests.support.script import Close, Drip, Hang, Reset, Script, Send, answer, chunk, head
from tests.support.upstream import Received, ScriptedUpstream
from tests.upstream.loading import PNG, load, load_one, loading, reason

NO_MEDIA = "it is no picture, PDF, sound, film or text that models read"
NO_TEXT = "it is no picture, PDF, sound or film that models read, and no text in UTF-8"
SECRET = "canary-6b1f"


@pytest.fixture
async def loader() -> AsyncIterator[MediaLoader]:
    async with loading() as made:
        yield made


def typed_answer(body: bytes, content_type: str | None, **headers: str) -> Script:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(body, headers=named if content_type is None else {"content-type": content_type, **named})


# what arrives


async def test_the_bytes_arrive_and_nothing_of_ours_goes_out(loader: MediaLoader) -> None:
    async with ScriptedUpstream(typed_answer(PNG, "image/png")) as server:
        found = await load_one(loader, server.url("/%7Ea//b/../c.png?sig=a%2Fb+c&x=%C3%BC#part"))
    assert found == Base64("image/png", base64.b64encode(PNG).decode())
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/%7Ea//b/../c.png?sig=a%2Fb+c&x=%C3%BC")
    assert request.headers.keys() == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert request.headers["accept-encoding"] == "identity"


async def test_an_address_with_letters_beyond_ascii_is_encoded(loader: MediaLoader) -> None:
    async with ScriptedUpstream(answer(PNG)) as server:
        await load_one(loader, server.url("/bücher.png"))
    assert server.requests[0].path == "/b%C3%BCcher.png"


BOXED = b"\0\0\0\x20ftyp"
TYPES = [
    (PNG, "image/png", "image/png"),
    (PNG, "application/octet-stream", "image/png"),
    (PNG, None, "image/png"),
    (PNG, "text/html", "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpg", "image/jpeg"),
    (b"GIF89a\x01\0", "image/png", "image/gif"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp", "image/webp"),
    (BOXED + b"heic", "image/heic", "image/heic"),
    (b"%PDF-1.7\n", "application/octet-stream", "application/pdf"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "audio/x-wav", "audio/wav"),
    (b"ID3\x04\0", "audio/mpeg", "audio/mp3"),
    (b"\xff\xfb\x90\x64", "audio/mpeg", "audio/mp3"),
    (b"OggS\0\x02", "audio/ogg", "audio/ogg"),
    (b"fLaC\0\0", "audio/flac", "audio/flac"),
    (BOXED + b"isom", "video/mp4", "video/mp4"),
    (BOXED + b"qt  ", "video/quicktime", "video/quicktime"),
    (b"\x1aE\xdf\xa3\x01", "video/webm", "video/webm"),
    (b"a,b\n1,2\n", "text/csv; charset=utf-8", "text/csv"),
    (b"# Title", "text/markdown", "text/markdown"),
    (b"<p>Hi", 'TEXT/HTML;charset="UTF-8"', "text/html"),
    (b'{"a":1}', "application/json", "text/plain"),
    (b"plain", "application/octet-stream", "text/plain"),
    (b"plain", None, "text/plain"),
    (b"x", "text/x-something", "text/plain"),
]


@pytest.mark.parametrize(("body", "said", "media_type"), TYPES)
async def test_the_bytes_tell_what_it_is_whatever_the_server_says(
    loader: MediaLoader, body: bytes, said: str | None, media_type: str
) -> None:
    async with ScriptedUpstream(typed_answer(body, said)) as server:
        found = await load_one(loader, server.url("/a"))
    assert (found.media_type, base64.b64decode(found.data)) == (media_type, body)


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "ISO-8859-1"])
async def test_a_text_in_another_charset_arrives_in_utf8(loader: MediaLoader, charset: str) -> None:
    async with ScriptedUpstream(typed_answer("süß".encode("latin-1"), f"text/plain; charset={charset}")) as server:
        found = await load_one(loader, server.url("/a"))
    assert base64.b64decode(found.data).decode() == "süß"


@pytest.mark.parametrize(
    ("body", "said", "why"),
    [
        (b"<html>sign in", "image/png", NO_MEDIA),
        (b"<svg/>", "image/svg+xml", NO_MEDIA),
        (BOXED + b"avif", "image/avif", NO_MEDIA),
        (b"PK\x03\x04", "application/zip", NO_MEDIA),
        (b"PK\x03\x04\0", "application/octet-stream", NO_MEDIA),
        (b"a\0b", "text/plain", NO_MEDIA),
        (b"not a pdf", "application/pdf", NO_MEDIA),
        (b"\xfc", "text/plain", NO_TEXT),
        (b"\xfc", "text/plain; charset=no-such", NO_TEXT),
        (b"-", "text/plain; charset=punycode; charset=utf-7", None),
        (b"", "image/png", "it is empty"),
    ],
)
async def test_what_models_do_not_read_is_refused(loader: MediaLoader, body: bytes, said: str, why: str | None) -> None:
    async with ScriptedUpstream(typed_answer(body, said)) as server:
        (found,) = (await load(loader, server.url("/a"))).values()
    assert found == (Base64("text/plain", "LQ==") if why is None else NotLoaded(why))


# limits


async def test_what_says_that_it_is_too_large_is_not_read() -> None:
    script = (Send(head(200, {"content-length": "1001"}) + PNG), Hang())
    async with ScriptedUpstream(script) as server, loading(file_bytes=1000) as loader:
        assert await reason(loader, server.url("/a")) == "it is larger than 0.001 MB"
        await server.client_gone()


@pytest.mark.parametrize("headers", [{"transfer-encoding": "chunked"}, {"connection": "close"}])
async def test_t11_a_body_without_an_end_is_given_up_at_the_limit(headers: dict[str, str]) -> None:
    block = bytes(10_000)
    body = chunk(block) if "transfer-encoding" in headers else block
    script = (Send(head(200, headers)), Send(body, times=None))
    async with ScriptedUpstream(script, send_buffer=16_384) as server, loading(file_bytes=1_000_000) as loader:
        assert await reason(loader, server.url("/a")) == "it is larger than 1 MB"
        await server.client_gone()
    assert server.connections[0].sent < 8_000_000


async def test_exactly_the_limit_arrives() -> None:
    body = PNG.ljust(1000)
    async with ScriptedUpstream(answer(body)) as server, loading(file_bytes=1000, all_bytes=1000) as loader:
        assert len(base64.b64decode((await load_one(loader, server.url("/a"))).data)) == 1000


def bomb(coding: str) -> bytes:
    """200 MB of nothing in 200 kB."""
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    return b"".join([packer.compress(bytes(1_000_000)) for _ in range(200)]) + packer.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_cannot_unfold_beyond_the_limit(coding: str) -> None:
    packed = bomb(coding)
    assert len(packed) < 300_000
    async with (
        ScriptedUpstream(typed_answer(packed, "text/plain", content_encoding=coding)) as server,
        loading(file_bytes=1_000_000) as loader,
    ):
        assert await reason(loader, server.url("/a")) == "it is larger than 1 MB"


async def test_compressed_emptiness_without_an_end_is_given_up_too() -> None:
    nothing = chunk(gzip.compress(b"") * 100)
    script = (Send(head(200, {"content-encoding": "gzip", "transfer-encoding": "chunked"})), Send(nothing, times=None))
    async with ScriptedUpstream(script) as server, loading(file_bytes=100_000) as loader:
        assert await reason(loader, server.url("/a")) == "it is larger than 0.1 MB"


async def test_a_body_that_was_compressed_unasked_is_unfolded(loader: MediaLoader) -> None:
    async with ScriptedUpstream(typed_answer(gzip.compress(PNG), None, content_encoding="gzip")) as server:
        found = await load_one(loader, server.url("/a"))
    assert base64.b64decode(found.data) == PNG


@pytest.mark.parametrize(
    ("body", "coding"), [(PNG, "gzip"), (gzip.compress(PNG)[:-9], "gzip"), (PNG, "br"), (PNG, "gzip, gzip")]
)
async def test_what_is_not_compressed_as_it_says_is_refused(loader: MediaLoader, body: bytes, coding: str) -> None:
    async with ScriptedUpstream(typed_answer(body, None, content_encoding=coding)) as server:
        assert (await reason(loader, server.url("/a"))).startswith("it is not compressed as its server says")


SLOW: list[Script] = [
    (Hang(),),
    (Drip(head(200, {"content-length": "9"}) * 9),),
    (Send(head(200, {"content-length": "9000"}) + PNG), Hang()),
    (Send(head(200, {"content-length": "9000"})), Drip(PNG * 30)),
    (Send(head(100) + head(102)), Hang()),
]


@pytest.mark.parametrize("script", SLOW)
async def test_t11_what_is_slow_is_given_up_when_the_time_is_over(script: Script) -> None:
    async with ScriptedUpstream(script) as server, loading(seconds=0.1) as loader:
        assert await reason(loader, server.url("/a")) == "it did not come in time"
        await server.client_gone()


async def test_redirects_share_the_time() -> None:
    script = (Drip(head(302, {"location": "/again", "content-length": "0"}), every_s=0.002),)
    async with ScriptedUpstream(script) as server, loading(seconds=0.2) as loader:
        assert await reason(loader, server.url("/a")) == "it did not come in time"


async def test_the_requests_own_deadline_counts_too(loader: MediaLoader) -> None:
    loaded: dict[str, Loaded] = {}
    async with ScriptedUpstream((Hang(),)) as server:
        await loader.load([server.url("/a")], loaded, deadline=asyncio.get_running_loop().time() + 0.05)
    assert list(loaded.values()) == [NotLoaded("it did not come in time")]


async def test_only_so_many_addresses_of_a_request_are_loaded() -> None:
    async with ScriptedUpstream(answer(PNG)) as server, loading(addresses=2) as loader:
        loaded: dict[str, Loaded] = {}
        deadline = asyncio.get_running_loop().time() + 5
        await loader.load([server.url("/1"), server.url("/2")], loaded, deadline=deadline)
        assert all(isinstance(found, Base64) for found in loaded.values())
        await loader.load([server.url("/1"), server.url("/3")], loaded, deadline=deadline)
        await loader.load([server.url("/1")], loaded, deadline=deadline)
    assert loaded[server.url("/3")] == NotLoaded("at most 2 addresses of a request are loaded")
    assert sorted(request.path for request in server.requests) == ["/1", "/2"]


async def test_all_addresses_of_a_request_share_a_limit_of_bytes() -> None:
    async with ScriptedUpstream(answer(PNG.ljust(1000))) as server, loading(all_bytes=2500, at_once=1) as loader:
        loaded: dict[str, Loaded] = {}
        deadline = asyncio.get_running_loop().time() + 5
        for path in ("/1", "/2", "/3"):
            await loader.load([server.url(path)], loaded, deadline=deadline)
    assert [isinstance(found, Base64) for found in loaded.values()] == [True, True, False]
    assert loaded[server.url("/3")] == NotLoaded("all addresses of the request hold more than 0.0025 MB")


# several at once


async def test_an_address_is_asked_once_for_each_request(loader: MediaLoader) -> None:
    async with ScriptedUpstream(answer(PNG)) as server:
        loaded = await load(loader, *[server.url("/a")] * 3)
        await loader.load([server.url("/a")], loaded, deadline=asyncio.get_running_loop().time() + 5)
    assert len(server.requests) == 1


async def test_what_could_not_be_loaded_is_not_asked_for_again(loader: MediaLoader) -> None:
    async with ScriptedUpstream(answer(b"", status=404)) as server:
        loaded = await load(loader, server.url("/a"))
        await loader.load([server.url("/a")], loaded, deadline=asyncio.get_running_loop().time() + 5)
    assert len(server.requests) == 1


async def test_only_a_few_are_loaded_at_once() -> None:
    async with ScriptedUpstream((Hang(),)) as server, loading(at_once=3, seconds=0.2) as loader:
        await load(loader, *(server.url(f"/{number}") for number in range(8)))
    assert len(server.requests) == 3


async def test_the_others_get_their_turn() -> None:
    async with ScriptedUpstream(answer(PNG)) as server, loading(at_once=3) as loader:
        loaded = await load(loader, *(server.url(f"/{number}") for number in range(8)))
    assert [isinstance(found, Base64) for found in loaded.values()] == [True] * 8


async def test_the_first_that_fails_ends_the_others(loader: MediaLoader) -> None:
    def script(request: Received) -> Script:
        return (Hang(),) if request.path == "/slow" else answer(b"", status=404)

    async with ScriptedUpstream(script) as server:
        loaded = await load(loader, server.url("/slow"), server.url("/missing"))
        await server.until(lambda: all(connection.gone.is_set() for connection in server.connections))
    assert loaded == {server.url("/missing"): NotLoaded("its server answered 404")}


async def test_a_caller_who_hangs_up_ends_the_loading(loader: MediaLoader) -> None:
    async with ScriptedUpstream((Hang(),)) as server:
        asking = asyncio.create_task(load(loader, server.url("/a"), server.url("/b")))
        await server.until(lambda: len(server.requests) == 2)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.client_gone(0)
        await server.client_gone(1)


# what fails


async def test_how_each_loading_ended_is_told() -> None:
    def script(request: Received) -> Script:
        return {"/ok": answer(PNG), "/slow": (Hang(),)}.get(request.path, answer(b"", status=404))

    ends: list[str] = []
    async with ScriptedUpstream(script) as server, loading(on_end=ends.append) as loader:
        for url in (server.url("/ok"), server.url("/no"), "http://10.0.0.1/", "http://nowhere/"):
            await load(loader, url)
        async with loading(seconds=0.2, on_end=ends.append) as hasty:
            await load(hasty, server.url("/slow"))
    assert ends == ["ok", "failed", "refused", "refused", "timeout"]


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 503])
async def test_any_status_but_200_is_told(loader: MediaLoader, status: int) -> None:
    async with ScriptedUpstream(answer(b"", status=status)) as server:
        assert await reason(loader, server.url("/a")) == f"its server answered {status}"


BROKEN: list[tuple[str, Script]] = [
    ("reset before the answer", (Reset(),)),
    ("closed before the answer", (Close(),)),
    ("closed in the head", (Send(b"HTTP/1.1 200 OK\r\ncontent-"), Close())),
    ("no HTTP", (Send(b"SSH-2.0-OpenSSH_9.6\r\n"),)),
    ("cut short", (Send(head(200, {"content-length": "999"}) + PNG), Close())),
    ("reset in the body", (Send(head(200, {"content-length": "999"}) + PNG), Reset())),
    ("chunks cut short", (Send(head(200, {"transfer-encoding": "chunked"}) + chunk(PNG)), Close())),
    ("no chunks", (Send(head(200, {"transfer-encoding": "chunked"}) + b"zz\r\n"),)),
    ("endless head", (Send(b"HTTP/1.1 200 OK\r\na: " + b"a" * 100_000),)),
    ("two lengths", (Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),)),
]


@pytest.mark.parametrize("script", [script for _, script in BROKEN], ids=[name for name, _ in BROKEN])
async def test_a_connection_that_breaks_is_told(loader: MediaLoader, script: Script) -> None:
    async with ScriptedUpstream(script) as server:
        assert await reason(loader, server.url("/a")) == "the connection to its server broke"


async def test_a_port_where_nobody_listens_is_told(loader: MediaLoader) -> None:
    async with ScriptedUpstream() as server:
        pass
    assert await reason(loader, server.url("/a")) == "its server did not accept the connection"


async def test_https_is_spoken_to_trusted_servers() -> None:
    async with ScriptedUpstream(answer(PNG), tls=tls.server("trusted")) as server, loading(tls=tls.client()) as loader:
        await load_one(loader, server.url("/a"))


@pytest.mark.parametrize("certificate", ["wrong_host", "self_signed", "expired"])
async def test_https_to_a_server_that_is_not_trusted_is_refused(certificate: tls.Certificate) -> None:
    async with (
        ScriptedUpstream(answer(PNG), tls=tls.server(certificate)) as server,
        loading(tls=tls.client()) as loader,
    ):
        assert await reason(loader, server.url("/a")) == "its server has no trusted TLS certificate"
    assert server.requests == []


@pytest.mark.parametrize(
    "script",
    [
        answer(SECRET.encode(), status=404),
        answer(b"", status=302, headers={"location": f"http://10.0.0.1/{SECRET}"}),
        typed_answer(SECRET.encode(), "image/png"),
        typed_answer(SECRET.encode(), None, content_encoding=SECRET),
        (Send(f"HTTP/1.1 {SECRET}\r\n\r\n".encode()), Close()),
        (Close(),),
    ],
)
async def test_neither_the_address_nor_what_came_is_given_away(loader: MediaLoader, script: Script) -> None:
    async with ScriptedUpstream(script) as server:
        told = await reason(loader, server.url(f"/{SECRET}?key={SECRET}"))
    assert SECRET not in told
    assert str(server.port) not in told
