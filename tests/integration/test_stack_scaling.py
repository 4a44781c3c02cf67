"""Scaling and upgrading under a steady load through HAProxy: no request may fail."""

from collections.abc import Iterator

import pytest
from tests.integration.cluster import Cluster, Load, wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("scaling"))
    try:
        made.start_all(masters=1, agents=1, marathons=1)
        wait_for(made.leader_of_marathons, "a leading Marathon")
        wait_for(lambda: made.ask("POST", "/v2/apps", made.hello(), "marathon0"), "the app")
        made.wait_until_running(2, "marathon0")
        wait_for(made.page, "the page through HAProxy")
        yield made
    finally:
        made.close()


def servers(cluster: Cluster) -> int:
    [service] = cluster.get("balancer", "/v1/status")["services"]
    return len(service["servers"])


def test_scaling_up_and_down_loses_no_request(cluster: Cluster) -> None:
    with Load(f"http://127.0.0.1:{cluster.service_port}/") as load:
        wait_for(lambda: load.done > 200, "a load")
        for instances in (6, 2):
            wished = {"instances": instances}
            cluster.ask("PUT", "/v2/apps//web", wished, "marathon0")
            cluster.wait_until_running(instances, "marathon0")
            wait_for(lambda count=instances: servers(cluster) == count, "HAProxy")  # type: ignore[misc]
            so_far = load.done
            wait_for(lambda done=so_far: load.done > done + 200, "more load")  # type: ignore[misc]
    assert load.failures == []
    assert load.done > 600


def test_a_rolling_update_loses_no_request(cluster: Cluster) -> None:
    before = {task["id"] for task in cluster.app(name="marathon0")["tasks"]}
    with Load(f"http://127.0.0.1:{cluster.service_port}/") as load:
        wait_for(lambda: load.done > 200, "a load")
        changed = {"env": {"COLOUR": "green"}, "upgradeStrategy": {"minimumHealthCapacity": 1}}
        cluster.ask("PUT", "/v2/apps//web", changed, "marathon0")
        wait_for(
            lambda: not before & {task["id"] for task in cluster.app(name="marathon0")["tasks"]},
            "new instances",
        )
        cluster.wait_until_running(2, "marathon0")
        so_far = load.done
        wait_for(lambda: load.done > so_far + 200, "more load")
    assert load.failures == []
