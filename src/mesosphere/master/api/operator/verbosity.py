"""Calls about how much the master logs."""

from mesosphere.kernel import verbosity
from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator


def set_level(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """SET_LOGGING_LEVEL: for a time."""
    body = call.set_logging_level
    assert body is not None
    return verbosity.change(request, body.level, body.duration.nanoseconds / 1e9)


CALLS: Handlers = {"SET_LOGGING_LEVEL": set_level}
