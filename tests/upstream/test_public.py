"""Which addresses the open internet has. The refused ones are from IANA's registries of special addresses, and from
the documentation of clouds."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.upstream.public import is_public

REFUSED = {
    "this host": "0.0.0.0 0.1.2.3",
    "loopback": "127.0.0.1 127.255.255.254 ::1",
    "unspecified": "::",
    "private": "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 fc00::1 fd12:3456:789a::1",
    "link-local": "169.254.0.1 fe80::1 febf::1 fe80::1%eth0",
    "site-local, of old": "fec0::1",
    "shared by carriers": "100.64.0.1 100.127.255.255",
    "metadata services": "169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192 168.63.129.16 fd00:ec2::254",
    "multicast": "224.0.0.1 239.255.255.255 ff02::1 ff0e::1",
    "reserved": "240.0.0.1 255.255.255.255 192.0.0.1 192.88.99.1 4000::1 e000::1",
    "documentation": "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1",
    "benchmarks": "198.18.0.1 198.19.255.255 2001:2::1",
    "IPv4 in IPv6, mapped": "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:7f00:1",
    "IPv4 in IPv6, compatible": "::127.0.0.1 ::8.8.8.8",
    "IPv4 in IPv6, translated": "::ffff:0:127.0.0.1",
    "6to4": "2002:7f00:1::1 2002:a00:1:: 2002:808:808::1",
    "NAT64": "64:ff9b::7f00:1 64:ff9b::169.254.169.254 64:ff9b::808:808 64:ff9b:1::1",
    "Teredo": "2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "discarded": "100::1",
    "segment routing": "5f00::1",
    "no usual notation": "2130706433 0x7f000001 0177.0.0.1 127.1 127.0.0.1. localhost example.com [::1] 1.2.3",
}
PUBLIC = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.167.255.255 \
 169.253.255.255 169.255.0.0 223.255.255.255 2606:4700:4700::1111 2a00:1450:4001:82a::200e 2001:4860:4860::8888"


@pytest.mark.parametrize(
    "address", [pytest.param(each, id=f"{why}-{each}") for why, several in REFUSED.items() for each in several.split()]
)
def test_no_special_address_is_public(address: str) -> None:
    assert not is_public(address)


def test_nothing_is_not_public() -> None:
    assert not is_public("")


@pytest.mark.parametrize("address", PUBLIC.split())
def test_what_lies_beside_the_special_ranges_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_becomes_public_in_the_dress_of_ipv6(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    bases = ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::")
    dressed = [ipaddress.IPv6Address(int(ipaddress.IPv6Address(base)) + number) for base in bases]
    dressed.append(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))
    assert not any(is_public(str(each)) for each in dressed)


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_or_multicast_is_never_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_multicast or address.is_loopback or address.is_link_local:
        assert not is_public(str(address))
