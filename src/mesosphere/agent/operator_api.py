"""The agent's operator API v1: each call's answer as a pure read, or a file request.

Source: apache/mesos include/mesos/v1/agent/agent.proto and src/slave/http.cpp.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from mesosphere.agent import container_api, views
from mesosphere.agent.core.commands import FileRequested, PruningRequested
from mesosphere.agent.core.extra_life import ExtraPhase
from mesosphere.agent.core.extra_records import ExtraContainer
from mesosphere.agent.core.files import real_path
from mesosphere.agent.core.introduction import agent_info
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.machine import AgentMachine
from mesosphere.agent.core.state import TaskRecord, container_id
from mesosphere.agent.negotiation import misfit, negotiate
from mesosphere.kernel import verbosity
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import agent_operator, codec
from mesosphere.wire.mesos.common import TimeInfo
from mesosphere.wire.mesos.containers import ContainerStatus
from mesosphere.wire.mesos.ids import ExecutorID, FrameworkID
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.operator_base import AskFile, AskFiles, SetLoggingLevel
from mesosphere.wire.mesos.tasks import ExecutorInfo

OTHERS = (
    "UNKNOWN",
    "ADD_RESOURCE_PROVIDER_CONFIG", "UPDATE_RESOURCE_PROVIDER_CONFIG",
    "REMOVE_RESOURCE_PROVIDER_CONFIG", "MARK_RESOURCE_PROVIDER_GONE",
)  # fmt: skip
"""Calls that the original knows and this agent does not carry out: answered 501."""


def answer(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    """`POST /api/v1`."""
    exchange = negotiate(request.headers)
    if isinstance(exchange, Response):
        return exchange
    if exchange.body_streams and not request.body:
        return text_response(400, "Received EOF while reading request body")
    try:
        call = exchange.body.decode(request.body, agent_operator.Call)
    except WireError as error:
        return text_response(400, f"{error}\n")
    if not machine.state.recovered:
        return text_response(503, "Agent has not finished recovery\n")
    refused = misfit(call.type, exchange)
    if refused is not None:
        return refused
    accepted = exchange.answer
    if call.type == "LIST_FILES":
        return _list_files(machine, request, call.list_files, accepted)
    if call.type == "READ_FILE":
        return _read_file(machine, request, call.read_file, accepted)
    if call.type == "GET_CONTAINERS":
        body = _get_containers(machine, call.get_containers or agent_operator.GetContainers())
        return _shown(call.type, body, accepted)
    if call.type == "SET_LOGGING_LEVEL":
        return _set_level(request, call.set_logging_level)
    if call.type == "PRUNE_IMAGES":
        return _prune_images(machine, request, call.prune_images)
    if call.type in container_api.CALLS or call.type == "ATTACH_CONTAINER_INPUT":
        return container_api.answer(request.id, call, exchange)
    read = READS.get(call.type)
    if read is not None:
        return _shown(call.type, read(machine, now), accepted)
    if call.type in OTHERS:
        return text_response(501, f"The call {call.type} is not supported by this agent\n")
    return text_response(400, "Failed to validate agent::Call: Expecting 'type' to be present\n")


def _set_level(request: Request, body: SetLoggingLevel | None) -> Response | Event:
    if body is None:
        return text_response(400, "Expecting 'set_logging_level' to be present\n")
    return verbosity.change(request, body.level, body.duration.nanoseconds / 1e9)


def _prune_images(
    machine: AgentMachine, request: Request, body: agent_operator.PruneImages | None
) -> Response | Event:
    if machine.config.host.isolation != "oci" or machine.config.host.why_no_images:
        return text_response(501, "This agent keeps no images\n")
    images = body.excluded_images if body is not None else []
    names = [image.docker.name for image in images if image.docker is not None]
    return PruningRequested(request.id, tuple(names))


def _shown(kind: str, body: Any, media: Media) -> Response:
    shown = msgspec.convert({"type": kind, kind.lower(): body}, agent_operator.Response)
    return media.answer(shown)


def _list_files(
    machine: AgentMachine, request: Request, body: AskFiles | None, media: Media
) -> Response | Event:
    if body is None:
        return text_response(400, "Expecting 'list_files' to be present\n")
    path = real_path(machine.config, machine.state.agent_id, body.path)
    if path is None:
        return text_response(404, f"'{body.path}' was not found\n")
    return FileRequested(request.id, "browse", path, body.path, media=media.value)


def _read_file(
    machine: AgentMachine, request: Request, body: AskFile | None, media: Media
) -> Response | Event:
    if body is None:
        return text_response(400, "Expecting 'read_file' to be present\n")
    path = real_path(machine.config, machine.state.agent_id, body.path)
    if path is None:
        return text_response(404, f"'{body.path}' was not found\n")
    return FileRequested(request.id, "read", path, body.path, body.offset, body.length, media.value)


# --- reads ----------------------------------------------------------------------------------


def _health(machine: AgentMachine, now: float) -> Any:
    return {"healthy": True}


def _flags(machine: AgentMachine, now: float) -> Any:
    flags = machine.config.flags
    return {"flags": [{"name": name, "value": value} for name, value in flags.items()]}


def _version(machine: AgentMachine, now: float) -> Any:
    return {"version_info": views.version()}


def _metrics(machine: AgentMachine, now: float) -> Any:
    values = views.metrics(machine.state, now)
    return {"metrics": [{"name": name, "value": value} for name, value in values.items()]}


def _agent(machine: AgentMachine, now: float) -> Any:
    shown: dict[str, Any] = {"agent_info": agent_info(machine.state)}
    if machine.state.drain is not None:
        began = TimeInfo(nanoseconds=int(machine.state.drain_began_at * 1e9))
        shown |= {"drain_config": machine.state.drain, "estimated_drain_start_time": began}
    return shown


def _get_containers(machine: AgentMachine, body: agent_operator.GetContainers) -> Any:
    found = []
    for each in views.shown_containers(machine.state):
        if each.is_nested and not body.show_nested:
            continue
        measured = views.statistics_of(machine.state, each)
        found.append(
            {
                "framework_id": FrameworkID(each.framework_id),
                "executor_id": ExecutorID(each.executor_id),
                "executor_name": each.executor_name,
                "container_id": container_id(each.name),
                "container_status": each.status,
                **({"resource_statistics": measured} if "timestamp" in measured else {}),
            }
        )
    for extra in machine.state.extras.values():
        is_shown = body.show_nested if extra.file.order.parent else body.show_standalone
        if is_shown and extra.phase is not ExtraPhase.ENDED:
            found.append(_extra(machine, extra))
    return {"containers": found}


def _extra(machine: AgentMachine, extra: ExtraContainer) -> Any:
    identifier = container_id(extra.name)
    status = ContainerStatus(container_id=identifier, executor_pid=extra.pid or None)
    shown = {"container_id": identifier, "container_status": status}
    if extra.file.framework_id:
        shown["framework_id"] = FrameworkID(extra.file.framework_id)
        shown["executor_id"] = ExecutorID(extra.file.executor_id)
    measured = machine.state.statistics.get(extra.name)
    return {**shown, "resource_statistics": measured} if measured else shown


def _frameworks(machine: AgentMachine, now: float) -> Any:
    state = machine.state
    return {
        "frameworks": [{"framework_info": each.info} for each in state.frameworks.values()],
        "completed_frameworks": [{"framework_info": each.info} for each in state.completed],
    }


def _command_executor(task: TaskRecord) -> dict[str, Any]:
    info = ExecutorInfo(
        executor_id=ExecutorID(task.executor_id),
        framework_id=FrameworkID(task.framework_id),
        command=task.info.command,
        resources=task.info.resources,
        name=f"Command Executor (Task: {task.task_id})",
        source=task.task_id,
    )
    return {"executor_info": info}


def _executors(machine: AgentMachine, now: float) -> Any:
    state = machine.state
    frameworks = [*state.frameworks.values(), *state.completed]
    commands = [each for each in state.tasks() if each.executor is None]
    return {
        "executors": [
            *({"executor_info": each.info} for each in state.executors()),
            *(_command_executor(each) for each in commands if each.phase is not Phase.ENDED),
        ],
        "completed_executors": [
            *({"executor_info": each.info} for one in frameworks for each in one.ended_executors),
            *(_command_executor(task) for each in frameworks for task in each.ended),
        ],
    }


def _tasks(machine: AgentMachine, now: float) -> Any:
    state = machine.state
    frameworks = [*state.frameworks.values(), *state.completed]
    queued = {
        task.key: task
        for executor in state.executors()
        for launch in executor.queue
        for task in launch.tasks
    }
    tasks = [each for each in state.tasks() if each.key not in queued]
    executors = [
        *state.executors(),
        *(executor for each in frameworks for executor in each.ended_executors),
    ]
    ended = [task for each in frameworks for task in each.ended]
    ended += [task for each in executors for task in each.ended]
    return {
        "pending_tasks": [],
        "queued_tasks": [each.to_wire() for each in queued.values()],
        "launched_tasks": [each.to_wire() for each in tasks if each.phase is not Phase.ENDED],
        "terminated_tasks": [each.to_wire() for each in tasks if each.phase is Phase.ENDED],
        "completed_tasks": [each.to_wire() for each in ended],
    }


def _state(machine: AgentMachine, now: float) -> Any:
    return {
        "get_tasks": _tasks(machine, now),
        "get_executors": _executors(machine, now),
        "get_frameworks": _frameworks(machine, now),
    }


def _operations(machine: AgentMachine, now: float) -> Any:
    return {"operations": [each.record for each in machine.state.operations.values()]}


READS: dict[str, Callable[[AgentMachine, float], Any]] = {
    "GET_HEALTH": _health,
    "GET_FLAGS": _flags,
    "GET_VERSION": _version,
    "GET_METRICS": _metrics,
    "GET_LOGGING_LEVEL": lambda machine, now: {"level": machine.verbosity.level},
    "GET_STATE": _state,
    "GET_FRAMEWORKS": _frameworks,
    "GET_EXECUTORS": _executors,
    "GET_TASKS": _tasks,
    "GET_AGENT": _agent,
    "GET_OPERATIONS": _operations,
    "GET_RESOURCE_PROVIDERS": lambda machine, now: {},
}


def encoded(value: Any) -> bytes:
    """JSON of a view; structs inside are written as messages."""
    return codec.encode(value)
