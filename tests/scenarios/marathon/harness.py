"""A Marathon machine with a world made of lists: a store, a master, agents, a clock."""

import base64
import json
from typing import Any

import msgspec

from mesosphere.framework.client import STREAM
from mesosphere.kernel.effects import (
    Call,
    CancelTimer,
    Commit,
    Connect,
    Effect,
    EndStream,
    Halt,
    Load,
    Probe,
    Proxy,
    Reply,
    Send,
    SetTimer,
    StartStream,
)
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    CommitFailed,
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
from mesosphere.kernel.store import ABSENT, ANY, Check, Put, Remove
from mesosphere.marathon.api import api
from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.machine import MarathonMachine

START = 1_700_000_000.0
MASTER = "master:5050"
TERMINAL = (
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_UNKNOWN",
)


class World:
    """Performs what the machine asks for; tests give it offers, updates and time."""

    def __init__(
        self,
        store: dict[str, tuple[bytes, int]] | None = None,
        tasks: dict[str, dict[str, Any]] | None = None,
        seed: bytes = b"seed",
        now: float = START,
        **config: Any,
    ) -> None:
        settings = {"own_address": "here:8080", "http_port": 8080, **config}
        self.machine = MarathonMachine(MarathonConfig(master=MASTER, **settings), IdSource(seed))
        self.api = api(self.machine)
        self.store = store if store is not None else {}
        self.tasks = tasks if tasks is not None else {}  # alive on agents: id -> task info
        self.now = now
        self.calls: list[dict[str, Any]] = []
        self.replies: dict[str, Response] = {}
        self.timers: dict[str, float] = {}
        self.sent: dict[str, bytes] = {}
        self.ended: list[str] = []
        self.proxied: list[Proxy] = []
        self.probes: list[Call | Probe] = []
        self.halted: Halt | None = None
        self.holding_commits = False
        self.held: list[Commit] = []
        self.refusing_commits = False
        self.killing = True  # whether a KILL ends its task at once
        self.health: dict[int, int | str] = {}  # port -> status of a health check, or its failure
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
        while self.inbox and self.halted is None:
            self.perform(self.machine.handle(self.now, self.inbox.pop(0)))
        self.stepping = False

    def perform(self, effects: list[Effect] | tuple[Effect, ...]) -> None:
        for effect in effects:
            if self.halted is not None:
                return
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Load):
            self.give(Loaded(effect.token, dict(self.store)))
        elif isinstance(effect, Commit):
            self.held.append(effect)
            if not self.holding_commits:
                self.release_commits()
        elif isinstance(effect, Call):
            self._call(effect)
        elif isinstance(effect, Probe):
            self.probes.append(effect)
        elif isinstance(effect, Reply):
            assert effect.request not in self.replies, "a request was answered twice"
            self.replies[effect.request] = effect.response
        elif isinstance(effect, SetTimer):
            self.timers[effect.name] = self.now + effect.delay_s
        elif isinstance(effect, CancelTimer):
            self.timers.pop(effect.name, None)
        elif isinstance(effect, StartStream):
            self.sent[effect.request] = b""
        elif isinstance(effect, Send):
            self.sent[effect.stream] += effect.data
        elif isinstance(effect, EndStream):
            self.ended.append(effect.stream)
        elif isinstance(effect, Proxy):
            self.proxied.append(effect)
        elif isinstance(effect, Connect):
            self.subscribe()
        elif isinstance(effect, Halt):
            self.halted = effect

    def release_commits(self) -> None:
        while self.held and self.halted is None:
            self._commit(self.held.pop(0))

    def _commit(self, commit: Commit) -> None:
        refused = self.refusing_commits or any(
            isinstance(write, Check | Put)
            and write.version not in (ANY, ABSENT)
            and self.store.get(write.path, (b"", -9))[1] != write.version
            for write in commit.writes
        )
        if refused:
            self.give(CommitFailed(commit.token, "another version is there", definite=True))
            return
        versions: dict[str, int] = {}
        for write in commit.writes:
            if isinstance(write, Put):
                version = self.store[write.path][1] + 1 if write.path in self.store else 0
                self.store[write.path] = (write.data, version)
                versions[write.path] = version
            elif isinstance(write, Remove):
                self.store.pop(write.path, None)
        self.perform(commit.then)
        self.give(Committed(commit.token, versions))

    def _call(self, effect: Call) -> None:
        if not effect.call.startswith("framework/"):
            self.probes.append(effect)
            return
        call = json.loads(effect.body)
        self.calls.append(call)
        self.give(CallAnswered(effect.call, 202, {}, b""))
        if call["type"] == "ACCEPT":
            for task in infos(call):
                assert task["task_id"]["value"] not in self.tasks, "a task was launched twice"
                self.tasks[task["task_id"]["value"]] = task
        elif call["type"] == "KILL" and self.killing:
            self.update(call["kill"]["task_id"]["value"], "TASK_KILLED")
        elif call["type"] == "RECONCILE":
            asked = call.get("reconcile", {}).get("tasks", ())
            names = [one["task_id"]["value"] for one in asked] or list(self.tasks)
            for name in names:
                state = "TASK_RUNNING" if name in self.tasks else "TASK_UNKNOWN"
                self.update(name, state, uuid=False, reason="REASON_RECONCILIATION")

    def subscribe(self) -> None:
        self.give(Connected(STREAM, 200, {"mesos-stream-id": "s"}))
        self.say({"type": "SUBSCRIBED", "subscribed": {"framework_id": {"value": "F-0000"}}})

    def disconnect(self) -> None:
        self.give(Disconnected(STREAM, "cut"))

    def say(self, record: dict[str, Any]) -> None:
        self.give(Received(STREAM, json.dumps(record).encode()))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.halted is None:
            due = sorted((at, name) for name, at in self.timers.items() if at <= end)
            if not due:
                break
            at, name = due[0]
            del self.timers[name]
            self.now = max(self.now, at)
            self.give(TimerFired(name))
        self.now = max(self.now, end)

    # --- steps of a story ---------------------------------------------------------------------

    def elect(self) -> "World":
        self.give(LeaderChanged("/leader-curator", b"here:8080", mine=True))
        return self

    def lead(self) -> "World":
        self.elect()
        address = {"ip": "127.0.0.1", "hostname": "master", "port": 5050}
        self.give(LeaderChanged(MASTER, json.dumps({"address": address}).encode()))
        return self

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> tuple[str, Response | None]:
        """Send a request; its answer if there is one already."""
        self._requests += 1
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        request = Request(
            id=f"r{self._requests}",
            method=method,
            path=path,
            query={
                name: value if isinstance(value, list) else [str(value).lower()]
                for name, value in query.items()
            },
            headers={"content-type": "application/json", "accept": "*/*", **(headers or {})},
            body=b"" if body is None else encoded,
            peer="10.9.9.9",
        )
        answer = self.api.dispatch(self.now, request)
        if isinstance(answer, Response):
            return request.id, answer
        self.give(answer)
        return request.id, self.replies.get(request.id)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a request; (status, JSON)."""
        response = self.send(method, path, body, **query)[1]
        assert response is not None, f"{method} {path} was not answered"
        return response.status, decoded(response)

    def get(self, path: str, **query: Any) -> Any:
        status, value = self.ask("GET", path, **query)
        assert status == 200, value
        return value

    def create(self, app_id: str = "/web", **fields: Any) -> Any:
        definition = {"id": app_id, "cmd": "serve", "cpus": 0.1, "mem": 16, **fields}
        status, value = self.ask("POST", "/v2/apps", definition)
        assert status == 201, value
        return value

    def update_app(self, app_id: str, **fields: Any) -> Any:
        status, value = self.ask("PUT", f"/v2/apps{app_id}", fields)
        assert status == 200, value
        return value

    def offer(self, agent: int = 0, cpus: float = 4, mem: float = 4096, **extra: Any) -> str:
        self._offers += 1
        offer_id = f"O{self._offers}"
        ports = extra.pop("ports", (31000, 32000))
        scalars = {"cpus": cpus, "mem": mem, "disk": 10000}
        resources: list[dict[str, Any]] = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": "*"}
            for name, value in scalars.items()
        ]
        span = {"begin": ports[0], "end": ports[1]}
        resources.append(
            {"name": "ports", "type": "RANGES", "ranges": {"range": [span]}, "role": "*"}
        )
        offer = {
            "id": {"value": offer_id},
            "framework_id": {"value": "F-0000"},
            "agent_id": {"value": f"S{agent}"},
            "hostname": f"agent{agent}",
            "resources": resources,
            "allocation_info": {"role": "*"},
            **extra,
        }
        self.say({"type": "OFFERS", "offers": {"offers": [offer]}})
        return offer_id

    def offer_all(self, agents: int = 3, rounds: int = 3) -> None:
        for _ in range(rounds):
            for agent in range(agents):
                self.offer(agent)

    def launched(self) -> list[dict[str, Any]]:
        return [task for call in self.calls for task in infos(call)]

    def update(self, task_id: str, state: str, *, uuid: bool = True, **fields: Any) -> None:
        task = self.tasks.get(task_id)
        status: dict[str, Any] = {
            "task_id": {"value": task_id},
            "state": state,
            "agent_id": task["agent_id"] if task else {"value": "S0"},
            **fields,
        }
        if uuid:
            status["uuid"] = base64.b64encode(b"0123456789abcdef").decode()
        if state in TERMINAL:
            self.tasks.pop(task_id, None)
        self.say({"type": "UPDATE", "update": {"status": status}})

    def run_all(self) -> None:
        """Every task that is not yet known to run says that it does."""
        for task_id in list(self.tasks):
            instance = self.machine.state.instances.of_task(task_id)
            if instance is not None and instance.started_at is None:
                self.update(task_id, "TASK_RUNNING")

    def settle(self, rounds: int = 20) -> None:
        """Offers and updates until nothing changes; checks answer as `health` says."""
        for _ in range(rounds):
            self.offer_all(rounds=1)
            self.run_all()
            self.pass_time(6)
            self.answer_probes()
            if not self.machine.state.deployments.running and not self.machine.state.queue.entries:
                return

    def answer_probes(self) -> None:
        probes, self.probes = self.probes, []
        for probe in probes:
            if isinstance(probe, Call):
                port = int(probe.url.split(":")[2].split("/")[0])
                told = self.health.get(port, 200)
                if isinstance(told, int):
                    self.give(CallAnswered(probe.call, told, {}, b""))
                else:
                    self.give(CallFailed(probe.call, told, definite=True))

    def app(self, app_id: str = "/web") -> dict[str, Any]:
        return dict(self.get(f"/v2/apps{app_id}")["app"])

    def running(self, app_id: str = "/web") -> int:
        return int(self.app(app_id)["tasksRunning"])

    def types(self) -> list[str]:
        return [call["type"] for call in self.calls]

    def listen(self, *types: str) -> str:
        query: dict[str, Any] = {"event_type": list(types)} if types else {}
        headers = {"accept": "text/event-stream"}
        return self.send("GET", "/v2/events", headers=headers, **query)[0]

    def events(self, stream: str) -> list[dict[str, Any]]:
        found = []
        for record in self.sent[stream].split(b"\r\n\r\n"):
            found += [
                dict(json.loads(line[6:]))
                for line in record.split(b"\r\n")
                if line.startswith(b"data: ")
            ]
        return found


def infos(call: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks that an ACCEPT launches."""
    if call["type"] != "ACCEPT":
        return []
    return [
        task
        for operation in call["accept"]["operations"]
        for task in operation["launch"]["task_infos"]
    ]


def decoded(response: Response) -> Any:
    """The JSON of an answer, its text if it is none."""
    body = response.whole
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()
