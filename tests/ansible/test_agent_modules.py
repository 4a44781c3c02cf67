"""Agents drained, taken down and given up by the modules, against a real master and agent."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.ansible.conftest import Cluster, Run
from tests.integration.marathon_stack import wait_for

TIMEOUT_S = 60


@pytest.fixture(scope="module")
def mesos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("mesos"))
    try:
        running.start_mesos()
        running.start_marathon()
        wait_for(lambda: running.ask("GET", "/v2/info")["frameworkId"], "Marathon")
        yield running
    finally:
        running.close()


@pytest.fixture
def agent(mesos: Cluster, run_module: Run) -> Run:
    def run(state: str, **arguments: Any) -> dict[str, Any]:
        given = {"agent": "127.0.0.1", "wait_timeout": TIMEOUT_S, **arguments}
        url = [f"http://{mesos.master}"]
        return run_module("mesos_agent_state", master_url=url, state=state, **given)

    return run


@pytest.fixture
def maintenance(mesos: Cluster, run_module: Run) -> Run:
    def run(state: str, **arguments: Any) -> dict[str, Any]:
        machines = [{"hostname": "127.0.0.1", "ip": "127.0.0.1"}]
        url = [f"http://{mesos.master}"]
        given = {"machines": machines, **arguments}
        return run_module("mesos_maintenance", master_url=url, state=state, **given)

    return run


def test_an_agent_is_drained_once_and_works_again(mesos: Cluster, agent: Run) -> None:
    mesos.ask("POST", "/v2/apps", {"id": "/web", "cmd": "sleep 3600", "cpus": 0.1, "mem": 16})
    wait_for(lambda: mesos.app("/web")["tasksRunning"] == 1, "the task")

    refused = agent("gone")
    assert "still has 1 tasks, which would be lost; drain it first" in refused["msg"]

    predicted = agent("drained", check=True)
    assert predicted["changed"] and predicted["before"] == "active"
    assert predicted["diff"]["after"] == 'state: "drained"\n'
    drained = agent("drained", max_grace_period=1)
    assert drained["changed"] and drained["after"] == "drained"
    assert not agent("drained")["changed"]
    assert not agent("deactivated")["changed"]
    assert mesos.app("/web")["tasksRunning"] == 0

    back = agent("active")
    assert back["changed"] and back["after"] == "active"
    assert not agent("active")["changed"]
    wait_for(lambda: mesos.app("/web")["tasksRunning"] == 1, "the task's return")


def test_a_deactivated_agent_keeps_its_tasks(mesos: Cluster, agent: Run) -> None:
    assert agent("deactivated")["after"] == "deactivated"
    assert mesos.app("/web")["tasksRunning"] == 1
    assert agent("active")["changed"]


def test_an_agent_that_nobody_knows_is_one_sentence(agent: Run) -> None:
    refused = agent("drained", agent="nowhere")
    assert refused["msg"] == "agent nowhere can't be drained: it is not registered"
    assert not agent("gone", agent="nowhere")["changed"]


def test_machines_are_scheduled_kept_and_taken_out(maintenance: Run) -> None:
    begins = float(int(time.time()) + 3600)
    predicted = maintenance("scheduled", start=begins, duration=600, check=True)
    assert predicted["changed"]
    assert predicted["machines"] == {"127.0.0.1/127.0.0.1": "up"}
    assert maintenance("scheduled", start=begins, duration=600)["changed"]
    assert not maintenance("scheduled", start=begins, duration=600)["changed"]
    assert not maintenance("scheduled")["changed"]
    other = [{"hostname": "elsewhere", "ip": "192.0.2.9"}]
    assert maintenance("scheduled", machines=other, start=begins)["changed"]
    moved = maintenance("scheduled", duration=900)
    assert moved["changes"] == ["127.0.0.1/127.0.0.1.window"]
    assert not maintenance("scheduled", machines=other)["changed"]
    assert maintenance("absent")["changed"]
    assert not maintenance("absent")["changed"]
    assert maintenance("absent", machines=other)["changed"]
    nameless = maintenance("scheduled", machines=[{}])
    assert nameless["msg"] == "a machine needs a hostname, an ip, or both"


def test_a_machine_goes_down_and_up_again(mesos: Cluster, maintenance: Run) -> None:
    started = maintenance("started")
    assert started["changed"] and "127.0.0.1/127.0.0.1.state" in started["changes"]
    again = maintenance("started")
    assert not again["changed"] and again["machines"] == {"127.0.0.1/127.0.0.1": "down"}
    mesos.processes["agent"].wait(TIMEOUT_S)  # it is sent away, and left alone until the end
    assert maintenance("absent")["changed"]
    assert not maintenance("absent")["changed"]
    mesos.start_agent()  # as its service manager would


@pytest.mark.parametrize(
    ("before", "wanted", "calls"),
    [
        ("active", "active", []),
        ("inactive", "active", []),
        ("drained", "active", ["REACTIVATE_AGENT"]),
        ("deactivated", "active", ["REACTIVATE_AGENT"]),
        ("active", "drained", ["DRAIN_AGENT"]),
        ("deactivated", "drained", ["DRAIN_AGENT"]),
        ("draining", "drained", []),
        ("active", "deactivated", ["DEACTIVATE_AGENT"]),
        ("drained", "deactivated", []),
        ("drained", "gone", ["MARK_AGENT_GONE"]),
        ("recovered", "gone", ["MARK_AGENT_GONE"]),
        ("away", "gone", []),
    ],
)
def test_the_call_follows_from_both_states(
    load_module: Callable[[str], ModuleType], before: str, wanted: str, calls: list[str]
) -> None:
    assert load_module("mesos_agent_state").decide(before, wanted) == calls


def test_an_agent_that_a_new_leader_has_not_heard_of_is_put_back_to_work_when_it_has(
    load_module: Callable[[str], ModuleType],
) -> None:
    loaded = load_module("mesos_agent_state")
    states, calls = ["recovered", "recovered", "drained", "drained", "drained", "active"], []

    class Agent(loaded.Agent):  # type: ignore[misc, name-defined]
        def read(self) -> dict[str, str]:
            return {"id": "a-S1", "state": states.pop(0) if len(states) > 1 else states[0]}

        def perform(self, kind: str, found: dict[str, str], grace_s: int | None) -> None:
            calls.append(kind)

    given = {"agent": "a", "state": "active", "force": False, "wait": True, "wait_timeout": 60}
    module = SimpleNamespace(params={**given, "max_grace_period": None}, check_mode=False)
    done = loaded.run(module, Agent(None, "a"))
    assert calls == ["REACTIVATE_AGENT"]
    assert (done["changed"], done["before"], done["after"]) == (True, "drained", "active")


def test_an_agent_is_given_up_for_ever(tmp_path: Path, run_module: Run) -> None:
    cluster = Cluster(tmp_path)
    try:
        cluster.start_mesos()
        given: dict[str, Any] = {
            "master_url": [f"http://{cluster.master}"],
            "agent": "127.0.0.1",
            "state": "gone",
            "wait_timeout": TIMEOUT_S,
        }
        wait_for(
            lambda: run_module("mesos_agent_state", check=True, **given).get("changed"), "the agent"
        )
        gone = run_module("mesos_agent_state", **given)
        assert gone["changed"] and gone["after"] == "away" and gone["agent_id"]
        given["agent"] = gone["agent_id"]
        assert not run_module("mesos_agent_state", **given)["changed"]
    finally:
        cluster.close()


def test_tasks_leave_a_host_after_their_replacements_run(
    mesos: Cluster, run_module: Run, tmp_path: Path
) -> None:
    app = {"id": "/moving", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "backoffSeconds": 1}
    mesos.ask("POST", "/v2/apps", app)
    wait_for(lambda: mesos.app("/moving")["tasksRunning"] == 1, "the task")
    before = {task["id"] for task in mesos.app("/moving")["tasks"]}

    def move(**arguments: Any) -> dict[str, Any]:
        given = {"host": "127.0.0.1", "wait_timeout": TIMEOUT_S, **arguments}
        journal = str(tmp_path / "journal.json")
        url = [mesos.url("marathon")]
        return run_module("marathon_tasks", marathon_url=url, journal=journal, **given)

    assert "/moving" in move(check=True)["moved"]
    assert {task["id"] for task in mesos.app("/moving")["tasks"]} == before
    # The only agent takes the replacements too, so there are others after it, and as many.
    assert "/moving" in move()["moved"]
    after = mesos.app("/moving")
    assert after["instances"] == 1
    wait_for(lambda: mesos.app("/moving")["tasksRunning"] == 1, "one task")
    assert {task["id"] for task in mesos.app("/moving")["tasks"]}.isdisjoint(before)
    assert not move(host="elsewhere")["changed"]

    # A run that died while the app had more instances is made good by the next.
    (tmp_path / "journal.json").write_text('{"/moving": 1}')
    mesos.ask("PUT", "/v2/apps/moving?force=true", {"instances": 2})
    wait_for(lambda: mesos.app("/moving")["tasksRunning"] == 2, "two tasks")
    move(host="elsewhere")
    assert mesos.app("/moving")["instances"] == 1
    assert (tmp_path / "journal.json").read_text() == "{}"

    # What finds no place is left, and scaled back.
    wait_for(lambda: not mesos.app("/moving")["deployments"], "quiet")
    big = {"constraints": [["hostname", "UNIQUE"]]}
    mesos.ask("PUT", "/v2/apps/moving?force=true", big)
    wait_for(lambda: not mesos.app("/moving")["deployments"], "quiet")
    left = move(wait_timeout=3)
    assert "/moving" in left["left"] and mesos.app("/moving")["instances"] == 1
    mesos.ask("DELETE", "/v2/apps/moving?force=true")
