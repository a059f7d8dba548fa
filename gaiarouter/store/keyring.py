"""Who is calling, from memory: the store is asked at most once a minute a key, never for one that cannot be right.

1. Absent, malformed, unknown, expired and revoked are one error.
2. While the database is away, keys that were known go on working for `stale_s`; others are told 503, never 401.
3. Wrong keys are remembered in a bounded table of their own, so they cannot push out right ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from gaiarouter.errors import Unauthenticated, Unavailable
from gaiarouter.rounds import next_round
from gaiarouter.store.base import ApiKey, StorageUnavailable, Store
from gaiarouter.store.keys import MAX_KEY_LENGTH, RECORD_PREFIX, ParsedKey, parse, verify

_log = structlog.get_logger("gaiarouter.keys")

FRESH_S = 60.0
UNKNOWN_S = 10.0
WATCH_S = 1.0
_MOST_CHANGES = 1000
"""More at once, as after a long outage, and all of the memory is dropped instead."""


def _digest(text: str) -> bytes:
    """Of a whole key, for this memory alone; what is stored is keys.hash_secret. SHA-256 is looked up in OpenSSL at
    each call, which takes longer than all of this."""
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def now_us() -> int:
    return time.time_ns() // 1000


@dataclass(slots=True)
class _Known:
    """A record as it was read at `loaded_at`. digests: of each whole text that has proved right; there are two
    while a rotation's old secret is still good."""

    record: ApiKey
    loaded_at: float
    digests: list[bytes] = field(default_factory=list)


class KeyRing:
    """Finds the record of a key's text. `start` it in the event loop; `close` it before the store.

    storage_away: the store did not answer last time. on_storage_away: called with each change of it:
    why it is away, or None.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_us: Callable[[], int] = now_us,
        stale_s: float = 900.0,
        max_unknown: int = 10_000,
        pepper: bytes | None = None,
        on_storage_away: Callable[[str | None], None] | None = None,
    ) -> None:
        self.storage_away = False
        self._store = store
        self._clock = clock
        self._wall_us = wall_us
        self._stale_s = stale_s
        self._max_unknown = max_unknown
        self._pepper = pepper
        self._on_storage_away = on_storage_away
        self._known: dict[str, _Known] = {}
        self._by_digest: dict[bytes, tuple[_Known, float]] = {}
        """With the time, in microseconds, until which the text is good."""
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._loading: dict[str, asyncio.Task[ApiKey | None]] = {}
        self._used_us: dict[str, int] = {}
        self._seen: int | None = None
        """The newest change that this memory knows of; None until the first look."""
        self._told_of_pepper = False
        self._wake = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._store.watch(self._wake.set)
        self._watch = asyncio.create_task(self._watch_store(), name="keyring")

    def keep_known_for(self, stale_s: float) -> None:
        """From now on, while the store is away."""
        self._stale_s = stale_s

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        for task in self._loading.values():
            task.cancel()
        await self._flush_used()

    def peek(self, text: str) -> ApiKey | None:
        """The record of a key that was right before, without waiting; None says nothing: ask `find`."""
        if len(text) > MAX_KEY_LENGTH or not text.isascii():
            return None
        found = self._by_digest.get(_digest(text))
        if found is None:
            return None
        (known, until_us), wall_us = found, self._wall_us()
        if wall_us >= until_us or not self._is_fresh(known):
            return None
        self._used_us[known.record.id] = wall_us
        return known.record

    async def find(self, text: str) -> ApiKey:
        """Raises Unauthenticated, or Unavailable (storage_unavailable) where the store would have to be asked and does
        not answer."""
        record = self.peek(text)
        if record is not None:
            return record
        key = parse(text)
        if key is None:
            raise Unauthenticated
        known = await self._refreshed(key.id)
        if known is None or not known.record.is_valid(self._wall_us()):
            raise Unauthenticated
        if self._has_secret(key, known.record):
            self._remember_digest(text, known, known.record.valid_until_us)
        elif self._had_secret(key, known.record):
            assert known.record.previous is not None
            until_us = min(known.record.previous.until_us, known.record.valid_until_us)
            self._remember_digest(text, known, until_us)
        else:
            raise Unauthenticated
        self._used_us[key.id] = self._wall_us()
        return known.record

    def forget(self, key_id: str) -> None:
        """The record was made, changed or revoked: the next use reads it anew."""
        self._unknown.pop(key_id, None)
        self._loading.pop(key_id, None)  # what it brings may be the record of before
        known = self._known.pop(key_id, None)
        for digest in known.digests if known is not None else ():
            del self._by_digest[digest]

    async def tend(self) -> None:
        """One round of what `start` does every second, and at each change that is announced: drop what was changed,
        here or elsewhere, and note when keys were used.

        It also notices that the store is away, or back, so that no request has to wait to find out.
        """
        try:
            await self._catch_up()
        except StorageUnavailable as error:
            self._note_storage(str(error))
            return
        self._drop_stale()
        if await self._flush_used():
            self._note_storage(None)

    async def _catch_up(self) -> None:
        """The numbers of changes are in the order of their commits: no clock decides what is new."""
        if self._seen is not None:
            changes = await self._store.changes(after=self._seen, at_most=_MOST_CHANGES)
            if len(changes) < _MOST_CHANGES:
                self._forget_all(target for _, target in changes)
                self._seen = changes[-1][0] if changes else self._seen
                return
        self._seen = await self._store.newest_change()
        self._unknown.clear()
        self._forget_all([*self._known, *self._loading])

    def _forget_all(self, targets: Iterable[str]) -> None:
        """targets: ids of keys, or of organizations and users, whose keys are meant."""
        for target in targets:
            if target.startswith(RECORD_PREFIX):
                self.forget(target)
                continue
            self._loading.clear()  # whose they are is not known yet
            for known in list(self._known.values()):
                if target in (known.record.organization, known.record.owner):
                    self.forget(known.record.id)

    async def _watch_store(self) -> None:
        while True:
            try:
                await self.tend()
            except Exception:  # noqa: BLE001  # a bug must not end the watch in silence: revoked keys would go on working
                _log.exception("keyring.bug")
            await self._until_woken()

    async def _until_woken(self) -> None:
        try:
            async with asyncio.timeout_at(next_round(asyncio.get_running_loop().time(), WATCH_S)):
                await self._wake.wait()
        except TimeoutError:
            pass  # the round that comes without being told
        self._wake.clear()

    def _is_fresh(self, known: _Known) -> bool:
        """While the store is known to be away, nobody waits for it to find that out again."""
        return self._clock() - known.loaded_at <= (self._stale_s if self.storage_away else FRESH_S)

    def _has_secret(self, key: ParsedKey, record: ApiKey) -> bool:
        return self._verified(key, record.secret_hash, record.peppered)

    def _had_secret(self, key: ParsedKey, record: ApiKey) -> bool:
        """Whether it is the one before the last rotation, and still good."""
        previous = record.previous
        if previous is None or self._wall_us() >= previous.until_us:
            return False
        return self._verified(key, previous.secret_hash, previous.peppered)

    def _verified(self, key: ParsedKey, secret_hash: bytes, peppered: bool) -> bool:
        """A key made before there was a pepper goes on working; one made with it does not without."""
        if peppered and self._pepper is None:
            self._tell_of_pepper(key.id)
            return False
        return verify(key, secret_hash, pepper=self._pepper if peppered else None)

    def _tell_of_pepper(self, key_id: str) -> None:
        """Once: that keys are refused for want of it is the operator's to know, not the caller's."""
        if not self._told_of_pepper:
            self._told_of_pepper = True
            _log.error("keyring.pepper_missing", key=key_id, expected="GAIAROUTER_KEY_PEPPER, as when the key was made")

    async def _refreshed(self, key_id: str) -> _Known | None:
        """The record at most a minute old, or while the store is away at most `stale_s`; None for an unknown id."""
        now = self._clock()
        known = self._known.get(key_id)
        if known is not None and self._is_fresh(known):
            return known
        if self._unknown.get(key_id, now) > now:
            return None
        try:
            return await self._load(key_id)
        except StorageUnavailable as error:
            self._note_storage(str(error))
            if known is not None and now - known.loaded_at <= self._stale_s:
                return known
            raise Unavailable(
                "The key could not be checked because the gateway's database is not answering.",
                code="storage_unavailable",
                retry_after_s=WATCH_S,
            ) from error

    async def _load(self, key_id: str) -> _Known | None:
        """One look-up for all who wait for the same id; one of them hanging up does not end it for the others."""
        task = self._loading.get(key_id)
        if task is None:
            task = self._loading[key_id] = asyncio.create_task(self._store.find_key(key_id))
            task.add_done_callback(lambda done: self._loaded(key_id, done))
        record = await asyncio.shield(task)
        return None if record is None else self._known.get(key_id) or _Known(record, self._clock())

    def _loaded(self, key_id: str, task: asyncio.Task[ApiKey | None]) -> None:
        is_current = self._loading.get(key_id) is task
        if is_current:
            del self._loading[key_id]
        if task.cancelled() or task.exception() is not None:
            return
        self._note_storage(None)
        if not is_current:
            return
        record = task.result()
        self.forget(key_id)
        if record is not None:
            self._known[key_id] = _Known(record, self._clock())
        else:
            self._unknown[key_id] = self._clock() + UNKNOWN_S
            if len(self._unknown) > self._max_unknown:
                self._unknown.popitem(last=False)

    def _remember_digest(self, text: str, known: _Known, until_us: float) -> None:
        """From now on `peek` finds it. Not where it was forgotten meanwhile."""
        if self._known.get(known.record.id) is known:
            digest = _digest(text)
            if digest not in self._by_digest:
                known.digests.append(digest)
            self._by_digest[digest] = (known, until_us)

    def _drop_stale(self) -> None:
        oldest = self._clock() - max(self._stale_s, FRESH_S)
        for key_id in [key_id for key_id, known in self._known.items() if known.loaded_at < oldest]:
            self.forget(key_id)

    async def _flush_used(self) -> bool:
        """Whether nothing is left to be told."""
        used, self._used_us = self._used_us, {}
        if not used:
            return True
        try:
            await self._store.touch_keys(used)
        except StorageUnavailable as error:
            self._used_us = used | self._used_us  # later: nothing waits for it
            self._note_storage(str(error))
            return False
        return True

    def _note_storage(self, why_away: str | None) -> None:
        is_away = why_away is not None
        if is_away != self.storage_away:
            self.storage_away = is_away
            if self._on_storage_away is not None:
                self._on_storage_away(why_away)
