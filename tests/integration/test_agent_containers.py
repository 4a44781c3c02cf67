"""Container plans executed for real: posix everywhere, OCI where root and a runtime are present."""

import asyncio
import io
import os
import signal
import sys
import tarfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent.containerizer import Containerizer
from mesosphere.agent.core.containers import ContainerRequest, ResourceLimit, Uri, build_plan
from mesosphere.agent.core.host import Host
from mesosphere.agent.isolation import probe
from mesosphere.kernel.effects import (
    DestroyContainer,
    LaunchContainer,
    RecoverContainers,
    RunCheck,
    SignalContainer,
)
from mesosphere.kernel.events import (
    CheckFinished,
    ContainerExited,
    ContainerFailed,
    ContainersRecovered,
    ContainerStarted,
    Event,
)

DEADLINE_S = 60.0
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


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_command_runs_in_its_sandbox(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    sandbox = bench.launch("c1", 'pwd; echo "$WORD"; echo bad >&2; exit 4')
    assert (await bench.find(ContainerStarted, "c1")).pid > 0
    assert (await bench.find(ContainerExited, "c1")).status == 4 << 8
    assert (sandbox / "stdout").read_text() == f'{sandbox}\nquo"ted $x\n'
    assert (sandbox / "stderr").read_text() == "bad\n"
    assert (sandbox.parent / "latest").resolve() == sandbox
    assert sandbox.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("isolation", KINDS)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch the user")
async def test_the_command_runs_as_its_user(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    bench.directory.chmod(0o755)
    bench.directory.parent.chmod(0o755)
    bench.directory.parent.parent.chmod(0o755)
    sandbox = bench.launch("c1", "id -un; id -G; touch mine", user="nobody")
    assert (await bench.find(ContainerExited, "c1")).status == 0
    assert (sandbox / "stdout").read_text().split()[0] == "nobody"
    assert "0" not in (sandbox / "stdout").read_text().split()
    assert (sandbox / "mine").stat().st_uid == sandbox.stat().st_uid != 0
    bench.launch("c2", "true", user="no-such-user")
    failed = await bench.find(ContainerFailed, "c2")
    assert failed.phase == "sandbox" and "'no-such-user' does not exist" in failed.reason


@pytest.mark.parametrize("isolation", KINDS)
async def test_resource_limits_of_the_process_hold(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    limit = ResourceLimit("NOFILE", 77, 99)
    sandbox = bench.launch("c1", "ulimit -Sn; ulimit -Hn", rlimits=(limit,))
    await bench.find(ContainerExited, "c1")
    assert (sandbox / "stdout").read_text() == "77\n99\n"


@pytest.mark.parametrize("isolation", KINDS)
async def test_archives_are_fetched_before_the_command(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    archive = bench.directory / "app.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("app/hello.txt")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    sandbox = bench.launch("c1", "cat app/hello.txt", uris=(Uri(f"file://{archive}"),))
    assert (await bench.find(ContainerExited, "c1")).status == 0
    assert (sandbox / "stdout").read_text() == "hello"
    bench.launch("c2", "true", uris=(Uri("/no/such/archive.zip"),))
    failed = await bench.find(ContainerFailed, "c2")
    assert (failed.phase, failed.reason) == (
        "fetch",
        "failed to fetch '/no/such/archive.zip': No such file or directory",
    )


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_command_that_does_not_exist_fails_the_launch(
    make_bench: Any, isolation: str
) -> None:
    bench = await make_bench(isolation)
    bench.launch("c1", "", argv=("/no/such/command",))
    failed = await bench.find(ContainerFailed, "c1")
    assert failed.phase == "launch" and "/no/such/command" in failed.reason


@pytest.mark.parametrize("isolation", KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"argv": ("/bin/echo", "nu\0ll")},
        {"environment": {"PATH": "/bin", "A": "nu\0ll"}},
        {"argv": ("/bin/echo", "\ud800")},
        {"uris": (Uri("http://[bad/x"),)},
        {"argv": ("/bin/echo", "x" * 3_000_000)},
    ],
    ids=["null in a word", "null in a variable", "lone surrogate", "bad uri", "long word"],
)
async def test_nonsense_fails_its_own_container_only(
    make_bench: Any, isolation: str, changes: dict[str, Any]
) -> None:
    bench = await make_bench(isolation)
    bench.launch("bad", "true", **changes)
    until = asyncio.get_running_loop().time() + DEADLINE_S
    while not any(isinstance(each, ContainerFailed | ContainerExited) for each in bench.events):
        assert asyncio.get_running_loop().time() < until, bench.events
        await asyncio.sleep(0.02)
    bench.launch("good", "true")
    assert (await bench.find(ContainerExited, "good")).status == 0


@pytest.mark.parametrize("isolation", KINDS)
async def test_term_and_destroy_end_the_whole_container(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    sandbox = bench.launch("c1", "trap '' TERM; sleep 1000 & echo $! > child; wait; sleep 1000")
    await bench.find(ContainerStarted, "c1")
    while not (sandbox / "child").exists() or not (sandbox / "child").read_text():
        await asyncio.sleep(0.02)
    child = int((sandbox / "child").read_text())
    bench.perform(SignalContainer("c1", signal.SIGTERM))
    bench.perform(DestroyContainer("c1"))
    assert (await bench.find(ContainerExited, "c1")).status == signal.SIGKILL
    until = asyncio.get_running_loop().time() + DEADLINE_S
    while Path(f"/proc/{child}").exists():
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_launch_may_be_destroyed_at_any_time(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    bench.launch("c1", "sleep 1000")
    bench.perform(DestroyContainer("c1"))
    until = asyncio.get_running_loop().time() + DEADLINE_S
    while not any(isinstance(each, ContainerFailed | ContainerExited) for each in bench.events):
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("isolation", KINDS)
async def test_checks_run_beside_the_command(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    bench.launch("c1", "sleep 1000")
    await bench.find(ContainerStarted, "c1")
    environment = {"PATH": "/usr/bin:/bin", "CODE": "3"}
    script = ("/bin/sh", "-c", "test -f stdout && exit $CODE")
    bench.perform(RunCheck("k1", "c1", script, environment, DEADLINE_S))
    assert (await bench.find(CheckFinished, "k1")).exit_code == 3
    bench.perform(RunCheck("k2", "c1", ("sleep", "1000"), environment, 0.2))
    late = await bench.find(CheckFinished, "k2")
    assert late.exit_code is None and "longer than 0.2 s" in late.reason


@pytest.mark.parametrize("isolation", KINDS)
async def test_containers_survive_their_agent(make_bench: Any, isolation: str) -> None:
    first = await make_bench(isolation)
    first.launch("lives", "sleep 1000")
    first.launch("ends", "sleep 0.1; exit 9")
    first.launch("orphan", "sleep 1000")
    for name in ("lives", "ends", "orphan"):
        await first.find(ContainerStarted, name)
    pid = (await first.find(ContainerStarted, "lives")).pid
    await first.find(ContainerExited, "ends")
    first.containerizer._supervision.close()
    await first.containerizer._supervision.closed()

    second = await make_bench(isolation)
    second.perform(RecoverContainers(("lives", "ends", "unknown")))
    recovered = await second.find(ContainersRecovered)
    assert recovered.running == {"lives": pid}
    assert recovered.exited == {"ends": 9 << 8, "unknown": None}
    await second.find(ContainerExited, "orphan")
    second.perform(DestroyContainer("lives"))
    assert (await second.find(ContainerExited, "lives")).status == signal.SIGKILL


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_killed_supervisor_loses_no_container(make_bench: Any, isolation: str) -> None:
    bench = await make_bench(isolation)
    keeping = asyncio.create_task(bench.containerizer.keep_connected())
    bench.launch("c1", "sleep 1000")
    pid = (await bench.find(ContainerStarted, "c1")).pid
    hello = await bench.containerizer._supervision.ask({"op": "hello"})
    os.kill(hello["pid"], signal.SIGKILL)
    await asyncio.sleep(0)
    until = asyncio.get_running_loop().time() + DEADLINE_S
    again = hello
    while again["pid"] == hello["pid"]:
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0.05)
        try:
            again = await bench.containerizer._supervision.ask({"op": "hello"})
        except Exception:  # noqa: BLE001
            continue
    assert again["running"] == {"c1": pid}
    os.kill(pid, signal.SIGKILL)
    ended = await bench.find(ContainerExited, "c1")
    assert ended.status is None and "nobody saw" in ended.message
    keeping.cancel()


@needs_oci
async def test_too_much_memory_is_told_as_a_limitation(make_bench: Any) -> None:
    bench = await make_bench("oci")
    sandbox = bench.launch("hog", f"{sys.executable} -c 'bytearray(500 << 20)'", mem_bytes=16 << 20)
    ended = await bench.find(ContainerExited, "hog")
    assert ended.limitation == "memory", (ended, (sandbox / "stderr").read_text())
    assert ended.message.startswith("Memory limit exceeded: Requested: 48MB Maximum Used: 4")


@needs_oci
async def test_a_fork_bomb_stays_in_its_limit(make_bench: Any) -> None:
    bench = await make_bench("oci")
    script = "for i in $(seq 200); do sleep 30 & done; jobs -p | wc -l"
    sandbox = bench.launch("bomb", script)
    await bench.find(ContainerExited, "bomb")
    text = (sandbox / "stderr").read_text().lower()
    assert "fork" in text


@needs_oci
async def test_nothing_of_a_container_is_left_on_the_host(make_bench: Any) -> None:
    bench = await make_bench("oci")
    mounts = Path("/proc/self/mounts").read_text()
    bench.launch("c1", "setsid sleep 1000 & exit 0")
    await bench.find(ContainerExited, "c1")
    bench.perform(DestroyContainer("c1"))
    await asyncio.gather(*bench.tasks)
    for mount in GROUPS["mounts"].values():
        assert not (Path(mount) / bench.host.cgroups_root / "c1").exists()
    assert Path("/proc/self/mounts").read_text() == mounts
    assert not list((bench.directory / "run" / "bundles").iterdir())
    assert not list((bench.directory / "run" / "plans").iterdir())
