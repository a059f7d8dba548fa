"""What `check` warns of: it is allowed, and hardly meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.config.loader import Overrides, load

KINDS = {"openai": False, "echo": False}
ECHO = "providers: {demo: {dialect: echo}}\n"


def warnings_of(text: str, tmp_path: Path, **options: bool) -> list[str]:
    file = tmp_path / "g.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load(file, known_kinds=KINDS, **options)
    assert not loaded.errors, loaded.errors
    return [str(problem).removeprefix(f"{file}:") for problem in loaded.warnings]


def routes(*matches: str) -> str:
    entries = "".join(f"  - {{match: {match}, targets: [{{provider: demo}}]}}\n" for match in matches)
    return f"{ECHO}routes:\n{entries}"


# name: (the matches of the routes in their order, what is warned of)
HIDDEN: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "the same name": (("a", "a"), ["4:5: routes[1]: is never reached: routes[0] (a)"]),
    "behind everything": (("'*'", "'gpt-*'"), ["4:5: routes[1]: is never reached: routes[0] (*)"]),
    "a name behind its glob": (("'gpt-*'", "gpt-4o"), ["4:5: routes[1]: is never reached: routes[0] (gpt-*)"]),
    "a glob behind a wider one": (("'gpt-*'", "'gpt-4*'"), ["4:5: routes[1]: is never reached: routes[0] (gpt-*)"]),
    "stars in other places": (("'*a*'", "'b*ac'"), ["4:5: routes[1]: is never reached: routes[0] (*a*)"]),
    "one character behind many": (("'a*'", "'a?'"), ["4:5: routes[1]: is never reached: routes[0] (a*)"]),
    "a set behind one character": (("'o?'", "'o[134]'"), ["4:5: routes[1]: is never reached: routes[0] (o?)"]),
    "a set behind a wider one": (("'o[0-9]'", "'o[134]'"), ["4:5: routes[1]: is never reached: routes[0] (o[0-9])"]),
    "a list that is all hidden": (("'a*'", "'b*'", "[ab, bc]"), ["5:5: routes[2]: is never reached: routes[0] (a*)"]),
    "one glob of a list": (("a", "[a, b]"), ["4:14: routes[1].match[0]: never matches: routes[0] (a)"]),
    "twice in one list": (("[a, b, a]",), ["3:20: routes[0].match[2]: the glob 'a' stands in this route twice"]),
    "a narrower one first": (("'gpt-4*'", "'gpt-*'"), []),
    "many behind one character": (("'a?'", "'a*'"), []),
    "another set": (("'o[13]'", "'o[134]'"), []),
    "all but a set": (("'o[!1]'", "'o[1]'"), []),
    "other names": (("a", "b"), []),
    "case": (("'gpt-*'", "'GPT-*'"), []),
    "overlapping": (("'a*'", "'*b'"), []),
    "the bare prefix": (("'a?*'", "'a*'"), []),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_route_that_an_earlier_one_hides_is_warned_of(name: str, tmp_path: Path) -> None:
    matches, expected = HIDDEN[name]
    found = warnings_of(routes(*matches), tmp_path)
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found


# name: (the file, how its one warning begins; None for none)
OTHERS: dict[str, tuple[str, str | None]] = {
    "a key in the file": (
        "providers: {openai: {api_key: sk-proj-0123456789abcdefghij}}\nroutes: []\n",
        "1:31: providers.openai.api_key: looks like a key in the file",
    ),
    "a long random word as a key": (
        "providers: {openai: {api_key: ['a81bc81bdead4e5dabff90865d1e13b1']}}\nroutes: []\n",
        "1:32: providers.openai.api_key[0]: looks like a key in the file",
    ),
    "a key in a header": (
        "providers: {openai: {headers: {x: Bearer sk-0123456789abcdefghij}}}\nroutes: []\n",
        "1:35: providers.openai.headers.x: looks like a key in the file",
    ),
    "a key as a default": (
        "providers: {openai: {api_key: '${K:-sk-0123456789abcdefghij}'}}\nroutes: []\n",
        "1:31: providers.openai.api_key: looks like a key in the file",
    ),
    "a placeholder for a key": ("providers: {openai: {api_key: sk-no-key-required}}\nroutes: []\n", None),
    "a key in the environment": ("providers: {openai: {api_key: '${K:-}'}}\nroutes: []\n", None),
    "a password in the store's address": (
        "store: postgresql://me:secret@db/gaia\nroutes: []\n",
        "1:8: store: has a password in the file",
    ),
    "a password in the environment": ("store: 'postgresql://me:${PW:-}@db/gaia'\nroutes: []\n", None),
    "clear text over the internet": (
        "providers: {openai: {base_url: 'http://api.example.com/v1'}}\nroutes: []\n",
        "1:32: providers.openai.base_url: goes in clear text to a public address",
    ),
    "clear text to a public number": (
        "providers: {openai: {base_url: 'http://8.8.8.8/v1'}}\nroutes: []\n",
        "1:32: providers.openai.base_url: goes in clear text to a public address",
    ),
    "clear text to this machine": ("providers: {openai: {base_url: 'http://localhost:1/v1'}}\nroutes: []\n", None),
    "clear text to a private number": ("providers: {openai: {base_url: 'http://10.1.2.3/v1'}}\nroutes: []\n", None),
    "clear text inside a cluster": ("providers: {openai: {base_url: 'http://vllm.ai.svc/v1'}}\nroutes: []\n", None),
    "TLS over the internet": ("providers: {openai: {base_url: 'https://api.example.com/v1'}}\nroutes: []\n", None),
    "listening everywhere": (
        "server: {host: 0.0.0.0}\nroutes: []\n",
        "1:16: server.host: keys and prompts come to 0.0.0.0 in clear",
    ),
    "listening everywhere, IPv6": (
        "server: {host: '::'}\nroutes: []\n",
        "1:16: server.host: keys and prompts come to :: in clear",
    ),
    "listening in a network": (
        "server: {host: 10.0.0.1}\nroutes: []\n",
        "1:16: server.host: keys and prompts come to 10.0.0.1 in clear",
    ),
    "with TLS": ("server: {host: 0.0.0.0, tls: {certificate: c, key: k}}\nroutes: []\n", None),
    "behind a proxy": ("server: {host: 0.0.0.0, trusted_proxies: [10.0.0.2]}\nroutes: []\n", None),
    "listening on this machine": ("server: {host: '::1'}\nroutes: []\n", None),
    "no routes at all": ("providers: {openai: {}}\n", "1:1: has no `routes`"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_hardly_meant_is_warned_of(name: str, tmp_path: Path) -> None:
    text, expected = OTHERS[name]
    found = warnings_of(text, tmp_path)
    assert len(found) == (expected is not None), found
    assert all(text.startswith(expected or "") and text.endswith("(warning)") for text in found), found


def test_an_open_gateway_from_outside_needs_the_flag(tmp_path: Path) -> None:
    text = "server: {host: 192.168.0.7, trusted_proxies: [192.168.0.1]}\nauth: {required: false}\nroutes: []\n"
    assert warnings_of(text, tmp_path, insecure=True) == []
    assert load(tmp_path / "g.yaml").settings is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_an_open_gateway_on_this_machine_needs_none(host: str, tmp_path: Path) -> None:
    assert warnings_of(f"server: {{host: '{host}'}}\nauth: {{required: false}}\nroutes: []\n", tmp_path) == []


def test_an_open_gateway_is_judged_by_where_it_really_listens(tmp_path: Path) -> None:
    warnings_of("auth: {required: false}\nroutes: []\n", tmp_path)
    loaded = load(tmp_path / "g.yaml", overrides=Overrides(host="10.0.0.1"))
    assert [problem.path for problem in loaded.errors] == ["auth.required"]
