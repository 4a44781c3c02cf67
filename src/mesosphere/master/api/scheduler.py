"""The scheduler API. Source: Mesos, src/master/http.cpp, Http::scheduler."""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.validation import check_call
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.media import Media, spoken, wanted

STREAMED = ("SUBSCRIBE", "RECONCILE_OPERATIONS")
"""Calls for which the original looks at the Accept header."""


def call_scheduler(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1/scheduler`."""
    media = spoken(request.headers)
    if not isinstance(media, Media):
        return media
    try:
        call = media.decode(request.body, scheduler.Call)
    except WireError as error:
        return text_response(400, str(error))
    text = check_call(call)
    if text is not None:
        return text_response(400, f"Failed to validate scheduler::Call: {text}")
    if call.type in STREAMED:
        accepted = wanted(request.headers)
        if not isinstance(accepted, Media):
            return accepted
        media = accepted
    stream_id = request.headers.get("mesos-stream-id")
    return commands.SchedulerCalled(request.id, call, stream_id, request.peer, media)
