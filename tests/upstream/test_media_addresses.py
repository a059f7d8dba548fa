"""Where a caller's address may lead: to the open internet, whatever name, notation, redirect or change of mind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from gaiarouter.upstream.outward import NotAllowed, address_of, redirected
from gaiarouter.upstream.public import is_public
from tests.support.script import Script, answer
from tests.support.upstream import Received, ScriptedUpstream
from tests.upstream.loading import HERE, INSIDE, PNG, Names, load_one, loading, reason

NOWHERE = "its host leads to no public address"
NO_ADDRESS = "it is no web address"

REFUSED = [
    ("http://127.0.0.1/", NOWHERE),
    ("http://127.0.0.1:8000/v1/models", NOWHERE),
    ("https://10.1.2.3/", NOWHERE),
    ("http://192.168.1.1/", NOWHERE),
    ("http://169.254.169.254/latest/meta-data/", NOWHERE),
    ("http://100.100.100.200/", NOWHERE),
    ("http://168.63.129.16/", NOWHERE),
    ("http://0.0.0.0/", NOWHERE),
    ("http://[::1]/", NOWHERE),
    ("http://[::]/", NOWHERE),
    ("http://[fd00:ec2::254]/", NOWHERE),
    ("http://[fe80::1]/", NOWHERE),
    ("http://[fe80::1%25eth0]/", NOWHERE),
    ("http://[::ffff:127.0.0.1]/", NOWHERE),
    ("http://[::ffff:8.8.8.8]/", NOWHERE),
    ("http://[64:ff9b::7f00:1]/", NOWHERE),
    ("http://[2002:7f00:1::]/", NOWHERE),
    ("http://2130706433/", NOWHERE),
    ("http://0x7f000001/", NOWHERE),
    ("http://0X7F.1/", NOWHERE),
    ("http://0177.0.0.1/", NOWHERE),
    ("http://017700000001/", NOWHERE),
    ("http://127.1/", NOWHERE),
    ("http://127.0.0.1./", NOWHERE),
    ("http://134744072/", NOWHERE),
    ("http://①②⑦.⓪.⓪.①/", NOWHERE),
    ("http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", NOWHERE),
    ("http://localhost/", NOWHERE),
    ("http://LOCALHOST./", NOWHERE),
    ("http://no-such-name/", NOWHERE),
    ("http://127%2e0%2e0%2e1/", NOWHERE),
    ("ftp://example.com/a.png", NO_ADDRESS),
    ("file:///etc/passwd", NO_ADDRESS),
    ("gopher://example.com/", NO_ADDRESS),
    ("//example.com/a.png", NO_ADDRESS),
    ("http:///a.png", NO_ADDRESS),
    ("http://[::1/", NO_ADDRESS),
    ("http://example.com:99999/", NO_ADDRESS),
    ("http://example.com/a b.png", NO_ADDRESS),
    ("http://example.com/\r\nhost: inside", NO_ADDRESS),
    ("http://example.com\\@inside/", NO_ADDRESS),
    ("http://exam\ud800ple.com/", NO_ADDRESS),
    ("http://example.com/" + "a" * 9000, NO_ADDRESS),
    ("http://user@example.com/", "an address with a user or a password is not loaded"),
    ("http://user:word@example.com/", "an address with a user or a password is not loaded"),
    ("http://:word@example.com/", "an address with a user or a password is not loaded"),
    ("http://example.com:22/", "its port is not one of the web's"),
    ("http://example.com:25/", "its port is not one of the web's"),
    ("http://example.com:0/", "its port is not one of the web's"),
]


@pytest.mark.parametrize(("url", "why"), REFUSED, ids=[url[:48].encode("ascii", "replace") for url, _ in REFUSED])
async def test_t11_an_address_inside_or_of_another_kind_is_refused(url: str, why: str) -> None:
    names = Names(localhost=[[HERE, "::1"]], **{"LOCALHOST.": [[HERE]], "127%2e0%2e0%2e1": [[HERE]]})
    async with loading(allows=is_public, names=names) as loader:
        assert await reason(loader, url) == why


async def test_the_machines_own_name_is_refused_by_the_machines_own_resolver() -> None:
    async with ScriptedUpstream(answer(PNG)) as server, loading(allows=is_public) as loader:
        assert await reason(loader, f"http://localhost:{server.port}/") == NOWHERE
    assert server.connections == []


@pytest.mark.parametrize("address", [INSIDE, "10.0.0.1", "::1", "::ffff:127.0.0.1", "fd00::1", "169.254.169.254"])
async def test_a_name_that_leads_inside_is_refused_like_one_that_does_not_exist(address: str) -> None:
    names = Names(pictures_example=[[address]])
    async with loading(names=names) as loader:
        assert await reason(loader, "http://pictures.example:8080/") == NOWHERE
    assert names.asked == ["pictures.example"]


@asynccontextmanager
async def a_server_inside(port: int) -> AsyncIterator[list[str]]:
    """Listens where nothing may be called; what it is asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("connected")
        writer.close()

    server = await asyncio.start_server(serve, INSIDE, port)
    try:
        yield asked
    finally:
        server.close()
        await server.wait_closed()


async def test_of_a_names_addresses_only_the_allowed_ones_are_connected_to() -> None:
    names = Names(pictures_example=[[INSIDE, HERE, INSIDE]])
    async with (
        ScriptedUpstream(answer(PNG)) as server,
        a_server_inside(server.port) as inside,
        loading(names=names) as loader,
    ):
        await load_one(loader, f"http://pictures.example:{server.port}/a.png")
    assert inside == []
    assert server.requests[0].headers["host"] == f"pictures.example:{server.port}"


async def test_a_name_that_changes_its_mind_after_it_was_judged_is_not_asked_again() -> None:
    names = Names(pictures_example=[[HERE], [INSIDE]])
    async with (
        ScriptedUpstream(answer(PNG)) as server,
        a_server_inside(server.port) as inside,
        loading(names=names) as loader,
    ):
        await load_one(loader, f"http://pictures.example:{server.port}/a.png")
    assert (names.asked, inside) == (["pictures.example"], [])


async def test_a_name_that_changes_its_mind_before_a_redirect_back_to_it_is_judged_again() -> None:
    names = Names(pictures_example=[[HERE], [INSIDE]])
    script = answer(b"", status=302, headers={"location": "/secrets"})
    async with (
        ScriptedUpstream(script) as server,
        a_server_inside(server.port) as inside,
        loading(names=names) as loader,
    ):
        assert await reason(loader, f"http://pictures.example:{server.port}/a.png") == NOWHERE
    assert (names.asked, inside) == (["pictures.example"] * 2, [])


@pytest.mark.parametrize("judgements", [1, 2])
async def test_nothing_is_sent_to_a_peer_that_is_refused_at_the_last_moment(judgements: int) -> None:
    """The policy takes the address back once the name was judged, and once its socket was opened too."""
    left = [True] * judgements

    def allows(address: str) -> bool:
        return left.pop() if left else False

    async with (
        ScriptedUpstream(answer(PNG)) as server,
        loading(allows=allows, names=Names(pictures_example=[[HERE]])) as loader,
    ):
        assert "connection" in await reason(loader, f"http://pictures.example:{server.port}/a.png")
    assert server.requests == []
    assert len(server.connections) == judgements - 1


REDIRECTS = [
    ("http://10.0.0.1/", NOWHERE),
    ("http://2130706433/", NOWHERE),
    ("http://[::ffff:169.254.169.254]/", NOWHERE),
    ("//127.0.0.2/", NOWHERE),
    ("http://inside.example/", NOWHERE),
    ("file:///etc/passwd", NO_ADDRESS),
    ("http://user:word@pictures.example/", "an address with a user or a password is not loaded"),
    ("http://[", "its server redirects to what is no web address"),
    ("", "its server redirects too often"),
    ("/a.png", "its server redirects too often"),
]


@pytest.mark.parametrize(("location", "why"), REDIRECTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_t11_a_redirect_is_judged_like_the_address_itself(location: str, why: str, status: int) -> None:
    names = Names(pictures_example=[[HERE]], inside_example=[[INSIDE]])
    script = answer(b"", status=status, headers={"location": location})
    async with ScriptedUpstream(script) as server, loading(names=names) as loader:
        assert await reason(loader, f"http://pictures.example:{server.port}/a.png") == why


async def test_a_redirect_without_a_place_ends_too() -> None:
    async with ScriptedUpstream(answer(b"", status=302)) as server, loading() as loader:
        assert await reason(loader, server.url("/a.png")) == "its server redirects too often"
        assert len(server.requests) == 4


async def test_three_redirects_are_followed_without_what_the_first_server_said() -> None:
    def script(request: Received) -> Script:
        step = int(request.path[1])
        if step == 3:
            return answer(PNG)
        return answer(b"", status=302, headers={"location": f"/{step + 1}?a=%2F", "set-cookie": "a=b"})

    names = Names(pictures_example=[[HERE]])
    async with ScriptedUpstream(script) as server, loading(names=names) as loader:
        await load_one(loader, f"http://pictures.example:{server.port}/0")
    assert [request.path for request in server.requests] == ["/0", "/1?a=%2F", "/2?a=%2F", "/3?a=%2F"]
    assert not any({"cookie", "referer"} & request.headers.keys() for request in server.requests)


async def test_a_fourth_redirect_is_one_too_many() -> None:
    script = answer(b"", status=302, headers={"location": "/again"})
    async with ScriptedUpstream(script) as server, loading() as loader:
        assert await reason(loader, server.url("/a.png")) == "its server redirects too often"
    assert len(server.requests) == 4


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedUpstream(answer(PNG)) as proxy, ScriptedUpstream(answer(PNG)) as server, loading() as loader:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        await load_one(loader, server.url("/a.png"))
    assert (proxy.connections, len(server.requests)) == ([], 1)


@pytest.mark.parametrize(
    "host",
    ["a..b", "a" * 64 + ".example", ".", "..", "-", "%00", "a" * 300, "xn--\u00fc.example", "1..", "127.1..", "a.0x7f"],
)
async def test_a_name_that_no_resolver_takes_leads_nowhere(host: str) -> None:
    async with loading(allows=is_public) as loader:
        assert await reason(loader, f"http://{host}:8080/") in (NOWHERE, NO_ADDRESS)


ODD = st.text(st.sampled_from("http:/s.@[]%0123456789aAxX\\?#-_ \u00fc\u2488\uff0e\ud800\n"), max_size=30)


@given(ODD, ODD)
@example("1..", "")
def test_any_text_is_an_address_outside_or_refused(first: str, second: str) -> None:
    for url in (first, f"http://{first}", f"http://{first}/{second}", f"http://[{first}]:{second}"):
        try:
            address = address_of(url, is_public)
        except NotAllowed:
            continue
        assert address.scheme in ("http", "https")
        assert address.raw_host
        literal = re.fullmatch(r"[0-9.]*[0-9][0-9.]*|[0-9a-f:.]*:[0-9a-f:.]*", address.raw_host)
        assert literal is None or is_public(address.raw_host)


@given(ODD)
def test_any_place_of_a_redirect_is_an_address_outside_or_refused(location: str) -> None:
    try:
        address = redirected(URL("http://example.com/a/b?c"), location, is_public)
    except NotAllowed:
        return
    assert address.scheme in ("http", "https")
    assert address.raw_host
