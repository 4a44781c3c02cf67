"""Performs the container effects of the agent's machine with the supervisor of this host.

Each effect becomes one coroutine; every launch ends in exactly one ContainerStarted or
ContainerFailed, every start in exactly one ContainerExited. The exit that the supervisor keeps is
forgotten when the machine destroys a container that has ended: only then its end is on disk here.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from mesosphere.agent.checker import Checker, kill_group
from mesosphere.agent.core.commands import SupervisionFailed
from mesosphere.agent.isolation import plans, sandboxes
from mesosphere.agent.isolation.gpus import choose
from mesosphere.agent.isolation.limitations import Limitation, judge_memory
from mesosphere.agent.isolation.processes import program, read_record, write_aside
from mesosphere.agent.isolation.seccomp import ProfileError
from mesosphere.agent.supervision import Supervision, SupervisorGone
from mesosphere.kernel.effects import (
    DestroyContainer,
    Effect,
    LaunchContainer,
    RecoverContainers,
    RemoveSandbox,
    RunCheck,
    SignalContainer,
    UpdateContainer,
)
from mesosphere.kernel.events import (
    ContainerExited,
    ContainerFailed,
    ContainersRecovered,
    ContainerStarted,
    Event,
)

LAUNCHES_AT_ONCE = 16
"""Containers in preparation at one time; more wait their turn."""
WORK_TIMEOUT_S = 1800.0
"""Longest fetch of all URIs of one task, or of its image."""
FETCHER_KEYS = (
    "sandbox", "uris", "frameworks_home", "stall_timeout_s", "limit_bytes", "cache_dir",
    "cache_bytes",
)  # fmt: skip
KEPT = ("isolation", "sandbox", "directory", "rlimits", "disk_bytes", "execute", "gpus_given")
"""What of a plan is needed while its container runs."""


WIRES_FROM = 4
"""The first version of the supervisor that puts switchboards before containers."""
TOO_OLD = (
    "containers of an earlier release still run here, and their supervisor knows no terminals and "
    "no sessions: it is replaced once they have ended"
)


class World(Protocol):
    """What is used of the runtime's node."""

    def deliver(self, event: Event, cause: str | None = None) -> None:
        """Give an event to the machine."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> Any:
        """Run a coroutine beside the machine."""


class _Launch:
    """A container in preparation."""

    def __init__(self) -> None:
        self.doomed = False
        self.process: asyncio.subprocess.Process | None = None
        self.image = ""
        self.exited: dict[str, Any] | None = None


class Containerizer:
    """All containers of one agent, known by their ids."""

    def __init__(self, runtime_dir: Path, private_root: Path | None) -> None:
        self.runtime_dir = runtime_dir
        self._plans = runtime_dir / "plans"
        self._plans.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._supervision = Supervision(
            runtime_dir / "supervisor", private_root, self._container_exited
        )
        self._world: World | None = None
        self._launching: dict[str, _Launch] = {}
        self._running: dict[str, int] = {}
        self._causes: dict[str, str | None] = {}
        self.fetches = {"succeeded": 0, "failed": 0}
        self._slots = asyncio.Semaphore(LAUNCHES_AT_ONCE)
        self._connecting = asyncio.Lock()
        self._checker = Checker(runtime_dir, self.kept, self._running)

    @property
    def leaders(self) -> dict[str, int]:
        """The first process of each running container."""
        return self._running

    def performers(self) -> dict[type[Effect], Callable[[Any, Any, str], object]]:
        """What the node calls for each effect: performer(node, effect, cause)."""
        return {
            LaunchContainer: self._perform(self.launch),
            SignalContainer: self._perform(self.signal),
            DestroyContainer: self._perform(self.destroy),
            UpdateContainer: self._perform(self.update),
            RecoverContainers: self._perform(self.recover),
            RunCheck: self._perform(self._checker.check),
            RemoveSandbox: self._perform(self.remove_sandbox),
        }

    def _perform(
        self, work: Callable[[World, Any, str | None], Coroutine[Any, Any, None]]
    ) -> Callable[[Any, Any, str], object]:
        def perform(node: World, effect: Effect, cause: str) -> None:
            self._world = node
            node.spawn(work(node, effect, cause))

        return perform

    # --- launching -----------------------------------------------------------------------

    async def launch(self, node: World, effect: LaunchContainer, cause: str | None) -> None:
        """Prepare and start a container; tells ContainerStarted or ContainerFailed."""
        self._world = node
        name, plan = effect.container, effect.plan
        launch = self._launching[name] = _Launch()
        self._causes[name] = cause
        try:
            async with self._slots:
                pid = await self._prepare_and_start(name, plan, launch)
        except (WorkFailed, ValueError, OverflowError) as failed:
            # The host's own calls refuse null bytes, numbers without end and the like.
            self._launching.pop(name, None)
            self._forget_files(name)
            phase = getattr(failed, "phase", "launch")
            node.deliver(ContainerFailed(name, phase, str(failed)), cause)
            return
        self._launching.pop(name, None)
        self._running[name] = pid
        node.deliver(ContainerStarted(name, pid, self._joined(plan)), cause)
        if launch.exited is not None:
            self._container_exited(launch.exited)

    async def _prepare_and_start(self, name: str, plan: dict[str, Any], launch: _Launch) -> int:
        try:
            user = sandboxes.resolve_user(plan["user"])
            if plan["sandbox"]:
                sandboxes.make_sandbox(plan, user)
        except sandboxes.SandboxError as error:
            raise WorkFailed("sandbox", str(error)) from error
        if plan["uris"]:
            await self._fetch(plan, user, launch)
        image = await self._find_image(plan, launch) if "image" in plan else None
        if launch.doomed:
            raise WorkFailed("launch", "killed before it was started")
        try:
            if plan.get("gpus"):
                plan = {**plan, "gpus_given": self._give_gpus(plan)}
            kept = {key: plan[key] for key in KEPT if key in plan}
            kept["image"] = image["id"] if image is not None else ""
            write_aside(self._plans / f"{name}.json", {**kept, "user": user})
            request = plans.spawn_request(plan, user, image)
        except (plans.PlanError, ProfileError) as error:
            raise WorkFailed("launch", str(error)) from error
        except OSError as error:
            raise WorkFailed("launch", f"can't write the bundle: {error.strerror}") from error
        answer = await self._spawn(name, request)
        if "error" in answer:
            raise WorkFailed("launch", answer["error"])
        return int(answer["pid"])

    def _give_gpus(self, plan: dict[str, Any]) -> list[int]:
        """Free devices for a container. Nothing else runs until they are written down."""
        records = [read_record(path) or {} for path in self._plans.glob("*.json")]
        taken = [number for record in records for number in record.get("gpus_given", ())]
        given = choose(plan["gpu_devices"], taken, plan["gpus"])
        if len(given) < plan["gpus"]:
            raise plans.PlanError(f"{plan['gpus']} GPUs are asked for, and {len(given)} are free")
        return given

    @staticmethod
    def _joined(plan: dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if "networks" not in plan:
            return ()
        told = read_record(Path(plan["bundle"], "network.json")) or {}
        return tuple((name, tuple(addresses)) for name, addresses in told.get("joined", ()))

    async def _spawn(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        if "io" in request and self._supervision.version < WIRES_FROM:
            return {"error": TOO_OLD}
        try:
            return await self._supervision.ask(request)
        except SupervisorGone as gone:
            # It may have started all the same: the next supervisor knows.
            try:
                hello = await self.connect()
            except SupervisorGone as error:
                return {"error": str(error)}
            if name in hello["running"]:
                return {"pid": hello["running"][name] or 0}
            return {"error": str(gone)}

    async def _fetch(
        self, plan: dict[str, Any], user: dict[str, Any] | None, launch: _Launch
    ) -> None:
        job = {**{key: plan[key] for key in FETCHER_KEYS}, "user": user}
        self.fetches["failed"] += 1
        await self._work("fetch", program("mesosphere.agent.fetcher"), job, launch)
        self.fetches["failed"] -= 1
        self.fetches["succeeded"] += 1

    async def _find_image(self, plan: dict[str, Any], launch: _Launch) -> dict[str, Any]:
        image = plan["image"]
        command = program("mesosphere.agent.isolation.image_store", image["store"])
        told = await self._work("image", command, {"op": "find", **image}, launch)
        found: dict[str, Any] = json.loads(told)
        launch.image = found["id"]
        return found

    async def _work(
        self, phase: str, command: list[str], job: dict[str, Any], launch: _Launch
    ) -> bytes:
        """Let a program of ours do a part of a launch; what it tells. Raises WorkFailed."""
        try:
            process = launch.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise WorkFailed(phase, f"the {phase} can't be started: {error}") from error
        if launch.doomed:
            kill_group(process.pid)
        try:
            told, trouble = await asyncio.wait_for(
                process.communicate(json.dumps(job).encode()), WORK_TIMEOUT_S
            )
        except TimeoutError:
            raise WorkFailed(phase, f"the {phase} took longer than {WORK_TIMEOUT_S:g} s") from None
        finally:
            if process.returncode is None:
                kill_group(process.pid)
        if launch.doomed:
            raise WorkFailed(phase, f"killed during the {phase}")
        if process.returncode != 0:
            lines = trouble.decode(errors="replace").strip().splitlines()
            reason = told.decode(errors="replace") or (lines[-1] if lines else "no reason given")
            raise WorkFailed(phase, reason)
        return told

    # --- signals and ends ----------------------------------------------------------------

    async def signal(self, node: World, effect: SignalContainer, cause: str | None) -> None:
        """Signal every process of a container, or its first one."""
        request = {"op": "signal", "container": effect.container, "signal": effect.signal}
        if effect.leader_only:
            request["leader"] = True
        with contextlib.suppress(SupervisorGone):
            await self._supervision.ask(request)

    async def destroy(self, node: World, effect: DestroyContainer, cause: str | None) -> None:
        """Kill a container that runs or starts; forget one that has ended."""
        name = effect.container
        launch = self._launching.get(name)
        if launch is not None:
            launch.doomed = True
            if launch.process is not None and launch.process.returncode is None:
                kill_group(launch.process.pid)
        alive = launch is not None or name in self._running
        operation = "destroy" if alive else "forget"
        with contextlib.suppress(SupervisorGone):
            await self._supervision.ask({"op": operation, "container": name})
        if not alive:
            self._forget_files(name)

    def _forget_files(self, name: str) -> None:
        self._causes.pop(name, None)
        (self._plans / f"{name}.json").unlink(missing_ok=True)
        plans.remove_bundle(self.runtime_dir, name)

    def _container_exited(self, record: dict[str, Any]) -> None:
        name = record["container"]
        launch = self._launching.get(name)
        if launch is not None:
            launch.exited = record  # it ended before its start was told: one after the other
            return
        self._running.pop(name, None)
        limited = self._limitation(record)
        message = limited.message
        if not message and record["status"] is None:
            message = "nobody saw the container end"
        if self._world is not None:
            event = ContainerExited(
                name, record["status"], limited.kind, message, limited.amount_mib
            )
            self._world.deliver(event, self._causes.get(name))

    def _limitation(self, record: dict[str, Any]) -> Limitation:
        """Why a container was ended by its limits: as the kernel tells, or as we have decided."""
        limited = judge_memory(record.get("memory") or {})
        if not limited.kind:
            kept = read_record(self._plans / f"{record['container']}.json") or {}
            limited = Limitation(*kept.get("limited", ()))
        return limited

    async def limit(self, name: str, limited: Limitation) -> None:
        """End a container that has passed a limit; the reason survives a restart of the agent."""
        path = self._plans / f"{name}.json"
        kept = read_record(path)
        if kept is None or name not in self._running:
            return
        write_aside(path, {**kept, "limited": list(limited)})
        with contextlib.suppress(SupervisorGone):
            await self._supervision.ask({"op": "destroy", "container": name})

    def kept(self, name: str) -> dict[str, Any]:
        """What is remembered of a container's plan; empty if it is not known."""
        return read_record(self._plans / f"{name}.json") or {}

    async def update(self, node: World, effect: UpdateContainer, cause: str | None) -> None:
        """Change the limits of a running container (OCI only; posix enforces none)."""
        kept = read_record(self._plans / f"{effect.container}.json")
        if kept is None or not kept.get("execute"):
            return
        no_limit = -1
        quota = no_limit if effect.cpu_quota_us is None else effect.cpu_quota_us
        memory = no_limit if effect.mem_bytes is None else effect.mem_bytes
        command = [
            *kept["execute"][:-1], "update", f"--cpu-share={effect.cpu_shares}",
            f"--cpu-quota={quota}", f"--memory-reservation={effect.mem_soft_bytes}",
            f"--memory={memory}", effect.container,
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()

    # --- recovery ------------------------------------------------------------------------

    async def connect(self) -> dict[str, Any]:
        """Reach the supervisor, starting one if needed; tells ends that were missed."""
        async with self._connecting:
            hello = await self._supervision.open()
        for name, record in hello["exited"].items():
            if name in self._running and record is not None:
                self._container_exited({"container": name, **record})
        for name in [each for each in self._running if each not in hello["running"]]:
            self._container_exited({"container": name, "status": None, "memory": {}})
        return hello

    def close(self) -> None:
        """Leave the containers to the supervisor."""
        self._supervision.close()

    async def keep_connected(self) -> None:
        """Come back whenever the supervisor is gone; runs as long as the agent."""
        while True:
            await self._supervision.closed()
            with contextlib.suppress(SupervisorGone):
                await self.connect()
            await asyncio.sleep(0.2)

    async def recover(self, node: World, effect: RecoverContainers, cause: str | None) -> None:
        """Find the known containers again; destroy all others."""
        try:
            await self._recover(node, effect, cause)
        except SupervisorGone as gone:
            node.deliver(SupervisionFailed(str(gone)), cause)
            return
        node.spawn(self.keep_connected())

    async def _recover(self, node: World, effect: RecoverContainers, cause: str | None) -> None:
        hello = await self.connect()
        known = dict.fromkeys(effect.known)
        running: dict[str, int] = {}
        exited: dict[str, int | None] = {}
        told_later = []
        for name, pid in hello["running"].items():
            if name in known:
                running[name] = self._running[name] = pid or 0
            else:
                await self._supervision.ask({"op": "destroy", "container": name})
                self._forget_files(name)
        for name, record in hello["exited"].items():
            if name not in known:
                await self._supervision.ask({"op": "forget", "container": name})
                self._forget_files(name)
            elif name not in running:
                record = record or {"status": None, "memory": {}}
                if self._limitation({"container": name, **record}).kind:
                    # The answer has no room for a limitation: it is told as an end of its own.
                    running[name] = 0
                    told_later.append({"container": name, **record})
                else:
                    exited[name] = record["status"]
        for name in known:
            if name not in running and name not in exited:
                exited[name] = None
        node.deliver(ContainersRecovered(running, exited), cause)
        for record in told_later:
            self._container_exited(record)

    async def prune_images(self, store: str, excluded: tuple[str, ...]) -> None:
        """Remove the images that no container has, but for the excluded names."""
        # Asked before the ids are gathered: what is found from now on counts as used.
        asked_at = time.time()
        keep = {launch.image for launch in self._launching.values()}
        keep |= {(read_record(path) or {}).get("image", "") for path in self._plans.glob("*.json")}
        job = {"op": "prune", "keep": sorted(keep), "excluded": excluded, "asked_at": asked_at}
        command = program("mesosphere.agent.isolation.image_store", store)
        await self._work("prune", command, job, _Launch())

    async def remove_sandbox(self, node: World, effect: RemoveSandbox, cause: str | None) -> None:
        """Delete an old sandbox off the loop."""
        await asyncio.to_thread(sandboxes.remove_sandbox, Path(effect.path))


class WorkFailed(Exception):
    """A launch failed in `phase`; the message is the reason."""

    def __init__(self, phase: str, reason: str) -> None:
        super().__init__(reason)
        self.phase = phase
