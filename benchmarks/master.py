"""How fast the master is.

    script/bench master [--parts heartbeats,...] [--agents 10000] [--tasks 10] [--rounds 1]
    script/bench master --in-process [--sizes 1000x10,10000x200] [--rounds 3]

The first measures a master process with emulated agents and a framework over real sockets (see
benchmarks/cluster.py), the second its machine alone (benchmarks/in_process.py).
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import uvloop
from benchmarks import in_process, report
from benchmarks.cluster import Cluster

PARTS = "heartbeats,launches,failover,reads,reconciliation"


async def over_sockets(given: argparse.Namespace) -> dict[str, Any]:
    """Rounds of whole clusters."""
    rounds = [
        await Cluster(given.agents, given.tasks, given.ping).run(given.parts.split(","))
        for _ in range(given.rounds)
    ]
    return {f"{given.agents} agents, {given.tasks} tasks each": report.summary(rounds)}


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
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--ping", type=float, default=15.0, help="seconds between pings")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/master.json"))
    given = parser.parse_args()
    results = alone(given) if given.in_process else asyncio_run(given)
    report.write(given.out, results, given.rounds)


def asyncio_run(given: argparse.Namespace) -> dict[str, Any]:
    """On uvloop, as the master."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(over_sockets(given))


if __name__ == "__main__":
    main()
