"""The legacy endpoints' pages, with the original's keys; `entries` says what each entry shows.

The big ones come in pieces (see `pieces`): encoded once for each task and agent, not for each read.
Source: Mesos, src/master/readonly_handler.cpp, src/common/http.cpp.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from mesosphere import MESOS_VERSION
from mesosphere.kernel.pages import Slices
from mesosphere.master.core.config import MASTER_CAPABILITIES
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Framework, TaskRecord
from mesosphere.master.views import entries, pieces
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec

BUILD = {
    "build_date": "2026-11-24 00:00:00",
    "build_time": 1795478400.0,
    "build_user": "mesosphere",
}

COUNTED_STATES = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_UNREACHABLE",
)
COUNTED_PER_SLICE = 4_096


def version() -> dict[str, Any]:
    """`/version`."""
    return {"version": MESOS_VERSION, **BUILD}


def recovered_agents(master: MasterMachine) -> list[dict[str, Any]]:
    """Agents of an earlier leader that have not come back yet."""
    return [
        {
            "id": agent_id,
            "hostname": info.hostname,
            "port": info.port,
            "attributes": entries.attributes(info.attributes),
            **_domain(info.domain),
        }
        for agent_id, info in master.state.recovered.items()
    ]


def _domain(domain: mesos.DomainInfo | None) -> dict[str, Any]:
    return {} if domain is None else {"domain": codec.to_plain(domain)}


Executors = dict[str, list[tuple[mesos.ExecutorInfo, str]]]
"""By framework: the custom executors and their agents."""


def _executors(master: MasterMachine) -> Executors:
    shown: Executors = {}
    for found in master.state.agents.values():
        for (owner, _), record in found.executors.items():
            shown.setdefault(owner, []).append((record.info, found.id))
    return shown


def _each(entry: Callable[[Any], Any], values: list[Any]) -> Slices:
    """An array of small entries of what never changes."""
    return pieces.listed(map(msgspec.json.encode, map(entry, values)))


def _tasks(records: Iterable[TaskRecord]) -> Slices:
    return pieces.listed(pieces.tasks(records))


def _framework(found: Framework, executors: list[tuple[mesos.ExecutorInfo, str]]) -> Slices:
    return pieces.page(
        {
            **entries.framework(found),
            "tasks": _tasks(found.tasks.values()),
            "unreachable_tasks": _tasks(found.unreachable.values()),
            "completed_tasks": _tasks(found.completed),
            "offers": _each(entries.offer, list(found.offers.values())),
            "executors": _each(
                lambda held: entries.executor(held[0], held[1], found.id), executors
            ),
        }
    )


def _frameworks(master: MasterMachine, wanted: str | None = None) -> dict[str, Slices]:
    executors = _executors(master)
    known = {
        "frameworks": master.state.frameworks.values(),
        "completed_frameworks": master.state.completed.values(),
    }
    return {
        name: pieces.array(
            _framework(found, executors.get(found.id, []))
            for found in listed
            if wanted is None or found.id == wanted
        )
        for name, listed in known.items()
    }


def state(master: MasterMachine) -> Slices:
    """`/state`."""
    known = master.state
    active = sum(1 for found in known.agents.values() if found.is_connected and found.is_active)
    leader = master.leader or master.info
    shown: dict[str, Any] = {
        **version(),
        "start_time": master.started_at,
        "elected_time": master.elected_at,
        "id": master.id,
        "pid": master.info.pid,
        "hostname": master.info.hostname,
        "capabilities": list(MASTER_CAPABILITIES),
        "activated_slaves": active,
        "deactivated_slaves": len(known.agents) - active,
        "unreachable_slaves": len(known.unreachable),
        "leader": leader.pid,
        "leader_info": {
            "id": leader.id,
            "pid": leader.pid,
            "port": leader.port,
            "hostname": leader.hostname,
            **_domain(leader.domain),
        },
        **_domain(master.info.domain),
        "flags": master.config.flags,
        "slaves": pieces.listed(pieces.agents(known.agents.values())),
        "recovered_slaves": recovered_agents(master),
        **_frameworks(master),
        "orphan_tasks": [],
        "unregistered_frameworks": [],
    }
    if master.config.cluster is not None:
        shown["cluster"] = master.config.cluster
    for name in ("log_dir", "external_log_file"):
        if name in master.config.flags:
            shown[name] = master.config.flags[name]
    return pieces.page(shown)


def agents(master: MasterMachine, wanted: str | None) -> Slices:
    """`/slaves`."""
    found = [each for each in master.state.agents.values() if wanted is None or each.id == wanted]
    return pieces.page(
        {
            "slaves": pieces.listed(pieces.full_agents(found)),
            "recovered_slaves": recovered_agents(master),
        }
    )


def frameworks(master: MasterMachine, wanted: str | None) -> Slices:
    """`/frameworks`."""
    return pieces.page({**_frameworks(master, wanted), "unregistered_frameworks": []})


def state_summary(master: MasterMachine) -> Slices:
    """`/state-summary`."""
    known = master.state
    shown: dict[str, Any] = {"hostname": master.info.hostname}
    if master.config.cluster is not None:
        shown["cluster"] = master.config.cluster
    tasks = {
        found.id: [
            [record.task for record in records]
            for records in (found.tasks.values(), found.unreachable.values(), found.completed)
        ]
        for found in known.frameworks.values()
    }
    frameworks = [entries.framework(found) for found in known.frameworks.values()]
    return _summary(shown, pieces.agents_by_id(known.agents.values()), frameworks, tasks)


Counts = dict[str, dict[str, int]]
"""By agent or framework: state -> tasks."""


def _summary(
    shown: dict[str, Any],
    agents: Iterator[dict[str, bytes]],
    frameworks: list[dict[str, Any]],
    tasks: dict[str, list[list[mesos.Task]]],
) -> Slices:
    of_agents: Counts = {}
    of_frameworks: Counts = {name: dict.fromkeys(COUNTED_STATES, 0) for name in tasks}
    on_agents: dict[str, dict[str, None]] = {}
    of_framework: dict[str, dict[str, None]] = {name: {} for name in tasks}
    none = dict.fromkeys(COUNTED_STATES, 0)
    for name, (present, *past) in tasks.items():
        for listed in (present, *past):
            for start in range(0, len(listed), COUNTED_PER_SLICE):
                part = listed[start : start + COUNTED_PER_SLICE]
                _count(part, of_agents, of_frameworks[name])
                if listed is present:
                    for task in part:
                        agent = task.agent_id.value
                        of_framework[name][agent] = None
                        on_agents.setdefault(agent, {})[name] = None
                yield b""  # nothing is shown yet, but others have their turn

    def widened(part: dict[str, bytes]) -> bytes:
        found = [
            pieces.widened(
                piece, {**of_agents.get(name, none), "framework_ids": list(on_agents.get(name, ()))}
            )
            for name, piece in part.items()
        ]
        return b",".join(found)

    shown["slaves"] = pieces.listed(map(widened, agents))
    shown["frameworks"] = [
        {**found, **of_frameworks[found["id"]], "slave_ids": list(of_framework[found["id"]])}
        for found in frameworks
    ]
    yield from pieces.page(shown)


def _count(tasks: list[mesos.Task], of_agents: Counts, own: dict[str, int]) -> None:
    for task in tasks:
        agent = task.agent_id.value
        there = of_agents.get(agent)
        if there is None:
            there = of_agents[agent] = dict.fromkeys(COUNTED_STATES, 0)
        if task.state in own:
            own[task.state] += 1
            there[task.state] += 1


def tasks(
    master: MasterMachine,
    limit: int,
    offset: int,
    ascending: bool,
    framework_id: str | None,
    task_id: str | None,
) -> Slices:
    """`/tasks`: all tasks in order of their first status."""
    found = [
        record
        for owner in (*master.state.frameworks.values(), *master.state.completed.values())
        if framework_id is None or owner.id == framework_id
        for record in (*owner.tasks.values(), *owner.unreachable.values(), *owner.completed)
        if task_id is None or record.task.task_id.value == task_id
    ]
    found.sort(key=_first_timestamp, reverse=not ascending)
    return pieces.page({"tasks": _tasks(found[offset : offset + limit])})


def _first_timestamp(record: TaskRecord) -> float:
    statuses = record.task.statuses
    return statuses[0].timestamp or 0.0 if statuses else 0.0
