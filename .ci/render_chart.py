"""Renders the Helm chart, so that it is checked (and used) where there is no helm: needs `helm` on the PATH.

What was rendered says of which files of the chart it was made; a test compares. First the files that the chart only
copies are brought up to date.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHART = ROOT / "config" / "helm" / "gaiarouter"
COPIED = {
    "recording.rules.yml": ROOT / "config" / "prometheus" / "recording.rules.yml",
    "alerts.rules.yml": ROOT / "config" / "prometheus" / "alerts.rules.yml",
    "gaiarouter.json": ROOT / "config" / "grafana" / "dashboards" / "gaiarouter.json",
}
PRODUCTION = CHART.parent / "production.values.yaml"
RENDERED = {
    ROOT / "config" / "kubernetes" / "gaiarouter.yaml": [],
    ROOT / "tests" / "deployment" / "rendered" / "production.yaml": [PRODUCTION],
}
"""Where to, and the files of values."""
HEAD = {
    "gaiarouter.yaml": """\
# The chart of config/helm/gaiarouter with its own values, for a cluster without Helm:
#   kubectl create namespace gaiarouter
#   kubectl -n gaiarouter create secret generic gaiarouter --from-literal=GAIAROUTER_STORE=postgresql://… \\
#     --from-literal=GAIAROUTER_REDIS=redis://… --from-literal=OPENAI_API_KEY=…
#   kubectl -n gaiarouter apply -f gaiarouter.yaml
# Put your image's name and your routes in first. docs/kubernetes.md says how it works.
""",
    "production.yaml": "# The chart with config/helm/production.values.yaml.\n",
}


def fingerprint(values: list[Path]) -> str:
    """Of all that a rendering depends on."""
    files = sorted(path for path in CHART.rglob("*") if path.is_file())
    parts = [path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() for path in [*files, *values]]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def rendered(to: Path, values: list[Path]) -> str:
    options = [option for file in values for option in ("--values", str(file))]
    command = ["helm", "template", "gaiarouter", str(CHART), "--namespace", "gaiarouter", "--kube-version", "1.33.0"]
    made = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    made = "\n".join(line.rstrip() for line in made.splitlines()) + "\n"
    return f"{HEAD[to.name]}# Written by .ci/render_chart.py from {fingerprint(values)}\n{made}"


if __name__ == "__main__":
    for name, source in COPIED.items():
        shutil.copy(source, CHART / "files" / name)
    for file, values in RENDERED.items():
        file.write_text(rendered(file, values), encoding="utf-8")
