"""One master process, thousands of emulated agents over real sockets, a framework: every figure.

The parts run in order on one cluster: connect, heartbeats, launches, failover with tasks, reads,
reconciliation. Memory is read when a part has settled. While a part runs a prober asks for /health
fifty times a second: its quantiles are what any other client would have felt, its worst is about
the longest stall of the master's loop.
"""

import asyncio
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from benchmarks import messages
from benchmarks.connection import open_fetch
from benchmarks.processes import Fleet, Master
from benchmarks.report import quantile
from benchmarks.scheduler import Offer, Scheduler

HOST = "127.0.0.1"
PROBE_INTERVAL_S = 0.02
SERIAL_LAUNCHES = 200
TASKS_PER_ACCEPT = 10
SETTLE_S = 2.0

Figures = dict[str, float]


class Prober:
    """Asks for /health on its own connection while it is open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.latencies: list[float] = []

    async def __aenter__(self) -> "Prober":
        self._fetch = await open_fetch(HOST, self._port)
        self._task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            await self._fetch.get("/health")
            self.latencies.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._fetch.transport.abort()

    def figures(self, name: str) -> Figures:
        """Quantiles in milliseconds."""
        return {
            f"{name}_others_p50_ms": 1e3 * quantile(self.latencies, 0.5),
            f"{name}_others_p99_ms": 1e3 * quantile(self.latencies, 0.99),
            f"{name}_longest_stall_ms": 1e3 * max(self.latencies, default=0.0),
        }


class Cluster:
    """The processes of one round."""

    def __init__(
        self, agents: int, tasks_per_agent: int, ping_s: float, tree: Path | None = None
    ) -> None:
        self.agents = agents
        self.tasks_per_agent = tasks_per_agent
        self.ping_s = ping_s
        self.directory = Path(tempfile.mkdtemp(prefix="bench-"))
        self.master = Master(
            self.directory, f"--agent_ping_timeout={ping_s}secs", "--max_agent_ping_timeouts=20",
            tree=tree,
        )  # fmt: skip
        self.fleet = Fleet(self.master.port)
        self.figures: Figures = {}

    async def run(self, parts: list[str]) -> Figures:
        """Every part wanted; connecting is always one."""
        try:
            self.master.start()
            await self.fleet.start()
            await self.connect()
            for name in ("heartbeats", "launches", "failover", "reads", "reconciliation"):
                if name in parts:
                    await getattr(self, name)()
        finally:
            self.master.stop()
            await self.fleet.stop()
            shutil.rmtree(self.directory, ignore_errors=True)
        return self.figures

    # --- parts --------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Agents come in three steps; the slope of the memory is what one costs."""
        marks = [(0, self.master.rss_kb())]
        steps = [count for count in (1_000, 5_000) if count < self.agents] + [self.agents]
        busy = self.master.cpu_s()
        seconds = 0.0
        for count in steps:
            before = marks[-1][0]
            answer = await self.fleet.ask("connect", first=before, count=count - before)
            seconds += answer["seconds"]
            await asyncio.sleep(SETTLE_S)
            marks.append((count, self.master.rss_kb()))
        first, last = marks[1] if len(marks) > 2 else marks[0], marks[-1]
        self.figures |= {
            "connect_s": seconds,
            "connect_cpu_us_per_agent": 1e6 * (self.master.cpu_s() - busy) / self.agents,
            "master_at_rest_mb": marks[0][1] / 1e3,
            "master_with_agents_mb": last[1] / 1e3,
            "kb_per_agent": (last[1] - first[1]) / (last[0] - first[0]),
        }

    async def heartbeats(self) -> None:
        """Three intervals of pings with nothing else to do."""
        await asyncio.sleep(self.ping_s)
        await self.fleet.ask("statistics")
        busy, began = self.master.cpu_s(), time.monotonic()
        async with Prober(self.master.port) as prober:
            await asyncio.sleep(3 * self.ping_s)
        seen = await self.fleet.ask("statistics")
        late = [abs(interval - self.ping_s) for interval in seen["intervals"]]
        spent = self.master.cpu_s() - busy
        self.figures |= {
            "heartbeat_late_p99_s": quantile(late, 0.99),
            "heartbeat_cpu_us": 1e6 * spent / max(seen["pings"], 1),
            "idle_cpu_percent": 100 * spent / (time.monotonic() - began),
            "agents_lost": seen["lost"] + seen["refused"],
            **prober.figures("heartbeat"),
        }

    async def launches(self) -> None:
        """One task at a time, then as many as the master takes."""
        scheduler = Scheduler(HOST, self.master.port)
        held: deque[Offer] = deque()
        scheduler.on_offer = lambda offer: _keep(held, offer)
        await scheduler.subscribe()
        began = scheduler.began_at
        await scheduler.until(lambda: scheduler.first_offer_at > 0)
        self.figures["first_offer_ms"] = 1e3 * (scheduler.first_offer_at - began)
        await scheduler.until(lambda: scheduler.offers >= self.agents)
        self.figures["all_offers_ms"] = 1e3 * (time.monotonic() - began)
        for _ in range(min(SERIAL_LAUNCHES, self.agents // 2)):
            scheduler.accept(held.popleft(), 1)
            await scheduler.until(lambda: not scheduler.launched_at)
        self.figures["launch_to_running_p50_ms"] = 1e3 * quantile(scheduler.latencies, 0.5)
        self.figures["launch_to_running_p99_ms"] = 1e3 * quantile(scheduler.latencies, 0.99)
        for count, name in ((1, "launches_single"), (TASKS_PER_ACCEPT, "launches_by_ten")):
            share = list(itertools.islice(held, self.agents // 3))
            before, busy, began = scheduler.running, self.master.cpu_s(), time.monotonic()
            wanted = before + count * len(share)
            for _ in share:
                scheduler.accept(held.popleft(), count)
            await scheduler.until(lambda: scheduler.running >= wanted)  # noqa: B023
            taken = wanted - before
            self.figures[f"{name}_per_s"] = taken / (time.monotonic() - began)
            self.figures[f"{name}_cpu_us"] = 1e6 * (self.master.cpu_s() - busy) / taken
        scheduler.ask("TEARDOWN")
        await asyncio.sleep(SETTLE_S)
        scheduler.close()

    async def failover(self) -> None:
        """The master is killed and another starts on its registry; agents bring their tasks."""
        await self.fleet.ask("prepare", tasks=self.tasks_per_agent)
        self.master.stop()
        self.master.start()
        await asyncio.sleep(SETTLE_S)
        before, busy = self.master.rss_kb(), self.master.cpu_s()
        theirs = (await self.fleet.ask("statistics"))["cpu_s"]
        async with Prober(self.master.port) as prober:
            answer = await self.fleet.ask("rejoin")
        spent = self.master.cpu_s() - busy
        theirs = (await self.fleet.ask("statistics"))["cpu_s"] - theirs
        await asyncio.sleep(SETTLE_S)
        tasks = self.agents * self.tasks_per_agent
        grown = self.master.rss_kb() - before
        self.figures |= {
            "reregister_all_s": answer["seconds"],
            "reregister_cpu_s": spent,
            "reregister_emulator_cpu_s": theirs,
            "master_with_tasks_mb": self.master.rss_kb() / 1e3,
            "kb_per_task": (grown - self.agents * self.figures["kb_per_agent"]) / tasks,
            **prober.figures("reregister"),
        }

    async def reads(self) -> None:
        """/state: cold, warm, twenty at once, and polled by five while others ask."""
        for name in ("cold", "warm", "again"):
            busy = self.master.cpu_s()
            [seconds] = await poll(self.master.port, "/state")
            self.figures[f"state_{name}_ms"] = 1e3 * seconds
            self.figures[f"state_{name}_cpu_ms"] = 1e3 * (self.master.cpu_s() - busy)
        fetch = await open_fetch(HOST, self.master.port)
        self.figures["state_mb"] = await fetch.get("/state") / 1e6
        fetch.transport.abort()
        together = await poll(self.master.port, "/state", clients=20)
        self.figures["state_20_clients_ms"] = 1e3 * max(together)
        async with Prober(self.master.port) as prober:
            polls = await poll(self.master.port, "/state", clients=5, seconds=10.0)
        self.figures |= {
            "state_polled_p50_ms": 1e3 * quantile(polls, 0.5),
            **prober.figures("state_polled"),
        }
        for path in ("/state-summary", "/metrics/snapshot", "/tasks", "/roles"):
            [seconds] = await poll(self.master.port, path)
            self.figures[f"{path[1:].replace('/', '_')}_ms"] = 1e3 * seconds

    async def reconciliation(self) -> None:
        """The framework of the tasks asks for all of them."""
        scheduler = Scheduler(HOST, self.master.port, messages.REPORTED)
        await scheduler.subscribe("bench-framework")
        await asyncio.sleep(SETTLE_S)
        wanted = scheduler.updates + self.agents * self.tasks_per_agent
        busy, began = self.master.cpu_s(), time.monotonic()
        async with Prober(self.master.port) as prober:
            scheduler.ask("RECONCILE", {"tasks": []})
            await scheduler.until(lambda: scheduler.updates >= wanted)
            self.figures["reconcile_all_s"] = time.monotonic() - began
        self.figures["reconcile_cpu_s"] = self.master.cpu_s() - busy
        self.figures |= prober.figures("reconcile")
        scheduler.close()


def _keep(held: deque[Offer], offer: Offer) -> int:
    held.append(offer)
    return 0


async def poll(port: int, path: str, clients: int = 1, seconds: float = 0.0) -> list[float]:
    """What a process of pollers measured."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.poller", f"--port={port}", f"--path={path}",
        f"--clients={clients}", f"--seconds={seconds}", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    found: list[float] = json.loads(said)
    return found
