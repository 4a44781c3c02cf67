"""Calls about frameworks."""

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator


def tear_down(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """TEARDOWN: remove a framework."""
    assert call.teardown is not None
    return commands.TeardownRequested(request.id, call.teardown.framework_id.value)


CALLS: Handlers = {"TEARDOWN": tear_down}
