"""The words of routing: a target resolved for one request, and the table's answer for a model name."""

from __future__ import annotations

from dataclasses import dataclass, field

from gaiarouter.config.settings import Balance, FallbackCondition, Route


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """A target for one request: the provider's name, and the model's name there with `{model}`, `{1}` filled in.

    route: the one it stands in, which is another than the matched one behind a `{model: fast}` fallback.
    """

    provider: str
    model: str
    route: str
    weight: int = 1
    id: str = field(init=False, repr=False, compare=False)
    """`provider/model`, made once: every attempt asks for it several times."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.provider}/{self.model}")


@dataclass(frozen=True, slots=True)
class ResolvedGroup:
    """Targets that share traffic, with only those whose provider is on. on: see settings.Group.

    balance: how they share it. Behind a `{model: fast}` fallback `on` is what both the reference and the group ask for.
    """

    targets: tuple[ResolvedTarget, ...]
    on: tuple[FallbackCondition, ...] | None = None
    balance: Balance = "weighted"


@dataclass(frozen=True, slots=True)
class Match:
    """The route for a model name and its chain: first the route's own group, then the fallbacks in order.

    captures: what each star of `glob` stands for. groups: the first is the route's own, even if nothing in it is on.
    alone: the one target, where no other is ever asked.
    """

    route: Route
    model: str
    glob: str
    captures: tuple[str, ...]
    groups: tuple[ResolvedGroup, ...]
    alone: ResolvedTarget | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        first = self.groups[0] if len(self.groups) == 1 else None
        is_alone = first is not None and first.on is None and len(first.targets) == 1
        object.__setattr__(self, "alone", first.targets[0] if first is not None and is_alone else None)
