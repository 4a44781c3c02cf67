"""How fast one agent is, beside what does the same work without one.

    script/bench agent [--isolations posix,oci] [--short 1000] [--running 500] [--serial 200]
                       [--rounds 5] [--out .cache/bench/agent.json]

A real agent process under a master that only admits and acknowledges, over real sockets, with
checkpoints on. Contestants take turns in every round, so that the noise of the machine meets them
all: the agent with `true` tasks, a loop of posix_spawn of the same command, and for OCI a loop of
the bare runtime with the bundle that the agent itself wrote. Figures of a round:

  short_per_s     tasks of `true`, from the first launch to the last terminal update
  bare_per_s      the same number of commands by the loop beside it; `ratio` is short to bare
  starts_per_s    tasks that stay, from the first launch to the last TASK_RUNNING
  running_p50_ms, running_p99_ms    launch to TASK_RUNNING, one task at a time
  kb_per_task     agent and supervisor, between no task and all that stay
  recovery_s      start of an agent that was killed with all of them running, to its SUBSCRIBE
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from tests.integration.agent_harness import AGENT, FRAMEWORK, AgentProcess, FakeMaster

from mesosphere.agent.isolation import probe
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, FrameworkID, TaskID
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import TaskInfo

SHELL = ["/bin/sh", "-c", "true"]
AT_ONCE = os.cpu_count() or 1
BARE_LOOP = """
mount --rbind / "$1/root" &&
seq "$2" | xargs -P "$3" -I{} sh -c '
  mkdir -p "$1/$4-{}" && sed "s/THE_NAME/$4-{}/" "$1/config.json" > "$1/$4-{}/config.json" &&
  exec "$2" --root "$3" run --bundle "$1/$4-{}" "$4-{}"
' each "$1" "$4" "$5" "$6"
"""
DEADLINE_S = 600.0


class Master(FakeMaster):
    """Notes when each task ran and which ended (an update may come twice); keeps no calls."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, float] = {}
        self.ended: dict[str, None] = {}

    async def acknowledge(self, status: Any) -> None:
        self.calls.clear()
        name = status.task_id.value
        if status.state == "TASK_RUNNING":
            self.running.setdefault(name, time.perf_counter())
        elif is_terminal(status.state):
            self.ended[name] = None
        await super().acknowledge(status)

    async def launch(self, task_id: str, script: str) -> None:
        framework = FrameworkInfo(
            user="root", name="bench", id=FrameworkID(FRAMEWORK), checkpoint=True,
            capabilities=[FrameworkCapability(type="PARTITION_AWARE")],
        )  # fmt: skip
        task = TaskInfo(
            name=task_id, task_id=TaskID(task_id), agent_id=AgentID(AGENT),
            command=CommandInfo(value=script), resources=to_wire(Resources.of(cpus=0.001, mem=1)),
        )  # fmt: skip
        await self.say("RUN_TASK", run_task=link.RunTask(framework_info=framework, task=task))


async def until(condition: Any) -> None:
    """Wait for it."""
    end = time.perf_counter() + DEADLINE_S
    while not condition():
        if time.perf_counter() > end:
            raise SystemExit("the agent did not get there in time")
        await asyncio.sleep(0.002)


def rss_kb(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise SystemExit("a process has gone")


def family_kb(agent: AgentProcess) -> int:
    """The agent and its supervisor."""
    assert agent.process is not None
    lock = agent.work_dir / "run" / "supervisor"
    found = subprocess.run(["pgrep", "-f", str(lock)], capture_output=True, text=True, check=False)
    return rss_kb(agent.process.pid) + sum(rss_kb(int(pid)) for pid in found.stdout.split())


class Contest:
    """One isolation: an agent process, and the loop beside it."""

    def __init__(self, directory: Path, isolation: str, given: argparse.Namespace) -> None:
        self.isolation = isolation
        self.given = given
        self.directory = directory
        self.count = 0
        self.master = Master()
        self.agent: AgentProcess | None = None

    async def start(self) -> None:
        """A master and an agent."""
        await self.master.start()
        self.agent = AgentProcess(
            self.directory, f"127.0.0.1:{self.master.port}",
            "--isolation=posix" if self.isolation == "posix" else "--isolation=auto",
            "--resources=cpus:1000;mem:1000000;disk:1000", "--logging_level=WARNING",
        )  # fmt: skip
        self.agent.start()
        await until(lambda: self.master.subscriptions)

    async def stop(self) -> None:
        """Take everything away."""
        if self.agent is not None:
            await self.master.stop()
            self.agent.clean()

    async def round(self) -> dict[str, float]:
        """All figures once."""
        short = self.given.short if self.isolation == "posix" else self.given.short // 10
        figures = {"short_per_s": await self.short(short)}
        figures["bare_per_s"] = await asyncio.to_thread(self.bare, short)
        figures["ratio"] = figures["short_per_s"] / figures["bare_per_s"]
        figures |= await self.serial()
        figures |= await self.staying()
        return figures

    async def short(self, number: int) -> float:
        """Tasks that end at once."""
        self.master.ended.clear()
        began = time.perf_counter()
        for _ in range(number):
            self.count += 1
            await self.master.launch(f"short-{self.count}", "true")
        await until(lambda: len(self.master.ended) == number)
        return number / (time.perf_counter() - began)

    def bare(self, number: int) -> float:
        """The same commands without an agent."""
        began = time.perf_counter()
        if self.isolation == "posix":
            for _ in range(number):
                os.waitpid(os.posix_spawn(SHELL[0], SHELL, os.environ), 0)
        else:
            self._bare_containers(number)
        return number / (time.perf_counter() - began)

    def _bare_containers(self, number: int) -> None:
        bundle = self.directory / "bare"
        if not bundle.exists():
            (bundle / "root").mkdir(parents=True)
            config = json.loads((self.directory / "kept-config.json").read_text())
            config["root"]["path"] = str(bundle / "root")
            config["process"].update(args=SHELL, cwd="/")
            group = config["linux"]["cgroupsPath"]
            config["linux"]["cgroupsPath"] = f"{Path(group).parent}/THE_NAME"
            (bundle / "config.json").write_text(json.dumps(config))
        # The copy of the root lives in a mount namespace that ends with the loop.
        subprocess.run(
            [
                "unshare", "--mount", "sh", "-c", BARE_LOOP, "loop", str(bundle), str(number),
                str(AT_ONCE), probe.find_runtime(), str(self.directory / "bare-state"),
                f"bare-{os.getpid()}-{time.monotonic_ns()}",
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    async def serial(self) -> dict[str, float]:
        """One task at a time, launch to running."""
        found = []
        for _ in range(self.given.serial if self.isolation == "posix" else self.given.serial // 4):
            self.count += 1
            name = f"serial-{self.count}"
            began = time.perf_counter()
            await self.master.launch(name, "true")
            await until(lambda name=name: name in self.master.ended)
            found.append((self.master.running.pop(name) - began) * 1000)
        return {
            "running_p50_ms": report.quantile(found, 0.5),
            "running_p99_ms": report.quantile(found, 0.99),
        }

    async def staying(self) -> dict[str, float]:
        """Many that run: starts, memory, and an agent killed and started again."""
        assert self.agent is not None
        number = self.given.running if self.isolation == "posix" else self.given.running // 10
        empty_kb = family_kb(self.agent)
        self.master.running.clear()
        self.master.ended.clear()
        began = time.perf_counter()
        names = [f"stay-{self.count}-{each}" for each in range(number)]
        for name in names:
            await self.master.launch(name, "exec sleep 10000")
        await until(lambda: len(self.master.running) == number)
        starts = number / (time.perf_counter() - began)
        await asyncio.sleep(1.0)
        full_kb = family_kb(self.agent)
        self._keep_config()
        self.agent.kill()
        subscriptions = len(self.master.subscriptions)
        began = time.perf_counter()
        self.agent.start()
        await until(lambda: len(self.master.subscriptions) > subscriptions)
        recovery_s = time.perf_counter() - began
        if len(self.master.subscriptions[-1].tasks) != number:
            raise SystemExit("the agent lost tasks")
        del self.master.subscriptions[:-1]
        for name in names:
            await self.master.kill(name)
        await until(lambda: len(self.master.ended) == number)
        self.count += 1
        return {
            "starts_per_s": starts,
            "kb_per_task": (full_kb - empty_kb) / number,
            "agent_mb": empty_kb / 1024,
            "recovery_s": recovery_s,
        }

    def _keep_config(self) -> None:
        for path in (self.directory / "run" / "bundles").glob("*/config.json"):
            shutil.copy(path, self.directory / "kept-config.json")
            return


async def measure(given: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Interleaved rounds of each isolation."""
    wanted = given.isolations.split(",")
    if "oci" in wanted:
        why_not = probe.why_not_oci(probe.find_runtime(), probe.find_control_groups())
        if why_not:
            raise SystemExit(f"OCI containers can't run here: {why_not}")
    contests = [Contest(directory / each, each, given) for each in wanted]
    rounds: dict[str, list[dict[str, float]]] = {each: [] for each in wanted}
    try:
        for contest in contests:
            await contest.start()
            await contest.staying()  # warm, and a bundle for the bare runtime
        for _ in range(given.rounds):
            for contest in contests:
                rounds[contest.isolation].append(await contest.round())
    finally:
        for contest in contests:
            await contest.stop()
    return {name: report.summary(found) for name, found in rounds.items()}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--isolations", default="posix,oci")
    parser.add_argument("--short", type=int, default=1000, help="a tenth of it for OCI")
    parser.add_argument("--running", type=int, default=500, help="a tenth of it for OCI")
    parser.add_argument("--serial", type=int, default=200, help="a quarter of it for OCI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/agent.json"))
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bench-agent-"))
    try:
        results = asyncio.run(measure(given, directory))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    report.write(given.out, results, given.rounds)


if __name__ == "__main__":
    main()
