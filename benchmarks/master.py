"""How fast the master is.

    script/bench master [--parts heartbeats,...] [--agents 1000,10000] [--tasks 10] [--rounds 3]
    script/bench master --before TREE --rounds 5 --parts failover,reads
    script/bench master --parts zookeeper-failover --agents 1000 [--masters 3] [--rounds 3]
    script/bench master --in-process [--sizes 1000x10,10000x200] [--rounds 3]

The first measures a master process with emulated agents and a framework over real sockets (see
benchmarks/cluster.py), the second that of another checkout beside it; rounds of all sizes and both
trees are interleaved. The third measures failovers on a ZooKeeper server (benchmarks/election.py),
the last the master's machine alone (benchmarks/in_process.py).
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import uvloop
from benchmarks import in_process, report
from benchmarks.cluster import Cluster
from benchmarks.election import Election

PARTS = "heartbeats,launches,failover,reads,reconciliation"
ON_ZOOKEEPER = "zookeeper-failover"


async def over_sockets(given: argparse.Namespace) -> dict[str, Any]:
    """Interleaved rounds of whole clusters."""
    parts = given.parts.split(",")
    sizes = [int(part) for part in given.agents.split(",")]
    trees: dict[str, Path | None] = {"": None}
    if given.before is not None:
        trees = {"before: ": given.before, "now: ": None}
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for agents in sizes:
            for word, tree in trees.items():
                cluster = Cluster(agents, given.tasks, given.ping, tree)
                name = f"{word}{agents} agents, {given.tasks} tasks each"
                rounds.setdefault(name, []).append(await cluster.run(parts))
    return {name: report.summary(found) for name, found in rounds.items()}


async def on_zookeeper(given: argparse.Namespace) -> dict[str, Any]:
    """Failovers, one cluster for each size."""
    found = {}
    for agents in map(int, given.agents.split(",")):
        election = Election(agents, given.tasks, given.masters, given.session)
        name = f"{agents} agents, {given.tasks} tasks each, {given.masters} masters"
        found[name] = report.summary(await election.run(given.rounds))
    return found


def alone(given: argparse.Namespace) -> dict[str, Any]:
    """Interleaved rounds of each size."""
    sizes = [tuple(int(part) for part in size.split("x")) for size in given.sizes.split(",")]
    rounds: dict[Any, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(given.rounds):
        for size in sizes:
            rounds[size].append(in_process.measure(*size))
    return {
        f"{agents} agents, {frameworks} frameworks": report.summary(found)
        for (agents, frameworks), found in rounds.items()
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--in-process", action="store_true")
    parser.add_argument("--sizes", default="1000x10,1000x200,10000x10,10000x200")
    parser.add_argument("--parts", default=PARTS)
    parser.add_argument("--before", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--agents", default="10000")
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--masters", type=int, default=3)
    parser.add_argument("--session", type=float, default=10.0, help="timeout on ZooKeeper, seconds")
    parser.add_argument("--ping", type=float, default=15.0, help="seconds between pings")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/master.json"))
    given = parser.parse_args()
    if given.in_process:
        results = alone(given)
    else:
        measure = on_zookeeper if given.parts == ON_ZOOKEEPER else over_sockets
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(measure(given))
    report.write(given.out, results, given.rounds)


if __name__ == "__main__":
    main()
