"""Writes the table of docs/providers.md from the rows of gaiarouter/providers/compatible.py."""

from __future__ import annotations

from pathlib import Path

from gaiarouter.providers import PROFILES
from gaiarouter.providers.base import Profile

PAGE = Path(__file__).parents[1] / "docs" / "providers.md"
BEGIN, END = "<!-- table: begin (written by .ci/update_providers_page.py) -->", "<!-- table: end -->"

_AUTH = {
    "bearer": "`Authorization: Bearer`",
    "api-key": "`api-key`",
    "x-api-key": "`x-api-key`",
    "x-goog-api-key": "`x-goog-api-key`",
    "none": "none",
}


def table() -> str:
    rows = ["| name | provider | address | key goes in | speaks |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*rows, *(_row(profile) for profile in PROFILES.values())])


def with_table(page: str) -> str:
    """`page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _row(profile: Profile) -> str:
    if profile.transport == "echo":
        address = "answers by itself, offline"
    else:
        address = f"`{profile.base_url}`" if profile.base_url is not None else "`base_url` must be given"
    return f"| `{profile.name}` | {profile.label} | {address} | {_AUTH[profile.auth]} | {', '.join(profile.speaks)} |"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
