"""An agent of another release takes over; the tasks do not notice, nor that the old one goes."""

import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration import images
from tests.integration.agent_harness import AgentProcess, FakeMaster, wait_for
from tests.integration.container_bench import KINDS

import mesosphere
from mesosphere.wire.mesos.containers import ContainerInfo, DockerInfo

CONFIG = {"Env": ["PATH=/bin:/usr/bin"], "Cmd": ["/bin/sh"]}


class Releases:
    """Copies of this release on a host, as they are installed: an interpreter and the code."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def install(self, name: str) -> None:
        place = self.directory / name
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        source = Path(mesosphere.__file__).parent
        shutil.copytree(source, place / "lib" / "mesosphere",
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip

    def use(self, name: str, agent: AgentProcess) -> None:
        """What the service starts from now on."""
        place = self.directory / name
        agent.interpreter = (str(place / "bin" / "python"),)
        packages = [path for path in sys.path if path.endswith("site-packages")]
        agent.libraries = ":".join([str(place / "lib"), *packages])

    def remove(self, name: str) -> None:
        shutil.rmtree(self.directory / name)


@pytest.fixture
async def make_upgradable(tmp_path: Path) -> AsyncIterator[Any]:
    made: list[tuple[FakeMaster, AgentProcess]] = []

    async def make(isolation: str) -> tuple[FakeMaster, AgentProcess, Releases]:
        releases = Releases(tmp_path / "releases")
        releases.install("1")
        master = FakeMaster()
        await master.start()
        agent = AgentProcess(
            tmp_path / "work", f"127.0.0.1:{master.port}", f"--isolation={isolation}",
            f"--docker_registry={tmp_path / 'registry'}",
        )  # fmt: skip
        made.append((master, agent))
        releases.use("1", agent)
        agent.start()
        await wait_for(lambda: master.subscriptions, "the first registration")
        return master, agent, releases

    yield make
    for master, agent in made:
        await master.stop()
        agent.clean()


def begun(pid: int) -> str:
    """When a process was started: tells it from another one of the same id."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


async def containers(agent: AgentProcess) -> dict[str, tuple[str, int, str]]:
    """Container, process and its start, by executor."""
    found = {}
    for each in await agent.get_json("/containers"):
        pid = each["status"]["executor_pid"]
        found[each["executor_id"]] = (each["container_id"], pid, begun(pid))
    return found


@pytest.mark.parametrize("isolation", [
    "posix" if kind == "posix" else pytest.param("auto", marks=kind.marks)  # type: ignore[union-attr]
    for kind in KINDS
])  # fmt: skip
async def test_an_upgrade_keeps_every_task_and_the_old_release_may_go(
    make_upgradable: Any, isolation: str, tmp_path: Path
) -> None:
    master, agent, releases = await make_upgradable(isolation)
    stay = [f"stays{number}" for number in range(5)]
    if isolation != "posix":
        (tmp_path / "registry").mkdir()
        images.write_archive(
            tmp_path / "registry" / "app.tar", [images.base_layer()], CONFIG, "app:1"
        )
        docker = DockerInfo(image="app:1", network="HOST")
        await master.run("imaged", "sleep 1000", container=ContainerInfo(
            type="DOCKER", docker=docker))  # fmt: skip
        stay.append("imaged")
    for task in stay[:5]:
        await master.run(task, "sleep 1000")
    await master.run("ends", "sleep 3; exit 5")
    for task in [*stay, "ends"]:
        await master.wait_state(task, "TASK_RUNNING")
    before = await containers(agent)
    assert set(before) == {*stay, "ends"}

    releases.install("2")
    assert agent.stop() == 0
    releases.use("2", agent)
    count = len(master.subscriptions)
    agent.start()
    await wait_for(lambda: len(master.subscriptions) > count, "the upgraded agent")
    releases.remove("1")

    failed = await master.wait_state("ends", "TASK_FAILED")
    assert failed.message == "Command exited with status 5"
    after = await containers(agent)
    assert {task: after[task] for task in stay} == {task: before[task] for task in stay}
    assert all(master.states(task) == ["TASK_STARTING", "TASK_RUNNING"] for task in stay)
    await master.run("new", "sleep 1000")
    await master.wait_state("new", "TASK_RUNNING")
    for task in [*stay, "new"]:
        await master.kill(task)
    for task in [*stay, "new"]:
        await master.wait_state(task, "TASK_KILLED")
    # What the first release laid out around the container from the image is taken away.
    provisioned = tmp_path / "work" / "provisioner" / "containers"
    await wait_for(lambda: not provisioned.exists() or not list(provisioned.iterdir()), "cleanup")
