"""What `check` looks at beyond the table itself: the files that it names, and with --strict whether it is fit for
production. It asks no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gaiarouter.config.addresses import is_private
from gaiarouter.config.problems import Problem
from gaiarouter.config.settings import Route, Settings, Target, Tls
from gaiarouter.providers.prices import Prices, PriceTable
from gaiarouter.server.tls import UnusableCertificate, is_for_all, load_pair

_GLOB = frozenset("*?[")


def beyond_the_file(settings: Settings | None, *, strict: bool) -> Iterator[Problem]:
    """settings: None of a file with errors, of which nothing more is to be said."""
    if settings is None:
        return
    found = _Found(settings)
    if settings.server.tls is not None:
        yield from found.certificate(settings.server.tls)
    if strict:
        yield from found.unfit()


class _Found:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.path or "configuration"

    def certificate(self, tls: Tls) -> Iterator[Problem]:
        try:
            load_pair(tls)
        except UnusableCertificate as error:
            yield Problem(self._file, 0, 0, "server.tls", str(error))
        if is_for_all(tls.key):
            yield self._warning("server.tls.key", f"{tls.key} can be read by everybody: chmod 600")

    def unfit(self) -> Iterator[Problem]:
        yield from self._secrets()
        yield from self._openness()
        yield from self._sharing()
        prices = Prices(PriceTable.load(), self._settings.providers)
        for index, route in enumerate(self._settings.routes):
            yield from self._unpriced(index, route, prices)

    def _secrets(self) -> Iterator[Problem]:
        auth = self._settings.auth
        given: Mapping[str, bool] = {
            "GAIAROUTER_ADMIN_KEY": auth.admin_key is not None,
            "GAIAROUTER_KEY_PEPPER": auth.pepper is not None,
        }
        for name, is_given in given.items():
            if not is_given:
                why = "who loses the last key with `admin` is locked out" if "ADMIN" in name else (
                    "who reads the database can try keys against it, and it cannot be given later without new keys"
                )  # fmt: skip
                yield Problem(name, 0, 0, "", f"is not set: {why}", "warning")

    def _openness(self) -> Iterator[Problem]:
        settings = self._settings
        if not settings.auth.required:
            yield self._warning("auth.required", "callers need no key")
        if settings.auth.wrong_keys is None:
            yield self._warning("auth.wrong_keys", "keys may be guessed without end")
        if settings.server.admin_listen is None and not is_private(settings.server.host):
            message = "is not set: the control plane and /metrics are open wherever callers come from"
            yield self._warning("server.admin_listen", message)

    def _sharing(self) -> Iterator[Problem]:
        settings = self._settings
        if settings.redis is not None and settings.store.reveal().startswith("sqlite:"):
            message = "is a file of one machine, which the replicas that `redis` is for cannot share: use PostgreSQL"
            yield self._warning("store", message)

    def _unpriced(self, index: int, route: Route, prices: Prices) -> Iterator[Problem]:
        groups = (route.targets, *route.fallbacks)
        for target in (target for group in groups for target in group.targets):
            for model in _models(route, target):
                if prices.find(target.provider, model) is None and not prices.tells_cost(target.provider, model):
                    message = (
                        f"{target.provider}/{model} has no price: it is in no cost, and no budget holds for it; "
                        f"say one under providers.{target.provider}.prices"
                    )
                    yield Problem(self._file, route.line, 1, f"routes[{index}]", message, "warning")

    def _warning(self, path: str, message: str) -> Problem:
        return Problem(self._file, 0, 0, path, message, "warning")


def _models(route: Route, target: Target) -> Iterator[str]:
    """The names that can be told without a request."""
    if target.model is not None and "{" not in target.model:
        yield target.model
    elif target.model in (None, "{model}"):
        yield from (name for name in route.match if not _GLOB.intersection(name))
