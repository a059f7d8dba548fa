"""config/compose: valid by the specification's schema, and everything that it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gaiarouter.config.loader import Loaded, load
from gaiarouter.providers import known_kinds
from tests.deployment.promql import ROOT
from tests.packaging.dockerfile import stages

FOLDER = ROOT / "config" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TABLE = FOLDER / "gateway" / "gaiarouter.yaml"
_, IMAGE = stages((ROOT / "Dockerfile").read_text())
DURATION = {"s": 1, "m": 60}


def _mounts(service: str) -> dict[str, str]:
    """Where to -> from where."""
    pairs = (mount.split(":") for mount in SERVICES[service]["volumes"])
    return {to: source for source, to, *_ in pairs}


def _table(**more: str) -> Loaded:
    secrets = {"POSTGRES_PASSWORD": "a1b2", "VALKEY_PASSWORD": "c3d4", **more}
    environ = {
        name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: secrets.get(found[1], ""), value)
        for name, value in SERVICES["gateway"]["environment"].items()
    }
    return load(TABLE, environ=environ, known_kinds=known_kinds())


def test_the_specification_s_schema_takes_it() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, FOLDER / "compose.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_would_refuse_a_wrong_key(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(TEXT.replace("healthcheck:", "health_check:", 1))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*command, tmp_path / "compose.yaml"], capture_output=True, check=False).returncode == 1


def test_all_that_is_mounted_is_there_or_declared() -> None:
    named = set()
    for name in SERVICES:
        for source in _mounts(name).values() if "volumes" in SERVICES[name] else ():
            if source.startswith("."):
                assert (FOLDER / source).resolve().exists(), source
            else:
                named.add(source)
    assert named == COMPOSE["volumes"].keys()
    build = SERVICES["gateway"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == ROOT / "Dockerfile"


def test_folders_of_configuration_are_mounted_whole_and_for_reading_only() -> None:
    for name in SERVICES:
        for mount in SERVICES[name].get("volumes", ()):
            if mount.startswith("."):
                assert mount.endswith(":ro")
                assert (FOLDER / mount.split(":")[0]).resolve().is_dir(), "a mounted file stays the old one"


def test_every_variable_is_in_the_example_and_no_other() -> None:
    example = re.findall(r"^([A-Z_]+)=(.*)$", (FOLDER / ".env.example").read_text(), re.MULTILINE)
    assert {name for name, _ in example} == set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert {value for _, value in example} == {""}, "no secret has a default"
    secrets = re.findall(r"\$\{(\w+_PASSWORD)(.*?)\}", TEXT)
    assert {rest.partition(" ")[0] for _, rest in secrets} == {":?fill"}


def test_the_table_is_right_with_these_variables() -> None:
    loaded = _table()
    assert loaded.errors == ()
    assert [problem.path for problem in loaded.warnings] == ["server.host"], "in a container it is open by design"
    assert loaded.settings is not None
    assert loaded.settings.store.reveal() == "postgresql://gaiarouter:a1b2@postgres:5432/gaiarouter"
    assert loaded.settings.redis is not None
    assert loaded.settings.redis.reveal() == "redis://:c3d4@valkey:6379/0"
    on = {name for name, provider in loaded.settings.providers.items() if provider.off is None}
    assert on == {"demo"}


def test_a_provider_is_on_when_its_key_is_there() -> None:
    settings = _table(ANTHROPIC_API_KEY="x").settings
    assert settings is not None
    assert settings.providers["anthropic"].off is None


def test_the_gateway_finds_its_table_its_journal_and_its_time_to_drain() -> None:
    gateway, settings = SERVICES["gateway"], _table().settings
    assert settings is not None
    mounts = _mounts("gateway")
    assert mounts[str(Path(gateway["environment"]["GAIAROUTER_CONFIG"]).parent)] == "./gateway"
    assert settings.ledger.path is not None
    assert mounts[str(Path(settings.ledger.path).parent)] == "journal"
    unit = gateway["stop_grace_period"]
    grace = int(unit[:-1]) * DURATION[unit[-1]]
    assert grace >= settings.server.drain_delay_s + settings.server.drain_s + 5
    assert [f"127.0.0.1:{settings.server.port}:{settings.server.port}"] == gateway["ports"]
    assert gateway["user"] == next(step.text for step in IMAGE if step.name == "USER")
    assert any(step.name == "HEALTHCHECK" for step in IMAGE)


def test_prometheus_scrapes_where_the_gateway_serves_metrics_and_callers_do_not_reach_it() -> None:
    settings = _table().settings
    assert settings is not None
    assert settings.server.admin_listen is not None
    (job,) = yaml.safe_load((ROOT / "config" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"gateway:{settings.server.admin_listen[1]}"]}]
    assert _mounts("prometheus")["/etc/prometheus"] == "../prometheus"
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not any(f":{settings.server.admin_listen[1]}:" in port for port in published)


def test_grafana_s_role_is_made_by_the_shipped_statements() -> None:
    reader = SERVICES["reader"]
    (mount,) = _mounts("reader").items()
    assert (FOLDER / mount[1] / "reader.sql").resolve() == ROOT / "config" / "grafana" / "sql" / "reader.sql"
    assert f"--file {mount[0]}/reader.sql" in reader["entrypoint"][-1]
    assert reader["image"] == SERVICES["postgres"]["image"]
    assert reader["environment"]["READER_PASSWORD"] == SERVICES["grafana"]["environment"]["GAIAROUTER_READER_PASSWORD"]


def test_grafana_finds_its_provisioning_its_dashboard_and_prometheus() -> None:
    grafana, mounts = SERVICES["grafana"], _mounts("grafana")
    provisioning = ROOT / "config" / "grafana" / "provisioning"
    assert (FOLDER / mounts["/etc/grafana/provisioning"]).resolve() == provisioning
    given = grafana["environment"]
    for file in sorted((provisioning / "datasources").iterdir()):
        assert set(re.findall(r"\$\{(\w+)\}", file.read_text())) <= given.keys()
    assert given["GAIAROUTER_PROMETHEUS"] == "http://prometheus:9090"
    assert given["GAIAROUTER_POSTGRES"] == "postgres:5432"
    (folder,) = yaml.safe_load((provisioning / "dashboards" / "gaiarouter.yml").read_text())["providers"]
    path = folder["options"]["path"]
    assert (FOLDER / mounts[path]).resolve() == ROOT / "config" / "grafana" / "dashboards"
    home = Path(given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == path
    assert (FOLDER / mounts[path] / home.name).exists()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    if "build" not in service:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"]), "pinned by its version"
    if "build" not in service and service["restart"] != "no":
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_whoever_is_waited_for_tells_when_it_is_healthy() -> None:
    for service in SERVICES.values():
        for other, condition in service.get("depends_on", {}).items():
            ends = SERVICES[other]["restart"] == "no"
            assert condition == {"condition": "service_completed_successfully" if ends else "service_healthy"}
            assert ends or "healthcheck" in SERVICES[other] or "build" in SERVICES[other]
