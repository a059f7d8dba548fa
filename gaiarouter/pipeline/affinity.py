"""What a request has in common with others that are to go to the same target, as the route's `affinity` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from gaiarouter.canonical.parts import Text
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.errors import InvalidRequest
from gaiarouter.pipeline.conversion import Caller
from gaiarouter.pipeline.exchange import Exchange


class Affinities:
    """callers: by dialect. What they cannot read (a count of tokens, a field that no translation knows) goes by its
    key."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers

    def of(self, exchange: Exchange) -> bytes | None:
        """None where the route asks for no affinity."""
        assert exchange.match is not None
        wanted = exchange.match.route.affinity
        if wanted is None:
            return None
        request = None if wanted == "key" else self._read(exchange)
        if request is not None and wanted == "prefix":
            return _digest("prefix", *_beginning(request))
        if request is not None and request.end_user:
            return _digest("user", request.end_user)
        return _digest("key", exchange.key_id)

    def _read(self, exchange: Exchange) -> CanonicalRequest | None:
        assert exchange.request is not None
        caller = self._callers.get(exchange.dialect.name)
        if caller is None:
            return None
        body = exchange.request.body_for(model=exchange.request.model, ask_usage=False)
        try:
            return caller.decode_request(body, exchange.envelope)
        except InvalidRequest:
            return None  # a target of the caller's own dialect may take it all the same


def _beginning(request: CanonicalRequest) -> Iterator[str]:
    """Instructions and the texts up to the first answer: they are the same in every turn of a conversation. Marks for
    caching, which move from turn to turn, are no part of it."""
    yield from (each.text for each in request.instructions if each.reader is None)
    for turn in request.turns:
        if turn.role == "assistant":
            return
        yield from (part.text for part in turn.parts if isinstance(part, Text))
        if turn.role == "user":
            return


def _digest(*texts: str) -> bytes:
    digest = blake2b(digest_size=16)
    for text in texts:
        data = text.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(8) + data)
    return digest.digest()
