"""Messages of emulated agents and frameworks, made as cheaply as can be."""

import base64
import os

from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import codec, link, scheduler
from mesosphere.wire.mesos.agents import AgentInfo
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.common import Label, Labels
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, FrameworkID, TaskID
from mesosphere.wire.mesos.operations import Launch, Operation
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import Task, TaskInfo, TaskStatus

AGENT = Resources.of(cpus=64, mem=262144, disk=1000000, ports=[(31000, 32000)])
TASK = Resources.of(cpus=0.5, mem=512)
REPORTED = "bench-framework"
"""Owner of the tasks that agents bring."""

PING = codec.encode(link.Event(type="PING"))


def framework(name: str, framework_id: str = "") -> FrameworkInfo:
    """A framework that fails over."""
    return FrameworkInfo(
        user="root", name=name, roles=["bench"], failover_timeout=3600.0, checkpoint=True,
        id=FrameworkID(framework_id) if framework_id else None,
        capabilities=[
            FrameworkCapability(type="MULTI_ROLE"), FrameworkCapability(type="PARTITION_AWARE")
        ],
    )  # fmt: skip


def subscribe_scheduler(name: str, framework_id: str = "") -> bytes:
    """SUBSCRIBE of a framework."""
    info = framework(name, framework_id)
    call = scheduler.Call(
        type="SUBSCRIBE", subscribe=scheduler.Subscribe(framework_info=info), framework_id=info.id
    )
    return codec.encode(call)


def _reported_task(agent: int, agent_id: str, number: int) -> bytes:
    name = f"service-{number}.instance-{agent}-{number}"
    status = TaskStatus(
        task_id=TaskID(name), state="TASK_RUNNING", source="SOURCE_EXECUTOR",
        timestamp=1700000000.0 + agent, uuid=os.urandom(16), agent_id=AgentID(agent_id),
    )  # fmt: skip
    labels = Labels(labels=[Label(key=f"label-{n}", value=f"value-{n}") for n in range(4)])
    task = Task(
        name=f"service-{number}", task_id=TaskID(name), framework_id=FrameworkID(REPORTED),
        agent_id=AgentID(agent_id), state="TASK_RUNNING", labels=labels, user="root",
        resources=to_wire(TASK.allocated_to("bench")), statuses=[status],
    )  # fmt: skip
    return codec.encode(link.TaskReport(task=task))


def reports(agent: int, agent_id: str, count: int) -> bytes:
    """The tasks an agent brings."""
    return b",".join(_reported_task(agent, agent_id, number) for number in range(count))


def subscribe_agent(number: int, agent_id: str, tasks: bytes) -> bytes:
    """SUBSCRIBE of an agent; without an id it is new."""
    info = AgentInfo(
        hostname=f"agent{number}.example.com",
        port=5051 + number % 50_000,
        resources=to_wire(AGENT),
        id=AgentID(agent_id) if agent_id else None,
    )
    known = [framework(REPORTED, REPORTED)] if tasks else []
    body = codec.encode(
        link.Call(
            type="SUBSCRIBE",
            subscribe=link.Subscribe(agent_info=info, version="1.11.0", frameworks=known),
        )
    )
    if not tasks:
        return body
    assert body.endswith(b"]}}")
    return body[:-2] + b',"tasks":[' + tasks + b"]}}"


def pong(agent_id: str) -> bytes:
    """PONG."""
    return b'{"type":"PONG","agent_id":{"value":"%b"}}' % agent_id.encode()


def running(agent_id: str, framework_id: str, task_id: str) -> bytes:
    """UPDATE: TASK_RUNNING."""
    uuid = base64.b64encode(os.urandom(16))
    return (
        b'{"type":"UPDATE","agent_id":{"value":"%b"},"update":{"framework_id":{"value":"%b"},'
        b'"latest_state":"TASK_RUNNING","status":{"task_id":{"value":"%b"},"state":"TASK_RUNNING",'
        b'"source":"SOURCE_EXECUTOR","timestamp":1700000000.5,"uuid":"%b"}}}'
    ) % (agent_id.encode(), framework_id.encode(), task_id.encode(), uuid)


def accept(framework_id: str, agent_id: str, offer_id: str, task_ids: list[str]) -> bytes:
    """ACCEPT that launches tasks."""
    tasks = [
        TaskInfo(
            name="t", task_id=TaskID(task_id), agent_id=AgentID(agent_id),
            command=CommandInfo(value="true"), resources=to_wire(TASK.allocated_to("bench")),
        )
        for task_id in task_ids
    ]  # fmt: skip
    operation = Operation(type="LAUNCH", launch=Launch(task_infos=tasks))
    body = scheduler.Accept(offer_ids=[scheduler.OfferID(offer_id)], operations=[operation])
    call = scheduler.Call(type="ACCEPT", framework_id=FrameworkID(framework_id), accept=body)
    return codec.encode(call)
