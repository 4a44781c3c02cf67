"""The scheduler API. Source: Mesos, src/master/http.cpp, Http::scheduler."""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer, check_accept, check_media
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.validation import check_call
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, scheduler


def call_scheduler(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1/scheduler`."""
    fault = check_media(request)
    if fault is not None:
        return fault
    try:
        call = codec.decode(request.body, scheduler.Call)
    except WireError as error:
        return text_response(400, str(error))
    text = check_call(call)
    if text is not None:
        return text_response(400, f"Failed to validate scheduler::Call: {text}")
    if call.type == "SUBSCRIBE" and (fault := check_accept(request)) is not None:
        return fault
    stream_id = request.headers.get("mesos-stream-id")
    return commands.SchedulerCalled(request.id, call, stream_id, request.peer)
