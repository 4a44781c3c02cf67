"""Why a framework gets no offers: a call and its answer that Mesos does not have.

Their numbers in the `.proto` files are far above those that Mesos uses.
"""

from mesosphere.wire.mesos.base import Double, Natural, UInt32, WireStruct, emitted
from mesosphere.wire.mesos.ids import FrameworkID
from mesosphere.wire.mesos.maintenance import QuotaConfig
from mesosphere.wire.mesos.resources import Resource, Scalar


class Explain(WireStruct, kw_only=True):
    """Of a framework, of a role, or of both; `resources` are what somebody needs on one agent."""

    framework_id: FrameworkID | None = None
    role: str | None = None
    resources: list[Resource] = []
    agents: UInt32 | None = None  # how many to show


class CauseCount(WireStruct, kw_only=True):
    """How many agents a cause concerns."""

    cause: str
    reason: str
    agents: Natural


class AgentVerdict(WireStruct, kw_only=True):
    """`until` is in seconds since 1970; `lacks` is what is missing of what was asked for."""

    agent_id: str
    hostname: str
    free: str
    cause: str
    reason: str
    until: Double | None = None
    lacks: dict[str, Scalar] = {}


class Claim(WireStruct, kw_only=True):
    """A framework in a role. `held_back` is kept free for guarantees of all roles."""

    framework_id: str
    name: str
    role: str
    connected: bool
    suppressed: bool
    verdict: str
    outstanding_offers: Natural
    role_share: Double
    framework_share: Double
    weight: Double
    quota: QuotaConfig | None = None
    consumed: dict[str, Scalar] = {}
    held_back: dict[str, Scalar] = {}
    causes: list[CauseCount] = []
    agents: list[AgentVerdict] = []


class Explanation(WireStruct, kw_only=True):
    """`claims_known` and `agents_known` are how many there are; `truncated` says of which the
    answer does not have all. So many agents were judged for each claim."""

    agents_known: Natural = emitted(0)
    agents_judged: Natural = emitted(0)
    claims_known: Natural = emitted(0)
    verdict: str = emitted("")
    truncated: list[str] = []
    claims: list[Claim] = []
