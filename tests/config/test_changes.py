"""Every setting either takes effect by a reload or is said to need a restart."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from gaiarouter.config.changes import NEED_RESTART, RELOADED, as_far_as_possible, changed_providers, needs_restart
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Auth, Provider, ProviderKey, Server, Settings, Stream, Traces


def test_every_setting_is_one_or_the_other() -> None:
    """A new one fails here until somebody has thought about what a reload does with it."""
    assert sorted((*(path for path in NEED_RESTART if "." not in path), *RELOADED)) == sorted(
        field.name for field in fields(Settings)
    )


def test_what_needs_a_restart_is_named_and_left_as_it_was() -> None:
    running = Settings(server=Server(port=1, drain_s=2.0), store=Secret("sqlite:///a"))
    new = replace(running, server=Server(port=9, drain_s=3.0), store=Secret("sqlite:///b"), stream=Stream(7.0))
    assert needs_restart(running, new) == ("server.port", "server.drain", "store")
    assert as_far_as_possible(running, new) == replace(running, stream=Stream(7.0))


def test_a_section_that_comes_or_goes_is_named_whole() -> None:
    traces = Traces("http://collector:4318")
    assert needs_restart(Settings(), Settings(traces=traces)) == ("traces",)
    assert needs_restart(Settings(traces=traces), Settings()) == ("traces",)
    assert needs_restart(Settings(traces=traces), Settings(traces=replace(traces, sample=0.5))) == ("traces.sample",)


def test_one_field_of_a_section_may_need_a_restart_and_its_neighbours_not() -> None:
    running = Settings(auth=Auth(stale_s=1.0, admin_key=Secret("a"), pepper=Secret("b")))
    new = Settings(auth=Auth(stale_s=2.0, admin_key=Secret("c"), pepper=Secret("b")))
    assert needs_restart(running, new) == ("auth.admin_key",)
    assert as_far_as_possible(running, new).auth == Auth(stale_s=2.0, admin_key=Secret("a"), pepper=Secret("b"))


def test_a_provider_that_came_went_or_changed_is_told() -> None:
    def provider(name: str, key: str) -> Provider:
        return Provider(name, name, keys=(ProviderKey(Secret(key), 0),))

    before = {name: provider(name, "k") for name in ("same", "gone", "other")}
    after = {"same": provider("same", "k"), "other": provider("other", "another"), "fresh": provider("fresh", "k")}
    assert changed_providers(Settings(providers=before), Settings(providers=after)) == ("gone", "other", "fresh")


def test_the_page_names_all_that_needs_a_restart() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reload-and-drain.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if "they need a restart" in line)
    variables = {"auth.admin_key": "GAIAROUTER_ADMIN_KEY", "auth.pepper": "GAIAROUTER_KEY_PEPPER"}
    assert {f"`{variables.get(path, path)}`" for path in NEED_RESTART} <= set(row.replace(",", " ").split())
