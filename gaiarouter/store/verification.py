"""Goes along the chain of the audit log: an entry that was changed, taken out or put in breaks it."""

from __future__ import annotations

from gaiarouter.store.base import Store
from gaiarouter.store.tables.audit import hash_of

_BATCH = 500


async def verify_audit(store: Store) -> tuple[int, str | None]:
    """How many entries are in order, and what is wrong after them; None if nothing is."""
    seq, previous = 0, ""
    while entries := await store.read_audit(after=seq, at_most=_BATCH):
        for entry in entries:
            if entry.seq != seq + 1:
                return seq, f"entry {seq + 1} is missing"
            if entry.previous_hash != previous or hash_of(entry) != entry.hash:
                return seq, f"entry {entry.seq} was changed, or the one before it"
            seq, previous = entry.seq, entry.hash
    newest = await store.newest_change()
    return (seq, None) if newest == seq else (seq, f"entries {seq + 1} to {newest} are missing")
