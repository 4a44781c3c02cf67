"""A rollout never takes away what an app needs: its minimum health capacity.

Looks at what Marathon decides, by its own knowledge: a step that tells serving instances to end
must leave minimumHealthCapacity of the app's count serving. What the user asked to be killed, and
an app that is being removed, are not rollouts.
"""

import math

from mesosphere.kernel import events as on
from mesosphere.marathon.core.commands import Command
from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Capacity:
    """Compares the instances of each app before and after every step of a leading Marathon."""

    def __init__(self, taps: Taps) -> None:
        self._serving: dict[tuple[str, int], dict[str, str]] = {}
        taps.on_event.append(self.look)

    def look(self, node: Node, event: on.Event) -> None:
        """After a step."""
        if node.kind != "marathon":
            return
        state = node.machine.state  # type: ignore[attr-defined]
        now: dict[str, str] = {}
        for instance in state.instances.by_id.values():
            if not instance.is_leaving and state.is_serving(instance):
                now[instance.id] = instance.app_id
        key = (node.name, node.life)
        before = self._serving.get(key, {})
        self._serving[key] = now
        if isinstance(event, Command) and type(event).__name__ == "KillTasks":
            return
        told: dict[str, int] = {}
        for instance_id, app_id in before.items():
            instance = state.instances.by_id.get(instance_id)
            if instance is not None and instance.is_leaving:
                told[app_id] = told.get(app_id, 0) + 1
        for app_id, count in told.items():
            app = state.root.apps.get(app_id)
            if app is None:
                continue
            least = math.ceil(app.instances * app.upgrade_strategy.minimum_health_capacity - 1e-9)
            left = sum(1 for name in now.values() if name == app_id)
            if left < least:
                raise Violation(
                    f"{node.name} ends {count} serving instances of {app_id}, and leaves {left};"
                    f" {least} of {app.instances} are needed"
                )
