"""What a custom executor is told on its stream, and what it says.

Decides the events of a subscription and what becomes of an executor's updates. Vocabulary: the
*stream* is the request id of its open SUBSCRIBE; what it can't hear now it is told when it comes
back (kills), or it is not told at all (messages). Invariants: one stream per executor, the newest;
an update is told to the executor as ACKNOWLEDGED only after it is on disk; an update that was heard
before is acknowledged again and does nothing.
Source: apache/mesos src/slave/http.cpp and src/slave/slave.cpp (subscribe, statusUpdate).
"""

from typing import TYPE_CHECKING

import msgspec

from mesosphere.agent.core import executor_ends
from mesosphere.agent.core.commands import ExecutorCalled
from mesosphere.agent.core.executor_life import ExecutorInput, ExecutorPhase
from mesosphere.agent.core.exits import End, reworded
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.state import ExecutorRecord, QueuedLaunch, TaskRecord
from mesosphere.kernel.effects import (
    CancelTimer,
    Effect,
    EndStream,
    Log,
    Send,
    SetTimer,
    StartStream,
)
from mesosphere.wire.mesos import executor
from mesosphere.wire.mesos.agents import AgentInfo
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.ids import AgentID, ContainerID, ExecutorID
from mesosphere.wire.mesos.tasks import TaskGroupInfo, TaskStatus

if TYPE_CHECKING:
    from mesosphere.agent.core.executors import Executors

HEARTBEAT_S = 1800.0
"""Between the heartbeats of a stream; the first comes after so long, too."""
HEARD_LIMIT = 1_000
"""Updates of one task whose repetition is recognised."""


# --- what it is told ------------------------------------------------------------------------


def tell(record: ExecutorRecord, event: executor.Event) -> list[Effect]:
    """An event for an executor, if it listens."""
    if not record.stream:
        return []
    return [Send(record.stream, record.media.record(event))]


def launch(record: ExecutorRecord, queued: QueuedLaunch) -> list[Effect]:
    """LAUNCH or LAUNCH_GROUP."""
    infos = [task.info for task in queued.tasks]
    if queued.is_group:
        body = executor.LaunchGroup(task_group=TaskGroupInfo(tasks=infos))
        return tell(record, executor.Event(type="LAUNCH_GROUP", launch_group=body))
    return [
        effect
        for info in infos
        for effect in tell(record, executor.Event(type="LAUNCH", launch=executor.Launch(task=info)))
    ]


def kill(record: ExecutorRecord, task: TaskRecord) -> list[Effect]:
    """KILL, with the policy of the kill if it has one."""
    body = executor.Kill(task_id=task.info.task_id, kill_policy=task.kill_policy())
    return tell(record, executor.Event(type="KILL", kill=body))


def message(record: ExecutorRecord, data: bytes) -> list[Effect]:
    """MESSAGE: lost if nobody listens, as in the original."""
    return tell(record, executor.Event(type="MESSAGE", message=executor.Message(data=data)))


def shutdown(record: ExecutorRecord) -> list[Effect]:
    """SHUTDOWN. The stream stays: the executor still has the ends of its tasks to tell."""
    return tell(record, executor.Event(type="SHUTDOWN"))


def _turn_away(record: ExecutorRecord) -> list[Effect]:
    """SHUTDOWN for one that comes back while it is being ended; the stream ends with it."""
    effects = shutdown(record)
    if record.stream:
        effects.append(EndStream(record.stream))
        record.stream = ""
    return effects


def heartbeat(record: ExecutorRecord) -> list[Effect]:
    """HEARTBEAT, and the next one later."""
    if not record.stream:
        return []
    again = SetTimer(f"heartbeat/{record.key}", HEARTBEAT_S)
    return [*tell(record, executor.Event(type="HEARTBEAT")), again]


def acknowledged(record: ExecutorRecord, status: TaskStatus) -> list[Effect]:
    """ACKNOWLEDGED: the agent has the update for good."""
    body = executor.Acknowledged(task_id=status.task_id, uuid=status.uuid or b"")
    return tell(record, executor.Event(type="ACKNOWLEDGED", acknowledged=body))


# --- what it says ---------------------------------------------------------------------------


def subscribed(
    executors: "Executors",
    now: float,
    record: ExecutorRecord,
    asked: ExecutorCalled,
    call: executor.Subscribe,
    agent: AgentInfo,
) -> list[Effect]:
    """SUBSCRIBE: the newest stream counts; tell it who it is and what waits for it."""
    effects: list[Effect] = []
    if record.stream:
        effects.append(EndStream(record.stream))
    record.stream, record.media = asked.request, asked.media
    headers = {"Content-Type": asked.media.value}
    effects += [
        CancelTimer(f"register/{record.key}"),
        StartStream(asked.request, headers=headers),
        Log("info", "executor_subscribed", {"executor": record.key}),
    ]
    record.is_recovered = False
    if record.phase in (ExecutorPhase.TERMINATING, ExecutorPhase.ENDED):
        return [*effects, *_turn_away(record)]
    for update in call.unacknowledged_updates:
        effects += updated(executors, now, record, update.status)
    known = dict.fromkeys(task.task_id.value for task in call.unacknowledged_tasks)
    effects += _drop_undelivered(executors, now, record, known)
    framework = executors.state.frameworks[record.framework_id]
    body = executor.Subscribed(
        executor_info=record.info,
        framework_info=framework.info,
        agent_info=agent,
        container_id=ContainerID(record.container),
    )
    effects += tell(record, executor.Event(type="SUBSCRIBED", subscribed=body))
    effects.append(SetTimer(f"heartbeat/{record.key}", HEARTBEAT_S))
    effects += executors.step(now, record, ExecutorInput.READY)
    for task in record.living():
        if task.killed:
            effects += kill(record, task)
    if not record.was_given and not record.queue:
        # All of its first tasks were killed before it came.
        effects += executors.step(now, record, ExecutorInput.SHUTDOWN)
    return effects


def _drop_undelivered(
    executors: "Executors", now: float, record: ExecutorRecord, known: dict[str, None]
) -> list[Effect]:
    framework = executors.state.frameworks[record.framework_id]
    lost = executor_ends.undelivered(framework)
    waiting = {task.task_id: None for queued in record.queue for task in queued.tasks}
    effects: list[Effect] = []
    for task in record.living():
        never = task.state == "TASK_STAGING" and task.task_id not in waiting
        if never and task.task_id not in known:
            effects += executors.tasks.tell_end(now, task, lost)
    return effects


def updated(
    executors: "Executors", now: float, record: ExecutorRecord, status: TaskStatus
) -> list[Effect]:
    """An update: on disk, then acknowledged to the executor and sent to the framework."""
    task = record.tasks.get(status.task_id.value)
    uuid = status.uuid or b""
    if task is None or uuid in task.heard or task.phase is Phase.ENDED:
        if task is None or uuid not in task.heard:
            executors.state.count("invalid_status_updates")
            fields = {"executor": record.key, "task": status.task_id.value, "state": status.state}
            return [Log("warning", "update_ignored", fields), *acknowledged(record, status)]
        return acknowledged(record, status)
    executors.state.count("valid_status_updates")
    task.heard[uuid] = None
    if len(task.heard) > HEARD_LIMIT:
        del task.heard[next(iter(task.heard))]
    where = executors.tasks.container_status(task)
    if status.container_status is not None:
        given = status.container_status
        where = msgspec.structs.replace(
            where, network_infos=given.network_infos or where.network_infos
        )
    status = msgspec.structs.replace(
        status,
        source="SOURCE_EXECUTOR",
        agent_id=AgentID(record.agent_id),
        executor_id=ExecutorID(record.id),
        timestamp=now if status.timestamp is None else status.timestamp,
        container_status=where,
    )
    end = End(status.state, status.reason, "")
    framework = executors.state.frameworks[record.framework_id]
    told = reworded(end, executors.state.drain, framework.can("PARTITION_AWARE"))
    status = msgspec.structs.replace(status, state=told.state, reason=told.reason)
    if status.healthy is not None:
        task.healthy = status.healthy
    heard = acknowledged(record, status)
    if not is_terminal(status.state):
        task.phase = Phase.RUNNING
        return executors.tasks.tell_status(now, task, status, heard)
    return executors.tasks.tell_last(now, task, status, heard)
