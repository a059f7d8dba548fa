"""S-7 and S-73 at the control plane: who guesses at the admin key has to wait, and is in the audit log."""

from __future__ import annotations

import asyncio
from typing import Any

from gaiarouter.store.keys import mint
from tests.gateway.running import assert_error
from tests.server.admin.conftest import Admit, Operator
from tests.support.upstream import BOUND_S


async def _refused(operator: Operator, door: str, reasons: set[str]) -> dict[str, Any]:
    """What the log says of each, once it says something."""
    async with asyncio.timeout(BOUND_S):
        while True:
            reply = await operator.ask("GET", f"/v1/audit-log?target={door}&limit=100")
            found = {entry["after"]["reason"]: entry for entry in reply.json()["data"]}
            if found.keys() >= reasons:
                return found


async def test_wrong_admin_keys_are_429_after_the_limit_and_the_right_one_works_all_the_same(admit: Admit) -> None:
    operator = await admit(auth={"wrong_keys": "3/min"})
    for _ in range(3):
        assert_error(await operator.ask("GET", "/v1/users", key="operator-wrong"), 401, "invalid_api_key")
    late = await operator.ask("GET", "/v1/users", key="operator-wrong")
    assert_error(late, 429, "rate_limit_exceeded")
    assert int(late.headers["retry-after"]) >= 1
    assert_error(await operator.ask("DELETE", "/v1/users/user_1", key=mint().text), 429, "rate_limit_exceeded")
    assert (await operator.ask("GET", "/v1/users")).status == 200
    entries = await _refused(operator, "control_plane", {"wrong_key", "too_many"})
    assert entries["wrong_key"]["action"] == "auth.refused"
    assert entries["wrong_key"]["after"]["by"] == {"127.0.0.1": entries["wrong_key"]["after"]["count"]}
    assert "operator-wrong" not in str(entries)


async def test_no_key_and_one_without_the_permission_are_noted_at_their_door(admit: Admit) -> None:
    operator = await admit(auth={"required": False})
    reader = await operator.api_key("read")
    assert (await operator.ask("GET", "/v1/audit-log", key=reader["key"])).status == 403
    assert (await operator.ask("GET", "/v1/audit-log", key="")).status == 401
    entries = await _refused(operator, "control_plane", {"no_key", "no_permission"})
    assert entries["no_permission"]["after"]["by"] == {reader["id"]: 1}
    mute = await operator.api_key("read", inference=False)
    assert (await operator.gateway.chat("demo", headers={"authorization": f"Bearer {mute['key']}"})).status == 403
    entries = await _refused(operator, "models", {"no_permission"})
    assert entries["no_permission"]["after"]["by"] == {mute["id"]: 1}
    gateway = operator.gateway
    assert gateway.metric("auth_failures_total", reason="no_permission") == 2


async def test_a_thousand_guesses_are_a_handful_of_entries(admit: Admit) -> None:
    operator = await admit()
    for _ in range(50):
        await asyncio.gather(*[operator.ask("GET", "/v1/users", key="operator-wrong") for _ in range(20)])
    await _refused(operator, "control_plane", {"wrong_key", "too_many"})
    total = (await operator.ask("GET", "/v1/audit-log")).json()["pagination"]["total"]
    assert 2 <= total <= 4
