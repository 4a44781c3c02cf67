"""Containers on networks of their own, by real CNI plugins where they are installed."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.container_bench import DEADLINE_S, make_bench, needs_oci

from mesosphere.agent.core.surroundings import Network, Port, Surroundings
from mesosphere.agent.isolation import probe
from mesosphere.kernel.effects import DestroyContainer, RunCheck
from mesosphere.kernel.events import (
    CheckFinished,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
)

__all__ = ["make_bench"]
PLUGINS = "/opt/cni/bin:/usr/lib/cni"
MISSING = probe.missing_plugins(PLUGINS, ("bridge", "host-local", "portmap"))
needs_plugins = pytest.mark.skipif(bool(MISSING), reason=f"no CNI plugins {MISSING}")
pytestmark = needs_oci
BRIDGE = Path("/sys/class/net/mesos0")
SUBNET = "198.18.249.0/28"
SERVER = f"exec {sys.executable} -m http.server 8000 --bind 0.0.0.0 --directory /mnt 2>/dev/null"


@pytest.fixture(autouse=True)
def leave_no_bridge() -> Iterator[None]:
    """The plugins keep a bridge for the next container: nothing of a test stays on the host."""
    was_there = BRIDGE.exists()
    yield
    if not was_there and BRIDGE.exists():
        subprocess.run(["ip", "link", "delete", BRIDGE.name], check=True)
        shutil.rmtree("/var/lib/cni/networks/test-bridge", ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


async def network_bench(make_bench: Any, tmp_path: Path) -> Any:
    bench = await make_bench("oci")
    (tmp_path / "cni").mkdir()
    bench.settle(
        why_no_networks="", cni_config_dir=str(tmp_path / "cni"), cni_plugins_dir=PLUGINS,
        bridge_network="test-bridge", bridge_subnet=SUBNET,
    )  # fmt: skip
    return bench


async def fetch(url: str) -> int:
    def get() -> int:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)

    until = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(get)
        assert asyncio.get_running_loop().time() < until, url
        await asyncio.sleep(0.1)


@needs_plugins
async def test_a_container_on_the_bridge_has_its_address_its_port_and_its_names(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await network_bench(make_bench, tmp_path)
    port = free_port()
    around = Surroundings(networks=(Network("test-bridge", (Port(port, 8000),)),), hostname="named")
    script = f"hostname; cat /etc/hosts; cat /etc/hostname; {SERVER}"
    sandbox = bench.launch("c1", script, around=around, mem_bytes=64 << 20)
    started = await bench.find(ContainerStarted, "c1")
    [(name, [address])] = started.networks
    assert name == "test-bridge" and address.startswith("198.18.249.")
    assert await fetch(f"http://{address}:8000/") == 200
    told = (sandbox / "stdout").read_text()
    assert told.startswith("named\n") and f"{address} named\n" in told
    host = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    for own in host.split()[:1]:
        assert await fetch(f"http://{own}:{port}/") == 200
    assert Path("/etc/hostname").read_text() != "named\n"
    # Looks are made from within: there is nothing on this host's own loopback.
    for check, url in (("k1", "http://127.0.0.1:8000/"), ("k2", "tcp://127.0.0.1:8000"),
                       ("k3", "http://127.0.0.1:8000/absent"), ("k4", "tcp://127.0.0.1:1"),
                       ("k5", "http://127.0.0.1:1/")):  # fmt: skip
        bench.perform(RunCheck(check, "c1", (), {}, 20.0, url))
    values = [(await bench.find(CheckFinished, f"k{number}")).exit_code for number in range(1, 6)]
    assert values == [200, 1, 404, 0, None]
    bench.perform(DestroyContainer("c1"))
    await bench.find(ContainerExited, "c1")
    bench.perform(DestroyContainer("c1"))
    await asyncio.gather(*bench.tasks)
    assert not list((tmp_path / "run" / "netns").iterdir())
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    assert f"--dport {port}" not in rules


@needs_plugins
async def test_networks_of_the_directory_are_joined_by_name_and_shared_by_a_pod(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await network_bench(make_bench, tmp_path)
    delegate = {
        "type": "bridge", "bridge": "mesostest1", "isGateway": True, "ipMasq": True,
        "ipam": {"type": "host-local", "subnet": "198.18.248.0/28"},
    }  # fmt: skip
    document = {"name": "mapped", "type": "mesos-cni-port-mapper", "delegate": delegate}
    (tmp_path / "cni" / "10-mapped.conf").write_text(json.dumps(document))
    (tmp_path / "cni" / "00-broken.conf").write_text("{")
    around = Surroundings(networks=(Network("mapped"),))
    bench.launch("pod", "sleep 1000", around=around)
    started = await bench.find(ContainerStarted, "pod")
    [(name, [address])] = started.networks
    assert name == "mapped" and address.startswith("198.18.248.")
    script = "cat /proc/net/fib_trie; cat /etc/hosts"
    sandbox = bench.launch("pod.c1", script, network_of="pod")
    assert (await bench.find(ContainerExited, "pod.c1")).status == 0
    assert (sandbox / "stdout").read_text().count(address) >= 2
    bench.perform(DestroyContainer("pod"))
    await bench.find(ContainerExited, "pod")
    subprocess.run(["ip", "link", "delete", "mesostest1"], capture_output=True, check=False)


async def test_a_network_that_can_not_be_joined_fails_its_own_task(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await network_bench(make_bench, tmp_path)
    (tmp_path / "cni" / "bad.conf").write_text('{"name": "bad", "type": "no-such-plugin"}')
    for name, why in (("unknown", "is not configured in"), ("bad", "'no-such-plugin' is not in")):
        bench.launch(name, "true", around=Surroundings(networks=(Network(name),)))
        failed = await bench.find(ContainerFailed, name)
        assert why in failed.reason, failed
    await asyncio.gather(*bench.tasks)
    assert not list((tmp_path / "run" / "netns").iterdir())
