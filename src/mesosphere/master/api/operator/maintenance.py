"""Calls about maintenance and draining: what an operator does before a machine goes away."""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import DrainConfig, Duration, DurationInfo, operator

NANOSECONDS = 1_000_000_000
GRACE_MOST_S = 9_223_372_035
"""A duration that fits into 64 bits of nanoseconds."""


def update_schedule(
    master: MasterMachine, now: float, request: Request, call: operator.Call
) -> Answer:
    """UPDATE_MAINTENANCE_SCHEDULE: the whole schedule anew."""
    assert call.update_maintenance_schedule is not None
    return commands.ScheduleReplaced(request.id, call.update_maintenance_schedule.schedule)


def start(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """START_MAINTENANCE: machines go down."""
    assert call.start_maintenance is not None
    return commands.MachinesStopped(request.id, call.start_maintenance.machines)


def stop(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """STOP_MAINTENANCE: machines are up again."""
    assert call.stop_maintenance is not None
    return commands.MachinesStarted(request.id, call.stop_maintenance.machines)


def _grace(duration: Duration | None) -> DurationInfo | str | None:
    """A duration of protobuf's in ours, or what is wrong with it."""
    if duration is None:
        return None
    seconds, nanos = duration.seconds or 0, duration.nanos or 0
    if abs(seconds) > GRACE_MOST_S or abs(nanos) >= NANOSECONDS:
        return "Invalid duration for 'max_grace_period': out of range"
    if seconds < 0 or nanos < 0:
        return "Invalid duration for 'max_grace_period': it is negative"
    return DurationInfo(nanoseconds=seconds * NANOSECONDS + nanos)


def drain(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """DRAIN_AGENT: nothing new, and what runs is ended."""
    body = call.drain_agent
    assert body is not None
    grace = _grace(body.max_grace_period)
    if isinstance(grace, str):
        return text_response(400, grace)
    config = DrainConfig(max_grace_period=grace, mark_gone=body.mark_gone)
    return commands.AgentDrained(request.id, body.agent_id.value, config)


def deactivate(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """DEACTIVATE_AGENT: nothing new."""
    assert call.deactivate_agent is not None
    return commands.AgentDeactivated(request.id, call.deactivate_agent.agent_id.value)


def reactivate(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """REACTIVATE_AGENT: it is used again."""
    assert call.reactivate_agent is not None
    return commands.AgentReactivated(request.id, call.reactivate_agent.agent_id.value)


CALLS: Handlers = {
    "UPDATE_MAINTENANCE_SCHEDULE": update_schedule,
    "START_MAINTENANCE": start,
    "STOP_MAINTENANCE": stop,
    "DRAIN_AGENT": drain,
    "DEACTIVATE_AGENT": deactivate,
    "REACTIVATE_AGENT": reactivate,
}
