"""Checks of tasks (CheckInfo): each change of the result is told, nothing is ended because of one.

Decides when to look and what is news. Invariants: one round at a time per task; the next starts
`interval_seconds` after the last one ended; a timed-out check has an empty result; until the first
result every status carries the check's type alone. Source: "Mesos: task checks" (apache/mesos
src/checks/checker.cpp).
"""

import msgspec

from mesosphere.agent.core.health import Target
from mesosphere.wire.mesos.commands import (
    CheckInfo,
    CheckStatusCommand,
    CheckStatusHttp,
    CheckStatusInfo,
    CheckStatusTcp,
)


class CheckState(msgspec.Struct):
    """The latest result of one task's check. `round` numbers the checks."""

    check: CheckInfo
    round: int = 0
    status: CheckStatusInfo | None = None

    def is_news(self, status: CheckStatusInfo) -> bool:
        """Take a result in; whether it differs from the last one."""
        changed = status != self.status
        self.status = status
        return changed


def check_target(check: CheckInfo) -> Target:
    """What a check looks at."""
    kind = check.type or "UNKNOWN"
    if kind == "HTTP" and check.http is not None:
        return Target(kind, check.timeout_seconds, check.http.port, check.http.path or "")
    if kind == "TCP" and check.tcp is not None:
        return Target(kind, check.timeout_seconds, check.tcp.port)
    command = check.command.command if check.command is not None else None
    return Target(kind, check.timeout_seconds, command=command)


def why_no_check(check: CheckInfo) -> str:
    """What makes a check impossible; "" if it can be made."""
    bodies = {"HTTP": check.http, "TCP": check.tcp, "COMMAND": check.command}
    if bodies.get(check.type or "") is None:
        return f"the check of type {check.type} lacks its description"
    return ""


def result(kind: str, value: int | None) -> CheckStatusInfo:
    """A result on the wire: exit code, HTTP status, or whether the connection succeeded."""
    if kind == "COMMAND":
        return CheckStatusInfo(type=kind, command=CheckStatusCommand(exit_code=value))
    if kind == "HTTP":
        return CheckStatusInfo(type=kind, http=CheckStatusHttp(status_code=value))
    succeeded = None if value is None else bool(value)
    return CheckStatusInfo(type=kind, tcp=CheckStatusTcp(succeeded=succeeded))


def no_result(check: CheckInfo | None) -> CheckStatusInfo | None:
    """What a status carries before the first result."""
    return None if check is None else result(check.type or "UNKNOWN", None)
