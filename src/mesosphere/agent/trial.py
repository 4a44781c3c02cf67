"""Tries one real OCI container, because only that tells whether they work on this host.

The container must start, be found in the control group where the plan says it is (limits and kills
depend on that), and end when it is destroyed.
"""

import asyncio
import signal
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from mesosphere.agent.containerizer import Containerizer
from mesosphere.agent.core.containers import DEFAULT_PATH, ContainerRequest, build_plan
from mesosphere.agent.core.host import Host
from mesosphere.agent.isolation import sandboxes
from mesosphere.agent.isolation.processes import processes_of_group
from mesosphere.agent.supervision import SupervisorGone
from mesosphere.kernel.effects import DestroyContainer, LaunchContainer
from mesosphere.kernel.events import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    Event,
)

TRIAL_TIMEOUT_S = 60.0


class _TrialWorld:
    """Waits for the start of the one container, destroys it, waits for its end."""

    def __init__(self, plan: dict[str, Any], containerizer: Containerizer) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._plan = plan
        self._containerizer = containerizer

    def deliver(self, event: Event, cause: str | None = None) -> None:
        """See containerizer.World."""
        if self.ended.done():
            return
        if isinstance(event, ContainerFailed):
            self.ended.set_result(event.reason)
        elif isinstance(event, ContainerStarted):
            place = self._plan["processes"]
            if event.pid not in processes_of_group(place):
                self.ended.set_result(f"its control group is not at {place}")
            self.spawn(self._containerizer.destroy(self, DestroyContainer(event.container), None))
        elif isinstance(event, ContainerExited):
            killed = event.status == signal.SIGKILL
            self.ended.set_result("" if killed else f"it ended with status {event.status}")

    def spawn(self, work: Coroutine[Any, Any, None]) -> Any:
        """See containerizer.World."""
        return asyncio.get_running_loop().create_task(work)


async def try_oci(host: Host) -> str:
    """Run a container as a task would be run; "" if it worked, else why not."""
    containerizer = Containerizer(Path(host.runtime_dir), Path(host.private_root))
    name = f"trial-{uuid.uuid4()}"
    request = ContainerRequest(
        container=name,
        agent_id="trial",
        framework_id="trial",
        executor_id="trial",
        argv=("/bin/sh", "-c", "sleep 600"),
        environment={"PATH": DEFAULT_PATH, "MESOS_CONTAINER_ID": name},
        cpus_milli=100,
        mem_bytes=32 * 1024 * 1024,
    )
    plan = build_plan(request, host)
    world = _TrialWorld(plan, containerizer)
    try:
        await containerizer.connect()
        await containerizer.launch(world, LaunchContainer(name, plan), None)
        failure = await asyncio.wait_for(world.ended, TRIAL_TIMEOUT_S)
        await containerizer.destroy(world, DestroyContainer(name), None)
    except (SupervisorGone, TimeoutError) as error:
        failure = f"{error}" or f"it did not end in {TRIAL_TIMEOUT_S:g} s"
    finally:
        containerizer.close()
        # A container that is not where it should be is not killed there either.
        await _run_quietly(plan["cleanup"])
        sandboxes.remove_sandbox(Path(plan["sandbox"]))
    return failure


async def _run_quietly(command: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()
