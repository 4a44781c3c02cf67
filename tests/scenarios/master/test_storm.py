"""Random stories of frameworks, agents, operators and a slow store; the books are held every step.

The agents keep the truth about their tasks as real ones do: they repeat what was not acknowledged,
report what they have, and answer for what they do not know.
"""

import random
from typing import Any

import pytest

from mesosphere.wire.mesos.enums import is_terminal
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, resources, task
from tests.scenarios.master.world import World

NEXT = {
    "TASK_STAGING": ("TASK_STARTING", "TASK_FAILED", "TASK_RUNNING"),
    "TASK_STARTING": ("TASK_RUNNING", "TASK_FAILED", "TASK_KILLED"),
    "TASK_RUNNING": ("TASK_RUNNING", "TASK_FINISHED", "TASK_KILLED", "TASK_FAILED"),
}
STEPS = 150


class StormAgent(AgentPeer):
    """An agent with tasks: key -> [state, queue of statuses]."""

    def __init__(self, world: World, host: str) -> None:
        super().__init__(world, host)
        self.tasks: dict[tuple[str, str], tuple[str, list[dict[str, Any]]]] = {}
        self.read_until: dict[str, int] = {}
        self.is_over = False

    @property
    def is_connected(self) -> bool:
        stream = self.world.streams.get(self.request)
        return stream is not None and stream.is_open and "SUBSCRIBED" in stream.types()

    def listen(self) -> None:
        """Take what came on the stream."""
        stream = self.world.streams.get(self.request)
        if stream is None:
            return
        start = self.read_until.get(self.request, 0)
        self.read_until[self.request] = len(stream.events)
        for event in stream.events[start:]:
            self._hear(event)

    def _hear(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        body = event.get(kind.lower(), {})
        if kind == "SUBSCRIBED":
            self.id = body["agent_id"]["value"]
        elif kind == "SHUTDOWN":
            self.is_over = True
            self.tasks.clear()
        elif kind == "RUN_TASK":
            key = (body["framework_info"]["id"]["value"], body["task"]["task_id"]["value"])
            assert key not in self.tasks, "a task came twice"
            self.tasks[key] = ("TASK_STAGING", [])
        elif kind == "SHUTDOWN_FRAMEWORK":
            for key in [key for key in self.tasks if key[0] == body["framework_id"]["value"]]:
                del self.tasks[key]
        elif kind == "KILL_TASK":
            key = (body["framework_id"]["value"], body["task_id"]["value"])
            if key in self.tasks:
                self.advance(key, "TASK_KILLED")
        elif kind == "ACKNOWLEDGE":
            self._take_acknowledgement(body)
        elif kind == "RECONCILE":
            for each in body["tasks"]:
                key = (each["framework_id"]["value"], each["task_id"]["value"])
                if key not in self.tasks:
                    status = self.status(key[1], "TASK_DROPPED")
                    self.tasks[key] = ("TASK_DROPPED", [status])

    def _take_acknowledgement(self, body: dict[str, Any]) -> None:
        key = (body["framework_id"]["value"], body["task_id"]["value"])
        if key in self.tasks:
            state, queue = self.tasks[key]
            if queue and queue[0]["uuid"] == body["uuid"]:
                queue.pop(0)
                if is_terminal(state) and not queue:
                    del self.tasks[key]

    def advance(self, key: tuple[str, str], state: str) -> None:
        """The task comes into a state."""
        if not is_terminal(self.tasks[key][0]):
            queue = [*self.tasks[key][1], self.status(key[1], state)]
            self.tasks[key] = (state, queue)

    def pong(self) -> None:
        self.listen()
        if self.answers_pings and self.is_connected:
            self.call("PONG")

    def speak(self) -> None:
        """Send (again) the first unacknowledged update of every task."""
        self.listen()
        for (framework, _), (state, queue) in list(self.tasks.items()):
            if queue and self.is_connected:
                self.call("UPDATE", update={
                    "framework_id": {"value": framework}, "status": queue[0],
                    "latest_state": state})  # fmt: skip

    def come(self) -> None:
        """Subscribe with a report of everything."""
        self.listen()
        frameworks = dict.fromkeys(key[0] for key in self.tasks)
        self.ask(
            tasks=[
                {
                    "task": {
                        "name": name, "task_id": {"value": name}, "agent_id": {"value": self.id},
                        "framework_id": {"value": framework}, "state": state,
                        "resources": resources(0.5, 64),
                    },
                    **({"unacknowledged": queue[0]} if queue else {}),
                }
                for (framework, name), (state, queue) in self.tasks.items()
            ],
            frameworks=[{"user": "nobody", "name": "test", "id": {"value": each},
                         "capabilities": [{"type": "PARTITION_AWARE"}, {"type": "MULTI_ROLE"}],
                         "roles": ["a"], "failover_timeout": 50.0} for each in frameworks],
        )  # fmt: skip


class StormFramework(FrameworkPeer):
    """A framework that acts only while it is subscribed."""

    @property
    def is_connected(self) -> bool:
        stream = self.world.streams.get(self.request)
        return stream is not None and stream.is_open and "SUBSCRIBED" in stream.types()

    def learn_id(self) -> None:
        if self.is_connected:
            self.id = self.stream.of("SUBSCRIBED")[0]["framework_id"]["value"]


class Storm:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.terms = 0
        self.world = self.new_master({}, 1000.0)
        self.agents = [StormAgent(self.world, host) for host in "abc"]
        self.frameworks = [self.new_framework() for _ in range(3)]
        self.launched = 0

    def new_master(self, store: dict[str, tuple[bytes, int]], now: float) -> World:
        self.terms += 1
        world = World(
            store,
            seed=b"%d" % self.terms,
            offer_timeout_s=20.0,
            max_completed_frameworks=3,
            agent_reregister_timeout_s=60.0,
        )
        world.now = now
        return world.lead()

    def new_framework(self) -> StormFramework:
        names = ("PARTITION_AWARE", "MULTI_ROLE") if self.random.random() < 0.7 else ("MULTI_ROLE",)
        roles = self.random.sample(["a", "a/b", "c"], self.random.randint(1, 3))
        return StormFramework(self.world, *names, roles=roles, failover_timeout=50.0)

    def master_changes(self) -> None:
        """The leader dies with whatever it had not written; another one takes over."""
        for framework in self.frameworks:
            framework.learn_id()
        self.world = self.new_master(self.world.store, self.world.now)
        for framework in self.frameworks:
            framework.world, framework.request = self.world, ""
        for agent in self.agents:
            agent.request = ""
            agent.read_until.clear()
            agent.move_to(self.world)

    # --- what may happen -------------------------------------------------------------------

    def step(self) -> None:
        for agent in self.agents:
            agent.listen()
        choice = self.random.choice([
            self.framework_comes, self.framework_leaves, *[self.framework_acts] * 6,
            self.agent_comes, self.agent_leaves, *[self.agents_work] * 4, self.agent_sleeps,
            *[self.time_passes] * 3, self.store_changes, self.operator_acts,
            *[self.master_changes] * (self.random.random() < 0.2),
        ])  # fmt: skip
        choice()
        self.check_capacity()

    def framework_comes(self) -> None:
        number = self.random.randrange(len(self.frameworks))
        framework = self.frameworks[number]
        framework.learn_id()
        if framework.id in self.world.machine.state.completed or self.random.random() < 0.1:
            self.world.leave(framework.request)
            self.frameworks[number] = framework = self.new_framework()
        if self.random.random() < 0.3:
            framework.info["roles"] = self.random.sample(["a", "a/b", "c"], 2)
        framework.ask()

    def framework_leaves(self) -> None:
        self.world.leave(self.random.choice(self.frameworks).request)

    def framework_acts(self) -> None:
        framework = self.random.choice(self.frameworks)
        framework.learn_id()
        if not framework.is_connected:
            return
        for status in [body["status"] for body in framework.stream.of("UPDATE")][-5:]:
            if "uuid" in status and self.random.random() < 0.7:
                framework.try_call("ACKNOWLEDGE", acknowledge={
                    name: status[name] for name in ("agent_id", "task_id", "uuid")})  # fmt: skip
        offers = framework.offers()
        if offers and self.random.random() < 0.8:
            self.answer_offer(framework, self.random.choice(offers))
        else:
            self.call_at_random(framework)

    def answer_offer(self, framework: StormFramework, offer: dict[str, Any]) -> None:
        [agent] = [each for each in self.agents if each.id == offer["agent_id"]["value"]] or [None]
        if agent is None or self.random.random() < 0.3:
            framework.decline(offer, self.random.choice([None, 0, 30.0]))
            return
        tasks = []
        for _ in range(self.random.randint(0, 3)):
            self.launched += 1
            tasks.append(task(f"t{self.launched}", agent, resources=resources(0.5, 64)))
        framework.accept(offer, *tasks, refuse_s=self.random.choice([None, 0]))

    def call_at_random(self, framework: StormFramework) -> None:
        known = self.world.machine.state.frameworks.get(framework.id)
        names = list(known.tasks) if known is not None else []
        kind = self.random.choice(["REVIVE", "SUPPRESS", "KILL", "RECONCILE", "TEARDOWN", "UPDATE"])
        if kind in ("REVIVE", "SUPPRESS"):
            framework.try_call(kind)
        elif kind == "KILL" and names:
            framework.try_call("KILL", kill={"task_id": {"value": self.random.choice(names)}})
        elif kind == "RECONCILE":
            framework.try_call("RECONCILE", reconcile={})
        elif kind == "TEARDOWN" and self.random.random() < 0.2:
            framework.try_call("TEARDOWN")
        elif kind == "UPDATE":
            framework.info["roles"] = self.random.sample(["a", "a/b", "c"], 2)
            info = {**framework.info, "id": {"value": framework.id}}
            self.world.post(
                "/api/v1/scheduler",
                {"type": "UPDATE_FRAMEWORK", "framework_id": {"value": framework.id},
                 "update_framework": {"framework_info": info}},
                {"mesos-stream-id": framework.stream.headers["Mesos-Stream-Id"]},
            )  # fmt: skip

    def agent_comes(self) -> None:
        number = self.random.randrange(len(self.agents))
        agent = self.agents[number]
        if agent.is_over or self.random.random() < 0.1:
            agent.answers_pings = False
            self.world.leave(agent.request)
            self.agents[number] = agent = StormAgent(self.world, "abc"[number])
        agent.come()

    def agent_leaves(self) -> None:
        self.world.leave(self.random.choice(self.agents).request)

    def agent_sleeps(self) -> None:
        agent = self.random.choice(self.agents)
        agent.answers_pings = not agent.answers_pings

    def agents_work(self) -> None:
        for agent in self.agents:
            for key, (state, _) in list(agent.tasks.items()):
                if state in NEXT and self.random.random() < 0.4:
                    agent.advance(key, self.random.choice(NEXT[state]))
            agent.speak()

    def time_passes(self) -> None:
        self.world.wait(self.random.choice([0.05, 0.5, 3, 20]))

    def store_changes(self) -> None:
        self.world.slow_store = not self.world.slow_store
        self.world.settle()

    def operator_acts(self) -> None:
        if self.random.random() < 0.15:
            agent = self.random.choice(self.agents)
            self.world.post("/api/v1", {"type": "MARK_AGENT_GONE", "mark_agent_gone": {
                "agent_id": {"value": agent.id}}})  # fmt: skip
        self.operator_closes_and_opens()
        for path in ("/state", "/state-summary", "/metrics/snapshot", "/maintenance/status"):
            self.world.read(path)

    def operator_closes_and_opens(self) -> None:
        kind = self.random.choice(["DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT", "plan"])
        number = self.random.randrange(len(self.agents))
        agent, machine = (
            self.agents[number],
            {"hostname": "abc"[number], "ip": f"10.1.0.{97 + number}"},
        )
        if kind != "plan":
            body: dict[str, Any] = {"agent_id": {"value": agent.id}}
            if kind == "DRAIN_AGENT":
                body["mark_gone"] = self.random.random() < 0.3
            self.world.post("/api/v1", {"type": kind, kind.lower(): body})
        elif self.random.random() < 0.4:
            self.world.post(self.random.choice(["/machine/down", "/machine/up"]), [machine])
        else:
            start = {"nanoseconds": self.random.randrange(5)}
            window = {"machine_ids": [machine], "unavailability": {"start": start}}
            self.world.post("/maintenance/schedule", {"windows": [window]})

    def open_all(self) -> None:
        for machine in self.world.read("/maintenance/status").get("down_machines", []):
            self.world.post("/machine/up", [machine])
        for agent_id in list(self.world.machine.registry.agents):
            call = {"agent_id": {"value": agent_id}}
            self.world.post("/api/v1", {"type": "REACTIVATE_AGENT", "reactivate_agent": call})

    def check_capacity(self) -> None:
        assert self.world.halted is None
        for agent in self.world.machine.state.agents.values():
            assert agent.total.contains(agent.used + agent.offered)

    # --- healing ---------------------------------------------------------------------------

    def heal(self) -> None:
        """Everybody is there and works; all that is under way comes to an end."""
        self.world.slow_store = False
        self.world.settle()
        self.open_all()
        for number, agent in enumerate(self.agents):
            agent.listen()
            if agent.is_over:
                self.agents[number] = agent = StormAgent(self.world, "abc"[number])
            agent.answers_pings = True
            agent.come()
            agent.listen()
            if agent.is_over:  # it was marked gone while it was away
                self.agents[number] = agent = StormAgent(self.world, "abc"[number])
                agent.come()
        for number, framework in enumerate(self.frameworks):
            framework.learn_id()
            if framework.id in self.world.machine.state.completed:
                self.frameworks[number] = framework = self.new_framework()
            framework.ask()
            framework.learn_id()
        for round_ in range(24):
            self.world.wait(10)
            self.open_all()  # what has drained meanwhile
            for number, agent in enumerate(self.agents):
                agent.listen()
                if agent.is_over and round_ < 12:  # it was to be gone when it was drained
                    self.agents[number] = agent = StormAgent(self.world, "abc"[number])
                    agent.come()
                    agent.listen()
                for key, (state, _) in list(agent.tasks.items()):
                    if not is_terminal(state):
                        agent.advance(key, "TASK_FINISHED")
                agent.speak()
            for framework in self.frameworks:
                for status in [body["status"] for body in framework.stream.of("UPDATE")]:
                    if "uuid" in status:
                        framework.try_call("ACKNOWLEDGE", acknowledge={
                            each: status[each] for each in ("agent_id", "task_id", "uuid")
                        })  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_the_books_are_right_and_all_ends_well(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(STEPS):
        storm.step()
    storm.heal()
    state = storm.world.machine.state
    connected = {agent.id for agent in state.agents.values() if agent.is_connected}
    assert connected == {agent.id for agent in storm.agents}
    for agent in storm.agents:
        known = state.agents[agent.id]
        assert not known.tasks and known.used.is_empty, "a task that nobody runs is in the books"
        assert not [key for key in agent.tasks if key[0] in state.frameworks], (
            "a task was forgotten"
        )
        assert not known.free, "what is free is offered to nobody"
