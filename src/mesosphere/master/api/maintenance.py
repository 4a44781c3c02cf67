"""The old endpoints of maintenance: `/maintenance/...` and `/machine/...`.

Source: Mesos, src/master/http.cpp (maintenanceSchedule, machineDown, machineUp).
"""

from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.master.api.answers import Answer, json_answer
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import maintenance
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import MachineID, Schedule, codec


def show_schedule(master: MasterMachine, now: float, request: Request) -> Answer:
    """The schedule."""
    return json_answer(request, codec.to_plain(maintenance.schedule(master)))


def replace_schedule(master: MasterMachine, now: float, request: Request) -> Answer:
    """Another schedule."""
    try:
        wanted = codec.decode(request.body, Schedule)
    except WireError as error:
        return text_response(400, str(error))
    return commands.ScheduleReplaced(request.id, wanted)


def show_status(master: MasterMachine, now: float, request: Request) -> Answer:
    """Which machines drain, what frameworks say to it, and which are down."""
    return json_answer(request, codec.to_plain(maintenance.status(master)))


def _machines(request: Request) -> list[MachineID] | Response:
    try:
        return codec.decode_list(request.body, MachineID)
    except WireError as error:
        return text_response(400, str(error))


def stop_machines(master: MasterMachine, now: float, request: Request) -> Answer:
    """Machines of the schedule go down."""
    found = _machines(request)
    if isinstance(found, Response):
        return found
    return commands.MachinesStopped(request.id, found)


def start_machines(master: MasterMachine, now: float, request: Request) -> Answer:
    """Machines are up again."""
    found = _machines(request)
    if isinstance(found, Response):
        return found
    return commands.MachinesStarted(request.id, found)
