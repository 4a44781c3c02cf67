"""What a master is told at its start. Defaults are Mesos's, but for `offer_timeout_s`."""

import msgspec

from mesosphere.master.core.allocator.claims import LEAST, Alternatives
from mesosphere.wire.mesos import MasterInfo


class MasterConfig(msgspec.Struct, frozen=True):
    """`group` is where masters contend; `info` has no id yet (a new one for every start)."""

    info: MasterInfo
    group: str
    cluster: str | None = None
    allocation_interval_s: float = 1.0
    offer_timeout_s: float = 300.0
    agent_ping_interval_s: float = 15.0
    max_agent_ping_timeouts: int = 5
    agent_reregister_timeout_s: float = 600.0
    agent_removal_interval_s: float = 0.0
    recovery_agent_removal_limit: float = 1.0
    registry_gc_interval_s: float = 900.0
    registry_max_agent_age_s: float = 1_209_600.0
    registry_max_agent_count: int = 102_400
    max_completed_frameworks: int = 50
    max_completed_tasks_per_framework: int = 1000
    max_unreachable_tasks_per_framework: int = 1000
    max_operator_subscribers: int = 1000
    require_agent_domain: bool = False
    root_submissions: bool = True
    roles: tuple[str, ...] = ()
    weights: dict[str, float] = {}
    filter_gpu_resources: bool = True
    publish_per_framework_metrics: bool = True
    agent_recovery_factor: float = 0.8
    allocator_recovery_timeout_s: float = 600.0
    min_allocatable: Alternatives = LEAST
    fair_sharing_excluded: tuple[str, ...] = ()
    flags: dict[str, str] = {}


HEARTBEAT_S = 15.0
COALESCE_S = 0.01
"""Changes within this time are allocated in one cycle."""

AGENT_CAPABILITIES_KNOWN = ("MULTI_ROLE", "RESERVATION_REFINEMENT")
MASTER_CAPABILITIES = ("AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2")
