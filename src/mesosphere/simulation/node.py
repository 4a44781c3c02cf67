"""The simulated runtime: one process, its machine, and the effects performed in memory.

Mirrors `runtime.node`: the same effects, the same events. A crash loses memory and keeps files; a
pause delivers everything late; a Halt ends the process, and its service manager starts it again.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from mesosphere.kernel import effects as fx
from mesosphere.kernel import events as on
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Api, Request, Response, text_response
from mesosphere.kernel.machine import Machine
from mesosphere.simulation.calls import Calls
from mesosphere.simulation.disk import Disk
from mesosphere.simulation.ensemble import Client, Ensemble
from mesosphere.simulation.exchange import Exchange
from mesosphere.simulation.network import Network
from mesosphere.simulation.world import Violation, World

RESTART_LEAST_S = 1.0
RESTART_MOST_S = 4.0
EXPECTED_ENDS = (
    ExitCode.CLEAN,
    ExitCode.STORE_FAILED,
    ExitCode.LEADERSHIP_LOST,
    ExitCode.SESSION_LOST,
)
"""No fault of the world may end a process in another way."""


class ContainerHost(Protocol):
    """What performs the effects about containers on an agent's host."""

    def perform(self, node: "Node", effect: fx.Effect) -> None:
        """Perform one."""


Build = Callable[["Node", int], tuple[Machine, Api]]


class Node:
    """One process on a host, through all its lives."""

    def __init__(
        self,
        world: World,
        network: Network,
        ensemble: Ensemble,
        directory: "Directory",
        *,
        name: str,
        host: str,
        port: int,
        root: str,
        build: Build,
        containers: ContainerHost | None = None,
    ) -> None:
        self.world = world
        self.network = network
        self.name = name
        self.kind = name.rstrip("0123456789")
        self.host = host
        self.disk = Disk(world)
        self.life = 0
        self.is_alive = False
        self.is_paused = False
        self.answer_loss = 0.0
        self.skew_s = 0.0
        self.ended: list[int] = []
        self.expected_ends: tuple[int, ...] = EXPECTED_ENDS
        self.on_request: Callable[[Node, Request], None] = lambda node, request: None
        self.observers: list[Callable[[Node, on.Event, list[fx.Effect]], None]] = []
        self._ensemble = ensemble
        self._root = root
        self._build = build
        self._containers = containers
        self._inbox: deque[Callable[[], None]] = deque()
        self._timers: dict[str, object] = {}
        self._exchanges: dict[str, Exchange] = {}
        self._requests = 0
        self._last_now = 0.0
        self._stepping = False
        self._events: deque[on.Event] = deque()
        self.calls = Calls(self, directory)
        directory.add(f"{host}:{port}", self)

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a life."""
        self.life += 1
        self.is_alive = True
        self._last_now = 0.0
        self.machine, self._api = self._build(self, self.life)
        self.client = Client(self._ensemble, self, self._root)
        self.world.note(f"{self.name} starts, life {self.life}")
        self._stepping = True
        self._finish_step(None, self.machine.start(self.now()))

    def crash(self) -> None:
        """kill -9: memory, timers and connections are gone, and the session lingers."""
        if self.is_alive:
            self.world.note(f"{self.name} crashes")
            self._end(crash=True)

    def _end(self, crash: bool) -> None:
        self.is_alive = False
        self.is_paused = False
        self._timers.clear()
        self._inbox.clear()
        self._events.clear()
        self.disk.crash()
        self.client.close(crash)
        self.calls.drop_all()
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.tear(self.world.random.randrange(100))
        self.world.at(self.world.between(RESTART_LEAST_S, RESTART_MOST_S), self._restart)

    def _restart(self) -> None:
        if not self.is_alive:
            self.start()

    def stop(self) -> None:
        """SIGTERM: the machine must end the process itself, and cleanly."""
        if self.is_alive and not self.is_paused:
            self.world.note(f"{self.name} is asked to end")
            life = self.life
            self.deliver(on.StopRequested())
            if self.is_alive and self.life == life:
                raise Violation(f"{self.name} does not end when it is asked to")
            if self.ended[-1] != ExitCode.CLEAN:
                raise Violation(f"{self.name} was asked to end, and ended with {self.ended[-1]}")

    def pause(self, seconds: float) -> None:
        """Freeze the process for a while."""
        if self.is_alive and not self.is_paused:
            self.world.note(f"{self.name} is frozen for {seconds:.1f} s")
            self.is_paused = True
            life = self.life
            self.world.at(seconds, lambda: self._resume(life))

    def _resume(self, life: int) -> None:
        if life != self.life or not self.is_paused:
            return
        self.world.note(f"{self.name} thaws")
        self.is_paused = False
        while self._inbox and self.is_alive and not self.is_paused and life == self.life:
            self._inbox.popleft()()

    def now(self) -> float:
        """The host's clock; within a life it never goes back."""
        self._last_now = max(self._last_now, self.world.now + self.skew_s)
        return self._last_now

    # --- the way in -------------------------------------------------------------------------

    def when_awake(self, work: Callable[[], None]) -> None:
        """Do work of the process now, or when it thaws; never in another life."""
        if not self.is_alive:
            return
        if self.is_paused:
            self._inbox.append(work)
        else:
            work()

    def deliver(self, event: on.Event) -> None:
        """Give the machine an event."""
        self.when_awake(lambda: self._take(event))

    def _take(self, event: on.Event) -> None:
        self._events.append(event)
        if not self._stepping:
            self._drain()

    def _drain(self) -> None:
        while self._events and self.is_alive:
            event = self._events.popleft()
            self._stepping = True
            self._finish_step(event, self.machine.handle(self.now(), event))

    def _finish_step(self, event: on.Event | None, effects: list[fx.Effect]) -> None:
        kind = "start" if event is None else type(event).__name__
        self.world.note(f"{self.name} {kind} {_detail(event)}-> {_names(effects)}")
        for observer in self.observers:
            observer(self, event or on.Event(), effects)
        self.perform(effects)
        self._stepping = False
        if self._events:
            self._drain()

    def receive(self, request: Request, exchange: Exchange) -> None:
        """A request has arrived."""
        if not self.is_alive:
            exchange.refuse(self.host)
            return
        self._requests += 1
        exchange.server = self
        exchange.request = f"r{self.life}-{self._requests}"
        self._exchanges[exchange.request] = exchange
        named = Request(
            exchange.request, request.method, request.path, request.query, request.headers,
            request.body, request.peer,
        )  # fmt: skip
        self.requests_of[exchange.request] = named
        self.when_awake(lambda: self._dispatch(named))

    @property
    def requests_of(self) -> dict[str, Request]:
        """Pending requests by id, for those that are passed on."""
        return self.calls.pending_requests

    def _dispatch(self, request: Request) -> None:
        self.on_request(self, request)
        answer = self._api.dispatch(self.now(), request)
        if isinstance(answer, Response):
            self._reply(request.id, answer)
        else:
            self._take(answer)

    def abandoned(self, exchange: Exchange) -> None:
        """The peer of an exchange has gone."""
        if self._exchanges.pop(exchange.request, None) is not None:
            exchange.is_closed = True
            self.requests_of.pop(exchange.request, None)
            if exchange.is_stream:
                self.deliver(on.StreamClosed(exchange.request, "the peer went away"))

    # --- performing -------------------------------------------------------------------------

    def perform(self, effects: list[fx.Effect] | tuple[fx.Effect, ...]) -> None:
        """Perform effects in order."""
        for effect in effects:
            if not self.is_alive:
                return
            performer = PERFORMERS.get(type(effect))
            if performer is not None:
                performer(self, effect)
            elif self._containers is not None:
                self._containers.perform(self, effect)
            else:
                raise Violation(f"{self.name} can't perform {type(effect).__name__}")

    def _halt(self, code: int, reason: str) -> None:
        self.world.note(f"{self.name} ends with {code}: {reason}")
        self.ended.append(code)
        if code not in self.expected_ends:
            raise Violation(f"{self.name} ends with {code}: {reason}")
        self._end(crash=False)

    def set_timer(self, name: str, delay_s: float) -> None:
        """Perform SetTimer."""
        token = object()
        self._timers[name] = token

        def fire() -> None:
            if self._timers.get(name) is token:
                del self._timers[name]
                self._take(on.TimerFired(name))

        life = self.life
        self.world.at(delay_s, lambda: self.when_awake(fire) if life == self.life else None)

    def settle_commit(self, effect: fx.Commit, event: on.Event) -> None:
        """The store has answered."""

        def settle() -> None:
            if isinstance(event, on.Committed):
                self.perform(effect.then)
            if self.is_alive:
                self._take(event)

        self.when_awake(settle)

    def _checkpoint(self, effect: fx.Checkpoint) -> None:
        def written() -> None:
            self.when_awake(lambda: self.perform(effect.then))

        self.disk.write(effect.path, effect.data, effect.append, written)

    def _reply(self, request: str, response: Response) -> None:
        self.requests_of.pop(request, None)
        exchange = self._exchanges.pop(request, None)
        if exchange is not None:
            exchange.answer(response, self.world.chance(self.answer_loss))

    def _start_stream(self, effect: fx.StartStream) -> None:
        exchange = self._exchanges.get(effect.request)
        if exchange is not None:
            exchange.start(effect.status, effect.headers)
        else:
            self.deliver(on.StreamClosed(effect.request, "the peer went away"))

    def _send(self, effect: fx.Send) -> None:
        exchange = self._exchanges.get(effect.stream)
        if exchange is not None:
            self.world.mix(effect.data)
            exchange.send(effect.data)

    def _end_stream(self, stream: str) -> None:
        exchange = self._exchanges.pop(stream, None)
        if exchange is not None:
            exchange.end()

    def break_streams(self) -> int:
        """A fault: every stream that this process serves breaks; how many there were."""
        streams = [each for each in self._exchanges.values() if each.is_stream]
        for exchange in streams:
            exchange.tear(self.world.random.randrange(100))
            self.abandoned(exchange)
        return len(streams)

    def _proxy(self, effect: fx.Proxy) -> None:
        exchange = self._exchanges.get(effect.request)
        request = self.requests_of.get(effect.request)
        if exchange is not None and request is not None:
            self.calls.proxy(effect, request, exchange)

    def forget_exchange(self, request: str) -> None:
        """A passed-on request was answered by another process."""
        self._exchanges.pop(request, None)
        self.requests_of.pop(request, None)


class Directory:
    """Who listens where."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self.tasks: Callable[[str, int], Callable[[str], int] | None] = lambda host, port: None

    def add(self, address: str, node: Node) -> None:
        """Register a process's address."""
        self._nodes[address] = node

    def find(self, address: str) -> Node | None:
        """The process at an address, dead or alive."""
        return self._nodes.get(address)


def _detail(event: on.Event | None) -> str:
    for name in ("name", "token", "call", "stream", "container", "group"):
        value = getattr(event, name, None)
        if isinstance(value, str):
            return f"{value} "
    return ""


def _names(effects: list[fx.Effect]) -> str:
    return ",".join(type(effect).__name__ for effect in effects if type(effect) is not fx.Log)


PERFORMERS: dict[type[fx.Effect], Callable[[Node, Any], object]] = {
    fx.Log: lambda node, e: None,
    fx.SetVerbosity: lambda node, e: None,
    fx.SetTimer: lambda node, e: node.set_timer(e.name, e.delay_s),
    fx.CancelTimer: lambda node, e: node._timers.pop(e.name, None),
    fx.TimeStep: lambda node, e: node.deliver(on.StepTimed(e.name, 0.0)),
    fx.Halt: lambda node, e: node._halt(e.code, e.reason),
    fx.Commit: lambda node, e: node.client.commit(e),
    fx.Load: lambda node, e: node.client.load(e),
    fx.Checkpoint: lambda node, e: node._checkpoint(e),
    fx.SetAsideCheckpoint: lambda node, e: node.disk.set_aside(e.path),
    fx.RemoveCheckpoint: lambda node, e: node.disk.remove(e.path),
    fx.Contend: lambda node, e: node.client.contend(e.group, e.payload),
    fx.Withdraw: lambda node, e: node.client.withdraw(e.group),
    fx.Detect: lambda node, e: node.client.detect(e.group),
    fx.Reply: lambda node, e: node._reply(e.request, e.response),
    fx.StartStream: lambda node, e: node._start_stream(e),
    fx.Send: lambda node, e: node._send(e),
    fx.EndStream: lambda node, e: node._end_stream(e.stream),
    fx.Proxy: lambda node, e: node._proxy(e),
    fx.Call: lambda node, e: node.calls.call(e),
    fx.Connect: lambda node, e: node.calls.connect(e),
    fx.Disconnect: lambda node, e: node.calls.disconnect(e.stream),
    fx.Probe: lambda node, e: node.calls.probe(e),
    fx.ServeFile: lambda node, e: node._reply(e.request, text_response(404, "Not Found\n")),
}
"""The closed list, but for containers and the load balancer."""
