"""Custom executors under a real master and agent: one by hand, one by a public library."""

import base64
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import AgentProcess
from tests.integration.foreign import add_pymesos
from tests.integration.test_agent_with_master import MasterProcess
from tests.integration.test_foreign_framework import Scheduler, is_open, wait_for

SCRIPTS = Path(__file__).parent / "executors"
KINDS = ["plain_executor", "pymesos_executor"]


class Pair:
    def __init__(self, tmp_path: Path) -> None:
        self.master = MasterProcess(tmp_path / "master")
        self.agent = AgentProcess(
            tmp_path / "agent", f"127.0.0.1:{self.master.port}", "--isolation=posix",
            "--executor_reregistration_timeout=15secs",
        )  # fmt: skip
        self.scheduler = Scheduler(self.master.port)
        self.agent_id: Any = None

    def start(self) -> None:
        self.master.start()
        self.agent.start()
        wait_for(lambda: is_open(self.master.port))
        self.scheduler.subscribe(checkpoint=True)

    def launch(self, task_id: str, script: str) -> None:
        [offer, *_] = self.scheduler.next("OFFERS")["offers"]["offers"]
        self.agent_id = offer["agent_id"]
        path = ":".join(sys.path)
        executor = {
            "executor_id": {"value": "mine"}, "name": "mine", "source": "test",
            "resources": resources(0.1, 32),
            "command": {
                "value": f"exec {sys.executable} -u {SCRIPTS / script}.py",
                "environment": {"variables": [{"name": "PYTHONPATH", "value": path}]},
            },
        }  # fmt: skip
        info = {
            "name": task_id, "task_id": {"value": task_id}, "agent_id": self.agent_id,
            "executor": executor, "resources": resources(0.1, 32),
        }  # fmt: skip
        self.scheduler.call("ACCEPT", accept={
            "offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0},
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [info]}}]})  # fmt: skip

    def say(self, **body: Any) -> None:
        data = base64.b64encode(json.dumps(body).encode()).decode()
        self.scheduler.call("MESSAGE", message={
            "agent_id": self.agent_id, "executor_id": {"value": "mine"}, "data": data})  # fmt: skip

    def heard(self) -> Any:
        message = self.scheduler.next("MESSAGE")["message"]
        assert message["executor_id"] == {"value": "mine"}
        return json.loads(base64.b64decode(message["data"]))

    def sandbox(self) -> Path:
        [found] = self.agent.work_dir.glob("slaves/*/frameworks/*/executors/mine/runs/latest")
        return found


def resources(cpus: float, mem: float) -> list[dict[str, Any]]:
    return [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
    ]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.agent.clean()
        made.master.end(15)


@pytest.mark.parametrize("script", KINDS)
def test_a_custom_executor_survives_the_sudden_death_of_its_agent(
    pair: Pair, tmp_path: Path, script: str
) -> None:
    if script == "pymesos_executor" and importlib.util.find_spec("pymesos") is None:
        add_pymesos(tmp_path / "foreign")
    pair.launch("t1", script)
    running = pair.scheduler.update("TASK_RUNNING")
    assert running["message"] == "by hand" and running["executor_id"] == {"value": "mine"}
    pid = running["container_status"]["executor_pid"]
    pair.say(hello="there")
    assert pair.heard() == {"hello": "there"}
    pair.launch("t2", script)
    assert pair.scheduler.update("TASK_RUNNING")["task_id"] == {"value": "t2"}
    pair.agent.kill()
    time.sleep(0.5)
    pair.agent.start()
    wait_for(lambda: {"executor_subscribed", "registered"} <= set(words_of_second_life(pair)))
    assert os.path.exists(f"/proc/{pid}")
    for task in ("t1", "t2"):
        pair.say(finish=task)
        assert pair.scheduler.update("TASK_FINISHED")["task_id"] == {"value": task}
    pair.scheduler.call("SHUTDOWN", shutdown={
        "agent_id": pair.agent_id, "executor_id": {"value": "mine"}})  # fmt: skip
    failure = pair.scheduler.next("FAILURE")["failure"]
    assert failure["executor_id"] == {"value": "mine"} and failure["agent_id"] == pair.agent_id
    assert not os.path.exists(f"/proc/{pid}")
    assert (pair.sandbox() / "stdout").exists()


def words_of_second_life(pair: Pair) -> list[str]:
    lives = pair.agent.log().split("agent started")
    return lives[2].split() if len(lives) > 2 else []
