"""No offer takes a role beyond the limit of its quota.

What tasks hold may be above a limit: an operator may force one, and agents come back with tasks
that nobody reckoned with. But then nothing more of what is limited is offered.
"""

from mesosphere.master.core.state import Offer
from mesosphere.simulation.node import Node
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Quotas:
    """Adds up what a role holds whenever a master has made offers to it."""

    def __init__(self, taps: Taps) -> None:
        self._counts: dict[str, int] = {}
        taps.on_master_step.append(self.look)

    def look(self, node: Node) -> None:
        """After a step."""
        machine = node.machine
        before = self._counts.get(machine.id, 0)  # type: ignore[attr-defined]
        count = self._counts[machine.id] = machine.offer_count  # type: ignore[attr-defined]
        quotas = machine.allocator.quotas  # type: ignore[attr-defined]
        if count == before or not quotas:
            return
        state = machine.state  # type: ignore[attr-defined]
        offered: dict[tuple[str, str], Offer] = {}
        for number in range(before, count):
            offer = state.offers.get(f"{machine.id}-O{number}")  # type: ignore[attr-defined]
            top = "" if offer is None else offer.role.partition("/")[0]
            for name in quotas[top].limits if offer is not None and top in quotas else ():
                if offer.resources.scalar(name):
                    offered[top, name] = offer
        for (top, name), offer in offered.items():
            held, limit = self._held(state, top, name), quotas[top].limits[name]
            if held > limit:
                raise Violation(
                    f"{node.name} offers {offer.resources} to {offer.role}, which then"
                    f" holds {held / 1000:g} {name} of {limit / 1000:g}"
                )

    @staticmethod
    def _held(state: object, top: str, name: str) -> int:
        tasks = sum(
            record.resources.scalar(name)
            for agent in state.agents.values()  # type: ignore[attr-defined]
            for record in agent.tasks.values()
            if record.holds_resources and record.role.partition("/")[0] == top
        )
        return tasks + sum(
            offer.resources.scalar(name)
            for offer in state.offers.values()  # type: ignore[attr-defined]
            if offer.role.partition("/")[0] == top
        )
