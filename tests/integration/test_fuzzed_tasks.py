"""Tasks with hostile values, launched for real: each of them fails or runs, and nothing else."""

import asyncio
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tests.integration.container_bench import DEADLINE_S, KINDS, make_bench
from tests.mutations import places
from tests.scenarios.agent.world import AGENT, World

from mesosphere.kernel.effects import LaunchContainer
from mesosphere.kernel.events import ContainerExited, ContainerFailed, Received

__all__ = ["make_bench"]
HOSTILE = [
    "", "a\0b", "²", "9" * 400, "../" * 40, "x" * 300, "\u2028é=\n", "/", ".", -1, 2**63, {}, [],
]  # fmt: skip
TASK: dict[str, Any] = {
    "name": "t", "task_id": {"value": "t"}, "agent_id": {"value": AGENT},
    "resources": [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 64.0}},
    ],
    "command": {
        "value": "/bin/true", "shell": False, "user": "nobody", "arguments": ["true", "a"],
        "environment": {"variables": [{"name": "A", "value": "b"}]},
    },
    "container": {
        "type": "MESOS",
        "volumes": [
            {"container_path": "data", "host_path": "made", "mode": "RW"},
            {"container_path": "shared", "mode": "RW",
             "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "s"}}},
        ],
        "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 1024, "hard": 2048}]},
        "linux_info": {"bounding_capabilities": {"capabilities": ["CHOWN"]}, "shm_size": 8,
                       "seccomp": {"unconfined": True}},
    },
}  # fmt: skip
FRAMEWORK = {"user": "nobody", "name": "test", "id": {"value": "m-0001"}, "checkpoint": True}


def hostile(isolation: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The task with one value changed: each place, each of a few values in turn."""
    whole = deepcopy(TASK)
    if isolation == "posix":
        del whole["container"]["linux_info"]
    yield "as it is", whole
    for number, place in enumerate(places(whole)):
        if place[0] in ("agent_id", "resources") or place == ("task_id",):
            continue
        for step in (0, 5, 9):
            value = HOSTILE[(number + step) % len(HOSTILE)]
            task = deepcopy(whole)
            holder: Any = task
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
            yield f"{place} = {value!r}", task


def plan_of(bench: Any, task: dict[str, Any]) -> dict[str, Any] | None:
    """What an agent of this host would do for a task; None if it refuses it at once."""
    world = World(host=bench.host)
    world.recover()
    world.register()
    order = {"type": "RUN_TASK", "run_task": {"framework_info": FRAMEWORK, "task": task}}
    world.give(Received("master", json.dumps(order).encode()))
    launches = world.found(LaunchContainer)
    return launches[-1].plan if launches else None


@pytest.mark.parametrize("isolation", KINDS)
async def test_hostile_values_end_in_a_failure_of_their_task(
    make_bench: Any, isolation: str, tmp_path: Path
) -> None:
    bench = await make_bench(isolation)
    launched = {}
    for number, (what, task) in enumerate(hostile(isolation)):
        plan = plan_of(bench, task)
        if plan is None:
            continue
        # Each world names its first container alike: a number keeps them apart.
        name = f"c{number}"
        plan = json.loads(json.dumps(plan).replace(plan["container"], name))
        launched[name] = what
        bench.perform(LaunchContainer(name, plan))
        if number % 10 == 0:
            await asyncio.wait(bench.tasks)
    for task in bench.tasks:
        await asyncio.wait_for(task, DEADLINE_S)
    ends = {name: await find_end(bench, name) for name in launched}
    assert isinstance(ends["c0"], ContainerExited) and ends["c0"].status == 0, ends["c0"]
    assert len(launched) > 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "slaves"]


async def find_end(bench: Any, name: str) -> Any:
    """ContainerFailed or ContainerExited."""
    first = await bench.find(object, name)
    return first if isinstance(first, ContainerFailed) else await bench.find(ContainerExited, name)
