"""A Chronos machine with a world made of lists: a store, a master's mouth and ear."""

import base64
import json
from typing import Any

import msgspec

from mesosphere.chronos.api import api
from mesosphere.chronos.core.machine import ChronosConfig, ChronosMachine
from mesosphere.framework.client import STREAM, ClientConfig
from mesosphere.kernel.effects import (
    Call,
    Commit,
    Connect,
    Effect,
    Halt,
    Load,
    Reply,
    SetTimer,
)
from mesosphere.kernel.events import (
    CallAnswered,
    Committed,
    Connected,
    Disconnected,
    Event,
    LeaderChanged,
    Loaded,
    Received,
    TimerFired,
)
from mesosphere.kernel.http import Request, Response
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.store import Check, Put, Remove
from mesosphere.wire.mesos import FrameworkInfo

START = 1_700_000_000.0
MASTER = "master:5050"


class World:
    """Performs what the machine asks for; the test reads `calls`, `replies` and moves time."""

    def __init__(self, store: dict[str, tuple[bytes, int]] | None = None, **config: Any) -> None:
        info = FrameworkInfo(user="root", name="chronos", role="*", checkpoint=True)
        self.machine = ChronosMachine(
            ChronosConfig(
                client=ClientConfig(master=MASTER, info=info), identity="here:4400", **config
            ),
            IdSource(b"seed"),
        )
        self.api = api(self.machine)
        self.store = store if store is not None else {}
        self.now = START
        self.calls: list[dict[str, Any]] = []
        self.sent: list[Call] = []
        self.replies: dict[str, Response] = {}
        self.timers: dict[str, float] = {}
        self.halted: Halt | None = None
        self.holding_commits = False
        self.held: list[Commit] = []
        self.inbox: list[Event] = []
        self.stepping = False
        self._offers = 0
        self._requests = 0
        self.perform(self.machine.start(self.now))

    # --- the world's side ---------------------------------------------------------------------

    def give(self, event: Event) -> None:
        """Deliver an event; one that an effect led to waits until the step is over."""
        self.inbox.append(event)
        if self.stepping:
            return
        self.stepping = True
        while self.inbox:
            self.perform(self.machine.handle(self.now, self.inbox.pop(0)))
        self.stepping = False

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Load):
                self.give(Loaded(effect.token, dict(self.store)))
            elif isinstance(effect, Commit):
                if self.holding_commits:
                    self.held.append(effect)
                else:
                    self.commit(effect)
            elif isinstance(effect, Call):
                self.sent.append(effect)
                self.calls.append(json.loads(effect.body))
                self.give(CallAnswered(effect.call, 202, {}, b""))
            elif isinstance(effect, Reply):
                self.replies[effect.request] = effect.response
            elif isinstance(effect, SetTimer):
                self.timers[effect.name] = self.now + effect.delay_s
            elif isinstance(effect, Connect):
                self.give(Connected(STREAM, 200, {"mesos-stream-id": "s"}))
                self.say(
                    {"type": "SUBSCRIBED", "subscribed": {"framework_id": {"value": "F-0000"}}}
                )
            elif isinstance(effect, Halt):
                self.halted = effect

    def commit(self, commit: Commit) -> None:
        versions: dict[str, int] = {}
        for write in commit.writes:
            if isinstance(write, Check):
                assert self.store[write.path][1] == write.version
            elif isinstance(write, Put):
                version = self.store[write.path][1] + 1 if write.path in self.store else 0
                self.store[write.path] = (write.data, version)
                versions[write.path] = version
            elif isinstance(write, Remove):
                self.store.pop(write.path, None)
        self.perform(list(commit.then))
        self.give(Committed(commit.token, versions))

    def disconnect(self) -> None:
        self.give(Disconnected(STREAM, "cut"))

    def say(self, record: dict[str, Any]) -> None:
        self.give(Received(STREAM, json.dumps(record).encode()))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = sorted((at, name) for name, at in self.timers.items() if at <= end)
            if not due:
                break
            at, name = due[0]
            del self.timers[name]
            self.now = max(self.now, at)
            self.give(TimerFired(name))
        self.now = end

    # --- steps of a story ---------------------------------------------------------------------

    def lead(self) -> "World":
        self.give(LeaderChanged("/candidate", b"here:4400", mine=True))
        address = {"ip": "127.0.0.1", "hostname": "master", "port": 5050}
        self.give(LeaderChanged(MASTER, json.dumps({"address": address}).encode()))
        return self

    def ask(
        self, method: str, path: str, body: Any = None, query: dict[str, list[str]] | None = None
    ) -> Response:
        encoded = b"" if body is None else msgspec.json.encode(body)
        headers = {"content-type": "application/json"}
        return self.send(method, path, encoded, query or {}, headers)

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        query: dict[str, list[str]],
        headers: dict[str, str],
    ) -> Response:
        self._requests += 1
        request = Request(
            id=f"r{self._requests}",
            method=method,
            path=path,
            query=query,
            headers=headers,
            body=body,
        )
        answer = self.api.dispatch(self.now, request)
        if isinstance(answer, Response):
            return answer
        self.give(answer)
        return self.replies.get(request.id, Response(0))

    def submit(self, name: str, **job: Any) -> Response:
        kind = "dependency" if "parents" in job else "iso8601"
        document = {"name": name, "command": "true", **job}
        return self.ask("POST", f"/v1/scheduler/{kind}", document)

    def offer(self, cpus: float = 4, mem: float = 4096, disk: float = 9999, **extra: Any) -> str:
        self._offers += 1
        offer_id = f"O{self._offers}"
        resources = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": "*"}
            for name, value in (("cpus", cpus), ("mem", mem), ("disk", disk))
        ]
        offer = {
            "id": {"value": offer_id},
            "framework_id": {"value": "F-0000"},
            "agent_id": {"value": "S0"},
            "hostname": "agent0",
            "resources": resources,
            **extra,
        }
        self.say({"type": "OFFERS", "offers": {"offers": [offer]}})
        return offer_id

    def launched(self) -> list[dict[str, Any]]:
        return [
            task
            for call in self.calls
            if call["type"] == "ACCEPT"
            for operation in call["accept"]["operations"]
            for task in operation["launch"]["task_infos"]
        ]

    def update(self, task: dict[str, Any], state: str, source: str = "SOURCE_EXECUTOR") -> None:
        status = {
            "task_id": task["task_id"],
            "state": state,
            "source": source,
            "agent_id": task["agent_id"],
            "uuid": uuid_of(state),
        }
        self.say({"type": "UPDATE", "update": {"status": status}})

    def run(self, state: str = "TASK_FINISHED") -> dict[str, Any]:
        """Offer, launch, run and end the next task."""
        before = len(self.launched())
        self.offer()
        tasks = self.launched()
        assert len(tasks) == before + 1, self.machine.book.queue()
        self.update(tasks[-1], "TASK_RUNNING")
        self.update(tasks[-1], state)
        return tasks[-1]

    def job(self, name: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/v1/scheduler/job/{name}")
        assert answer.status == 200
        body = answer.body
        assert isinstance(body, bytes)
        return dict(json.loads(body))

    def types(self) -> list[str]:
        return [call["type"] for call in self.calls]


def uuid_of(state: str) -> str:
    """The uuid of a task's update in this state."""
    return base64.b64encode(state.encode().ljust(16, b"_")[:16]).decode()
