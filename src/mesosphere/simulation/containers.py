"""The containers of a simulated host. They live on when their agent ends, as real ones do.

A container's command says what it does: `serve` runs until it is told to end, `work N` ends well
after N seconds, `fail N` badly, and `executor` is a custom executor (see `executors`). A plan of
chance lets some take long to start or to die.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mesosphere.kernel import effects as fx
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request
from mesosphere.simulation.exchange import Exchange
from mesosphere.simulation.executors import SimulatedExecutor
from mesosphere.simulation.network import Network
from mesosphere.simulation.processes import EXECUTOR, FAILED, SIGKILL, Container
from mesosphere.simulation.world import Violation, World
from mesosphere.wire.mesos import TaskStatus

if TYPE_CHECKING:
    from mesosphere.simulation.node import Node

RECOVERY_S = 0.05
HOLDER = ["sleep", "infinity"]


class SimulatedContainers:
    """Performs the effects about containers of one agent's host."""

    def __init__(self, world: World, network: Network, host: str) -> None:
        self.world = world
        self.network = network
        self.host = host
        self.containers: dict[str, Container] = {}
        self.volumes: dict[str, None] = {}  # the directories of persistent volumes
        self.start_failures = 0.0
        self.on_launch: Callable[[Container], None] = lambda container: None
        self.on_exit: Callable[[Container], None] = lambda container: None
        self.on_update: Callable[[Container, TaskStatus], None] = lambda container, status: None
        self._node: Node | None = None
        self._pids = 1000

    def perform(self, node: "Node", effect: fx.Effect) -> None:
        """See `node.ContainerHost`."""
        self._node = node
        performer = _PERFORMERS.get(type(effect))
        if performer is None:
            raise Violation(f"{node.name} can't perform {type(effect).__name__}")
        performer(self, effect)

    def _tell(self, event: on.Event) -> None:
        if self._node is not None:
            self._node.deliver(event)

    # --- life -------------------------------------------------------------------------------

    def change_volumes(self, effect: fx.ChangeVolumes) -> None:
        """Make and remove directories of volumes."""
        self.volumes |= dict.fromkeys(effect.make)
        for path in effect.remove:
            self.volumes.pop(path, None)
        self._tell(on.VolumesChanged(effect.token))

    def launch(self, effect: fx.LaunchContainer) -> None:
        """Start a container after a while; its agent may be another one by then."""
        plan = effect.plan
        for path, _ in plan["own"]:
            if path not in self.volumes:
                raise Violation(f"{self.host}: a task is launched on {path}, which is not there")
        environment = plan["environment"]
        self._pids += 1
        found = Container(
            effect.container,
            environment.get("MESOS_TASK_ID", environment.get("MESOS_EXECUTOR_ID", "")),
            str(plan["argv"][-1]),
            _ports(environment),
            self._pids,
            environment,
            is_holder=plan["argv"] == HOLDER,
        )
        self.containers[found.name] = found
        if not found.is_of_executor:
            self.on_launch(found)
        world = self.world
        delay = world.between(0.02, 0.3) if world.chance(0.95) else world.between(1.0, 20.0)
        world.at(delay, lambda: self._started(found))

    def _started(self, found: Container) -> None:
        if found.is_gone:
            return
        if self.world.chance(self.start_failures):
            found.is_gone = True
            self.containers.pop(found.name, None)
            self._tell(on.ContainerFailed(found.name, "start", "no luck"))
            return
        found.is_started = True
        self._tell(on.ContainerStarted(found.name, found.pid))
        words = found.command.split()
        if found.command == EXECUTOR:
            found.executor = SimulatedExecutor(self, found)
            found.executor.subscribe()
        elif words[0] in ("work", "fail"):
            status = 0 if words[0] == "work" else FAILED
            self.world.at(float(words[1]), lambda: self.exit(found, status))

    def exit(self, found: Container, status: int) -> None:
        """A container ends, or a task of an executor."""
        if found.status is not None or found.is_gone:
            return
        found.status = status
        self._ended(found)
        if found.owner is not None:
            found.owner.ended(found)
        else:
            self._tell(on.ContainerExited(found.name, status))

    def _ended(self, found: Container) -> None:
        if found.executor is not None:
            found.executor.end()
        if not found.is_of_executor:
            self.on_exit(found)

    def present(self) -> list[Container]:
        """The tasks that run or start, in the order of their launch."""
        return [task for each in self.containers.values() for task in each.tasks()]

    def running(self) -> list[Container]:
        """The tasks whose command runs, in the order of their launch."""
        return [each for each in self.present() if each.is_started]

    def executors(self) -> list[Container]:
        """The containers of executors and pods that run or start."""
        return [
            each for each in self.containers.values() if each.is_of_executor and each.status is None
        ]

    def receive(self, request: Request, exchange: Exchange) -> None:
        """An executor asks the agent."""
        if self._node is not None:
            self._node.receive(request, exchange)

    def answer(self, port: int) -> Callable[[str], int] | None:
        """What serves a port, if anything does."""
        for each in self.running():
            if port in each.ports:
                return lambda path, ill=each.is_ill: 500 if ill else 200  # type: ignore[misc]
        return None

    # --- effects ----------------------------------------------------------------------------

    def signal(self, effect: fx.SignalContainer) -> None:
        """Most commands obey SIGTERM soon; a few don't hear it."""
        found = self.containers.get(effect.container)
        if found is None or found.status is not None:
            return
        if effect.signal == SIGKILL or self.world.chance(0.9):
            delay = self.world.between(0.01, 1.5)
            self.world.at(delay, lambda: self.exit(found, effect.signal))

    def destroy(self, effect: fx.DestroyContainer) -> None:
        """Kill it and forget it once its end was told."""
        found = self.containers.get(effect.container)
        if found is None:
            return

        def gone() -> None:
            if not found.is_started and found.status is None:
                self.exit(found, SIGKILL)
            self.exit(found, SIGKILL)
            found.is_gone = True
            self.containers.pop(found.name, None)

        self.world.at(self.world.between(0.005, 0.1), gone)

    def recover(self, effect: fx.RecoverContainers) -> None:
        """Find those of an earlier life; unknown ones are destroyed."""
        running: dict[str, int] = {}
        exited: dict[str, int | None] = {}
        for name in effect.known:
            found = self.containers.get(name)
            if found is None or (not found.is_started and found.status is None):
                exited[name] = None
                if found is not None:
                    found.is_gone = True
                    del self.containers[name]
            elif found.status is None:
                running[name] = found.pid
            else:
                exited[name] = found.status
        known = dict.fromkeys(effect.known)
        for name in [each for each in self.containers if each not in known]:
            self.destroy(fx.DestroyContainer(name))
        event = on.ContainersRecovered(running, exited)
        node = self._node
        life = 0 if node is None else node.life

        def tell() -> None:
            if node is not None and node.life == life:
                # What ended since the answer was made is told as any end is.
                self._tell(event)
                for name in running:
                    ended = self.containers.get(name)
                    if ended is not None and ended.status is not None:
                        self._tell(on.ContainerExited(name, ended.status))

        self.world.at(RECOVERY_S, tell)

    def lose_power(self) -> None:
        """The host reboots: every container is gone, and nobody saw it end."""
        for found in list(self.containers.values()):
            if found.status is None:
                found.status = SIGKILL
                self._ended(found)
            found.is_gone = True
        self.containers.clear()


def _ports(environment: dict[str, Any]) -> tuple[int, ...]:
    return tuple(
        int(value) for name, value in environment.items() if re.fullmatch(r"PORT\d+", name)
    )


_PERFORMERS: dict[type[fx.Effect], Callable[[SimulatedContainers, Any], None]] = {
    fx.LaunchContainer: SimulatedContainers.launch,
    fx.SignalContainer: SimulatedContainers.signal,
    fx.DestroyContainer: SimulatedContainers.destroy,
    fx.UpdateContainer: lambda containers, effect: None,
    fx.RecoverContainers: SimulatedContainers.recover,
    fx.RunCheck: lambda containers, effect: containers._tell(on.CheckFinished(effect.check, 0)),
    fx.AttachContainer: lambda containers, effect: None,  # nobody is attached here
    fx.DetachContainer: lambda containers, effect: None,
    fx.PruneImages: lambda containers, effect: None,
    fx.RemoveSandbox: lambda containers, effect: None,
    fx.ChangeVolumes: SimulatedContainers.change_volumes,
}
