"""One server is lost, then the quorum; the state goes back to a backup."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.lab.cluster import (
    ROOT,
    addresses,
    app_tasks,
    get,
    host,
    lab,
    leader,
    load,
    members,
    page,
    play,
    wait_for,
)

BALANCER = "host1"


@pytest.fixture
def backup() -> Iterator[Path]:
    there = set((ROOT / "backups").glob("*.tar.gz"))
    play("backup.yml")
    [made] = set((ROOT / "backups").glob("*.tar.gz")) - there
    yield made
    made.unlink()


def test_one_of_three_is_lost_and_comes_back() -> None:
    tasks = app_tasks()
    with load():
        lab("kill", "host3")
        wait_for(leader, "a leading master")
        refused = play("health.yml", fails=True)
        assert f"{addresses()['host3']}:5050" in refused.said
        lab("start", "host3")
        wait_for(lambda: get("host3", 5050, "/version"), "the master")
    play("health.yml", "-e", f"health_agents={len(members('agents'))}")
    assert app_tasks() == tasks


def test_a_lost_quorum_is_recovered_from_the_server_that_is_left() -> None:
    tasks = app_tasks()
    recover = ("-e", "recover_from=host1")
    refused = play("recover_quorum.yml", *recover, fails=True)
    assert "ZooKeeper has a quorum" in refused.said
    for name in ("host2", "host3"):
        lost = "systemctl stop zookeeper && rm -rf /var/lib/mesosphere/zookeeper/version-2"
        assert host(name).run(lost).rc == 0
    refused = play("recover_quorum.yml", *recover, "-e", "recover_confirm=yes", fails=True)
    assert "recover_confirm='rebuild from host1'" in refused.said
    assert page(BALANCER)
    play("recover_quorum.yml", *recover, "-e", "recover_confirm='rebuild from host1'")
    assert app_tasks() == tasks and page(BALANCER)


def test_a_restored_cluster_is_what_it_was_and_its_tasks_have_gone_on(backup: Path) -> None:
    tasks = app_tasks()
    url = f"http://{addresses()[BALANCER]}:8080/v2/apps"
    later = {"id": "/later", "cmd": "sleep 1000", "cpus": 0.1, "mem": 16, "instances": 1}
    assert requests.post(url, json=later, timeout=5).status_code == 201
    given = ("-e", f"restore_from={backup}")
    refused = play("restore.yml", *given, "-e", "restore_confirm='go back'", fails=True)
    assert f"go back to {backup.name}" in refused.said
    with load():
        confirmed = {"restore_confirm": f"go back to {backup.name}"}
        play("restore.yml", *given, "-e", json.dumps(confirmed))
    known = [app["id"] for app in get(BALANCER, 8080, "/v2/apps")["apps"]]
    assert known == ["/hello"] and app_tasks() == tasks
