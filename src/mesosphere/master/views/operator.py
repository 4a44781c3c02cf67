"""Answers of the v1 operator API. Source: Mesos, include/mesos/v1/master/master.proto."""

from collections.abc import Callable, Mapping

from mesosphere import MESOS_VERSION
from mesosphere.master.core import snapshot
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import maintenance, metrics, roles
from mesosphere.wire import mesos
from mesosphere.wire.mesos import answers, operator_base
from mesosphere.wire.mesos.base import WireStruct
from mesosphere.wire.mesos.sections import Section


def _flags(master: MasterMachine) -> operator_base.GetFlags:
    flags = master.config.flags.items()
    return operator_base.GetFlags(
        flags=[mesos.Flag(name=name, value=value) for name, value in flags]
    )


def _version(master: MasterMachine) -> operator_base.GetVersion:
    return operator_base.GetVersion(version_info=mesos.VersionInfo(version=MESOS_VERSION))


def _metrics(master: MasterMachine) -> operator_base.GetMetrics:
    values = metrics.snapshot(master).items()
    return operator_base.GetMetrics(
        metrics=[mesos.Metric(name=name, value=value) for name, value in values]
    )


def _master(master: MasterMachine) -> answers.GetMaster:
    return answers.GetMaster(
        master_info=master.info, start_time=master.started_at, elected_time=master.elected_at
    )


def _operations(master: MasterMachine) -> operator_base.GetOperations:
    return operator_base.GetOperations(
        operations=[
            record for found in master.state.agents.values() for record in found.operations.values()
        ]
    )


READS: Mapping[str, Callable[[MasterMachine], WireStruct]] = {
    "GET_HEALTH": lambda master: operator_base.GetHealth(healthy=True),
    "GET_FLAGS": _flags,
    "GET_VERSION": _version,
    "GET_METRICS": _metrics,
    "GET_LOGGING_LEVEL": lambda master: operator_base.GetLoggingLevel(level=master.verbosity.level),
    "GET_OPERATIONS": _operations,
    "GET_ROLES": roles.operator_roles,
    "GET_WEIGHTS": lambda master: answers.GetWeights(weight_infos=roles.weights(master)),
    "GET_MASTER": _master,
    "GET_MAINTENANCE_STATUS": lambda master: answers.GetMaintenanceStatus(
        status=maintenance.status(master)
    ),
    "GET_MAINTENANCE_SCHEDULE": lambda master: answers.GetMaintenanceSchedule(
        schedule=maintenance.schedule(master)
    ),
    "GET_QUOTA": lambda master: answers.GetQuota(status=roles.quota_status(master)),
}
"""Calls that only read."""

BIG_READS: Mapping[str, Callable[[MasterMachine], Section]] = {
    "GET_STATE": snapshot.state,
    "GET_AGENTS": snapshot.agents,
    "GET_FRAMEWORKS": snapshot.frameworks,
    "GET_EXECUTORS": snapshot.executors,
    "GET_TASKS": snapshot.tasks,
}
"""The same, in slices."""
