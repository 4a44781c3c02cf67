"""The agent's process with a master of ours: tasks, kill -9, restarts, files, limits."""

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_harness import AGENT, LIBRARIES, AgentProcess, FakeMaster, wait_for

from mesosphere.agent.isolation import probe
from mesosphere.wire.mesos.commands import URI

WHY_NOT = probe.why_not_oci(probe.find_runtime(), probe.find_control_groups())
needs_oci = pytest.mark.skipif(bool(WHY_NOT), reason=f"OCI containers can't run here: {WHY_NOT}")
KINDS = ["posix", pytest.param("auto", marks=needs_oci)]


class Pair:
    """A master and its agent."""

    def __init__(self, master: FakeMaster, agent: AgentProcess) -> None:
        self.master = master
        self.agent = agent

    async def start_agent(self) -> None:
        count = len(self.master.subscriptions)
        self.agent.start()
        await wait_for(lambda: len(self.master.subscriptions) > count, "a registration")


@pytest.fixture
async def make_pair(tmp_path: Path) -> AsyncIterator[Any]:
    pairs: list[Pair] = []

    async def make(isolation: str = "posix", *flags: str) -> Pair:
        master = FakeMaster()
        await master.start()
        agent = AgentProcess(
            tmp_path / "work", f"127.0.0.1:{master.port}", f"--isolation={isolation}", *flags
        )
        pair = Pair(master, agent)
        pairs.append(pair)
        await pair.start_agent()
        return pair

    yield make
    for pair in pairs:
        await pair.master.stop()
        pair.agent.clean()


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_task_runs_and_its_sandbox_is_served(make_pair: Any, isolation: str) -> None:
    pair = await make_pair(isolation)
    await pair.master.run("t1", "echo hello; echo $MESOS_SANDBOX; pwd; sleep 1000")
    running = await pair.master.wait_state("t1", "TASK_RUNNING")
    assert pair.master.states("t1") == ["TASK_STARTING", "TASK_RUNNING"]
    container = running.container_status.container_id.value
    state = await pair.agent.get_json("/slave(1)/state.json")
    assert state["isolation_in_use"]["name"] == ("posix" if isolation == "posix" else "oci")
    [executor] = state["frameworks"][0]["executors"]
    assert executor["container"] == container
    directory = executor["directory"]
    await wait_for(lambda: (Path(directory) / "stdout").read_text().count("\n") == 3)
    for path in (directory, "/frameworks/m-0001/executors/t1/runs/latest"):
        shown = await pair.agent.get_json(f"/files/read?path={path}/stdout&offset=0")
        assert shown["data"] == f"hello\n{directory}\n{directory}\n"
    names = [Path(each["path"]).name for each in
             await pair.agent.get_json(f"/files/browse?path={directory}")]  # fmt: skip
    assert names == ["stderr", "stdout"]
    await pair.master.kill("t1")
    killed = await pair.master.wait_state("t1", "TASK_KILLED")
    assert killed.message == "Command terminated with signal Terminated"
    state = await pair.agent.get_json("/state")
    assert state["frameworks"] == []
    assert state["completed_frameworks"][0]["completed_executors"][0]["id"] == "t1"


@pytest.mark.parametrize("isolation", KINDS)
async def test_tasks_survive_the_sudden_death_of_the_agent(make_pair: Any, isolation: str) -> None:
    pair = await make_pair(isolation)
    await pair.master.run("stays", "sleep 1000")
    await pair.master.run("ends", "sleep 2; exit 5")
    stays = await pair.master.wait_state("stays", "TASK_RUNNING")
    await pair.master.wait_state("ends", "TASK_RUNNING")
    pid = stays.container_status.executor_pid
    pair.agent.kill()
    exits = pair.agent.work_dir / "run" / "supervisor" / "exits"
    await wait_for(lambda: list(exits.glob("*.json")), "the exit while the agent is down")
    await pair.start_agent()
    reported = {each.task.task_id.value: each for each in pair.master.subscriptions[-1].tasks}
    assert reported["stays"].task.state == "TASK_RUNNING"
    assert Path(f"/proc/{pid}").exists()
    failed = await pair.master.wait_state("ends", "TASK_FAILED")
    assert failed.message == "Command exited with status 5"
    assert pair.master.states("stays") == ["TASK_STARTING", "TASK_RUNNING"]
    await pair.master.kill("stays")
    await pair.master.wait_state("stays", "TASK_KILLED")
    await wait_for(lambda: not list(exits.glob("*.json")), "forgotten exits")
    frameworks = pair.agent.work_dir / "meta" / "slaves" / AGENT / "frameworks"
    await wait_for(lambda: not list(frameworks.iterdir()), "files of ended tasks to go")


async def test_a_clean_stop_leaves_the_tasks_running(make_pair: Any) -> None:
    pair = await make_pair()
    await pair.master.run("t1", "sleep 1000")
    status = await pair.master.wait_state("t1", "TASK_RUNNING")
    assert pair.agent.stop() == 0
    assert Path(f"/proc/{status.container_status.executor_pid}").exists()
    await pair.start_agent()
    assert pair.master.subscriptions[-1].tasks[0].task.state == "TASK_RUNNING"


async def test_updates_wait_for_a_master_that_is_away(make_pair: Any) -> None:
    pair = await make_pair()
    await pair.master.run("t1", "sleep 1; exit 3")
    await pair.master.wait_state("t1", "TASK_RUNNING")
    port = pair.master.port
    await pair.master.stop()
    exits = pair.agent.work_dir / "run" / "plans"
    await wait_for(lambda: not list(exits.glob("*.json")), "the end of the task")
    second = FakeMaster()
    await second.start(port)
    pair.master = second
    failed = await second.wait_state("t1", "TASK_FAILED")
    assert failed.message == "Command exited with status 3"
    await second.stop()


@needs_oci
async def test_a_memory_hog_is_killed_with_the_reason(make_pair: Any) -> None:
    pair = await make_pair("auto")
    await pair.master.run("good", "sleep 1000", mem=32)
    await pair.master.run("hog", f"{sys.executable} -c 'bytearray(500 << 20)'", mem=32)
    failed = await pair.master.wait_state("hog", "TASK_FAILED")
    assert failed.reason == "REASON_CONTAINER_LIMITATION_MEMORY", failed.message
    assert "Memory limit exceeded: Requested: 64MB" in failed.message
    await pair.master.wait_state("good", "TASK_RUNNING")
    assert pair.master.states("good") == ["TASK_STARTING", "TASK_RUNNING"]


async def test_an_archive_is_fetched_and_a_bad_one_fails_its_task(make_pair: Any) -> None:
    pair = await make_pair()
    good, bad = pair.agent.work_dir / "app.tgz", pair.agent.work_dir / "bad.tgz"
    with tarfile.open(good, "w:gz") as tar:
        info = tarfile.TarInfo("hello.txt")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    bad.write_bytes(b"no archive")
    await pair.master.run("good", "grep hello hello.txt", uris=[URI(value=f"file://{good}")])
    await pair.master.run("bad", "true", uris=[URI(value=f"file://{bad}")])
    await pair.master.wait_state("good", "TASK_FINISHED")
    failed = await pair.master.wait_state("bad", "TASK_FAILED")
    assert failed.reason == "REASON_CONTAINER_LAUNCH_FAILED"
    assert f"failed to extract 'file://{bad}'" in failed.message


async def test_a_kill_during_a_fetch_ends_the_task(make_pair: Any) -> None:
    pair = await make_pair()
    pipe = pair.agent.work_dir / "never"
    os.mkfifo(pipe)
    await pair.master.run("t1", "true", uris=[URI(value=f"file://{pipe}")])
    await pair.master.wait_state("t1", "TASK_STARTING")
    await pair.master.kill("t1")
    killed = await pair.master.wait_state("t1", "TASK_KILLED")
    assert killed.reason == "REASON_TASK_KILLED_DURING_LAUNCH"


async def test_files_never_lead_out_of_a_sandbox(make_pair: Any) -> None:
    pair = await make_pair()
    await pair.master.run("t1", "ln -s /etc/passwd link; ln -s / root; echo done; sleep 1000")
    await pair.master.wait_state("t1", "TASK_RUNNING")
    base = "/frameworks/m-0001/executors/t1/runs/latest"

    async def read(path: str) -> int:
        status, _ = await pair.agent.get(f"/files/read?path={path}&offset=0")
        return status

    sandbox = (await pair.agent.get_json("/state"))["frameworks"][0]["executors"][0]["directory"]
    await wait_for(lambda: (Path(sandbox) / "stdout").read_text() == "done\n")
    assert await read(f"{base}/stdout") == 200
    for path in (
        "/etc/passwd", f"{base}/link", f"{base}/root/etc/passwd", f"{base}/../../../../../../x",
        f"{pair.agent.work_dir}/agent.log", f"{sandbox}/../../../../../../../../../agent.log",
        f"{base}/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fagent.log", "", "/", "%00",
    ):  # fmt: skip
        assert await read(path) in (400, 404), path
    status, _ = await pair.agent.get(f"/files/download?path={base}/stdout")
    assert status == 200


async def test_endpoints_answer_as_tools_expect(make_pair: Any) -> None:
    pair = await make_pair()
    await pair.master.run("t1", "sleep 1000")
    await pair.master.wait_state("t1", "TASK_RUNNING")
    assert (await pair.agent.get("/health")) == (200, "")
    assert re.fullmatch(r"\d+\.\d+\.\d+", (await pair.agent.get_json("/version"))["version"])
    assert (await pair.agent.get_json("/flags"))["flags"]["port"] == str(pair.agent.port)
    metrics = await pair.agent.get_json("/metrics/snapshot")
    assert metrics["slave/registered"] == 1 and metrics["slave/tasks_running"] == 1
    assert metrics["slave/cpus_total"] == 4 and metrics["slave/cpus_used"] == 0.2
    assert "mesos_slave_registered 1" in (await pair.agent.get("/metrics"))[1]
    [container] = await pair.agent.get_json("/containers")
    assert container["executor_id"] == "t1" and container["statistics"]["mem_limit_bytes"] > 0
    assert len(await pair.agent.get_json("/monitor/statistics")) == 1
    assert (await pair.agent.get("/state?jsonp=f"))[1].startswith("f({")
    assert (await pair.agent.get("/nothing"))[0] == 404
    for kind in (
        "GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_METRICS", "GET_STATE", "GET_CONTAINERS",
        "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS", "GET_AGENT",
    ):  # fmt: skip
        status, body = await pair.agent.call({"type": kind})
        assert status == 200 and json.loads(body)["type"] == kind
    path = "/frameworks/m-0001/executors/t1/runs/latest"
    status, body = await pair.agent.call({"type": "LIST_FILES", "list_files": {"path": path}})
    assert status == 200 and len(json.loads(body)["list_files"]["file_infos"]) == 2
    assert (await pair.agent.call({"type": "PRUNE_IMAGES"}))[0] == 501
    assert (await pair.agent.call({"type": "NONSENSE"}))[0] == 400


async def test_many_tasks_survive_repeated_sudden_deaths(make_pair: Any) -> None:
    pair = await make_pair("posix", "--resources=cpus:20;mem:8192;disk:1000")
    early = [f"t{number}" for number in range(20)]
    late = [f"t{number}" for number in range(20, 40)]
    for name in early:
        await pair.master.run(name, "sleep 1000")
    await wait_for(lambda: sum(bool(pair.master.updates(name)) for name in early) > 5)
    # In the middle of launches: what the agent has not read it can't know, and a master notices
    # that at the next subscription; all else must come to an end or run.
    pair.agent.kill()
    spoken = [name for name in early if pair.master.updates(name)]
    await pair.start_agent()
    known = [each.task.task_id.value for each in pair.master.subscriptions[-1].tasks]
    assert set(spoken) <= set(known)
    for name in late:
        await pair.master.run(name, "sleep 1000")
    pids = {}
    for name in [*known, *late]:

        def settled(name: str = name) -> Any:
            return [each for each in pair.master.updates(name) if each.state != "TASK_STARTING"]

        [status] = await wait_for(settled, name)
        assert status.state in ("TASK_RUNNING", "TASK_DROPPED")
        if status.state == "TASK_RUNNING":
            pids[name] = status.container_status.executor_pid
    assert set(late) <= set(pids)
    pair.agent.kill()
    await pair.start_agent()
    reported = {each.task.task_id.value: each.task.state for each in
                pair.master.subscriptions[-1].tasks}  # fmt: skip
    assert {name: reported.get(name) for name in pids} == dict.fromkeys(pids, "TASK_RUNNING")
    assert all(Path(f"/proc/{pid}").exists() for pid in pids.values())


@needs_oci
async def test_a_busy_loop_is_held_to_its_share_of_the_processor(make_pair: Any) -> None:
    pair = await make_pair("auto")
    await pair.master.run("busy", "while :; do :; done")
    running = await pair.master.wait_state("busy", "TASK_RUNNING")
    pid = running.container_status.executor_pid

    def seconds() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    began, used = time.monotonic(), seconds()
    while time.monotonic() - began < 3:
        await asyncio.sleep(0.1)
    # 0.2 CPUs of its own and 0.1 of the executor's allowance; without the quota it would use 1.
    assert (seconds() - used) / (time.monotonic() - began) < 0.45


@needs_oci
async def test_a_runtime_directory_behind_a_link_is_no_reason_for_posix(
    make_pair: Any, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")  # as /var/run is
    pair = await make_pair("auto", f"--runtime_dir={tmp_path / 'link' / 'agent'}")
    chosen = (await pair.agent.get_json("/state"))["isolation_in_use"]
    assert chosen["name"] == "oci", chosen


@needs_oci
async def test_the_isolation_may_change_between_two_starts(make_pair: Any) -> None:
    pair = await make_pair("posix")
    for isolation, name in (("auto", "oci"), ("posix", "posix"), ("cgroups/all", "oci")):
        assert pair.agent.stop() == 0
        pair.agent.flags = (f"--isolation={isolation}",)
        await pair.start_agent()
        state = await pair.agent.get_json("/state")
        assert state["isolation_in_use"]["name"] == name, state["isolation_in_use"]


NOBODY = ("/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")


def interpreter_for_all() -> str | None:
    """An interpreter of this version that other users may run; a root's own may be hidden."""
    if os.geteuid() != 0:
        return None
    script = "import subprocess, sys, msgspec; subprocess.run([sys.executable, '-c', ''])"
    for path in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        environ = {**os.environ, "PYTHONPATH": LIBRARIES}
        command = [*NOBODY, path, "-c", script]
        if not subprocess.run(command, env=environ, capture_output=True, check=False).returncode:
            return path
    return None


@pytest.mark.skipif(interpreter_for_all() is None, reason="needs root and a common interpreter")
async def test_an_ordinary_user_may_run_an_agent() -> None:
    master = FakeMaster()
    await master.start()
    directory = Path(tempfile.mkdtemp(prefix="agent-"))
    os.chown(directory, 65534, 65534)
    agent = AgentProcess(directory / "work", f"127.0.0.1:{master.port}")
    (directory / "work").mkdir()
    (directory / "work" / "agent.log").touch()
    os.chown(directory / "work", 65534, 65534)
    agent.interpreter = (*NOBODY, interpreter_for_all() or "")
    pair = Pair(master, agent)
    try:
        await pair.start_agent()
        state = await agent.get_json("/state")
        assert state["isolation_in_use"] == {"name": "posix", "reason": "the agent is not root"}
        await master.run("t1", "id -u; sleep 1000", user="root")
        await master.wait_state("t1", "TASK_RUNNING")
        agent.kill()
        await pair.start_agent()
        await master.kill("t1")
        await master.wait_state("t1", "TASK_KILLED")
        [output] = directory.glob("work/slaves/*/frameworks/*/executors/t1/runs/*-*/stdout")
        assert output.read_text() == "65534\n"
    finally:
        await master.stop()
        agent.clean()
        shutil.rmtree(directory)


def test_usage_errors_are_one_sentence(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, "127.0.0.1:1", "--isolation=magic")
    agent.start()
    assert agent.process is not None and agent.process.wait(60) == 64
    assert "--isolation: 'magic'" in agent.log()
