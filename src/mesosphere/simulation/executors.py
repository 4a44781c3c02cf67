"""Custom executors in the containers of a simulated host.

Each speaks the executor API to the agent of its host, as an executor's library does: it launches
the tasks that it is given, keeps every update until it is acknowledged, comes back with what it
keeps when its agent was away, and ends when it is told to, or at once if its framework does not
checkpoint. Its tasks are processes in its container: they end with it.
"""

from typing import TYPE_CHECKING, Any

from mesosphere.kernel.http import Request
from mesosphere.simulation.exchange import Caller, Exchange
from mesosphere.simulation.processes import FAILED, SIGKILL, SIGTERM, Container
from mesosphere.simulation.world import Violation
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, executor
from mesosphere.wire.recordio import Decoder

if TYPE_CHECKING:
    from mesosphere.simulation.containers import SimulatedContainers

PATH = "/api/v1/executor"
RETRY_LEAST_S, RETRY_MOST_S = 0.1, 0.5
"""Between two tries to come back; an agent waits two seconds."""

PROGRESS_S = (2.0, 20.0)
"""Between two updates of a task that runs on and on."""

HEADERS = {"content-type": "application/json", "accept": "application/json"}
MEANWHILE = (202, 400, 403, 503)
"""Answers to an update: taken; or its agent has been restarted, or the stream has broken, and it is
told again when it subscribes."""


class _Subscription(Caller):
    def __init__(self, owner: "SimulatedExecutor") -> None:
        self._owner = owner
        self._decoder = Decoder()
        self.exchange: Exchange | None = None

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._owner.refused(self, status, body)

    def received(self, data: bytes) -> None:
        try:
            records = self._decoder.feed(data)
        except WireError as error:
            self._owner.lost(self, str(error))
            return
        for record in records:
            self._owner.heard(self, codec.decode(record, executor.Event))

    def broken(self, reason: str, definite: bool) -> None:
        self._owner.lost(self, reason)


class _Posted(Caller):
    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if status not in MEANWHILE:
            raise Violation(f"an executor's update is answered {status}: {body.decode()}")


class SimulatedExecutor:
    """The process of one executor."""

    def __init__(self, host: "SimulatedContainers", container: Container) -> None:
        self._host = host
        self.container = container
        environment = container.environment
        self.framework_id = environment["MESOS_FRAMEWORK_ID"]
        self.executor_id = environment["MESOS_EXECUTOR_ID"]
        self._is_checkpointed = environment["MESOS_CHECKPOINT"] == "1"
        self.tasks: dict[str, Container] = {}
        self.updates: dict[bytes, mesos.TaskStatus] = {}  # not acknowledged, in order
        self._infos: dict[str, mesos.TaskInfo] = {}  # tasks of which nothing was acknowledged
        self._unsent: list[mesos.TaskStatus] = []
        self._killing: dict[str, None] = {}
        self._is_subscribed = False
        self._is_leaving = False
        self._subscription: _Subscription | None = None

    # --- its stream -------------------------------------------------------------------------

    def subscribe(self) -> None:
        """Come, or come back, with everything that waits for its acknowledgement."""
        if self.container.status is not None:
            return
        self._unsent.clear()
        body = executor.Subscribe(
            unacknowledged_tasks=list(self._infos.values()),
            unacknowledged_updates=[executor.Update(status=each) for each in self.updates.values()],
        )
        self._subscription = caller = _Subscription(self)
        caller.exchange = self._post(caller, type="SUBSCRIBE", subscribe=body)

    def _post(self, caller: Caller, **body: Any) -> Exchange:
        call = executor.Call(
            executor_id=mesos.ExecutorID(self.executor_id),
            framework_id=mesos.FrameworkID(self.framework_id),
            **body,
        )
        data = codec.encode(call)
        self._host.world.mix(data)
        place, network = self._host.host, self._host.network
        # One connection: what it says arrives in the order in which it was said.
        exchange = Exchange(network, place, caller, f"executor/{self.container.name}")
        request = Request("", "POST", PATH, {}, HEADERS, data, place)
        network.carry(place, place, exchange.name, lambda: self._host.receive(request, exchange))
        return exchange

    def refused(self, subscription: _Subscription, status: int, body: bytes) -> None:
        """The agent does not take it (now)."""
        if subscription is not self._subscription or self.container.status is not None:
            return
        if status == 503:
            self.lost(subscription, "the agent recovers")
        else:
            self._host.world.note(f"{self.executor_id} is refused: {body.decode()}")
            self._host.exit(self.container, FAILED)

    def lost(self, subscription: _Subscription, reason: str) -> None:
        """The stream has broken, or could not be had."""
        if subscription is not self._subscription or self.container.status is not None:
            return
        self._is_subscribed = False
        self._subscription = None
        world = self._host.world
        if self._is_leaving or self._is_checkpointed:
            world.at(world.between(RETRY_LEAST_S, RETRY_MOST_S), self.subscribe)
        else:
            self._host.exit(self.container, FAILED)

    def heard(self, subscription: _Subscription, event: executor.Event) -> None:
        """An event of its stream."""
        if subscription is not self._subscription or self.container.status is not None:
            return
        if event.type == "SUBSCRIBED":
            self._is_subscribed = True
            unsent, self._unsent = self._unsent, []
            for status in unsent:
                self._tell(status)
        elif event.launch is not None:
            self._launch(event.launch.task)
        elif event.kill is not None:
            self._kill(event.kill.task_id.value)
        elif event.acknowledged is not None:
            self.updates.pop(event.acknowledged.uuid, None)
            self._infos.pop(event.acknowledged.task_id.value, None)
        elif event.type == "SHUTDOWN":
            self._shut_down()

    # --- its tasks --------------------------------------------------------------------------

    def living(self) -> list[Container]:
        """Tasks that run."""
        return [task for task in self.tasks.values() if task.status is None]

    def _launch(self, info: mesos.TaskInfo) -> None:
        name, world = info.task_id.value, self._host.world
        if name in self.tasks:
            raise Violation(f"{self.executor_id} is told to launch {name} a second time")
        command = (info.data or b"serve").decode()
        place = f"{self.container.name}/{name}"
        task = Container(place, name, command, (), self.container.pid, owner=self)
        task.is_started = True
        self.tasks[name] = task
        self._infos[name] = info
        self._host.on_launch(task)
        if world.chance(0.5):
            self._update(task, "TASK_STARTING")
        self._update(task, "TASK_RUNNING")
        words = task.command.split()
        if words[0] == "work":
            world.at(float(words[1]), lambda: self._host.exit(task, 0))
        else:
            world.at(world.between(*PROGRESS_S), lambda: self._progress(task))

    def _progress(self, task: Container) -> None:
        if task.status is None:
            self._update(task, "TASK_RUNNING")
            world = self._host.world
            world.at(world.between(*PROGRESS_S), lambda: self._progress(task))

    def _kill(self, name: str) -> None:
        task, world = self.tasks.get(name), self._host.world
        if task is None or task.status is not None:
            return  # its end is told already, or comes with the next subscription
        self._killing[name] = None
        delay = world.between(0.01, 1.5) if world.chance(0.9) else world.between(1.5, 10.0)
        world.at(delay, lambda: self._host.exit(task, SIGTERM))

    def _shut_down(self) -> None:
        """Most end their tasks and then themselves; a few don't care."""
        world = self._host.world
        if self._is_leaving or world.chance(0.1):
            return
        self._is_leaving = True
        for task in self.living():
            self._killing[task.task] = None
            world.at(world.between(0.01, 1.0), lambda task=task: self._host.exit(task, SIGTERM))  # type: ignore[misc]
        world.at(world.between(1.0, 2.0), lambda: self._host.exit(self.container, 0))

    def ended(self, task: Container) -> None:
        """A task has ended; unless that was by the end of the executor itself, it is told."""
        if self.container.status is not None:
            return
        if task.task in self._killing:
            self._update(task, "TASK_KILLED")
        else:
            self._update(task, "TASK_FINISHED" if task.status == 0 else "TASK_FAILED")

    def end(self) -> None:
        """Its container has ended, and all that ran in it."""
        for task in self.living():
            self._host.exit(task, SIGKILL)
        subscription, self._subscription = self._subscription, None
        if subscription is not None and subscription.exchange is not None:
            subscription.exchange.leave()

    # --- updates ----------------------------------------------------------------------------

    def _update(self, task: Container, state: str) -> None:
        world = self._host.world
        status = mesos.TaskStatus(
            task_id=mesos.TaskID(task.task), state=state, source="SOURCE_EXECUTOR",
            uuid=world.random.randbytes(16), timestamp=world.now,
        )  # fmt: skip
        assert status.uuid is not None
        self.updates[status.uuid] = status
        self._host.on_update(self.container, status)
        if self._is_subscribed:
            self._tell(status)
        else:
            self._unsent.append(status)

    def _tell(self, status: mesos.TaskStatus) -> None:
        self._post(_Posted(), type="UPDATE", update=executor.Update(status=status))
