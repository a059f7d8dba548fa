"""The routing table as a whole: globs, captures, who is named, circles of fallbacks, routes that nothing reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gaiarouter.config.globs import covers
from gaiarouter.config.problems import Findings, Path, clip
from gaiarouter.config.structure import nearest
from gaiarouter.routing.glob import Glob, GlobError

MAX_GLOBS = 1000
MAX_CHAIN = 100

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A route as far as it can be understood. references: `{model: NAME}` fallbacks; groups: links of its own chain."""

    path: Path
    globs: list[tuple[Path, Glob]] = field(default_factory=list)
    targets: list[tuple[Path, Mapping[str, Any]]] = field(default_factory=list)
    references: list[tuple[Path, str]] = field(default_factory=list)
    groups: int = 1
    is_whole: bool = True

    def matches(self, model: str) -> bool:
        return any(glob.match(model) is not None for _, glob in self.globs)


def check_routes(routes: Sequence[Any], providers: Mapping[str, Any], findings: Findings) -> None:
    """providers: the entries of `providers:` by name, right or wrong: a name that stands there is known."""
    entries = [_entry(route, index, findings) for index, route in enumerate(routes) if isinstance(route, dict)]
    for entry in entries:
        for path, target in entry.targets:
            _check_target(path, target, entry, providers, findings)
    # with a glob missing from the table nobody can say that it matches a name nowhere
    is_whole = len(entries) == len(routes) and all(entry.is_whole for entry in entries)
    edges = [list(_edges(entry, entries, findings, is_whole=is_whole)) for entry in entries]
    _check_circles(entries, edges, findings)
    if sum(len(entry.globs) for entry in entries) > MAX_GLOBS:
        findings.error(("routes",), f"more than {MAX_GLOBS} globs in all routes")
    else:
        _check_hidden(entries, findings)


def _entry(route: Mapping[str, Any], index: int, findings: Findings) -> _Entry:
    path: Path = ("routes", index)
    targets = list(_items(route.get("targets"), (*path, "targets")))
    references: list[tuple[Path, str]] = []
    fallbacks = list(_items(route.get("fallbacks"), (*path, "fallbacks"), groups=True))
    for at, item in fallbacks:
        if isinstance(item, list):
            targets += _items(item, at)
        elif "provider" in item:
            targets.append((at, item))
        elif "model" in item:
            _check_reference(at, item, findings)
            references.append(((*at, "model"), item["model"]))
    match = route.get("match", [None])
    globs = list(_globs(match, (*path, "match"), findings))
    is_whole = len(globs) == (1 if isinstance(match, str) else len(match))
    return _Entry(path, globs, targets, references, 1 + len(fallbacks), is_whole)


def _items(values: Any, path: Path, *, groups: bool = False) -> Iterator[tuple[Path, Any]]:
    # an item that the schema refused is None by now
    for index, item in enumerate(values or ()):
        if isinstance(item, dict) or (groups and isinstance(item, list)):
            yield (*path, index), item


def _globs(match: Any, path: Path, findings: Findings) -> Iterator[tuple[Path, Glob]]:
    texts = [(path, match)] if isinstance(match, str) else [((*path, index), text) for index, text in enumerate(match)]
    for place, text in texts:
        if text is None:
            continue
        try:
            yield place, Glob(text)
        except GlobError as error:
            findings.error(place, str(error))
        if "[^" in text:
            findings.error(place, f"the glob {clip(text)!r} has `[^`; all characters but some are `[!…]`")


def _check_reference(path: Path, item: Mapping[str, Any], findings: Findings) -> None:
    if "weight" in item:
        findings.error((*path, "weight"), "a fallback to another model has no weight; take it out", at_key=True)
    if _PLACEHOLDER.search(item["model"]):
        findings.error((*path, "model"), f"found {clip(item['model'])!r}, expected the full name of another model")


def _check_target(
    path: Path, target: Mapping[str, Any], entry: _Entry, providers: Mapping[str, Any], findings: Findings
) -> None:
    provider = target.get("provider")
    if provider is not None and provider not in providers:
        listed = nearest(provider, providers) or f"; `providers` has {', '.join(providers) or 'none'}"
        findings.error((*path, "provider"), f"unknown provider {clip(provider)!r}{listed}")
    at = (*path, "model")
    for name in _PLACEHOLDER.findall(target.get("model", "")):
        if re.fullmatch("[1-9][0-9]?", name):
            _check_capture(at, int(name), entry, findings)
        elif name != "model":
            findings.error(at, f"unknown placeholder {{{clip(name)}}}, expected {{model}}, {{1}}, {{2}} …")


def _check_capture(path: Path, number: int, entry: _Entry, findings: Findings) -> None:
    for _, glob in entry.globs:
        stars = len(glob.segments) - 1
        if stars < number:
            has = {0: "no `*`", 1: "only one `*`"}.get(stars, f"only {stars} `*`")
            findings.error(path, f"{{{number}}} has nothing to stand for: the glob {clip(glob.text)!r} has {has}")


def _edges(
    entry: _Entry, entries: Sequence[_Entry], findings: Findings, *, is_whole: bool
) -> Iterator[tuple[Path, str, int]]:
    """(place, name, index of the entry it leads to) of each fallback to another model."""
    for path, name in entry.references:
        index = next((index for index, other in enumerate(entries) if other.matches(name)), None)
        if index is not None:
            yield path, name, index
        elif is_whole and not _PLACEHOLDER.search(name):
            names = [glob.text for other in entries for _, glob in other.globs]
            findings.error(path, f"no route matches the model {clip(name)!r}{nearest(name, names)}")


def _check_circles(entries: Sequence[_Entry], edges: Sequence[list[tuple[Path, str, int]]], findings: Findings) -> None:
    """Follows every fallback once, depth first; one that leads back into the chain it came from closes a circle."""
    length: dict[int, int] = {}
    for start in range(len(entries)):
        chain: list[tuple[int, Iterator[tuple[Path, str, int]]]] = []
        if start not in length:
            chain.append((start, iter(edges[start])))
        while chain:
            index, waiting = chain[-1]
            edge = next(waiting, None)
            on_chain = [at for at, _ in chain]
            if edge is None:
                chain.pop()
                length[index] = entries[index].groups + sum(length.get(to, 0) for _, _, to in edges[index])
                _check_length(entries[index], length[index], findings)
            elif edge[2] in on_chain:
                circle = on_chain[on_chain.index(edge[2]) :]
                words = " -> ".join([_label(entries[at]) for at in circle] + [edge[1]])
                findings.error(edge[0], f"the fallbacks run in a circle: {clip(words, 200)}")
            elif edge[2] not in length:
                chain.append((edge[2], iter(edges[edge[2]])))


def _check_length(entry: _Entry, groups: int, findings: Findings) -> None:
    if groups > MAX_CHAIN:
        findings.error((*entry.path, "fallbacks"), f"leads to {groups} groups of targets, expected at most {MAX_CHAIN}")


def _label(entry: _Entry) -> str:
    return entry.globs[0][1].text if entry.globs else "?"


def _check_hidden(entries: Sequence[_Entry], findings: Findings) -> None:
    earlier: list[tuple[Path, Glob]] = []
    for entry in entries:
        hidden = {path: _hider(glob, earlier) for path, glob in entry.globs}
        if hidden and all(hidden.values()):
            _, by = next(iter(hidden.values())) or ((), "")
            findings.warning(entry.path, f"is never reached: {by} comes first and takes every name it matches")
        else:
            for path, hider in hidden.items():
                if hider:
                    findings.warning(path, f"never matches: {hider[1]} comes first and takes every such name")
        seen: set[str] = set()
        for path, glob in entry.globs:
            if glob.text in seen:
                findings.warning(path, f"the glob {clip(glob.text)!r} stands in this route twice")
            seen.add(glob.text)
        earlier += entry.globs


def _hider(glob: Glob, earlier: Sequence[tuple[Path, Glob]]) -> tuple[Path, str] | None:
    for path, other in earlier:
        if covers(other, glob):
            return path, f"routes[{path[1]}] ({clip(other.text)})"
    return None
