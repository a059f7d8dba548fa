"""What came of the cases: for a person at a terminal, and as JUnit's XML for a build server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from gaiarouter.rehearsal.cases import Case
from gaiarouter.rehearsal.play import Happened
from gaiarouter.rehearsal.verdict import Difference

_LABEL = 12


@dataclass(frozen=True, slots=True)
class Played:
    """One case that was played. real_s: how long that took, in true seconds."""

    file: str
    case: Case
    happened: Happened
    differences: tuple[Difference, ...]
    real_s: float


def render_text(played: Sequence[Played], *, verbose: bool) -> str:
    """verbose: also what happened in those that passed."""
    lines: list[str] = []
    for each in played:
        lines.append(_plain(f"{'FAIL' if each.differences else 'ok  '}  {each.case.name}"))
        if each.differences or verbose:
            lines += [_plain(f"      {line}".rstrip()) for line in _explained(each)]
    failed = sum(bool(each.differences) for each in played)
    count = f"{len(played)} test{'' if len(played) == 1 else 's'}"
    return "\n".join([*lines, f"{count}, {failed} failed" if failed else f"{count}, all passed"])


def render_junit(played: Sequence[Played]) -> str:
    root = ElementTree.Element("testsuites")
    for file in dict.fromkeys(each.file for each in played):
        mine = [each for each in played if each.file == file]
        failures = sum(bool(each.differences) for each in mine)
        took = f"{sum(each.real_s for each in mine):.3f}"
        numbers = {"tests": str(len(mine)), "failures": str(failures), "errors": "0", "skipped": "0", "time": took}
        suite = ElementTree.SubElement(root, "testsuite", {"name": file, **numbers})
        for each in mine:
            about = {"name": _plain(each.case.name), "classname": file, "file": file, "line": str(each.case.line)}
            case = ElementTree.SubElement(suite, "testcase", {**about, "time": f"{each.real_s:.3f}"})
            if each.differences:
                message = "; ".join(f"{d.what}: expected {d.expected}, was {d.happened}" for d in each.differences)
                failure = ElementTree.SubElement(case, "failure", {"message": _plain(message), "type": "difference"})
                failure.text = "\n".join(_plain(line) for line in _explained(each))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _explained(it: Played) -> Iterator[str]:
    if it.differences:
        yield f"{it.file}:{it.case.line}"
    for each in it.differences:
        yield f"{each.what:{_LABEL}} expected  {each.expected}"
        yield f"{'':{_LABEL}} happened  {each.happened}"
    happened, width = it.happened, max((len(each.target.id) for each in it.happened.asked), default=0)
    for number, asked in enumerate(happened.asked, 1):
        yield f"{_at(asked.at_s)}  attempt {number}  {asked.target.id:{width}}  {asked.word}{_took(asked.took_s)}"
    for target in happened.passed_over:
        yield f"{'':>12}  passed over  {target}: it serves no such requests"
    end = f"by {happened.served}" if happened.served else "by nobody"
    code = f" {happened.error}" if happened.error else ""
    route = f", route {happened.route}" if happened.route else ", no route"
    yield f"{_at(happened.took_s)}  answered   {happened.status}{code} {end}{route}"


def _at(seconds: float) -> str:
    return f"{seconds:10.3f} s"


def _took(seconds: float) -> str:
    return f", after {seconds:g} s" if seconds else ""


def _plain(text: str) -> str:
    """What stands in names must break neither a terminal nor XML."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
