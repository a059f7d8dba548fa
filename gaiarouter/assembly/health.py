"""What becomes of providers, said where operators look."""

from __future__ import annotations

from typing import assert_never

import structlog

from gaiarouter.routing.breaker import Change

_log = structlog.get_logger("gaiarouter.health")


def tell(change: Change) -> None:
    about = {"provider": change.provider, "target": change.target}
    match change.kind:
        case "opened":
            _log.warning("breaker.opened", **about, for_s=change.for_s)
        case "probed":
            _log.debug("breaker.half_open", **about)
        case "reopened":
            _log.info("breaker.reopened", **about, for_s=change.for_s)
        case "closed":
            _log.info("breaker.closed", **about)
        case "refused":
            _log.error("provider.key_refused", **about, key_index=change.key, for_s=change.for_s)
        case "throttled":
            _log.warning("provider.throttled", **about, key_index=change.key, for_s=change.for_s)
        case _:
            assert_never(change.kind)
