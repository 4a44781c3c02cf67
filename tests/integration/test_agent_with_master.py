"""The agent under a real master: launches through the scheduler API, failover, teardown."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.agent_harness import LIBRARIES, AgentProcess, free_port, wait_for

HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
ENDS = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_DROPPED", "TASK_GONE")


class MasterProcess:
    """`mesosphere master` on a free port, with its registry in a directory."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.work_dir.mkdir(exist_ok=True)
        command = [
            sys.executable, "-m", "mesosphere", "master", "--ip=127.0.0.1",
            f"--port={self.port}", f"--work_dir={self.work_dir}",
        ]  # fmt: skip
        with (self.work_dir / "master.log").open("ab") as log:
            environ = {**os.environ, "PYTHONPATH": LIBRARIES}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)


class Framework:
    """A scheduler that takes the first offer for its tasks and acknowledges everything."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1/scheduler"
        self.session = aiohttp.ClientSession()
        self.framework_id: Any = None
        self.stream_id = ""
        self.wanted: list[tuple[str, str]] = []
        self.statuses: list[dict[str, Any]] = []
        self.agents: dict[str, Any] = {}
        self.reading: asyncio.Task[None] | None = None
        self.info: dict[str, Any] = {}  # changes to its FrameworkInfo

    async def subscribe(self) -> None:
        info: dict[str, Any] = {
            "user": "root", "name": "mini", "checkpoint": True, "failover_timeout": 3600,
            "roles": ["*"],
            "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}], **self.info,
        }  # fmt: skip
        call: dict[str, Any] = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if self.framework_id is not None:
            info["id"] = call["framework_id"] = self.framework_id
        until = asyncio.get_running_loop().time() + 60
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                answer = await self.session.post(
                    self.url, json=call, headers=HEADERS, timeout=aiohttp.ClientTimeout(None)
                )
                if answer.status == 200:
                    break
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.1)
        self.stream_id = answer.headers["Mesos-Stream-Id"]
        self.reading = asyncio.create_task(self._read(answer))

    async def _read(self, answer: aiohttp.ClientResponse) -> None:
        with contextlib.suppress(aiohttp.ClientError, asyncio.IncompleteReadError):
            while True:
                size = int(await answer.content.readuntil(b"\n"))
                event = json.loads(await answer.content.readexactly(size))
                if event["type"] == "SUBSCRIBED":
                    self.framework_id = event["subscribed"]["framework_id"]
                elif event["type"] == "OFFERS":
                    for offer in event["offers"]["offers"]:
                        await self._offer(offer)
                elif event["type"] == "UPDATE":
                    await self._update(event["update"]["status"])
                elif event["type"] == "UPDATE_OPERATION_STATUS":
                    await self._operation(event["update_operation_status"]["status"])

    async def _offer(self, offer: dict[str, Any]) -> None:
        tasks = []
        for task_id, script in self.wanted:
            self.agents[task_id] = offer["agent_id"]
            tasks.append(
                {
                    "name": task_id, "task_id": {"value": task_id}, "command": {"value": script},
                    "agent_id": offer["agent_id"],
                    "resources": [
                        {
                            "name": name, "type": "SCALAR", "scalar": {"value": value},
                            "allocation_info": {"role": "*"},
                        }
                        for name, value in (("cpus", 0.1), ("mem", 32))
                    ],
                }
            )  # fmt: skip
        self.wanted = []
        operations = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []
        accept = {
            "offer_ids": [offer["id"]], "operations": operations,
            "filters": {"refuse_seconds": 1},
        }  # fmt: skip
        await self.call("ACCEPT", accept=accept)

    async def _update(self, status: dict[str, Any]) -> None:
        self.statuses.append(status)
        if "uuid" in status:
            keys = ("agent_id", "task_id", "uuid")
            await self.call("ACKNOWLEDGE", acknowledge={key: status[key] for key in keys})

    async def _operation(self, status: dict[str, Any]) -> None:
        raise AssertionError(f"nobody asked for an operation: {status}")

    async def call(self, kind: str, **body: Any) -> None:
        call = {"type": kind, "framework_id": self.framework_id, **body}
        headers = {**HEADERS, "Mesos-Stream-Id": self.stream_id}
        async with self.session.post(self.url, json=call, headers=headers) as answer:
            assert answer.status == 202, await answer.text()

    async def wait_state(self, task_id: str, state: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next(
                (
                    each
                    for each in self.statuses
                    if each["task_id"]["value"] == task_id and each["state"] == state
                ),
                None,
            )

        status: dict[str, Any] = await wait_for(found, f"{task_id} {state}")
        return status

    async def close(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
        await self.session.close()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[MasterProcess, AgentProcess, Framework]]:
    master = MasterProcess(tmp_path / "master")
    agent = AgentProcess(tmp_path / "work", f"127.0.0.1:{master.port}", "--isolation=posix")
    framework = Framework(master.port)
    master.start()
    agent.start()
    try:
        await framework.subscribe()
        yield master, agent, framework
    finally:
        await framework.close()
        agent.clean()
        master.end(signal.SIGKILL)


async def test_a_task_survives_the_death_of_its_master(cluster: Any) -> None:
    master, _, framework = cluster
    framework.wanted = [("stays", "sleep 1000"), ("ends", "sleep 3; exit 4")]
    running = await framework.wait_state("stays", "TASK_RUNNING")
    await framework.wait_state("ends", "TASK_RUNNING")
    pid = running["container_status"]["executor_pid"]
    master.end(signal.SIGKILL)
    master.start()
    await framework.subscribe()
    ended = await framework.wait_state("ends", "TASK_FAILED")
    assert ended["message"] == "Command exited with status 4"
    assert Path(f"/proc/{pid}").exists()
    framework.statuses.clear()
    tasks = [{"task_id": {"value": "stays"}, "agent_id": framework.agents["stays"]}]
    await framework.call("RECONCILE", reconcile={"tasks": tasks})
    again = await framework.wait_state("stays", "TASK_RUNNING")
    assert again["reason"] == "REASON_RECONCILIATION"
    await framework.call("KILL", kill={"task_id": {"value": "stays"}})
    await framework.wait_state("stays", "TASK_KILLED")


async def test_an_agent_that_was_killed_comes_back_with_its_tasks(cluster: Any) -> None:
    _, agent, framework = cluster
    framework.wanted = [("stays", "sleep 1000"), ("ends", "sleep 2; exit 5")]
    await framework.wait_state("stays", "TASK_RUNNING")
    await framework.wait_state("ends", "TASK_RUNNING")
    agent.kill()
    exits = agent.work_dir / "run" / "supervisor" / "exits"
    await wait_for(lambda: list(exits.glob("*.json")), "the exit while the agent is down")
    agent.start()
    await framework.wait_state("ends", "TASK_FAILED")
    states = [each["state"] for each in framework.statuses if each["task_id"]["value"] == "stays"]
    assert not [state for state in states if state in ENDS]
    await framework.call("KILL", kill={"task_id": {"value": "stays"}})
    await framework.wait_state("stays", "TASK_KILLED")


async def test_a_teardown_ends_the_tasks_on_the_agent(cluster: Any) -> None:
    _, agent, framework = cluster
    framework.wanted = [("t1", "sleep 1000")]
    running = await framework.wait_state("t1", "TASK_RUNNING")
    pid = running["container_status"]["executor_pid"]
    await framework.call("TEARDOWN")
    await wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the process")
    state: dict[str, Any] = {"frameworks": [1]}
    while state["frameworks"]:
        state = await agent.get_json("/state")
        await asyncio.sleep(0.05)
    assert not list((agent.work_dir / "meta").rglob("task.info"))
