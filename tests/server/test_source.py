"""Whence a request comes: what only a trusted proxy may say."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gaiarouter.config.settings import Server
from gaiarouter.server.source import source_of

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", ["198.51.100.1:5312"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:1:2:3::4]:5312"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["6.6.6.6, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6, unknown, 10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [", ,,"], "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("", ["198.51.100.1"], "unknown"),
    ],
)
def test_a_header_is_believed_as_far_as_a_proxy_of_ours_wrote_it(
    peer: str, forwarded: Sequence[str], source: str
) -> None:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in forwarded])
    request = make_mocked_request("POST", "/", headers=headers).clone(remote=peer)
    assert source_of(request, Server(trusted_proxies=OURS)) == source


def test_a_long_header_costs_little_and_its_right_end_counts() -> None:
    headers = {"X-Forwarded-For": ", ".join(["6.6.6.6"] * 1000 + ["198.51.100.1"])}
    request = make_mocked_request("POST", "/", headers=headers).clone(remote="10.0.0.1")
    assert source_of(request, Server(trusted_proxies=OURS)) == "198.51.100.1"


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    request = make_mocked_request("POST", "/", headers={"X-Forwarded-For": "6.6.6.6"}).clone(remote="10.0.0.1")
    assert source_of(request, Server()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "source"),
    [
        (["for=198.51.100.1"], "198.51.100.1"),
        (["for=198.51.100.1;proto=https;by=10.0.0.1"], "198.51.100.1"),
        (['proto=https; For="198.51.100.1:4711"'], "198.51.100.1"),
        (['for="[2001:db8:1:2:3::4]:4711"'], "2001:db8:1:2::/64"),
        (["for=6.6.6.6, for=198.51.100.1;proto=http, for=10.0.0.2"], "198.51.100.1"),
        (["for=6.6.6.6", "for=198.51.100.1"], "198.51.100.1"),
        (["for=6.6.6.6, for=unknown"], "10.0.0.1"),
        (["for=6.6.6.6, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        (["for=6.6.6.6, by=198.51.100.1"], "10.0.0.1"),
        (['for="6.6.6.6'], "10.0.0.1"),
        (['host="for=6.6.6.6"'], "10.0.0.1"),
        (["xfor=6.6.6.6"], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_the_standard_header_is_read_where_the_proxies_write_that(forwarded: Sequence[str], source: str) -> None:
    server = Server(trusted_proxies=OURS, forwarded="forwarded")
    lines = [("Forwarded", line) for line in forwarded]
    headers = CIMultiDict([*lines, ("X-Forwarded-For", "6.6.6.6")])
    request = make_mocked_request("POST", "/", headers=headers).clone(remote="10.0.0.1")
    assert source_of(request, server) == source


def test_the_header_that_the_proxies_do_not_write_says_nothing() -> None:
    headers = {"Forwarded": "for=6.6.6.6", "X-Forwarded-For": "198.51.100.1"}
    request = make_mocked_request("POST", "/", headers=headers).clone(remote="10.0.0.1")
    assert source_of(request, Server(trusted_proxies=OURS)) == "198.51.100.1"
