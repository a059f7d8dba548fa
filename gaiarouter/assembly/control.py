"""The control plane: which resources there are, and what each stands on."""

from __future__ import annotations

import time
from collections.abc import Callable

from gaiarouter.config.settings import Settings
from gaiarouter.dialects.base import Dialect
from gaiarouter.routing.breaker import Health
from gaiarouter.server.admin.access import Access
from gaiarouter.server.admin.api_keys import ApiKeys
from gaiarouter.server.admin.explain import RoutesExplain
from gaiarouter.server.admin.organizations import Organizations
from gaiarouter.server.admin.plane import ControlPlane
from gaiarouter.server.admin.reload import ConfigReload
from gaiarouter.server.admin.routes_health import RoutesHealth
from gaiarouter.server.admin.statistics import Statistics
from gaiarouter.server.admin.usage import UsageRecords
from gaiarouter.server.admin.users import Users
from gaiarouter.server.handler import Service
from gaiarouter.store.base import Store


def build_control(
    settings: Settings,
    store: Store,
    service: Callable[[], Service],
    dialect: Dialect,
    *,
    health: Health,
    reload: ConfigReload,
) -> ControlPlane:
    """service: read at each call, so that a reload changes what the control plane goes by."""
    return ControlPlane(
        [
            *Organizations(store).operations(),
            *Users(store).operations(),
            *ApiKeys(store, defaults=lambda: service().settings.limits, pepper=pepper_of(settings)).operations(),
            *RoutesExplain(service, store).operations(),
            *Statistics(store).operations(),
            *UsageRecords(store).operations(),
            *RoutesHealth(health, time.monotonic).operations(),
            *reload.operations(),
        ],
        Access(service, admin_key=settings.auth.admin_key),
        dialect,
    )


def pepper_of(settings: Settings) -> bytes | None:
    pepper = settings.auth.pepper
    return None if pepper is None else pepper.reveal().encode()
