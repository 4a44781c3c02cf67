"""What goes wrong, at random, until everything is healed. Those that lead are preferred."""

from collections.abc import Callable

from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.ensemble import HOST as ZOOKEEPER
from mesosphere.simulation.node import Node

LEAST_S = 0.2
MOST_S = (2.0, 4.0, 8.0, 20.0)
"""Between two faults; how wild a story is, is drawn once."""

SKEWS_S = (0.5, 5.0, 120.0)
KINDS = ("master", "agent", "marathon", "chronos")


class Faults:
    """Brings one fault after the other into a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.world = cluster.world
        self.is_over = False
        self.worst_skew_s = 0.0
        self.most_s = MOST_S[self.world.random.randrange(len(MOST_S))]
        self.kinds: tuple[Callable[[], None], ...] = (
            self.crash, self.crash, self.pause, self.pause, self.partition, self.partition,
            self.one_way, self.one_way, self.mend, self.mend, self.lose_session,
            self.break_streams, self.lose_answers, self.end_container, self.skew, self.slow,
            self.reboot, self.stop, self.lose_ensemble, self.make_ill, self.bad_host,
            self.crash_all,
        )  # fmt: skip

    def strike(self) -> None:
        """One fault now, and others later."""
        if not self.is_over:
            self.kinds[self.world.random.randrange(len(self.kinds))]()
            self.world.at(self.world.between(LEAST_S, self.most_s), self.strike)

    def heal(self) -> None:
        """End all of it."""
        self.is_over = True
        self.cluster.network.heal()
        self.cluster.network.slow_s.clear()
        for node in self.cluster.nodes.values():
            node.answer_loss = 0.0
        for containers in self.cluster.hosts.values():
            containers.start_failures = 0.0

    def _any(self) -> Node:
        leaders = self.cluster.leaders()
        if leaders and self.world.chance(0.4):
            return leaders[self.world.random.randrange(len(leaders))]
        nodes = list(self.cluster.nodes.values())
        return nodes[self.world.random.randrange(len(nodes))]

    # --- processes --------------------------------------------------------------------------

    def crash(self) -> None:
        """kill -9."""
        self._any().crash()

    def crash_all(self) -> None:
        """kill -9 for every process of a kind."""
        for node in self.cluster.of(KINDS[self.world.random.randrange(len(KINDS))]):
            node.crash()

    def stop(self) -> None:
        """SIGTERM, as an upgrade sends it."""
        self._any().stop()

    def pause(self) -> None:
        """Freeze for a while."""
        self._any().pause(self.world.between(0.5, 30.0))

    def skew(self) -> None:
        """Set a clock forward or back."""
        most_s = SKEWS_S[self.world.random.randrange(len(SKEWS_S))]
        self.worst_skew_s = max(self.worst_skew_s, most_s)
        self._any().skew_s = self.world.between(-most_s, most_s)

    def lose_session(self) -> None:
        """ZooKeeper gives up a session whose client is well."""
        node = self._any()
        if node.is_alive:
            self.world.note(f"{node.name} loses its session")
            node.client.lose_session()

    # --- the network ------------------------------------------------------------------------

    def partition(self) -> None:
        """Cut a host off from some others and perhaps from ZooKeeper."""
        node = self._any()
        others = [other.host for other in self.cluster.nodes.values() if other is not node]
        for host in [*others, ZOOKEEPER]:
            if self.world.chance(0.6):
                self.cluster.network.cut(node.host, host)
                self.cluster.network.cut(host, node.host)

    def one_way(self) -> None:
        """Cut one direction of one link."""
        node, other = self._any(), self._any()
        self.cluster.network.cut(node.host, ZOOKEEPER if other is node else other.host)

    def mend(self) -> None:
        """Make every link whole."""
        self.cluster.network.heal()

    def lose_ensemble(self) -> None:
        """Nobody reaches ZooKeeper until the links are mended."""
        for node in self.cluster.nodes.values():
            self.cluster.network.cut(node.host, ZOOKEEPER)
            self.cluster.network.cut(ZOOKEEPER, node.host)
        self.world.at(self.world.between(2.0, 20.0), self.mend)

    def slow(self) -> None:
        """Make everything from and to a host slow."""
        self.cluster.network.slow_s[self._any().host] = self.world.between(0.0, 0.5)

    def break_streams(self) -> None:
        """Reset the streams that a process serves."""
        node = self._any()
        if node.is_alive:
            self.world.note(f"{node.name}: {node.break_streams()} streams break")

    def lose_answers(self) -> None:
        """Some requests are executed and never answered."""
        self._any().answer_loss = self.world.between(0.0, 0.3)

    # --- hosts of containers ----------------------------------------------------------------

    def end_container(self) -> None:
        """Kill a container."""
        for containers in self.cluster.hosts.values():
            running = [*containers.running(), *containers.executors()]
            if running and self.world.chance(0.5):
                found = running[self.world.random.randrange(len(running))]
                self.world.note(f"{found.task} is killed")
                containers.exit(found, 9)
                return

    def make_ill(self) -> None:
        """A container serves errors from now on."""
        for containers in self.cluster.hosts.values():
            running = containers.running()
            if running and self.world.chance(0.5):
                found = running[self.world.random.randrange(len(running))]
                self.world.note(f"{found.task} falls ill")
                found.is_ill = True
                return

    def bad_host(self) -> None:
        """Containers fail to start on a host."""
        node = self._any_agent()
        self.cluster.hosts[node.host].start_failures = self.world.between(0.0, 0.7)

    def reboot(self) -> None:
        """A host loses power: its containers are gone and nobody saw them end."""
        node = self._any_agent()
        self.world.note(f"{node.name}'s host loses power")
        self.cluster.hosts[node.host].lose_power()
        node.crash()

    def _any_agent(self) -> Node:
        agents = self.cluster.of("agent")
        return agents[self.world.random.randrange(len(agents))]
