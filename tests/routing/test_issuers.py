"""A request that holds what only its issuer can read or keeps goes to that issuer alone."""

from __future__ import annotations

import pytest

from gaiarouter.config.settings import Group
from gaiarouter.dialects.binding import Binding, Hold
from gaiarouter.errors import InvalidRequest
from gaiarouter.routing.base import Match
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.table import Table
from tests.routing.build import group, route, settings

SPEAKS = {
    "openai": ("chat", "responses"),
    "azure": ("chat", "responses"),
    "openrouter": ("chat", "responses"),
    "anthropic": ("messages",),
    "google": ("gemini",),
    "vllm": ("chat",),
    "groq": ("chat",),
}
ISSUERS = Issuers(SPEAKS, stateless={"openrouter"})


def match_of(*targets: str, fallbacks: list[Group] | None = None) -> Match:
    match = Table(settings(route("m", *targets, fallbacks=fallbacks or []))).match("m")
    assert match is not None
    return match


def names(match: Match) -> list[list[str]]:
    return [[target.provider for target in group.targets] for group in match.groups]


def bound(match: Match, hold: Hold = "kept", *dialects: str) -> list[list[str]]:
    return names(ISSUERS.bound(match, [Binding("field", dialects or ("responses",), hold)]))


@pytest.mark.parametrize("hold", ["kept", "sealed"])
def test_only_the_one_that_can_have_issued_it_is_asked(hold: Hold) -> None:
    match = match_of("anthropic/a", "openai/b", fallbacks=[group("google/c"), group("openai/d")])
    assert bound(match, hold) == [["openai"], ["openai"]]


def test_a_route_whose_own_targets_are_others_still_reaches_the_issuer() -> None:
    assert bound(match_of("anthropic/a", fallbacks=[group("openai/b")])) == [[], ["openai"]]


@pytest.mark.parametrize("hold", ["kept", "sealed"])
def test_of_two_that_can_be_it_none_is_asked(hold: Hold) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bound(match_of("openai/a", "azure/b"), hold)
    assert caught.value.param == "field"
    assert "openai, azure" in caught.value.message


@pytest.mark.parametrize("hold", ["kept", "sealed", "state"])
def test_where_nobody_can_be_it_the_field_is_named(hold: Hold) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bound(match_of("anthropic/a", "google/b"), hold)
    assert caught.value.param == "field"


def test_who_keeps_nothing_has_issued_no_handle_but_may_have_sealed() -> None:
    match = match_of("openai/a", "openrouter/b")
    assert bound(match, "kept") == [["openai"]]
    with pytest.raises(InvalidRequest):
        bound(match, "sealed")


def test_state_is_for_all_who_can_keep_it() -> None:
    assert bound(match_of("openai/a", "azure/b", "openrouter/c", "anthropic/d"), "state") == [["openai", "azure"]]


def test_of_several_dialects_the_first_that_is_spoken_counts() -> None:
    assert bound(match_of("openai/a", "vllm/b"), "kept", "responses", "chat") == [["openai"]]
    assert bound(match_of("anthropic/a", "vllm/b"), "kept", "responses", "chat") == [["vllm"]]


def test_whom_only_a_failure_leads_to_cannot_be_chosen() -> None:
    match = match_of("anthropic/a", fallbacks=[group("openai/b", on=("context_length",))])
    with pytest.raises(InvalidRequest):
        bound(match)


def test_two_accounts_in_one_request_are_refused() -> None:
    match = match_of("openai/a", "anthropic/b")
    with pytest.raises(InvalidRequest) as caught:
        ISSUERS.bound(match, [Binding("one", ("responses",)), Binding("two", ("messages",))])
    assert caught.value.param == "two"


def test_who_can_read_a_seal_is_asked_first_and_the_others_stay() -> None:
    match = match_of("google/a", "anthropic/b", fallbacks=[group("openai/c", "anthropic/d"), group("vllm/e")])
    assert bound(match, "preference", "messages") == [["anthropic"], ["google"], ["anthropic"], ["openai"], ["vllm"]]


def test_a_seal_that_nobody_can_read_changes_nothing() -> None:
    match = match_of("google/a", "vllm/b")
    assert ISSUERS.bound(match, [Binding("field", ("messages",), "preference")]) == match


def test_a_route_that_is_off_is_not_the_callers_mistake() -> None:
    match = Table(settings(route("m", "openai/a"), off=["openai"])).match("m")
    assert match is not None
    assert bound(match) == [[]]


@pytest.mark.parametrize(
    ("targets", "dialect", "is_open"),
    [
        (["openai/a", "openai/b"], "responses", False),
        (["openai/a", "azure/b"], "responses", True),
        (["anthropic/a"], "responses", True),
        (["anthropic/a"], "messages", False),
    ],
)
def test_a_route_of_one_provider_that_speaks_the_callers_dialect_needs_no_look(
    targets: list[str], dialect: str, is_open: bool
) -> None:
    assert ISSUERS.is_open(match_of(*targets), dialect) is is_open
