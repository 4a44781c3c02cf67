"""The scheduler API: `POST /api/v1/scheduler` takes a Call, its SUBSCRIBE stream carries Events.

Source: Mesos, include/mesos/v1/scheduler/scheduler.proto.
"""

from mesosphere.wire.mesos.agents import MasterInfo
from mesosphere.wire.mesos.base import Double, Int32, WireStruct
from mesosphere.wire.mesos.commands import KillPolicy
from mesosphere.wire.mesos.enums import ErrorReason, SchedulerCallType, SchedulerEventType
from mesosphere.wire.mesos.frameworks import FrameworkInfo, OfferConstraints
from mesosphere.wire.mesos.ids import (
    AgentID,
    ExecutorID,
    FrameworkID,
    OfferID,
    OperationID,
    ResourceProviderID,
    TaskID,
)
from mesosphere.wire.mesos.offers import Filters, InverseOffer, Offer
from mesosphere.wire.mesos.operations import Operation as Operation
from mesosphere.wire.mesos.operations import OperationStatus
from mesosphere.wire.mesos.resources import ResourceRequest
from mesosphere.wire.mesos.tasks import TaskStatus


class Subscribed(WireStruct, kw_only=True):
    framework_id: FrameworkID
    heartbeat_interval_seconds: Double | None = None
    master_info: MasterInfo | None = None


class Offers(WireStruct, kw_only=True):
    offers: list[Offer] = []


class InverseOffers(WireStruct, kw_only=True):
    inverse_offers: list[InverseOffer] = []


class Rescind(WireStruct, kw_only=True):
    offer_id: OfferID


class RescindInverseOffer(WireStruct, kw_only=True):
    inverse_offer_id: OfferID


class Update(WireStruct, kw_only=True):
    status: TaskStatus


class UpdateOperationStatus(WireStruct, kw_only=True):
    status: OperationStatus


class Message(WireStruct, kw_only=True):
    agent_id: AgentID
    executor_id: ExecutorID
    data: bytes


class Failure(WireStruct, kw_only=True):
    """An agent was lost (`agent_id` only) or an executor ended (`status` as from wait)."""

    agent_id: AgentID | None = None
    executor_id: ExecutorID | None = None
    status: Int32 | None = None


class Error(WireStruct, kw_only=True):
    """`reason` is ours: what `message` says, for programs. Clients of the original ignore it."""

    message: str
    reason: ErrorReason | None = None


class Event(WireStruct, kw_only=True):
    type: SchedulerEventType = ""
    subscribed: Subscribed | None = None
    offers: Offers | None = None
    inverse_offers: InverseOffers | None = None
    rescind: Rescind | None = None
    rescind_inverse_offer: RescindInverseOffer | None = None
    update: Update | None = None
    update_operation_status: UpdateOperationStatus | None = None
    message: Message | None = None
    failure: Failure | None = None
    error: Error | None = None


class ReconcileTask(WireStruct, kw_only=True):
    task_id: TaskID
    agent_id: AgentID | None = None


class ReconcileOperation(WireStruct, kw_only=True):
    operation_id: OperationID
    agent_id: AgentID | None = None
    resource_provider_id: ResourceProviderID | None = None


class Subscribe(WireStruct, kw_only=True):
    framework_info: FrameworkInfo
    suppressed_roles: list[str] = []
    offer_constraints: OfferConstraints | None = None


class Accept(WireStruct, kw_only=True):
    offer_ids: list[OfferID] = []
    operations: list[Operation] = []
    filters: Filters | None = None


class Decline(WireStruct, kw_only=True):
    offer_ids: list[OfferID] = []
    filters: Filters | None = None


class AcceptInverseOffers(WireStruct, kw_only=True):
    inverse_offer_ids: list[OfferID] = []
    filters: Filters | None = None


class DeclineInverseOffers(WireStruct, kw_only=True):
    inverse_offer_ids: list[OfferID] = []
    filters: Filters | None = None


class Revive(WireStruct, kw_only=True):
    roles: list[str] = []


class Kill(WireStruct, kw_only=True):
    task_id: TaskID
    agent_id: AgentID | None = None
    kill_policy: KillPolicy | None = None


class Shutdown(WireStruct, kw_only=True):
    """Ends an executor."""

    executor_id: ExecutorID
    agent_id: AgentID


class Acknowledge(WireStruct, kw_only=True):
    agent_id: AgentID
    task_id: TaskID
    uuid: bytes


class AcknowledgeOperationStatus(WireStruct, kw_only=True):
    agent_id: AgentID | None = None
    resource_provider_id: ResourceProviderID | None = None
    uuid: bytes
    operation_id: OperationID


class Reconcile(WireStruct, kw_only=True):
    tasks: list[ReconcileTask] = []


class ReconcileOperations(WireStruct, kw_only=True):
    operations: list[ReconcileOperation] = []


class Request(WireStruct, kw_only=True):
    requests: list[ResourceRequest] = []


class Suppress(WireStruct, kw_only=True):
    roles: list[str] = []


class UpdateFramework(WireStruct, kw_only=True):
    framework_info: FrameworkInfo
    suppressed_roles: list[str] = []
    offer_constraints: OfferConstraints | None = None


class Call(WireStruct, kw_only=True):
    type: SchedulerCallType = ""
    framework_id: FrameworkID | None = None
    subscribe: Subscribe | None = None
    accept: Accept | None = None
    decline: Decline | None = None
    accept_inverse_offers: AcceptInverseOffers | None = None
    decline_inverse_offers: DeclineInverseOffers | None = None
    revive: Revive | None = None
    kill: Kill | None = None
    shutdown: Shutdown | None = None
    acknowledge: Acknowledge | None = None
    acknowledge_operation_status: AcknowledgeOperationStatus | None = None
    reconcile: Reconcile | None = None
    reconcile_operations: ReconcileOperations | None = None
    message: Message | None = None
    request: Request | None = None
    suppress: Suppress | None = None
    update_framework: UpdateFramework | None = None
