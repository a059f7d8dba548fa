"""TLS for the scripted upstream, with certificates that are right, or wrong in one way."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent

Certificate = Literal["trusted", "wrong_host", "self_signed", "expired"]


def server(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_HERE / f"{certificate}.pem")
    return context


def client() -> ssl.SSLContext:
    """Trusts the tests' authority, and checks everything as usual."""
    return ssl.create_default_context(cafile=_HERE / "ca.pem")
