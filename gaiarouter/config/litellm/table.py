"""The whole of it: LiteLLM's file in, the text of a gaiarouter.yaml and a report out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from gaiarouter.config.litellm.deployments import Deployment, deployment
from gaiarouter.config.litellm.fallbacks import Chains, rules
from gaiarouter.config.litellm.providers import name_providers, providers
from gaiarouter.config.litellm.report import Note, Report, lines
from gaiarouter.config.litellm.routes import group, targets, write
from gaiarouter.config.litellm.sections import SECTIONS, settings
from gaiarouter.config.litellm.source import VARIABLE, list_of, mapping_of, read
from gaiarouter.config.loader import load_mapping
from gaiarouter.providers import known_kinds

_READ = frozenset(
    {"model_list", "litellm_settings", "router_settings", "general_settings", "environment_variables", "include"}
    | {"credential_list"}
)
_SETTINGS = ("litellm_settings", "router_settings", "general_settings")
_HEAD = """\
# yaml-language-server: $schema=gaiarouter/config/schema.json
#
# From LiteLLM's {name}, by `gaiarouter import litellm`. Check it with `gaiarouter check`; what can stand here:
# docs/configuration.md.
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """text: of the new file. served: the deployments that came along, of `given`."""

    text: str
    notes: tuple[Note, ...]
    served: int
    given: int

    @property
    def is_whole(self) -> bool:
        return not self._left_out

    @property
    def _left_out(self) -> int:
        return sum(note.kind == "left out" for note in self.notes)

    @property
    def report(self) -> str:
        """A line a note, and one that counts."""
        came = f"{self.served} of {self.given} deployments came along; {self._left_out} left out, "
        return "\n".join([*lines(self.notes), f"{came}{len(self.notes) - self._left_out} to know"])


def convert(path: FilePath) -> Imported:
    """Raises UnreadableError, or OSError."""
    source = read(path)
    report = Report(str(path), source.marks)
    sections = {name: _section(source.values, name) for name in _SETTINGS}
    entries = list_of(source.values.get("model_list"))
    credentials = _credentials(source.values)
    found = [deployment(entry, ("model_list", at), credentials, report) for at, entry in enumerate(entries)]
    served = [each for each in found if each is not None]
    written = _written(served, sections, report)
    _note_sections(source.values, report)
    _note_problems(written, report)
    return Imported(_text(path.name, written), report.notes, len(served), len(entries))


def _written(served: list[Deployment], sections: Mapping[str, Mapping[str, Any]], report: Report) -> dict[str, Any]:
    names = name_providers(served)
    router = sections["router_settings"]
    chains = Chains(group(served), lambda own: targets(own, names, report), report)
    for alias, named in mapping_of(router.get("model_group_alias")).items():
        at = ("router_settings", "model_group_alias", str(alias))
        chains.add_alias(str(alias), str(named.get("model") if isinstance(named, dict) else named), at)
    chains.add(rules({name: sections[name] for name in ("router_settings", "litellm_settings")}, report))
    strategy = router.get("routing_strategy")
    if strategy in ("usage-based-routing", "usage-based-routing-v2"):
        report.differs(("router_settings", "routing_strategy"), "by weight, as simple-shuffle")
    routes = [write(route, names, strategy, report) for route in chains.routes]
    longest = max((len(route.get("fallbacks", ())) for route in routes), default=0)
    return {
        **settings(sections, report, longest),
        "providers": providers(served, names, report),
        "routes": routes,
    }


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return mapping_of(values.get(name))


def _credentials(values: Mapping[str, Any]) -> Mapping[str, Any]:
    entries = [entry for entry in list_of(values.get("credential_list")) if isinstance(entry, dict)]
    return {str(entry.get("credential_name")): mapping_of(entry.get("credential_values")) for entry in entries}


def _note_sections(values: Mapping[str, Any], report: Report) -> None:
    variables = _section(values, "environment_variables")
    if variables:
        names = ", ".join(map(str, variables))
        report.differs(("environment_variables",), f"put these into the environment, or a file .env: {names}")
    for name in values:
        if name not in _READ:
            report.left_out((name,), SECTIONS.get(name, "not known to this import"))


_WHOLE = re.compile(r"(base_url|store|redis): \$\{([A-Za-z_][A-Za-z0-9_]*)")
_STAND_INS = {"base_url": "https://stand.in/v1", "store": "postgresql://stand.in/db", "redis": "redis://stand.in"}


def _note_problems(written: Mapping[str, Any], report: Report) -> None:
    """What our own check says of the new file, with something in every variable: mostly a mistake in the old one."""
    text = yaml.safe_dump(written)
    environ = dict.fromkeys(VARIABLE.findall(text), "6379")
    environ |= {name: _STAND_INS[key] for key, name in _WHOLE.findall(text)}
    for problem in load_mapping(written, environ=environ, known_kinds=known_kinds()).problems:
        report.differs((), f"`gaiarouter check` says of the new file: {problem.path}: {problem.message}")


_ORDER = ("server", "store", "redis", "ledger", "providers", "defaults", "routes")


def _text(name: str, written: Mapping[str, Any]) -> str:
    """Innermost mappings and lists stand on a line, as in the files that ship."""
    head = _HEAD.format(name=re.sub(r"[^\w. -]", "?", name))
    sections = [{section: written[section]} for section in _ORDER if section in written]
    return "\n".join([head, *map(_dump, sections)])


def _dump(section: Mapping[str, Any]) -> str:
    flow = None if any(isinstance(value, dict | list) and value for value in section.values()) else False
    return yaml.safe_dump(section, sort_keys=False, default_flow_style=flow, width=120, allow_unicode=True)
