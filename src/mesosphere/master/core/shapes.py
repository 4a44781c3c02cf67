"""What many tasks have in common is kept once.

The tasks of an app differ in their names and hosts; their resources and labels are the same. Each
distinct value is read and kept once, and shared by all tasks that have it; none is ever changed in
place. The table begins anew when it is full, so that odd tasks cost memory only while they live.
"""

from typing import NamedTuple

from mesosphere.kernel.conversions import is_volume
from mesosphere.kernel.resources import Resources
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.resources_codec import from_wire

SHAPES_LIMIT = 4_096


class Shape(NamedTuple):
    """Resources of a task: as messages, as a value without allocation, who pays, any volumes."""

    listed: list[mesos.Resource]
    resources: Resources
    role: str | None
    has_volumes: bool


class Shapes:
    """The table."""

    def __init__(self) -> None:
        self._resources: dict[bytes, Shape] = {}
        self._labels: dict[bytes, mesos.Labels] = {}

    def of(self, listed: list[mesos.Resource]) -> Shape:
        """The resources of a task. Raises WireError for what is no resources."""
        key = codec.encode(listed)
        shape = self._resources.get(key)
        if shape is None:
            found = from_wire(listed)
            role = next((one.allocation_role for one, _ in found if one.allocation_role), None)
            has_volumes = any(is_volume(identity) for identity, _ in found)
            shape = Shape(listed, found.allocated_to(None), role, has_volumes)
            if len(self._resources) >= SHAPES_LIMIT:
                self._resources.clear()
            self._resources[key] = shape
        return shape

    def labels(self, labels: mesos.Labels | None) -> mesos.Labels | None:
        """The labels of a task."""
        if labels is None:
            return None
        key = codec.encode(labels)
        known = self._labels.get(key)
        if known is None:
            if len(self._labels) >= SHAPES_LIMIT:
                self._labels.clear()
            known = self._labels[key] = labels
        return known
