"""Those who speak with a master under test: a framework and an agent, by their wire forms."""

from typing import Any

from mesosphere.kernel.http import Response
from tests.scenarios.master.world import Stream, World, encoded

AGENT_CAPABILITIES = (
    "MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT", "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK", "AGENT_DRAINING",
)  # fmt: skip
RUNNING, FINISHED, KILLED = "TASK_RUNNING", "TASK_FINISHED", "TASK_KILLED"


def scalar(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def resources(cpus: float = 1.0, mem: float = 128.0) -> list[dict[str, Any]]:
    return [scalar("cpus", cpus), scalar("mem", mem)]


def task(task_id: str, agent: "AgentPeer", **changes: Any) -> dict[str, Any]:
    """A TaskInfo."""
    return {
        "name": task_id, "task_id": {"value": task_id}, "agent_id": {"value": agent.id},
        "resources": resources(), "command": {"value": "sleep 1000"}, **changes,
    }  # fmt: skip


class FrameworkPeer:
    """A framework. `call` is refused by an assertion unless the master takes it."""

    def __init__(self, world: World, *capabilities: str, id: str = "", **info: Any) -> None:
        self.world = world
        self.id = id
        self.request = ""
        self.answered: list[str] = []
        self.info = {
            "user": "nobody", "name": "test",
            "capabilities": [{"type": name} for name in capabilities], **info,
        }  # fmt: skip

    def ask(self, **subscribe: Any) -> str:
        """Send SUBSCRIBE; the request's id."""
        body: dict[str, Any] = {"type": "SUBSCRIBE"}
        info = dict(self.info)
        if self.id:
            body["framework_id"] = info["id"] = {"value": self.id}
        body["subscribe"] = {"framework_info": info, **subscribe}
        self.request = self.world.post("/api/v1/scheduler", body)
        return self.request

    def subscribe(self, **subscribe: Any) -> "FrameworkPeer":
        self.ask(**subscribe)
        assert self.stream.types()[:2] == ["SUBSCRIBED", "HEARTBEAT"], self.stream.events
        self.id = self.stream.events[0]["subscribed"]["framework_id"]["value"]
        return self

    @property
    def stream(self) -> Stream:
        return self.world.streams[self.request]

    def try_call(self, kind: str, headers: dict[str, str] | None = None, **body: Any) -> Response:
        """A call of any outcome."""
        if headers is None:
            headers = {"mesos-stream-id": self.stream.headers["Mesos-Stream-Id"]}
        call = {"type": kind, "framework_id": {"value": self.id}, **body}
        return self.world.answers[self.world.post("/api/v1/scheduler", call, headers)]

    def call(self, kind: str, **body: Any) -> None:
        response = self.try_call(kind, **body)
        assert response.status == 202, response

    # --- offers ----------------------------------------------------------------------------

    def offers(self) -> list[dict[str, Any]]:
        """Offers that came and are neither answered nor rescinded."""
        rescinded = [body["offer_id"]["value"] for body in self.stream.of("RESCIND")]
        rescinded += self.answered
        return [
            offer
            for body in self.stream.of("OFFERS")
            for offer in body["offers"]
            if offer["id"]["value"] not in rescinded
        ]

    def offer(self) -> dict[str, Any]:
        """The newest, which must be there."""
        self.world.wait(0.1)
        return self.offers()[-1]

    def accept(
        self, offer: dict[str, Any], *tasks: dict[str, Any], refuse_s: float | None = None
    ) -> None:
        operations = [{"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}]
        self.operate([offer["id"]["value"]], operations, refuse_s)

    def operate(
        self, offer_ids: list[str], operations: list[Any], refuse_s: float | None = None
    ) -> None:
        self.answered += offer_ids
        body: dict[str, Any] = {
            "offer_ids": [{"value": each} for each in offer_ids], "operations": operations,
        }  # fmt: skip
        if refuse_s is not None:
            body["filters"] = {"refuse_seconds": refuse_s}
        self.call("ACCEPT", accept=body)

    def decline(self, offer: dict[str, Any], refuse_s: float | None = None) -> None:
        self.answered.append(offer["id"]["value"])
        body: dict[str, Any] = {"offer_ids": [offer["id"]]}
        if refuse_s is not None:
            body["filters"] = {"refuse_seconds": refuse_s}
        self.call("DECLINE", decline=body)

    def launch(self, agent: "AgentPeer", task_id: str = "t1", **changes: Any) -> None:
        """A task on the newest offer, the rest of which comes back at once."""
        self.accept(self.offer(), task(task_id, agent, **changes), refuse_s=0)

    # --- updates ---------------------------------------------------------------------------

    def updates(self, task_id: str = "t1") -> list[dict[str, Any]]:
        return [
            body["status"]
            for body in self.stream.of("UPDATE")
            if body["status"]["task_id"]["value"] == task_id
        ]

    def states(self, task_id: str = "t1") -> list[str]:
        return [status["state"] for status in self.updates(task_id)]

    def acknowledge(self, status: dict[str, Any]) -> None:
        self.call("ACKNOWLEDGE", acknowledge={
            "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"],
        })  # fmt: skip

    def reconcile(self, *tasks: tuple[str, str | None]) -> list[dict[str, Any]]:
        """RECONCILE; the statuses that come at once."""
        before = len(self.stream.of("UPDATE"))
        asked: list[dict[str, Any]] = [{"task_id": {"value": name}} for name, _ in tasks]
        for entry, (_, agent) in zip(asked, tasks, strict=True):
            if agent is not None:
                entry["agent_id"] = {"value": agent}
        self.call("RECONCILE", reconcile={"tasks": asked})
        return [body["status"] for body in self.stream.of("UPDATE")[before:]]


class AgentPeer:
    """An agent. Its host names it; its address is its own."""

    def __init__(
        self, world: World, host: str = "a", id: str = "", cpus: float = 4, mem: float = 1024
    ) -> None:
        self.world = world
        self.id = id
        self.peer = f"10.1.0.{ord(host[0])}"
        self.request = ""
        self.count = 0
        self.answers_pings = True
        world.when_pinged.append(self.pong)
        self.info: dict[str, Any] = {
            "hostname": host, "port": 5051,
            "resources": [*resources(cpus, mem), {
                "name": "ports", "type": "RANGES",
                "ranges": {"range": [{"begin": 31000, "end": 31999}]},
            }],
        }  # fmt: skip

    def ask(self, **report: Any) -> str:
        """Send SUBSCRIBE; the request's id."""
        info = {**self.info, "id": {"value": self.id}} if self.id else self.info
        body = {"type": "SUBSCRIBE", "subscribe": {
            "agent_info": info, "version": "1.11.0",
            "capabilities": [{"type": name} for name in AGENT_CAPABILITIES], **report,
        }}  # fmt: skip
        self.request = self.world.post("/api/v1/agent", body, peer=self.peer)
        return self.request

    def subscribe(self, **report: Any) -> "AgentPeer":
        self.ask(**report)
        assert self.stream.types()[0] == "SUBSCRIBED", self.stream.events
        self.id = self.stream.events[0]["subscribed"]["agent_id"]["value"]
        return self

    @property
    def stream(self) -> Stream:
        return self.world.streams[self.request]

    def move_to(self, world: World) -> None:
        """Another master leads now."""
        self.world = world
        world.when_pinged.append(self.pong)

    def pong(self) -> None:
        """Answer a ping, if there is a stream that it came on."""
        stream = self.world.streams.get(self.request)
        if self.answers_pings and stream is not None and stream.is_open:
            self.call("PONG")

    def try_call(self, kind: str, **body: Any) -> Response:
        headers = {"mesos-stream-id": self.stream.headers["Mesos-Stream-Id"]}
        call = {"type": kind, "agent_id": {"value": self.id}, **body}
        return self.world.answers[self.world.post("/api/v1/agent", call, headers, self.peer)]

    def call(self, kind: str, **body: Any) -> None:
        response = self.try_call(kind, **body)
        assert response.status == 202, response

    def status(self, task_id: str, state: str, uuid: bytes = b"") -> dict[str, Any]:
        self.count += 1
        return {
            "task_id": {"value": task_id}, "state": state, "source": "SOURCE_EXECUTOR",
            "uuid": encoded(uuid or self.count.to_bytes(16, "big")), "timestamp": self.world.now,
        }  # fmt: skip

    def update(
        self,
        framework: FrameworkPeer,
        task_id: str,
        state: str,
        latest: str | None = None,
        **changes: Any,
    ) -> None:
        status = {**self.status(task_id, state), **changes}
        body: dict[str, Any] = {"framework_id": {"value": framework.id}, "status": status}
        if latest is not None:
            body["latest_state"] = latest
        self.call("UPDATE", update=body)

    def answer_operation(
        self, applied: dict[str, Any], state: str = "OPERATION_FINISHED", uuid: bytes = b""
    ) -> dict[str, Any]:
        """How an operation of an APPLY_OPERATION went; the status that was sent."""
        self.count += 1
        value = encoded(uuid or self.count.to_bytes(16, "big"))
        status = {"state": state, "uuid": {"value": value}}
        self.call("UPDATE_OPERATION", update_operation={
            "operation_uuid": applied["operation_uuid"], "status": status,
        })  # fmt: skip
        return status

    def report(
        self,
        framework: FrameworkPeer,
        task_id: str = "t1",
        state: str = RUNNING,
        unacknowledged: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What it says of a task when it subscribes again."""
        entry: dict[str, Any] = {"task": {
            "name": task_id, "task_id": {"value": task_id}, "agent_id": {"value": self.id},
            "framework_id": {"value": framework.id}, "state": state, "resources": resources(),
        }}  # fmt: skip
        if unacknowledged is not None:
            entry["unacknowledged"] = unacknowledged
        return entry

    def framework(self, peer: FrameworkPeer) -> dict[str, Any]:
        """What it says of a framework when it subscribes again."""
        return {**peer.info, "id": {"value": peer.id}}


def started(**changes: Any) -> tuple[World, FrameworkPeer, AgentPeer]:
    """A leader with a PARTITION_AWARE framework and an agent."""
    world = World(**changes).lead()
    framework = FrameworkPeer(world, "PARTITION_AWARE", failover_timeout=100.0).subscribe()
    return world, framework, AgentPeer(world).subscribe()


def running(**changes: Any) -> tuple[World, FrameworkPeer, AgentPeer]:
    """The same, with the task t1 running and acknowledged."""
    world, framework, agent = started(**changes)
    framework.launch(agent)
    agent.update(framework, "t1", RUNNING)
    framework.acknowledge(framework.updates()[-1])
    return world, framework, agent
