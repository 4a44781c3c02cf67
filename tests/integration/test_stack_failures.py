"""A whole cluster loses one process after the other, by kill -9; nothing acknowledged is lost."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.integration.cluster import Cluster, Load, wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start_all()
        wait_for(made.leader_of_marathons, "a leading Marathon")
        wait_for(lambda: made.ask("POST", "/v2/apps", made.hello(), "marathon0"), "the app")
        made.wait_until_running(2, "marathon0")
        wait_for(made.page, "the page through HAProxy")
        yield made
    finally:
        made.close()


def stays(cluster: Cluster) -> None:
    """The app is whole, and answers."""
    cluster.wait_until_running(2, wait_for(cluster.leader_of_marathons, "a leading Marathon"))
    wait_for(cluster.page, "the page through HAProxy")


def task_ids(cluster: Cluster) -> set[str]:
    name = wait_for(cluster.leader_of_marathons, "a leading Marathon")
    return {task["id"] for task in cluster.app(name=name)["tasks"]}


def test_an_instance_that_dies_is_replaced(cluster: Cluster) -> None:
    before = task_ids(cluster)
    task, pid = next(iter(cluster.pids().items()))
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: task not in task_ids(cluster), "the end of the instance")
    stays(cluster)
    after = task_ids(cluster)
    assert len(after - before) == 1 and before - {task} <= after


def test_an_agent_that_dies_keeps_its_tasks(cluster: Cluster) -> None:
    before = cluster.pids()
    assert len(before) == 2
    for name in ("agent0", "agent1"):
        cluster.stop(name)
        assert wait_for(cluster.page, "the page without the agent")
        cluster.again(name)
    wait_for(lambda: cluster.pids() == before, "the same tasks in the same processes")
    master = wait_for(cluster.leader_of_masters, "a leading master")
    wait_for(
        lambda: (
            [agent["active"] for agent in cluster.get(master, "/slaves")["slaves"]] == [True] * 2
        ),
        "the agents at the master",
    )
    stays(cluster)
    assert cluster.pids() == before


def test_another_master_takes_over_and_keeps_every_task(cluster: Cluster) -> None:
    before = cluster.pids()
    first = wait_for(cluster.leader_of_masters, "a leading master")
    cluster.stop(first)
    second = wait_for(cluster.leader_of_masters, "another leading master")
    assert second != first
    wait_for(
        lambda: sum(agent["active"] for agent in cluster.get(second, "/slaves")["slaves"]) == 2,
        "the agents at the new master",
    )
    wait_for(
        lambda: {task["id"] for task in cluster.get(second, "/tasks")["tasks"]} >= set(before),
        "the tasks at the new master",
    )
    cluster.again(first)
    stays(cluster)
    assert cluster.pids() == before
    # It is a master that can still be scheduled on.
    name = wait_for(cluster.leader_of_marathons, "a leading Marathon")
    wait_for(lambda: cluster.ask("PUT", "/v2/apps//web", {"instances": 3}, name), "a change")
    cluster.wait_until_running(3, name)
    cluster.ask("PUT", "/v2/apps//web", {"instances": 2}, name)
    stays(cluster)


def test_the_other_marathon_takes_over_with_all_that_was_acknowledged(cluster: Cluster) -> None:
    first = wait_for(cluster.leader_of_marathons, "a leading Marathon")
    before = cluster.pids()
    cluster.ask("POST", "/v2/apps", {"id": "/late", "cmd": "sleep 1000", "instances": 0}, first)
    change = cluster.ask("PUT", "/v2/apps//web", {"instances": 3}, first)
    cluster.stop(first)  # in the middle of the deployment that it has just acknowledged
    second = next(name for name in cluster.ports if name != first)
    wait_for(lambda: cluster.leader_of_marathons() == second, "the standby as leader")
    cluster.wait_until_running(3, second)
    assert cluster.app(name=second)["version"] == change["version"]
    assert cluster.app("/late", second)["instances"] == 0
    assert before.items() <= cluster.pids().items()
    cluster.ask("PUT", "/v2/apps//web", {"instances": 2}, second)
    stays(cluster)
    cluster.again(first)
    wait_for(lambda: cluster.app(name=first), "the first as standby, which proxies")
    cluster.ask("DELETE", "/v2/apps//late", name=first)


def test_chronos_keeps_its_jobs_and_their_counts(cluster: Cluster) -> None:
    url = cluster.addresses["chronos"] + "/v1/scheduler"
    job = {"name": "tick", "command": "true", "schedule": "R//PT1H", "cpus": 0.1, "mem": 32}

    def add() -> bool:
        return requests.post(f"{url}/iso8601", json=job, timeout=10).status_code == 204

    def successes() -> int:
        [found] = requests.get(f"{url}/jobs", timeout=10).json()
        return int(found["successCount"])

    wait_for(add, "the job")
    wait_for(lambda: successes() == 1, "its first success")
    cluster.stop("chronos")
    cluster.again("chronos")
    wait_for(lambda: successes() == 1, "the job and its count after the restart")
    assert requests.put(f"{url}/job/tick", timeout=10).status_code == 204
    wait_for(lambda: successes() == 2, "a run after the restart")


def test_haproxy_goes_on_without_its_daemon(cluster: Cluster) -> None:
    with Load(f"http://127.0.0.1:{cluster.service_port}/", threads=2) as load:
        cluster.stop("balancer")
        wait_for(lambda: load.done > 100, "requests without the daemon")
        cluster.again("balancer")
        wait_for(lambda: cluster.get("balancer", "/v1/status"), "the daemon")
        wait_for(lambda: load.done > 300, "requests with the new daemon")
    assert load.failures == []


def test_haproxy_comes_back_when_it_is_killed(cluster: Cluster) -> None:
    config = str(cluster.directory / "haproxy" / "haproxy.cfg")
    killed = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().decode().split("\0")
            if config in command and "mesosphere" not in command:
                os.kill(int(path.parent.name), signal.SIGKILL)
                killed += 1
    assert killed
    wait_for(cluster.page, "the page through the new HAProxy")


def test_zookeeper_comes_back_with_everything(cluster: Cluster) -> None:
    before = cluster.pids()
    cluster.stop("zookeeper")
    assert cluster.page()
    cluster.start_zookeeper()
    # Those that lost their session have ended, and are started again.
    wait_for(cluster.leader_of_masters, "a leading master")
    stays(cluster)
    assert cluster.pids() == before
    url = cluster.addresses["chronos"] + "/v1/scheduler/jobs"
    wait_for(lambda: requests.get(url, timeout=10).json()[0]["name"] == "tick", "the job")
