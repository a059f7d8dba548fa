"""What a right file becomes: every default filled in, every unit counted, secrets hidden."""

from __future__ import annotations

import os
import pickle
import textwrap
from pathlib import Path

import pytest

from gaiarouter.config.loader import Loaded, Overrides, load, load_mapping, load_settings
from gaiarouter.config.problems import ConfigError
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import (
    Breaker,
    Group,
    Limits,
    ModelReference,
    Provider,
    ProviderKey,
    Rate,
    Retry,
    Settings,
    Target,
    Timeouts,
)


def loaded(text: str, tmp_path: Path, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "gaiarouter.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    result = load(file, environ=environ or {})
    assert result.settings is not None, result.problems
    return result.settings


def test_a_file_that_says_nothing_gives_the_defaults(tmp_path: Path) -> None:
    settings = loaded("routes: []", tmp_path)
    assert (settings.server, settings.limits, settings.auth) == (Settings().server, Limits(), Settings().auth)
    assert settings.store.reveal() == "sqlite:///gaiarouter.db"
    assert settings.path == str(tmp_path / "gaiarouter.yaml")


def test_every_section_arrives(tmp_path: Path) -> None:
    text = """
        server: {host: "::1", port: 9000, workers: 3, body_limit: 64KiB, drain: 1.5s, cors: {origins: []}}
        store: postgresql://me@db/gaia
        limits: {requests: 10/s, tokens: unlimited, concurrent: unlimited}
        auth: {required: false, stale: 1h}
        stream: {hold: 250ms}
        upstream: {client: aiohttp}
        routes: []
    """
    settings = loaded(text, tmp_path)
    server = settings.server
    assert (server.host, server.port, server.workers, server.body_limit, server.drain_s) == ("::1", 9000, 3, 65536, 1.5)
    assert settings.store == Secret("postgresql://me@db/gaia")
    assert settings.limits == Limits(Rate(10, 1.0), None, None)
    assert (settings.auth.required, settings.auth.stale_s, settings.stream.hold_s) == (False, 3600.0, 0.25)
    assert settings.upstream.client == "aiohttp"


def test_a_route_says_itself_what_differs_from_the_defaults(tmp_path: Path) -> None:
    text = """
        providers: {a: {dialect: echo}}
        defaults:
          timeouts: {connect: 1s, total: 10m}
          retry: {attempts: 5, budget: 50%}
          breaker: {failures: 9}
        stream: {hold: 7s}
        routes:
          - {match: x, targets: [{provider: a}]}
          - match: y
            targets: [{provider: a}]
            timeouts: {total: 20s}
            retry: {backoff: 1s, max_backoff: 2s}
            breaker: {window: 1m, cooldown: 5s}
    """
    x, y = loaded(text, tmp_path).routes
    assert (x.timeouts, y.timeouts) == (Timeouts(connect_s=1, total_s=600), Timeouts(connect_s=1, total_s=20))
    assert x.retry == Retry(attempts=5, budget=0.5)
    assert y.retry == Retry(attempts=5, budget=0.5, backoff_s=1, max_backoff_s=2)
    assert (x.breaker, y.breaker) == (Breaker(failures=9), Breaker(9, 60.0, 5.0))
    assert (x.hold_s, y.hold_s, x.line, y.line) == (7.0, 7.0, 9, 10)


def test_fallbacks_take_all_their_forms(tmp_path: Path) -> None:
    text = """
        providers: {a: {dialect: echo}}
        routes:
          - match: x
            targets: [{provider: a, weight: 9}, {provider: a, model: "y/{model}"}]
            fallbacks:
              - {provider: a, model: b}
              - {model: y}
              - [{provider: a, weight: 2}, {provider: a, model: c}]
              - {provider: a, on: [context_length]}
              - {model: y, on: [content_policy, context_length]}
          - {match: y, targets: [{provider: a}]}
    """
    route = loaded(text, tmp_path).routes[0]
    assert route.targets == Group((Target("a", None, 9), Target("a", "y/{model}", 1)))
    assert route.fallbacks == (
        Group((Target("a", "b"),)),
        Group(reference=ModelReference("y")),
        Group((Target("a", None, 2), Target("a", "c"))),
        Group((Target("a"),), on=("context_length",)),
        Group(reference=ModelReference("y"), on=("content_policy", "context_length")),
    )


def test_a_route_is_named_for_its_first_glob_and_names_are_unique(tmp_path: Path) -> None:
    text = """
        providers: {a: {dialect: echo}}
        routes:
          - {match: ["gpt-*", o1], targets: [{provider: a}]}
          - {match: "gpt-*", targets: [{provider: a}]}
          - {match: "gpt-*#2", targets: [{provider: a}]}
          - {match: "gpt-*", targets: [{provider: a}]}
    """
    names = [route.name for route in loaded(text, tmp_path).routes]
    assert names[0] == "gpt-*"
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("word", "means"),
    [("no", "no"), ("off", "off"), ("y", "y"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"), ("0o17x", "0o17x")],
)
def test_a_model_may_have_a_name_that_other_yaml_readers_would_change(word: str, means: str, tmp_path: Path) -> None:
    text = f"providers: {{a: {{dialect: echo}}}}\nroutes: [{{match: {word}, targets: [{{provider: a}}]}}]"
    assert loaded(text, tmp_path).routes[0].match == (means,)


def test_the_key_on_is_a_word(tmp_path: Path) -> None:
    text = """
        providers: {a: {dialect: echo}}
        routes:
          - match: x
            targets: [{provider: a}]
            fallbacks:
              - provider: a
                on: [context_length]
    """
    assert loaded(text, tmp_path).routes[0].fallbacks[0].on == ("context_length",)


def test_aliases_of_a_few_values_are_read(tmp_path: Path) -> None:
    text = """
        providers: {a: {dialect: echo}}
        routes:
          - {match: x, targets: &both [{provider: a}, {provider: a, model: m}]}
          - {match: y, targets: *both}
    """
    x, y = loaded(text, tmp_path).routes
    assert x.targets == y.targets


def test_a_provider_whose_key_is_empty_is_off_and_says_which_variable(tmp_path: Path) -> None:
    text = """
        providers:
          one: {dialect: echo, api_key: "${ONE:-}"}
          two: {dialect: echo, api_key: ["${TWO:-}", {key: "${THREE:-}"}]}
          three: {dialect: echo, api_key: ""}
          four: {dialect: echo}
          five: {dialect: echo, api_key: ["${TWO:-}", {key: "${FIVE:-}", weight: 4}, "six"]}
        routes: []
    """
    providers = loaded(text, tmp_path, {"FIVE": " k5\n", "ONE": "  "}).providers
    assert providers["one"].off == "ONE is empty"
    assert providers["two"].off == "TWO and THREE are empty"
    assert providers["three"].off == "api_key is empty"
    assert providers["four"] == Provider("four", "echo")
    assert providers["five"].off is None
    assert providers["five"].keys == (ProviderKey(Secret("k5"), 0, 4), ProviderKey(Secret("six"), 1))


VARIABLES = {
    "set": ("${A}", "one"),
    "set to nothing": ("x${EMPTY}y", "xy"),
    "a default not needed": ("${A:-two}", "one"),
    "a default for a missing one": ("${NOPE:-two}", "two"),
    "a default for an empty one": ("${EMPTY:-two}", "two"),
    "an empty default": ("x${NOPE:-}", "x"),
    "a dollar": ("a$$b$$", "a$b$"),
    "a dollar before braces": ("$${A}", "${A}"),
    "a dollar by itself": ("5$ or $A", "5$ or $A"),
    "two": ("${A}-${B}", "one-{a: [1]}"),
    "yaml in a value": ("${B}", "{a: [1]}"),
    "a dollar in a value": ("${C}", "${A}"),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_are_filled_in_once_and_never_read_as_yaml(name: str, tmp_path: Path) -> None:
    written, means = VARIABLES[name]
    environ = {"A": "one", "B": "{a: [1]}", "C": "${A}", "EMPTY": ""}
    text = f"providers: {{p: {{dialect: echo, headers: {{x: '{written}'}}}}}}\nroutes: []"
    assert loaded(text, tmp_path, environ).providers["p"].headers == {"x": means}


def test_a_dotenv_file_beside_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FROM_FILE", raising=False)
    (tmp_path / ".env").write_text("# keys\nexport FROM_FILE='a b'\nBOTH=file\nDOLLAR='${BOTH}'\nnot a line\n")
    text = "providers: {p: {dialect: echo, headers: {a: '${FROM_FILE}', b: '${BOTH}', c: '${DOLLAR}'}}}\nroutes: []\n"
    (tmp_path / "g.yaml").write_text(text)
    result = load(tmp_path / "g.yaml", environ={"BOTH": "environment"})
    assert result.settings is not None
    assert result.settings.providers["p"].headers == {"a": "a b", "b": "environment", "c": "${BOTH}"}
    assert "FROM_FILE" not in os.environ
    assert [str(problem) for problem in result.warnings] == [
        f"{tmp_path / '.env'}:5:1: found a line that is no NAME=value; it is left out (warning)"
    ]


@pytest.mark.parametrize(
    ("environ", "flags", "expected"),
    [
        ({}, Overrides(), ("10.0.0.1", 81, 2)),
        ({"GAIAROUTER_HOST": "::1", "GAIAROUTER_PORT": "82"}, Overrides(), ("::1", 82, 2)),
        ({"GAIAROUTER_PORT": "82", "GAIAROUTER_WORKERS": "5"}, Overrides(port=83), ("10.0.0.1", 83, 5)),
        ({"GAIAROUTER_HOST": "", "GAIAROUTER_PORT": ""}, Overrides(), ("10.0.0.1", 81, 2)),
        ({"GAIAROUTER_HOST": "::1"}, Overrides(host="127.0.0.1", workers=4), ("127.0.0.1", 81, 4)),
    ],
)
def test_flags_win_over_the_environment_and_that_over_the_file(
    environ: dict[str, str], flags: Overrides, expected: tuple[str, int, int]
) -> None:
    settings = load_settings(
        {"server": {"host": "10.0.0.1", "port": 81, "workers": 2}, "routes": []}, environ=environ, overrides=flags
    )
    assert (settings.server.host, settings.server.port, settings.server.workers) == expected


@pytest.mark.parametrize("port", ["0", "65536", "x", "8 0", "-1", "٣", "1e3", "9" * 5000])
def test_a_wrong_port_in_the_environment_is_an_error(port: str) -> None:
    (problem,) = load_mapping({"routes": []}, environ={"GAIAROUTER_PORT": port}).errors
    assert str(problem).startswith("GAIAROUTER_PORT: found ")


def test_auto_is_at_least_one_process(tmp_path: Path) -> None:
    assert loaded("server: {workers: auto}\nroutes: []", tmp_path).server.workers >= 1


def test_no_secret_is_shown_by_repr_or_pickle(tmp_path: Path) -> None:
    text = """
        store: postgresql://me:${PW}@db/gaia
        providers: {p: {dialect: echo, api_key: ["${KEY}"]}}
        routes: []
    """
    settings = loaded(text, tmp_path, {"PW": "swordfish", "KEY": "marlin"})
    assert settings.providers["p"].keys[0].secret.reveal() == "marlin"
    for shown in (repr(settings), str(settings), repr(pickle.dumps(settings))):
        assert "swordfish" not in shown
        assert "marlin" not in shown


def test_the_fingerprint_changes_with_the_text_and_only_with_it(tmp_path: Path) -> None:
    one, same, other = (loaded(text, tmp_path) for text in ("routes: []", "routes: []", "routes: [] #"))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_a_mapping_is_loaded_like_a_file() -> None:
    mapping = {"providers": {"a": {"dialect": "echo"}}, "routes": [{"match": "x", "targets": [{"provider": "a"}]}]}
    settings = load_settings(mapping, known_kinds={"echo": False})
    assert settings.routes[0].targets == Group((Target("a"),))
    assert settings.path is None


@pytest.mark.parametrize("mapping", [{1: 2}, {"routes": {1, 2}}, {"store": b"x"}, {"server": object()}])
def test_a_mapping_holds_only_what_a_file_could(mapping: dict[str, object]) -> None:
    assert len(load_mapping(mapping).errors) == 1


def test_errors_are_raised_together_with_their_paths() -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings({"server": {"port": 0, "drain": 3}, "routes": []})
    assert str(raised.value).splitlines() == [
        "configuration: server.port: found 0, expected a whole number from 1 to 65535",
        (
            "configuration: server.drain: found 3 without a unit, expected a duration such as 250ms, 5s, 15m or 1h: "
            "write 3s, if that is meant"
        ),
    ]


def write(path: Path, content: bytes) -> Loaded:
    path.write_bytes(content)
    return load(path)


def test_a_file_that_is_no_text_says_where(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    (problem,) = write(file, b"routes: []\nstore: \xff\n").problems
    assert str(problem) == f"{file}:2:8: found a byte that is not UTF-8"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert write(tmp_path / "g.yaml", b"\xef\xbb\xbfroutes: []\n").problems == ()


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"[]", b"routes", b"null"])
def test_a_file_without_a_mapping_is_one_error(content: bytes, tmp_path: Path) -> None:
    (problem,) = write(tmp_path / "g.yaml", content).problems
    assert "found no mapping at the top" in problem.message


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_an_error(name: str, tmp_path: Path) -> None:
    (problem,) = load(tmp_path / name).problems
    assert str(problem).startswith(f"{tmp_path / name}: cannot be read: ")
