"""A master of one agent for tests, speaking the link over a real socket; the agent as a process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from mesosphere.agent.isolation.starting import connect
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import codec, link
from mesosphere.wire.mesos.agents import MasterInfo
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, FrameworkID, TaskID
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import ExecutorInfo, TaskGroupInfo, TaskInfo, TaskStatus

DEADLINE_S = 90.0 * float(os.environ.get("TEST_PATIENCE", "1"))
"""An emulated machine is given more."""
FRAMEWORK = "m-0001"
AGENT = "m-S1"
LIBRARIES = ":".join(["src", *(path for path in sys.path if path.endswith("site-packages"))])


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port


async def wait_for(condition: Callable[[], Any], what: str = "") -> Any:
    until = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        value = condition()
        if value:
            return value
        assert asyncio.get_running_loop().time() < until, f"waited in vain: {what}"
        await asyncio.sleep(0.03)


class FakeMaster:
    """Admits the agent, acknowledges updates, and remembers what it was told."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[link.Call] = []
        self.subscriptions: list[link.Subscribe] = []
        self.stream: web.StreamResponse | None = None
        self.acknowledging = True
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_post(link.PATH, self._post)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        assert self._runner.addresses
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            self.stream = None
            await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        call = codec.decode(await request.read(), link.Call)
        self.calls.append(call)
        if call.type != "SUBSCRIBE":
            if call.update is not None and self.acknowledging and self.stream is not None:
                await self.acknowledge(call.update.status)
            return web.Response(status=202)
        assert call.subscribe is not None
        stream = web.StreamResponse(headers={"Mesos-Stream-Id": f"s{len(self.subscriptions)}"})
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        self.stream = stream
        self.subscriptions.append(call.subscribe)
        master = MasterInfo(id="m", ip=16777343, port=self.port, hostname="localhost")
        await self.say("SUBSCRIBED", subscribed=link.Subscribed(
            agent_id=AgentID(AGENT), master_info=master, ping_timeout_s=75.0))  # fmt: skip
        while self.stream is stream and request.transport is not None:
            await asyncio.sleep(0.05)
        return stream

    async def say(self, kind: str, **body: Any) -> None:
        assert self.stream is not None
        record = codec.encode(link.Event(type=kind, **body))
        await self.stream.write(str(len(record)).encode() + b"\n" + record)

    async def run(self, task_id: str, script: str, **changes: Any) -> None:
        framework = FrameworkInfo(
            user=changes.pop("user", "root" if os.geteuid() == 0 else ""), name="test",
            id=FrameworkID(FRAMEWORK), checkpoint=changes.pop("checkpoint", True),
            capabilities=[FrameworkCapability(type="PARTITION_AWARE")],
        )  # fmt: skip
        command = CommandInfo(value=script, uris=changes.pop("uris", []))
        mem = changes.pop("mem", 64)
        task = TaskInfo(
            name=task_id, task_id=TaskID(task_id), agent_id=AgentID(AGENT), command=command,
            resources=to_wire(Resources.of(cpus=0.2, mem=mem)), **changes,
        )  # fmt: skip
        await self.say("RUN_TASK", run_task=link.RunTask(framework_info=framework, task=task))

    async def run_group(self, executor: ExecutorInfo, tasks: list[TaskInfo]) -> None:
        framework = FrameworkInfo(
            user="root" if os.geteuid() == 0 else "", name="test", id=FrameworkID(FRAMEWORK),
            checkpoint=True, capabilities=[FrameworkCapability(type="PARTITION_AWARE")],
        )  # fmt: skip
        await self.say("RUN_TASK_GROUP", run_task_group=link.RunTaskGroup(
            framework_info=framework, executor=executor,
            task_group=TaskGroupInfo(tasks=tasks)))  # fmt: skip

    async def kill(self, task_id: str) -> None:
        await self.say("KILL_TASK", kill_task=link.KillTask(
            framework_id=FrameworkID(FRAMEWORK), task_id=TaskID(task_id)))  # fmt: skip

    async def acknowledge(self, status: TaskStatus) -> None:
        await self.say("ACKNOWLEDGE", acknowledge=link.Acknowledge(
            framework_id=FrameworkID(FRAMEWORK), task_id=status.task_id,
            uuid=status.uuid or b""))  # fmt: skip

    def updates(self, task_id: str) -> list[TaskStatus]:
        seen: dict[bytes, TaskStatus] = {}
        for call in self.calls:
            if call.update is not None and call.update.status.task_id.value == task_id:
                seen.setdefault(call.update.status.uuid or b"", call.update.status)
        return list(seen.values())

    def states(self, task_id: str) -> list[str]:
        return [status.state for status in self.updates(task_id)]

    async def wait_state(self, task_id: str, state: str) -> TaskStatus:
        def found() -> TaskStatus | None:
            return next((each for each in self.updates(task_id) if each.state == state), None)

        status: TaskStatus = await wait_for(found, f"{task_id} {state}: {self.updates(task_id)}")
        return status


class AgentProcess:
    """`mesosphere agent` as a process of its own, cleaned up with all its containers."""

    def __init__(self, work_dir: Path, master: str, *flags: str) -> None:
        self.work_dir = work_dir
        self.port = free_port()
        self.master = master
        self.flags = flags
        self.interpreter: tuple[str, ...] = (sys.executable,)
        self.libraries = LIBRARIES
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.work_dir.mkdir(parents=True, exist_ok=True)
        command = [
            *self.interpreter, "-m", "mesosphere", "agent", f"--master={self.master}",
            "--ip=127.0.0.1", f"--port={self.port}", f"--work_dir={self.work_dir}",
            "--registration_backoff_factor=100ms", f"--cgroups_root=mesos-test-{os.getpid()}",
            "--resources=cpus:4;mem:4096;disk:1000", *self.flags,
        ]  # fmt: skip
        with (self.work_dir / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": self.libraries}
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def log(self) -> str:
        return (self.work_dir / "agent.log").read_text(errors="replace")

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def get_json(self, path: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)

    async def call(self, body: dict[str, Any]) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.port}/api/v1", json=body) as answer,
        ):
            text = await answer.read()
            return answer.status, text

    def clean(self) -> None:
        """End the agent, every container and the supervisor."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        try:
            connection = connect(self.work_dir / "run" / "supervisor")
        except OSError:
            return
        connection.settimeout(30)
        stream = connection.makefile("rwb")
        number = 0

        def ask(**request: Any) -> Any:
            nonlocal number
            number += 1
            stream.write(codec.encode({"id": number, **request}) + b"\n")
            stream.flush()
            import json

            while (answer := json.loads(stream.readline())).get("id") != number:
                pass
            return answer

        import time

        until = time.monotonic() + 30
        while (hello := ask(op="hello"))["running"] and time.monotonic() < until:
            for name in hello["running"]:
                ask(op="destroy", container=name)
            time.sleep(0.05)
        connection.close()
        os.kill(hello["pid"], signal.SIGKILL)
        for place in Path("/sys/fs/cgroup").glob(f"*/mesos-test-{os.getpid()}"):
            place.rmdir()
