"""A framework client whose effects are kept in lists; the test is master, network and clock."""

import json
from typing import Any

from mesosphere.framework.client import STREAM, ClientConfig, FrameworkClient, Happening
from mesosphere.kernel.effects import (
    Call,
    CancelTimer,
    Connect,
    Detect,
    Disconnect,
    Effect,
    SetTimer,
)
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    Connected,
    Disconnected,
    Event,
    LeaderChanged,
    Received,
    TimerFired,
)
from mesosphere.kernel.ids import IdSource
from mesosphere.wire.mesos import FrameworkInfo, TaskStatus
from mesosphere.wire.mesos.codec import decode

MASTER = "zk://quorum/mesos"


class Wire:
    """Everything that the client asked for since the test began."""

    def __init__(self, framework_id: str | None = None, **config: Any) -> None:
        info = FrameworkInfo(user="root", name="tested")
        self.client = FrameworkClient(
            ClientConfig(master=MASTER, info=info, **config), IdSource(b"s")
        )
        self.now = 0.0
        self.connects: list[Connect] = []
        self.calls: list[Call] = []
        self.detects: list[Detect] = []
        self.open = False  # whether a stream is wanted
        self.timers: dict[str, float] = {}  # name -> seconds from when it was set
        self.happenings: list[Happening] = []
        self.perform(self.client.start(framework_id))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Connect):
                self.open = True  # in the place of an earlier one, if there is one
                self.connects.append(effect)
            elif isinstance(effect, Disconnect):
                self.open = False
            elif isinstance(effect, Call):
                self.calls.append(effect)
            elif isinstance(effect, Detect):
                self.detects.append(effect)
            elif isinstance(effect, SetTimer):
                self.timers[effect.name] = effect.delay_s
            elif isinstance(effect, CancelTimer):
                self.timers.pop(effect.name, None)

    def give(self, event: Event) -> list[Happening]:
        assert self.client.owns(event)
        effects, happenings = self.client.handle(self.now, event)
        self.perform(effects)
        self.happenings += happenings
        return happenings

    # --- the master's side --------------------------------------------------------------------

    def lead(self, host: str | None = "m1", port: int = 5050) -> list[Happening]:
        payload = None
        if host is not None:
            payload = json.dumps({"address": {"ip": host, "port": port}}).encode()
        return self.give(LeaderChanged(MASTER, payload))

    def answer(
        self, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Any:
        """The answer to the SUBSCRIBE; anything but 200 ends the stream."""
        if status != 200:
            self.open = False
        given = {"mesos-stream-id": "stream-1"} if headers is None else headers
        return self.give(Connected(STREAM, status, given, body))

    def redirect(self, location: str) -> Any:
        return self.answer(307, {"location": location})

    def say(self, record: dict[str, Any]) -> list[Happening]:
        return self.give(Received(STREAM, json.dumps(record).encode()))

    def welcome(self, framework_id: str = "F") -> list[Happening]:
        subscribed = {"framework_id": {"value": framework_id}, "heartbeat_interval_seconds": 15}
        return self.say({"type": "SUBSCRIBED", "subscribed": subscribed})

    def subscribe(self) -> "Wire":
        self.lead()
        self.answer()
        self.welcome()
        return self

    def cut(self, reason: str = "cut") -> list[Happening]:
        self.open = False
        return self.give(Disconnected(STREAM, reason))

    def update(self, task_id: str, state: str = "TASK_RUNNING") -> list[Happening]:
        status = {"task_id": {"value": task_id}, "state": state, "agent_id": {"value": "S"}}
        return self.say({"type": "UPDATE", "update": {"status": status}})

    def ring(self, name: str) -> list[Happening]:
        del self.timers[name]
        return self.give(TimerFired(name))

    def ok(self, call: Call, status: int = 202, body: bytes = b"") -> list[Happening]:
        return self.give(CallAnswered(call.call, status, {}, body))

    def fail(self, call: Call, *, definite: bool) -> list[Happening]:
        return self.give(CallFailed(call.call, "no answer", definite))

    # --- looking --------------------------------------------------------------------------------

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls]

    def types(self) -> list[str]:
        return [str(call["type"]) for call in self.sent()]

    def subscriptions(self) -> list[dict[str, Any]]:
        return [json.loads(connect.body) for connect in self.connects]


def status(task_id: str, uuid: str = "MDEyMzQ1Njc4OWFiY2RlZg==") -> TaskStatus:
    """An update as the master sends it; an empty uuid needs no acknowledgement."""
    record: dict[str, Any] = {
        "task_id": {"value": task_id},
        "state": "TASK_RUNNING",
        "agent_id": {"value": "S"},
    }
    if uuid:
        record["uuid"] = uuid
    return decode(json.dumps(record).encode(), TaskStatus)
