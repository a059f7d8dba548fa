"""Who is calling: the one credential of ours among what was sent."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gaiarouter.config.settings import Rate
from gaiarouter.errors import Forbidden, InvalidRequest, LimitExceeded, Unauthenticated, Unavailable
from gaiarouter.limits.guesses import Guesses
from gaiarouter.pipeline import Auth
from gaiarouter.server.credentials import credentials
from gaiarouter.store.base import ApiKey
from tests.pipeline.scripted import Clock, exchange

OURS, OTHER = "sk-gaia-abc-secret", "sk-gaia-def-secret"
KEY = ApiKey(id="key_abc", name="alice", secret_hash=b"", created_us=0)


class Ring:
    """Knows one key; `at_hand` says whether without waiting."""

    def __init__(self, key: ApiKey = KEY, *, at_hand: bool = True) -> None:
        self._key = key
        self._at_hand = at_hand
        self.asked: list[str] = []

    def peek(self, text: str) -> ApiKey | None:
        return self._key if self._at_hand and text == OURS else None

    async def find(self, text: str) -> ApiKey:
        self.asked.append(text)
        if text != OURS:
            raise Unauthenticated
        return self._key


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], ()),
        ([("Authorization", f"Bearer {OURS}")], (OURS,)),
        ([("authorization", f"bearer   {OURS}  ")], (OURS,)),
        ([("Authorization", f"BEARER\t{OURS}")], ()),
        ([("Authorization", OURS)], ()),
        ([("Authorization", f"Basic {OURS}")], ()),
        ([("Authorization", "Bearer ")], ()),
        ([("x-api-key", OURS)], (OURS,)),
        ([("X-Goog-Api-Key", OURS)], (OURS,)),
        ([("api-key", f" {OURS} ")], (OURS,)),
        ([("x-api-key", "")], ()),
        ([("Authorization", f"Bearer {OURS}"), ("x-api-key", "sk-ant-x")], (OURS, "sk-ant-x")),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], ("a", "b")),
    ],
)
def test_t102_credentials_are_read_from_everywhere_clients_put_them(
    headers: list[tuple[str, str]], found: tuple[str, ...]
) -> None:
    assert credentials(CIMultiDictProxy(CIMultiDict(headers))) == found


@pytest.mark.parametrize("at_hand", [True, False])
@pytest.mark.parametrize("sent", [(OURS,), (OURS, OURS), ("sk-ant-foreign", OURS), (OURS, "sk-proj-x")])
async def test_t102_the_one_of_ours_counts(sent: tuple[str, ...], at_hand: bool) -> None:
    ring = Ring(at_hand=at_hand)
    made = exchange(Clock(), credentials=sent)
    await Auth(ring, required=True).request(made)
    assert made.key is KEY
    assert (made.key_id, made.key_name) == ("key_abc", "alice")
    assert ring.asked == ([] if at_hand else [OURS])


@pytest.mark.parametrize("sent", [(), ("sk-ant-foreign",), ("sk-proj-x", "y")])
async def test_without_one_of_ours_nobody_is_known_and_the_store_is_not_asked(sent: tuple[str, ...]) -> None:
    ring = Ring(at_hand=False)
    with pytest.raises(Unauthenticated):
        await Auth(ring, required=True).request(exchange(Clock(), credentials=sent))
    made = exchange(Clock(), credentials=sent)
    await Auth(ring, required=False).request(made)
    assert made.key is None
    assert (made.key_id, made.key_name) == ("anonymous", "anonymous")
    assert ring.asked == []


@pytest.mark.parametrize("required", [True, False])
async def test_a_wrong_key_of_ours_is_refused_even_where_none_is_needed(required: bool) -> None:
    with pytest.raises(Unauthenticated):
        await Auth(Ring(), required=required).request(exchange(Clock(), credentials=(OTHER,)))


async def test_two_different_ones_of_ours_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        await Auth(Ring(), required=True).request(exchange(Clock(), credentials=(OURS, OTHER)))


async def test_a_key_without_inference_may_not_call_models_but_is_known() -> None:
    key = ApiKey(id="key_abc", name="admin", secret_hash=b"", created_us=0, inference=False)
    made = exchange(Clock(), credentials=(OURS,))
    with pytest.raises(Forbidden):
        await Auth(Ring(key), required=True).request(made)
    assert made.key is key, "the record says whose request it was"


async def test_s7_a_wrong_key_is_counted_and_a_right_one_always_works() -> None:
    guesses, rate = Guesses(Clock()), Rate(2, 60.0)
    for sent, error in (
        (OTHER, Unauthenticated),
        (OURS, None),
        (OTHER, Unauthenticated),
        (OTHER, LimitExceeded),
        (OURS, None),
        (OTHER, LimitExceeded),
    ):
        auth = Auth(Ring(at_hand=False), required=True, guesses=guesses, wrong_keys=rate)
        with pytest.raises(error) if error else nullcontext():
            await auth.request(exchange(Clock(), credentials=(sent,)))


@pytest.mark.parametrize("fault", [Unavailable("away", code="storage_unavailable"), RuntimeError("bug")])
async def test_s3_whatever_goes_wrong_denies(fault: Exception) -> None:
    class Broken(Ring):
        async def find(self, text: str) -> ApiKey:
            raise fault

    made = exchange(Clock(), credentials=(OURS,))
    with pytest.raises(type(fault)):
        await Auth(Broken(at_hand=False), required=False).request(made)
    assert made.key is None
