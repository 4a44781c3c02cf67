"""The master's machine under load, in one process: no sockets, no disk, production code.

Measures, for each size: registering all agents anew, one allocation cycle over all of them,
launching a task on each, the cycle after that, and `/state`.
"""

import time
from collections.abc import Callable
from typing import Any

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request, Response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.resources import Resources
from mesosphere.kernel.store import Put
from mesosphere.master.api import api
from mesosphere.master.core.config import MasterConfig
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire import recordio
from mesosphere.wire.mesos import codec, link, scheduler
from mesosphere.wire.mesos.agents import AgentInfo, describe_master
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, TaskID
from mesosphere.wire.mesos.operations import Launch, Operation
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import TaskInfo

AGENT = Resources.of(cpus=16, mem=65536, disk=100000, ports=[(31000, 32000)])
TASK = Resources.of(cpus=1, mem=1024)
JSON = {"content-type": "application/json"}


class Bench:
    """A leading master whose effects are performed at once."""

    def __init__(self) -> None:
        config = MasterConfig(info=describe_master("", "m", "127.0.0.1", 5050, "1.11.0"), group="g")
        self.machine = MasterMachine(config, IdSource(b"bench"))
        self.api = api(self.machine)
        self.now = 1000.0
        self.requests = 0
        self.sent: list[do.Send] = []
        self.perform(self.machine.start(self.now))
        self.give(on.LeaderChanged("g", codec.encode(self.machine.info), mine=True))

    def give(self, event: on.Event) -> None:
        self.perform(self.machine.handle(self.now, event))

    def perform(self, effects: list[do.Effect] | tuple[do.Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, do.Send):
                self.sent.append(effect)
            elif isinstance(effect, do.Commit):
                versions = {write.path: 0 for write in effect.writes if isinstance(write, Put)}
                self.perform(effect.then)
                self.give(on.Committed(effect.token, versions))
            elif isinstance(effect, do.Load):
                self.give(on.Loaded(effect.token, {}))
            elif isinstance(effect, do.Halt):
                raise SystemExit(f"the master ended: {effect.reason}")

    def post(self, path: str, body: bytes, stream: str = "", peer: str = "127.0.0.1") -> str:
        """A request; its id."""
        self.requests += 1
        headers = {**JSON, "mesos-stream-id": stream} if stream else JSON
        request = Request(f"r{self.requests}", "POST", path, {}, headers, body, peer)
        answer = self.api.dispatch(self.now, request)
        if isinstance(answer, Response):
            raise SystemExit(f"{path} was answered {answer.status}: {answer.body!r}")
        self.give(answer)
        return request.id

    def subscribe_agents(self, bodies: list[bytes]) -> None:
        for number, body in enumerate(bodies):
            self.post(
                link.PATH, body, peer=f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            )
        assert len(self.machine.state.agents) == len(bodies)

    def cycle(self) -> int:
        """One allocation cycle; the number of records that it sent."""
        before = len(self.sent)
        self.now += 1.0
        self.give(on.TimerFired("allocate"))
        self.give(on.TimerFired("allocate/soon"))
        return len(self.sent) - before


def agent_body(number: int) -> bytes:
    info = AgentInfo(hostname=f"agent{number}", port=5051, resources=to_wire(AGENT))
    return codec.encode(
        link.Call(type="SUBSCRIBE", subscribe=link.Subscribe(agent_info=info, version="1.11.0"))
    )


def framework_body(number: int) -> bytes:
    info = FrameworkInfo(
        user="root", name=f"f{number}", roles=[f"role{number % 50}"], failover_timeout=3600.0,
        capabilities=[FrameworkCapability(type="MULTI_ROLE")],
    )  # fmt: skip
    subscribe = scheduler.Subscribe(framework_info=info)
    return codec.encode(scheduler.Call(type="SUBSCRIBE", subscribe=subscribe))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    value = work()
    return time.perf_counter() - began, value


def offers_of(bench: Bench, sent: list[do.Send]) -> dict[str, list[Any]]:
    """Stream -> offers."""
    found: dict[str, list[Any]] = {}
    for send in sent:
        for record in recordio.Decoder().feed(send.data):
            if b'"OFFERS"' in record:
                event = codec.decode(record, scheduler.Event)
                assert event.offers is not None
                found.setdefault(send.stream, []).extend(event.offers.offers)
    return found


def launch_all(bench: Bench, frameworks: dict[str, tuple[str, str]], count: int) -> int:
    """A task on every offered agent, by one ACCEPT each."""
    calls = []
    for stream, offers in offers_of(bench, bench.sent).items():
        if stream not in frameworks:
            continue
        _, stream_id = frameworks[stream]
        for offer in offers:
            count += 1
            task = TaskInfo(
                name="t", task_id=TaskID(f"t{count}"), agent_id=AgentID(offer.agent_id.value),
                command=CommandInfo(value="true"), resources=to_wire(TASK),
            )  # fmt: skip
            operation = Operation(type="LAUNCH", launch=Launch(task_infos=[task]))
            accept = scheduler.Accept(offer_ids=[offer.id], operations=[operation])
            call = scheduler.Call(type="ACCEPT", framework_id=offer.framework_id, accept=accept)
            calls.append((codec.encode(call), stream_id))
    bench.sent.clear()
    seconds, _ = timed(
        lambda: [bench.post("/api/v1/scheduler", body, stream) for body, stream in calls]
    )
    return int(len(calls) / seconds) if calls else 0


def measure(agents: int, frameworks: int) -> dict[str, float]:
    """Every figure of one size."""
    bench = Bench()
    bodies = [agent_body(number) for number in range(agents)]
    register_s, _ = timed(lambda: bench.subscribe_agents(bodies))
    known: dict[str, tuple[str, str]] = {}
    for number in range(frameworks):
        request = bench.post("/api/v1/scheduler", framework_body(number))
        framework = list(bench.machine.state.frameworks.values())[-1]
        known[request] = (framework.id, framework.stream_id or "")
    bench.sent.clear()
    cycle_s, records = timed(bench.cycle)
    launches = launch_all(bench, known, 0)
    again_s, _ = timed(bench.cycle)
    state_s, body = timed(lambda: ask(bench, "/state"))
    return {
        "register_s": register_s,
        "allocation_cycle_s": cycle_s,
        "records": records,
        "launches_per_s": launches,
        "cycle_after_launches_s": again_s,
        "state_s": state_s,
        "state_mb": len(body) / 1e6,
    }


def ask(bench: Bench, path: str) -> bytes:
    answer = bench.api.dispatch(bench.now, Request("s", "GET", path))
    assert isinstance(answer, Response)
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
