"""The operator API: `POST /api/v1`, one table of calls.

To add a call: write a function in a module of this package that has the concern's name, and one
row in that module's table; a new module's table is named in `CALLS` below. A function is called as
`handler(master, now, request, call)`. It returns the body of a Response (a dict or a message: a
pure read), or an Answer: a Response of its own, or the command that the machine answers.
The object of the call (`call.teardown` of TEARDOWN) must be there, or the call is refused before
the handler, unless the call is in `WITHOUT_OBJECT`. Then add the row to docs/compatibility/mesos.md
and stories to tests/api/mesos.

Source: Mesos, include/mesos/v1/master/master.proto, src/master/http.cpp.
"""

from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.master.api.answers import Answer, check_accept, check_media
from mesosphere.master.api.operator import agents, files, following, frameworks, maintenance, reads
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, operator

CALLS: Handlers = {
    **reads.CALLS,
    **following.CALLS,
    **frameworks.CALLS,
    **agents.CALLS,
    **maintenance.CALLS,
    **files.CALLS,
}
"""Every call of the operator API that this master takes."""

_FIELDS = frozenset(operator.Call.__struct_fields__)
WITHOUT_OBJECT = ("GET_METRICS",)
"""Calls whose object may be left out; those that have none need not be named."""


def call_operator(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1`."""
    fault = check_media(request) or check_accept(request)
    if fault is not None:
        return fault
    try:
        call = codec.decode(request.body, operator.Call)
    except WireError as error:
        return text_response(400, str(error))
    kind = call.type
    if not kind:
        return text_response(400, "Failed to validate master::Call: Unknown call type")
    handler = CALLS.get(kind)
    if handler is None:
        return text_response(501, f"{kind} is not supported by this master yet")
    name = kind.lower()
    if name in _FIELDS and kind not in WITHOUT_OBJECT and getattr(call, name) is None:
        text = f"Failed to validate master::Call: Expecting '{name}' to be present"
        return text_response(400, text)
    answer = handler(master, now, request, call)
    if isinstance(answer, Response | Event):
        return answer
    body = codec.encode(operator.response(kind, answer))
    return Response(200, {"Content-Type": "application/json"}, body)
