"""A framework that reserves, makes volumes, works on them, and gives everything back, at random.

It is a machine like Marathon: a `FrameworkClient` that takes offers. Every reservation has a label
of its own and every volume an id of its own, so that a checker can follow each through its life.
Its framework id is its only file.
"""

from collections.abc import Callable

import msgspec

from mesosphere.framework.client import ClientConfig, FrameworkClient, Happening, Subscribed
from mesosphere.kernel.conversions import is_volume
from mesosphere.kernel.effects import Checkpoint, Effect, Halt
from mesosphere.kernel.events import Event, StopRequested
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.resources import Disk, Identity, Reservation, Resources
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec, scheduler
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.resources_codec import from_wire, to_wire

ROLE = "db"
ITEM = "item"
"""The label that names a reservation."""

FILE = "reserver/framework.id"
SIZE_MIB = 10
ITEMS_MOST = 4
"""Reservations on one agent."""

CAPABILITIES = (
    "MULTI_ROLE", "PARTITION_AWARE", "RESERVATION_REFINEMENT", "SHARED_RESOURCES",
)  # fmt: skip
MOUNT = codec.encode(mesos.Volume(mode="RW", container_path="data"))


class Reserver:
    """See the module. While `is_quiet` it begins nothing new."""

    def __init__(
        self,
        master: str,
        hostname: str,
        ids: IdSource,
        framework_id: str | None,
        is_quiet: Callable[[], bool],
    ) -> None:
        info = FrameworkInfo(
            user="root", name="reserver", roles=[ROLE], checkpoint=True,
            failover_timeout=604800.0, hostname=hostname,
            capabilities=[FrameworkCapability(type=name) for name in CAPABILITIES],
        )  # fmt: skip
        self._client = FrameworkClient(ClientConfig(master=master, info=info), ids)
        self._ids = ids
        self._framework_id = framework_id
        self._is_quiet = is_quiet
        self.finished = 0

    def start(self, now: float) -> list[Effect]:
        """Subscribe, under the id of an earlier life if there is one."""
        return self._client.start(self._framework_id)

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event."""
        if isinstance(event, StopRequested):
            return [Halt(ExitCode.CLEAN, "asked to end")]
        if not self._client.owns(event):
            return []
        effects, happenings = self._client.handle(now, event)
        for happening in happenings:
            effects += self._take(happening)
        return effects

    def _take(self, happening: Happening) -> list[Effect]:
        if isinstance(happening, Subscribed):
            return [Checkpoint(FILE, happening.framework_id.encode())]
        if not isinstance(happening, scheduler.Event):
            return []
        if happening.update is not None:
            return self._client.acknowledge(happening.update.status)
        if happening.update_operation_status is not None:
            status = happening.update_operation_status.status
            self.finished += status.state == "OPERATION_FINISHED"
            return self._acknowledge(status)
        effects: list[Effect] = []
        for offer in happening.offers.offers if happening.offers is not None else ():
            effects += self._client.accept([offer.id.value], self._decide(offer), 2.0)
        return effects

    def _acknowledge(self, status: mesos.OperationStatus) -> list[Effect]:
        if status.uuid is None or status.operation_id is None:
            return []
        body = scheduler.AcknowledgeOperationStatus(
            agent_id=status.agent_id, operation_id=status.operation_id, uuid=status.uuid.value
        )
        kind = "ACKNOWLEDGE_OPERATION_STATUS"
        return self._client.send(scheduler.Call(type=kind, acknowledge_operation_status=body))

    # --- what to do with an offer ---------------------------------------------------------------

    def _chance(self, probability: float) -> bool:
        return self._ids.fraction() < probability

    def _decide(self, offer: mesos.Offer) -> list[mesos.Operation]:
        if self._is_quiet() or self._chance(0.9):  # what is given back is offered again at once
            return []
        free = from_wire(offer.resources).allocated_to(None)
        reserved = free.reserved().get(ROLE, Resources())
        operations: list[mesos.Operation] = []
        for identity, amount in reserved:
            one = Resources([(identity, amount)])
            if is_volume(identity):
                operations += self._use(one, offer) if self._chance(0.6) else [_destroy(one)]
            elif self._chance(0.5):
                operations += self._create(identity, offer)
            else:
                operations.append(_unreserve(one))
        if len(reserved) < ITEMS_MOST and free.unreserved().scalar("disk") >= SIZE_MIB * 1000:
            reservation = Reservation("DYNAMIC", ROLE, None, ((ITEM, self._ids.uuid()),))
            identity = Identity("disk", reservations=(reservation,))
            operations.append(_reserve(Resources([(identity, SIZE_MIB * 1000)])))
            if self._chance(0.5):
                operations += self._create(identity, offer)
        return [self._named(operation) for operation in operations]

    def _create(self, identity: Identity, offer: mesos.Offer) -> list[mesos.Operation]:
        """A volume of all of a reservation, and perhaps a task on it at once."""
        volume = msgspec.structs.replace(
            identity,
            disk=Disk(self._ids.uuid(), None, MOUNT),
            unit=SIZE_MIB * 1000,
            is_shared=self._chance(0.3),
        )
        made = Resources([(volume, 1)])
        body = mesos.Create(volumes=to_wire(made))
        then = self._use(made, offer) if self._chance(0.5) else []
        return [mesos.Operation(type="CREATE", create=body), *then]

    def _use(self, volume: Resources, offer: mesos.Offer) -> list[mesos.Operation]:
        task = mesos.TaskInfo(
            name="user",
            task_id=mesos.TaskID(f"user.{self._ids.uuid()}"),
            agent_id=offer.agent_id,
            command=mesos.CommandInfo(value="work 3"),
            resources=to_wire((Resources.of(cpus=0.1, mem=32) + volume).allocated_to(ROLE)),
        )
        return [mesos.Operation(type="LAUNCH", launch=mesos.Launch(task_infos=[task]))]

    def _named(self, operation: mesos.Operation) -> mesos.Operation:
        if operation.type != "LAUNCH" and self._chance(0.7):
            operation.id = mesos.OperationID(self._ids.uuid())
        return operation


def _reserve(resources: Resources) -> mesos.Operation:
    return mesos.Operation(type="RESERVE", reserve=mesos.Reserve(resources=to_wire(resources)))


def _unreserve(resources: Resources) -> mesos.Operation:
    body = mesos.Unreserve(resources=to_wire(resources))
    return mesos.Operation(type="UNRESERVE", unreserve=body)


def _destroy(volumes: Resources) -> mesos.Operation:
    return mesos.Operation(type="DESTROY", destroy=mesos.Destroy(volumes=to_wire(volumes)))
