"""The operator API: `POST /api/v1`, one table of calls.

To add a call: write a function in a module of this package that has the concern's name, and one
row in that module's table; a new module's table is named in `CALLS` below. A function is called as
`handler(master, now, request, call)`. It returns what a Response holds under the call's name (a
message of `wire.mesos.answers`: a pure read), or an Answer: a Response of its own, or the command
that the machine answers. The object of the call (`call.teardown` of TEARDOWN) must be there, or the
call is refused before the handler. Both encodings are dealt with here. Then add the row to
docs/compatibility/mesos.md and stories to tests/api/mesos.

Source: Mesos, include/mesos/v1/master/master.proto, src/master/http.cpp.
"""

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator import (
    agents,
    files,
    following,
    frameworks,
    maintenance,
    operations,
    reads,
    roles,
    verbosity,
)
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import answers, operator
from mesosphere.wire.mesos.media import Media, spoken, wanted

CALLS: Handlers = {
    **reads.CALLS,
    **following.CALLS,
    **frameworks.CALLS,
    **agents.CALLS,
    **maintenance.CALLS,
    **files.CALLS,
    **verbosity.CALLS,
    **operations.CALLS,
    **roles.CALLS,
}
"""Every call of the operator API that this master takes."""

_FIELDS = frozenset(operator.Call.__struct_fields__)


def call_operator(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1`."""
    media = spoken(request.headers)
    if not isinstance(media, Media):
        return media
    try:
        call = media.decode(request.body, operator.Call)
    except WireError as error:
        return text_response(400, str(error))
    kind = call.type
    fault = _check(call)
    if fault is not None:
        return text_response(400, f"Failed to validate master::Call: {fault}")
    accepted = wanted(request.headers)
    if not isinstance(accepted, Media):
        return accepted
    handler = CALLS.get(kind)
    if handler is None:
        return text_response(501, f"{kind} is not supported by this master yet")
    answer = handler(master, now, request, call)
    if isinstance(answer, Answer):
        return answer
    return accepted.answer(answers.response(kind, answer))


def _check(call: operator.Call) -> str | None:
    """What is missing."""
    if not call.type:
        return "Expecting 'type' to be present"
    name = call.type.lower()
    if name in _FIELDS and call.type in CALLS and getattr(call, name) is None:
        return f"Expecting '{name}' to be present"
    return None
