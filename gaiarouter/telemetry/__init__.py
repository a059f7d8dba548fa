"""What the gateway tells Prometheus: catalogue.py declares every metric, metrics.py keeps them.

Rule: a label's value comes from the configuration or from a list in catalogue.py, never from a request; what is not
known is `other`. Nothing here ever holds a prompt, an answer or a credential.
"""

from __future__ import annotations

from gaiarouter.telemetry.catalogue import NONE, OTHER, OUTCOMES
from gaiarouter.telemetry.metrics import Metrics, ReloadMetrics

__all__ = ["NONE", "OTHER", "OUTCOMES", "Metrics", "ReloadMetrics"]
