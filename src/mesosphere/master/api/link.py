"""The link of agents, which is ours (see docs/architecture.md)."""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, link


def call_agent_link(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1/agent`: the link of agents."""
    try:
        call = codec.decode(request.body, link.Call)
    except WireError as error:
        return text_response(400, str(error))
    stream_id = request.headers.get("mesos-stream-id")
    return commands.AgentCalled(request.id, call, stream_id, request.peer)
