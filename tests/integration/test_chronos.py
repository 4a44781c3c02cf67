"""Chronos as a process, with a real master, a real agent and real tasks."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.integration.marathon_stack import JARS, Stack, free_port, wait_for

needs_zookeeper = pytest.mark.skipif(
    not (JARS / "zookeeper.jar").exists(), reason="ZooKeeper is not installed"
)
SCHEDULE = "R/2030-01-01T00:00:00Z/PT1H"
"""Not for a while: these jobs run when they are told to."""


class Jobs:
    """A Chronos on a stack."""

    def __init__(self, stack: Stack, name: str = "chronos") -> None:
        self.stack = stack
        self.name = name
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}/v1/scheduler"

    def start(self) -> "Jobs":
        state = f"--state_dir={self.stack.directory / self.name}"
        if self.stack.zookeeper:
            state = f"--zk_hosts={self.stack.zookeeper}"
        self.stack.start(
            self.name,
            "chronos",
            f"--master={self.stack.master}",
            f"--http_port={self.port}",
            "--http_address=127.0.0.1",
            "--hostname=127.0.0.1",
            "--failure_retry=1000",
            "--zk_timeout=4000",
            state,
        )
        wait_for(lambda: requests.get(f"{self.root}/jobs", timeout=30).ok, "Chronos")
        return self

    def submit(self, name: str, command: str, **fields: Any) -> None:
        kind = "dependency" if "parents" in fields else "iso8601"
        if kind == "iso8601":
            fields.setdefault("schedule", SCHEDULE)
        job = {"name": name, "command": command, "cpus": 0.05, "mem": 16, "disk": 0, **fields}
        answer = requests.post(f"{self.root}/{kind}", json=job, timeout=30)
        assert (answer.status_code, answer.content) == (204, b"")

    def run(self, name: str, **query: str) -> None:
        answer = requests.put(f"{self.root}/job/{name}", params=query, timeout=30)
        assert answer.status_code == 204

    def job(self, name: str) -> dict[str, Any]:
        return dict(requests.get(f"{self.root}/job/{name}", timeout=30).json())

    def state(self, name: str) -> str:
        listed = requests.get(f"{self.root}/jobs/summary", timeout=30).json()["jobs"]
        return str(next(one["state"] for one in listed if one["name"] == name))

    def wait_for_successes(self, name: str, count: int) -> None:
        wait_for(lambda: self.job(name)["successCount"] >= count, f"success {count} of {name}")

    def wait_until(self, name: str, state: str) -> None:
        wait_for(lambda: self.state(name) == state, f"{name} to be {state}")


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    stack = Stack(tmp_path)
    try:
        stack.start_mesos()
        yield Jobs(stack).start()
    finally:
        stack.close()


@needs_zookeeper
def test_a_standby_proxies_and_takes_over(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    said, until = tmp_path / "said", tmp_path / "until"
    wait = f"while ! test -e {until}; do sleep 0.1; done"
    try:
        stack.start_zookeeper()
        stack.start_mesos()
        first = Jobs(stack, "first").start()
        second = Jobs(stack, "second").start()
        for one in (first, second):
            leader = requests.get(f"{one.root}/leader", timeout=30).json()
            assert leader == {"leader": f"127.0.0.1:{first.port}"}
        second.submit("long", f"echo run >> {said}; {wait}")
        second.run("long")
        second.wait_until("long", "1 running")
        refused = requests.get(f"{second.root}/job/none", timeout=30)
        assert refused.status_code == 400 and "none" in refused.json()["message"]
        stack.stop("first")
        wait_for(lambda: second.state("long") == "1 running", "the standby to lead")
        leader = requests.get(f"{second.root}/leader", timeout=30).json()
        assert leader == {"leader": f"127.0.0.1:{second.port}"}
        until.touch()
        second.wait_for_successes("long", 1)
        assert said.read_text() == "run\n"
    finally:
        until.touch()
        stack.close()


def test_a_scheduled_job_its_child_and_a_run_by_hand(jobs: Jobs) -> None:
    said = jobs.stack.directory / "said"
    jobs.submit("parent", f"echo parent >> {said}", schedule="R1//PT1H")
    jobs.submit("child", f"echo child >> {said}", parents=["parent"])
    jobs.wait_for_successes("child", 1)
    assert said.read_text() == "parent\nchild\n"
    assert jobs.job("parent")["disabled"], "its one run is done"
    jobs.submit(
        "manual",
        f'echo "$A $CHRONOS_JOB_NAME $CHRONOS_JOB_OWNER" >> {said}; echo',
        owner="me@here",
        environmentVariables=[{"name": "A", "value": "b c"}],
    )
    jobs.run("manual")
    jobs.wait_for_successes("manual", 1)
    assert said.read_text().splitlines()[-1] == "b c manual me@here"
    history = requests.get(f"{jobs.root}/job/stat/manual", timeout=30).json()
    assert history["histogram"]["count"] == 1
    assert [one["status"] for one in history["taskStatHistory"]] == ["Success"]


def test_arguments_reach_the_command(jobs: Jobs) -> None:
    said = jobs.stack.directory / "said"
    script = jobs.stack.directory / "script.sh"
    script.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    script.chmod(0o755)
    jobs.submit("shell", str(script), arguments=["own"])
    jobs.run("shell", arguments="-v; now")
    jobs.wait_for_successes("shell", 1)
    jobs.run("shell")
    jobs.wait_for_successes("shell", 2)
    jobs.submit("exec", str(script), shell=False, arguments=["one word", "two"])
    jobs.run("exec")
    jobs.wait_for_successes("exec", 1)
    assert said.read_text().splitlines() == ["-v now", "own", "one word two"]


def test_a_failed_run_is_tried_again_and_then_counted(jobs: Jobs) -> None:
    mark = jobs.stack.directory / "mark"
    jobs.submit("second-time", f"test -e {mark} || {{ touch {mark}; exit 1; }}", retries=1)
    jobs.run("second-time")
    jobs.wait_for_successes("second-time", 1)
    assert jobs.job("second-time")["errorCount"] == 0
    jobs.submit("never", "exit 3", retries=1)
    jobs.run("never")
    wait_for(lambda: jobs.job("never")["errorCount"] == 1, "the failure")
    history = requests.get(f"{jobs.root}/job/stat/never", timeout=30).json()["taskStatHistory"]
    assert [one["status"] for one in history] == ["Fail", "Fail"]


def test_a_run_outlives_chronos_and_is_not_doubled(jobs: Jobs) -> None:
    said = jobs.stack.directory / "said"
    until = jobs.stack.directory / "until"
    wait = f"while ! test -e {until}; do sleep 0.1; done"
    jobs.submit("long", f"echo run >> {said}; {wait}", schedule="R//PT1H")
    jobs.wait_until("long", "1 running")
    wait_for(said.exists, "the command's beginning")
    assert jobs.stack.stop("chronos", signal.SIGKILL) == -signal.SIGKILL
    jobs.start()
    assert jobs.state("long") == "1 running"
    assert jobs.stack.stop("chronos", signal.SIGKILL) == -signal.SIGKILL
    until.touch()  # it ends while nobody listens
    jobs.start()
    jobs.wait_for_successes("long", 1)
    assert said.read_text() == "run\n"


def test_a_running_job_is_killed_on_request(jobs: Jobs) -> None:
    jobs.submit("endless", "sleep 1000", retries=2)
    jobs.run("endless")
    jobs.wait_until("endless", "1 running")
    answer = requests.delete(f"{jobs.root}/task/kill/endless", timeout=30)
    assert answer.status_code == 204
    jobs.wait_until("endless", "idle")
    job = jobs.job("endless")
    assert (job["successCount"], job["errorCount"]) == (0, 0)
    jobs.run("endless")
    jobs.wait_until("endless", "1 running")
    assert requests.delete(f"{jobs.root}/job/endless", timeout=30).status_code == 204
    master = f"http://{jobs.stack.master}/tasks"

    def ended() -> bool:
        tasks = requests.get(master, timeout=30).json()["tasks"]
        return all(one["state"] != "TASK_RUNNING" for one in tasks)

    wait_for(ended, "the end of the deleted job's task")
