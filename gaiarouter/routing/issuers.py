"""A request that holds what only its issuer can read or keeps goes to that issuer, and to nobody else.

Who issued it is told by the handle's form and by who stands in the route: of those that it can be there must be exactly
one, else the caller is told which field it is. A seal on thinking only decides who is asked first, since a conversation
without it is still one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gaiarouter.canonical.losses import refused
from gaiarouter.dialects.binding import Binding
from gaiarouter.errors import InvalidRequest
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget

_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Issuers:
    """speaks: by provider, the dialects that it is spoken to in. stateless: those that keep nothing from one request to
    the next."""

    speaks: Mapping[str, Collection[str]]
    stateless: Collection[str] = ()

    def is_open(self, match: Match, dialect: str) -> bool:
        """Whether a request of the dialect may be bound to some of the route's targets and not to others, so that it
        is worth looking."""
        if match.alone is not None:
            return dialect not in self.speaks[match.alone.provider]
        providers = {target.provider for group in match.groups for target in group.targets}
        return len(providers) > 1 or any(dialect not in self.speaks[provider] for provider in providers)

    def bound(self, match: Match, bindings: Sequence[Binding]) -> Match:
        """The match with the targets that can serve such a request. Raises InvalidRequest with the field that none of
        them, or not just one provider, can have issued."""
        for binding in bindings:
            if binding.hold != "preference":
                match = self._held(match, binding)
        for binding in bindings:
            if binding.hold == "preference":
                return self._preferred(match, binding)
        return match

    def candidates(self, providers: Collection[str], binding: Binding) -> tuple[str, ...]:
        """Of the providers those that can have issued it, in their order."""
        keeping = binding.hold in ("kept", "state")
        able = [name for name in dict.fromkeys(providers) if not (keeping and name in self.stateless)]
        for dialect in binding.dialects:
            if found := tuple(name for name in able if dialect in self.speaks[name]):
                return found
        return ()

    def sole(self, providers: Collection[str], binding: Binding) -> str:
        """The one provider that can have issued it. Raises InvalidRequest."""
        found = self.candidates(providers, binding)
        if not found:
            raise _nobodys(binding)
        if len(found) > 1:
            names = ", ".join(found[:_NAMED])
            reason = f"only its issuer knows what it is, and that may be each of several providers ({names})"
            raise refused(binding.path, f"{reason}: ask for a model that one of them serves alone")
        return found[0]

    def keeps(self, match: Match, binding: Binding) -> bool:
        """Whether any of the match's targets can have issued it."""
        return bool(self.candidates(_reached(match), binding))

    def only(self, match: Match, issuer: str, binding: Binding) -> Match:
        """The match with the targets of this provider. Raises InvalidRequest where it has none."""
        if issuer not in _reached(match):
            raise _nobodys(binding)
        return _only(match, (issuer,))

    def _held(self, match: Match, binding: Binding) -> Match:
        reached = _reached(match)
        if not reached:
            return match
        if binding.hold != "state":
            return _only(match, (self.sole(reached, binding),))
        if able := self.candidates(reached, binding):
            return _only(match, able)
        raise refused(binding.path, "none of the model's providers has it")

    def _preferred(self, match: Match, binding: Binding) -> Match:
        """Each group in two: who can read the seal, and then the rest."""
        providers = [target.provider for group in match.groups for target in group.targets]
        readers = self.candidates(providers, binding)
        groups: list[ResolvedGroup] = []
        for group in match.groups:
            reading = [target for target in group.targets if target.provider in readers]
            if 0 < len(reading) < len(group.targets):
                rest = [target for target in group.targets if target.provider not in readers]
                groups += (replace(group, targets=tuple(reading)), replace(group, targets=tuple(rest)))
            else:
                groups.append(group)
        return replace(match, groups=tuple(groups))


def _reached(match: Match) -> list[str]:
    return [target.provider for group in match.groups if group.on is None for target in group.targets]


def _nobodys(binding: Binding) -> InvalidRequest:
    return refused(binding.path, "only its issuer knows what it is, and that is none of the model's providers")


def _only(match: Match, providers: Collection[str]) -> Match:
    def kept(targets: tuple[ResolvedTarget, ...]) -> tuple[ResolvedTarget, ...]:
        return tuple(target for target in targets if target.provider in providers)

    own, *fallbacks = (replace(group, targets=kept(group.targets)) for group in match.groups)
    return replace(match, groups=(own, *(group for group in fallbacks if group.targets)))
