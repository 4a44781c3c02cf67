"""What site.yml has made: three masters, three agents, and nothing left to change."""

import pytest
from tests.lab.cluster import addresses, agents_active, get, host, leader, members, page, play


def test_three_masters_have_three_agents_and_every_balancer_the_page() -> None:
    elected = [
        get(name, 5050, "/metrics/snapshot")["master/elected"] for name in members("masters")
    ]
    assert sum(elected) == 1 and agents_active() == 3
    agents = get(leader(), 5050, "/slaves")["slaves"]
    assert {agent["hostname"] for agent in agents} == {
        addresses()[name] for name in members("agents")
    }
    assert all(page(name) for name in members("loadbalancers"))


@pytest.mark.parametrize("name", sorted(addresses()))
def test_a_host_runs_its_part_and_no_other(name: str) -> None:
    services = {"zookeeper": "zookeeper", "masters": "mesos-master", "agents": "mesos-agent"}
    for group, service in services.items():
        found = host(name).service(service)
        wanted = name in members(group)
        assert found.is_running is wanted, service
        assert not wanted or found.is_enabled, service


def test_a_check_of_the_converged_cluster_finds_no_drift() -> None:
    assert play("drift.yml", "--check", "--diff").changed == 0


def test_drift_names_the_file_that_somebody_has_changed() -> None:
    unit = "/etc/systemd/system/chronos.service"
    assert host("host1").run(f"sed -i 's/^Description=.*/Description=mine/' {unit}").rc == 0
    limited = ("--tags", "chronos", "--limit", "host1,localhost")
    found = play("drift.yml", "--check", "--diff", *limited)
    assert found.changed == 1 and "-Description=mine" in found.said and unit in found.said
    assert play("frameworks.yml", *limited).changed == 1
    assert play("drift.yml", "--check", "--diff", *limited).changed == 0
