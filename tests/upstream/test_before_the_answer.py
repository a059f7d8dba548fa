"""What may go wrong until the head of an answer has arrived. Row numbers are those of the fault matrix (U1 ...)."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from gaiarouter.errors import InternalError, NoRoom, ProtocolBroken, TimedOut, Unreachable, UpstreamError
from gaiarouter.upstream.base import UpstreamRequest
from gaiarouter.upstream.names import Resolver
from tests.support import tls
from tests.support.script import Close, Deaf, Drip, Hang, Read, Reset, Script, Send, head, json_answer
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream
from tests.upstream.conftest import LONG_S, Client, post, within

OK = json_answer({"ok": True})


async def failure(client: Client, url: str, **limits: float) -> UpstreamError:
    """The error of one attempt; its message must not tell where the provider is."""
    with pytest.raises(UpstreamError) as caught:
        await client.send(post(url, authorization="Bearer sk-secret"), within(**limits))
    for part in (url, "127.0.0.1", "localhost", "sk-secret"):
        assert part not in str(caught.value)
    return caught.value


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel drops further SYNs, as a black hole does."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        port = sock.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        yield port
        for other in waiting:
            other.close()


async def test_u1_a_refused_connection_is_unreachable_at_once(client: Client, closed_port: int) -> None:
    began = time.monotonic()
    error = await failure(client, f"http://127.0.0.1:{closed_port}/")
    assert isinstance(error, Unreachable)
    assert (error.status, error.code, error.outcome) == (502, "upstream_connect_error", "connect_error")
    assert time.monotonic() - began < LONG_S


async def test_p7_without_descriptors_it_is_the_gateway_that_is_at_fault(client: Client) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with ScriptedUpstream(OK) as upstream:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # what is open stays so
        try:
            error = await failure(client, upstream.url("/"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(error, NoRoom)
    assert (error.status, error.code, error.sent, error.counts_against_target) == (503, "overloaded", False, False)


async def test_u2_a_name_that_does_not_exist_is_unreachable(client: Client) -> None:
    error = await failure(client, "http://no-such-host.invalid/", connect_s=5.0)
    assert isinstance(error, Unreachable)
    assert error.outcome == "connect_error"


class SilentNames:
    """The system's resolver, which says nothing until `let_go` is set. asked: the names, as they came."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked: list[object] = []

    def look_up(self, name: object, *_: object, **__: object) -> None:
        self.asked.append(name)
        self.let_go.wait()
        raise OSError("no answer")


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentNames]:
    names = SilentNames()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", names.look_up)
        yield names
        names.let_go.set()


async def test_u2_a_resolver_that_says_nothing_is_unreachable_at_the_connect_limit(
    kind: type[Client], silent_names: SilentNames
) -> None:
    resolver = Resolver(asyncio.get_running_loop())
    client = kind(resolver=resolver)
    stuck = [asyncio.create_task(resolver.resolve(f"{number}.invalid")) for number in range(4)]
    try:
        began = time.monotonic()
        error = await failure(client, "http://slow-name.invalid/", connect_s=0.1)
        assert isinstance(error, Unreachable)
        assert (error.status, error.outcome) == (502, "connect_error")
        assert 0.09 <= time.monotonic() - began < LONG_S  # the loop's clock ticks in milliseconds
        async with ScriptedUpstream(OK) as upstream:
            response = await client.send(post(upstream.url("/")), within())
            assert await response.read() == b'{"ok": true}'
        silent_names.let_go.set()
        ended = await asyncio.gather(*stuck, return_exceptions=True)
        assert [str(error) for error in ended] == ["no answer"] * 4
    finally:
        await client.close()


async def test_no_more_than_four_names_are_looked_up_at_once_whoever_gives_up(silent_names: SilentNames) -> None:
    resolver = Resolver(asyncio.get_running_loop())
    for number in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await resolver.resolve(f"{number}.invalid")
    assert silent_names.asked == [f"{number}.invalid" for number in range(4)]
    silent_names.let_go.set()
    with pytest.raises(OSError, match="no answer"):
        await resolver.resolve("after.invalid")


ENDS_WITH_A_NAME_UNKNOWN = """
import asyncio, socket, threading
socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
from gaiarouter.upstream.names import Resolver
async def main():
    resolver = Resolver(asyncio.get_running_loop())
    asking = asyncio.create_task(resolver.resolve("slow.invalid"))
    await asyncio.sleep(0)
    asking.cancel()
    await resolver.close()
asyncio.run(main())
"""


def test_a_resolver_that_says_nothing_does_not_hold_up_the_end_of_the_process() -> None:
    subprocess.run([sys.executable, "-c", ENDS_WITH_A_NAME_UNKNOWN], timeout=60, check=True)


async def test_u4_a_black_hole_ends_at_the_connect_limit(client: Client, full_backlog: int) -> None:
    began = time.monotonic()
    error = await failure(client, f"http://127.0.0.1:{full_backlog}/", connect_s=0.1)
    assert isinstance(error, TimedOut)
    assert (error.status, error.code, error.outcome) == (504, "upstream_timeout", "timeout_connect")
    assert 0.09 <= time.monotonic() - began < LONG_S


async def test_a_deadline_before_the_connect_limit_is_the_total_one(client: Client, full_backlog: int) -> None:
    error = await failure(client, f"http://127.0.0.1:{full_backlog}/", total_s=0.05)
    assert (error.code, error.outcome) == ("deadline_exceeded", "timeout_total")


@pytest.mark.parametrize("certificate", ["self_signed", "wrong_host", "expired"])
async def test_u3_a_certificate_that_is_not_right_gets_no_request(client: Client, certificate: tls.Certificate) -> None:
    async with ScriptedUpstream(OK, tls=tls.server(certificate)) as upstream:
        error = await failure(client, upstream.url("/"))
        assert isinstance(error, Unreachable)
        assert (error.status, error.code, error.outcome) == (502, "upstream_connect_error", "tls_error")
        assert upstream.requests == []


async def test_u3_plain_text_on_a_tls_port_gets_no_request(client: Client) -> None:
    async with ScriptedUpstream(on_connect=[Send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]) as upstream:
        error = await failure(client, f"https://127.0.0.1:{upstream.port}/")
        assert isinstance(error, Unreachable)
        assert error.outcome == "tls_error"


async def test_u3_a_handshake_that_hangs_ends_at_the_connect_limit(client: Client) -> None:
    async with ScriptedUpstream(on_connect=[Hang()]) as upstream:
        error = await failure(client, f"https://127.0.0.1:{upstream.port}/", connect_s=0.1)
        assert error.outcome == "timeout_connect"
        await upstream.client_gone(0)


async def test_a_right_certificate_is_served(client: Client) -> None:
    async with ScriptedUpstream(OK, tls=tls.server("trusted")) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        assert await response.read() == b'{"ok": true}'


SILENT: dict[str, tuple[Script, Script]] = {
    "u5 accepts and never reads": ([Hang()], OK),
    "u6 reads and never answers": ((), [Hang()]),
    "u7 drips its head": ((), [Drip(head(200, {"x-filler": "x" * 4000}), every_s=0.01)]),
    "only interim answers": ((), [Send(head(103)), Hang()]),
}


@pytest.mark.parametrize("name", SILENT)
async def test_a_provider_without_a_whole_head_ends_at_the_first_byte_limit(client: Client, name: str) -> None:
    on_connect, script = SILENT[name]
    async with ScriptedUpstream(script, on_connect=on_connect) as upstream:
        began = time.monotonic()
        error = await failure(client, upstream.url("/"), first_byte_s=0.15)
        assert isinstance(error, TimedOut)
        assert (error.status, error.code, error.outcome) == (504, "upstream_timeout", "timeout_first_byte")
        assert error.billed_unknown
        assert not error.retryable
        assert 0.14 <= time.monotonic() - began < LONG_S
        await upstream.client_gone(0)
        assert len(upstream.connections) == 1


async def test_u5_holds_for_a_body_that_is_larger_than_every_buffer(client: Client) -> None:
    hear = asyncio.Event()
    async with ScriptedUpstream(on_connect=[Deaf(hear), Hang()]) as upstream:
        with pytest.raises(TimedOut):
            await client.send(post(upstream.url("/"), b"x" * 20_000_000), within(first_byte_s=0.15))
        hear.set()
        await upstream.client_gone(0)


async def test_the_idle_limit_does_not_end_the_wait_for_the_first_byte(client: Client) -> None:
    async with ScriptedUpstream([Drip(head(200, {"content-length": "0"}), every_s=0.005)]) as upstream:
        response = await client.send(post(upstream.url("/")), within(idle_s=0.03))
        assert await response.read() == b""


LOST: dict[str, Script] = {"RST": [Reset()], "FIN": [Close()]}


@pytest.mark.parametrize("name", LOST)
async def test_u8_a_new_connection_that_is_lost_before_the_answer_is_a_reset(client: Client, name: str) -> None:
    async with ScriptedUpstream(LOST[name]) as upstream:
        error = await failure(client, upstream.url("/"))
        assert isinstance(error, ProtocolBroken)
        assert (error.status, error.code, error.outcome) == (502, "upstream_protocol_error", "reset")
        assert len(upstream.requests) == 1


NOT_HTTP: dict[str, bytes] = {
    "u10 another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "u10 a header of 1 MiB": b"HTTP/1.1 200 OK\r\nx-big: " + b"x" * 1_048_576 + b"\r\n\r\n",
    "u10 a header of 1 MiB without an end": b"HTTP/1.1 200 OK\r\nx-big: " + b"x" * 1_048_576,
    "u10 129 headers": head(200, {f"x-{i}": "1" for i in range(129)}),
    "u10 a reason of 1 MiB": b"HTTP/1.1 200 " + b"x" * 1_048_576 + b"\r\n\r\n",
    "u12 redirect 301": head(301, {"location": "/elsewhere", "content-length": "0"}),
    "u12 redirect 302": head(302, {"location": "http://169.254.169.254/", "content-length": "0"}),
    "u12 redirect 307": head(307, {"location": "/elsewhere", "content-length": "0"}),
    "u12 redirect 308": head(308, {"location": "/elsewhere", "content-length": "0"}),
    "a change of protocol": head(101, {"upgrade": "websocket", "connection": "upgrade"}),
    "interim answers without end": head(103) * 1000,
    "u14 length and chunked": head(200, {"content-length": "5", "transfer-encoding": "chunked"}) + b"0\r\n\r\n",
    "u14 chunked and length": head(200, {"transfer-encoding": "chunked", "content-length": "5"}) + b"hello",
    "u14 two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a length that is no number": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello!",
    "u46 brotli": head(200, {"content-encoding": "br", "content-length": "3"}) + b"\x0b\x02\x80",
    "u46 two encodings": head(200, {"content-encoding": "gzip, gzip", "content-length": "3"}) + b"abc",
}


@pytest.mark.parametrize("name", NOT_HTTP)
async def test_what_is_not_a_plain_http_answer_breaks_the_protocol(client: Client, name: str) -> None:
    async with ScriptedUpstream([Send(NOT_HTTP[name]), Hang()]) as upstream:
        began = time.monotonic()
        error = await failure(client, upstream.url("/"))
        assert isinstance(error, ProtocolBroken)
        assert (error.status, error.code, error.outcome) == (502, "upstream_protocol_error", "protocol_error")
        assert time.monotonic() - began < LONG_S
        await upstream.client_gone(0)
        assert len(upstream.requests) == 1


async def test_u11_interim_answers_are_skipped(client: Client) -> None:
    async with ScriptedUpstream([Send(head(100)), Send(head(103, {"link": "</x>"})), *OK]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        assert (response.status, await response.read()) == (200, b'{"ok": true}')
        assert "link" not in response.headers


async def test_only_the_headers_given_go_out(client: Client) -> None:
    async with ScriptedUpstream(OK) as upstream:
        await (await client.send(post(upstream.url("/v1/x?y=z%20"), b"{}", **{"x-one": "1"}), within())).read()
        (request,) = upstream.requests
        assert (request.method, request.path) == ("POST", "/v1/x?y=z%20")
        assert request.header_list == (
            ("host", f"127.0.0.1:{upstream.port}"),
            ("accept-encoding", "identity"),
            ("x-one", "1"),
            ("content-length", "2"),
        )


async def test_nothing_is_kept_from_one_answer_for_the_next_request(client: Client) -> None:
    answer = json_answer({}, headers={"set-cookie": "a=b; Path=/", "alt-svc": 'h3=":443"'})
    async with ScriptedUpstream(answer) as upstream:
        for _ in range(2):
            await (await client.send(post(upstream.url("/")), within())).read()
        assert [name for name, _ in upstream.requests[1].header_list] == ["host", "accept-encoding", "content-length"]


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"])
async def test_a_line_break_in_a_header_never_leaves(client: Client, value: str) -> None:
    async with ScriptedUpstream(OK) as upstream:
        with pytest.raises(InternalError):
            await client.send(post(upstream.url("/"), authorization=value), within())
        assert upstream.connections == []


async def test_the_proxy_variables_of_the_environment_are_not_used(
    client: Client, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    async with ScriptedUpstream(OK) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        assert response.status == 200
        response.close()


async def test_only_permitted_origins_are_reached(kind: type[Client]) -> None:
    async with ScriptedUpstream(OK) as upstream:
        client = kind()
        client.permit(["https://api.example/v1/chat/completions"])
        with pytest.raises(InternalError):
            await client.send(post(upstream.url("/")), within())
        assert upstream.connections == []
        client.permit([upstream.url("/v1/{model}")])
        response = await client.send(post(upstream.url("/")), within())
        assert await response.read() == b'{"ok": true}'
        await client.close()


async def test_a_large_body_arrives_whole(client: Client) -> None:
    body = bytes(range(256)) * 20_000
    async with ScriptedUpstream(OK) as upstream:
        for _ in range(2):
            response = await client.send(post(upstream.url("/"), body), within())
            await response.read()
        assert [request.body == body for request in upstream.requests] == [True, True]
        assert len(upstream.connections) == 1


async def test_an_answer_that_comes_before_the_body_was_read_is_the_answer(client: Client) -> None:
    refusal = json_answer({"error": "too large"}, status=413)
    async with ScriptedUpstream(on_connect=[Read(100), *refusal, Hang()]) as upstream:
        response = await client.send(post(upstream.url("/"), b"x" * 20_000_000), within())
        assert (response.status, await response.read()) == (413, b'{"error": "too large"}')
        await upstream.client_gone(0)


async def test_cancelling_the_wait_for_an_answer_closes_the_connection_at_once(client: Client) -> None:
    async with ScriptedUpstream([Hang()]) as upstream:
        task = asyncio.create_task(client.send(post(upstream.url("/")), within()))
        await upstream.until(lambda: upstream.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.client_gone(0)


async def test_cancelling_a_connect_leaves_no_connection(client: Client) -> None:
    async with ScriptedUpstream(on_connect=[Hang()]) as upstream:
        request = UpstreamRequest(f"https://127.0.0.1:{upstream.port}/", {}, b"")
        task = asyncio.create_task(client.send(request, within()))
        await upstream.until(lambda: upstream.connections)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.client_gone(0)


async def test_a_hundred_and_fifty_requests_at_once_do_not_wait_for_each_other(client: Client) -> None:
    ready = asyncio.Event()

    def script(request: Received) -> Script:
        if len(upstream.requests) == 150:
            ready.set()
        return [Hang()] if not ready.is_set() else OK

    async with ScriptedUpstream(script) as upstream:
        tasks = [asyncio.create_task(client.send(post(upstream.url("/")), within())) for _ in range(150)]
        await asyncio.wait_for(ready.wait(), BOUND_S)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if not isinstance(result, BaseException):
                result.close()
