"""Every mistake of the file that the contract names: where it is reported, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.config.loader import load

KINDS = {"openai": False, "groq": False, "vllm": True, "azure": True, "echo": False}

GOOD = "providers: {demo: {dialect: echo}}\nroutes:\n  - {match: demo, targets: [{provider: demo}]}\n"

# name: (what stands after GOOD's three lines, the place and the words of the one problem)
AFTER_GOOD: dict[str, tuple[str, str]] = {
    "a misspelled section": ("limit: {}", "4:1: limit: unknown key; did you mean `limits`?"),
    "a misspelled key": ("server: {prot: 8000}", "4:10: server.prot: unknown key; did you mean `port`?"),
    "a key near no other": ("auth: {zzz: 1}", "4:8: auth.zzz: unknown key; expected one of required, stale"),
    "a section given twice": ("auth: {}\nauth: {}", "5:1: auth: given twice; first on line 4"),
    "a key given twice": ("server: {port: 80, port: 81}", "4:20: server.port: given twice; first on line 4"),
    "no for a boolean": ("auth: {required: no}", "4:18: auth.required: found 'no', expected true or false"),
    "off for a boolean": ("auth: {required: off}", "4:18: auth.required: found 'off', expected true or false"),
    "YES for a boolean": ("auth: {required: YES}", "4:18: auth.required: found 'YES', expected true or false"),
    "a number for a boolean": ("auth: {required: 0}", "4:18: auth.required: found 0, expected true or false"),
    "a quoted boolean": ('auth: {required: "true"}', "4:18: auth.required: found 'true', expected true or false"),
    "a sexagesimal port": ("server: {port: 2:13:20}", "4:16: server.port: found '2:13:20', expected a whole number"),
    "a quoted port": ('server: {port: "80"}', "4:16: server.port: found '80', expected a whole number from 1 to 65535"),
    "an octal port": ("server: {port: 0777}", "4:16: server.port: found '0777', expected a whole number"),
    "a port out of range": (
        "server: {port: 99999}",
        "4:16: server.port: found 99999, expected a whole number from 1 to",
    ),
    "a variable for a port": (
        "server: {port: '${P:-80}'}",
        "4:16: server.port: found '${P:-80}', expected a whole number",
    ),
    "a boolean for text": ("server: {host: true}", "4:16: server.host: found true, expected text"),
    "a number for text": ("server: {host: 1.5}", "4:16: server.host: found 1.5, expected text"),
    "an empty section": ("server:", "4:8: server: found nothing, expected a mapping"),
    "a list for a mapping": ("server: []", "4:9: server: found a list, expected a mapping"),
    "a number too large": ("server: {port: 99999999999999999999999}", "4:16: server.port: the number 99999"),
    "a number of thousands of digits": (
        "server: {port: " + "9" * 5000 + "}",
        "4:16: server.port: the number 99999",
    ),
    "a duration without unit": ("server: {drain: 30}", "4:17: server.drain: found 30 without a unit"),
    "what to write for it": ("server: {drain: 30}", "write 30s"),
    "a quoted number for a duration": ("server: {drain: '30'}", "4:17: server.drain: found '30' without a unit"),
    "a wrong unit": ("server: {drain: 30 sec}", "4:17: server.drain: found '30 sec', expected a duration such as"),
    "a duration with a line break": ('server: {drain: "5s\\n"}', "4:17: server.drain: found '5s"),
    "a negative duration": ("server: {drain: -5s}", "4:17: server.drain: found '-5s', expected a duration"),
    "a size without unit": (
        "server: {body_limit: 32000000}",
        "without a unit, expected a size such as 64KiB or 32MB: write 32MB",
    ),
    "a rate without unit": ("limits: {requests: 600}", "4:20: limits.requests: found 600 without a unit"),
    "what to write for a rate": ("limits: {requests: 600}", "write 600/min"),
    "a rate in unknown periods": ("limits: {tokens: 5/week}", "4:18: limits.tokens: found '5/week', expected a rate"),
    "a share without unit": (
        "defaults: {retry: {budget: 0.2}}",
        "without a unit, expected a share from 0% to 100%, such as 20%: write 20%",
    ),
    "a share above all": (
        "defaults: {retry: {budget: 120%}}",
        "4:28: defaults.retry.budget: found '120%', expected a share",
    ),
    "a time-out of nothing": (
        "defaults: {timeouts: {idle: 0s}}",
        "4:29: defaults.timeouts.idle: found '0s', expected more",
    ),
    "no attempts": (
        "defaults: {retry: {attempts: 0}}",
        "4:30: defaults.retry.attempts: found 0, expected a whole number",
    ),
    "a proxy that is no address": (
        "server: {trusted_proxies: [10.0.0.0/8, proxy]}",
        "4:40: server.trusted_proxies[1]: found 'proxy', expected an address or a network such as 10.0.0.0/8",
    ),
    "redis": ("redis: http://x:6379", "4:8: redis: must read redis://host:6379/0"),
    "admin_listen": ("server: {admin_listen: '127.0.0.1'}", "expected an address and port such as 127.0.0.1:9000"),
    "admin_listen's port": (
        "server: {admin_listen: '127.0.0.1:70000'}",
        "server.admin_listen: has a port that is none",
    ),
    "cors": (
        "server: {cors: {origins: ['https://a.example/x']}}",
        "server.cors.origins[0]: found 'https://a.example/x'",
    ),
    "cors for all": ("server: {cors: {origins: ['*']}}", "server.cors.origins[0]: found '*', expected an origin"),
    "another store": (
        "store: mysql://host/db",
        "4:8: store: found another address, expected sqlite:///FILE or postgresql://",
    ),
    "a store in memory": ("store: 'sqlite:///:memory:'", "4:8: store: found another address, expected sqlite:///FILE"),
    "no key needed from outside": (
        "server: {host: 10.0.0.1, trusted_proxies: [10.0.0.2]}\nauth: {required: false}",
        "5:18: auth.required: callers need no key, and 10.0.0.1 can be reached from outside",
    ),
    "a variable that is not set": ("store: 'sqlite:///${NOPE}'", "4:8: store: ${NOPE} is not set"),
    "a variable without its name": ("store: 'sqlite:///${}'", "4:8: store: '${}' is not a variable"),
    "a variable not closed": ("store: 'sqlite:///${A'", "4:8: store: '${' is not a variable"),
    "a variable in a default": ("store: 'sqlite:///${A:-${B}}'", "4:8: store: '${A:-${B}' is not a variable"),
    "a variable without quotes": ("store: {a: ${B}}", 'write "${NAME}" in quotes'),
    "a tag": (
        "store: !!python/object/apply:os.system ['x']",
        "4:8: store: the tag 'tag:yaml.org,2002:python/object/apply:os",
    ),
    "a binary tag": ("store: !!binary c3FsaXRl", "4:8: store: the tag 'tag:yaml.org,2002:binary' is not allowed"),
    "a harmless tag": ("store: !!str x", "4:8: store: the tag 'tag:yaml.org,2002:str' is not allowed"),
    "a merge key": ("auth: {<<: {stale: 5s}}", "4:8: auth: merge keys (<<) are not read"),
    "an alias without anchor": ("auth: *nowhere", "4:7: auth: the alias *nowhere has no anchor before it"),
    "an alias in itself": ("auth: &a {stale: *a}", "4:18: auth.stale: the alias *a has no anchor before it"),
    "a key that is a list": ("? [a]\n: b", "4:3: a key must be plain text"),
    "a second document": ("---\nauth: {}", "4:1: a second document starts here"),
    "a tab": ("auth:\n\trequired: true", "5:1: not YAML: "),
    "a bracket not closed": ("auth: {required: true", "not YAML: "),
}

# name: (the entries of providers, the problem)
PROVIDERS: dict[str, tuple[str, str]] = {
    "an unknown kind": (
        "gorq: {}",
        "2:3: providers.gorq: 'gorq' is no known provider, expected a `dialect` beside it; did you mean `groq`",
    ),
    "an unknown dialect": (
        "x: {dialect: opnai}",
        "2:16: providers.x.dialect: unknown dialect 'opnai'; did you mean `openai`?",
    ),
    "an address left out": ("vllm: {}", "2:3: providers.vllm: `base_url` is missing: vllm has no address of its own"),
    "a misspelled key": ("openai: {apikey: x}", "2:12: providers.openai.apikey: unknown key; did you mean `api_key`?"),
    "a provider left empty": ("openai:", "2:10: providers.openai: found nothing, expected a mapping"),
    "a name with a space": (
        "my server: {dialect: echo}",
        "2:3: providers[\"my server\"]: found the name 'my server', expected",
    ),
    "a key that is a number": (
        "openai: {api_key: 1234567}",
        "2:21: providers.openai.api_key: found a value that is not shown",
    ),
    "an empty list of keys": ("openai: {api_key: []}", "2:21: providers.openai.api_key: found nothing in it"),
    "a key without its text": (
        "openai: {api_key: [{weight: 2}]}",
        "2:22: providers.openai.api_key[0]: `key` is missing",
    ),
    "a key with a line break": (
        'openai: {api_key: "a\\nb"}',
        "2:21: providers.openai.api_key: has a character that no key has",
    ),
    "a weight of nothing": ("openai: {api_key: [{key: a, weight: 0}]}", "2:39: providers.openai.api_key[0].weight: "),
    "a format nobody speaks": (
        "openai: {speaks: [chatt]}",
        "2:21: providers.openai.speaks[0]: found 'chatt', expected one of chat,",
    ),
    "no URL": ("vllm: {base_url: localhost}", "2:20: providers.vllm.base_url: found no http:// or https:// URL"),
    "a password in a URL": (
        "vllm: {base_url: 'http://a:b@c/v1'}",
        "2:20: providers.vllm.base_url: found a user or password",
    ),
    "a query in a URL": ("vllm: {base_url: 'http://c/v1?a=b'}", "2:20: providers.vllm.base_url: found a `?` or `#`"),
    "the metadata service": (
        "vllm: {base_url: 'http://169.254.169.254/v1'}",
        "2:20: providers.vllm.base_url: found an address of the",
    ),
    "the same as IPv6": (
        "vllm: {base_url: 'http://[fd00:ec2::254]/v1'}",
        "2:20: providers.vllm.base_url: found an address of the",
    ),
    "the same, mapped": (
        "vllm: {base_url: 'http://[::ffff:169.254.169.254]/'}",
        "2:20: providers.vllm.base_url: found an address",
    ),
    "the same as a number": (
        "vllm: {base_url: 'http://2852039166/v1'}",
        "2:20: providers.vllm.base_url: found a number as the host",
    ),
    "the same in hex": (
        "vllm: {base_url: 'http://0xa9fea9fe/v1'}",
        "2:20: providers.vllm.base_url: found a number as the host",
    ),
    "a header of the connection": (
        "openai: {headers: {Host: x}}",
        "2:22: providers.openai.headers.Host: is the connection's own",
    ),
    "a header with a line break": (
        'openai: {headers: {a: "x\\ny"}}',
        "2:25: providers.openai.headers.a: has a character",
    ),
    "a header's odd name": ("openai: {headers: {'a b': x}}", '2:22: providers.openai.headers["a b"]: found the name'),
}


def problems_of(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "g.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load(file, known_kinds=KINDS)
    assert (loaded.settings is None) == bool(loaded.errors)
    return [str(problem).removeprefix(f"{file}:") for problem in loaded.problems]


def only(problems: list[str]) -> str:
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize("name", AFTER_GOOD)
def test_a_mistake_is_reported_where_it_stands(name: str, tmp_path: Path) -> None:
    text, expected = AFTER_GOOD[name]
    assert expected in only(problems_of(GOOD + text + "\n", tmp_path))


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_mistake_in_a_provider_is_reported_where_it_stands(name: str, tmp_path: Path) -> None:
    text, expected = PROVIDERS[name]
    assert only(problems_of(f"providers:\n  {text}\nroutes: []\n", tmp_path)).startswith(expected)


def test_all_mistakes_of_a_file_are_reported_at_once_in_their_order(tmp_path: Path) -> None:
    text = """
server: {prot: 1, drain: 5}
providers:
  openai: {api_key: "${NOPE}"}
  vllm: {}
routes:
  - match: "a["
    targets: [{provider: opnai, weight: 0}]
  - match: b
    targets: [{provider: openai}]
    fallbacks: [{model: b}]
auth: {required: maybe}
"""
    places = [problem.split(": ")[:2] for problem in problems_of(text, tmp_path)]
    assert places == [
        ["2:10", "server.prot"],
        ["2:26", "server.drain"],
        ["4:21", "providers.openai.api_key"],
        ["5:3", "providers.vllm"],
        ["7:12", "routes[0].match"],
        ["8:26", "routes[0].targets[0].provider"],
        ["8:41", "routes[0].targets[0].weight"],
        ["11:25", "routes[1].fallbacks[0].model"],
        ["12:18", "auth.required"],
    ]


def test_a_value_with_an_error_in_it_brings_no_second_error_elsewhere(tmp_path: Path) -> None:
    text = """
providers:
  azure: {base_url: "${NOPE}", api_key: x}
  lab: 7
routes:
  - {match: 5, targets: [{provider: lab}]}
  - {match: a, targets: [{provider: azure}], fallbacks: [{model: "5"}]}
"""
    places = [problem.split(": ")[0] for problem in problems_of(text, tmp_path)]
    assert places == ["3:21", "4:8", "6:13"]


@pytest.mark.parametrize(
    "text",
    [
        "openai: {api_key: ['sk-live-0123456789abcdef0123', 7]}",
        "openai: {api_key: {a: sk-live-0123456789abcdef0123}}",
        "openai: {headers: {x: [sk-live-0123456789abcdef0123]}}",
        "vllm: {base_url: 'ftp://sk-live-0123456789abcdef0123@x'}",
        "openai: {api_key: 'sk-live-0123456789abcdef0123 x'}",
    ],
)
def test_no_message_shows_a_secret(text: str, tmp_path: Path) -> None:
    problems = problems_of(f"providers:\n  {text}\nroutes: []\n", tmp_path)
    assert problems
    assert "0123456789" not in "".join(problems)


def test_a_message_shows_the_name_of_a_variable_and_not_its_value(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("server: {drain: '${DRAIN}'}\nroutes: []\n")
    (problem,) = load(file, environ={"DRAIN": "swordfish"}).problems
    assert "found '${DRAIN}'" in str(problem)
    assert "swordfish" not in str(problem)
