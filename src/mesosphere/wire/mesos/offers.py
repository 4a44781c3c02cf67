"""Offers, inverse offers and the filters that answer them.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import Double, WireStruct, emitted
from mesosphere.wire.mesos.common import URL, DomainInfo, Unavailability
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID
from mesosphere.wire.mesos.ids import OfferID as OfferID
from mesosphere.wire.mesos.resources import AllocationInfo, Attribute, Resource


class Filters(WireStruct, kw_only=True):
    refuse_seconds: Double = emitted(5.0)


class Offer(WireStruct, kw_only=True):
    id: OfferID
    framework_id: FrameworkID
    agent_id: AgentID
    hostname: str
    url: URL | None = None
    domain: DomainInfo | None = None
    resources: list[Resource] = []
    attributes: list[Attribute] = []
    executor_ids: list[ExecutorID] = []
    unavailability: Unavailability | None = None
    allocation_info: AllocationInfo | None = None


class OfferPart(WireStruct, kw_only=True):
    """Some fields of an Offer, for offers that are put together (`offer_parts`)."""

    id: OfferID | None = None
    framework_id: FrameworkID | None = None
    agent_id: AgentID | None = None
    hostname: str | None = None
    url: URL | None = None
    domain: DomainInfo | None = None
    attributes: list[Attribute] = []
    executor_ids: list[ExecutorID] = []
    unavailability: Unavailability | None = None
    allocation_info: AllocationInfo | None = None


class InverseOffer(WireStruct, kw_only=True):
    id: OfferID
    url: URL | None = None
    framework_id: FrameworkID
    agent_id: AgentID | None = None
    unavailability: Unavailability
    resources: list[Resource] = []
