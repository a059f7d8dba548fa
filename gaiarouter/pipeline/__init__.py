"""A request's way through the gateway, in the order of STAGES:

    caller ─▶ Admission ─▶ Auth ──▶ RateLimit ──▶ Transform ──▶ Proxy ──▶ Metering
              is there     who is   may they,     which route,  targets   price it,
              room         calling  now           its edits     until one  count it
                                                                speaks

Each stage has two verbs: `request()`, top to bottom until one raises, and `finish()`, always all of them (runner.py).
"""

from __future__ import annotations

from typing import Final

from gaiarouter.pipeline.admission import Admission
from gaiarouter.pipeline.auth import Auth
from gaiarouter.pipeline.metering import Metering
from gaiarouter.pipeline.proxy import Proxy
from gaiarouter.pipeline.rate_limit import RateLimit
from gaiarouter.pipeline.runner import Stage
from gaiarouter.pipeline.transform import Transform

__all__ = ["STAGES", "Admission", "Auth", "Metering", "Proxy", "RateLimit", "Stage", "Transform"]

STAGES: Final[tuple[type[Stage], ...]] = (Admission, Auth, RateLimit, Transform, Proxy, Metering)
