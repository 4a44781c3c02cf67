"""Draining, leaving and maintenance with a real agent and real tasks."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.agent_harness import AgentProcess, wait_for
from tests.integration.test_agent_with_master import Framework, MasterProcess

from mesosphere.kernel.exit_codes import ExitCode

STUBBORN = "trap '' TERM; while true; do sleep 0.1; done"


class Operator:
    """Calls the operator API of a master."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.session = session

    async def ask(self, kind: str, **body: Any) -> int:
        call = {"type": kind, kind.lower(): body}
        async with self.session.post(f"{self.url}/api/v1", json=call) as answer:
            return answer.status

    async def agents(self) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.url}/slaves") as answer:
            found: list[dict[str, Any]] = (await answer.json())["slaves"]
            return found

    async def wait_for_agents(self, wanted: Any, what: str) -> list[dict[str, Any]]:
        for _ in range(600):
            found = await self.agents()
            if wanted(found):
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"waited in vain for {what}: {found}")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[AgentProcess, Framework, Operator]]:
    master = MasterProcess(tmp_path / "master")
    address = f"127.0.0.1:{master.port}"
    flags = ("--isolation=posix", "--registration_backoff_factor=100ms", "--hostname=h")
    agent = AgentProcess(tmp_path / "work", address, *flags)
    framework = Framework(master.port)
    master.start()
    agent.start()
    try:
        await framework.subscribe()
        yield agent, framework, Operator(master.port, framework.session)
    finally:
        await framework.close()
        agent.clean()
        master.end(signal.SIGKILL)


def drain_state(agents: list[dict[str, Any]]) -> str | None:
    state: str | None = agents[0].get("drain_info", {}).get("state") if agents else None
    return state


async def test_an_agent_is_drained_and_used_again(cluster: Any) -> None:
    _, framework, operator = cluster
    framework.wanted = [("mild", "sleep 1000"), ("stubborn", STUBBORN)]
    running = await framework.wait_state("mild", "TASK_RUNNING")
    await framework.wait_state("stubborn", "TASK_RUNNING")
    agent_id = framework.agents["mild"]
    grace = {"seconds": 1}
    assert await operator.ask("DRAIN_AGENT", agent_id=agent_id, max_grace_period=grace) == 200
    for task in ("mild", "stubborn"):
        killed = await framework.wait_state(task, "TASK_KILLED")
        assert killed["reason"] == "REASON_AGENT_DRAINING"
    await operator.wait_for_agents(lambda found: drain_state(found) == "DRAINED", "the drain")
    assert not Path(f"/proc/{running['container_status']['executor_pid']}").exists()
    framework.wanted = [("later", "sleep 1000")]
    await asyncio.sleep(2.5)
    assert "later" not in framework.agents
    assert await operator.ask("REACTIVATE_AGENT", agent_id=agent_id) == 200
    await framework.wait_state("later", "TASK_RUNNING")
    [found] = await operator.agents()
    assert found["active"] and "drain_info" not in found


async def test_a_drain_goes_on_when_the_agent_is_killed_in_the_middle(cluster: Any) -> None:
    agent, framework, operator = cluster
    framework.wanted = [("stubborn", STUBBORN)]
    await framework.wait_state("stubborn", "TASK_RUNNING")
    agent_id = framework.agents["stubborn"]
    assert await operator.ask("DRAIN_AGENT", agent_id=agent_id) == 200
    orders = agent.work_dir / "meta" / "slaves"
    await wait_for(lambda: list(orders.glob("*/drain_config")), "the order on disk")
    agent.kill()
    agent.start()
    killed = await framework.wait_state("stubborn", "TASK_KILLED")
    assert killed["reason"] == "REASON_AGENT_DRAINING"
    await operator.wait_for_agents(lambda found: drain_state(found) == "DRAINED", "the drain")
    await wait_for(lambda: not list(orders.glob("*/drain_config")), "the end of the order")


async def test_a_drained_agent_that_is_to_be_gone_ends(cluster: Any) -> None:
    agent, framework, operator = cluster
    framework.wanted = [("t1", "sleep 1000")]
    await framework.wait_state("t1", "TASK_RUNNING")
    agent_id = framework.agents["t1"]
    assert await operator.ask("DRAIN_AGENT", agent_id=agent_id, mark_gone=True) == 200
    await framework.wait_state("t1", "TASK_GONE_BY_OPERATOR")
    await wait_for(lambda: agent.process.poll() is not None, "the end of the agent")
    assert agent.process.returncode == ExitCode.REFUSED
    agent.start()
    [found] = await operator.wait_for_agents(lambda found: len(found) == 1, "a new agent")
    assert found["id"] != agent_id["value"]


async def test_an_agent_that_gets_sigusr1_leaves_for_good(cluster: Any) -> None:
    agent, framework, operator = cluster
    framework.wanted = [("t1", "sleep 1000")]
    running = await framework.wait_state("t1", "TASK_RUNNING")
    agent.process.send_signal(signal.SIGUSR1)
    await operator.wait_for_agents(lambda found: not found, "its departure")
    await wait_for(lambda: agent.process.poll() is not None, "the end of the agent")
    assert agent.process.returncode == ExitCode.CLEAN
    assert not Path(f"/proc/{running['container_status']['executor_pid']}").exists()


async def test_a_machine_that_goes_down_keeps_its_agent_away_until_it_is_up(cluster: Any) -> None:
    agent, framework, operator = cluster
    framework.wanted = [("t1", "sleep 1000")]
    await framework.wait_state("t1", "TASK_RUNNING")
    machine = {"hostname": "h", "ip": "127.0.0.1"}
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1}}}
    schedule = {"windows": [window]}
    assert await operator.ask("UPDATE_MAINTENANCE_SCHEDULE", schedule=schedule) == 200
    assert await operator.ask("START_MAINTENANCE", machines=[machine]) == 200
    lost = await framework.wait_state("t1", "TASK_LOST")
    assert lost["reason"] == "REASON_AGENT_REMOVED"
    await wait_for(lambda: agent.process.poll() is not None, "the end of the agent")
    agent.start()
    await wait_for(lambda: agent.process.poll() is not None, "the refusal")
    assert agent.process.returncode == ExitCode.REFUSED
    assert await operator.ask("STOP_MAINTENANCE", machines=[machine]) == 200
    agent.start()
    await operator.wait_for_agents(lambda found: len(found) == 1, "its return")
