"""A containerizer with a supervisor of its own, for tests that run real containers."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mesosphere.agent.containerizer import Containerizer
from mesosphere.agent.core.containers import ContainerRequest, build_plan
from mesosphere.agent.core.host import Host
from mesosphere.agent.isolation import probe
from mesosphere.kernel.effects import LaunchContainer, RecoverContainers
from mesosphere.kernel.events import ContainersRecovered, Event

DEADLINE_S = 60.0 * float(os.environ.get("TEST_PATIENCE", "1"))
RUNTIME = probe.find_runtime()
GROUPS = probe.find_control_groups()
WHY_NOT = probe.why_not_oci(RUNTIME, GROUPS)
needs_oci = pytest.mark.skipif(bool(WHY_NOT), reason=f"OCI containers can't run here: {WHY_NOT}")
KINDS = ["posix", pytest.param("oci", marks=needs_oci)]


class Bench:
    """A containerizer with a world that collects events."""

    def __init__(self, directory: Path, isolation: str) -> None:
        self.directory = directory
        root = directory / "run" / "root" if isolation == "oci" else None
        self.containerizer = Containerizer(directory / "run", root)
        self.events: list[Event] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.endless: list[asyncio.Task[None]] = []
        self.host = Host(
            isolation=isolation, reason="", work_dir=str(directory),
            runtime_dir=str(directory / "run"), is_root=os.geteuid() == 0, runtime=RUNTIME,
            private_root=str(root or ""), cgroup_version=GROUPS["version"],
            cgroup_mounts=GROUPS["mounts"], cgroups_root=f"mesos-test-{os.getpid()}",
            pids_limit=64, capabilities=probe.held_capabilities(),
        )  # fmt: skip

    def settle(self, **changes: Any) -> None:
        """Change what the host can do, as flags of the agent would."""
        self.host = msgspec.structs.replace(self.host, **changes)

    def deliver(self, event: Event, cause: str | None = None) -> None:
        self.events.append(event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        endless = getattr(work, "__name__", "") == "keep_connected"
        (self.endless if endless else self.tasks).append(task)

    def perform(self, effect: Any) -> None:
        self.containerizer.performers()[type(effect)](self, effect, "cause")

    async def find(self, kind: type[Any], name: str = "") -> Any:
        until = asyncio.get_running_loop().time() + DEADLINE_S
        while True:
            for event in self.events:
                names = (getattr(event, "container", ""), getattr(event, "check", ""))
                if isinstance(event, kind) and (not name or name in names):
                    return event
            assert asyncio.get_running_loop().time() < until, self.events
            await asyncio.sleep(0.02)

    def launch(self, name: str, script: str, **more: Any) -> Path:
        request = ContainerRequest(
            **{
                "container": name, "agent_id": "A", "framework_id": "F", "executor_id": name,
                "argv": ("/bin/sh", "-c", script), "cpus_milli": 500, "mem_bytes": 32 << 20,
                "environment": {
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MESOS_CONTAINER_ID": name,
                    "WORD": "quo\"ted $x",
                },
                **more,
            }
        )  # fmt: skip
        plan = build_plan(request, self.host)
        self.perform(LaunchContainer(name, plan))
        return Path(plan["sandbox"])

    async def _wait_for_groups(self) -> None:
        """The supervisor removes groups once their last processes are gone."""
        until = asyncio.get_running_loop().time() + DEADLINE_S
        for place in Path("/sys/fs/cgroup").glob(f"**/{self.host.cgroups_root}"):
            while left := [each.name for each in place.iterdir() if each.is_dir()]:
                assert asyncio.get_running_loop().time() < until, f"left behind: {left}"
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        self.perform(RecoverContainers(()))
        await asyncio.wait_for(asyncio.gather(*self.tasks), DEADLINE_S)
        until = asyncio.get_running_loop().time() + DEADLINE_S
        while True:
            hello = await self.containerizer._supervision.ask({"op": "hello"})
            if not hello["running"]:
                break
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.05)
        await self._wait_for_groups()
        for task in self.endless:
            task.cancel()
        self.containerizer._supervision.close()
        os.kill(hello["pid"], signal.SIGKILL)
        for place in Path("/sys/fs/cgroup").glob(f"**/{self.host.cgroups_root}"):
            place.rmdir()


@pytest.fixture
async def make_bench(tmp_path: Path) -> AsyncIterator[Any]:
    benches = []

    async def make(isolation: str) -> Bench:
        bench = Bench(tmp_path, isolation)
        await bench.containerizer.connect()
        benches.append(bench)
        return bench

    yield make
    # The benches of one test share a directory and so a supervisor.
    bench = benches[-1]
    bench.events = [each for each in bench.events if not isinstance(each, ContainersRecovered)]
    await bench.close()
