"""Who is calling. The caller's credential is one of ours or nothing; it never goes on to a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

from gaiarouter.config.settings import Rate
from gaiarouter.errors import Forbidden, InvalidRequest, LimitExceeded, Unauthenticated
from gaiarouter.limits.guesses import Guesses
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage
from gaiarouter.store.base import ApiKey

KEY_PREFIX: Final = "sk-gaia-"
Refusal = Literal["no_key", "wrong_key", "too_many", "no_permission"]
"""Why somebody was not let in: what they sent, too many wrong keys from one address, or what the key may not."""
Door = Literal["models", "control_plane"]
Refused = Callable[[Refusal, Door, Callable[[], str]], None]
"""Told why somebody was not let in, where, and who: asked for, an address or the id of a key."""


class KeyRing(Protocol):
    def peek(self, text: str) -> ApiKey | None: ...

    async def find(self, text: str) -> ApiKey: ...


class Auth(Stage):
    """`required`: without it a caller that shows no key of ours is served as `anonymous`. guesses: counts wrong keys by
    their source, which may show so many of them (`wrong_keys`). on_refused: called each time."""

    def __init__(
        self,
        keys: KeyRing,
        *,
        required: bool,
        guesses: Guesses | None = None,
        wrong_keys: Rate | None = None,
        on_refused: Refused = lambda why, door, who: None,
    ) -> None:
        self._keys = keys
        self.on_refused: Final = on_refused
        self._required = required
        self._guesses = guesses
        self._wrong_keys = wrong_keys

    async def request(self, exchange: Exchange) -> None:
        exchange.key = await self.identify(exchange.credentials, exchange.source)
        key = exchange.key
        if key is not None and not key.inference:
            self.on_refused("no_permission", "models", lambda: key.id)
            raise Forbidden("This key may not call models.")

    async def identify(
        self, credentials: tuple[str, ...], source: Callable[[], str], door: Door = "models"
    ) -> ApiKey | None:
        """The key among what was sent; None is an anonymous caller where that is allowed. source: whence it came."""
        if len(credentials) == 1 and credentials[0].startswith(KEY_PREFIX):
            return self._keys.peek(credentials[0]) or await self._found(credentials[0], source, door)
        ours = {text for text in credentials if text.startswith(KEY_PREFIX)}
        if len(ours) > 1:
            raise InvalidRequest("Two different gateway keys were sent in one request; send one.")
        if not ours:
            if self._required:
                self.on_refused("wrong_key" if credentials else "no_key", door, source)
                raise Unauthenticated
            return None
        text = ours.pop()
        return self._keys.peek(text) or await self._found(text, source, door)

    async def _found(self, text: str, source: Callable[[], str], door: Door) -> ApiKey:
        try:
            return await self._keys.find(text)
        except Unauthenticated:
            self.guessed(source, door)
            raise

    def guessed(self, source: Callable[[], str], door: Door) -> None:
        """A wrong key came from there. Raises LimitExceeded where that was one too many."""
        try:
            if self._guesses is not None:
                self._guesses.wrong(source(), self._wrong_keys)
        except LimitExceeded:
            self.on_refused("too_many", door, source)
            raise
        self.on_refused("wrong_key", door, source)
