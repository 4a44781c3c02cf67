"""The cluster on real hosts: services, election, failover, the app through both load balancers."""

import json

import pytest
from tests.lab.cluster import (
    addresses,
    agents_active,
    app_tasks,
    get,
    host,
    leader,
    page,
    wait_for,
)

ADDRESSES = addresses()


def all_agents_are_active() -> bool:
    return agents_active() == len(ADDRESSES)


def app_pids(name: str) -> str:
    return str(host(name).check_output("pgrep -f '[h]ello/app.py' || true"))


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_services_run_and_come_back_at_boot(name: str) -> None:
    wanted = ["zookeeper", "mesos-master", "mesos-agent"]
    if name in ("host1", "host2"):
        wanted += ["marathon", "mesosphere-haproxy"]
    machine = host(name)
    for service in wanted:
        found = machine.service(service)
        assert found.is_running and found.is_enabled, (name, service)
    assert machine.check_output("systemctl is-system-running") == "running"


def test_one_of_three_masters_leads_three_agents() -> None:
    elected = [get(name, 5050, "/metrics/snapshot")["master/elected"] for name in ADDRESSES]
    assert sum(elected) == 1
    agents = get(leader(), 5050, "/slaves")["slaves"]
    assert sorted(agent["hostname"] for agent in agents) == sorted(ADDRESSES.values())
    assert all(agent["active"] for agent in agents)


def test_tasks_run_in_containers_of_the_oci_runtime() -> None:
    kinds = [get(name, 5051, "/state")["isolation_in_use"] for name in ADDRESSES]
    assert all("oci" in json.dumps(kind) for kind in kinds), kinds


@pytest.mark.parametrize("name", ["host1", "host2"])
def test_the_app_answers_at_every_load_balancer(name: str) -> None:
    assert wait_for(lambda: page(name), "the page")


def test_an_agent_restarts_and_keeps_its_tasks() -> None:
    before = app_tasks()
    name = next(name for name in sorted(ADDRESSES) if app_pids(name))
    pids = app_pids(name)
    assert host(name).run("systemctl restart mesos-agent").rc == 0
    wait_for(all_agents_are_active, "agents")
    assert app_pids(name) == pids
    assert app_tasks() == before


def test_another_master_leads_when_the_leader_stops() -> None:
    before, first = app_tasks(), leader()
    assert len(before) == 2
    assert host(first).run("systemctl stop mesos-master").rc == 0
    try:
        second = wait_for(leader, "another leading master")
        assert second != first
        wait_for(all_agents_are_active, "the agents")
        wait_for(
            lambda: all(
                framework["active"] for framework in get(second, 5050, "/frameworks")["frameworks"]
            ),
            "frameworks",
        )
        assert wait_for(lambda: page("host1"), "the page")
    finally:
        host(first).run("systemctl start mesos-master")
    assert app_tasks() == before


def test_the_other_marathon_leads_when_a_host_is_lost_to_it() -> None:
    before = app_tasks()
    first = get("host1", 8080, "/v2/leader")["leader"]
    name = next(each for each, address in ADDRESSES.items() if first.startswith(address))
    other = "host2" if name == "host1" else "host1"
    assert host(name).run("systemctl kill -s KILL marathon").rc == 0
    wait_for(lambda: get(other, 8080, "/v2/apps//hello")["app"]["tasksRunning"] == 2, "the app")
    assert app_tasks() == before
