"""The lock can be installed by the pip that Python brings, also after newer releases of what it pins have come out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[2] / "requirements-dev.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?==", re.MULTILINE)


def pinned() -> dict[str, set[str]]:
    """Names of what the lock pins, each with the extras it is pinned with."""
    return {
        canonicalize_name(name): {extra.strip() for extra in extras.split(",")} if extras else set()
        for name, extras in _PIN.findall(LOCK.read_text())
    }


def wanted_with_extras(pins: dict[str, set[str]]) -> Iterator[tuple[str, Requirement]]:
    """What the installed packages of the lock require with extras, beside who requires it."""
    for name, extras in pins.items():
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # for another platform
            continue
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            if requirement.extras and (marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras))):
                yield name, requirement


def test_what_is_required_with_extras_is_pinned_with_them() -> None:
    """pip 23 looks for `name[extra]` apart from `name`, and refuses the newest it finds for want of a hash."""
    pins = pinned()
    wanted = list(wanted_with_extras(pins))
    assert wanted, "google-genai wants google-auth[requests]: if nothing does any more, this test can go"
    missing = [
        f"{name} wants {requirement}"
        for name, requirement in wanted
        if not requirement.extras <= pins[canonicalize_name(requirement.name)]
    ]
    assert not missing
