"""How long to wait before an app that keeps failing is launched again.

Decides the delay per app and configuration: the first failure waits `backoffSeconds`, each next
one `backoffFactor` times as long, up to `maxLaunchDelaySeconds`. A delay is forgotten when no
instance failed for that maximum after it ended.
Invariants: kept in memory only; killing is no failure; a new configuration starts afresh.
Source: Marathon, RateLimiter.scala.
"""

import msgspec

from mesosphere.wire.marathon.app import App

GROWTH_LIMIT = 200
"""Failures after which a delay no longer grows, whatever the factor."""


class Delay(msgspec.Struct, frozen=True):
    """The last delay of one configuration and when it ends."""

    config: str
    delay_s: float
    until: float
    failures: int


class BackOff:
    """Delays by app id."""

    def __init__(self) -> None:
        self._delays: dict[str, Delay] = {}

    def failed(self, app: App, now: float) -> Delay:
        """An instance ended by itself: lengthen the delay."""
        known = self._known(app)
        most_s = app.max_launch_delay_seconds
        if known is None or now > known.until + most_s:
            delay_s, failures = min(app.backoff_seconds, most_s), 1
        else:
            failures = min(known.failures + 1, GROWTH_LIMIT)
            delay_s = min(known.delay_s * app.backoff_factor, most_s)
        delay = Delay(app.version_info.last_config_change_at, delay_s, now + delay_s, failures)
        self._delays[app.id] = delay
        return delay

    def reset(self, app_id: str) -> None:
        """Launch at once again."""
        self._delays.pop(app_id, None)

    def left_s(self, app: App, now: float) -> float:
        """How long this app still has to wait; 0 when it may be launched."""
        known = self._known(app)
        return 0.0 if known is None else max(0.0, known.until - now)

    def _known(self, app: App) -> Delay | None:
        known = self._delays.get(app.id)
        if known is None or known.config != app.version_info.last_config_change_at:
            return None
        return known
