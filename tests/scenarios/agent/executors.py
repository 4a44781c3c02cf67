"""A custom executor as a scenario sees it: its calls to the agent, the events on its stream."""

import itertools
from typing import Any, ClassVar

from mesosphere.agent.api import api
from mesosphere.kernel import effects as do
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response
from mesosphere.kernel.resources import Resources
from mesosphere.wire import recordio
from mesosphere.wire.mesos import executor, link
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskGroupInfo, TaskInfo, TaskStatus
from tests.scenarios.agent.world import AGENT, FRAMEWORK, World, make_framework

_NUMBERS = itertools.count(1)


def make_executor(executor_id: str = "e1", **changes: Any) -> ExecutorInfo:
    return ExecutorInfo(
        **{
            "executor_id": ExecutorID(executor_id), "framework_id": FrameworkID(FRAMEWORK),
            "command": CommandInfo(value="./executor"), "name": "mine", "source": "here",
            "resources": to_wire(Resources.of(cpus=0.5, mem=64)), **changes,
        }
    )  # fmt: skip


def make_pod(executor_id: str = "p1", **changes: Any) -> ExecutorInfo:
    return make_executor(executor_id, type="DEFAULT", command=None, **changes)


def plain_task(task_id: str, command: str | None = None, **changes: Any) -> TaskInfo:
    return TaskInfo(
        name=task_id, task_id=TaskID(task_id), agent_id=AgentID(AGENT),
        resources=to_wire(Resources.of(cpus=1, mem=128)),
        command=None if command is None else CommandInfo(value=command), **changes,
    )  # fmt: skip


def run_by(
    world: World, info: ExecutorInfo, task: TaskInfo, framework: FrameworkInfo | None = None
) -> list[do.Effect]:
    """RUN_TASK for a custom executor; timers of no delay fire."""
    framework = framework or make_framework("PARTITION_AWARE")
    step = world.say(
        "RUN_TASK", run_task=link.RunTask(framework_info=framework, task=task, executor=info)
    )
    world.wait(0)
    return step


def run_group(
    world: World,
    info: ExecutorInfo,
    *tasks: TaskInfo,
    framework: FrameworkInfo | None = None,
) -> list[do.Effect]:
    """RUN_TASK_GROUP; timers of no delay fire."""
    group = link.RunTaskGroup(
        framework_info=framework or make_framework("PARTITION_AWARE"), executor=info,
        task_group=TaskGroupInfo(tasks=list(tasks)),
    )  # fmt: skip
    step = world.say("RUN_TASK_GROUP", run_task_group=group)
    world.wait(0)
    return step


class Executor:
    """One custom executor's side of the API, in the encoding that the test chose for all."""

    speaks: ClassVar[Media] = Media.JSON

    def __init__(self, world: World, executor_id: str = "e1") -> None:
        self.world = world
        self.id = executor_id
        self.stream = ""

    def call(self, kind: str, **body: Any) -> Response | None:
        """POST a call; None when it opens a stream."""
        call = executor.Call(
            type=kind, framework_id=FrameworkID(FRAMEWORK), executor_id=ExecutorID(self.id), **body
        )
        return self.post(self.speaks.encode(call))

    def post(self, body: bytes, speaks: Media | None = None) -> Response | None:
        media = (speaks or self.speaks).value
        headers = {"content-type": media, "accept": media}
        request = Request(f"x{next(_NUMBERS)}", "POST", "/api/v1/executor", {}, headers, body)
        answer = api(self.world.machine).dispatch(self.world.now, request)
        if isinstance(answer, Event):
            self.world.give(answer)
            self.world.wait(0)
            for each in self.world.found(do.Reply):
                if each.request == request.id:
                    return each.response
            started = self.world.found(do.StartStream)[-1]
            assert started.request == request.id
            assert started.headers == {"Content-Type": media}
            self.stream = request.id
            return None
        return answer

    def subscribe(
        self, tasks: tuple[TaskInfo, ...] = (), updates: tuple[TaskStatus, ...] = ()
    ) -> None:
        answer = self.call(
            "SUBSCRIBE",
            subscribe=executor.Subscribe(
                unacknowledged_tasks=list(tasks),
                unacknowledged_updates=[executor.Update(status=each) for each in updates],
            ),
        )
        assert answer is None

    def status(self, task_id: str, state: str, **changes: Any) -> TaskStatus:
        return TaskStatus(
            **{
                "task_id": TaskID(task_id), "state": state, "source": "SOURCE_EXECUTOR",
                "uuid": next(_NUMBERS).to_bytes(16, "big"), **changes,
            }
        )  # fmt: skip

    def update(self, task_id: str, state: str, **changes: Any) -> TaskStatus:
        status = self.status(task_id, state, **changes)
        answer = self.call("UPDATE", update=executor.Update(status=status))
        assert answer is not None and answer.status == 202
        return status

    def events(self) -> list[executor.Event]:
        """Everything that this stream was told."""
        decoder = recordio.Decoder()
        records = [
            record
            for each in self.world.found(do.Send)
            if each.stream == self.stream
            for record in decoder.feed(each.data)
        ]
        return [self.speaks.decode(record, executor.Event) for record in records]

    def told(self) -> list[str]:
        return [event.type for event in self.events()]
