"""The executor API v1, `POST /api/v1/executor`: what custom executors say to their agent.

Decides who may call and what a call must have; what becomes of it is the machine's business.
Source: "Mesos: executor HTTP API" (apache/mesos src/slave/http.cpp, src/slave/validation.cpp).
"""

from mesosphere.agent.core.commands import ExecutorCalled
from mesosphere.agent.core.machine import AgentMachine
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos.executor import Call
from mesosphere.wire.mesos.media import Media, spoken, wanted
from mesosphere.wire.mesos.tasks import TaskStatus

UUID_BYTES = 16


def answer(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    """`POST /api/v1/executor`."""
    media = spoken(request.headers)
    if not isinstance(media, Media):
        return media
    if not machine.state.recovered:
        return text_response(503, "Agent has not finished recovery\n")
    try:
        call = media.decode(request.body, Call)
    except WireError as error:
        return text_response(400, f"{error}\n")
    fault = check_call(call)
    if fault:
        return text_response(400, f"Failed to validate executor::Call: {fault}")
    framework = machine.state.frameworks.get(call.framework_id.value)
    if framework is None:
        return text_response(400, "Framework cannot be found")
    executor = framework.executors.get(call.executor_id.value)
    if executor is None:
        return text_response(400, "Executor cannot be found")
    if call.type != "SUBSCRIBE" and not executor.stream:
        return text_response(403, "Executor is not subscribed")
    if call.type == "HEARTBEAT":
        return Response(202)
    accepted = wanted(request.headers)
    if call.type == "SUBSCRIBE" and not isinstance(accepted, Media):
        return accepted
    return ExecutorCalled(request.id, call, accepted if isinstance(accepted, Media) else media)


def check_call(call: Call) -> str:
    """What is wrong with a call; "" if nothing is."""
    bodies = {"SUBSCRIBE": call.subscribe, "UPDATE": call.update, "MESSAGE": call.message}
    if not call.type:
        return "Expecting 'type' to be present"
    if call.type in bodies and bodies[call.type] is None:
        return f"Expecting '{call.type.lower()}' to be present"
    if call.update is not None and call.type == "UPDATE":
        return _check_status(call.update.status, call.executor_id.value)
    return ""


def _check_status(status: TaskStatus, executor_id: str) -> str:
    if status.uuid is None:
        return "Expecting 'uuid' to be present"
    if len(status.uuid) != UUID_BYTES:
        return "Not a valid UUID"
    if status.executor_id is not None and status.executor_id.value != executor_id:
        return (
            f"ExecutorID in Call: {executor_id} does not match ExecutorID in TaskStatus:"
            f" {status.executor_id.value}"
        )
    if status.source != "SOURCE_EXECUTOR":
        return (
            f"Received Call from executor {executor_id} with invalid source,"
            " expecting 'SOURCE_EXECUTOR'"
        )
    if status.state == "TASK_STAGING":
        return f"Received TASK_STAGING from executor {executor_id} which is not allowed"
    return ""
