"""How fast allocation cycles are: the pure core alone, without the offers' messages.

    script/bench allocator [--agents 1000,10000,50000] [--frameworks 10,200,1000] [--rounds 5]

For each size, in interleaved rounds, milliseconds of processor time of one cycle:

* `alike`: all agents have the shape of Mesos's benchmarks, roles are two levels deep;
* `diverse`: no two agents are alike (one after the other, the slow way);
* `limited`: diverse, with limits that nobody reaches on half of the top roles;
* `full`: alike, and refusals on a tenth of the agents, and quota on half of the top roles, of which
  two run into their limits;
* `dirty`: 1,000 of the agents again, after all were given out;
* `nothing`: every agent free, and everybody refused all of them (the second such cycle).

And `quota`: as many roles, frameworks and agents, each role with a guarantee and a limit.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import report

from mesosphere.kernel.resources import Resources
from mesosphere.master.core.allocator.allocator import Allocator
from mesosphere.master.core.allocator.claims import Claimant, Facts, Slot
from mesosphere.master.core.allocator.cycle import Grant
from mesosphere.master.core.allocator.quotas import Quota
from mesosphere.master.core.allocator.shares import top_of

AGENT = Resources.of(cpus=2, mem=1024, disk=4096, ports=[(31000, 32000)])
ROLES, TOPS = 50, 10
DIRTY = 1_000
QUOTA_SIZES = (30, 300, 3_000)


class Cluster:
    """Agents and frameworks, all of them free."""

    def __init__(self, agents: int, roles: Sequence[str], is_diverse: bool = False) -> None:
        self.allocator = Allocator()
        pick = random.Random(1)
        shapes = [self._shape(pick) if is_diverse else AGENT for _ in range(agents)]
        self.slots = [Slot(f"s{place}", shape, Facts()) for place, shape in enumerate(shapes)]
        for slot in self.slots:
            self.allocator.tree.add_total(slot.total)
        for place, role in enumerate(roles):
            name = f"f{place:04}"
            refused = self.allocator.filters.refused(name, role)
            self.allocator.enroll(role, name, Claimant(name, role, top_of(role), refused=refused))
        self.free(self.slots)

    @staticmethod
    def _shape(pick: random.Random) -> Resources:
        return Resources.of(
            cpus=pick.randint(1, 640) / 10, mem=pick.randint(128, 65_536),
            disk=pick.randint(1_000, 100_000), ports=[(31_000, 32_000)],
        )  # fmt: skip

    def free(self, slots: Sequence[Slot]) -> None:
        """Everything of these is free again; nobody else is charged less for it."""
        for slot in slots:
            slot.known = None
            slot.refresh(slot.total, self.allocator.tree)

    def cycle(self, slots: Sequence[Slot], now: float = 1.0) -> list[Grant]:
        """One cycle."""
        return self.allocator.allocate(now, slots, self.slots)


def tree_of(frameworks: int) -> list[str]:
    """The role of each framework: two levels."""
    return [f"top{place % TOPS}/r{place % ROLES}" for place in range(frameworks)]


def timed(work: Callable[[], list[Grant]], grants: int | None = None) -> float:
    """Milliseconds of processor time; as many grants as are expected must come."""
    began = time.process_time()
    made = work()
    spent = time.process_time() - began
    assert grants is None or len(made) == grants, f"{len(made)} grants instead of {grants}"
    return spent * 1e3


def measure(agents: int, frameworks: int) -> dict[str, float]:
    """Every figure of a size."""
    roles = tree_of(frameworks)
    found = {}
    cluster = Cluster(agents, roles)
    found["alike_ms"] = timed(lambda: cluster.cycle(cluster.slots), agents)
    dirty = cluster.slots[:: max(agents // DIRTY, 1)][:DIRTY]
    cluster.free(dirty)
    found["dirty_ms"] = timed(lambda: cluster.cycle(dirty), len(dirty))
    diverse = Cluster(agents, roles, is_diverse=True)
    found["diverse_ms"] = timed(lambda: diverse.cycle(diverse.slots), agents)
    limited = Cluster(agents, roles, is_diverse=True)
    for place in range(TOPS // 2):
        limited.allocator.set_quota(f"top{place}", Quota({}, limited.allocator.tree.totals))
    found["limited_ms"] = timed(lambda: limited.cycle(limited.slots), agents)
    full = Cluster(agents, roles)
    _fill(full, roles)
    found["full_ms"] = timed(lambda: full.cycle(full.slots))
    idle = Cluster(agents, roles[:10])
    for place, role in enumerate(roles[:10]):
        for slot in idle.slots:
            idle.allocator.filters.add(f"f{place:04}", role, slot.id, AGENT, 100.0)
    idle.cycle(idle.slots)
    found["nothing_ms"] = timed(lambda: idle.cycle(idle.slots, 2.0), 0)
    return found


def _fill(cluster: Cluster, roles: Sequence[str]) -> None:
    """Refusals and quota."""
    allocator, pick = cluster.allocator, random.Random(2)
    for slot in cluster.slots[::10]:
        place = pick.randrange(len(roles))
        allocator.filters.add(f"f{place:04}", roles[place], slot.id, AGENT, 100.0)
    cpus = allocator.tree.totals["cpus"]
    for place in range(TOPS // 2):
        # Two of them get less than their share would be.
        limit = cpus // 50 if place < 2 else cpus
        mem = limit * 512
        guarantees = {"cpus": limit // 4, "mem": mem // 4}
        allocator.set_quota(f"top{place}", Quota(guarantees, {"cpus": limit, "mem": mem}))


def measure_quota(size: int) -> dict[str, float]:
    """As many roles as agents, each with a quota of one agent."""
    roles = [f"r{place}" for place in range(size)]
    cluster = Cluster(size, roles)
    amounts = AGENT.scalars()
    for role in roles:
        cluster.allocator.set_quota(role, Quota(dict(amounts), dict(amounts)))
    first = timed(lambda: cluster.cycle(cluster.slots), size)
    return {"first_ms": first, "satisfied_ms": timed(lambda: cluster.cycle(cluster.slots), 0)}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", default="1000,10000,50000")
    parser.add_argument("--frameworks", default="10,200,1000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/allocator.json"))
    given = parser.parse_args()
    counts = [int(part) for part in given.agents.split(",")]
    sizes = [(agents, int(part)) for agents in counts for part in given.frameworks.split(",")]
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for agents, frameworks in sizes:
            name = f"{agents} agents, {frameworks} frameworks"
            rounds.setdefault(name, []).append(measure(agents, frameworks))
        for size in QUOTA_SIZES:
            name = f"{size} agents, roles and frameworks, all with quota"
            rounds.setdefault(name, []).append(measure_quota(size))
    report.write(given.out, {k: report.summary(found) for k, found in rounds.items()}, given.rounds)


if __name__ == "__main__":
    main()
