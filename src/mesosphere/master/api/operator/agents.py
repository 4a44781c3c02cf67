"""Calls about agents."""

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator


def mark_gone(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """MARK_AGENT_GONE: it will never come back."""
    assert call.mark_agent_gone is not None
    return commands.AgentGone(request.id, call.mark_agent_gone.agent_id.value)


CALLS: Handlers = {"MARK_AGENT_GONE": mark_gone}
