"""A framework as those written for Mesos speak.

Blocking sockets, one connection for the stream with `Connection: close`, one kept alive for calls
without `Accept`, operator calls to /api/v1/operator, 503 as a reason to try again.
"""

import http.client
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import AgentProcess
from tests.integration.test_agent_with_master import MasterProcess

from mesosphere.wire import recordio

DEADLINE_S = 90.0


def wait_for(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return value


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MasterProcess]:
    """A master and an agent without containers."""
    master = MasterProcess(tmp_path / "master")
    agent = AgentProcess(tmp_path / "agent", f"127.0.0.1:{master.port}", "--isolation=posix")
    try:
        master.start()
        agent.start()
        wait_for(lambda: is_open(master.port))
        yield master
    finally:
        agent.clean()
        master.end(signal.SIGTERM)


def is_open(port: int) -> bool:
    with socket.socket() as probing:
        return probing.connect_ex(("127.0.0.1", port)) == 0


class Scheduler:
    """A blocking scheduler."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.calls = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        self.decoder = recordio.Decoder()
        self.events: list[dict[str, Any]] = []
        self.framework_id: dict[str, str] = {}
        self.stream: http.client.HTTPResponse | None = None
        self.stream_id = ""

    def subscribe(self, **info: Any) -> None:
        framework = {"user": "root", "name": "foreign", "failover_timeout": 30, **info}
        body = {"type": "SUBSCRIBE", "subscribe": {"framework_info": framework}}
        if self.framework_id:
            body["framework_id"] = framework["id"] = self.framework_id
        self.stream = wait_for(lambda: self._try(json.dumps(body)))
        assert self.stream.status == 200
        assert self.stream.headers["Transfer-Encoding"] == "chunked"
        assert self.stream.headers["Content-Type"] == "application/json"
        self.decoder, self.events = recordio.Decoder(), []
        self.stream_id = self.stream.headers["Mesos-Stream-Id"]
        self.framework_id = self.next("SUBSCRIBED")["subscribed"]["framework_id"]
        assert self.next("HEARTBEAT") == {"type": "HEARTBEAT"}

    def _try(self, body: str) -> http.client.HTTPResponse | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", "/api/v1/scheduler", body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        return None if answer.status == 503 else answer

    def next(self, kind: str) -> dict[str, Any]:
        """The next event of a kind; others wait."""
        assert self.stream is not None
        while True:
            for number, event in enumerate(self.events):
                if event["type"] == kind:
                    return self.events.pop(number)
            data = self.stream.read1(65536)
            assert data, f"the stream ended before {kind}"
            data.decode("ascii")  # some clients count characters
            self.events += [json.loads(each) for each in self.decoder.feed(data)]

    def call(self, kind: str, **body: Any) -> None:
        call = {"type": kind, "framework_id": self.framework_id, **body}
        self.calls.request("POST", "/api/v1/scheduler", json.dumps(call), {
            "Content-Type": "application/json", "Mesos-Stream-Id": self.stream_id})  # fmt: skip
        answer = self.calls.getresponse()
        assert (answer.status, answer.read()) == (202, b"")

    def update(self, state: str) -> dict[str, Any]:
        """Acknowledge updates until one has this state."""
        while True:
            status: dict[str, Any] = self.next("UPDATE")["update"]["status"]
            if "uuid" in status:
                self.call("ACKNOWLEDGE", acknowledge={
                    name: status[name] for name in ("agent_id", "task_id", "uuid")})  # fmt: skip
            if status["state"] == state:
                return status

    def launch(self, name: str, command: str) -> None:
        [offer, *_] = self.next("OFFERS")["offers"]["offers"]
        info = {
            "name": name, "task_id": {"value": name}, "agent_id": offer["agent_id"],
            "command": {"value": command},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
            ],
        }  # fmt: skip
        self.call("ACCEPT", accept={
            "offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0},
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [info]}}]})  # fmt: skip


def operate(port: int, **body: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/api/v1/operator", json.dumps(body), headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status == 200, data
    return json.loads(data) if data else {}


def test_a_blocking_framework_lives_its_life(cluster: MasterProcess) -> None:
    scheduler = Scheduler(cluster.port)
    scheduler.subscribe()
    scheduler.launch("läuft", "sleep 1000")
    scheduler.update("TASK_RUNNING")
    scheduler.launch("fails", "exit 3")
    assert scheduler.update("TASK_FAILED")["message"] == "Command exited with status 3"
    scheduler.call("RECONCILE", reconcile={"tasks": []})
    known = scheduler.update("TASK_RUNNING")
    assert known["task_id"] == {"value": "läuft"} and "uuid" not in known
    old = scheduler.stream
    scheduler.subscribe(name="foreign again")  # evicts the first stream
    assert old is not None and b"Framework failed over" in old.read()
    scheduler.call("KILL", kill={"task_id": {"value": "läuft"}})
    assert scheduler.update("TASK_KILLED")["task_id"] == {"value": "läuft"}
    scheduler.call("TEARDOWN")
    assert scheduler.stream is not None
    while scheduler.stream.read1(65536):
        pass
    [gone] = operate(cluster.port, type="GET_FRAMEWORKS")["get_frameworks"]["completed_frameworks"]
    assert gone["framework_info"]["name"] == "foreign again"
    assert operate(cluster.port, type="GET_TASKS")["get_tasks"].get("tasks", []) == []
