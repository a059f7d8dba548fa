"""Settings as flat names with their words: `timeouts.total` is `900 s`. A secret is compared, and shown as `***`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Rate


@dataclass(frozen=True, slots=True)
class Change:
    """before, after: None is not there."""

    what: str
    before: str | None
    after: str | None


def changes(before: Any, after: Any, *, but: frozenset[str] = frozenset()) -> tuple[Change, ...]:
    """Between two settings of the same kind. but: names of fields that are looked at elsewhere."""
    old, new = dict(_flat(before, "", but)), dict(_flat(after, "", but))
    return tuple(
        Change(name, *_words(old.get(name), new.get(name)))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


def _flat(value: Any, path: str, but: frozenset[str]) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value) and not isinstance(value, Rate):
        for field in fields(value):
            if field.name not in but:
                yield from _flat(getattr(value, field.name), f"{path}.{field.name}" if path else field.name, but)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}", but)
    elif value not in (None, ()):
        yield path, value


def _words(before: Any, after: Any) -> tuple[str | None, str | None]:
    """Of one value before and after; of a secret only that it is another one."""
    return _word(before), "*** (another)" if isinstance(after, Secret) and before is not None else _word(after)


def _word(value: Any) -> str | None:
    match value:
        case None:
            return None
        case Rate(amount=amount, per_s=per_s):
            return f"{amount} each {per_s:g} s"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() if any(is_dataclass(each) for each in value):
            return f"{len(value)} of them"  # keys: what they hold is secret
        case tuple():
            return ", ".join(str(each) for each in value)
        case _:
            return str(value)
