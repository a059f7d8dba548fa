"""`check --strict`: what a configuration lacks for production, and the files that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.cli import main
from tests.support.certificates import Authority

ENVIRON = {"GAIAROUTER_ADMIN_KEY": "c7e1" * 4 + "9b3d" * 4, "GAIAROUTER_KEY_PEPPER": "5d2a8f61c39e7b40"}
FIT = """
server: {host: 10.0.0.5, trusted_proxies: [10.0.0.2], admin_listen: "127.0.0.1:9000"}
store: postgresql://gaia@db.internal/gaia
providers:
  openai: {api_key: "${KEY:-}"}
  demo: {dialect: echo}
routes:
  - {match: "gpt-4o*", targets: [{provider: openai}], fallbacks: [{provider: openai, model: gpt-4o-mini}]}
  - {match: demo, targets: [{provider: demo}]}
"""

# what is changed in FIT: what is told, by how it begins behind the file's name
UNFIT: dict[str, tuple[tuple[str, str], str]] = {
    "a plain listener": (
        (", trusted_proxies: [10.0.0.2]", ""),
        ":2:16: server.host: keys and prompts come to 10.0.0.5 in clear",
    ),
    "callers without a key": (("store:", "auth: {required: false}\nstore:"), ": auth.required: callers need no key"),
    "guessing without end": (
        ("store:", "auth: {wrong_keys: unlimited}\nstore:"),
        ": auth.wrong_keys: keys may be guessed without end",
    ),
    "an open control plane": (
        ('5, trusted_proxies: [10.0.0.2], admin_listen: "127.0.0.1:9000"', "5.example, trusted_proxies: [10.0.0.2]"),
        ": server.admin_listen: is not set",
    ),
    "a file that replicas cannot share": (
        ("store: postgresql://gaia@db.internal/gaia", "redis: redis://cache:6379/0"),
        ": store: is a file of one machine",
    ),
    "a model without a price": (
        ("model: gpt-4o-mini", "model: gpt-of-my-own"),
        ":8:1: routes[0]: openai/gpt-of-my-own has no price",
    ),
    "an alias without a price": (
        ("match: demo, targets: [{provider: demo}]", "match: mine, targets: [{provider: openai}]"),
        ":9:1: routes[1]: openai/mine has no price",
    ),
}  # fmt: skip


def told(text: str, folder: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, list[str]]:
    file = folder / "g.yaml"
    file.write_text(text)
    code = main(["check", str(file), *flags])
    out = capsys.readouterr().out.splitlines()
    return code, [line.removeprefix(str(file)) for line in out if line.endswith("(warning)") or "server.tls" in line]


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def test_nothing_is_said_of_one_that_is_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(FIT, tmp_path, capsys, "--strict") == (0, [])


@pytest.mark.parametrize("name", UNFIT)
def test_what_production_needs_is_asked_for(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (old, new), expected = UNFIT[name]
    assert old in FIT
    text = FIT.replace(old, new)
    code, found = told(text, tmp_path, capsys, "--strict", "--insecure")
    assert (code, [line.startswith(expected) for line in found]) == (1, [True]), found
    if name != "a plain listener":
        assert told(text, tmp_path, capsys, "--insecure") == (0, []), "only what is strict asks for it"


@pytest.mark.parametrize("name", ENVIRON)
def test_secrets_of_the_environment_are_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(name)
    file = tmp_path / "g.yaml"
    file.write_text(FIT)
    assert main(["check", str(file), "--strict"]) == 1
    assert f"{name}: is not set" in capsys.readouterr().out


def test_the_certificate_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Authority().issue(tmp_path / "tls")
    tls = f"tls: {{certificate: {tmp_path}/tls/tls.crt, key: {tmp_path}/tls/tls.key}}"
    text = FIT.replace("trusted_proxies: [10.0.0.2]", tls)
    assert told(text, tmp_path, capsys, "--strict") == (0, [])
    (tmp_path / "tls" / "tls.key").chmod(0o644)
    code, found = told(text, tmp_path, capsys)
    assert (code, len(found)) == (0, 1)
    assert "can be read by everybody" in found[0]
    (tmp_path / "tls" / "tls.key").unlink()
    code, found = told(text, tmp_path, capsys)
    assert code == 1
    assert found == [f": server.tls: {tmp_path}/tls/tls.key cannot be read: No such file or directory"]
