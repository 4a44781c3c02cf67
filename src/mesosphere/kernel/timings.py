"""How long something took, the last times: what a timer of the metrics says.

The window is the last `WINDOW` values, not a span of time as in the original: it costs the same
however often the thing happens. Source: libprocess, metrics/timer.hpp and statistics.hpp.
"""

from collections import deque

WINDOW = 1_000
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "p9999": 0.9999}


class Timing:
    """Durations in milliseconds."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=WINDOW)

    def add(self, seconds: float) -> None:
        """One more."""
        self._values.append(seconds * 1000)

    def show(self, name: str) -> dict[str, float]:
        """The metrics of a timer: the last value, and of the window count, least, most and
        percentiles (the value that so many are not above). Nothing before the first value."""
        if not self._values:
            return {}
        ordered = sorted(self._values)
        last = len(ordered) - 1
        shown = {
            name: self._values[-1],
            f"{name}/count": float(len(ordered)),
            f"{name}/min": ordered[0],
            f"{name}/max": ordered[-1],
        }
        for percentile, part in PERCENTILES.items():
            place = part * last
            below = ordered[int(place)]
            above = ordered[min(int(place) + 1, last)]
            shown[f"{name}/{percentile}"] = below + (above - below) * (place - int(place))
        return shown
