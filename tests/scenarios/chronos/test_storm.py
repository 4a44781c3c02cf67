"""Random stories: jobs, offers, ends of tasks, crashes and slow stores in any order; then peace.

Safety while it storms: no task id is launched twice, a job that is not concurrent has one task at
a time, no child runs before each of its parents has succeeded, the process never ends. Liveness
after it: no run waits although offers come, every R1 job has had its run, each success was counted
once, and a new leader knows the same.
"""

import random
from collections import Counter
from typing import Any

import pytest

from tests.scenarios.chronos.harness import START, World, uuid_of

SEEDS = range(60)
ONCE = ("once-a", "once-b", "once-c")
OFTEN = ("often-a", "often-b")
CHILDREN = {"child-of-a": ("once-a",), "child-of-two": ("often-a", "once-b")}
ENDS = ("TASK_FINISHED", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR")


class Storm:
    """One random story. Tasks live here, whatever becomes of the process."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.alive: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, tuple[dict[str, Any], str]] = {}  # until it is acknowledged
        self.ever: dict[str, None] = {}
        self.successes: Counter[str] = Counter()
        self.store: dict[str, tuple[bytes, int]] = {}
        self.world = self.begin(START)

    def begin(self, now: float) -> World:
        world = World(self.store)
        world.now = now
        return world.lead()

    def step(self) -> None:
        deeds = [
            (self.submit, 3),
            (self.ask, 2),
            (self.offer, 6),
            (self.run, 4),
            (self.end, 6),
            (self.pass_time, 4),
            (self.hold, 2),
            (self.cut, 1),
            (self.crash, 1),
        ]
        deed = self.random.choices([one for one, _ in deeds], [weight for _, weight in deeds])[0]
        deed()
        self.look()

    def look(self) -> None:
        """Take in what was launched and killed, and hold it against the promises."""
        world = self.world
        assert world.halted is None, world.halted
        calls, world.calls = world.calls, []
        for call in calls:
            if call["type"] == "ACCEPT":
                for operation in call["accept"]["operations"]:
                    for task in operation["launch"]["task_infos"]:
                        self.launched(task)
            elif call["type"] == "KILL":
                self.finish(call["kill"]["task_id"]["value"], "TASK_KILLED")
            elif call["type"] == "RECONCILE":
                self.reconcile(call)
            elif call["type"] == "ACKNOWLEDGE":
                self.acknowledged(**call["acknowledge"])
        if world.calls:
            self.look()

    def launched(self, task: dict[str, Any]) -> None:
        identifier, name = task["task_id"]["value"], job_of(task)
        assert identifier not in self.ever, f"{identifier} was launched twice"
        running = [one for one in self.alive.values() if job_of(one) == name]
        assert not running, f"{name} runs twice"
        for parent in CHILDREN.get(name, ()):
            assert self.successes[parent], f"{name} ran before {parent}"
        self.ever[identifier] = None
        self.alive[identifier] = task

    def reconcile(self, call: dict[str, Any]) -> None:
        asked = [one["task_id"]["value"] for one in call["reconcile"].get("tasks", ())]
        for identifier in asked or [*self.alive, *self.ended]:
            if identifier in self.ended:
                self.world.update(*self.ended[identifier])
            else:
                self.tell(identifier, "TASK_RUNNING" if identifier in self.alive else "TASK_LOST")

    def acknowledged(self, task_id: Any, uuid: str, **rest: Any) -> None:
        task, state = self.ended.get(task_id["value"], (None, ""))
        if task is not None and uuid == uuid_of(state):
            del self.ended[task_id["value"]]

    def tell(self, identifier: str, state: str) -> None:
        task = self.alive.get(identifier)
        told = task or {"task_id": {"value": identifier}, "agent_id": {"value": "S0"}}
        self.world.update(told, state, "SOURCE_EXECUTOR" if task else "SOURCE_MASTER")

    def finish(self, identifier: str, state: str) -> None:
        task = self.alive.pop(identifier, None)
        if task is None:
            return
        if state == "TASK_FINISHED":
            self.successes[job_of(task)] += 1
        self.ended[identifier] = (task, state)
        self.world.update(task, state)

    # --- deeds --------------------------------------------------------------------------------

    def submit(self) -> None:
        name = self.random.choice([*ONCE, *OFTEN, *CHILDREN])
        if self.world.ask("GET", f"/v1/scheduler/job/{name}").status == 200:
            return
        if name in CHILDREN:
            self.world.submit(name, parents=list(CHILDREN[name]), retries=1)
        else:
            schedule = "R1//PT1H" if name in ONCE else "R//PT1M"
            self.world.submit(name, schedule=schedule, retries=self.random.randrange(3))

    def ask(self) -> None:
        name = self.random.choice([*OFTEN, *ONCE])
        if self.random.random() < 0.5:
            self.world.ask("PUT", f"/v1/scheduler/job/{name}")
        else:
            self.world.ask("DELETE", f"/v1/scheduler/task/kill/{name}")

    def offer(self) -> None:
        self.world.offer(cpus=self.random.choice([0.1, 4]))

    def run(self) -> None:
        if self.alive:
            self.tell(self.random.choice(sorted(self.alive)), "TASK_RUNNING")

    def end(self) -> None:
        if self.alive:
            self.finish(self.random.choice(sorted(self.alive)), self.random.choice(ENDS))

    def pass_time(self) -> None:
        self.world.pass_time(self.random.choice([0.5, 5, 61, 700]))

    def hold(self) -> None:
        """The store becomes slow, or catches up."""
        self.world.holding_commits = self.random.random() < 0.4
        if not self.world.holding_commits:
            self.release()

    def release(self) -> None:
        while self.world.held:
            self.world.commit(self.world.held.pop(0))

    def cut(self) -> None:
        self.world.disconnect()

    def crash(self) -> None:
        """The process dies; what the store was still writing may or may not have happened.

        What an update that was not yet acknowledged said is said again to the next leader.
        """
        world = self.world
        for _ in range(self.random.randrange(len(world.held) + 1)):
            world.commit(world.held.pop(0))
        self.look()
        self.world = self.begin(world.now + 5)

    def make_peace(self) -> None:
        self.world.holding_commits = False
        self.release()
        self.look()
        for _ in range(40):
            self.world.pass_time(65)
            self.look()
            self.world.offer()
            self.look()
            for identifier in list(self.alive):
                self.tell(identifier, "TASK_RUNNING")
                self.finish(identifier, "TASK_FINISHED")
                self.look()


def job_of(task: dict[str, Any]) -> str:
    """The job of a task of ours."""
    return str(task["name"]).removeprefix("ChronosTask:")


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_storm_every_run_that_was_due_has_happened(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(150):
        storm.step()
    storm.make_peace()
    world = storm.world
    assert world.halted is None
    assert world.machine.book.tasks == {}
    for name in ONCE:
        if name in world.machine.book.jobs:
            assert any(f":{name}:" in identifier for identifier in storm.ever), f"{name} never ran"
    for name in OFTEN:
        if name in world.machine.book.jobs:
            assert world.job(name)["successCount"] >= 10
    for name in world.machine.book.jobs:
        assert world.job(name)["successCount"] == storm.successes[name], name
    again = World(storm.store)
    again.now = world.now
    again.lead()
    assert again.machine.book.jobs == world.machine.book.jobs
    assert {name: again.machine.book.runs[name].history for name in again.machine.book.runs} == {
        name: world.machine.book.runs[name].history for name in world.machine.book.runs
    }


def test_the_same_storm_leads_to_the_same_end() -> None:
    ends = []
    for _ in range(2):
        storm = Storm(7)
        for _ in range(150):
            storm.step()
        ends.append((list(storm.ever), sorted(storm.store.items())))
    assert ends[0] == ends[1]
