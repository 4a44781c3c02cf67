"""What checkers look at: messages that were sent or taken, containers, transactions."""

from collections.abc import Callable

from mesosphere.kernel import effects as fx
from mesosphere.kernel import events as on
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.ensemble import Client
from mesosphere.simulation.node import Node
from mesosphere.simulation.processes import Container
from mesosphere.wire.mesos import TaskStatus, codec, link, scheduler

FRAMEWORKS = ("marathon", "chronos", "scheduler", "reserver")


class Taps:
    """Calls whoever asked for a kind of happening, with typed values."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.on_scheduler_call: list[Callable[[Node, scheduler.Call], None]] = []
        self.on_scheduler_event: list[Callable[[Node, scheduler.Event], None]] = []
        self.on_agent_call: list[Callable[[Node, link.Call], None]] = []
        self.on_agent_event: list[Callable[[Node, link.Event], None]] = []
        self.on_launch: list[Callable[[Node, Container], None]] = []
        self.on_exit: list[Callable[[Node, Container], None]] = []
        self.on_executor_update: list[Callable[[Node, Container, TaskStatus], None]] = []
        self.on_commit: list[Callable[[Client, fx.Commit], None]] = []
        self.on_master_step: list[Callable[[Node], None]] = []
        self.on_agent_step: list[Callable[[Node], None]] = []
        self.on_event: list[Callable[[Node, on.Event], None]] = []
        for node in cluster.nodes.values():
            node.observers.append(self._step)
            node.calls.on_call = lambda effect, node=node: self._called(node, effect)  # type: ignore[misc]
        for node in cluster.of("agent"):
            containers = cluster.hosts[node.host]
            containers.on_launch = lambda found, node=node: self._each(self.on_launch, node, found)  # type: ignore[misc]
            containers.on_update = lambda found, status, node=node: self._each(  # type: ignore[misc]
                self.on_executor_update, node, found, status
            )
            containers.on_exit = lambda found, node=node: self._each(self.on_exit, node, found)  # type: ignore[misc]
        cluster.ensemble.on_commit = lambda client, commit: self._each(
            self.on_commit, client, commit
        )

    @staticmethod
    def _each(watchers: list[Callable[..., None]], *values: object) -> None:
        for watcher in watchers:
            watcher(*values)

    def _step(self, node: Node, event: on.Event, effects: list[fx.Effect]) -> None:
        kind = node.kind
        if type(event) is on.Received:
            if kind in FRAMEWORKS and event.stream.startswith("framework/"):
                found = codec.decode(event.record, scheduler.Event)
                self._each(self.on_scheduler_event, node, found)
            elif kind == "agent":
                self._each(self.on_agent_event, node, codec.decode(event.record, link.Event))
        if kind == "master":
            self._each(self.on_master_step, node)
        elif kind == "agent":
            self._each(self.on_agent_step, node)
        self._each(self.on_event, node, event)

    def _called(self, node: Node, effect: fx.Call) -> None:
        if effect.url.endswith("/api/v1/scheduler"):
            call = codec.decode(effect.body, scheduler.Call)
            self._each(self.on_scheduler_call, node, call)
        elif effect.url.endswith(link.PATH):
            self._each(self.on_agent_call, node, codec.decode(effect.body, link.Call))
