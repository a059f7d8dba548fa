"""The circuit breaker of one target.

    closed ──(too many failures)──> open ──(cooldown over)──> half open ──(3 probes answered in a row)──> closed
                                      ^───────────(a probe failed)───────────┘

1. Only failures that are the provider's fault are reported here. Times are seconds on one monotonic clock.
2. A half-open circuit lets one request through at a time, its probe. What else comes back while it is not closed began
   before it opened, and says nothing new.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

from gaiarouter.config.settings import Breaker

State = Literal["closed", "half_open", "open"]

CLOSING_PROBES: Final = 3
SHARE_WINDOW_S: Final = 10.0
SHARE_LEAST: Final = 20
SHARE_LIMIT: Final = 0.5


class Circuit:
    """It opens after `failures` in a row within `window`, or when half of at least 20 within 10 s have failed."""

    __slots__ = (
        "_failed",
        "_good_probes",
        "_last_probe",
        "_run",
        "_seen",
        "_window_began",
        "cooldown_s",
        "open_until",
        "probe",
        "probe_until",
    )

    def __init__(self) -> None:
        self.open_until: float | None = None
        """None is closed."""
        self.probe = 0
        """The number of the probe under way; 0 is none."""
        self.probe_until = 0.0
        """Then a probe that has not come back no longer holds others off."""
        self.cooldown_s = 0.0
        self._last_probe = 0
        self._good_probes = 0
        self._run: deque[float] = deque()
        self._window_began = 0.0
        self._seen = 0
        self._failed = 0

    def state(self, now: float) -> State:
        if self.open_until is None:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def admits(self, now: float) -> bool:
        """A request may begin: there is nothing against it, or it would be the probe."""
        return self.open_until is None or (now >= self.open_until and not self.is_probed(now))

    def is_probed(self, now: float) -> bool:
        return self.probe != 0 and now < self.probe_until

    def recovers_at(self) -> float:
        """When it may next admit a request, if nothing else happens; in the past if it does now."""
        if self.open_until is None:
            return 0.0
        return max(self.open_until, self.probe_until) if self.probe else self.open_until

    def begin(self, now: float) -> int:
        """A request begins. Returns its number if it is the probe, else 0; to be handed back when it ends."""
        if self.open_until is None:
            return 0
        self._last_probe += 1
        self.probe, self.probe_until = self._last_probe, now + self.cooldown_s
        return self.probe

    def release(self, probe: int) -> None:
        """A request ended without saying anything of the target, or has been counted: its probe is free again."""
        if probe and probe == self.probe:
            self.probe = 0

    def succeeded(self, probe: int, now: float) -> None:
        if probe:
            self.release(probe)
        if self.open_until is None:
            if self._run:
                self._run.clear()
            self._count(now, failed=False)
        elif probe:
            self._good_probes += 1
            self.open_until = min(self.open_until, now)
            if self._good_probes >= CLOSING_PROBES:
                self._close()

    def failed(self, probe: int, now: float, settings: Breaker) -> None:
        self.release(probe)
        if self.open_until is None:
            self._run.append(now)
            self._count(now, failed=True)
            if self._is_too_much(now, settings):
                self._open(now, settings)
        elif probe:
            self._open(now, settings)

    def _count(self, now: float, *, failed: bool) -> None:
        if now - self._window_began > SHARE_WINDOW_S:
            self._window_began, self._seen, self._failed = now, 0, 0
        self._seen += 1
        self._failed += failed

    def _is_too_much(self, now: float, settings: Breaker) -> bool:
        while self._run and (now - self._run[0] > settings.window_s or len(self._run) > settings.failures):
            self._run.popleft()
        if len(self._run) >= settings.failures:
            return True
        return self._seen >= SHARE_LEAST and self._failed >= SHARE_LIMIT * self._seen

    def _open(self, now: float, settings: Breaker) -> None:
        self.cooldown_s = settings.cooldown_s
        self.open_until = now + settings.cooldown_s
        self._good_probes = 0

    def _close(self) -> None:
        self.open_until = None
        self.probe = 0
        self._run.clear()
        self._seen = self._failed = 0
