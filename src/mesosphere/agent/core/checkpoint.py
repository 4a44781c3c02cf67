"""What the agent writes down, where, and how it reads it back after a restart.

Layout below the work directory, as the original's meta tree:
  meta/slaves/latest                                       the agent's id; remove it to start anew
  meta/slaves/<agent>/frameworks/<framework>/framework.info
  meta/slaves/<agent>/frameworks/<f>/executors/<e>/executor.info  (none for a command task)
  meta/slaves/<agent>/frameworks/<f>/executors/<e>/runs/<container>/tasks/<task>/task.info
  and beside it task.updates, a log of JSON lines: {"update": TaskStatus},
  {"acknowledged": uuid}, {"kill": seconds}.

Invariants: everything written is sealed with a checksum; a torn last line is what a crash leaves,
and is cut off; what else can't be read is set aside and told, and the rest is recovered (of
task.updates each line that is whole). Frameworks without checkpointing leave nothing.
Source: "Mesos: agent recovery" (apache/mesos src/slave/paths.hpp, src/slave/state.hpp).
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mesosphere.agent.core.containers import executor_directory
from mesosphere.kernel.seals import seal, unseal
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.resources_codec import from_wire
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskInfo, TaskStatus

ROOT = "meta/"
NO_GRACE = -1.0
"""A kill that leaves the grace to the executor."""
LATEST = "meta/slaves/latest"
NOBODY = b"\n"
"""What LATEST holds when the next life is to be a new agent, as if it were not there."""
FAULTS_TOLD = 5
"""Damaged lines of one file that are told."""
_DIRECTORIES = (
    ("meta", "slaves", "", "frameworks", "", "executors", "", "runs", "", "tasks", ""),
    ("meta", "containers", ""),
)
_FILES = (
    (4, "drain_config"), (4, "container.info"), (6, "framework.info"), (8, "executor.info"),
    (12, "task.info"), (12, "task.updates"),
)  # fmt: skip
"""Names of files, with the number of parts of their path."""
_AGENT_ID = re.compile(r"[A-Za-z0-9][!-.0-~]{0,250}")


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
    killed: bool
    kill_grace_s: float | None
    path: str


class Damage(msgspec.Struct):
    """A file (or what lies in its place) that is not taken over, and why."""

    path: str
    reason: str


class Saved(msgspec.Struct):
    """What was found: the agent's id, its frameworks, executors by framework and id, tasks, what
    could not be read, and new contents for files of which a part could be read."""

    agent_id: str | None = None
    frameworks: dict[str, FrameworkInfo] = {}
    executors: dict[tuple[str, str], ExecutorFile] = {}
    tasks: list[SavedTask] = []
    damaged: list[Damage] = []
    mended: dict[str, bytes] = {}


class UpdateLog(msgspec.Struct):
    """A `task.updates`. `mended` is what is to stand in its place, if that is something else."""

    updates: list[TaskStatus] = []
    pending: list[TaskStatus] = []
    kill_grace_s: float | None = None
    faults: list[str] = []
    mended: bytes | None = None


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


def place(path: str) -> str:
    """What belongs at a path of the meta tree: "file", "directory", or "" for nothing of ours."""
    parts, kind = path.split("/"), "directory"
    if path == LATEST or (len(parts), parts[-1]) in _FILES:
        parts, kind = parts[:-1], "file"
    for directories in _DIRECTORIES:
        known = directories[: len(parts)]
        if len(known) == len(parts) and all(map(_is_like, known, parts)):
            return kind
    return ""


def _is_like(known: str, part: str) -> bool:
    return known in ("", part)


def read_latest(data: bytes) -> str | None:
    """The agent's id that LATEST holds; None if the next agent is to be new. Raises ValueError."""
    text = data.decode("ascii", "replace").strip()
    if text and not _AGENT_ID.fullmatch(text):
        raise ValueError(f"{text[:50]!r} is no agent's id")
    return text or None


def encode_framework(info: FrameworkInfo) -> bytes:
    """`framework.info`'s content."""
    return seal(codec.encode(info))


def encode_task(file: TaskFile) -> bytes:
    """`task.info`'s content."""
    return seal(codec.encode(file))


def encode_executor(file: ExecutorFile) -> bytes:
    """`executor.info`'s content."""
    return seal(codec.encode(file))


def encode_update(status: TaskStatus) -> bytes:
    """A line of `task.updates`: an update that is promised."""
    return seal(b'{"update":' + codec.encode(status) + b"}") + b"\n"


def encode_acknowledgement(uuid: bytes) -> bytes:
    """A line of `task.updates`: the update of this uuid was taken over."""
    return seal(b'{"acknowledged":"' + base64.b64encode(uuid) + b'"}') + b"\n"


def encode_kill(grace_s: float | None) -> bytes:
    """A line of `task.updates`: the task is being killed, with this grace if one was given."""
    kill = {"kill": NO_GRACE if grace_s is None else grace_s}
    return seal(msgspec.json.encode(kill)) + b"\n"


class _Line(msgspec.Struct):
    update: TaskStatus | None = None
    acknowledged: bytes | None = None
    kill: float | None = None


_LINES = msgspec.json.Decoder(_Line)


def read_updates(data: bytes) -> UpdateLog:
    """Read a `task.updates`: a line that can't be read is a fault, but for a torn last one."""
    log = UpdateLog()
    acknowledged: dict[bytes, None] = {}
    kept: list[bytes] = []
    lines = data.split(b"\n")
    for number, text in enumerate(lines, 1):
        if not text:
            continue
        try:
            line = _LINES.decode(unseal(text))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            if number < len(lines):
                log.faults.append(f"line {number}: {error}")
            continue
        kept.append(text + b"\n")
        if line.update is not None:
            log.updates.append(line.update)
        elif line.acknowledged is not None:
            acknowledged[line.acknowledged] = None
        elif line.kill is not None:
            log.kill_grace_s = line.kill
    log.pending = [each for each in log.updates if each.uuid not in acknowledged]
    whole = b"".join(kept)
    # What is appended next must not run into what a crash has torn.
    log.mended = None if whole == data else whole
    return log


def read_saved(files: Mapping[str, bytes]) -> Saved:
    """Read the meta tree: path below the work directory -> content."""
    saved = Saved()
    try:
        saved.agent_id = read_latest(files.get(LATEST, b""))
    except ValueError as error:
        saved.damaged.append(Damage(LATEST, str(error)))
    if saved.agent_id is None:
        return saved
    prefix = f"meta/slaves/{saved.agent_id}/frameworks/"
    for path in sorted(files):
        if not path.startswith(prefix) or place(path) != "file":
            continue
        parts = path[len(prefix) :].split("/")
        try:
            if parts[-1] == "framework.info":
                info = codec.decode(unseal(files[path]), FrameworkInfo)
                saved.frameworks[parts[0]] = info
            elif parts[-1] == "executor.info":
                file: Any = codec.decode(unseal(files[path]), ExecutorFile)
                from_wire(file.info.resources)
                saved.executors[parts[0], parts[2]] = file
            elif parts[-1] == "task.info":
                _read_task(saved, path, parts[0], files)
        except (WireError, ValueError) as error:
            saved.damaged.append(Damage(path, str(error)))
    _leave_out_orphans(saved)
    return saved


def _read_task(saved: Saved, path: str, framework_id: str, files: Mapping[str, bytes]) -> None:
    file: Any = codec.decode(unseal(files[path]), TaskFile)
    from_wire(file.task.resources)
    beside = path.removesuffix("task.info") + "task.updates"
    log = read_updates(files.get(beside, b""))
    if log.faults:
        saved.damaged.append(Damage(beside, "; ".join(log.faults[:FAULTS_TOLD])))
    if log.mended is not None:
        saved.mended[beside] = log.mended
    killed, grace_s = log.kill_grace_s is not None, log.kill_grace_s
    if grace_s is not None and grace_s < 0:
        grace_s = None
    saved.tasks.append(
        SavedTask(file, framework_id, log.updates, log.pending, killed, grace_s, path)
    )


def _leave_out_orphans(saved: Saved) -> None:
    """What belongs to a framework or an executor that could not be read is not taken over."""
    frameworks = f"meta/slaves/{saved.agent_id}/frameworks"
    for key in [each for each in saved.executors if each[0] not in saved.frameworks]:
        del saved.executors[key]
        path = f"{frameworks}/{key[0]}/executors/{key[1]}/executor.info"
        saved.damaged.append(Damage(path, "its framework.info is missing or damaged"))
    for task in list(saved.tasks):
        executor, missing = task.file.executor, ""
        if task.framework_id not in saved.frameworks:
            missing = "framework.info"
        elif executor and (task.framework_id, executor) not in saved.executors:
            missing = "executor.info"
        if missing:
            saved.tasks.remove(task)
            saved.mended.pop(task.path.removesuffix("info") + "updates", None)
            saved.damaged.append(Damage(task.path, f"its {missing} is missing or damaged"))
