"""Which addresses belong to the open internet: those that a caller may have the gateway call.

The ranges are written out, from IANA's registries of special addresses: the standard library's own judgement has
changed between its releases. Of IPv6 only what is handed out for the internet passes, so that the ways to write an
IPv4 address in IPv6 (mapped, NAT64, 6to4, Teredo) all fail.
"""

from __future__ import annotations

import ipaddress

_SPECIAL_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # between providers and their customers; one cloud's metadata service too
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, and is where a cloud's machines reach their host
        "169.254.0.0/16",  # link-local, with most clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_INTERNET_6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)


def is_public(address: str) -> bool:
    """address: an IP address in its usual notation; what is none is not public."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _SPECIAL_4)
    return ip.scope_id is None and ip in _INTERNET_6 and not any(ip in network for network in _SPECIAL_6)
