"""Health checks of tasks: when to look, what a result means, when a task is given up.

Vocabulary: a *round* is one check from its start to its result; the *grace period* runs from the
start of the task, and failures in it count for nothing until the first success. Invariants: one
round at a time per task; the next starts `interval_seconds` after the last one ended; the first
success and each counted failure are told, repeated successes are not; `consecutive_failures` in a
row end the task. HTTP passes on 200 to 399 after redirects. Source: "Mesos: task health checking"
(apache/mesos src/checks/health_checker.cpp).
"""

from enum import Enum

import msgspec

from mesosphere.kernel.effects import Call, Effect, Probe, RunCheck
from mesosphere.wire.mesos.commands import CommandInfo, HealthCheck

HTTP_REDIRECTS_MOST = 20
NO_TIMEOUT_S = 3600.0
"""A timeout of 0 means none; an hour is as good and ends. No check may take longer."""
LEAST_INTERVAL_S = 0.1
"""A task that asks for checks without a pause gets this one."""
BODY_LIMIT_BYTES = 1024 * 1024
LOOPBACK = {"IPv4": "127.0.0.1", "IPv6": "[::1]"}


class Verdict(Enum):
    """What a result leads to."""

    SILENT = "nothing new: look again later"
    TELL_HEALTHY = "tell that the task is healthy now"
    TELL_UNHEALTHY = "tell that it is not"
    GIVE_UP = "tell that it is not, and end it"


class HealthState(msgspec.Struct):
    """The health of one task so far. `round` numbers the checks, so late answers are recognised."""

    check: HealthCheck
    started_at: float
    round: int = 0
    failures: int = 0
    healthy: bool | None = None

    def first_delay_s(self) -> float:
        """From the start of the task to its first check."""
        return self.check.delay_seconds

    def judge(self, now: float, passed: bool) -> Verdict:
        """Take a result in."""
        if passed:
            self.failures = 0
            if self.healthy is True:
                return Verdict.SILENT
            self.healthy = True
            return Verdict.TELL_HEALTHY
        in_grace = now < self.started_at + self.check.grace_period_seconds
        if self.healthy is None and in_grace:
            return Verdict.SILENT
        self.failures += 1
        self.healthy = False
        if self.failures >= max(self.check.consecutive_failures, 1):
            return Verdict.GIVE_UP
        return Verdict.TELL_UNHEALTHY


def why_no_check(check: HealthCheck) -> str:
    """What makes a check impossible; "" if it can be made."""
    kind = check_kind(check)
    if kind == "HTTP" and check.http is not None:
        return ""
    if kind == "TCP" and check.tcp is not None:
        return ""
    if kind == "COMMAND" and check.command is not None and check.command.value is not None:
        return ""
    return f"the health check of type {kind} lacks its description"


def check_kind(check: HealthCheck) -> str:
    """The type; old frameworks leave it out and give the description only."""
    if check.type in ("HTTP", "TCP", "COMMAND"):
        return check.type
    if check.http is not None:
        return "HTTP"
    return "COMMAND" if check.command is not None else "UNKNOWN"


def passes(kind: str, value: int) -> bool:
    """Whether an exit code (0), an HTTP status (200 to 399) or a connection (1) is healthy."""
    if kind == "HTTP":
        return 200 <= value < 400
    return value == 0 if kind == "COMMAND" else value == 1


class Target(msgspec.Struct, frozen=True):
    """What a health check or a check looks at, whatever message described it."""

    kind: str
    timeout_s: float
    port: int = 0
    path: str = ""
    scheme: str = "http"
    protocol: str = "IPv4"
    command: CommandInfo | None = None

    def effect(
        self, name: str, container: str, argv: tuple[str, ...], environment: dict[str, str],
        inside: bool = False,
    ) -> Effect | None:  # fmt: skip
        """The effect that looks; its answer carries `name`. `inside`: the container has a network
        of its own, and its loopback is not the host's."""
        timeout_s = min(self.timeout_s, NO_TIMEOUT_S) if self.timeout_s > 0 else NO_TIMEOUT_S
        host = LOOPBACK.get(self.protocol, LOOPBACK["IPv4"])
        if self.kind == "HTTP":
            url = f"{self.scheme}://{host}:{self.port}/{self.path.lstrip('/')}"
            if inside:
                return RunCheck(name, container, (), {}, timeout_s, url)
            return Call(
                name, "GET", url, {"Accept": "*/*"}, timeout_s=timeout_s,
                follow=HTTP_REDIRECTS_MOST, limit_bytes=BODY_LIMIT_BYTES,
            )  # fmt: skip
        if self.kind == "TCP" and inside:
            return RunCheck(name, container, (), {}, timeout_s, f"tcp://{host}:{self.port}")
        if self.kind == "TCP":
            return Probe(name, host.strip("[]"), self.port, timeout_s)
        if self.kind == "COMMAND":
            return RunCheck(name, container, argv, environment, timeout_s)
        return None


def health_target(check: HealthCheck) -> Target:
    """What a health check looks at."""
    kind = check_kind(check)
    timeout_s = check.timeout_seconds
    if kind == "HTTP" and check.http is not None:
        http = check.http
        scheme = http.scheme or "http"
        return Target(kind, timeout_s, http.port, http.path or "", scheme, http.protocol)
    if kind == "TCP" and check.tcp is not None:
        return Target(kind, timeout_s, check.tcp.port, protocol=check.tcp.protocol)
    return Target(kind, timeout_s, command=check.command)
