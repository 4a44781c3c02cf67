"""A failover as users meet it: masters on a real ZooKeeper, and the leader is killed.

    script/bench master --parts zookeeper-failover --agents 1000 [--masters 3] [--rounds 3]

A round kills the leader (SIGKILL) of a cluster with agents, their tasks and their framework. From
that moment: ZooKeeper gives the leader's session up and its node goes, another master leads and has
read the registry, the framework is subscribed and its agents are back with all tasks. Agents and
framework follow the election as one; they come back at once, without the random delay that real
agents keep to (`--registration_backoff_factor`). The killed master is started again as a candidate.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import messages
from benchmarks.cluster import HOST, Figures
from benchmarks.connection import open_fetch
from benchmarks.processes import Fleet, Master, free_port
from benchmarks.scheduler import Scheduler
from kazoo.client import KazooClient

JARS = Path("/usr/share/java")
DEADLINE_S = 120.0
LOOK_EVERY_S = 0.005
SETTLE_S = 2.0
PREFIX = "json.info_"


class ZooKeeper:
    """One server on a free port."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = directory

    def start(self) -> None:
        """Start it and wait until it listens."""
        if not (JARS / "zookeeper.jar").exists():
            raise SystemExit("ZooKeeper is not installed")
        config = self._directory / "zoo.cfg"
        config.write_text(
            f"clientPort={self.port}\nclientPortAddress={HOST}\ntickTime=500\n"
            f"dataDir={self._directory / 'zookeeper'}\nadmin.enableServer=false\n"
        )
        path = ":".join(map(str, [JARS / "zookeeper.jar", *JARS.glob("*.jar")]))
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        with (self._directory / "zookeeper.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx256m", "-cp", path, main, str(config)], stdout=log, stderr=log
            )
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            with socket.socket() as probing:
                if probing.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("no ZooKeeper")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Election:
    """A cluster, and failovers of it."""

    def __init__(self, agents: int, tasks: int, masters: int, session_s: float) -> None:
        self.agents, self.tasks, self.session_s = agents, tasks, session_s
        self.directory = Path(tempfile.mkdtemp(prefix="bench-"))
        self.zookeeper = ZooKeeper(self.directory)
        url = f"--zk=zk://{HOST}:{self.zookeeper.port}/mesos"
        flags = (url, f"--zk_session_timeout={session_s}secs", "--max_agent_ping_timeouts=20")
        self.masters = [
            Master(self.directory / f"master{number}", *flags) for number in range(masters)
        ]
        self.client = KazooClient(f"{HOST}:{self.zookeeper.port}")

    async def run(self, rounds: int) -> list[Figures]:
        """The figures of each failover."""
        fleet: Fleet | None = None
        try:
            self.zookeeper.start()
            for master in self.masters:
                master.start()
            await asyncio.to_thread(self.client.start)
            leader, _ = await self._leader("")
            fleet = Fleet(leader.port)
            await fleet.start()
            await fleet.ask("connect", first=0, count=self.agents)
            await fleet.ask("prepare", tasks=self.tasks)
            await fleet.ask("rejoin")
            found = []
            for _ in range(rounds):
                await asyncio.sleep(SETTLE_S)
                found.append(await self._fail_over(fleet))
            return found
        finally:
            for master in self.masters:
                master.stop()
            if fleet is not None:
                await fleet.stop()
            await asyncio.to_thread(self.client.stop)
            self.zookeeper.stop()
            shutil.rmtree(self.directory, ignore_errors=True)

    async def _leader(self, but: str) -> tuple[Master, str]:
        """Who leads by what ZooKeeper says, and the name of its node, which is not `but`."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            children = await asyncio.to_thread(self.client.get_children, "/mesos")
            nodes = sorted(name for name in children if name.startswith(PREFIX))
            if nodes and nodes[0] != but:
                data, _ = await asyncio.to_thread(self.client.get, f"/mesos/{nodes[0]}")
                port = json.loads(data)["address"]["port"]
                return next(each for each in self.masters if each.port == port), nodes[0]
            await asyncio.sleep(LOOK_EVERY_S)
        raise SystemExit("nobody leads")

    async def _fail_over(self, fleet: Fleet) -> Figures:
        killed, node = await self._leader("")
        began = time.monotonic()
        killed.stop()
        leader, _ = await self._leader(but=node)
        elected = time.monotonic()
        fetch = await open_fetch(HOST, leader.port)
        while True:
            await fetch.get("/roles")
            if fetch.status == 200:
                break
            await asyncio.sleep(LOOK_EVERY_S)
        fetch.transport.abort()
        leading, busy = time.monotonic(), leader.cpu_s()
        scheduler = Scheduler(HOST, leader.port, messages.REPORTED)
        agents = asyncio.create_task(fleet.ask("rejoin", port=leader.port))
        await scheduler.subscribe("bench-framework")
        subscribed = time.monotonic()
        await agents
        back, spent = time.monotonic(), leader.cpu_s() - busy
        scheduler.close()
        killed.start()
        return {
            "session_timeout_s": self.session_s,
            "node_gone_after_s": elected - began,
            "leading_after_election_s": leading - elected,
            "framework_after_election_s": subscribed - elected,
            "agents_after_election_s": back - elected,
            "all_after_kill_s": back - began,
            "leader_cpu_s": spent,
        }
