"""Three masters on ZooKeeper, an agent and a task: leaders die, freeze and come back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import wait_for
from tests.integration.cluster import Cluster
from tests.integration.marathon_stack import JARS, free_port
from tests.integration.test_agent_drain import Operator
from tests.integration.test_agent_with_master import Framework

from mesosphere.kernel.exit_codes import ExitCode

pytestmark = pytest.mark.skipif(
    not (JARS / "zookeeper.jar").exists(), reason="ZooKeeper is not installed"
)


class Masters(Cluster):
    """Three masters and an agent; nothing is restarted by itself."""

    def start_masters(self) -> None:
        self.start_zookeeper()
        self.master = f"{self.zookeeper}/mesos"
        for number in range(3):
            port = free_port()
            self.run(
                f"master{number}", "master", port, "--ip=127.0.0.1", f"--port={port}",
                f"--work_dir={self.directory / f'master{number}'}", f"--zk={self.master}",
                "--zk_session_timeout=3secs", "--hostname=127.0.0.1",
            )  # fmt: skip
        port = free_port()
        self.run(
            "agent", "agent", port, f"--master={self.master}", "--ip=127.0.0.1",
            f"--port={port}", "--hostname=127.0.0.1", "--isolation=posix",
            f"--work_dir={self.directory / 'agent'}", "--resources=cpus:4;mem:4000;disk:4000",
            "--registration_backoff_factor=200ms",
        )  # fmt: skip

    async def leader(self, but: str = "") -> tuple[str, int]:
        """The name and port of the master that leads, which must not be `but`."""

        def found() -> str:
            name = self.leader_of_masters()
            return "" if name == but else name

        name = await wait_for(found, "a leader")
        return name, int(self.addresses[name].rpartition(":")[2])


@pytest.fixture
async def masters(tmp_path: Path) -> AsyncIterator[Masters]:
    found = Masters(tmp_path)
    try:
        found.start_masters()
        yield found
    finally:
        found.close()


async def follow(framework: Framework, port: int) -> Operator:
    """Subscribe at the master that leads now."""
    framework.url = f"http://127.0.0.1:{port}/api/v1/scheduler"
    framework.statuses.clear()
    await framework.subscribe()
    operator = Operator(port, framework.session)
    await operator.wait_for_agents(lambda found: len(found) == 1, "the agent")
    return operator


async def state_of(framework: Framework, task: str) -> Any:
    tasks = [{"task_id": {"value": task}, "agent_id": framework.agents[task]}]
    await framework.call("RECONCILE", reconcile={"tasks": tasks})
    await wait_for(lambda: framework.statuses, "an answer")
    return framework.statuses[-1]["state"]


async def test_a_task_and_an_operators_wish_outlive_two_leaders(masters: Masters) -> None:
    first, port = await masters.leader()
    framework = Framework(port)
    try:
        operator = await follow(framework, port)
        framework.wanted = [("stays", "sleep 1000")]
        running = await framework.wait_state("stays", "TASK_RUNNING")
        process = Path(f"/proc/{running['container_status']['executor_pid']}")
        agent_id = framework.agents["stays"]
        assert await operator.ask("DEACTIVATE_AGENT", agent_id=agent_id) == 200
        masters.stop(first)
        second, port = await masters.leader(but=first)
        operator = await follow(framework, port)
        assert await state_of(framework, "stays") == "TASK_RUNNING"
        [agent] = await operator.agents()
        assert agent["deactivated"] and agent["id"] == agent_id["value"]
        assert await operator.ask("REACTIVATE_AGENT", agent_id=agent_id) == 200
        assert await operator.ask("DRAIN_AGENT", agent_id=agent_id) == 200
        masters.stop(second)
        _, port = await masters.leader(but=second)
        await follow(framework, port)
        killed = await framework.wait_state("stays", "TASK_KILLED")
        assert killed["reason"] == "REASON_AGENT_DRAINING"
        assert not process.exists()
    finally:
        await framework.close()


async def test_a_leader_that_was_frozen_ends_and_changes_nothing(masters: Masters) -> None:
    first, port = await masters.leader()
    framework = Framework(port)
    try:
        await follow(framework, port)
        framework.wanted = [("stays", "sleep 1000")]
        await framework.wait_state("stays", "TASK_RUNNING")
        frozen = masters.processes[first]
        frozen.send_signal(signal.SIGSTOP)
        _, port = await masters.leader(but=first)
        operator = await follow(framework, port)
        agent_id = framework.agents["stays"]
        # What the frozen one is asked now, it must not do when it thaws.
        late = Operator(int(masters.addresses[first].rpartition(":")[2]), framework.session)
        asking = asyncio.create_task(late.ask("MARK_AGENT_GONE", agent_id=agent_id))
        await asyncio.sleep(0.5)
        frozen.send_signal(signal.SIGCONT)
        await wait_for(lambda: frozen.poll() is not None, "the end of the deposed leader")
        assert frozen.returncode in (
            ExitCode.LEADERSHIP_LOST, ExitCode.SESSION_LOST, ExitCode.STORE_FAILED,
        )  # fmt: skip
        outcome = (await asyncio.gather(asking, return_exceptions=True))[0]
        assert outcome != 200
        assert await state_of(framework, "stays") == "TASK_RUNNING"
        [agent] = await operator.agents()
        assert agent["active"]
    finally:
        await framework.close()
