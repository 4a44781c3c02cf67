"""Answers of the v1 operator API. Source: Mesos, include/mesos/v1/master/master.proto."""

from collections.abc import Callable, Mapping
from typing import Any

from mesosphere import MESOS_VERSION
from mesosphere.kernel.resources import Resources
from mesosphere.master.core.inverse_offers import as_message
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.state import Agent, Framework
from mesosphere.master.views import maintenance, metrics
from mesosphere.wire.mesos import TimeInfo
from mesosphere.wire.mesos.resources_codec import Format, to_wire


def _time(seconds: float) -> TimeInfo:
    return TimeInfo(nanoseconds=int(seconds * 1e9))


def _listed(resources: Resources) -> list[Any]:
    return to_wire(resources, Format.REFINED)


def agent(found: Agent) -> dict[str, Any]:
    """An agent of GET_AGENTS."""
    shown: dict[str, Any] = {
        "agent_info": found.info,
        "active": found.is_connected and found.is_active,
        "deactivated": not found.is_active,
        "version": found.version,
        "pid": found.pid,
        "registered_time": _time(found.registered_at),
        "total_resources": _listed(found.total),
        "allocated_resources": _listed(found.used),
        "offered_resources": _listed(found.offered),
        "capabilities": [{"type": name} for name in found.capabilities],
        "resource_providers": [],
    }
    if found.reregistered_at is not None:
        shown["reregistered_time"] = _time(found.reregistered_at)
    if found.drain is not None:
        shown["drain_info"] = found.drain
    if found.drain_began_at is not None:
        shown["estimated_drain_start_time"] = _time(found.drain_began_at)
    return shown


def framework(found: Framework) -> dict[str, Any]:
    """A framework of GET_FRAMEWORKS."""
    shown: dict[str, Any] = {
        "framework_info": found.info,
        "active": found.is_connected,
        "connected": found.is_connected,
        "recovered": found.is_recovered,
        "registered_time": _time(found.registered_at),
        "offers": [],
        "inverse_offers": [as_message(offer) for offer in found.inverse_offers.values()],
        "allocated_resources": _listed(found.used),
        "offered_resources": _listed(found.offered),
    }
    if found.reregistered_at is not None:
        shown["reregistered_time"] = _time(found.reregistered_at)
    if found.unregistered_at:
        shown["unregistered_time"] = _time(found.unregistered_at)
    return shown


def _agents(master: MasterMachine) -> dict[str, Any]:
    return {
        "agents": [agent(found) for found in master.state.agents.values()],
        "recovered_agents": list(master.state.recovered.values()),
    }


def _frameworks(master: MasterMachine) -> dict[str, Any]:
    return {
        "frameworks": [framework(found) for found in master.state.frameworks.values()],
        "completed_frameworks": [framework(found) for found in master.state.completed.values()],
    }


def _executors(master: MasterMachine) -> dict[str, Any]:
    return {
        "executors": [
            {"executor_info": info, "agent_id": {"value": found.id}}
            for found in master.state.agents.values()
            for info in found.executors.values()
        ]
    }


def _tasks(master: MasterMachine) -> dict[str, Any]:
    live = list(master.state.frameworks.values())
    everybody = [*live, *master.state.completed.values()]
    return {
        "pending_tasks": [],
        "tasks": [record.task for found in live for record in found.tasks.values()],
        "unreachable_tasks": [
            record.task for found in live for record in found.unreachable.values()
        ],
        "completed_tasks": [record.task for found in everybody for record in found.completed],
        "orphan_tasks": [],
    }


def _state(master: MasterMachine) -> dict[str, Any]:
    return {
        "get_tasks": _tasks(master),
        "get_executors": _executors(master),
        "get_frameworks": _frameworks(master),
        "get_agents": _agents(master),
    }


def _roles(master: MasterMachine) -> dict[str, Any]:
    names: dict[str, list[Any]] = {"*": []}
    for found in master.state.frameworks.values():
        for role in found.roles:
            names.setdefault(role, []).append({"value": found.id})
    return {
        "roles": [
            {"name": name, "weight": master.config.weights.get(name, 1.0), "frameworks": listed}
            for name, listed in sorted(names.items())
        ]
    }


def _weights(master: MasterMachine) -> dict[str, Any]:
    listed = [{"role": role, "weight": value} for role, value in master.config.weights.items()]
    return {"weight_infos": listed}


def _master(master: MasterMachine) -> dict[str, Any]:
    return {
        "master_info": master.info,
        "start_time": master.started_at,
        "elected_time": master.elected_at,
    }


def _metrics(master: MasterMachine) -> dict[str, Any]:
    values = metrics.snapshot(master)
    return {"metrics": [{"name": name, "value": value} for name, value in values.items()]}


READS: Mapping[str, Callable[[MasterMachine], dict[str, Any]]] = {
    "GET_HEALTH": lambda master: {"healthy": True},
    "GET_FLAGS": lambda master: {
        "flags": [{"name": name, "value": value} for name, value in master.config.flags.items()]
    },
    "GET_VERSION": lambda master: {"version_info": {"version": MESOS_VERSION}},
    "GET_METRICS": _metrics,
    "GET_LOGGING_LEVEL": lambda master: {"level": 0},
    "GET_STATE": _state,
    "GET_AGENTS": _agents,
    "GET_FRAMEWORKS": _frameworks,
    "GET_EXECUTORS": _executors,
    "GET_OPERATIONS": lambda master: {"operations": []},
    "GET_TASKS": _tasks,
    "GET_ROLES": _roles,
    "GET_WEIGHTS": _weights,
    "GET_MASTER": _master,
    "GET_MAINTENANCE_STATUS": lambda master: {"status": maintenance.status(master)},
    "GET_MAINTENANCE_SCHEDULE": lambda master: {"schedule": maintenance.schedule(master)},
    "GET_QUOTA": lambda master: {"status": {}},
}
"""Calls that only read. There is no quota, maintenance or operation yet, so those are empty."""
