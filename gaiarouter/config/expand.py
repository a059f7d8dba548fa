"""`${NAME}` in the strings of the file becomes the environment's value; it is never read again as YAML.

`${NAME}` must be set, `${NAME:-default}` gives the default when NAME is missing or empty, `$$` is a dollar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gaiarouter.config.problems import Findings, Path, clip

_DOLLAR = re.compile(r"\$\$|\$\{([^}]*)\}|\$\{")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Expanded:
    """data: a fresh tree. written: the file's own words where they differ. variables: the names used, by path.

    failed: paths whose text could not be expanded; what stands there means nothing.
    """

    data: Any
    written: dict[Path, str] = field(default_factory=dict)
    variables: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    failed: set[Path] = field(default_factory=set)


def expand(data: Any, environ: Mapping[str, str], findings: Findings) -> Expanded:
    result = Expanded(None)

    def walk(value: Any, path: Path) -> Any:
        match value:
            case dict():
                return {key: walk(item, (*path, key)) for key, item in value.items()}
            case list():
                return [walk(item, (*path, index)) for index, item in enumerate(value)]
            case str() if "$" in value:
                return _expand_text(value, path, environ, findings, result)
            case _:
                return value

    return Expanded(walk(data, ()), result.written, result.variables, result.failed)


def _expand_text(text: str, path: Path, environ: Mapping[str, str], findings: Findings, result: Expanded) -> str:
    names: list[str] = []

    def replace(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        parsed = _NAME.fullmatch(found.group(1)) if found.group(1) is not None else None
        if parsed is None or "${" in (parsed.group(2) or ""):
            result.failed.add(path)
            findings.error(path, f"{clip(found.group())!r} is not a variable: write ${{NAME}} or ${{NAME:-default}}")
            return ""
        name, default = parsed.groups()
        names.append(name)
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            result.failed.add(path)
            findings.error(path, f"${{{name}}} is not set: set it, or give a default with ${{{name}:-default}}")
        return environ.get(name, "")

    expanded = _DOLLAR.sub(replace, text)
    if expanded != text or names:
        result.written[path] = text
        result.variables[path] = tuple(names)
    return expanded
