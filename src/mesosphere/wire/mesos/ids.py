"""Identifiers, each an object with a `value`. Hashable, so they can be keys.

Source: Mesos, include/mesos/v1/mesos.proto; the depth limit is ours.
"""

from mesosphere.wire.mesos.base import WireID

NESTING_LIMIT = 32
"""Levels of nested containers; Mesos has no limit of its own, but a stack does."""


class FrameworkID(WireID, frozen=True):
    """`<master uuid>-<four digits>`."""

    value: str


class OfferID(WireID, frozen=True):
    """`<master uuid>-O<number>`, also of inverse offers."""

    value: str


class AgentID(WireID, frozen=True):
    """`<master uuid>-S<number>`."""

    value: str


class TaskID(WireID, frozen=True):
    """Chosen by the framework."""

    value: str


class ExecutorID(WireID, frozen=True):
    """Chosen by the framework; the task's id for command tasks."""

    value: str


class ContainerID(WireID, frozen=True):
    """`parent` makes it a nested container."""

    value: str
    parent: "ContainerID | None" = None

    def __post_init__(self) -> None:
        depth = 0
        parent = self.parent
        while parent is not None:
            depth += 1
            parent = parent.parent
        if depth >= NESTING_LIMIT:
            raise ValueError(f"containers are nested more than {NESTING_LIMIT} deep")


class ResourceProviderID(WireID, frozen=True):
    """Given by the master."""

    value: str


class OperationID(WireID, frozen=True):
    """Chosen by the framework that wants feedback."""

    value: str


class UUID(WireID, frozen=True):
    """16 raw bytes."""

    value: bytes
