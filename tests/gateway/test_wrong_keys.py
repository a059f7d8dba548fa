"""S-7: an address that shows wrong keys is told to wait, and who has a right one there is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gaiarouter.store.keys import mint
from tests.gateway.running import RunningGateway, Starter, assert_error

PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/models"]


async def shown(gateway: RunningGateway, key: str, *, path: str = PATHS[0], source: str = "") -> Any:
    headers = {"authorization": f"Bearer {key}", **({"x-forwarded-for": source} if source else {})}
    if path == "/v1/models":
        return await gateway.get(path, headers=headers)
    return await gateway.post({"model": "demo", "messages": []}, path=path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
async def test_after_twenty_wrong_keys_an_address_has_to_wait(start: Starter, path: str) -> None:
    gateway = await start()
    for _ in range(20):
        assert (await shown(gateway, mint().text, path=path)).status == 401
    while (refused := await shown(gateway, mint().text, path=path)).status == 401:
        pass  # one more is let pass every three seconds
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 3


async def test_a_right_key_works_behind_the_same_address_even_if_it_was_never_seen_before(start: Starter) -> None:
    gateway = await start()
    for _ in range(25):
        await shown(gateway, mint().text)
    while (refused := await shown(gateway, mint().text)).status == 401:
        pass
    assert_error(refused, 429, "rate_limit_exceeded")
    assert (await gateway.chat("demo")).status == 200


async def test_many_callers_at_once_with_a_key_that_was_never_seen_before_are_all_served(start: Starter) -> None:
    gateway = await start(limits={"concurrent": 64})
    replies = await asyncio.gather(*[gateway.chat("demo") for _ in range(40)])
    assert {reply.status for reply in replies} == {200}


async def test_right_keys_cost_an_address_nothing(start: Starter) -> None:
    gateway = await start()
    for number in range(30):
        assert (await shown(gateway, await gateway.mint(name=f"key {number}"), path="/v1/models")).status == 200


async def test_an_address_is_what_a_trusted_proxy_says_it_is(start: Starter) -> None:
    gateway = await start(server={"trusted_proxies": ["127.0.0.0/8"]}, auth={"wrong_keys": "3/min"})
    for _ in range(3):
        assert (await shown(gateway, mint().text, source="203.0.113.7")).status == 401
    assert (await shown(gateway, mint().text, source="203.0.113.7")).status == 429
    assert (await shown(gateway, mint().text, source="6.6.6.6, 203.0.113.7")).status == 429
    assert (await shown(gateway, mint().text, source="203.0.113.8")).status == 401


async def test_from_anybody_else_the_header_says_nothing(start: Starter) -> None:
    gateway = await start(auth={"wrong_keys": "3/min"})
    answers = [(await shown(gateway, mint().text, source=f"203.0.113.{number}")).status for number in range(4)]
    assert answers == [401, 401, 401, 429]


async def test_the_limit_can_be_taken_off(start: Starter) -> None:
    gateway = await start(auth={"wrong_keys": "unlimited"})
    assert {(await shown(gateway, mint().text)).status for _ in range(40)} == {401}
