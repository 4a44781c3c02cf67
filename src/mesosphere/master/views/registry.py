"""The registry as JSON, with the original's keys; ours has the frameworks as well.

Source: Mesos, src/master/registry.proto, src/master/registrar.cpp (`/registrar(1)/registry`).
"""

from typing import Any

from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.registry import ADMITTED, GONE, UNREACHABLE, AgentRecord
from mesosphere.master.views import roles
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec


def registry(master: MasterMachine) -> dict[str, Any]:
    """What a new leader would know."""
    records = master.registry.agents.items()
    schedule = master.registry.maintenance.schedule
    machines = master.registry.maintenance.machines().values()
    shown: dict[str, Any] = {
        "master": {"info": master.info},
        "slaves": {"slaves": [_admitted(each) for _, each in records if each.state == ADMITTED]},
        "unreachable": {
            "slaves": [_left(*each) for each in records if each[1].state == UNREACHABLE]
        },
        "gone": {"slaves": [_left(*each) for each in records if each[1].state == GONE]},
        "machines": {
            "machines": [
                {"info": {"id": machine, "mode": mode.value, "unavailability": unavailability}}
                for machine, unavailability, mode in machines
            ]
        },
        "schedules": [schedule] if schedule.windows else [],
        "quota_configs": roles.quota_status(master).configs,
        "weights": [{"info": each} for each in roles.weights(master)],
        "minimum_capabilities": [],
        "frameworks": [each.info for each in master.registry.frameworks.values()],
    }
    plain: dict[str, Any] = codec.to_plain(shown)
    return plain


def _admitted(record: AgentRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {"info": record.info, "deactivated": record.is_deactivated}
    return shown if record.drain is None else {**shown, "drain_info": record.drain}


def _left(agent_id: str, record: AgentRecord) -> dict[str, Any]:
    since = mesos.TimeInfo(nanoseconds=round(record.since * 1e9))
    shown: dict[str, Any] = {"id": {"value": agent_id}, "timestamp": since}
    return shown if record.drain is None else {**shown, "drain_info": record.drain}
