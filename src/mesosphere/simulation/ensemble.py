"""Clients of the simulated ZooKeeper: what a node's Commit, Load, Contend and Detect lead to."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from mesosphere.kernel.effects import Commit, Load
from mesosphere.kernel.events import (
    CommitFailed,
    Committed,
    LeaderChanged,
    Loaded,
    LoadFailed,
    SessionLost,
)
from mesosphere.simulation.network import Network
from mesosphere.simulation.world import World
from mesosphere.simulation.zookeeper import Elections, Refused, SimulatedStore

if TYPE_CHECKING:
    from mesosphere.simulation.node import Node

HOST = "zookeeper"
SESSION_S = 10.0
ANSWER_TIMEOUT_S = 8.0


class Ensemble:
    """The servers: one store, elections, and the sessions of clients."""

    def __init__(self, world: World, network: Network) -> None:
        self.world = world
        self.network = network
        self.store = SimulatedStore()
        self.elections = Elections()
        self.clients: list[Client] = []
        self._sessions = 0
        self.on_commit: Callable[[Client, Commit], None] = lambda client, commit: None

    def new_session(self) -> int:
        """The number of a new session."""
        self._sessions += 1
        return self._sessions

    def expire(self, session: int) -> None:
        """The servers give a session up."""
        for group in self.elections.withdraw(session):
            self.tell(group)

    def tell(self, group: str) -> None:
        """Something changed in a group: every follower's watch fires."""
        for client in list(self.clients):
            if group in client.groups.values():
                self.network.carry(HOST, client.host, "watch", client.look)


class Client:
    """One process's connection."""

    def __init__(self, ensemble: Ensemble, node: "Node", root: str) -> None:
        self._ensemble = ensemble
        self._node = node
        self.root = root
        self.host = node.host
        self.session = ensemble.new_session()
        self.groups: dict[str, str] = {}  # name in effects -> path
        self._standing: dict[str, bytes] = {}
        self._told: dict[str, tuple[bytes | None, bool]] = {}
        self._queue: deque[Commit] = deque()
        self._is_busy = False
        self._heard = ensemble.world.now
        self._closed = False
        ensemble.clients.append(self)
        self._beat()

    # --- the session ------------------------------------------------------------------------

    def _beat(self) -> None:
        """Keep the session alive while both directions work."""
        if self._closed:
            return
        ensemble, world = self._ensemble, self._ensemble.world
        network = ensemble.network
        reachable = not (network.is_cut(self.host, HOST) or network.is_cut(HOST, self.host))
        if reachable and not self._node.is_paused:
            if world.now - self._heard > SESSION_S:
                self._lose("the session expired")
            self._heard = world.now
            self.look()
        elif world.now - self._heard > SESSION_S:
            ensemble.expire(self.session)
            if not self._node.is_paused:
                # Nobody tells a client that can't reach the servers; it counts for itself.
                self._lose("no server answered for a session's time")
                self._heard = world.now
        world.at(world.between(0.8, 1.2), self._beat)

    def lose_session(self) -> None:
        """A fault: the servers expire the session although the client is well."""
        self._ensemble.expire(self.session)
        self._lose("the session expired")

    def _lose(self, reason: str) -> None:
        self._ensemble.expire(self.session)
        self.session = self._ensemble.new_session()
        self._told.clear()
        if self._standing:
            self._node.deliver(SessionLost(reason))
        if not self._closed:
            for group, payload in self._standing.items():
                self._stand(group, payload)

    def close(self, crash: bool) -> None:
        """The process ended; after a crash the session lives on for its time."""
        self._closed = True
        if self in self._ensemble.clients:
            self._ensemble.clients.remove(self)
        session = self.session
        if crash:
            self._ensemble.world.at(SESSION_S, lambda: self._ensemble.expire(session))
        else:
            self._ensemble.expire(session)

    # --- elections --------------------------------------------------------------------------

    def contend(self, group: str, payload: bytes) -> None:
        """Stand for leader."""
        self.groups[group] = self._path(group)
        self._standing[group] = payload
        self._stand(group, payload)

    def _stand(self, group: str, payload: bytes) -> None:
        session = self.session

        def arrive() -> None:
            if session == self.session and not self._closed:
                self._ensemble.elections.stand(self._path(group), payload, session)
                self._ensemble.tell(self._path(group))

        self._ensemble.network.carry(self.host, HOST, f"session{session}", arrive)

    def withdraw(self, group: str) -> None:
        """Give a candidacy up."""
        self._standing.pop(group, None)
        self._ensemble.elections.withdraw(self.session, self._path(group))
        self._ensemble.tell(self._path(group))

    def detect(self, group: str) -> None:
        """Follow who leads."""
        self.groups[group] = self._path(group)
        self._ensemble.network.carry(HOST, self.host, "watch", self.look)

    def _path(self, group: str) -> str:
        return group if group.startswith("zk://") else f"zk://zk{self.root}{group}"

    def look(self) -> None:
        """Read the groups; tell what is new."""
        network = self._ensemble.network
        if self._closed or network.is_cut(self.host, HOST) or network.is_cut(HOST, self.host):
            return
        for name, path in list(self.groups.items()):
            leader = self._ensemble.elections.leader(path)
            payload = None if leader is None else leader.payload
            mine = leader is not None and leader.session == self.session
            if self._told.get(name) != (payload, mine):
                self._told[name] = (payload, mine)
                self._node.deliver(LeaderChanged(name, payload, mine))

    # --- the store --------------------------------------------------------------------------

    def commit(self, effect: Commit) -> None:
        """Queue a transaction; one is under way at a time."""
        self._queue.append(effect)
        self._send()

    def _send(self) -> None:
        if self._is_busy or not self._queue:
            return
        self._is_busy = True
        effect = self._queue.popleft()
        ensemble = self._ensemble
        answered = False

        def settle(event: Committed | CommitFailed) -> None:
            nonlocal answered
            if answered or self._closed:
                return
            answered = True
            self._is_busy = False
            self._node.settle_commit(effect, event)
            self._send()

        def arrive() -> None:
            event: Committed | CommitFailed
            try:
                versions = ensemble.store.commit(self.root, effect.writes)
            except Refused as error:
                event = CommitFailed(effect.token, str(error), definite=True)
            else:
                ensemble.on_commit(self, effect)
                event = Committed(effect.token, versions)
            if ensemble.world.chance(self._node.answer_loss):
                return
            ensemble.network.carry(HOST, self.host, "store", lambda: settle(event))

        ensemble.network.carry(self.host, HOST, "store", arrive)
        doubt = CommitFailed(effect.token, "the connection was lost", definite=False)
        ensemble.world.at(ANSWER_TIMEOUT_S, lambda: settle(doubt))

    def load(self, effect: Load) -> None:
        """Read a part of the store."""
        ensemble = self._ensemble
        answered = False

        def settle(event: Loaded | LoadFailed) -> None:
            nonlocal answered
            if not answered and not self._closed:
                answered = True
                self._node.deliver(event)

        def arrive() -> None:
            entries = ensemble.store.load(self.root, effect.path)
            event = Loaded(effect.token, entries)
            ensemble.network.carry(HOST, self.host, "store", lambda: settle(event))

        ensemble.network.carry(self.host, HOST, "store", arrive)
        failed = LoadFailed(effect.token, "the connection was lost")
        ensemble.world.at(ANSWER_TIMEOUT_S, lambda: settle(failed))
