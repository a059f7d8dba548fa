from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gaiarouter.dialects.binding import Binding
from gaiarouter.routing.explain import as_json, explain, render_text
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.table import Table
from tests.routing.build import group, reference, route, settings

TABLE = Table(
    replace(
        settings(
            route(
                "fast",
                "google/gemini-flash",
                "vllm/qwen",
                balance="least_latency",
                fallbacks=[group("openai/mini", on=("content_policy",))],
                line=31,
            ),
            route("claude-*", "anthropic", line=40),
            route(
                ["gpt-*", "*/gpt-*"],
                "openai*9",
                "openrouter/openai/{model}*1",
                "anthropic/claude*5",
                fallbacks=[
                    group("anthropic/claude-sonnet"),
                    reference("fast"),
                    group("google/gemini-pro", on=("context_length",)),
                ],
                line=44,
            ),
            off=["anthropic"],
        ),
        path="gaiarouter.yaml",
    )
)

GPT = """\
model       gpt-4o
route       gpt-*   gaiarouter.yaml:44
matches     gpt-*   with {1} = 4o
passed      fast, claude-*: earlier in the file, no match

targets     shared by weight
              openai      gpt-4o         90 %
              openrouter  openai/gpt-4o  10 %
              anthropic   claude         off: its `api_key` is empty

fallback 1  passed over, nothing in it is on
              anthropic   claude-sonnet  off: its `api_key` is empty

fallback 2  the quickest to answer first, by way of fast (line 31)
              google      gemini-flash   by latency
              vllm        qwen           by latency

fallback 3  only after content_policy, by way of fast (line 31)
              openai      mini           100 %

fallback 4  only after context_length
              google      gemini-pro     100 %

limits      3 attempts, 2 at one target, 120 s to the first byte, 900 s in all
in the end  the last attempt's error, or 503 no_healthy_upstream if nothing could be tried"""


def test_the_text_shows_the_whole_way_of_a_request() -> None:
    assert render_text(explain(TABLE, "gpt-4o")) == GPT


def test_every_star_is_named() -> None:
    assert "*/gpt-*   with {1} = a/b, {2} = 5\n" in render_text(explain(TABLE, "a/b/gpt-5"))


def test_a_route_with_everything_off_says_what_the_caller_gets() -> None:
    assert explain(TABLE, "claude-x").in_the_end == "503 no_healthy_upstream: every target is off"


def test_an_unknown_model_is_shown_what_is_near() -> None:
    it = explain(TABLE, "fats")
    assert (it.place, it.near, it.in_the_end) == (None, ("fast",), "404 model_not_found")
    assert render_text(it) == (
        "model       fats\nroute       none of the 3 matches\n\nin the end  404 model_not_found\nnear        fast"
    )


def test_an_affinity_is_said_in_words() -> None:
    table = Table(settings(route("m", "a", "b", affinity="prefix")))
    assert "affinity    a conversation stays on the same target while it is well\n" in render_text(explain(table, "m"))
    assert json.loads(as_json(explain(table, "m")))["affinity"] == "prefix"


def test_json_holds_what_the_text_shows() -> None:
    it = json.loads(as_json(explain(TABLE, "gpt-4o")))
    assert (it["place"], it["glob"], it["captures"]) == ({"route": "gpt-*", "line": 44}, "gpt-*", ["4o"])
    assert [place["route"] for place in it["passed"]] == ["fast", "claude-*"]
    assert [target["share_percent"] for target in it["groups"][0]["targets"]] == [90.0, 10.0, None]
    assert it["groups"][1]["targets"][0]["off"] == "its `api_key` is empty"
    assert it["groups"][2]["place"] == {"route": "fast", "line": 31}
    assert [link["on"] for link in it["groups"]] == [None, None, None, ["content_policy"], ["context_length"]]
    assert it["retry"]["attempts"] == 3
    assert it["timeouts"]["total_s"] == 900.0


def test_shares_are_those_of_the_targets_that_are_on() -> None:
    for model in ("gpt-4o", "x/gpt-1"):
        shares = [target.share_percent for target in explain(TABLE, model).groups[0].targets]
        assert sum(share for share in shares if share is not None) == pytest.approx(100)


def test_many_routes_are_not_all_named() -> None:
    table = Table(settings(*[route(f"model-number-{n}", "a") for n in range(500)], route("*", "b")))
    lines = render_text(explain(table, "x")).splitlines()
    assert "and 488 more: earlier" in " ".join(line.strip() for line in lines)
    assert max(map(len, lines)) <= 100


def test_a_name_cannot_write_to_the_terminal() -> None:
    table = Table(settings(route("*", "a")))
    text = render_text(explain(table, "x\x1b[2J\r\u202e\n"))
    assert not {"\x1b", "\r", "\u202e"} & set(text)
    assert text.splitlines()[0] == "model       x�[2J���"


ISSUERS = Issuers(
    {
        "openai": ("chat", "responses"),
        "openrouter": ("chat", "responses"),
        "anthropic": ("messages",),
        "google": ("gemini",),
        "vllm": ("chat",),
    },
    stateless={"openrouter"},
)
EARLIER = Binding("previous_response_id", ("responses",))
SEAL = Binding("input[1].encrypted_content", ("responses",), "sealed")

BOUND = """\
model       gpt-4o
route       gpt-*   gaiarouter.yaml:44
matches     gpt-*   with {1} = 4o
passed      fast, claude-*: earlier in the file, no match
bound       `previous_response_id`: only who keeps it is asked

targets
              openai      gpt-4o         100 %
              openrouter  openai/gpt-4o  off: not for `previous_response_id`
              anthropic   claude         off: its `api_key` is empty
"""


def test_a_request_that_is_bound_shows_who_is_left() -> None:
    it = explain(TABLE, "gpt-4o", issuers=ISSUERS, bindings=[EARLIER])
    assert render_text(it).startswith(BOUND)
    assert {t.off for group in it.groups[2:3] for t in group.targets} == {"not for `previous_response_id`"}


def test_a_request_whose_issuer_cannot_be_told_shows_what_the_caller_is_told() -> None:
    it = explain(TABLE, "gpt-4o", issuers=ISSUERS, bindings=[SEAL])
    assert it.in_the_end.startswith("400 unsupported_parameter: `input[1].encrypted_content`: only its issuer")
    assert it.bound == ("`input[1].encrypted_content`: only who sealed it is asked",)


def test_a_seal_shows_who_is_asked_first() -> None:
    it = explain(TABLE, "fast", issuers=ISSUERS, bindings=[Binding("x", ("chat",), "preference")])
    assert [[t.provider for t in group.targets] for group in it.groups] == [["vllm"], ["google"], ["openai"]]
