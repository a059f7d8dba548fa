"""config/helm: the chart's values, its templates, and what is rendered of it.

Where helm is, the chart is linted and rendered anew and compared with what is kept. Elsewhere what is kept counts: it
says of which files it was made, and those must be today's.
"""

from __future__ import annotations

import copy
import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from gaiarouter import create_app
from gaiarouter.config.loader import load
from gaiarouter.config.settings import Settings
from gaiarouter.config.units import parse_duration
from gaiarouter.providers import known_kinds
from tests.deployment.promql import ROOT, declared

HELM = ROOT / "config" / "helm"
CHART = HELM / "gaiarouter"
TEMPLATES = sorted((CHART / "templates").iterdir())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
PRODUCTION: dict[str, Any] = yaml.safe_load((HELM / "production.values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "render_chart.py"))
RENDERED: dict[Path, list[Path]] = SCRIPT["RENDERED"]
Documents = list[dict[str, Any]]
PLAIN, FULL = (
    [document for document in yaml.safe_load_all(file.read_text()) if document is not None] for file in RENDERED
)
SECRET = {
    "GAIAROUTER_STORE": "postgresql://u:p@db/g",
    "GAIAROUTER_REDIS": "redis://valkey:6379/0",
    "GAIAROUTER_HOST": "0.0.0.0",
}


def _only(documents: Documents, kind: str, name: str = "gaiarouter") -> dict[str, Any]:
    (found,) = (each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def _pod(documents: Documents) -> dict[str, Any]:
    (workload,) = (each for each in documents if each["kind"] in {"Deployment", "StatefulSet"})
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def _settings(documents: Documents, tmp_path: Path) -> Settings:
    file = tmp_path / "gaiarouter.yaml"
    file.write_text(_only(documents, "ConfigMap")["data"]["gaiarouter.yaml"])
    loaded = load(file, environ=SECRET, known_kinds=known_kinds())
    assert loaded.errors == ()
    assert loaded.settings is not None
    return loaded.settings


both = pytest.mark.parametrize("documents", [PLAIN, FULL], ids=["plain", "production"])


@pytest.mark.parametrize("file", RENDERED, ids=lambda file: file.name)
def test_what_is_kept_was_rendered_from_this_chart(file: Path) -> None:
    made_of = SCRIPT["fingerprint"](RENDERED[file])
    assert f"# Written by .ci/render_chart.py from {made_of}\n" in file.read_text(), "run python .ci/render_chart.py"
    if shutil.which("helm"):
        assert file.read_text() == SCRIPT["rendered"](file, RENDERED[file])


@pytest.mark.parametrize("name", SCRIPT["COPIED"])
def test_what_the_chart_copies_is_the_same(name: str) -> None:
    assert (CHART / "files" / name).read_bytes() == SCRIPT["COPIED"][name].read_bytes(), "run .ci/render_chart.py"


def test_helm_has_nothing_to_say_against_it() -> None:
    if (helm := shutil.which("helm")) is not None:
        command = [helm, "lint", "--strict", str(CHART), "--values", str(HELM / "production.values.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert {"apiVersion", "name", "version", "appVersion"} <= chart.keys()
    assert [name for name in ("values.yaml", "values.schema.json", ".helmignore") if not (CHART / name).exists()] == []


@both
def test_kubernetes_api_takes_every_object(documents: Documents) -> None:
    for document in documents:
        if not document["apiVersion"].startswith("monitoring.coreos.com/"):
            kubernetes_validate.validate(document, "1.33", strict=True)


def test_a_misspelled_field_is_refused() -> None:
    document = copy.deepcopy(_only(PLAIN, "Deployment"))
    document["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.33", strict=True)


def test_the_values_keep_their_schema() -> None:
    validator = jsonschema.Draft7Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    assert list(validator.iter_errors(VALUES)) == []
    assert list(validator.iter_errors({**VALUES, **PRODUCTION, "config": VALUES["config"]})) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"replica": 3},
        {"replicas": 0},
        {"existingSecret": ""},
        {"journal": {"persistence": True}},
        {"image": {"repository": "x", "digest": "latest"}},
        {"config": {"server": {"port": 8000, "admin_listen": "127.0.0.1:9000"}, "store": "x"}},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    assert len(list(jsonschema.Draft7Validator(SCHEMA).iter_errors({**VALUES, **wrong}))) == 1


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and value and not path.startswith(".config"):
            yield from _leaves(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def test_templates_use_every_value_and_no_other() -> None:
    text = "".join(path.read_text() for path in TEMPLATES)
    used = set(re.findall(r"\.Values((?:\.\w+)+)", text))
    for path in used:
        value: Any = VALUES
        for name in path.strip(".").split("."):
            assert name in value, f".Values{path} is in no values.yaml"
            value = value[name]
    for file, block in (("autoscaler.yaml", "autoscaling"), ("ingress.yaml", "ingress")):
        inside = set(re.findall(r"(?<=[ (])\.([a-z]\w*)", (CHART / "templates" / file).read_text()))
        assert inside == VALUES[block].keys(), f"{file} is one block `with .Values.{block}`"
    unused = [leaf for leaf in _leaves(VALUES) if not any(leaf == one or leaf.startswith(f"{one}.") for one in used)]
    assert unused == []


def test_braces_and_blocks_of_every_template_close() -> None:
    for path in TEMPLATES:
        actions = re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", path.read_text(), re.DOTALL)
        opened = [action for action in actions if re.match(r"(if|with|range|define)\b", action)]
        assert len(opened) == actions.count("end"), path.name
        assert path.read_text().count("{{") == len(actions)


@both
def test_the_table_in_the_configmap_is_right(documents: Documents, tmp_path: Path) -> None:
    settings = _settings(documents, tmp_path)
    assert settings.store.reveal() == SECRET["GAIAROUTER_STORE"]
    assert [route.name for route in settings.routes] == ["gpt-*", "claude-*", "gemini-*", "demo"]


@both
def test_a_changed_table_reaches_the_gateway_without_a_restart(documents: Documents) -> None:
    pod = _pod(documents)
    (container,) = pod["containers"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "config")
    assert "subPath" not in mount, "a subPath stays the file of the start"
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["GAIAROUTER_CONFIG"] == f"{mount['mountPath']}/gaiarouter.yaml"
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "config")
    assert volume["configMap"]["name"] == _only(documents, "ConfigMap")["metadata"]["name"]


@both
def test_probes_ask_what_the_gateway_answers(documents: Documents, tmp_path: Path) -> None:
    app = create_app({"store": f"sqlite:///{tmp_path}/g.db", "providers": {"demo": {"dialect": "echo"}}})
    paths = {resource.canonical for resource in app.router.resources()}
    (container,) = _pod(documents)["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["path"] for probe in probes.values()} <= paths
    assert probes["readiness"]["path"] == "/health/ready"
    assert probes["liveness"]["path"] == "/health/live", "a database that is away must not have pods killed"
    assert {probe["port"] for probe in probes.values()} == {"http"}
    speaks_tls = _settings(documents, tmp_path).server.tls is not None
    assert speaks_tls is (documents is FULL)
    assert {probe["scheme"] for probe in probes.values()} == {"HTTPS" if speaks_tls else "HTTP"}


def test_the_certificate_is_mounted_where_the_table_looks(tmp_path: Path) -> None:
    tls = _settings(FULL, tmp_path).server.tls
    assert tls is not None
    (container,) = _pod(FULL)["containers"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "tls")
    assert [f"{mount['mountPath']}/tls.crt", f"{mount['mountPath']}/tls.key"] == [tls.certificate, tls.key]
    (volume,) = (volume["secret"] for volume in _pod(FULL)["volumes"] if volume["name"] == "tls")
    assert volume == {"secretName": PRODUCTION["tlsSecret"], "defaultMode": 0o440}


@both
def test_ports_and_services_are_where_the_gateway_listens(documents: Documents, tmp_path: Path) -> None:
    settings = _settings(documents, tmp_path)
    assert settings.server.admin_listen is not None
    (container,) = _pod(documents)["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": settings.server.port, "admin": settings.server.admin_listen[1]}
    labels = {**_only(documents, "Service")["spec"]["selector"]}
    for name, port in (("gaiarouter", "http"), ("gaiarouter-admin", "admin")):
        service = _only(documents, "Service", name)
        assert service["spec"]["selector"] == labels
        assert [each["targetPort"] for each in service["spec"]["ports"]] == [port]


@both
def test_a_pod_that_is_told_to_go_has_the_time(documents: Documents, tmp_path: Path) -> None:
    settings = _settings(documents, tmp_path)
    needed = settings.server.drain_delay_s + settings.server.drain_s + 5
    assert settings.server.drain_delay_s >= parse_duration("5s")
    assert _pod(documents)["terminationGracePeriodSeconds"] > needed


@both
def test_a_pod_has_no_rights(documents: Documents) -> None:
    pod = _pod(documents)
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@both
def test_secrets_come_by_reference_only(documents: Documents) -> None:
    assert [each for each in documents if each["kind"] == "Secret"] == []
    (container,) = _pod(documents)["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "gaiarouter"}}]
    assert {each["name"] for each in container["env"]} == {"GAIAROUTER_CONFIG", "GAIAROUTER_HOST"}


@both
def test_the_journal_lies_on_what_may_be_written(documents: Documents, tmp_path: Path) -> None:
    path = _settings(documents, tmp_path).ledger.path
    assert path is not None
    (container,) = _pod(documents)["containers"]
    writable = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert Path(path).is_relative_to(writable["data"])
    assert writable.keys() == {"data", "tmp"}


def test_two_pods_of_which_one_may_be_away() -> None:
    assert _only(PLAIN, "Deployment")["spec"]["replicas"] == 2
    assert _only(PLAIN, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert _pod(PLAIN)["volumes"][-1] == {"name": "data", "emptyDir": {"sizeLimit": "2Gi"}}


def test_in_production_each_pod_keeps_its_journal_and_their_number_follows_the_load() -> None:
    workload = _only(FULL, "StatefulSet")
    assert "replicas" not in workload["spec"], "the autoscaler's to say"
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert workload["spec"]["serviceName"] == _only(FULL, "Service", "gaiarouter-admin")["metadata"]["name"]
    scaler = _only(FULL, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "gaiarouter"}
    pods, cpu = scaler["metrics"]
    metric = pods["pods"]["metric"]["name"]
    assert metric in declared()
    assert cpu["resource"]["name"] == "cpu"
    (rule,) = yaml.safe_load((HELM / "prometheus-adapter.values.yaml").read_text())["rules"]["custom"]
    assert rule["name"]["as"] == metric
    assert rule["seriesQuery"].startswith(metric)


def test_the_operator_s_objects_are_the_shipped_rules_and_dashboard() -> None:
    monitor = _only(FULL, "ServiceMonitor")["spec"]
    labels = _only(FULL, "Service", "gaiarouter-admin")["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["jobLabel"]] == "gaiarouter", "the job that rules and dashboard count by"
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["scheme"]) == ("admin", "/metrics", "https")
    shipped = [
        group
        for name in ("recording.rules.yml", "alerts.rules.yml")
        for group in yaml.safe_load((ROOT / "config" / "prometheus" / name).read_text())["groups"]
    ]
    page = PRODUCTION["prometheusRule"]["runbookUrl"]
    wanted = json.loads(json.dumps(shipped).replace("docs/alerts.md", page))
    assert _only(FULL, "PrometheusRule")["spec"]["groups"] == wanted
    dashboard = _only(FULL, "ConfigMap", "gaiarouter-dashboard")["data"]["gaiarouter.json"]
    assert json.loads(dashboard) == json.loads((CHART / "files" / "gaiarouter.json").read_text())


def test_only_those_named_reach_the_admin_port() -> None:
    callers, operators = _only(FULL, "NetworkPolicy")["spec"]["ingress"]
    assert callers == {"ports": [{"port": "http"}]}
    assert operators["ports"] == [{"port": "admin"}]
    assert operators["from"] == PRODUCTION["networkPolicy"]["metricsFrom"]
