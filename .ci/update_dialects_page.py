"""Writes the tables of docs/dialects.md from the accounts in gaiarouter/dialects/*/fields.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from gaiarouter.dialects.accounting import Field
from gaiarouter.dialects.chat import fields as chat
from gaiarouter.dialects.completions import fields as completions
from gaiarouter.dialects.gemini import fields as gemini
from gaiarouter.dialects.messages import fields as messages
from gaiarouter.dialects.responses import fields as responses

PAGE = Path(__file__).parents[1] / "docs" / "dialects.md"
BEGIN, END = "<!-- table: begin (written by .ci/update_dialects_page.py) -->", "<!-- table: end -->"


class Rule(Protocol):
    @property
    def kind(self) -> str: ...

    @property
    def why(self) -> str: ...


TARGETS: Mapping[str, tuple[Mapping[str, Rule], frozenset[str]]] = {
    "Chat": (chat.SLOTS, frozenset()),
    "Messages": (messages.SLOTS, messages.FORWARDED_EXTRAS),
    "Gemini": (gemini.SLOTS, frozenset(gemini.FORWARDED_EXTRAS)),
    "Responses": (responses.SLOTS, responses.FORWARDED_EXTRAS),
}
"""Each target's rules by slot, and the extras that it takes by their own names."""

CALLERS: Mapping[str, Mapping[str, Field]] = {
    "Chat": chat.TOP_LEVEL | chat.NESTED,
    "Messages": messages.TOP_LEVEL | messages.NESTED,
    "Responses": responses.TOP_LEVEL | responses.NESTED,
    "Gemini": gemini.FIELDS | gemini.NESTED,
    "Completions": completions.TOP_LEVEL,
}


def table() -> str:
    """One for each dialect of callers. A target of the caller's own dialect is no column: it gets all."""
    return "\n\n".join(_table(dialect, fields) for dialect, fields in CALLERS.items())


def _table(dialect: str, fields: Mapping[str, Field]) -> str:
    targets = {name: target for name, target in TARGETS.items() if name != dialect}
    rows = [f"| field of {dialect} | {' | '.join(targets)} |", f"| --- {'| --- ' * len(targets)}|"]
    for name, field in fields.items():
        cells = [_cell(name, field, *target) for target in targets.values()]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def with_table(page: str) -> str:
    """`page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _cell(name: str, field: Field, slots: Mapping[str, Rule], extras: frozenset[str]) -> str:
    if field.slot is None:
        return "map" if name in extras else {"refuse": "reject"}.get(field.loss, "drop")
    rule = slots[field.slot]
    return f"{rule.kind}: {rule.why}" if rule.why else rule.kind


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
