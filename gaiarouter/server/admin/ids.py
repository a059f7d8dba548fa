"""Ids of records: `org_…`, `user_…`, `key_…`."""

from __future__ import annotations

import re
import secrets
from typing import Final

from gaiarouter.server.admin.operation import Call
from gaiarouter.server.admin.plane import nothing_here

_SHAPE: Final = re.compile(r"[a-z]+_[0-9A-Za-z_-]{1,64}")


def new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(10)


def require_id(call: Call, prefix: str, what: str) -> str:
    """The id in the path. One that cannot be is answered as one that does not exist, without a look-up."""
    found = call.path["id"]
    if not is_id(found, prefix):
        raise nothing_here(what)
    return found


def is_id(text: str, prefix: str) -> bool:
    return text.startswith(prefix) and _SHAPE.fullmatch(text) is not None
