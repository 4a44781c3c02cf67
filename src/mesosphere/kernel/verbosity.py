"""How much a daemon logs: the level that operators raise for a time.

Level 0 is what the daemon was configured to log; every level above adds what it logs for debugging.
A raised level falls back to 0 when its time is over; raising anew begins a new time.

Source: libprocess, src/logging.cpp (`/logging/toggle`); Mesos, SET_LOGGING_LEVEL.
"""

from mesosphere.kernel.durations import parse_duration
from mesosphere.kernel.effects import CancelTimer, Effect, Reply, SetTimer, SetVerbosity
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response, text_response

TIMER = "verbosity"
DURATION_LIMIT_S = 365 * 86400.0


class VerbosityChanged(Event, frozen=True):
    """An operator wants this level for so long; the answer to `request` is 200."""

    request: str
    level: int
    duration_s: float


class Verbosity:
    """The level that holds now."""

    def __init__(self) -> None:
        self.level = 0

    def change(self, event: VerbosityChanged) -> list[Effect]:
        """Set the level and begin its time."""
        self.level = event.level
        timer: Effect = CancelTimer(TIMER)
        if event.level > 0:
            timer = SetTimer(TIMER, min(event.duration_s, DURATION_LIMIT_S))
        return [SetVerbosity(self.level), timer, Reply(event.request, Response(200))]

    def expire(self) -> list[Effect]:
        """The time is over."""
        self.level = 0
        return [SetVerbosity(0)]


def toggle(verbosity: Verbosity, request: Request) -> Response | VerbosityChanged:
    """`/logging/toggle`: the level, or with `level` and `duration` a new one."""
    level, duration = request.first("level"), request.first("duration")
    if level is None and duration is None:
        return text_response(200, f"{verbosity.level}\n")
    if level is None:
        return text_response(400, "Expecting 'level=value' in query.\n")
    if duration is None:
        return text_response(400, "Expecting 'duration=value' in query.\n")
    if not level.isdigit() or len(level) > 9:
        return text_response(400, f"Invalid level '{level[:100]}'.\n")
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        return text_response(400, f"{error}.\n")
    return change(request, int(level), seconds)


def change(request: Request, level: int, duration_s: float) -> Response | VerbosityChanged:
    """SET_LOGGING_LEVEL and the end of `toggle`."""
    if duration_s < 0:
        return text_response(400, "The duration is negative.\n")
    return VerbosityChanged(request.id, level, duration_s)
