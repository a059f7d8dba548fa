"""S-71: requests and answers are kept for the keys that are marked, in a place of its own, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gaiarouter.config.settings import BodyLog
from gaiarouter.pipeline.recording import Bodies
from gaiarouter.server.bodies import BodyFile
from gaiarouter.store.keyring import now_us
from gaiarouter.store.records import Author
from tests.gateway.faults import completion, healthy
from tests.gateway.running import ANSWER, PROMPT, RunningGateway, Starter, chat_body
from tests.support.script import json_answer
from tests.support.upstream import BOUND_S, ScriptedUpstream


async def marked(gateway: RunningGateway) -> dict[str, str]:
    """The header of a new key whose bodies are kept."""
    text = await gateway.mint(name="marked")
    (key,) = [each for each in await gateway.gateway.store.list_keys() if each.name == "marked"]
    author = Author("cli", now_us())
    await gateway.gateway.store.change_key(key.id, lambda key: replace(key, log_bodies=True), author, "update")
    return {"authorization": f"Bearer {text}"}


async def kept(file: Path, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(BOUND_S):
        while len(_lines(file)) < count:  # noqa: ASYNC110  # a thread writes them
            await asyncio.sleep(0.005)
    lines = _lines(file)
    assert len(lines) == count
    return [json.loads(line) for line in lines]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


async def test_a_marked_keys_bodies_are_kept_and_no_others(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "bodies.jsonl"
    async with ScriptedUpstream(healthy(ANSWER)) as main:
        gateway = await start({"main": main.url("/v1")}, log={"bodies": {"path": str(file)}})
        headers = await marked(gateway)
        assert (await gateway.chat()).status == 200, "of the other key"
        whole = await gateway.chat(headers={**headers, "x-request-id": "whole"})
        streamed = await gateway.chat(headers={**headers, "x-request-id": "streamed"}, stream=True)
        refused = await gateway.chat("nothing", headers=headers)
        await gateway.idle()
    lines = await kept(file, 3)
    assert [line["request_id"] for line in lines][:2] == ["whole", "streamed"]
    assert [json.loads(line["request"])["messages"] for line in lines] == [chat_body("")["messages"]] * 3
    assert [line["answer"] for line in lines[:2]] == [whole.body.decode(), streamed.body.decode()]
    assert (lines[2]["answer"], refused.status) == ("", 404), "errors are the gateway's own words: they are in the log"
    assert {(line["provider"], line["model_served"]) for line in lines[:2]} == {("main", "m-1")}
    assert all(line["key"].startswith("key_") and line["truncated"] == [] for line in lines)
    assert file.stat().st_mode & 0o777 == 0o600
    assert gateway.metric("log_bodies_total", fate="kept") == 3


async def test_what_is_longer_than_the_limit_is_cut_and_marked(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "bodies.jsonl"
    async with ScriptedUpstream(json_answer(completion(ANSWER * 100))) as main:
        gateway = await start({"main": main.url("/v1")}, log={"bodies": {"path": str(file), "limit": "300B"}})
        reply = await gateway.chat(headers=await marked(gateway))
        await gateway.idle()
    (line,) = await kept(file, 1)
    assert line["truncated"] == ["answer"]
    assert (line["answer"], line["answer_bytes"]) == (reply.body.decode()[:300], len(reply.body))
    assert PROMPT in line["request"]


async def test_a_marked_key_changes_nothing_where_no_place_is_set(start: Starter) -> None:
    gateway = await start()
    assert (await gateway.chat("demo", headers=await marked(gateway))).status == 200
    assert gateway.metric("log_bodies_total", fate="kept") == 0


async def test_the_mark_is_set_by_operators_and_audited(start: Starter) -> None:
    gateway = await start()
    key = await gateway.mint(name="operator", permissions=["admin"])
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    async def ask(method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return (await gateway.request(method, path, headers=headers, data=data)).json()

    made = await ask("POST", "/v1/api-keys", {"name": "k"})
    assert made["log_bodies"] is False
    assert (await ask("PATCH", f"/v1/api-keys/{made['id']}", {"log_bodies": True}))["log_bodies"] is True
    (entry, _) = (await ask("GET", f"/v1/audit-log?target={made['id']}"))["data"]
    assert (entry["before"]["log_bodies"], entry["after"]["log_bodies"]) == (False, True)
    assert (await ask("PATCH", f"/v1/api-keys/{made['id']}", {"log_bodies": "yes"}))["error"][
        "code"
    ] == "invalid_request"


BODIES = Bodies(0, "r", "key_1", None, "m", "p", "m", b"said", 4, b"told", 4)


def written(file: BodyFile, count: int) -> None:
    for _ in range(count):
        file.keep(BODIES)
    file._end()


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path, moved = tmp_path / "bodies", tmp_path / "moved"
    file = BodyFile(BodyLog(str(path)))
    file.keep(BODIES)
    while not path.stat().st_size:  # a thread writes it
        pass
    path.rename(moved)
    written(file, 2)
    assert (len(moved.read_text().splitlines()), len(path.read_text().splitlines())) == (1, 2)
    assert (file.kept, file.lost) == (3, 0)


def test_a_file_that_is_full_gets_nothing_more_and_that_is_counted(tmp_path: Path) -> None:
    file = BodyFile(BodyLog(str(tmp_path / "bodies"), file_limit=500))
    written(file, 10)
    assert (tmp_path / "bodies").stat().st_size <= 500
    assert file.kept + file.lost == 10
    assert file.lost > 5


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is full")
def test_a_full_disk_loses_them_and_nothing_else() -> None:
    file = BodyFile(BodyLog("/dev/full"))
    written(file, 3)
    assert (file.kept, file.lost) == (0, 3)
