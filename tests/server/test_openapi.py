"""/openapi.json says what is true: held against the routes, and against the running gateway by schemathesis."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from gaiarouter.app import create_app
from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from tests.gateway.running import Starter
from tests.server.process import served

ROOT = Path(__file__).parents[2]
UNDOCUMENTED = {("head", "/api/hello"), ("get", "/docs/page.css"), ("get", "/docs/page.js")}
"""How a coding client finds out whether anybody is there, and parts of the page."""


@pytest.fixture
def app(tmp_path: Path) -> web.Application:
    return create_app({"store": f"sqlite:///{tmp_path}/gaia.db", "routes": []})


async def _document(start: Starter) -> Any:
    reply = await (await start()).request("GET", "/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


async def test_the_document_and_the_routes_name_the_same_endpoints(start: Starter, app: web.Application) -> None:
    document = await _document(start)
    told = {(method, path) for path, operations in document["paths"].items() for method in operations}
    routed: set[tuple[str, str]] = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = re.sub(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", r"{\1}", route.resource.canonical)
        routed.add((route.method.lower(), path))
    routed = {(method, path) for method, path in routed if method not in ("*", "head") or path == "/api/hello"}
    # what is asked of a model stands behind the last colon of one route
    calls = {(method, path) for method, path in routed if path.endswith("/{call}")}
    named = {(method, path) for method, path in told if "{model}:" in path}
    assert {path.rpartition("/")[0] for _, path in calls} == {path.rpartition("/")[0] for _, path in named}
    assert told - named == routed - calls - UNDOCUMENTED


async def test_every_schema_is_one_and_every_reference_leads_somewhere(start: Starter) -> None:
    document = await _document(start)
    text = json.dumps(document)
    for name in set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', text)):
        assert name in document["components"]["schemas"]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    ids = re.findall(r'"operationId": "([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {operation["tags"][0] for path in document["paths"].values() for operation in path.values()} == {
        tag["name"] for tag in document["tags"]
    }


def test_the_page_of_the_control_plane_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "update_api_page.py"))
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == script["page"](), "run python .ci/update_api_page.py"


async def test_the_page_loads_nothing_from_elsewhere(start: Starter) -> None:
    gateway = await start()
    for path, kind in [("/docs", "text/html"), ("/docs/page.css", "text/css"), ("/docs/page.js", "text/javascript")]:
        reply = await gateway.request("GET", path)
        assert (reply.status, reply.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert b"://" not in reply.body
        assert b"innerHTML" not in reply.body
        assert b" style=" not in reply.body
        assert re.search(rb"\son\w+=", reply.body) is None
    page = (await gateway.request("GET", "/docs")).body.decode()
    for link in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (await gateway.request("GET", "/" + link)).status == 200


async def test_schemathesis_finds_nothing_undeclared_and_no_error_of_ours(tmp_path: Path) -> None:
    async with served(tmp_path, {}, routes=[{"match": "*", "targets": [{"provider": "demo"}]}]) as gateway:
        store = open_store(Secret(f"sqlite:///{tmp_path}/gaia.db"))
        await store.open()
        admin = await create_key(store, name="operator", now_us=now_us(), permissions=["admin"])
        await store.close()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", gateway.url("/openapi.json")),
            *("--header", f"Authorization: Bearer {admin.text}", "--no-color", "--continue-on-failure"),
            *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "5", "--seed", "7"),
            *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
            *("--checks", "response_schema_conformance,unsupported_method,use_after_free,ignored_auth"),
            *("--request-timeout", "60", "--suppress-health-check", "all"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()[-20_000:]
        tested = re.search(r"(\d+) generated", said.decode())
        assert tested is not None, said.decode()[-3000:]
        assert int(tested[1]) > 500
