"""C9: whatever a caller sends wrong is a 4xx in OpenAI's shape that names the field, and reaches no provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.gateway.faults import healthy
from tests.gateway.running import ANSWER, PROMPT, RunningGateway, Starter, assert_error, chat_body
from tests.support.upstream import ScriptedUpstream

USER = {"role": "user", "content": "hi"}
DEEP = 200_000


def body(**members: Any) -> bytes:
    return json.dumps({"model": "alone", "messages": [USER], **members}).encode()


JSON_FAULTS: dict[str, bytes] = {
    "nothing": b"",
    "blank": b"  \n ",
    "half": b'{"model": "alone", "messages": [',
    "text": b"hello",
    "form": b"model=alone&messages=hi",
    "two values": body() + b"{}",
    "no quotes": b"{model: 1}",
    "single quotes": b"{'model': 'alone'}",
    "trailing comma": b'{"model": "alone",}',
    "NaN": b'{"model": "alone", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
    "no UTF-8": b'{"model": "alone", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "no UTF-8 in what is not read": b'{"model": "alone", "messages": [{"role": "user", "content": "x"}], "q": "\xff"}',
    "UTF-16": '{"model": "alone"}'.encode("utf-16"),
    "control character": b'{"model": "al\x01one", "messages": []}',
    "NUL": b"\0" * 100,
    "a member twice": b'{"model": "alone", "model": "other", "messages": [{"role": "user", "content": "x"}]}',
    "deep arrays": b'{"model": "alone", "messages": [{"role": "user", "content": "x"}], "x": ' + b"[" * DEEP,
    "deep arrays, closed": body()[:-1] + b', "x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects, closed": body()[:-1] + b', "x": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
}

FIELD_FAULTS: list[tuple[str, bytes, str, str | None]] = [
    ("a list", b"[]", "invalid_type", None),
    ("a string", b'"hi"', "invalid_type", None),
    ("null", b"null", "invalid_type", None),
    ("no model", b'{"messages": [{"role": "user", "content": "x"}]}', "missing_field", "model"),
    ("no messages", b'{"model": "alone"}', "missing_field", "messages"),
    ("an empty model", body(model=" "), "invalid_request", "model"),
    ("a number for a model", body(model=7), "invalid_type", "model"),
    ("null for a model", body(model=None), "invalid_type", "model"),
    ("no message in it", body(messages=[]), "invalid_request", "messages"),
    ("text for messages", body(messages="hi"), "invalid_type", "messages"),
    ("a message of text", body(messages=["hi"]), "invalid_type", "messages[0]"),
    ("a message without a role", body(messages=[USER, {"content": "x"}]), "missing_field", "messages[1].role"),
    ("a number for content", body(messages=[{"role": "user", "content": 5}]), "invalid_type", "messages[0].content"),
    (
        "a part without a type",
        body(messages=[{"role": "user", "content": [{"text": "x"}]}]),
        "missing_field",
        "messages[0].content[0].type",
    ),
    ("text for temperature", body(temperature="hot"), "invalid_type", "temperature"),
    ("text for stream", body(stream="yes"), "invalid_type", "stream"),
    ("a fraction for a limit", body(max_tokens=1.5), "invalid_type", "max_tokens"),
    ("an object for tools", body(tools={}), "invalid_type", "tools"),
    ("a tool without a name", body(tools=[{"function": {}}]), "missing_field", "tools[0].function.name"),
    ("a number for stop", body(stop=3), "invalid_type", "stop"),
    ("text for stream options", body(stream_options="usage"), "invalid_type", "stream_options"),
    ("a huge number", body()[:-1] + b', "max_tokens": 1' + b"0" * 5000 + b"}", "invalid_request", None),
]


def assert_quiet(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    assert upstream.connections == []
    assert gateway.metric("requests_in_flight") == 0


@pytest.mark.parametrize("name", JSON_FAULTS)
async def test_what_is_no_json_is_invalid_json(start: Starter, name: str) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post(JSON_FAULTS[name])
        assert_error(reply, 400, "invalid_json")
        assert len(reply.body) < 400
        assert_quiet(gateway, upstream)
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["attempts"]) == (400, "error", 0)


@pytest.mark.parametrize(("name", "sent", "code", "param"), FIELD_FAULTS, ids=[row[0] for row in FIELD_FAULTS])
async def test_a_wrong_field_is_named_by_its_path(
    start: Starter, name: str, sent: bytes, code: str, param: str | None
) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post(sent)
        assert_error(reply, 400, code, param=param)
        if param is not None:
            assert f"`{param}`" in reply.error["message"]
        assert_quiet(gateway, upstream)


SECRET_LOOKING = "swordfish" * 200


@pytest.mark.parametrize(
    "sent",
    [
        chat_body(SECRET_LOOKING),
        chat_body("alone", temperature=SECRET_LOOKING),
        chat_body("alone", **{SECRET_LOOKING: 1}, messages=SECRET_LOOKING),
        SECRET_LOOKING.encode(),
        {"model": "alone", "messages": [{"role": "user", "content": [SECRET_LOOKING, 1]}]},
        {"model": "alone", "messages": [{"role": {SECRET_LOOKING: 1}}]},
    ],
)
async def test_no_more_than_64_characters_come_back(start: Starter, sent: Any) -> None:
    gateway = await start()
    reply = await gateway.post(sent)
    assert reply.status in (400, 404)
    assert SECRET_LOOKING[:65].encode() not in reply.body


async def test_an_unknown_model_is_404_with_the_nearest_names(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat("alnoe")
        assert_error(reply, 404, "model_not_found", param="model")
        assert "'alnoe'" in reply.error["message"]
        assert "alone" in reply.error["message"]
        assert_quiet(gateway, upstream)


@pytest.mark.parametrize(
    "model", ["a\r\nSet-Cookie: x=1", "\u0000", "é" * 40, "x" * 5000, "../../etc/passwd", "𝄞", "%0d%0a"]
)
async def test_any_name_of_a_model_is_only_a_name(start: Starter, model: str) -> None:
    gateway = await start()
    reply = await gateway.chat(model)
    assert_error(reply, 404, "model_not_found", param="model")
    assert "set-cookie" not in reply.headers


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic c2stZ2FpYQ=="},
        bearer("sk-gaia-"),
        bearer("sk-gaia-abc-def"),
        bearer("sk-gaia-" + "x" * 4000),
        bearer("sk-proj-of-somebody-else"),
        bearer("sk-gaia-\xe9\xff"),
        {"api-key": "of-somebody-else"},
    ],
)
async def test_without_a_key_there_is_one_answer_for_all(start: Starter, headers: Mapping[str, str]) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        for path in ("/v1/chat/completions", "/v1/models"):
            method = "POST" if path.endswith("completions") else "GET"
            reply = await gateway.request(method, path, headers=headers, data=body() if method == "POST" else None)
            assert_error(reply, 401, "invalid_api_key")
            assert reply.headers["www-authenticate"] == "Bearer"
            assert reply.error["type"] == "authentication_error"
        assert_quiet(gateway, upstream)
        assert await gateway.records() == []
        labels = {"route": "none", "model": "none", "code_class": "4xx", "code": "invalid_api_key"}
        assert gateway.metric("requests_total", **labels) == 1


async def test_a_wrong_revoked_expired_or_mistyped_key_cannot_be_told_apart(start: Starter) -> None:
    gateway = await start()
    revoked = await gateway.mint()
    await gateway.gateway.store.revoke_key("key_" + revoked.split("-")[2], now_us=1)
    mistyped = gateway.key[:-1] + ("A" if gateway.key[-1] != "A" else "B")
    messages = set()
    for key in (revoked, mistyped, "sk-gaia-nobody-" + "a" * 49):
        reply = await gateway.request("POST", "/v1/chat/completions", headers=bearer(key), data=body())
        assert_error(reply, 401, "invalid_api_key")
        messages.add(reply.error["message"])
    assert len(messages) == 1


async def test_two_different_keys_of_ours_are_one_too_many(start: Starter) -> None:
    gateway = await start()
    other = await gateway.mint()
    reply = await gateway.post(chat_body("demo"), headers={"x-api-key": other})
    assert_error(reply, 400, "invalid_request")
    assert (await gateway.post(chat_body("demo"), headers={"x-api-key": gateway.key})).status == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x-api-key", ("type", "authentication_error")),
        ("anthropic-version", ("type", "authentication_error")),
        ("x-goog-api-key", ("status", "UNAUTHENTICATED")),
    ],
)
async def test_t78_a_list_of_models_is_refused_in_the_shape_of_the_clients_vendor(
    start: Starter, name: str, expected: tuple[str, str]
) -> None:
    gateway = await start({})
    reply = await gateway.request("GET", "/v1/models", headers={name: "of-somebody-else"})
    assert (reply.status, reply.error[expected[0]]) == (401, expected[1])


@pytest.mark.parametrize("name", ["x-api-key", "x-goog-api-key", "api-key"])
async def test_a_key_may_come_in_any_clients_header_beside_a_foreign_one(start: Starter, name: str) -> None:
    gateway = await start()
    headers = {name: gateway.key, "authorization": "Bearer sk-ant-else", "content-type": "application/json"}
    reply = await gateway.request(
        "POST", "/v1/chat/completions", headers=headers, data=json.dumps(chat_body("demo")).encode()
    )
    assert reply.status == 200


async def test_a_key_without_inference_is_refused(start: Starter) -> None:
    gateway = await start()
    key = await gateway.mint(inference=False)
    assert_error(await gateway.post(chat_body("demo"), headers=bearer(key)), 403, "model_not_allowed")


async def test_a_key_may_use_only_its_models_and_learns_of_no_others(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        key = await gateway.mint(models=["dem*"])
        for model in ("alone", "nothing-like-it"):
            reply = await gateway.post(chat_body(model), headers=bearer(key))
            assert_error(reply, 403, "model_not_allowed", param="model")
            told = "This key may not use the model 'M'. `GET /v1/models` lists those that this key may use."
            assert reply.error["message"].replace(model, "M") == told
        assert_quiet(gateway, upstream)
        assert (await gateway.post(chat_body("demo"), headers=bearer(key))).status == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
async def test_another_content_type_is_415(start: Starter, content_type: str) -> None:
    gateway = await start()
    reply = await gateway.post(chat_body("demo"), headers={"content-type": content_type})
    assert_error(reply, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
async def test_json_by_any_of_its_names_is_taken(start: Starter, content_type: str) -> None:
    gateway = await start()
    assert (await gateway.post(chat_body("demo"), headers={"content-type": content_type})).status == 200


async def test_a_compressed_body_is_415(start: Starter) -> None:
    gateway = await start()
    reply = await gateway.post(b"\x1f\x8b" + b"x" * 50, headers={"content-encoding": "gzip"})
    assert_error(reply, 415, "unsupported_media_type")


async def test_a_body_beyond_the_limit_is_413(start: Starter) -> None:
    gateway = await start(server={"body_limit": "10KiB"})
    reply = await gateway.post(chat_body("demo", user="x" * 11_000))
    assert_error(reply, 413, "request_too_large")
    assert "10240" in reply.error["message"]


async def test_a_large_body_within_the_limit_passes(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        said = [{"role": "user", "content": PROMPT + "x" * 3_000_000}]
        assert (await gateway.post({"model": "alone", "messages": said})).status == 200
        assert upstream.requests[0].json()["messages"] == said


async def test_a_field_that_nobody_knows_goes_on_as_it_came(start: Starter) -> None:
    sent = b'{"model":"m-1","messages":[{"role":"user","content":"x","x":1.10}],"top_k":1e2,"big":12345678901234567890}'
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        routes = [
            {"match": "m-1", "targets": [{"provider": "main"}]},
            {"match": "demo", "targets": [{"provider": "demo"}]},
        ]
        gateway = await start({"main": upstream.url("/v1")}, routes=routes)
        assert (await gateway.post(sent)).status == 200
        assert upstream.requests[0].body == sent
