"""What the results of health checks mean for an instance.

Decides, for each result: whether the instance counts as alive, and whether it must be killed.
Vocabulary: *grace* is the time after a task began to run in which failures do not count, unless
it was healthy before; *alive* means that the last success is later than the last failure.
Invariants: a kill is asked for when the failures counted before this one reach
maxConsecutiveFailures, as the original does (the fourth failure with the default of 3).
Source: Marathon, "Health Checks"; HealthCheckActor.scala.
"""

from collections.abc import Sequence
from enum import Enum

import msgspec

from mesosphere.wire.marathon.app import App, HealthCheck


class Health(msgspec.Struct, frozen=True):
    """The results of one check of one instance. Times in seconds since 1970."""

    first_success: float | None = None
    last_success: float | None = None
    last_failure: float | None = None
    last_failure_cause: str | None = None
    consecutive_failures: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether the latest result that counted was a success."""
        if self.last_success is None:
            return False
        return self.last_failure is None or self.last_success > self.last_failure

    @property
    def is_known(self) -> bool:
        """Whether any result has counted."""
        return self.last_success is not None or self.last_failure is not None


class Verdict(Enum):
    """What the caller does next."""

    RECORD = "record"
    IGNORE = "ignore"  # still in grace
    KILL = "kill"  # record, and end the instance


def judge(
    health: Health, check: HealthCheck, cause: str | None, running_since: float, now: float
) -> tuple[Health, Verdict]:
    """Take one result: `cause` None is a success, else why it failed."""
    if cause is None:
        first = health.first_success if health.first_success is not None else now
        return (
            msgspec.structs.replace(
                health, first_success=first, last_success=now, consecutive_failures=0
            ),
            Verdict.RECORD,
        )
    in_grace = health.first_success is None and now < running_since + check.grace_period_seconds
    if in_grace:
        return health, Verdict.IGNORE
    failed = msgspec.structs.replace(
        health,
        last_failure=now,
        last_failure_cause=cause,
        consecutive_failures=health.consecutive_failures + 1,
    )
    limit = check.max_consecutive_failures
    kill = limit > 0 and health.consecutive_failures >= limit
    return failed, Verdict.KILL if kill else Verdict.RECORD


def http_cause(status: int, check: HealthCheck) -> str | None:
    """Why an HTTP answer is a failure; None when it is a success."""
    if 200 <= status < 400:
        return None
    return f"{status} {_REASONS.get(status, '')}".strip()


def overall(app: App, results: Sequence[Health]) -> bool | None:
    """Healthy, ill, or not known yet (None). An app without checks is never known."""
    if not app.health_checks:
        return None
    known = [health for health in results if health.is_known]
    if any(not health.is_alive for health in known):
        return False
    return True if len(known) == len(app.health_checks) else None


_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
