"""Where requests may go, and the head that they go out with. Both clients stand on this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from yarl import URL

from gaiarouter.errors import InternalError
from gaiarouter.upstream.header_lines import header_lines

_KNOWN = 1024


class Origin(NamedTuple):
    """What connections are shared by. secure: over TLS."""

    secure: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, read once. start: the request line behind its method, and the headers that every request has."""

    url: URL
    origin: Origin
    start: str


class Destinations:
    """The one place that decides whether a URL may be asked: everything may until `permit` is called."""

    def __init__(self) -> None:
        self._origins: frozenset[Origin] | None = None
        self._known: dict[str, Destination] = {}

    def permit(self, urls: Iterable[str]) -> None:
        """Scheme, host and port of these are where requests may go, instead of those permitted before."""
        self._origins = frozenset(_origin(URL(url, encoded=True)) for url in urls)
        self._known.clear()

    def find(self, url: str) -> Destination:
        """Raises InternalError for an address that is not permitted."""
        if (known := self._known.get(url)) is not None:
            return known
        parsed = URL(url, encoded=True)
        origin = _origin(parsed)
        if self._origins is not None and origin not in self._origins:
            raise InternalError("A request was about to leave for an address that no provider is configured with.")
        start = (
            f" {parsed.raw_path_qs} HTTP/1.1\r\n"
            f"host: {parsed.host_port_subcomponent}\r\n"
            "accept-encoding: identity\r\n"
        )  # fmt: skip
        if len(self._known) >= _KNOWN:
            self._known.clear()  # deployments in paths could otherwise make it grow with what callers ask for
        made = self._known[url] = Destination(parsed, origin, start)
        return made


def _origin(url: URL) -> Origin:
    if url.raw_host is None or url.port is None:
        raise InternalError("A provider is configured with an address that has no host.")
    return Origin(url.scheme == "https", url.raw_host, url.port)


def request_head(destination: Destination, method: str, headers: Mapping[str, str], length: int | None) -> bytes:
    """length: the body's, None for one that is sent in chunks. Raises InternalError for a header with a line break."""
    fields = header_lines(headers, reader="provider")
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"{method}{destination.start}{fields}{framing}\r\n\r\n".encode("latin-1")
