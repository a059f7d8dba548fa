"""A request's way through the gateway, in the order of STAGES:

    caller ─▶ Admission ─▶ Auth ──▶ RateLimit ──▶ Transform ──▶ Booking ──▶ Proxy ──▶ Metering
              is there     who is   may they,     which route,  write down   targets   price it,
              room         calling  now           its edits     that it      until one count it
                                                                runs         speaks

Recording, after Auth, is there only where `log.bodies` is set.

Each stage has two verbs: `request()`, top to bottom until one raises, and `finish()`, always all of them (runner.py).
"""

from __future__ import annotations

from typing import Final

from gaiarouter.pipeline.admission import Admission
from gaiarouter.pipeline.auth import Auth
from gaiarouter.pipeline.booking import Booking
from gaiarouter.pipeline.metering import Metering
from gaiarouter.pipeline.proxy import Proxy
from gaiarouter.pipeline.rate_limit import RateLimit
from gaiarouter.pipeline.recording import Recording
from gaiarouter.pipeline.runner import Stage
from gaiarouter.pipeline.transform import Transform

__all__ = [
    "STAGES",
    "Admission",
    "Auth",
    "Booking",
    "Metering",
    "Proxy",
    "RateLimit",
    "Recording",
    "Stage",
    "Transform",
]

STAGES: Final[tuple[type[Stage], ...]] = (Admission, Auth, Recording, RateLimit, Transform, Booking, Proxy, Metering)
