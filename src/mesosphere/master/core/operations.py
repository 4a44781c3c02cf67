"""Operations on an agent's resources: applied, sent, told, acknowledged, reconciled.

Decides how the books change when a framework (in ACCEPT) or an operator reserves, creates and so
on. The conversion is applied to the books at once and sent to the agent, which makes it durable and
answers with a status; what an agent reports when it subscribes is the truth, so one that could not
do it subscribes again. A framework hears of an operation only if it gave it an id.

Vocabulary: the *pool* is what is left of the offers of an ACCEPT; a *status* is told with a uuid if
it must be acknowledged, and repeated by the agent until it is.

Invariants: an operation changes the form of an agent's resources, never their sum; the order of
operations and launches of an ACCEPT is kept on the agent's stream; an operation leaves the books
when its terminal status is acknowledged, or with its agent.

Source: Mesos, src/master/master.cpp (accept, updateOperation, acknowledgeOperationStatus,
reconcileOperations); src/master/http.cpp (_operation).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from mesosphere.kernel.conversions import Conversion, convert
from mesosphere.kernel.http import Response, text_response
from mesosphere.kernel.ids import check_id
from mesosphere.kernel.resources import Resources, ResourcesError
from mesosphere.master.core import offers
from mesosphere.master.core.commands import OperationRequested
from mesosphere.master.core.operation_validation import Asker, check_operation
from mesosphere.master.core.state import Agent, Framework
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import link, scheduler
from mesosphere.wire.mesos.enums import is_terminal_operation
from mesosphere.wire.mesos.operations_codec import read_conversion

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

PENDING_LIMIT = 1_000
"""Operations of one agent that have not been acknowledged; more are refused."""

OPERATOR_REFUSAL_S = 5.0
"""Who loses an offer to an operator's operation is not offered the like for so long."""

NOT_REUSED = ("GROW_VOLUME", "SHRINK_VOLUME")
"""What these convert cannot be used again in the same ACCEPT."""


# --- ACCEPT ---------------------------------------------------------------------------------------


def accept(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    agent: Agent,
    operation: mesos.Operation,
    pool: Resources,
    role: str,
) -> Resources:
    """Apply one operation of an ACCEPT; the pool afterwards. One that fails changes nothing."""
    asker = Asker(framework, role, framework.info.principal)
    fault = _check_feedback(framework, agent, operation) or check_operation(operation, agent, asker)
    try:
        if fault is None:
            conversion = read_conversion(operation, pool)
            left = convert(pool, conversion)
            apply(master, now, agent, framework, operation, conversion)
            return left - conversion.converted if operation.type in NOT_REUSED else left
    except (WireError, ResourcesError) as error:
        fault = str(error)
    refuse(master, framework, operation, f"{fault}; on agent {agent.id}")
    return pool


def _check_feedback(framework: Framework, agent: Agent, operation: mesos.Operation) -> str | None:
    if len(agent.operations) >= PENDING_LIMIT:
        return f"more than {PENDING_LIMIT} operations wait for their acknowledgement"
    if operation.id is None:
        return None
    if "AGENT_OPERATION_FEEDBACK" not in agent.capabilities:
        return (
            f"Operation requested feedback, but agent {agent.id} does not have the required "
            "AGENT_OPERATION_FEEDBACK capability"
        )
    if operation.id.value in framework.operations:
        return f"Operation has duplicate ID: {operation.id.value}"
    return check_id(operation.id.value, "Operation ID")


def refuse(
    master: "MasterMachine", framework: Framework, operation: mesos.Operation, reason: str
) -> None:
    """An operation that is not carried out: feedback, if it has an id."""
    kind = operation.type or "UNKNOWN"
    master.log("warning", "operation_refused", framework=framework.id, type=kind, reason=reason)
    master.state.count("master/operations/error")
    master.state.count(f"master/operations/{kind.lower()}/error")
    if operation.id is not None:
        status = mesos.OperationStatus(
            operation_id=operation.id, state="OPERATION_ERROR", message=reason
        )
        _tell(master, framework, status)


def _tell(master: "MasterMachine", framework: Framework, status: mesos.OperationStatus) -> bool:
    body = scheduler.UpdateOperationStatus(status=status)
    event = scheduler.Event(type="UPDATE_OPERATION_STATUS", update_operation_status=body)
    return master.tell(framework, event)


# --- applying -------------------------------------------------------------------------------------


def apply(
    master: "MasterMachine",
    now: float,
    agent: Agent,
    framework: Framework | None,
    operation: mesos.Operation,
    conversion: Conversion,
) -> None:
    """Change the books and tell the agent. What is consumed must be in nobody's hands."""
    agent.total = convert(agent.total, conversion)
    master.tree.add_total(conversion.consumed, sign=-1)
    master.tree.add_total(conversion.converted)
    gone = conversion.consumed.shared()
    for offer in list(agent.offers.values()) if gone else ():
        if gone - offer.resources != gone:
            offers.rescind(master, now, offer)
    owner = None if framework is None else mesos.FrameworkID(framework.id)
    uuid = mesos.UUID(value=master.ids.uuid_bytes())
    record = mesos.OperationRecord(
        framework_id=owner,
        agent_id=mesos.AgentID(agent.id),
        info=operation,
        latest_status=mesos.OperationStatus(
            operation_id=operation.id, state="OPERATION_PENDING", agent_id=mesos.AgentID(agent.id)
        ),
        uuid=uuid,
    )
    _add(master, agent, record)
    body = link.ApplyOperation(operation=operation, operation_uuid=uuid, framework_id=owner)
    master.tell_agent(agent, link.Event(type="APPLY_OPERATION", apply_operation=body))
    master.log(
        "info",
        "operation_applied",
        agent=agent.id,
        type=operation.type,
        framework=None if framework is None else framework.id,
    )
    master.make_dirty(agent.id)


def _add(master: "MasterMachine", agent: Agent, record: mesos.OperationRecord) -> None:
    agent.operations[record.uuid.value] = record
    framework = _framework_of(master, record)
    if framework is not None and record.info.id is not None:
        framework.operations[record.info.id.value] = record


def _remove(master: "MasterMachine", agent: Agent, record: mesos.OperationRecord) -> None:
    agent.operations.pop(record.uuid.value, None)
    if agent.drain is not None:
        master.state.relieved[agent.id] = None
    framework = _framework_of(master, record)
    if framework is not None and record.info.id is not None:
        framework.operations.pop(record.info.id.value, None)


def _framework_of(master: "MasterMachine", record: mesos.OperationRecord) -> Framework | None:
    owner = record.framework_id
    return None if owner is None else master.state.frameworks.get(owner.value)


# --- operators ------------------------------------------------------------------------------------


def request(master: "MasterMachine", now: float, event: OperationRequested) -> None:
    """An operator's operation: 202 once it is on its way to the agent."""
    master.reply(event.request, _carry_out(master, now, event))


def _carry_out(master: "MasterMachine", now: float, event: OperationRequested) -> Response:
    agent, operation = master.state.agents.get(event.agent_id), event.operation
    if agent is None:
        return text_response(400, "No agent found with specified ID")
    fault = check_operation(operation, agent, Asker(None, None, event.principal))
    if fault is not None:
        return text_response(
            400, f"Invalid {operation.type} operation on agent {agent.id}: {fault}"
        )
    try:
        conversion = read_conversion(operation, agent.total)
    except WireError as error:
        return text_response(400, str(error))
    if not agent.is_connected:
        return text_response(409, f"Agent {agent.id} is disconnected")
    if len(agent.operations) >= PENDING_LIMIT:
        return text_response(
            409, f"more than {PENDING_LIMIT} operations of the agent wait for an acknowledgement"
        )
    if not _make_room(master, now, agent, conversion.consumed):
        missing = conversion.consumed - (agent.total - agent.used)
        return text_response(409, f"Agent {agent.id} lacks {missing!r}: not there, or in use")
    apply(master, now, agent, None, operation, conversion)
    return Response(202)


def _make_room(master: "MasterMachine", now: float, agent: Agent, needed: Resources) -> bool:
    """Rescind offers of the agent until what is needed is free; none if that is in vain."""
    if not (agent.total - agent.used).contains(needed):
        return False
    for offer in list(agent.offers.values()):
        missing = needed - agent.free
        if missing.is_empty:
            break
        if (missing - offer.resources) != missing:
            offers.rescind(master, now, offer, OPERATOR_REFUSAL_S)
    return agent.free.contains(needed)


# --- statuses -------------------------------------------------------------------------------------


def take_update(master: "MasterMachine", now: float, agent: Agent, call: link.Call) -> str | None:
    """A status of an operation from its agent: into the books, then to who must know."""
    update = call.update_operation
    if update is None:
        return "Expecting 'update_operation' to be present"
    status = update.status
    record = agent.operations.get(update.operation_uuid.value)
    if record is None:
        master.state.count("master/invalid_operation_status_updates")
        if status.uuid is not None:
            _tell_acknowledged(master, agent, update.operation_uuid, status.uuid)
        return None
    master.state.count("master/valid_operation_status_updates")
    status.agent_id, status.operation_id = mesos.AgentID(agent.id), record.info.id
    if record.latest_status.uuid != status.uuid:
        record.latest_status = status
        record.statuses.append(status)
        _count(master, record)
    framework = _framework_of(master, record)
    if framework is not None and record.info.id is not None:
        _tell(master, framework, status)  # while it is away the agent repeats it
    elif status.uuid is not None:
        _acknowledged(master, agent, record, status.uuid)
    return None


def _count(master: "MasterMachine", record: mesos.OperationRecord) -> None:
    state = record.latest_status.state
    if is_terminal_operation(state):
        name = state.removeprefix("OPERATION_").lower()
        master.state.count(f"master/operations/{name}")
        master.state.count(f"master/operations/{record.info.type.lower()}/{name}")


def acknowledge(
    master: "MasterMachine", framework: Framework, call: scheduler.AcknowledgeOperationStatus
) -> None:
    """Carry an acknowledgement to the agent; the last one of an operation removes it."""
    record = framework.operations.get(call.operation_id.value)
    agent = None
    if call.agent_id is not None:
        agent = master.state.agents.get(call.agent_id.value)
    wanted = None if record is None else record.latest_status.uuid
    if (
        agent is None
        or not agent.is_connected
        or record is None
        or record.agent_id != call.agent_id
        or wanted is None
        or wanted.value != call.uuid
    ):
        # The agent will send the status again.
        master.state.count("master/invalid_operation_status_update_acknowledgements")
        return
    master.state.count("master/valid_operation_status_update_acknowledgements")
    _acknowledged(master, agent, record, wanted)


def _acknowledged(
    master: "MasterMachine", agent: Agent, record: mesos.OperationRecord, uuid: mesos.UUID
) -> None:
    _tell_acknowledged(master, agent, record.uuid, uuid)
    if is_terminal_operation(record.latest_status.state):
        _remove(master, agent, record)


def _tell_acknowledged(
    master: "MasterMachine", agent: Agent, operation: mesos.UUID, status: mesos.UUID
) -> None:
    body = link.AcknowledgeOperation(operation_uuid=operation, status_uuid=status)
    master.tell_agent(agent, link.Event(type="ACKNOWLEDGE_OPERATION", acknowledge_operation=body))


# --- agents that come and go ----------------------------------------------------------------------


def take_report(
    master: "MasterMachine",
    agent: Agent,
    reported: Iterable[mesos.OperationRecord],
    earlier: Iterable[mesos.OperationRecord],
) -> None:
    """The operations an agent brings; it is asked for those that it should have and does not."""
    for record in reported:
        record.agent_id = mesos.AgentID(agent.id)
        _add(master, agent, record)
    lost = [record for record in earlier if record.uuid.value not in agent.operations]
    for record in lost:
        _add(master, agent, record)
    if lost:
        body = link.ReconcileOperations(operations=[record.uuid for record in lost])
        master.tell_agent(agent, link.Event(type="RECONCILE_OPERATIONS", reconcile_operations=body))


def lose(master: "MasterMachine", agent: Agent, precise: str, reason: str) -> None:
    """The agent left the books: who gave an operation an id is told, once."""
    state = _LOST.get(precise, "OPERATION_UNKNOWN")
    for record in list(agent.operations.values()):
        framework = _framework_of(master, record)
        _remove(master, agent, record)
        if framework is None or record.info.id is None:
            continue
        status = mesos.OperationStatus(
            operation_id=record.info.id,
            state=state,
            message=f"Agent {agent.id}: {reason}",
            agent_id=mesos.AgentID(agent.id),
        )
        _tell(master, framework, status)
        if is_terminal_operation(state):
            _count(master, msgspec.structs.replace(record, latest_status=status))


_LOST = {
    "TASK_UNREACHABLE": "OPERATION_UNREACHABLE",
    "TASK_GONE_BY_OPERATOR": "OPERATION_GONE_BY_OPERATOR",
}
"""What is said of the tasks of a lost agent -> what is said of its operations, if not UNKNOWN."""


# --- reconciliation -------------------------------------------------------------------------------


def reconcile(
    master: "MasterMachine", framework: Framework, asked: Iterable[scheduler.ReconcileOperation]
) -> None:
    """Answer for operations: all of them when none is named."""
    wanted = list(asked)
    if not wanted:
        for record in list(framework.operations.values()):
            _tell(master, framework, _own(record))
        return
    for each in wanted:
        known = framework.operations.get(each.operation_id.value)
        if known is not None:
            _tell(master, framework, _own(known))
            continue
        state, why = _unknown_state(master, each.agent_id)
        status = mesos.OperationStatus(
            operation_id=each.operation_id,
            state=state,
            message=f"Reconciliation: {why}",
            agent_id=each.agent_id,
            resource_provider_id=each.resource_provider_id,
        )
        _tell(master, framework, status)


def _own(record: mesos.OperationRecord) -> mesos.OperationStatus:
    """The latest status without its uuid: nobody acknowledges an answer."""
    return msgspec.structs.replace(
        record.latest_status, uuid=None, message="Reconciliation: Latest operation state"
    )


def _unknown_state(master: "MasterMachine", agent_id: mesos.AgentID | None) -> tuple[str, str]:
    state = master.state
    if agent_id is None:
        if state.recovered:
            return "OPERATION_RECOVERING", "An agent has not yet come back"
        return "OPERATION_UNKNOWN", "Operation is unknown"
    name = agent_id.value
    if name in state.recovered:
        return "OPERATION_RECOVERING", "Agent has not yet come back"
    if name in state.agents:
        return "OPERATION_UNKNOWN", "Operation is unknown"
    if name in state.unreachable:
        return "OPERATION_UNREACHABLE", "Agent is unreachable"
    if name in state.gone:
        return "OPERATION_GONE_BY_OPERATOR", "Agent is marked gone"
    return "OPERATION_UNKNOWN", "Operation is unknown"
