"""The settings that the agent's core reads, as one value made from the flags by the service."""

import msgspec

from mesosphere.agent.core.host import Host
from mesosphere.agent.core.oversubscription import Controller, NoController
from mesosphere.kernel.attributes import Attribute
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import DomainInfo


class AgentConfig(msgspec.Struct, frozen=True):
    """One agent. `master` is "host:port" or "zk://hosts/path"; durations are seconds."""

    master: str
    hostname: str
    ip: str
    port: int
    version: str
    host: Host
    resources: Resources
    attributes: tuple[Attribute, ...] = ()
    domain: DomainInfo | None = None
    flags: dict[str, str] = {}
    registration_backoff_s: float = 1.0
    gc_delay_s: float = 7 * 86400.0
    gc_disk_headroom: float = 0.1
    disk_watch_interval_s: float = 60.0
    executor_environment: dict[str, str] = {}
    executor_shutdown_grace_s: float = 5.0
    recovery_timeout_s: float = 900.0
    registration_timeout_s: float = 60.0
    reregistration_timeout_s: float = 2.0
    max_completed_executors: int = 150
    log_path: str = ""
    http_heartbeat_s: float = 30.0
    qos_controller: Controller = NoController()

    @property
    def pid(self) -> str:
        """The agent's address as the original writes it: `slave(1)@ip:port`."""
        return f"slave(1)@{self.ip}:{self.port}"


CAPABILITIES = (
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "AGENT_DRAINING",
    "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK",
    "TASK_RESOURCE_LIMITS",
)
"""What this agent tells the master that it can do."""
