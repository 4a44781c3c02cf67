"""`/reserve`, `/unreserve`, `/create-volumes`, `/destroy-volumes`: operations by form.

The body is form-encoded: `slaveId`, and `resources` or `volumes` as a JSON array; `/reserve` also
takes `source`. Source: Mesos, src/master/http.cpp; docs/reservation.md, docs/persistent-volume.md.
"""

from collections.abc import Callable
from urllib.parse import parse_qs

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer
from mesosphere.master.core.commands import OperationRequested
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec

FIELDS_LIMIT = 16
"""Fields of a form; four are known."""

Form = dict[str, list[str]]


class _Refused(Exception):
    """The form can't be read; the message says where."""


def _parse(request: Request) -> tuple[str, Form]:
    text = request.body.decode("utf-8", "replace")
    try:
        form = parse_qs(text, max_num_fields=FIELDS_LIMIT)
    except ValueError:
        raise _Refused(f"The request body has more than {FIELDS_LIMIT} fields") from None
    agent_id = form.get("slaveId", [""])[0]
    if not agent_id:
        raise _Refused("Missing 'slaveId' query parameter in the request body")
    return agent_id, form


def _listed(form: Form, name: str, is_needed: bool = True) -> list[mesos.Resource]:
    text = form.get(name, [""])[0]
    if not text:
        if is_needed:
            raise _Refused(f"Missing '{name}' query parameter in the request body")
        return []
    try:
        return codec.decode_list(text.encode("utf-8", "replace"), mesos.Resource)
    except WireError as error:
        message = f"Error in parsing '{name}' query parameter in the request body: {error}"
        raise _Refused(message) from error


def _operate(request: Request, read: Callable[[Form], mesos.Operation]) -> Answer:
    try:
        agent_id, form = _parse(request)
        operation = read(form)
    except _Refused as refused:
        return text_response(400, str(refused))
    return OperationRequested(request.id, agent_id, operation)


def reserve(master: MasterMachine, now: float, request: Request) -> Answer:
    """Reserve `resources` dynamically, from `source` if it is there."""

    def read(form: Form) -> mesos.Operation:
        resources, source = _listed(form, "resources"), _listed(form, "source", is_needed=False)
        wish = mesos.Reserve(source=source, resources=resources)
        return mesos.Operation(type="RESERVE", reserve=wish)

    return _operate(request, read)


def unreserve(master: MasterMachine, now: float, request: Request) -> Answer:
    """Take dynamic reservations back."""

    def read(form: Form) -> mesos.Operation:
        wish = mesos.Unreserve(resources=_listed(form, "resources"))
        return mesos.Operation(type="UNRESERVE", unreserve=wish)

    return _operate(request, read)


def create_volumes(master: MasterMachine, now: float, request: Request) -> Answer:
    """Make persistent volumes of reserved disk."""

    def read(form: Form) -> mesos.Operation:
        return mesos.Operation(type="CREATE", create=mesos.Create(volumes=_listed(form, "volumes")))

    return _operate(request, read)


def destroy_volumes(master: MasterMachine, now: float, request: Request) -> Answer:
    """Destroy persistent volumes and what is in them."""

    def read(form: Form) -> mesos.Operation:
        wish = mesos.Destroy(volumes=_listed(form, "volumes"))
        return mesos.Operation(type="DESTROY", destroy=wish)

    return _operate(request, read)
