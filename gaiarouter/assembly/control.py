"""The control plane: which resources there are, and what each stands on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gaiarouter.config.settings import Limits, Settings
from gaiarouter.dialects.base import Dialect
from gaiarouter.routing.breaker import Health
from gaiarouter.server.admin.access import Access
from gaiarouter.server.admin.api_keys import ApiKeys
from gaiarouter.server.admin.audit import Audit
from gaiarouter.server.admin.explain import RoutesExplain
from gaiarouter.server.admin.log_level import LogLevelOperations
from gaiarouter.server.admin.operation import Operation
from gaiarouter.server.admin.organizations import Organizations
from gaiarouter.server.admin.plane import ControlPlane
from gaiarouter.server.admin.reload import ConfigReload
from gaiarouter.server.admin.routes_health import RoutesHealth
from gaiarouter.server.admin.statistics import Statistics
from gaiarouter.server.admin.usage import UsageRecords
from gaiarouter.server.admin.users import Users
from gaiarouter.server.handler import Service
from gaiarouter.store.base import Store
from gaiarouter.telemetry import Metrics


def build_control(
    settings: Settings,
    store: Store,
    service: Callable[[], Service],
    dialect: Dialect,
    *,
    health: Health,
    reload: ConfigReload,
    log_level: LogLevelOperations,
    metrics: Metrics,
) -> ControlPlane:
    """service: read at each call, so that a reload changes what the control plane goes by."""
    return ControlPlane(
        [
            *stored(store, lambda: service().settings.limits, pepper_of(settings)),
            *RoutesExplain(service, store).operations(),
            *Statistics(store).operations(),
            *UsageRecords(store).operations(),
            *RoutesHealth(health, time.monotonic).operations(),
            *reload.operations(),
            *log_level.operations(),
        ],
        Access(service, admin_key=settings.auth.admin_key),
        dialect,
        on_end=lambda operation, status: metrics.control_requests.labels(operation, f"{status // 100}xx").inc(),
    )


def stored(store: Store, defaults: Callable[[], Limits], pepper: bytes | None) -> Sequence[Operation]:
    """The operations that need nothing but the store, which the command line has too."""
    return (
        *Organizations(store).operations(),
        *Users(store).operations(),
        *ApiKeys(store, defaults=defaults, pepper=pepper).operations(),
        *Audit(store).operations(),
    )


def pepper_of(settings: Settings) -> bytes | None:
    pepper = settings.auth.pepper
    return None if pepper is None else pepper.reveal().encode()
