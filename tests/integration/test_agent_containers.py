"""Container plans executed for real: posix everywhere, OCI where root and a runtime are present."""

import asyncio
import contextlib
import io
import os
import signal
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.integration.container_bench import DEADLINE_S, GROUPS, KINDS, make_bench, needs_oci

from mesosphere.agent.core.containers import Uri
from mesosphere.agent.core.surroundings import ResourceLimit
from mesosphere.kernel.effects import (
    DestroyContainer,
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
)

__all__ = ["make_bench"]


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
async def test_nothing_is_left_of_a_check_that_took_too_long(
    make_bench: Any, isolation: str
) -> None:
    bench = await make_bench(isolation)
    bench.launch("c1", "sleep 1000")
    await bench.find(ContainerStarted, "c1")
    script = ("/bin/sh", "-c", "sleep 1313 & echo begun > begun; wait")
    bench.perform(RunCheck("k1", "c1", script, {"PATH": "/usr/bin:/bin"}, 2.0))
    assert (await bench.find(CheckFinished, "k1")).exit_code is None
    assert list(bench.directory.rglob("begun"))
    assert not list(bench.directory.rglob("check.*.pid"))
    async with asyncio.timeout(DEADLINE_S):
        while processes("sleep", "1313"):
            await asyncio.sleep(0.02)


def processes(*command: str) -> list[str]:
    """The pids of this command line, on the whole host."""
    wanted = "".join(f"{word}\0" for word in command)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_text() == wanted:
                found.append(entry.name)
    return found


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


def devices_of_the_host() -> dict[str, tuple[int, int]]:
    """Inode and mode of everything in /dev."""
    facts = {entry.name: entry.lstat() for entry in Path("/dev").iterdir()}
    return {name: (fact.st_ino, fact.st_mode) for name, fact in facts.items()}


@needs_oci
async def test_nothing_of_a_container_is_left_on_the_host(make_bench: Any) -> None:
    bench = await make_bench("oci")
    mounts = Path("/proc/self/mounts").read_text()
    devices = devices_of_the_host()
    bench.launch("c1", "setsid sleep 1000 & exit 0")
    await bench.find(ContainerExited, "c1")
    bench.perform(DestroyContainer("c1"))
    await asyncio.gather(*bench.tasks)
    for mount in GROUPS["mounts"].values():
        assert not (Path(mount) / bench.host.cgroups_root / "c1").exists()
    assert Path("/proc/self/mounts").read_text() == mounts
    assert devices_of_the_host() == devices
    assert not list((bench.directory / "run" / "bundles").iterdir())
    assert not list((bench.directory / "run" / "plans").iterdir())
