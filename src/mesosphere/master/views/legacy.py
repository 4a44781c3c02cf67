"""The legacy endpoints' pages, with the original's keys; `entries` says what each entry shows.

The big ones come in pieces (see `pieces`): encoded once for each task and agent, not for each read.
Source: Mesos, src/master/readonly_handler.cpp, src/common/http.cpp.
"""

from collections.abc import Iterable
from typing import Any

from mesosphere import MESOS_VERSION
from mesosphere.master.core.config import MASTER_CAPABILITIES
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Framework, TaskRecord
from mesosphere.master.views import entries, pieces
from mesosphere.master.views.pieces import Chunks
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


def _executors(master: MasterMachine) -> dict[str, list[dict[str, Any]]]:
    """The custom executors of each framework, with their agents."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for found in master.state.agents.values():
        for (owner, _), record in found.executors.items():
            shown.setdefault(owner, []).append(entries.executor(record.info, found.id, owner))
    return shown


def _tasks(records: Iterable[TaskRecord]) -> Chunks:
    return pieces.listed(pieces.tasks(records))


def _framework(found: Framework, executors: list[dict[str, Any]]) -> Chunks:
    return pieces.page(
        {
            **entries.framework(found),
            "tasks": _tasks(found.tasks.values()),
            "unreachable_tasks": _tasks(found.unreachable.values()),
            "completed_tasks": _tasks(found.completed),
            "offers": [entries.offer(entry) for entry in found.offers.values()],
            "executors": executors,
        }
    )


def _frameworks(master: MasterMachine, wanted: str | None = None) -> dict[str, Chunks]:
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


def state(master: MasterMachine) -> Chunks:
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
        "slaves": pieces.listed([pieces.agent(found) for found in known.agents.values()]),
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


def agents(master: MasterMachine, wanted: str | None) -> Chunks:
    """`/slaves`."""
    shown = [
        pieces.agent(found, full=True)
        for found in master.state.agents.values()
        if wanted is None or found.id == wanted
    ]
    return pieces.page(
        {"slaves": pieces.listed(shown), "recovered_slaves": recovered_agents(master)}
    )


def frameworks(master: MasterMachine, wanted: str | None) -> Chunks:
    """`/frameworks`."""
    return pieces.page({**_frameworks(master, wanted), "unregistered_frameworks": []})


def _counts(records: Iterable[TaskRecord]) -> dict[str, int]:
    counts = dict.fromkeys(COUNTED_STATES, 0)
    for record in records:
        if record.task.state in counts:
            counts[record.task.state] += 1
    return counts


def state_summary(master: MasterMachine) -> Chunks:
    """`/state-summary`."""
    known = master.state
    shown: dict[str, Any] = {"hostname": master.info.hostname}
    if master.config.cluster is not None:
        shown["cluster"] = master.config.cluster
    ended: dict[str, list[TaskRecord]] = {}
    for found in known.frameworks.values():
        for record in (*found.completed, *found.unreachable.values()):
            ended.setdefault(record.task.agent_id.value, []).append(record)
    shown["slaves"] = pieces.listed(
        [
            pieces.widened(
                pieces.agent(found),
                {
                    **_counts([*found.tasks.values(), *ended.get(found.id, ())]),
                    "framework_ids": list(dict.fromkeys(key[0] for key in found.tasks)),
                },
            )
            for found in known.agents.values()
        ]
    )
    shown["frameworks"] = [
        {
            **entries.framework(found),
            **_counts([*found.tasks.values(), *found.completed, *found.unreachable.values()]),
            "slave_ids": list(
                dict.fromkeys(record.task.agent_id.value for record in found.tasks.values())
            ),
        }
        for found in known.frameworks.values()
    ]
    return pieces.page(shown)


def tasks(
    master: MasterMachine,
    limit: int,
    offset: int,
    ascending: bool,
    framework_id: str | None,
    task_id: str | None,
) -> Chunks:
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
