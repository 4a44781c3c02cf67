"""Frameworks: who they are, what they can do, what they refuse to be offered.

Source: Mesos, include/mesos/v1/mesos.proto and scheduler/scheduler.proto.
"""

from mesosphere.wire.mesos.base import Double, WireStruct, emitted
from mesosphere.wire.mesos.common import Labels
from mesosphere.wire.mesos.enums import FrameworkCapabilityType, PseudoattributeType
from mesosphere.wire.mesos.ids import FrameworkID
from mesosphere.wire.mesos.resources import Scalar


class ResourceQuantities(WireStruct, kw_only=True):
    quantities: dict[str, Scalar] = {}


class MinAllocatableResources(WireStruct, kw_only=True):
    quantities: list[ResourceQuantities] = []


class OfferFilters(WireStruct, kw_only=True):
    min_allocatable_resources: MinAllocatableResources | None = None


class FrameworkCapability(WireStruct, kw_only=True):
    type: FrameworkCapabilityType | None = None


class FrameworkInfo(WireStruct, kw_only=True):
    user: str
    name: str
    id: FrameworkID | None = None
    failover_timeout: Double = emitted(0.0)
    checkpoint: bool = emitted(False)
    role: str | None = None
    roles: list[str] = []
    hostname: str | None = None
    principal: str | None = None
    webui_url: str | None = None
    capabilities: list[FrameworkCapability] = []
    labels: Labels | None = None
    offer_filters: dict[str, OfferFilters] = {}


class Selector(WireStruct, kw_only=True):
    pseudoattribute_type: PseudoattributeType | None = None
    attribute_name: str | None = None


class Exists(WireStruct, kw_only=True):
    """Present or absent; it holds nothing."""


class NotExists(WireStruct, kw_only=True):
    """Present or absent; it holds nothing."""


class TextEquals(WireStruct, kw_only=True):
    value: str


class TextNotEquals(WireStruct, kw_only=True):
    value: str


class TextMatches(WireStruct, kw_only=True):
    regex: str


class TextNotMatches(WireStruct, kw_only=True):
    regex: str


class Predicate(WireStruct, kw_only=True):
    exists: Exists | None = None
    not_exists: NotExists | None = None
    text_equals: TextEquals | None = None
    text_not_equals: TextNotEquals | None = None
    text_matches: TextMatches | None = None
    text_not_matches: TextNotMatches | None = None


class AttributeConstraint(WireStruct, kw_only=True):
    selector: Selector
    predicate: Predicate


class ConstraintGroup(WireStruct, kw_only=True):
    attribute_constraints: list[AttributeConstraint] = []


class RoleConstraints(WireStruct, kw_only=True):
    groups: list[ConstraintGroup] = []


class OfferConstraints(WireStruct, kw_only=True):
    role_constraints: dict[str, RoleConstraints] = {}
