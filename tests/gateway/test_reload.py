"""A reload changes what the file changed, and nothing else: what was learned, counted and opened is kept."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.gateway.faults import completion, healthy, stream_events
from tests.gateway.running import ANSWER, BACKUP_ANSWER, RunningGateway, Starter, assert_error, config
from tests.support.script import Step, Until, error_answer, json_answer, sse_answer
from tests.support.upstream import ScriptedUpstream

CALM: dict[str, Any] = {"retry": {"attempts": 1}, "breaker": {"failures": 2, "cooldown": "60s"}}


DEMO = {"match": "demo", "targets": [{"provider": "demo"}]}


def route(provider: str, **members: Any) -> dict[str, Any]:
    return {"match": "alone", "targets": [{"provider": provider, "model": "m-1"}], **members}


async def test_new_requests_go_by_the_new_table(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as main, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        bases = {"main": main.url("/v1"), "backup": backup.url("/v1")}
        gateway = await start(bases, from_file=True)
        assert (await gateway.chat()).text == ANSWER
        gateway.rewrite(bases, routes=[DEMO, route("backup")])
        answer = await gateway.reload()
        assert answer.status == 200
        told = answer.json()
        assert told == {
            "config": gateway.gateway.settings.fingerprint,
            "changed": True,
            "needs_restart": [],
            "warnings": told["warnings"],
        }
        assert (await gateway.chat()).text == BACKUP_ANSWER
        assert_error(await gateway.chat("fb"), 404, "model_not_found")
        assert (await gateway.get("/health")).json()["config"] == told["config"]
        listed = (await gateway.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == ["demo", "alone"]


async def test_a_running_request_falls_back_by_the_table_it_began_with(start: Starter) -> None:
    """The fallback's provider, and its address, are gone from the file by then."""
    go = asyncio.Event()
    failing: list[Step] = [Until(go), *error_answer(503)]
    async with ScriptedUpstream(failing) as main, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start({"main": main.url("/v1"), "backup": backup.url("/v1")}, from_file=True)
        running = asyncio.create_task(gateway.chat("fb"))
        await main.until(lambda: main.requests)
        gateway.rewrite({})
        assert (await gateway.reload()).status == 200
        go.set()
        assert (await running).text == BACKUP_ANSWER
        assert_error(await gateway.chat("fb"), 404, "model_not_found")
        upstream: Any = gateway.gateway._parts.upstreams["http"]
        await gateway.idle()
        assert upstream._destinations._origins == frozenset(), "once nobody uses it any more, the old address is closed"


async def test_breakers_of_what_did_not_change_are_kept(start: Starter) -> None:
    async with ScriptedUpstream(error_answer(500)) as main, ScriptedUpstream(healthy(ANSWER)) as backup:
        bases = {"main": main.url("/v1"), "backup": backup.url("/v1")}
        gateway = await start(bases, from_file=True, defaults=CALM)
        for _ in range(2):
            await gateway.chat("alone")
        assert gateway.metric("breaker_state", provider="main") == 2
        gateway.rewrite(bases, defaults=CALM, limits={"requests": "unlimited", "tokens": "unlimited", "concurrent": 9})
        assert (await gateway.reload()).json()["changed"]
        assert gateway.metric("breaker_state", provider="main") == 2
        # another key is another provider: what was learned of it does not hold
        providers = config(gateway.folder, bases)["providers"]
        providers["main"]["api_key"] = "sk-other-0123456789abcdef"
        gateway.rewrite(bases, defaults=CALM, providers=providers)
        assert (await gateway.reload()).json()["changed"]
        assert gateway.metric("breaker_state", provider="main") == 0
        await gateway.chat("alone")
        assert main.requests[-1].headers["authorization"] == "Bearer sk-other-0123456789abcdef"


async def test_connections_and_limits_are_kept(start: Starter) -> None:
    limits = {"requests": "3/h", "tokens": "unlimited", "concurrent": 8}
    async with ScriptedUpstream(json_answer(completion(ANSWER))) as main:
        bases = {"main": main.url("/v1")}
        gateway = await start(bases, from_file=True, limits=limits, auth={"required": False})
        caller = await gateway.mint()
        headers = {"authorization": f"Bearer {caller}"}
        for number in range(3):
            assert (await gateway.chat(headers=headers)).status == 200
            gateway.rewrite(bases, limits=limits, auth={"required": False}, stream={"hold": f"{20 + number}s"})
            assert (await gateway.reload()).json()["changed"]
        assert_error(await gateway.chat(headers=headers), 429, "rate_limit_exceeded")
        assert len(main.connections) == 1


async def test_how_long_keys_are_known_follows_the_file(start: Starter) -> None:
    gateway = await start(from_file=True, auth={"stale": "1h"})
    gateway.rewrite({}, auth={"stale": "7s"})
    assert (await gateway.reload()).json()["changed"]
    keys: Any = gateway.gateway._parts.keys
    assert keys._stale_s == 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"server": {"port": 9}}, ["server.port"]),
        ({"server": {"drain": "9s", "workers": 3}}, ["server.workers", "server.drain"]),
        ({"store": "sqlite:///elsewhere.db"}, ["store"]),
    ],
)
async def test_what_needs_a_restart_says_so_and_the_rest_changes(
    start: Starter, change: dict[str, Any], named: list[str]
) -> None:
    gateway = await start(from_file=True)
    before = gateway.gateway.settings
    for _ in range(2):  # and says so again, as long as it is so
        gateway.rewrite({}, stream={"hold": "9s"}, **change)
        assert (await gateway.reload()).json()["needs_restart"] == named
    now = gateway.gateway.settings
    assert (now.server, now.store, now.stream.hold_s) == (before.server, before.store, 9.0)
    assert b'"needs_restart"' in gateway.log.getvalue()


async def test_a_file_that_says_the_same_changes_nothing(start: Starter) -> None:
    gateway = await start(from_file=True)
    service = gateway.gateway._serving.service
    assert (await gateway.reload()).json()["changed"] is False
    assert gateway.gateway._serving.service is service


BROKEN = {
    "syntax": "routes: [",
    "unknown_field": '{"providers": {"demo": {"dialect": "echo"}}, "rutes": []}',
    "unknown_kind": '{"providers": {"demo": {"dialect": "esperanto"}}, "routes": []}',
    "unknown_provider": '{"providers": {}, "routes": [{"match": "a", "targets": [{"provider": "nobody"}]}]}',
    "bad_url": '{"providers": {"v": {"dialect": "vllm", "base_url": "nonsense"}}, "routes": []}',
    "missing_url": '{"providers": {"v": {"dialect": "vllm"}}, "routes": []}',
    "duplicate_key": '{"providers": {}, "routes": [], "routes": []}',
    "cycle": json.dumps(
        {
            "providers": {"demo": {"dialect": "echo"}},
            "routes": [
                {"match": "a", "targets": [{"provider": "demo"}], "fallbacks": [{"model": "b"}]},
                {"match": "b", "targets": [{"provider": "demo"}], "fallbacks": [{"model": "a"}]},
            ],
        }
    ),
    "no_such_fallback": json.dumps(
        {
            "providers": {"demo": {"dialect": "echo"}},
            "routes": [{"match": "a", "targets": [{"provider": "demo"}], "fallbacks": [{"model": "zzz"}]}],
        }
    ),
    "unset_variable": '{"store": "sqlite:///${NOT_SET_ANYWHERE}"}',
    "no_unit": '{"defaults": {"timeouts": {"total": 5}}}',
    "zero": '{"defaults": {"timeouts": {"total": "0s"}}}',
    "not_a_mapping": "- 1\n- 2\n",
    "empty": "",
    "half": '{"providers": {"demo": {"dial',
    "two_documents": "{}\n---\n{}\n",
    "tag": "providers: !!python/object/apply:os.system [echo]\n",
    "merge": "a: &a {}\nproviders:\n  <<: *a\n",
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{n}: &{n} [{','.join(['*' + p] * 10)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
    "deep": "[" * 5000 + "]" * 5000,
    "huge": "#" * 10_000_000,
    "latin_1": None,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
async def test_d8_d10_a_broken_file_changes_nothing(start: Starter, text: str | None) -> None:
    gateway = await start(from_file=True)
    service = gateway.gateway._serving.service
    if text is None:
        gateway.file.write_bytes(b"# \xe4\n")
    else:
        gateway.write(text)
    began = time.monotonic()
    answer = await gateway.reload()
    assert time.monotonic() - began < 5, "a second at most where nothing else runs"
    assert_error(answer, 400, "invalid_config")
    assert str(gateway.file) in answer.error["message"]
    assert gateway.gateway._serving.service is service
    assert gateway.metric("config_reload_failures_total") == 1
    assert gateway.metric("config_last_reload_successful") == 0
    (line,) = [json.loads(each) for each in gateway.log.getvalue().splitlines() if b"config.reload_failed" in each]
    assert line["mistakes"][0].startswith(str(gateway.file))
    assert (await gateway.chat("demo")).status == 200
    gateway.rewrite({}, stream={"hold": "9s"})
    assert (await gateway.reload()).status == 200
    assert gateway.metric("config_last_reload_successful") == 1
    assert gateway.metric("config_reload_failures_total") == 1


async def test_d8_the_log_has_every_mistake_with_line_and_column(start: Starter) -> None:
    gateway = await start(from_file=True)
    gateway.write("providers:\n  demo: {dialect: echo}\nroutes:\n  - {match: a, targts: []}\nlimits: {tokens: 5}\n")
    began, *mistakes = (await gateway.reload()).error["message"].split(str(gateway.file))
    assert began == "Nothing was changed: "
    assert [mistake.partition(" ")[0] for mistake in mistakes] == [
        ":4:5:", ":4:16:", ":5:18:",
    ]  # fmt: skip


async def test_d9_a_file_that_is_gone_or_may_not_be_read_changes_nothing(start: Starter) -> None:
    gateway = await start(from_file=True)
    text = gateway.file.read_text()
    gateway.file.unlink()
    assert_error(await gateway.reload(), 400, "invalid_config")
    gateway.file.mkdir()
    assert_error(await gateway.reload(), 400, "invalid_config")
    gateway.file.rmdir()
    gateway.write(text)
    assert (await gateway.reload()).json()["changed"] is False
    assert gateway.metric("config_reload_failures_total") == 2


async def test_d9_half_written_files_never_take_effect(start: Starter) -> None:
    """Cut off at any byte, a file is refused, or says the whole."""
    gateway = await start(from_file=True)
    whole, before = gateway.file.read_text(), gateway.gateway.settings
    for cut in range(0, len(whole), 41):
        gateway.file.write_text(whole[:cut])
        assert_error(await gateway.reload(), 400, "invalid_config")
        assert gateway.gateway.settings is before


async def test_a_mistake_tells_no_secret(start: Starter) -> None:
    """Starter's check looks for them in every answer and in the log."""
    gateway = await start({"main": "http://127.0.0.1:9/v1"}, from_file=True)
    gateway.rewrite({"main": "http://127.0.0.1:9/v1"}, extra=1, store="nonsense://user:hunter2-secret@host/db")
    answer = await gateway.reload()
    assert_error(answer, 400, "invalid_config")
    assert "hunter2" not in answer.body.decode() + gateway.log.getvalue().decode()


async def test_a_bug_while_it_reloads_is_a_failure_like_any_other(start: Starter) -> None:
    gateway = await start(from_file=True)

    def bug(_: object) -> Any:
        raise ZeroDivisionError

    source: Any = gateway.gateway._source
    read, source._read = source._read, bug
    assert_error(await gateway.reload(), 400, "invalid_config")
    assert gateway.metric("config_reload_failures_total") == 1
    assert b"ZeroDivisionError" in gateway.log.getvalue()
    source._read = read
    assert (await gateway.reload()).status == 200


@pytest.mark.parametrize(
    ("permissions", "status", "code"),
    [([], 403, "admin_required"), (["read", "write"], 403, "admin_required"), (["admin"], 200, None)],
)
async def test_only_an_administrator_may_ask(
    start: Starter, permissions: list[str], status: int, code: str | None
) -> None:
    gateway = await start(from_file=True)
    key = await gateway.mint(permissions=permissions)
    answer = await gateway.request("POST", "/v1/config/reload", headers={"authorization": f"Bearer {key}"})
    assert answer.status == status
    if code is not None:
        assert_error(answer, status, code)


async def test_nobody_may_ask_without_a_key_even_where_models_are_free(start: Starter) -> None:
    gateway = await start(from_file=True, auth={"required": False})
    assert_error(await gateway.request("POST", "/v1/config/reload"), 401, "invalid_api_key")
    assert_error(await gateway.get("/v1/config/reload"), 405, "method_not_allowed")


async def test_a_gateway_without_a_file_says_so(start: Starter) -> None:
    gateway = await start()
    assert_error(await gateway.reload(), 400, "no_config_file")


async def test_reloads_that_are_asked_for_together_run_one_after_the_other(start: Starter) -> None:
    gateway = await start(from_file=True)
    gateway.rewrite({}, stream={"hold": "9s"})
    answers = await asyncio.gather(*(gateway.reload() for _ in range(5)))
    assert sorted(answer.json()["changed"] for answer in answers) == [False] * 4 + [True]


async def test_a_stream_is_whole_whatever_happens_to_its_provider(start: Starter) -> None:
    go = asyncio.Event()
    events = stream_events(ANSWER)
    steps = sse_answer(events)
    script: list[Step] = [*steps[:3], Until(go), *steps[3:]]
    patient = {"timeouts": {"connect": "5s", "first_byte": "5s", "idle": "5s", "total": "15s"}}
    async with ScriptedUpstream(script) as main:
        gateway: RunningGateway = await start({"main": main.url("/v1")}, from_file=True, defaults=patient)
        async with gateway.streaming() as response:
            first = await response.content.readany()
            gateway.rewrite({})
            assert (await gateway.reload()).json()["changed"]
            go.set()
            assert (await gateway.rest_of(response, first)).text == ANSWER
