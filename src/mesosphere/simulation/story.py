"""A cluster's life from one seed: changes, faults, healing, and the demand for progress."""

from mesosphere.simulation.checkers.launches import Launches
from mesosphere.simulation.checkers.oversubscription import Oversubscription
from mesosphere.simulation.checkers.parents import Parents
from mesosphere.simulation.checkers.terminal import Terminal
from mesosphere.simulation.checkers.updates import Updates
from mesosphere.simulation.checkers.writers import Writers
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.ensemble import HOST as ZOOKEEPER
from mesosphere.simulation.node import Node
from mesosphere.simulation.operator import Operator
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation, World

QUIET_S = 30.0
"""Before the first fault the cluster comes up."""

TROUBLE_S = 240.0
HEALING_S = 600.0
"""Within this time after the last fault everything must be as wished."""

LOOK_S = 10.0
APPS = ("/web", "/api")


class Story:
    """One seed's story. `run` raises Violation when a promise is broken."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.cluster = Cluster(self.world)
        self.taps = Taps(self.cluster)
        self.operator = Operator(self.world, self.cluster)
        Oversubscription(self.taps)
        Launches(self.taps)
        Terminal(self.taps)
        Updates(self.taps)
        Writers(self.taps)
        Parents(self.taps, {"after": ("tick",)})
        self.is_healed = False

    def run(self) -> str:
        """The whole story; the digest of its journal."""
        self.cluster.start()
        self.world.at(QUIET_S / 3, self._first_wishes)
        self.world.at(QUIET_S, self._trouble)
        self.world.run(QUIET_S + TROUBLE_S)
        self._heal()
        end = QUIET_S + TROUBLE_S
        for _ in range(int(HEALING_S / LOOK_S)):
            end += LOOK_S
            self.world.run(end)
            if not self.shortcomings():
                break
        else:
            missing = "; ".join(self.shortcomings())
            raise Violation(f"no progress {HEALING_S:.0f} s after the last fault: {missing}")
        # What was reached must last, and nothing that is late may spoil it.
        self.world.run(end + 60.0)
        if self.shortcomings():
            raise Violation(f"reached, and lost again: {'; '.join(self.shortcomings())}")
        return self.world.digest

    # --- wishes -----------------------------------------------------------------------------

    def _first_wishes(self) -> None:
        for app in APPS:
            self.operator.put_app(app, 1 + self.world.random.randrange(4))
        self.operator.put_job("tick", "R//PT20S")
        self.operator.put_job("after", "", ("tick",))
        self.world.at(self.world.between(20.0, 60.0), self._wish)

    def _wish(self) -> None:
        if self.is_healed:
            return
        app = APPS[self.world.random.randrange(len(APPS))]
        version = self.world.random.randrange(3)
        self.operator.put_app(app, self.world.random.randrange(7), version)
        self.world.at(self.world.between(20.0, 60.0), self._wish)

    # --- faults -----------------------------------------------------------------------------

    def _trouble(self) -> None:
        if self.is_healed:
            return
        faults = (
            self._crash, self._crash, self._pause, self._pause, self._partition, self._partition,
            self._one_way, self._one_way, self._mend, self._mend, self._lose_session,
            self._break_streams, self._lossy, self._end_container, self._skew, self._slow,
            self._reboot,
        )  # fmt: skip
        faults[self.world.random.randrange(len(faults))]()
        self.world.at(self.world.between(0.2, 6.0), self._trouble)

    def _any(self) -> Node:
        leaders = self.cluster.leaders()
        if leaders and self.world.chance(0.4):
            return leaders[self.world.random.randrange(len(leaders))]
        nodes = list(self.cluster.nodes.values())
        return nodes[self.world.random.randrange(len(nodes))]

    def _crash(self) -> None:
        self._any().crash()

    def _pause(self) -> None:
        self._any().pause(self.world.between(0.5, 30.0))

    def _partition(self) -> None:
        node = self._any()
        others = [other.host for other in self.cluster.nodes.values() if other is not node]
        for host in [*others, ZOOKEEPER]:
            if self.world.chance(0.6):
                self.cluster.network.cut(node.host, host)
                self.cluster.network.cut(host, node.host)

    def _one_way(self) -> None:
        node, other = self._any(), self._any()
        self.cluster.network.cut(node.host, ZOOKEEPER if other is node else other.host)

    def _mend(self) -> None:
        self.cluster.network.heal()

    def _lose_session(self) -> None:
        node = self._any()
        if node.is_alive:
            self.world.note(f"{node.name} loses its session")
            node.client.lose_session()

    def _break_streams(self) -> None:
        node = self._any()
        if node.is_alive:
            self.world.note(f"{node.name}: {node.break_streams()} streams break")

    def _lossy(self) -> None:
        node = self._any()
        node.answer_loss = self.world.between(0.0, 0.3)

    def _end_container(self) -> None:
        for containers in self.cluster.hosts.values():
            running = containers.running()
            if running and self.world.chance(0.5):
                found = running[self.world.random.randrange(len(running))]
                self.world.note(f"{found.task} is killed")
                containers.exit(found, 9)
                return

    def _skew(self) -> None:
        self._any().skew_s = self.world.between(-5.0, 5.0)

    def _slow(self) -> None:
        self.cluster.network.slow_s[self._any().host] = self.world.between(0.0, 0.5)

    def _reboot(self) -> None:
        agents = self.cluster.of("agent")
        node = agents[self.world.random.randrange(len(agents))]
        self.world.note(f"{node.name}'s host loses power")
        self.cluster.hosts[node.host].lose_power()
        node.crash()

    def _heal(self) -> None:
        self.is_healed = True
        self.cluster.network.heal()
        self.cluster.network.slow_s.clear()
        for node in self.cluster.nodes.values():
            node.answer_loss = 0.0

    # --- progress ---------------------------------------------------------------------------

    def shortcomings(self) -> list[str]:
        """What is not as it was wished and acknowledged."""
        found = [f"{len(self.operator.waiting)} changes wait"] if self.operator.waiting else []
        for app, wanted in self.operator.instances.items():
            running = [
                each.task
                for containers in self.cluster.hosts.values()
                for each in containers.running()
                if each.task.startswith(f"{app.strip('/')}.")
            ]
            if len(running) != wanted:
                found.append(f"{app} has {len(running)} of {wanted} instances")
        found += self._missing_jobs()
        return found

    def _missing_jobs(self) -> list[str]:
        leaders = [
            node for node in self.cluster.of("chronos")
            if node.is_alive and node.machine.is_leader  # type: ignore[attr-defined]
        ]  # fmt: skip
        if len(leaders) != 1:
            return [f"{len(leaders)} Chronoses lead"]
        jobs = leaders[0].machine.book.jobs  # type: ignore[attr-defined]
        return [f"job {name} is missing" for name in self.operator.jobs if name not in jobs]
