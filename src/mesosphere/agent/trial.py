"""Tries one real OCI container, because only that tells whether they work on this host."""

import asyncio
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from mesosphere.agent.containerizer import Containerizer
from mesosphere.agent.core.containers import DEFAULT_PATH, ContainerRequest, build_plan
from mesosphere.agent.core.host import Host
from mesosphere.agent.isolation import sandboxes
from mesosphere.agent.supervision import SupervisorGone
from mesosphere.kernel.effects import DestroyContainer, LaunchContainer
from mesosphere.kernel.events import ContainerExited, ContainerFailed, Event

TRIAL_TIMEOUT_S = 60.0


class _TrialWorld:
    """Waits for the end of the one container."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def deliver(self, event: Event, cause: str | None = None) -> None:
        """See containerizer.World."""
        if self.ended.done():
            return
        if isinstance(event, ContainerFailed):
            self.ended.set_result(event.reason)
        elif isinstance(event, ContainerExited):
            failure = "" if event.status == 0 else f"`true` ended with status {event.status}"
            self.ended.set_result(failure)

    def spawn(self, work: Coroutine[Any, Any, None]) -> Any:
        """See containerizer.World."""
        return asyncio.get_running_loop().create_task(work)


async def try_oci(host: Host) -> str:
    """Run `true` in a container as a task would be run; "" if it worked, else why not."""
    containerizer = Containerizer(Path(host.runtime_dir), Path(host.private_root))
    name = f"trial-{uuid.uuid4()}"
    request = ContainerRequest(
        container=name,
        agent_id="trial",
        framework_id="trial",
        executor_id="trial",
        argv=("/bin/sh", "-c", "true"),
        environment={"PATH": DEFAULT_PATH, "MESOS_CONTAINER_ID": name},
        cpus_milli=100,
        mem_bytes=32 * 1024 * 1024,
    )
    plan = build_plan(request, host)
    world = _TrialWorld()
    try:
        await containerizer.connect()
        await containerizer.launch(world, LaunchContainer(name, plan), None)
        failure = await asyncio.wait_for(world.ended, TRIAL_TIMEOUT_S)
        await containerizer.destroy(world, DestroyContainer(name), None)
    except (SupervisorGone, TimeoutError) as error:
        failure = f"{error}" or f"it did not end in {TRIAL_TIMEOUT_S:g} s"
    finally:
        containerizer.close()
        sandboxes.remove_sandbox(Path(plan["sandbox"]))
    return failure
