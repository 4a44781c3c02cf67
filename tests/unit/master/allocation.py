"""A small cluster for the allocator's tests: agents by name, frameworks by name with roles."""

from mesosphere.kernel.resources import Identity, Reservation, Resources, milli
from mesosphere.master.core.allocator.allocator import Allocator
from mesosphere.master.core.allocator.claims import Claimant, Facts, Slot
from mesosphere.master.core.allocator.cycle import Grant
from mesosphere.master.core.allocator.shares import top_of

NO_FACTS = Facts()


class Cluster:
    """Agents and frameworks around an allocator; what is granted is taken from the agents."""

    def __init__(
        self,
        agents: dict[str, Resources],
        clients: dict[str, tuple[str, ...]],
        excluded: tuple[str, ...] = (),
        weights: dict[str, float] | None = None,
    ) -> None:
        self.allocator = Allocator(excluded, weights)
        self.tree = self.allocator.tree
        self.clients = clients
        self.slots = {name: Slot(name, total, NO_FACTS) for name, total in agents.items()}
        self.free = dict(agents)
        for total in agents.values():
            self.tree.add_total(total)
        for framework, roles in clients.items():
            for role in roles:
                self.enroll(framework, role)

    def enroll(self, framework: str, role: str, **changes: object) -> None:
        """A framework takes part in a role, with capabilities or without."""
        claimant = Claimant(framework, role, top_of(role))._replace(**changes)
        refused = self.allocator.filters.refused(framework, role)
        self.allocator.enroll(role, framework, claimant._replace(refused=refused))

    def cycle(self, *names: str, now: float = 0.0) -> list[Grant]:
        """A cycle over some agents, or all."""
        for name, slot in self.slots.items():
            slot.refresh(self.free[name], self.tree)
        slots = [self.slots[name] for name in names or self.slots]
        grants = self.allocator.allocate(now, slots, self.slots.values())
        for grant in grants:
            self.free[grant.agent] = self.free[grant.agent] - grant.resources
        return grants

    def give_back(self, grant: Grant) -> None:
        """A framework returns what it was granted."""
        self.tree.release(grant.role, grant.framework, grant.resources)
        self.free[grant.agent] = self.free[grant.agent] + grant.resources

    def held(self, role: str, framework: str) -> dict[str, int]:
        """What a framework holds in a role."""
        client = self.tree.client(role, framework)
        return {} if client is None else self.tree.as_scalars(client.held)


def reserved(role: str, **amounts: float) -> Resources:
    """Resources that are reserved for a role by its agent."""
    return Resources(
        (Identity(name, reservations=(Reservation("STATIC", role),)), milli(value))
        for name, value in amounts.items()
    )
