"""Answers of the v1 operator API. Source: Mesos, include/mesos/v1/master/master.proto."""

from collections.abc import Callable, Mapping

from mesosphere import MESOS_VERSION
from mesosphere.kernel.resources import EMPTY
from mesosphere.master.core import snapshot
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import maintenance, metrics
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.resources_codec import Format, to_wire


def _flags(master: MasterMachine) -> answers.GetFlags:
    flags = master.config.flags.items()
    return answers.GetFlags(flags=[mesos.Flag(name=name, value=value) for name, value in flags])


def _version(master: MasterMachine) -> answers.GetVersion:
    return answers.GetVersion(version_info=mesos.VersionInfo(version=MESOS_VERSION))


def _metrics(master: MasterMachine) -> answers.GetMetrics:
    values = metrics.snapshot(master).items()
    return answers.GetMetrics(
        metrics=[mesos.Metric(name=name, value=value) for name, value in values]
    )


def _roles(master: MasterMachine) -> answers.GetRoles:
    """Resources of a role are what its frameworks use and are offered."""
    owners: dict[str, list[mesos.FrameworkID]] = {"*": []}
    held = dict.fromkeys(master.config.weights, EMPTY)
    for framework in master.state.frameworks.values():
        for role in framework.roles:
            owners.setdefault(role, []).append(mesos.FrameworkID(framework.id))
        for record in framework.tasks.values():
            if record.holds_resources:
                held[record.role] = held.get(record.role, EMPTY) + record.resources
        for offer in framework.offers.values():
            held[offer.role] = held.get(offer.role, EMPTY) + offer.resources
    return answers.GetRoles(
        roles=[
            answers.Role(
                name=name,
                weight=master.config.weights.get(name, 1.0),
                frameworks=owners.get(name, []),
                resources=to_wire(held.get(name, EMPTY), Format.REFINED),
            )
            for name in sorted({**owners, **held})
        ]
    )


def _weights(master: MasterMachine) -> answers.GetWeights:
    weights = master.config.weights.items()
    return answers.GetWeights(
        weight_infos=[mesos.WeightInfo(role=role, weight=value) for role, value in weights]
    )


def _master(master: MasterMachine) -> answers.GetMaster:
    return answers.GetMaster(
        master_info=master.info, start_time=master.started_at, elected_time=master.elected_at
    )


def _operations(master: MasterMachine) -> answers.GetOperations:
    return answers.GetOperations(
        operations=[
            record for found in master.state.agents.values() for record in found.operations.values()
        ]
    )


READS: Mapping[str, Callable[[MasterMachine], WireStruct]] = {
    "GET_HEALTH": lambda master: answers.GetHealth(healthy=True),
    "GET_FLAGS": _flags,
    "GET_VERSION": _version,
    "GET_METRICS": _metrics,
    "GET_LOGGING_LEVEL": lambda master: answers.GetLoggingLevel(level=0),
    "GET_STATE": snapshot.state,
    "GET_AGENTS": snapshot.agents,
    "GET_FRAMEWORKS": snapshot.frameworks,
    "GET_EXECUTORS": snapshot.executors,
    "GET_OPERATIONS": _operations,
    "GET_TASKS": snapshot.tasks,
    "GET_ROLES": _roles,
    "GET_WEIGHTS": _weights,
    "GET_MASTER": _master,
    "GET_MAINTENANCE_STATUS": lambda master: answers.GetMaintenanceStatus(
        status=maintenance.status(master)
    ),
    "GET_MAINTENANCE_SCHEDULE": lambda master: answers.GetMaintenanceSchedule(
        schedule=maintenance.schedule(master)
    ),
    "GET_QUOTA": lambda master: answers.GetQuota(status=mesos.QuotaStatus()),
}
"""Calls that only read. There is no quota yet, so it is empty."""
