"""Marathon as a process, with a real master, a real agent and real tasks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.integration.marathon_stack import JARS, Stack, free_port, wait_for

from mesosphere.kernel.exit_codes import ExitCode

CHECK = {
    "protocol": "HTTP",
    "path": "/",
    "gracePeriodSeconds": 60,
    "intervalSeconds": 1,
    "timeoutSeconds": 10,
}
WEB = {
    "id": "/web",
    "cmd": f"exec {sys.executable} -m http.server $PORT0 --bind 127.0.0.1",
    "cpus": 0.1,
    "mem": 32,
    "instances": 2,
    "healthChecks": [CHECK],
    "backoffSeconds": 1,
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    try:
        yield made
    finally:
        made.close()


def ready(stack: Stack, name: str = "marathon") -> None:
    wait_for(lambda: stack.ask("GET", "/v2/info", name=name), "Marathon")


def test_an_app_outlives_marathon_its_master_and_its_own_tasks(stack: Stack) -> None:
    stack.start_mesos()
    stack.start_marathon()
    ready(stack)
    stack.ask("POST", "/v2/apps", WEB)
    tasks = stack.wait_until_running(2)
    for task in tasks:
        page = requests.get(f"http://{task['host']}:{task['ports'][0]}/", timeout=30)
        assert page.status_code == 200

    stack.stop("marathon")
    stack.start_marathon()
    ready(stack)
    after = stack.wait_until_running(2)
    assert {task["id"] for task in after} == {task["id"] for task in tasks}

    stack.stop("master")
    stack.start_master()
    victim = tasks[0]
    stack.ask("DELETE", f"/v2/apps/web/tasks/{victim['id']}")

    def replaced() -> bool:
        ids = {task["id"] for task in stack.app()["tasks"]}
        return victim["id"] not in ids and len(ids) == 2

    wait_for(replaced, "a replacement through the new master")
    stack.wait_until_running(2)

    stack.ask("PUT", "/v2/apps/web", {"env": {"COLOUR": "green"}})
    fresh = stack.wait_until_running(2)
    assert not {task["id"] for task in fresh} & {task["id"] for task in tasks}
    stack.ask("PUT", "/v2/apps/web", {"instances": 4})
    assert len(stack.wait_until_running(4)) == 4
    stack.ask("PUT", "/v2/apps/web", {"instances": 1})
    assert len(stack.wait_until_running(1)) == 1
    assert stack.stop("marathon", signal.SIGTERM) == ExitCode.CLEAN
    stack.start_marathon()
    ready(stack)
    assert len(stack.wait_until_running(1)) == 1


@pytest.mark.skipif(not list(JARS.glob("zookeeper*.jar")), reason="ZooKeeper is not installed")
def test_a_standby_proxies_and_takes_over(stack: Stack) -> None:
    stack.start_zookeeper()
    stack.start_mesos()
    stack.start_marathon("one")
    ready(stack, "one")
    stack.start_marathon("two")
    leader = f"127.0.0.1:{stack.ports['one']}"
    wait_for(lambda: stack.ask("GET", "/v2/leader", name="two") == {"leader": leader}, "a proxy")
    stack.ask("POST", "/v2/apps", WEB, name="two")
    before = stack.wait_until_running(2, name="two")
    answer = requests.get(f"http://127.0.0.1:{stack.ports['two']}/v2/apps", timeout=30)
    assert answer.headers["X-Marathon-Leader"] == f"http://{leader}"
    events = requests.get(
        f"http://127.0.0.1:{stack.ports['two']}/v2/events",
        headers={"Accept": "text/event-stream"},
        allow_redirects=False,
        timeout=30,
    )
    assert events.status_code == 302
    assert events.headers["Location"] == f"http://{leader}/v2/events"

    stack.stop("one")
    second = f"127.0.0.1:{stack.ports['two']}"
    wait_for(
        lambda: stack.ask("GET", "/v2/leader", name="two") == {"leader": second}, "a new leader"
    )
    after = stack.wait_until_running(2, name="two")
    assert {task["id"] for task in after} == {task["id"] for task in before}
    stack.ask("PUT", "/v2/apps/web", {"instances": 3}, name="two")
    assert len(stack.wait_until_running(3, name="two")) == 3

    stack.start_marathon("one")
    wait_for(lambda: stack.ask("GET", "/v2/leader", name="one") == {"leader": second}, "a standby")
    stack.ask("DELETE", "/v2/leader", name="one")
    assert stack.processes["two"].wait(60) == ExitCode.LEADERSHIP_LOST
    wait_for(lambda: stack.ask("GET", "/v2/leader", name="one") == {"leader": leader}, "the first")
    assert len(stack.wait_until_running(3, name="one")) == 3


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mesosphere", "marathon", *flags],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": "src"},
    )


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ((), "--master is required"),
        (("--master=nowhere",), "neither zk://hosts/path nor host:port"),
        (("--master=h:1", "--zk=http://x"), "is not zk://hosts/path"),
        (("--master=h:1", "--colour=red"), "unknown flag '--colour'"),
        (("--master=h:1", "--http_credentials=nobody"), "must be user:password"),
        (("--master=h:1", "--local_port_min=9", "--local_port_max=8"), "is above"),
        (("--master=h:1", "--enable_features=secrets"), "not supported yet"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_sentence(flags: tuple[str, ...], text: str) -> None:
    ended = run(*flags)
    assert ended.returncode == ExitCode.USAGE
    assert text in ended.stderr and ended.stderr.count("\n") == 1


def test_a_second_marathon_on_the_same_state_or_port_ends_with_the_reason(stack: Stack) -> None:
    stack.master = "127.0.0.1:1"
    stack.start_marathon()
    ready(stack)
    state = f"--state_dir={stack.directory / 'marathon'}"
    ended = run("--master=127.0.0.1:1", f"--http_port={free_port()}", state)
    assert ended.returncode == ExitCode.WORK_DIR_FAILED
    port = f"--http_port={stack.ports['marathon']}"
    other = f"--state_dir={stack.directory / 'other'}"
    ended = run("--master=127.0.0.1:1", port, other)
    assert ended.returncode == ExitCode.PORT_TAKEN
