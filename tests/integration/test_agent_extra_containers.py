"""Containers launched by operators' calls: nested in a task's, standalone, across kill -9."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import wait_for
from tests.integration.test_agent_service import KINDS, Pair, make_pair

__all__ = ["make_pair"]


def command(script: str) -> dict[str, Any]:
    return {"command": {"value": script}}


def identify(name: str) -> dict[str, Any]:
    above, _, value = name.rpartition(".")
    return {"value": value, "parent": identify(above)} if above else {"value": value}


async def call(pair: Pair, kind: str, name: str, **body: Any) -> tuple[int, Any]:
    status, data = await pair.agent.call(
        {"type": kind, kind.lower(): {"container_id": identify(name), **body}}
    )
    return status, json.loads(data)[kind.lower()] if data.startswith(b"{") else data


async def running_task(pair: Pair, task_id: str = "t1", script: str = "sleep 1000") -> str:
    await pair.master.run(task_id, script)
    status = await pair.master.wait_state(task_id, "TASK_RUNNING")
    name: str = status.container_status.container_id.value
    return name


async def sandbox_of(pair: Pair) -> Path:
    [executor] = (await pair.agent.get_json("/state"))["frameworks"][0]["executors"]
    return Path(executor["directory"])


async def pids(pair: Pair) -> dict[str, int]:
    ask = {"show_nested": True, "show_standalone": True}
    _, data = await pair.agent.call({"type": "GET_CONTAINERS", "get_containers": ask})
    return {
        each["container_id"]["value"]: each["container_status"].get("executor_pid", 0)
        for each in json.loads(data)["get_containers"]["containers"]
    }


@pytest.mark.parametrize("isolation", KINDS)
async def test_nested_containers_survive_the_agent_and_die_with_their_parent(
    make_pair: Any, isolation: str
) -> None:
    pair = await make_pair(isolation)
    parent = await running_task(pair)
    sandbox = await sandbox_of(pair)
    nested = f"{parent}.helper"
    script = "echo told; pwd; exec sleep 1000"
    assert await call(pair, "LAUNCH_NESTED_CONTAINER", nested, **command(script)) == (200, b"")
    assert await call(pair, "LAUNCH_CONTAINER", nested, **command(script)) == (202, b"")
    inner = f"{nested}.inner"
    assert (await call(pair, "LAUNCH_CONTAINER", inner, **command("sleep 1000")))[0] == 200
    home = sandbox / "containers" / "helper"
    output = home / "stdout"
    await wait_for(lambda: output.exists() and output.read_text() == f"told\n{home}\n")
    short = f"{parent}.short"
    assert (await call(pair, "LAUNCH_CONTAINER", short, **command("sleep 2; exit 7")))[0] == 200
    before = await pids(pair)
    assert {"helper", "inner", "short"} <= before.keys()

    pair.agent.kill()
    await asyncio.sleep(2.5)
    await pair.start_agent()
    after = await pids(pair)
    assert after == {key: pid for key, pid in before.items() if key != "short"}
    assert await call(pair, "WAIT_CONTAINER", short) == (200, {"exit_status": 7 << 8})
    assert (await call(pair, "REMOVE_CONTAINER", nested))[0] == 500
    assert (await call(pair, "REMOVE_CONTAINER", short))[0] == 200
    assert (await call(pair, "WAIT_CONTAINER", short))[0] == 404

    waiting = asyncio.create_task(call(pair, "WAIT_NESTED_CONTAINER", nested))
    await asyncio.sleep(0.3)
    assert (await call(pair, "KILL_NESTED_CONTAINER", nested, signal=15))[0] == 200
    assert await waiting == (200, {"exit_status": 15})
    # What was in it went along, though it was another container.
    await wait_for(lambda: not os.path.exists(f"/proc/{before['inner']}"), "the inner one to die")

    last = f"{parent}.last"
    assert (await call(pair, "LAUNCH_CONTAINER", last, **command("sleep 1000")))[0] == 200
    pid = (await pids(pair))["last"]
    pair.agent.kill()  # nobody but the supervisor is there when the parent ends
    os.kill(before[parent], 9)
    await wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the last one to die")
    await pair.start_agent()
    await pair.master.wait_state("t1", "TASK_FAILED")
    assert (await call(pair, "WAIT_CONTAINER", last))[0] == 404
    extras = pair.agent.work_dir / "meta" / "containers"
    await wait_for(lambda: not extras.exists() or not list(extras.iterdir()), "files to go")


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_standalone_container_has_its_own_sandbox_and_limits(
    make_pair: Any, isolation: str
) -> None:
    pair = await make_pair(isolation)
    resources = [
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 48}},
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
    ]
    script = "echo $MESOS_SANDBOX $MESOS_FRAMEWORK_ID; exec sleep 1000"
    body = {**command(script), "resources": resources}
    assert (await call(pair, "LAUNCH_CONTAINER", "alone", **body))[0] == 200
    sandbox = pair.agent.work_dir / "containers" / "alone"
    await wait_for(lambda: (sandbox / "stdout").read_text() == f"{sandbox}\n")
    pair.agent.kill()
    await pair.start_agent()
    assert (await pids(pair))["alone"] > 0
    assert (await call(pair, "KILL_CONTAINER", "alone"))[0] == 200
    assert await call(pair, "WAIT_CONTAINER", "alone") == (200, {"exit_status": 9})
    assert (await call(pair, "REMOVE_CONTAINER", "alone"))[0] == 200
    await wait_for(lambda: not sandbox.exists(), "the sandbox to go")
    if isolation == "posix":
        return
    hog = {**command(f"exec {sys.executable} -c 'bytearray(500 << 20)'"), "resources": resources}
    assert (await call(pair, "LAUNCH_CONTAINER", "hog", **hog))[0] == 200
    _, told = await call(pair, "WAIT_CONTAINER", "hog")
    assert told["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"
    assert told["limitation"]["resources"][0]["name"] == "mem"
