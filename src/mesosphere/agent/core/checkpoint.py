"""What the agent writes down, where, and how it reads it back after a restart.

Layout below the work directory, as the original's meta tree:
  meta/slaves/latest                                       the agent's id; remove it to start anew
  meta/slaves/<agent>/frameworks/<framework>/framework.info
  meta/slaves/<agent>/frameworks/<f>/executors/<e>/executor.info  (none for a command task)
  meta/slaves/<agent>/frameworks/<f>/executors/<e>/runs/<container>/tasks/<task>/task.info
  and beside it task.updates, a log of JSON lines: {"update": TaskStatus},
  {"acknowledged": uuid}, {"kill": seconds}.

Invariants: a torn last line is what a crash leaves, and is ignored; what else can't be read
is set aside and told, and the rest is recovered. Frameworks without checkpointing leave nothing.
Source: "Mesos: agent recovery" (apache/mesos src/slave/paths.hpp, src/slave/state.hpp).
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from mesosphere.agent.core.containers import executor_directory
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskInfo, TaskStatus

ROOT = "meta/"
NO_GRACE = -1.0
"""A kill that leaves the grace to the executor."""
LATEST = "meta/slaves/latest"
NOBODY = b"\n"
"""What LATEST holds when the next life is to be a new agent, as if it were not there."""


class TaskFile(msgspec.Struct):
    """`task.info`."""

    task: TaskInfo
    container: str
    sandbox: str
    user: str
    launched_at: float
    executor: str = ""
    group: str = ""


class ExecutorFile(msgspec.Struct):
    """`executor.info`."""

    info: ExecutorInfo
    container: str
    sandbox: str
    user: str
    launched_at: float


class SavedTask(msgspec.Struct):
    """A task as its files tell it. `pending` are the updates without acknowledgement."""

    file: TaskFile
    framework_id: str
    updates: list[TaskStatus]
    pending: list[TaskStatus]
    killed: bool = False
    kill_grace_s: float | None = None


class Saved(msgspec.Struct):
    """What was found: the agent's id, its frameworks, executors by framework and id, tasks, and
    what could not be read."""

    agent_id: str | None
    frameworks: dict[str, FrameworkInfo]
    executors: dict[tuple[str, str], ExecutorFile]
    tasks: list[SavedTask]
    damaged: list[str]


def framework_directory(agent_id: str, framework_id: str) -> str:
    """Where a framework's files are."""
    return f"meta/slaves/{agent_id}/frameworks/{framework_id}"


def executor_path(agent_id: str, framework_id: str, executor_id: str) -> str:
    """Where the files of one executor and its runs are."""
    return f"meta/{executor_directory(agent_id, framework_id, executor_id)}"


def task_directory(
    agent_id: str, framework_id: str, executor_id: str, task_id: str, container: str
) -> str:
    """Where the files of a task are; `container` is its executor's."""
    return f"{executor_path(agent_id, framework_id, executor_id)}/runs/{container}/tasks/{task_id}"


def encode_task(file: TaskFile) -> bytes:
    """`task.info`'s content."""
    return codec.encode(file)


def encode_executor(file: ExecutorFile) -> bytes:
    """`executor.info`'s content."""
    return codec.encode(file)


def encode_update(status: TaskStatus) -> bytes:
    """A line of `task.updates`: an update that is promised."""
    return b'{"update":' + codec.encode(status) + b"}\n"


def encode_acknowledgement(uuid: bytes) -> bytes:
    """A line of `task.updates`: the update of this uuid was taken over."""
    return b'{"acknowledged":"' + base64.b64encode(uuid) + b'"}\n'


def encode_kill(grace_s: float | None) -> bytes:
    """A line of `task.updates`: the task is being killed, with this grace if one was given."""
    return msgspec.json.encode({"kill": NO_GRACE if grace_s is None else grace_s}) + b"\n"


class _Line(msgspec.Struct):
    update: TaskStatus | None = None
    acknowledged: bytes | None = None
    kill: float | None = None


_LINES = msgspec.json.Decoder(_Line)


def read_updates(data: bytes) -> tuple[list[TaskStatus], list[TaskStatus], float | None]:
    """(all updates, those not acknowledged, grace of a kill) of a `task.updates`.

    Raises ValueError when a line other than a torn last one can't be read.
    """
    updates: list[TaskStatus] = []
    acknowledged: dict[bytes, None] = {}
    kill_grace_s = None
    *lines, torn = data.split(b"\n")
    for number, text in enumerate(lines, 1):
        try:
            line = _LINES.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"line {number}: {error}") from error
        if line.update is not None:
            updates.append(line.update)
        elif line.acknowledged is not None:
            acknowledged[line.acknowledged] = None
        elif line.kill is not None:
            kill_grace_s = line.kill
    if torn:
        # Written whole but for its newline, or cut short: only the former counts.
        try:
            line = _LINES.decode(torn)
        except (msgspec.DecodeError, UnicodeDecodeError):
            line = _Line()
        if line.update is not None:
            updates.append(line.update)
    pending = [each for each in updates if each.uuid not in acknowledged]
    return updates, pending, kill_grace_s


def read_saved(files: Mapping[str, bytes]) -> Saved:
    """Read the meta tree: path below the work directory -> content."""
    agent_id = files.get(LATEST, b"").decode(errors="replace").strip() or None
    saved = Saved(agent_id, {}, {}, [], [])
    if agent_id is None:
        return saved
    prefix = f"meta/slaves/{agent_id}/frameworks/"
    for path in sorted(files):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        try:
            if parts[1:] == ["framework.info"]:
                saved.frameworks[parts[0]] = codec.decode(files[path], FrameworkInfo)
            elif parts[-1] == "executor.info" and len(parts) == 4:
                key = (parts[0], parts[2])
                saved.executors[key] = codec.decode(files[path], ExecutorFile)
            elif parts[-1] == "task.info" and len(parts) == 8:
                saved.tasks.append(_read_task(path, parts, files))
        except (WireError, ValueError) as error:
            saved.damaged.append(f"{path}: {error}")
    _leave_out_orphans(saved, prefix)
    return saved


def _leave_out_orphans(saved: Saved, prefix: str) -> None:
    """What belongs to a framework or an executor that could not be read is not taken over."""
    for key in [each for each in saved.executors if each[0] not in saved.frameworks]:
        del saved.executors[key]
        saved.damaged.append(f"{prefix}{key[0]}/framework.info: missing or damaged")
    for task in list(saved.tasks):
        path, executor = f"{prefix}{task.framework_id}", task.file.executor
        missing = ""
        if task.framework_id not in saved.frameworks:
            missing = f"{path}/framework.info"
        elif executor and (task.framework_id, executor) not in saved.executors:
            missing = f"{path}/executors/{executor}/executor.info"
        if missing:
            saved.tasks.remove(task)
            told = f"{missing}: missing or damaged"
            if told not in saved.damaged:
                saved.damaged.append(told)


def _read_task(path: str, parts: list[str], files: Mapping[str, bytes]) -> SavedTask:
    file: Any = codec.decode(files[path], TaskFile)
    data = files.get(path.removesuffix("task.info") + "task.updates", b"")
    updates, pending, kill_grace_s = read_updates(data)
    killed = kill_grace_s is not None
    if kill_grace_s is not None and kill_grace_s < 0:
        kill_grace_s = None
    return SavedTask(file, parts[0], updates, pending, killed, kill_grace_s)
