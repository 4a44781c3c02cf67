"""Task groups with real containers, and an agent that dies with fifty tasks running."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import AGENT, FRAMEWORK, wait_for
from tests.integration.test_agent_service import KINDS, make_pair

from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.containers import ContainerInfo, SandboxPath, Volume, VolumeSource
from mesosphere.wire.mesos.ids import AgentID, ExecutorID, FrameworkID, TaskID
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskInfo

__all__ = ["make_pair"]
TASKS = 50


def pod() -> ExecutorInfo:
    return ExecutorInfo(
        type="DEFAULT", executor_id=ExecutorID("pod"), framework_id=FrameworkID(FRAMEWORK),
        resources=to_wire(Resources.of(cpus=0.1, mem=32)),
    )  # fmt: skip


def member(task_id: str, script: str, **changes: Any) -> TaskInfo:
    return TaskInfo(
        name=task_id, task_id=TaskID(task_id), agent_id=AgentID(AGENT),
        command=CommandInfo(value=script), resources=to_wire(Resources.of(cpus=0.1, mem=32)),
        **changes,
    )  # fmt: skip


def shared() -> ContainerInfo:
    source = VolumeSource(type="SANDBOX_PATH", sandbox_path=SandboxPath(type="PARENT", path="both"))
    return ContainerInfo(
        type="MESOS", volumes=[Volume(container_path="mine", mode="RW", source=source)]
    )


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_pod_shares_a_volume_and_outlives_its_agent(make_pair: Any, isolation: str) -> None:
    pair = await make_pair(isolation)
    write = "echo from one > mine/told; sleep 1000"
    read = "while ! cat mine/told; do sleep 0.1; done; echo $MESOS_CONTAINER_IP; sleep 1000"
    await pair.master.run_group(
        pod(), [member("one", write, container=shared()), member("two", read, container=shared())]
    )
    pids = {}
    for task in ("one", "two"):
        status = await pair.master.wait_state(task, "TASK_RUNNING")
        pids[task] = status.container_status.executor_pid
        assert status.container_status.container_id.parent is not None
    [executor] = (await pair.agent.get_json("/state"))["frameworks"][0]["executors"]
    sandbox = Path(executor["directory"])
    assert (executor["id"], executor["type"]) == ("pod", "DEFAULT")
    output = sandbox / "tasks" / "two" / "stdout"
    await wait_for(lambda: output.exists() and output.read_text() == "from one\n127.0.0.1\n")
    assert (sandbox / "both" / "told").read_text() == "from one\n"
    _, found = await pair.agent.call(
        {"type": "GET_CONTAINERS", "get_containers": {"show_nested": True}}
    )
    listed = json.loads(found)["get_containers"]["containers"]
    assert [each["container_id"].get("parent", {}).get("value") for each in listed] == [
        None, executor["container"], executor["container"],
    ]  # fmt: skip
    pair.agent.kill()
    await pair.start_agent()
    assert all(os.path.exists(f"/proc/{pid}") for pid in pids.values())
    assert {each.task.task_id.value for each in pair.master.subscriptions[-1].tasks} == set(pids)
    # One that fails takes the other along, and the pod ends with the last.
    os.kill(pids["one"], signal.SIGKILL)
    await pair.master.wait_state("one", "TASK_FAILED")
    await pair.master.wait_state("two", "TASK_KILLED")
    exits = lambda: [call for call in pair.master.calls if call.exited_executor is not None]  # noqa: E731
    await wait_for(exits, "the end of the pod")
    assert exits()[0].exited_executor.status == 0
    frameworks = pair.agent.work_dir / "meta" / "slaves" / AGENT / "frameworks"
    await wait_for(lambda: not list(frameworks.iterdir()), "files of the pod to go")


async def test_an_agent_that_dies_with_fifty_tasks_running_loses_none(make_pair: Any) -> None:
    pair = await make_pair("posix", "--resources=cpus:100;mem:40000;disk:1000")
    for number in range(TASKS):
        await pair.master.run(f"t{number}", "exec sleep 1000")
    pids = []
    for number in range(TASKS):
        status = await pair.master.wait_state(f"t{number}", "TASK_RUNNING")
        pids.append(status.container_status.executor_pid)
    pair.agent.kill()
    ended = pids[:3]
    for pid in ended:
        os.kill(pid, signal.SIGKILL)
    await pair.start_agent()
    reported = pair.master.subscriptions[-1].tasks
    assert len(reported) == TASKS
    for number in range(3):
        await pair.master.wait_state(f"t{number}", "TASK_FAILED")
    assert all(os.path.exists(f"/proc/{pid}") for pid in pids[3:])
    for number in range(3, TASKS):
        assert pair.master.states(f"t{number}") == ["TASK_STARTING", "TASK_RUNNING"]
        await pair.master.kill(f"t{number}")
    for number in range(3, TASKS):
        await pair.master.wait_state(f"t{number}", "TASK_KILLED")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
