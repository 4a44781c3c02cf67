"""Random stories: requests, offers, failures, crashes and partitions in any order; then peace.

Safety while it storms: no task id is launched twice and no request answered twice (the harness
asserts both), and the process never ends. Liveness after it: every app has just the instances that
its last accepted definition wants, nothing else runs, and a new leader knows it too.
"""

import random
from typing import Any

import pytest

from tests.scenarios.marathon.harness import World

SEEDS = range(60)
APPS = ("/a", "/b", "/g/c", "/g/d")


class Storm:
    """One random story."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.lives = 0
        self.lost: dict[str, dict[str, Any]] = {}  # tasks on agents that are unreachable
        self.world = World(seed=self._seed()).lead()

    def _seed(self) -> bytes:
        self.lives += 1
        return f"{self.seed}/{self.lives}".encode()

    def step(self) -> None:
        deeds = [
            (self.request, 4),
            (self.offer, 8),
            (self.progress, 8),
            (self.fail, 2),
            (self.pass_time, 4),
            (self.store, 4),
            (self.crash, 1),
            (self.cut, 1),
            (self.partition, 1),
            (self.answer, 3),
        ]
        deed = self.random.choices([one for one, _ in deeds], [weight for _, weight in deeds])[0]
        deed()
        assert self.world.halted is None, self.world.halted

    def request(self) -> None:
        app_id = self.random.choice(APPS)
        force = self.random.random() < 0.3
        definition: dict[str, Any] = {"instances": self.random.randrange(4), "cpus": 0.1, "mem": 1}
        kind = self.random.randrange(8)
        if kind < 3:
            definition["cmd"] = f"run {self.random.randrange(3)}"
            definition["upgradeStrategy"] = {
                "minimumHealthCapacity": self.random.choice([0, 0.5, 1]),
                "maximumOverCapacity": self.random.choice([0, 0.5, 1]),
            }
            if self.random.random() < 0.3:
                definition["dependencies"] = ["/a"] if app_id != "/a" else []
            self.world.send("PUT", f"/v2/apps{app_id}", definition, force=force)
        elif kind == 3:
            self.world.send("PUT", f"/v2/apps{app_id}", {"instances": 2, "cmd": "x"}, force=force)
        elif kind == 4:
            self.world.send("DELETE", f"/v2/apps{app_id}", force=force)
        elif kind == 5:
            self.world.send("POST", f"/v2/apps{app_id}/restart", force=force)
        elif kind == 6:
            ids = sorted(self.world.machine.state.deployments.running)
            if ids:
                path = f"/v2/deployments/{self.random.choice(ids)}"
                self.world.send("DELETE", path, force=force)
        else:
            scale = self.random.random() < 0.5
            self.world.send("DELETE", f"/v2/apps{app_id}/tasks", scale=scale, force=force)

    def offer(self) -> None:
        self.world.offer(self.random.randrange(3), cpus=self.random.choice([0.1, 1, 4]))

    def progress(self) -> None:
        waiting = sorted(self.world.tasks)
        if waiting:
            self.world.update(self.random.choice(waiting), "TASK_RUNNING")

    def fail(self) -> None:
        if self.world.tasks:
            state = self.random.choice(["TASK_FAILED", "TASK_FINISHED", "TASK_KILLED", "TASK_GONE"])
            self.world.update(self.random.choice(sorted(self.world.tasks)), state)

    def pass_time(self) -> None:
        self.world.pass_time(self.random.choice([0.5, 3, 20, 100]))

    def store(self) -> None:
        """The store becomes slow, or catches up."""
        self.world.holding_commits = self.random.random() < 0.3
        if not self.world.holding_commits:
            self.world.release_commits()

    def crash(self) -> None:
        """The process dies; what the store was still writing may or may not have happened."""
        world = self.world
        for commit in world.held[: self.random.randrange(len(world.held) + 1)]:
            world._commit(commit)
        world.held.clear()
        killing = world.killing
        self.world = World(world.store, world.tasks, seed=self._seed(), now=world.now + 5)
        self.world.killing = killing
        self.world.lead()

    def cut(self) -> None:
        self.world.disconnect()

    def partition(self) -> None:
        """An agent's task becomes unreachable, or comes back."""
        if self.lost and self.random.random() < 0.5:
            task_id, task = self.lost.popitem()
            self.world.tasks[task_id] = task
            self.world.update(task_id, "TASK_RUNNING", uuid=False)
        elif self.world.tasks:
            task_id = self.random.choice(sorted(self.world.tasks))
            self.lost[task_id] = self.world.tasks.pop(task_id)
            self.world.update(task_id, "TASK_UNREACHABLE", uuid=False)

    def answer(self) -> None:
        self.world.killing = self.random.random() < 0.8

    def make_peace(self) -> None:
        world = self.world
        world.holding_commits = False
        world.release_commits()
        world.killing = True
        for task_id in list(self.lost):
            world.tasks[task_id] = self.lost.pop(task_id)
            world.update(task_id, "TASK_RUNNING", uuid=False)
        for _ in range(40):
            world.pass_time(60)
            world.offer_all(rounds=2)
            world.run_all()
        world.pass_time(700)  # a whole round of reconciliation


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_storm_there_is_just_what_was_asked_for(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(120):
        storm.step()
    storm.make_peace()
    world = storm.world
    assert world.halted is None
    assert world.get("/v2/deployments") == []
    assert world.get("/v2/queue") == {"queue": []}
    wanted = {app["id"]: app["instances"] for app in world.get("/v2/apps")["apps"]}
    for app_id, count in wanted.items():
        app = world.app(app_id)
        assert (app_id, app["tasksRunning"], len(app["tasks"])) == (app_id, count, count)
    known = {task["id"] for task in world.get("/v2/tasks")["tasks"]}
    assert set(world.tasks) == known
    again = World(world.store, world.tasks, seed=b"again", now=world.now + 1).lead()
    assert {task["id"] for task in again.get("/v2/tasks")["tasks"]} == known
    assert {app["id"] for app in again.get("/v2/apps")["apps"]} == set(wanted)


def test_the_same_storm_leads_to_the_same_end() -> None:
    ends = []
    for _ in range(2):
        storm = Storm(7)
        for _ in range(120):
            storm.step()
        ends.append((storm.world.calls, sorted(storm.world.store.items())))
    assert ends[0] == ends[1]
