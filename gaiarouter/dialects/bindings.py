"""How each dialect of callers is read for what is bound to its issuer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gaiarouter.dialects.binding import BindingReader
from gaiarouter.dialects.chat import binding as chat
from gaiarouter.dialects.gemini import binding as gemini
from gaiarouter.dialects.messages import binding as messages
from gaiarouter.dialects.responses import binding as responses

READERS: Final[Mapping[str, BindingReader]] = MappingProxyType(
    {
        "chat": chat.bindings,
        "messages": messages.bindings,
        "responses": responses.bindings,
        "gemini": gemini.bindings,
    }
)
