"""What an address is: this machine, a private network, or the world.

Names are judged by how they end, never looked up.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".svc", ".home.arpa", ".test")
_METADATA = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fd00:ec2::254/128"))
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return _name(host) == "localhost" or _name(host).endswith(".localhost")


def is_private(host: str) -> bool:
    """A loopback or private address, a name without dots, or one that only means something inside a network."""
    address = _address(host)
    if address is not None:
        return address.is_private and not address.is_unspecified
    return "." not in _name(host) or _name(host).endswith(_PRIVATE_ENDINGS)


def is_network(text: str) -> bool:
    """An address, or several as `10.0.0.0/8`."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def fault_of_base_url(url: str) -> str | None:
    """What is wrong with a provider's address, in words; None if nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        return "found no URL, expected one such as https://host/v1"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return "found no http:// or https:// URL with a host, expected one such as https://host/v1"
    if parts.username is not None or parts.password is not None:
        return "found a user or password in the URL, expected them in `api_key`"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "found a `?` or `#` in the URL, expected it to end with the path"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "found a character that may not stand in a URL"
    return _fault_of_host(host)


def goes_in_clear(url: str) -> bool:
    """http:// to somewhere that is neither this machine nor a private network."""
    parts: SplitResult = urlsplit(url)
    return parts.scheme == "http" and not is_private(parts.hostname or "")


def _fault_of_host(host: str) -> str | None:
    address = _address(host)
    if address is None:
        # 2852039166 and 0xa9fea9fe are addresses too, to whoever connects
        if _NUMERIC.fullmatch(host.lower()):
            return "found a number as the host, expected a name or an address such as 10.0.0.1"
        return None
    if any(address in network for network in _METADATA if network.version == address.version):
        return "found an address of the cloud's metadata service, which is never a provider"
    return None


def _name(host: str) -> str:
    return host.lower().rstrip(".")


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
