"""Where a task can be reached: its own addresses on the networks that it joined, else the host's.

The tasks of a pod share the networks of its holder. Source: apache/mesos src/slave/slave.cpp
(ContainerStatus of an update), isolators network/cni.
"""

from mesosphere.agent.core.state import TaskRecord
from mesosphere.agent.core.surroundings import has_own_network
from mesosphere.wire.mesos.containers import IPAddress, NetworkInfo


def network_infos(record: TaskRecord, host_ip: str) -> list[NetworkInfo]:
    """What a status says of the container's networks."""
    joined = record.networks
    if not joined and record.executor is not None:
        joined = record.executor.networks
    if joined:
        return [_info(name, addresses) for name, addresses in joined]
    if is_apart(record):
        # Known once it has started; after a restart of the agent by what was told before.
        for status in reversed(record.statuses):
            told = status.container_status
            if told is not None and told.network_infos:
                return told.network_infos
        return []
    return [NetworkInfo(ip_addresses=[IPAddress(ip_address=host_ip)])]


def _info(name: str, addresses: tuple[str, ...]) -> NetworkInfo:
    found = [
        IPAddress(ip_address=address, protocol="IPv6" if ":" in address else "IPv4")
        for address in addresses
    ]
    return NetworkInfo(name=name, ip_addresses=found)


def is_apart(record: TaskRecord) -> bool:
    """Whether the task's loopback is not the host's."""
    return has_own_network(record.info.container) or bool(network_holder(record))


def network_holder(record: TaskRecord) -> str:
    """The container whose networks the task's joins; "" if it has none but its own."""
    executor = record.executor
    if executor is None or not has_own_network(executor.info.container):
        return ""
    return executor.container
