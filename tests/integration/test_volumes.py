"""Persistent volumes for real: what a task wrote is there for the next, until it is destroyed."""

import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import AgentProcess, wait_for
from tests.integration.container_bench import KINDS
from tests.integration.test_agent_with_master import Framework, MasterProcess

ROLE = "eng/db"
RESERVATION = {"type": "DYNAMIC", "role": ROLE, "principal": "tester"}
CAPABILITIES = (
    "MULTI_ROLE", "PARTITION_AWARE", "RESERVATION_REFINEMENT", "SHARED_RESOURCES",
)  # fmt: skip
Decide = Callable[[dict[str, Any]], list[dict[str, Any]]]


def scalar(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "type": "SCALAR", "scalar": {"value": value},
        "allocation_info": {"role": ROLE}, **more,
    }  # fmt: skip


def reserved(size: float) -> dict[str, Any]:
    return scalar("disk", size, reservations=[RESERVATION])


def volume(size: float, path: str, shared: bool = False) -> dict[str, Any]:
    found = reserved(size)
    found["disk"] = {
        "persistence": {"id": "v1", "principal": "tester"},
        "volume": {"mode": "RW", "container_path": path},
    }
    return {**found, **({"shared": {}} if shared else {})}


def operation(kind: str, **body: Any) -> dict[str, Any]:
    return {"type": kind, "id": {"value": kind.lower()}, kind.lower(): body}


class Operator(Framework):
    """A framework that does with the next offers what it is told to."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.info = {
            "roles": [ROLE], "principal": "tester",
            "capabilities": [{"type": name} for name in CAPABILITIES],
        }  # fmt: skip
        self.decide: Decide | None = None
        self.operations: list[dict[str, Any]] = []

    async def _offer(self, offer: dict[str, Any]) -> None:
        operations = self.decide(offer) if self.decide is not None else []
        if operations:
            self.decide = None
        accept = {
            "offer_ids": [offer["id"]], "operations": operations, "filters": {"refuse_seconds": 0.5}
        }  # fmt: skip
        await self.call("ACCEPT", accept=accept)

    async def _operation(self, status: dict[str, Any]) -> None:
        self.operations.append(status)
        if "uuid" in status:
            await self.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status={
                "agent_id": status["agent_id"], "operation_id": status["operation_id"],
                "uuid": status["uuid"]["value"],
            })  # fmt: skip

    async def finished(self, kind: str) -> None:
        """The operation of this kind has come to its good end."""

        def found() -> dict[str, Any] | None:
            name = {"value": kind.lower()}
            return next((each for each in self.operations if each["operation_id"] == name), None)

        status = await wait_for(found, kind)
        assert status["state"] == "OPERATION_FINISHED", status
        self.operations.remove(status)

    def launch(self, task_id: str, script: str, *resources: Any, **command: Any) -> Decide:
        """Launch on the first offer with enough CPUs."""

        def decide(offer: dict[str, Any]) -> list[dict[str, Any]]:
            if not any(each["name"] == "cpus" for each in offer["resources"]):
                return []
            task = {
                "name": task_id, "task_id": {"value": task_id}, "agent_id": offer["agent_id"],
                "command": {"value": script, **command},
                "resources": [scalar("cpus", 0.1), scalar("mem", 32), *resources],
            }  # fmt: skip
            return [{"type": "LAUNCH", "launch": {"task_infos": [task]}}]

        return decide


@pytest.fixture(params=KINDS)
async def cluster(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[MasterProcess, AgentProcess, Operator]]:
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(0o755)  # for tasks of other users
    master = MasterProcess(tmp_path / "master")
    flags = ("--isolation=posix",) if request.param == "posix" else ()
    agent = AgentProcess(tmp_path / "work", f"127.0.0.1:{master.port}", *flags)
    framework = Operator(master.port)
    master.start()
    agent.start()
    try:
        await framework.subscribe()
        yield master, agent, framework
    finally:
        await framework.close()
        agent.clean()
        master.end(signal.SIGKILL)


async def test_what_a_task_wrote_to_its_volume_outlives_task_agent_and_master(cluster: Any) -> None:
    master, agent, framework = cluster
    place = agent.work_dir / "volumes/roles" / ROLE.replace("/", " ") / "v1"
    v1 = volume(64, "data")

    def begin(offer: dict[str, Any]) -> list[dict[str, Any]]:
        launch = framework.launch("writes", "echo hello > data/file", v1, user="nobody")
        return [
            operation("RESERVE", resources=[reserved(100)]),
            operation("CREATE", volumes=[v1]),
            *launch(offer),
        ]

    framework.decide = begin
    await framework.wait_state("writes", "TASK_FINISHED")
    await framework.finished("RESERVE")
    await framework.finished("CREATE")
    assert (place / "file").read_text() == "hello\n"
    assert place.stat().st_uid != 0

    agent.kill()
    agent.start()
    master.end(signal.SIGKILL)
    master.start()
    await framework.subscribe()
    elsewhere = volume(64, "elsewhere/else")
    framework.decide = framework.launch(
        "reads", 'test "$(cat elsewhere/else/file)" = hello && echo more >> elsewhere/else/file',
        elsewhere,
    )  # fmt: skip
    await framework.wait_state("reads", "TASK_FINISHED")
    assert (place / "file").read_text() == "hello\nmore\n"

    def end(offer: dict[str, Any]) -> list[dict[str, Any]]:
        if not any(each.get("disk") for each in offer["resources"]):
            return []
        return [
            operation("DESTROY", volumes=[v1]),
            operation("UNRESERVE", resources=[reserved(100)]),
        ]

    framework.decide = end
    await framework.finished("DESTROY")
    await framework.finished("UNRESERVE")
    assert not place.exists()
    assert list((agent.work_dir / "volumes/destroyed").iterdir()) == []
    state = await agent.get_json("/state")
    assert state["unreserved_resources"]["disk"] == 1000 and state["reserved_resources"] == {}


async def test_many_tasks_share_a_volume(cluster: Any) -> None:
    _, agent, framework = cluster
    shared = volume(64, "data", shared=True)

    def begin(offer: dict[str, Any]) -> list[dict[str, Any]]:
        script = "until test -f data/told; do sleep 0.1; done; cat data/told"
        return [
            operation("RESERVE", resources=[reserved(64)]),
            operation("CREATE", volumes=[shared]),
            *framework.launch("waits", script, shared)(offer),
            *framework.launch("waits-too", script, shared)(offer),
        ]

    framework.decide = begin
    await framework.wait_state("waits", "TASK_RUNNING")
    await framework.wait_state("waits-too", "TASK_RUNNING")
    framework.decide = framework.launch("tells", "echo hello > data/told", shared)
    for name in ("tells", "waits", "waits-too"):
        await framework.wait_state(name, "TASK_FINISHED")
    framework.decide = lambda offer: [operation("DESTROY", volumes=[shared])]
    await framework.finished("DESTROY")
    assert not (agent.work_dir / "volumes/roles").exists() or not list(
        (agent.work_dir / "volumes/roles").rglob("told")
    )
