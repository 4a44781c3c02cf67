"""Everything in `application/x-protobuf` over real sockets, by Google's runtime: a scheduler, an
operator, an executor, against a master and an agent as processes.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import AgentProcess
from tests.integration.google_protobuf import MEDIA, Peer, Stream, compile_messages, name_of
from tests.integration.test_agent_with_master import MasterProcess
from tests.integration.test_foreign_framework import is_open, wait_for

EXECUTOR = Path(__file__).parent / "executors" / "protobuf_executor.py"


class World:
    """A master and an agent, with peers that speak protobuf."""

    def __init__(self, directory: Path) -> None:
        self.compiled = directory / "all.pb"
        compile_messages(self.compiled)
        self.master = MasterProcess(directory / "master")
        address = f"127.0.0.1:{self.master.port}"
        self.agent = AgentProcess(directory / "agent", address, "--isolation=posix")

    def is_leading(self) -> bool:
        health = self.operator().message("Call", type="GET_HEALTH")
        return is_open(self.master.port) and self.operator().post(health).status == 200

    def operator(self) -> Peer:
        return Peer(self.compiled, "mesos.v1.master", self.master.port)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    try:
        found.master.start()
        wait_for(found.is_leading)
        yield found
    finally:
        found.agent.clean()
        found.master.end(signal.SIGTERM)


class Scheduler:
    """A framework that acknowledges what it hears."""

    def __init__(self, world: World) -> None:
        port = world.master.port
        self.peer = Peer(world.compiled, "mesos.v1.scheduler", port, "/api/v1/scheduler")
        info = {
            "user": "root", "name": "protobuf", "failover_timeout": 60.0, "roles": ["*"],
            "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
        }  # fmt: skip
        call = self.peer.message("Call", type="SUBSCRIBE", subscribe={"framework_info": info})
        self.events = self.peer.subscribe(call)
        self.id = self.events.next("SUBSCRIBED").subscribed.framework_id
        self.events.next("HEARTBEAT")

    def tell(self, kind: str, **body: Any) -> None:
        self.peer.tell(self.peer.message("Call", type=kind, framework_id=self.id, **body))

    def launch(self, name: str, **changes: Any) -> Any:
        """The agent that the task goes to."""
        [offer, *_] = self.events.next("OFFERS").offers.offers
        task = {
            "name": name, "task_id": {"value": name}, "agent_id": offer.agent_id,
            "resources": resources(), **changes,
        }  # fmt: skip
        operation = {"type": "LAUNCH", "launch": {"task_infos": [task]}}
        accept = {
            "offer_ids": [offer.id], "operations": [operation], "filters": {"refuse_seconds": 0.0},
        }  # fmt: skip
        self.tell("ACCEPT", accept=accept)
        return offer.agent_id

    def update(self, state: str) -> Any:
        """Acknowledge updates until one has this state."""
        while True:
            status = self.events.next("UPDATE").update.status
            if status.uuid:
                ids = {"agent_id": status.agent_id, "task_id": status.task_id}
                self.tell("ACKNOWLEDGE", acknowledge={**ids, "uuid": status.uuid})
            names = status.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number
            if names[status.state].name == state:
                return status


def resources() -> list[dict[str, Any]]:
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        for name, value in (("cpus", 0.1), ("mem", 32.0))
    ]


def follow(operator: Peer) -> Stream:
    stream = operator.subscribe(operator.message("Call", type="SUBSCRIBE"))
    first = stream.next("SUBSCRIBED").subscribed
    assert first.heartbeat_interval_seconds == 15.0 and not first.get_state.get_agents.agents
    stream.next("HEARTBEAT")
    return stream


def test_a_scheduler_and_an_operator_live_their_lives_in_protobuf(world: World) -> None:
    operator = world.operator()
    assert operator.ask("GET_HEALTH").get_health.healthy
    events = follow(operator)
    world.agent.start()
    agent_id = events.next("AGENT_ADDED").agent_added.agent.agent_info.id
    scheduler = Scheduler(world)
    added = events.next("FRAMEWORK_ADDED").framework_added.framework
    assert (added.framework_info.id, added.framework_info.name) == (scheduler.id, "protobuf")
    assert scheduler.launch("t1", command={"value": "sleep 1000"}) == agent_id
    running = scheduler.update("TASK_RUNNING")
    assert running.agent_id == agent_id and running.container_status.executor_pid
    assert events.next("TASK_ADDED").task_added.task.task_id.value == "t1"
    assert events.next("TASK_UPDATED").task_updated.framework_id == scheduler.id
    [shown] = operator.ask("GET_STATE").get_state.get_tasks.tasks
    assert shown.task_id.value == "t1" and shown.statuses[-1].uuid == running.uuid
    on_agent = Peer(world.compiled, "mesos.v1.agent", world.agent.port)
    [launched] = on_agent.ask("GET_STATE").get_state.get_tasks.launched_tasks
    assert launched.task_id.value == "t1" and launched.framework_id == scheduler.id
    scheduler.tell("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "t1"}}]})
    known = scheduler.update("TASK_RUNNING")
    assert not known.HasField("uuid") and known.agent_id == agent_id
    scheduler.tell("KILL", kill={"task_id": {"value": "t1"}, "agent_id": agent_id})
    assert scheduler.update("TASK_KILLED").task_id.value == "t1"
    wait_for(lambda: not operator.ask("GET_TASKS").get_tasks.tasks)
    scheduler.tell("TEARDOWN")
    assert all(name_of(event) != "ERROR" for event in scheduler.events)  # the stream ends
    assert events.next("FRAMEWORK_REMOVED").framework_removed.framework_info.id == scheduler.id


def test_an_executor_speaks_protobuf(world: World) -> None:
    world.agent.start()
    scheduler = Scheduler(world)
    path = ":".join(sys.path)
    executor = {
        "type": "CUSTOM", "executor_id": {"value": "mine"}, "resources": resources(),
        "command": {
            "value": f"exec {sys.executable} -u {EXECUTOR} {world.compiled}",
            "environment": {"variables": [{"name": "PYTHONPATH", "value": path}]},
        },
    }  # fmt: skip
    agent_id = scheduler.launch("t1", executor=executor)
    assert scheduler.update("TASK_RUNNING").message == "by protobuf"
    body = {"agent_id": agent_id, "executor_id": {"value": "mine"}}
    scheduler.tell("MESSAGE", message={**body, "data": b"\x00\xff"})
    assert scheduler.events.next("MESSAGE").message.data == b"\x00\xff"
    scheduler.tell("KILL", kill={"task_id": {"value": "t1"}})
    assert scheduler.update("TASK_KILLED").message == "by protobuf"
    scheduler.tell("SHUTDOWN", shutdown=body)
    assert scheduler.events.next("FAILURE").failure.executor_id.value == "mine"


def test_what_is_no_protobuf_is_refused_and_harms_nobody(world: World) -> None:
    scheduler, operator = Scheduler(world), world.operator()
    for peer in (scheduler.peer, operator):
        answer = peer.post(b"\xff\xff\xff")
        assert answer.status == 400
        assert answer.read().startswith(b"Failed to parse body into Call protobuf")
    answer = operator.post(operator.message("Call", type="GET_HEALTH"), Accept="text/html")
    assert answer.status == 406
    answer = operator.post(operator.message("Call", type="GET_HEALTH"), Accept="application/json")
    assert answer.read() == b'{"type":"GET_HEALTH","get_health":{"healthy":true}}'
    answer = operator.post(b'{"type": "GET_HEALTH"}', **{"Content-Type": "application/json"})
    assert answer.headers["Content-Type"] == MEDIA
    assert operator.message("Response").FromString(answer.read()).get_health.healthy
    scheduler.tell("TEARDOWN")
