"""`python -m gaiarouter.server.probe`: whether this machine's gateway is alive, for a container's health check.

Imports next to nothing and reads no table: it runs every few seconds. The port is GAIAROUTER_PORT or 8000; where plain
HTTP gets no answer TLS is tried, without a look at the certificate: it is made out to another name than 127.0.0.1.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from collections.abc import Iterator
from typing import Final

_WITHIN_S: Final = 2.0
_PATH: Final = "/health/live"


def is_alive(port: int) -> bool:
    for connection in _connections(port):
        try:
            connection.request("GET", _PATH)
            return connection.getresponse().status == 200
        except TimeoutError:
            return False
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


def _connections(port: int) -> Iterator[http.client.HTTPConnection]:
    yield http.client.HTTPConnection("127.0.0.1", port, timeout=_WITHIN_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    yield http.client.HTTPSConnection("127.0.0.1", port, timeout=_WITHIN_S, context=context)


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(os.environ.get("GAIAROUTER_PORT") or 8000)) else 1)
