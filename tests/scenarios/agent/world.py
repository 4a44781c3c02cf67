"""A hand-cranked world around one agent's machine: disk, timers, calls, containers, a master."""

from typing import Any, TypeVar

import msgspec

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.machine import AgentMachine
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import codec, link
from mesosphere.wire.mesos.agents import MasterInfo
from mesosphere.wire.mesos.commands import CommandInfo, KillPolicy
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, FrameworkID, TaskID
from mesosphere.wire.mesos.resources_codec import to_wire
from mesosphere.wire.mesos.tasks import TaskInfo, TaskStatus

E = TypeVar("E", bound=do.Effect)
AGENT = "m-S1"
FRAMEWORK = "m-0001"
MASTER = MasterInfo(id="m", ip=16777343, port=5050, hostname="master")
LEADER = b'{"address":{"ip":"127.0.0.1","port":5050},"id":"m"}'
HOST = Host(isolation="posix", reason="test", work_dir="/w", runtime_dir="/w/run")


def make_config(**changes: Any) -> AgentConfig:
    config = AgentConfig(
        master="zk://h/mesos", hostname="agent", ip="127.0.0.1", port=5051, version="1.11.0",
        host=HOST, resources=Resources.of(cpus=4, mem=4096, disk=1000, ports=[(31000, 32000)]),
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def make_framework(*capabilities: str, **changes: Any) -> FrameworkInfo:
    return FrameworkInfo(
        **{
            "user": "root", "name": "test", "id": FrameworkID(FRAMEWORK), "checkpoint": True,
            "capabilities": [FrameworkCapability(type=name) for name in capabilities], **changes,
        }
    )  # fmt: skip


def make_task(task_id: str = "t1", **changes: Any) -> TaskInfo:
    return TaskInfo(
        **{
            "name": task_id, "task_id": TaskID(task_id), "agent_id": AgentID(AGENT),
            "resources": to_wire(Resources.of(cpus=1, mem=128)),
            "command": CommandInfo(value="sleep 1000"), **changes,
        }
    )  # fmt: skip


class World:
    """Performs effects in memory and remembers them."""

    def __init__(
        self,
        files: dict[str, bytes] | None = None,
        unreadable: dict[str, str] | None = None,
        **changes: Any,
    ) -> None:
        self.files = dict(files or {})
        self.now = 1000.0
        self.timers: dict[str, float] = {}
        self.log: list[do.Effect] = []
        self.machine = AgentMachine(
            make_config(**changes), IdSource(b"seed"), self.files, (), unreadable or {}
        )
        self.step: list[do.Effect] = []
        self.perform(self.machine.start(self.now))

    # --- effects -------------------------------------------------------------------------

    def perform(self, effects: list[do.Effect] | tuple[do.Effect, ...]) -> None:
        for effect in effects:
            self.step.append(effect)
            self.log.append(effect)
            if isinstance(effect, do.Checkpoint):
                old = self.files.get(effect.path, b"") if effect.append else b""
                self.files[effect.path] = old + effect.data
                self.perform(effect.then)
            elif isinstance(effect, do.SetAsideCheckpoint):
                if effect.path in self.files:
                    self.files[effect.path + ".damaged"] = self.files.pop(effect.path)
            elif isinstance(effect, do.RemoveCheckpoint):
                for path in list(self.files):
                    if path == effect.path or path.startswith(effect.path + "/"):
                        del self.files[path]
            elif isinstance(effect, do.SetTimer):
                self.timers[effect.name] = self.now + effect.delay_s
            elif isinstance(effect, do.CancelTimer):
                self.timers.pop(effect.name, None)

    def give(self, event: on.Event) -> list[do.Effect]:
        self.step = []
        self.perform(self.machine.handle(self.now, event))
        return self.step

    def wait(self, seconds: float) -> None:
        """Let time pass, firing timers in order."""
        until = self.now + seconds
        while due := [(at, name) for name, at in self.timers.items() if at <= until]:
            at, name = min(due)
            del self.timers[name]
            self.now = max(self.now, at)
            self.give(on.TimerFired(name))
        self.now = until

    def found(self, kind: type[E]) -> list[E]:
        return [each for each in self.log if isinstance(each, kind)]

    def forget_log(self) -> None:
        self.log.clear()

    # --- the master ----------------------------------------------------------------------

    def recover(
        self, running: dict[str, int] | None = None, exited: dict[str, int | None] | None = None
    ) -> None:
        self.give(on.ContainersRecovered(running or {}, exited or {}))

    def register(self) -> link.Call:
        """Detect, subscribe, be admitted; the SUBSCRIBE that was sent."""
        self.give(on.LeaderChanged("zk://h/mesos", LEADER))
        self.wait(60)
        return self.admit()

    def admit(self) -> link.Call:
        connect = self.found(do.Connect)[-1]
        self.give(on.Connected("master", 200, {"mesos-stream-id": "s1"}))
        self.say("SUBSCRIBED", subscribed=link.Subscribed(
            agent_id=AgentID(AGENT), master_info=MASTER, ping_timeout_s=75.0))  # fmt: skip
        self.wait(0)
        return codec.decode(connect.body, link.Call)

    def say(self, kind: str, **body: Any) -> list[do.Effect]:
        event = link.Event(type=kind, **body)
        return self.give(on.Received("master", codec.encode(event)))

    def run(self, task: TaskInfo, framework: FrameworkInfo | None = None) -> str:
        """RUN_TASK; the container that is launched ("" if none)."""
        before = len(self.found(do.LaunchContainer))
        info = framework or make_framework("PARTITION_AWARE", "TASK_KILLING_STATE")
        self.say("RUN_TASK", run_task=link.RunTask(framework_info=info, task=task))
        launches = self.found(do.LaunchContainer)
        return launches[-1].container if len(launches) > before else ""

    def kill(self, task_id: str = "t1", grace_s: float | None = None) -> list[do.Effect]:
        policy = None
        if grace_s is not None:
            policy = KillPolicy(grace_period=DurationInfo(nanoseconds=int(grace_s * 1e9)))
        return self.say("KILL_TASK", kill_task=link.KillTask(
            framework_id=FrameworkID(FRAMEWORK), task_id=TaskID(task_id),
            kill_policy=policy))  # fmt: skip

    def calls(self) -> list[link.Call]:
        return [
            codec.decode(each.body, link.Call)
            for each in self.found(do.Call)
            if each.call.startswith("master/")
        ]

    def updates(self, task_id: str = "t1") -> list[TaskStatus]:
        """Every update sent for a task, repetitions included."""
        return [
            call.update.status
            for call in self.calls()
            if call.update is not None and call.update.status.task_id.value == task_id
        ]

    def states(self, task_id: str = "t1") -> list[str]:
        return [status.state for status in self.updates(task_id)]

    def acknowledge(self, status: TaskStatus) -> list[do.Effect]:
        return self.say("ACKNOWLEDGE", acknowledge=link.Acknowledge(
            framework_id=FrameworkID(FRAMEWORK), task_id=status.task_id,
            uuid=status.uuid or b""))  # fmt: skip

    def acknowledge_all(self, task_id: str = "t1") -> list[str]:
        """Acknowledge until nothing is outstanding; the states seen."""
        seen = []
        while (stream := self.machine.state.streams.find(FRAMEWORK, task_id)) and stream.front:
            seen.append(stream.front.state)
            self.acknowledge(stream.front)
        return seen


def registered(**changes: Any) -> World:
    """An agent that has recovered nothing and is registered."""
    world = World(**changes)
    world.recover()
    world.register()
    return world
