"""TLS of the gateway's own: over real sockets, renewed while streams run, and not lost to a bad pair."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509

from gaiarouter.config.settings import Tls
from gaiarouter.server.tls import UnusableCertificate, is_for_all, load_pair
from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of
from tests.server.process import Served, served
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.script import LAST_CHUNK, SSE_HEAD, Send, Until, chunk, sse
from tests.support.upstream import BOUND_S, ScriptedUpstream

AUTHORITY = Authority()
DAY_S = 86_400


def pair(folder: Path) -> Tls:
    return Tls(str(folder / "tls.crt"), str(folder / "tls.key"))


def setting(folder: Path) -> dict[str, str]:
    return {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}


def point(link: Path, folder: Path) -> None:
    """As Kubernetes swaps a Secret: another link is put in the place of the one before."""
    fresh = link.with_name("fresh-link")
    fresh.symlink_to(folder)
    fresh.replace(link)


async def shake_hands(port: int, context: ssl.SSLContext | None = None) -> tuple[int, str]:
    """The serial number of the certificate that a new connection is shown, and the version spoken."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context or AUTHORITY.trusting())
    shown = writer.get_extra_info("ssl_object")
    serial = x509.load_der_x509_certificate(shown.getpeercert(binary_form=True)).serial_number
    version = shown.version()
    writer.close()
    return serial, version


async def until_shown(port: int, serial: int, *, times: int = 1) -> None:
    """So often in a row: workers take new connections in turn."""
    async with asyncio.timeout(BOUND_S):
        seen = 0
        while seen < times:
            seen = seen + 1 if (await shake_hands(port))[0] == serial else 0
            await asyncio.sleep(0.01)  # another process is what is waited for


async def scrape(gateway: Served) -> dict[str, float]:
    async with gateway.session.get(gateway.url("/metrics")) as response:
        found = [line.rpartition(" ") for line in (await response.text()).splitlines() if line[0] != "#"]
    return {name.removeprefix("gaiarouter_"): float(value) for name, _, value in found}


async def refused(gateway: Served, link: Path, folder: Path) -> str:
    """Why a certificate that came with another's key was not taken."""
    AUTHORITY.issue(folder / "three")
    (folder / "three" / "tls.key").write_bytes((folder / "one" / "tls.key").read_bytes())
    point(link, folder / "three")
    async with asyncio.timeout(BOUND_S):
        while not (failed := gateway.lines("tls.reload_failed")):  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.02)
    return str(failed[0]["reason"])


async def test_a_certificate_is_renewed_under_a_stream_and_a_bad_pair_is_not_taken(tmp_path: Path) -> None:
    first, second = AUTHORITY.issue(tmp_path / "one"), AUTHORITY.issue(tmp_path / "two", days=60)
    link, go, aside = tmp_path / "tls", asyncio.Event(), free_port()
    point(link, tmp_path / "one")
    said = sse(chunk_of(" word"))
    script = [Send(SSE_HEAD + chunk(ROLE + said)), Until(go), Send(chunk(said + FINISH + DONE) + LAST_CHUNK)]
    server = {"tls": setting(link), "admin_listen": f"127.0.0.1:{aside}"}
    patient = {"timeouts": {"idle": "60s", "total": "60s"}}
    async with (
        ScriptedUpstream(script) as upstream,
        served(
            tmp_path, {"main": upstream.url("/v1")}, server=server, defaults=patient, trusting=AUTHORITY.trusting()
        ) as gateway,
    ):
        assert await shake_hands(gateway.port) == (first, "TLSv1.3")
        assert (await shake_hands(aside))[0] == first
        stream = await gateway.chat("alone", stream=True)
        await stream.content.readuntil(b" word")

        point(link, tmp_path / "two")
        await until_shown(gateway.port, second)
        assert (await shake_hands(aside))[0] == second
        operators = Served(gateway.process, aside, gateway.key, tmp_path, gateway.session, "https")
        told = await scrape(operators)
        assert told["tls_certificate_expiry_timestamp_seconds"] == pytest.approx(time.time() + 60 * DAY_S, abs=DAY_S)
        assert (told["tls_reloads_total"], told["tls_last_reload_successful"]) == (1, 1)

        assert "is not the key of" in await refused(gateway, link, tmp_path)
        assert (await shake_hands(gateway.port))[0] == second
        told = await scrape(operators)
        assert (told["tls_reload_failures_total"], told["tls_last_reload_successful"]) == (1, 0)

        go.set()
        assert (await stream.read()).endswith(b"[DONE]\n\n"), "it began with the first"
        assert (await gateway.chat("demo")).status == 200
    assert b"PRIVATE KEY" not in (tmp_path / "log").read_bytes()


async def test_all_workers_renew_and_speak_nothing_older_or_plain(tmp_path: Path) -> None:
    first, folder = AUTHORITY.issue(tmp_path / "tls"), tmp_path / "tls"
    server = {"tls": setting(folder), "workers": 2}
    async with served(tmp_path, {}, server=server, trusting=AUTHORITY.trusting()) as gateway:
        old = AUTHORITY.trusting()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await shake_hands(gateway.port, old) == (first, "TLSv1.2")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake_hands(gateway.port, old)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in await asyncio.wait_for(reader.read(), BOUND_S)
        writer.close()

        second = AUTHORITY.issue(folder)
        await until_shown(gateway.port, second, times=20)
        assert {(await gateway.chat("demo")).status for _ in range(10)} == {200}
    started = gateway.lines("server.started")
    assert [line["tls"] for line in started] == [True, True]


def test_a_pair_that_cannot_be_used_says_why_and_nothing_of_itself(tmp_path: Path) -> None:
    AUTHORITY.issue(tmp_path / "good")
    AUTHORITY.issue(tmp_path / "other")
    AUTHORITY.issue(tmp_path / "locked", password=b"x")
    (tmp_path / "garbage").write_text("PRIVATE nothing")
    good, other, locked = pair(tmp_path / "good"), pair(tmp_path / "other"), pair(tmp_path / "locked")
    garbage, missing = str(tmp_path / "garbage"), str(tmp_path / "missing")
    cases = {
        Tls(good.certificate, other.key): "is not the key of",
        locked: "is encrypted",
        Tls(missing, good.key): f"{missing} cannot be read",
        Tls(good.certificate, missing): f"{missing} cannot be read",
        Tls(garbage, good.key): "no certificate and key in PEM",
        Tls(good.certificate, garbage): "no certificate and key in PEM",
        Tls(good.key, good.key): "no certificate and key in PEM",
    }
    for tls, why in cases.items():
        with pytest.raises(UnusableCertificate) as caught:
            load_pair(tls)
        assert why in str(caught.value), tls
        assert "nothing" not in str(caught.value)
    assert load_pair(good).expires_s == pytest.approx(time.time() + 30 * DAY_S, abs=DAY_S)


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o660, True)])
def test_a_key_that_others_may_read_is_noticed(tmp_path: Path, mode: int, is_open: bool) -> None:
    key = tmp_path / "key"
    key.touch()
    os.chmod(key, mode)
    assert is_for_all(str(key)) is is_open
