"""What changes elsewhere: secrets, peppers, organizations, owners."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from gaiarouter.errors import Unauthenticated
from gaiarouter.store import keyring
from gaiarouter.store.base import ApiKey, Store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import KeyRing
from gaiarouter.store.keys import MintedKey, mint
from gaiarouter.store.records import PreviousSecret
from tests.store.conftest import AUTHOR, ORGANIZATION, USER, Clock


@pytest.mark.parametrize(
    ("pepper", "works"),
    [(b"salt", {"salted", "plain"}), (b"other", {"plain"}), (None, {"plain"})],
)
async def test_a_key_made_with_a_pepper_needs_it_and_one_made_before_goes_on_without(
    store: Store, clock: Clock, pepper: bytes | None, works: set[str]
) -> None:
    ring = KeyRing(store, clock=clock.monotonic, wall_us=clock.wall_us, pepper=pepper)
    for name, made_with in [("salted", b"salt"), ("plain", None)]:
        key = await create_key(store, name=name, now_us=1, pepper=made_with)
        if name in works:
            assert (await ring.find(key.text)).name == name
        else:
            with pytest.raises(Unauthenticated):
                await ring.find(key.text)


async def test_without_the_pepper_the_log_says_once_what_is_missing(store: Store, clock: Clock) -> None:
    ring = KeyRing(store, clock=clock.monotonic, wall_us=clock.wall_us)
    keys = [await create_key(store, name=name, now_us=1, pepper=b"salt") for name in ("a", "b")]
    with capture_logs() as logged:
        for key in keys * 2:
            with pytest.raises(Unauthenticated):
                await ring.find(key.text)
    (line,) = logged
    assert (line["event"], line["key"]) == ("keyring.pepper_missing", keys[0].id)


async def _rotated(store: Store, old: MintedKey, *, until_us: int) -> MintedKey:
    new = mint(public_id=old.id.removeprefix("key_"))
    previous = PreviousSecret(old.secret_hash, False, until_us)

    def rotate(key: ApiKey) -> ApiKey:
        return replace(key, secret_hash=new.secret_hash, previous=previous)

    await store.change_key(old.id, rotate, AUTHOR, "rotate")
    return new


async def test_a_rotated_key_s_old_secret_works_until_its_time_and_the_new_one_after_it_too(
    ring: KeyRing, store: Store, alice: MintedKey, clock: Clock
) -> None:
    new = await _rotated(store, alice, until_us=clock.wall_us() + 30_000_000)
    for text in (alice.text, new.text):
        found = await ring.find(text)
        assert ring.peek(text) is found
    clock.advance(30)
    assert ring.peek(alice.text) is None
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)
    assert ring.peek(new.text) is not None


async def test_rotating_twice_ends_the_first_secret(
    ring: KeyRing, store: Store, alice: MintedKey, clock: Clock
) -> None:
    second = await _rotated(store, alice, until_us=clock.wall_us() + 30_000_000)
    await ring.find(alice.text)
    third = await _rotated(store, second, until_us=clock.wall_us() + 30_000_000)
    await ring.tend()
    assert (await ring.find(third.text)).id == (await ring.find(second.text)).id
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)


@pytest.mark.parametrize(
    "how", ["suspend organization", "delete organization", "suspend owner", "delete owner", "disable"]
)
async def test_a_key_stops_with_its_organization_and_its_owner(ring: KeyRing, store: Store, how: str) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_user(USER, AUTHOR)
    minted = await create_key(store, name="a", now_us=1, organization=ORGANIZATION.id, owner=USER.id)
    await ring.tend()
    assert (await ring.find(minted.text)).tenant == ORGANIZATION
    match how:
        case "suspend organization":
            await store.change_organization("org_1", lambda old: replace(old, status="suspended"), AUTHOR)
        case "delete organization":
            await store.delete_organization("org_1", AUTHOR)
        case "suspend owner":
            await store.change_user("user_1", lambda old: replace(old, status="suspended"), AUTHOR)
        case "delete owner":
            await store.delete_user("user_1", AUTHOR)
        case "disable":
            await store.change_key(minted.id, lambda old: replace(old, status="disabled"), AUTHOR, "update")
    await ring.tend()
    assert ring.peek(minted.text) is None
    with pytest.raises(Unauthenticated):
        await ring.find(minted.text)


async def test_a_change_of_the_organization_holds_for_its_keys_at_the_next_round(ring: KeyRing, store: Store) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    minted = await create_key(store, name="a", now_us=1, organization=ORGANIZATION.id, models=["gpt-*"])
    await ring.tend()
    assert (await ring.find(minted.text)).grants == (("gpt-*",),)
    await store.change_organization("org_1", lambda old: replace(old, models=("demo",)), AUTHOR)
    await ring.tend()
    assert (await ring.find(minted.text)).grants == (("gpt-*",), ("demo",))


async def test_a_change_drops_no_other_key(ring: KeyRing, store: Store, alice: MintedKey) -> None:
    bob = await create_key(store, name="bob", now_us=1)
    await ring.tend()
    await ring.find(alice.text)
    await store.revoke_key(bob.id, now_us=2)
    await ring.tend()
    assert ring.peek(alice.text) is not None


async def test_after_more_changes_than_one_look_brings_everything_is_read_anew(
    ring: KeyRing, store: Store, alice: MintedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_MOST_CHANGES", 3)
    await ring.tend()
    await ring.find(alice.text)
    for number in range(3):
        await create_key(store, name=str(number), now_us=1)
    await ring.tend()
    assert ring.peek(alice.text) is None
    assert (await ring.find(alice.text)).name == "alice"
    await ring.tend()
    assert ring.peek(alice.text) is not None
