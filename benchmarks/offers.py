"""What an offer costs the master: a whole allocation step, from free agents to bytes to be sent.

    script/bench offers [--agents 10000] [--frameworks 10] [--rounds 5]

Microseconds of processor time per offer in each encoding, and bytes per offer. All agents are free
and offered in one step; each has three attributes. What a first offer of an agent costs is apart
from what the next ones do. One process, the machine alone.
"""

import argparse
import time
from pathlib import Path

from benchmarks import report
from benchmarks.in_process import AGENT, Bench, framework_body

from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request
from mesosphere.master.core import offers
from mesosphere.runtime.collector import tune
from mesosphere.wire import mesos
from mesosphere.wire.mesos import codec, link, scheduler
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.resources_codec import to_wire


def agent_body(number: int) -> bytes:
    """An agent with attributes."""
    attributes = [
        mesos.Attribute(name=name, type="TEXT", text=mesos.Text(value=f"{name}{number % 7}"))
        for name in ("rack", "zone", "kind")
    ]
    info = mesos.AgentInfo(
        hostname=f"agent{number}.example.com", resources=to_wire(AGENT), attributes=attributes
    )
    subscribe = link.Subscribe(agent_info=info, version="1.11.0")
    return codec.encode(link.Call(type="SUBSCRIBE", subscribe=subscribe))


def cluster(agents: int, frameworks: int, media: Media) -> Bench:
    """A master with agents, and frameworks that speak an encoding."""
    bench = Bench()
    bench.subscribe_agents([agent_body(number) for number in range(agents)])
    bench.give(on.TimerFired("allocate/soon"))
    for number in range(frameworks):
        body = media.encode(codec.decode(framework_body(number), scheduler.Call))
        headers = {"content-type": media.value, "accept": media.value}
        request = Request(f"f{number}", "POST", "/api/v1/scheduler", {}, headers, body, "127.0.0.1")
        event = bench.api.dispatch(bench.now, request)
        assert isinstance(event, on.Event)
        bench.give(event)
    return bench


def measure(bench: Bench) -> tuple[float, float]:
    """Microseconds and bytes per offer of one step over all agents."""
    machine = bench.machine
    for offer in list(machine.state.offers.values()):
        offers.give_back(machine, bench.now, offer, 0.0)
    machine.out = []
    machine.dirty.clear()
    bench.now += 1.0
    began = time.process_time()
    effects = machine.handle(bench.now, on.TimerFired("allocate"))
    spent = time.process_time() - began
    count = len(machine.state.agents)
    assert len(machine.state.offers) == count
    size = sum(len(effect.data) for effect in effects if isinstance(effect, do.Send))
    return spent / count * 1e6, size / count


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--frameworks", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/offers.json"))
    given = parser.parse_args()
    tune()
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for media in Media:
            bench = cluster(given.agents, given.frameworks, media)
            (first, size), (again, _) = measure(bench), measure(bench)
            figures = {"first_us": first, "again_us": again, "bytes": size}
            rounds.setdefault(media.value, []).append(figures)
    results = {name: report.summary(found) for name, found in rounds.items()}
    report.write(given.out, results, given.rounds)


if __name__ == "__main__":
    main()
