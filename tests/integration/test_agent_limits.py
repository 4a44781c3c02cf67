"""Limits of real containers: who asks for too much is held or ended, and nobody else."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.container_bench import DEADLINE_S, KINDS, make_bench, needs_oci

from mesosphere.agent.core.surroundings import Network, Surroundings
from mesosphere.agent.disk_watch import DiskWatch
from mesosphere.kernel.effects import DestroyContainer
from mesosphere.kernel.events import ContainerExited, ContainerStarted

__all__ = ["make_bench"]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@needs_oci
async def test_too_much_memory_is_told_as_a_limitation(make_bench: Any) -> None:
    bench = await make_bench("oci")
    bench.launch("neighbour", "sleep 1000")
    await bench.find(ContainerStarted, "neighbour")
    sandbox = bench.launch("hog", f"{sys.executable} -c 'bytearray(500 << 20)'", mem_bytes=16 << 20)
    ended = await bench.find(ContainerExited, "hog")
    assert ended.limitation == "memory", (ended, (sandbox / "stderr").read_text())
    assert ended.message.startswith("Memory limit exceeded: Requested: 48MB Maximum Used: 4")
    assert "MEMORY STATISTICS: \n" in ended.message
    assert 40 < ended.amount_mib <= 48
    assert all(
        each.container == "hog" for each in bench.events if isinstance(each, ContainerExited)
    )
    bench.perform(DestroyContainer("neighbour"))
    await bench.find(ContainerExited, "neighbour")


@needs_oci
async def test_a_fork_bomb_stays_in_its_limit(make_bench: Any) -> None:
    bench = await make_bench("oci")
    script = "for i in $(seq 200); do sleep 30 & done; jobs -p | wc -l"
    sandbox = bench.launch("bomb", script)
    await bench.find(ContainerExited, "bomb")
    text = (sandbox / "stderr").read_text().lower()
    assert "fork" in text


@needs_oci
async def test_a_busy_loop_is_held_to_its_quota(make_bench: Any) -> None:
    bench = await make_bench("oci")
    bench.launch("hog", "while :; do :; done", cpus_milli=100)
    pid = (await bench.find(ContainerStarted, "hog")).pid
    await asyncio.sleep(0.5)
    before, since = cpu_seconds(pid), asyncio.get_running_loop().time()
    await asyncio.sleep(2)
    used = cpu_seconds(pid) - before
    passed = asyncio.get_running_loop().time() - since
    # 0.1 CPUs of the task and 0.1 of the executor; without a quota it would take a whole one.
    assert used / passed < 0.3, used / passed
    bench.perform(DestroyContainer("hog"))
    await bench.find(ContainerExited, "hog")


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_sandbox_that_outgrows_its_disk_ends_its_task_alone(
    make_bench: Any, isolation: str
) -> None:
    bench = await make_bench(isolation)
    writes = "head -c 3000000 /dev/zero > big; sleep 1000"
    big = bench.launch("big", writes, disk_bytes=1 << 20)
    small = bench.launch("small", writes, disk_bytes=64 << 20)
    for name in ("big", "small"):
        await bench.find(ContainerStarted, name)
    until = asyncio.get_running_loop().time() + DEADLINE_S
    for sandbox in (big, small):
        while not (sandbox / "big").exists() or (sandbox / "big").stat().st_size < 3_000_000:
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.05)
    lenient = DiskWatch(bench.containerizer, 15.0, enforce=False)
    await lenient.look()
    assert lenient.statistics("big")["disk_used_bytes"] > 3_000_000
    assert lenient.statistics("small")["disk_limit_bytes"] == 64 << 20
    assert not any(isinstance(each, ContainerExited) for each in bench.events)
    await DiskWatch(bench.containerizer, 15.0, enforce=True).look()
    ended = await bench.find(ContainerExited, "big")
    assert (ended.limitation, ended.amount_mib) == ("disk", 1.0)
    assert ended.message.startswith("Disk usage (") and ended.message.endswith("quota (1MB)")
    assert "small" in bench.containerizer.leaders
    bench.perform(DestroyContainer("small"))
    await bench.find(ContainerExited, "small")


@needs_oci
async def test_capabilities_and_system_calls_are_what_was_asked(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await make_bench("oci")
    tmp_path.joinpath("p.json").write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
        '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'
    )
    bench.settle(seccomp_dir=str(tmp_path))
    around = Surroundings(effective=("CAP_CHOWN",), seccomp="p.json")
    script = "grep Cap /proc/self/status; mkdir made || echo refused"
    for name, user in (("root", None), ("user", "nobody")):
        for place in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            place.chmod(0o755)
        sandbox = bench.launch(name, script, around=around, user=user)
        assert (await bench.find(ContainerExited, name)).status == 0
        told = (sandbox / "stdout").read_text()
        assert "CapEff:\t0000000000000001" in told and "CapBnd:\t0000000000000001" in told
        assert "refused" in told and not (sandbox / "made").exists()


@needs_oci
async def test_a_container_may_have_processes_memory_and_networks_of_its_own(
    make_bench: Any,
) -> None:
    bench = await make_bench("oci")
    networks = (Network("none"),)
    around = Surroundings(share_pid=False, private_ipc=True, shm_mib=3, networks=networks)
    script = "echo $$; df -m /dev/shm | tail -1; wc -l < /proc/net/dev"
    sandbox = bench.launch("c1", script, around=around)
    await bench.find(ContainerExited, "c1")
    told = (sandbox / "stdout").read_text().splitlines()
    assert told[0] == "1"
    assert told[1].split()[1] == "3"
    assert told[-1] == "3", told  # two lines of heading, and the loopback
