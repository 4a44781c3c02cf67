"""The modules against a real master, agent, Marathon and Chronos."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ansible.conftest import Cluster, Run
from tests.ansible.test_playbooks import play
from tests.integration.marathon_stack import free_port, wait_for

TIMEOUT_S = 100
SLEEPER = {"cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "backoffSeconds": 1}
SCHEDULE = "R/2030-01-01T00:00:00Z/P1D"


@pytest.fixture
def marathon(cluster: Cluster, run_module: Run) -> Iterator[Run]:
    def run(identifier: str, **arguments: Any) -> dict[str, Any]:
        arguments = {"wait_timeout": TIMEOUT_S, **arguments}
        return run_module(
            "marathon_app", marathon_url=[cluster.url("marathon")], id=identifier, **arguments
        )

    yield run
    for identifier in ("/shop/web", "/broken"):
        run(identifier, state="absent", force=True)


@pytest.fixture
def chronos(cluster: Cluster, run_module: Run) -> Iterator[Run]:
    def run(name: str, **arguments: Any) -> dict[str, Any]:
        arguments = {"wait_timeout": TIMEOUT_S, **arguments}
        return run_module(
            "chronos_job", chronos_url=[cluster.url("chronos")], name=name, **arguments
        )

    yield run
    for name in ("child", "job"):
        run(name, state="absent")


def test_an_app_is_deployed_once_scaled_restarted_and_removed(marathon: Run) -> None:
    definition = {
        **SLEEPER,
        "env": {"WORKERS": 4, "DEBUG": True},
        "ports": [0],
        "constraints": [["hostname", "like", ".*"]],
    }
    predicted = marathon("/shop/web", definition=definition, check=True)
    assert predicted["changed"] and "deployment" not in predicted

    made = marathon("/shop/web", definition=definition)
    assert made["changed"] and made["changes"] == predicted["changes"]
    assert made["diff"] == predicted["diff"]
    assert made["app"]["tasksRunning"] == 1 and made["deployment"]
    assert made["app"]["env"] == {"WORKERS": "4", "DEBUG": "true"}

    again = marathon("shop/web", definition=definition)
    assert not again["changed"] and again["changes"] == [] and "diff" not in again
    assert again["app"]["version"] == made["app"]["version"]

    # What Marathon shows is no change either, nor is the app as it is with a number as text.
    assert not marathon("/shop/web", definition=again["app"])["changed"]
    assert not marathon("/shop/web", definition={"mem": "16"}, instances=1)["changed"]

    scaled = marathon("/shop/web", instances=2)
    assert scaled["changes"] == ["instances"] and scaled["app"]["tasksRunning"] == 2
    assert scaled["diff"]["before"] == "instances: 1\n"
    assert scaled["diff"]["after"] == "instances: 2\n"
    assert scaled["app"]["env"] == {"WORKERS": "4", "DEBUG": "true"}

    old = {task["id"] for task in scaled["app"]["tasks"]}
    assert marathon("/shop/web", restart=True, check=True)["changes"] == ["restart"]
    restarted = marathon("/shop/web", restart=True)
    assert restarted["changed"] and restarted["app"]["tasksRunning"] == 2
    assert old.isdisjoint(task["id"] for task in restarted["app"]["tasks"])

    assert marathon("/shop/web", state="absent", check=True)["changed"]
    assert marathon("/shop/web", state="absent")["changed"]
    assert not marathon("/shop/web", state="absent")["changed"]


def test_an_app_that_never_gets_healthy_fails_with_its_last_failure(
    cluster: Cluster, marathon: Run
) -> None:
    # With a health check the moment between start and end can't be taken for health.
    check = {"protocol": "TCP", "portIndex": 0}
    broken = {**SLEEPER, "cmd": "exit 3", "ports": [0], "healthChecks": [check]}
    begun = marathon("/broken", definition=broken, wait=False)
    assert begun["changed"] and begun["deployment"]
    wait_for(lambda: cluster.app("/broken")["lastTaskFailure"], "a failure")
    failed = marathon("/broken", definition=broken, wait_timeout=1)
    deployment = begun["deployment"]
    assert failed["msg"] == (
        f"app /broken is not settled after 1 s: deployment {deployment} is under way;"
        " its last failure: Command exited with status 3"
    )
    # A change while the deployment is under way is refused, unless forced.
    refused = marathon("/broken", definition={**broken, "cmd": "exit 4"})
    assert "was answered 409: App is locked" in refused["msg"]
    mended = marathon("/broken", definition={**SLEEPER, "healthChecks": []}, force=True)
    assert mended["app"]["tasksRunning"] == 1


def test_an_app_that_marathon_refuses_is_one_sentence(marathon: Run) -> None:
    refused = marathon("/shop/web", definition={"cpus": -1, "cmd": "true"})
    assert refused["failed"]
    assert "POST http://127.0.0.1" in refused["msg"] and "was answered 422" in refused["msg"]
    assert "/cpus" in refused["msg"]
    unknown = marathon("/shop/web", instances=3)
    assert unknown["msg"] == "there is no app /shop/web, and no definition to deploy it from"


def test_a_job_is_added_once_changed_run_and_removed(cluster: Cluster, chronos: Run) -> None:
    definition = {
        "schedule": SCHEDULE,
        "command": "test $GREETING = 1",
        "cpus": "0.1",
        "mem": 16,
        "disk": 0,
        "environmentVariables": [{"name": "GREETING", "value": 1}],
    }
    predicted = chronos("job", definition=definition, check=True)
    assert predicted["changed"] and cluster.ask("GET", "/v1/scheduler/jobs", name="chronos") == []
    made = chronos("job", definition=definition)
    assert made["changed"] and made["changes"] == predicted["changes"]
    assert not chronos("job", definition=definition)["changed"]
    assert not chronos("job", definition=made["job"])["changed"]

    ran = chronos("job", definition=definition, run=True, wait=True)
    assert ran["changes"] == ["run"] and ran["job"]["successCount"] == 1

    # A change keeps the counts and what was not written, and may be waited for.
    chronos("job", definition={**definition, "retries": 5})
    changed = chronos("job", definition={**definition, "owner": "a@b.c"}, run=True, wait=True)
    assert changed["changes"] == ["owner", "run"]
    assert changed["diff"]["after"] == 'owner: "a@b.c"\n'
    assert changed["job"]["successCount"] == 2 and changed["job"]["retries"] == 5

    assert chronos("job", state="absent", check=True)["changed"]
    assert chronos("job", state="absent")["changed"]
    assert not chronos("job", state="absent")["changed"]


def test_a_schedule_that_went_on_is_no_change_and_is_not_begun_anew(chronos: Run) -> None:
    definition = {"schedule": "R3//PT1H", "command": "true", "cpus": 0.1, "mem": 16, "disk": 1}
    first = chronos("job", definition=definition, wait=True)
    assert first["job"]["schedule"].startswith("R2/")
    assert not chronos("job", definition=definition, wait=True)["changed"]
    changed = chronos("job", definition={**definition, "description": "a job"})
    assert changed["changes"] == ["description"]
    assert changed["job"]["schedule"] == first["job"]["schedule"]
    assert chronos("job", definition={**definition, "schedule": "R3//PT2H"})["changes"] == [
        "schedule"
    ]


def test_a_job_becomes_dependent_and_scheduled_again(chronos: Run) -> None:
    scheduled = {"schedule": SCHEDULE, "command": "true"}
    chronos("job", definition=scheduled)
    chronos("child", definition=scheduled)
    dependent = {"parents": ["job"], "command": "true"}
    assert chronos("child", definition=dependent)["changes"] == ["parents"]
    assert not chronos("child", definition=dependent)["changed"]
    back = chronos("child", definition=scheduled)
    assert back["changes"] == ["schedule"] and "parents" not in back["job"]


def test_a_job_that_chronos_refuses_is_one_sentence(chronos: Run) -> None:
    refused = chronos("job", definition={"schedule": "nonsense", "command": "true"})
    assert refused["failed"] and "/v1/scheduler/iso8601 was answered 400" in refused["msg"]
    missing = chronos("job")
    assert "state is present but all of the following are missing: definition" in missing["msg"]


def test_the_master_tells_what_it_knows(cluster: Cluster, run_module: Run) -> None:
    gather = ["leader", "version", "agents", "frameworks", "tasks", "metrics"]
    known = run_module(
        "mesos_info",
        master_url=[f"http://{cluster.master}"],
        gather=gather,
        wait_for_agents=1,
        wait_timeout=TIMEOUT_S,
    )
    assert not known["changed"]
    assert known["leader"].rpartition(":")[2] == cluster.master.rpartition(":")[2]
    assert known["version"]["version"]
    assert [agent["active"] for agent in known["agents"]] == [True]
    assert {"marathon", "chronos"} <= {each["name"] for each in known["frameworks"]}
    assert all("tasks" not in each for each in known["frameworks"])
    assert known["metrics"]["master/elected"] == 1
    assert isinstance(known["tasks"], list)
    waited = run_module(
        "mesos_info",
        master_url=[f"http://{cluster.master}"],
        wait_for_agents=2,
        wait_timeout=1,
    )
    assert waited["msg"] == "1 of 2 agents are active after 1 s"


def test_a_marathon_that_is_away_is_one_sentence(cluster: Cluster, marathon: Run) -> None:
    marathon("/shop/web", definition=SLEEPER)
    cluster.stop("marathon")
    gone = marathon("/shop/web", instances=2, wait_timeout=5)
    asked = f"GET {cluster.url('marathon')}/v2/apps/shop/web"
    assert gone["msg"] == f"{asked}: [Errno 111] Connection refused"
    cluster.start_marathon()
    wait_for(lambda: cluster.app("/shop/web"), "Marathon's return")
    assert marathon("/shop/web", instances=2)["app"]["tasksRunning"] == 2


def test_a_marathon_that_wants_credentials_gets_them(cluster: Cluster, run_module: Run) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    cluster.start(
        "guarded",
        "marathon",
        f"--master={cluster.master}",
        f"--http_port={port}",
        "--http_address=127.0.0.1",
        "--hostname=127.0.0.1",
        f"--state_dir={cluster.directory / 'guarded'}",
        "--http_credentials=operator:let-me-in",
        "--framework_name=guarded",
    )
    asked: dict[str, Any] = {"marathon_url": [url], "id": "/none", "state": "absent"}
    known = {"url_username": "operator", "url_password": "let-me-in"}
    wait_for(
        lambda: run_module("marathon_app", **asked, **known).get("changed") is False, "Marathon"
    )
    for wrong in ({}, {**known, "url_password": "guessed"}):
        refused = run_module("marathon_app", **asked, **wrong)
        assert f"GET {url}/v2/apps/none was answered 401: " in refused["msg"]
        assert "guessed" not in str(refused)
    cluster.stop("guarded", signal.SIGTERM)


def test_a_playbook_of_the_modules_changes_nothing_the_second_time(
    cluster: Cluster, marathon: Run, chronos: Run, tmp_path: Path
) -> None:
    # As Ansible ships them: packed with their module_utils, arguments from templates.
    app = {
        "marathon_url": cluster.url("marathon"),
        "id": "/shop/web",
        "definition": {**SLEEPER, "env": {"COUNT": "{{ count }}", "ON": True}},
        "instances": "{{ count }}",
        "wait_timeout": TIMEOUT_S,
    }
    job = {
        "chronos_url": cluster.url("chronos"),
        "name": "job",
        "definition": {"schedule": SCHEDULE, "command": "true", "retries": "{{ count }}"},
    }
    known = {"master_url": f"http://{cluster.master}", "gather": ["leader", "agents"]}
    tasks = [{"mesos_info": known}, {"marathon_app": app}, {"chronos_job": job}]
    playbook = tmp_path / "play.yml"
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    playbook.write_text(yaml.safe_dump(plays))
    arguments = ("-i", "inventories/local", "-e", "count=2", "--diff", str(playbook))
    predicted = play("--check", *arguments)
    assert "changed=2" in predicted.stdout and "+instances: 2" in predicted.stdout
    first = play(*arguments)
    assert "ok=3    changed=2 " in first.stdout, first.stdout
    second = play(*arguments)
    assert "ok=3    changed=0 " in second.stdout, second.stdout
    assert "+++" not in second.stdout
