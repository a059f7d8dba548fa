"""The one place where a foreign exception becomes one of errors.py. Messages hold no host, address or key.

The table is read from the top: a class stands before the classes it derives from.
"""

from __future__ import annotations

import errno
import ssl
import zlib

from aiohttp import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientSSLError,
    InvalidURL,
)
from aiohttp.http_exceptions import HttpProcessingError

from gaiarouter.errors import NoRoom, ProtocolBroken, Unreachable, UpstreamError

_TABLE: tuple[tuple[type[Exception], type[UpstreamError], str, str], ...] = (
    (ClientSSLError, Unreachable, "tls_error", "No trusted TLS connection to the provider could be made."),
    (ClientConnectorDNSError, Unreachable, "connect_error", "The provider's host name could not be resolved."),
    (ClientConnectorError, Unreachable, "connect_error", "The provider's address did not accept the connection."),
    (InvalidURL, Unreachable, "connect_error", "The provider's address is not one that can be connected to."),
    (ClientPayloadError, ProtocolBroken, "protocol_error", "The provider's answer was cut short or wrongly framed."),
    (ClientConnectionError, ProtocolBroken, "reset", "The provider closed the connection before its answer was whole."),
    (HttpProcessingError, ProtocolBroken, "protocol_error", "What the provider sent was not valid HTTP."),
    (ClientError, ProtocolBroken, "protocol_error", "What the provider sent was not valid HTTP."),
    (zlib.error, ProtocolBroken, "protocol_error", "The provider's answer was not compressed as it claimed."),
    (ssl.SSLError, ProtocolBroken, "tls_error", "The TLS connection to the provider broke."),
    (OSError, ProtocolBroken, "reset", "The connection to the provider broke."),
)

FOREIGN: tuple[type[Exception], ...] = tuple(row[0] for row in _TABLE)
"""What `translate` knows. Anything else is a bug of ours and passes as it is."""


_OURS = frozenset({errno.EMFILE, errno.ENFILE})


def unreachable(error: OSError, message: str, *, outcome: str = "connect_error") -> UpstreamError:
    """No connection could be made: the provider's fault, but where it is the gateway that has no descriptors left."""
    if error.errno in _OURS:
        return NoRoom("The gateway has no file descriptors left for a connection to the provider.")
    return Unreachable(message, outcome=outcome)


def translate(error: Exception) -> UpstreamError:
    """Ours for an exception of FOREIGN."""
    for kind, ours, outcome, message in _TABLE:
        if isinstance(error, kind):
            if ours is Unreachable and isinstance(error, OSError):
                return unreachable(error, message, outcome=outcome)
            return ours(message, outcome=outcome)
    raise TypeError(f"{type(error).__name__} is not in the table of upstream faults") from error
