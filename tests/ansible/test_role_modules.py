"""Quotas and weights of roles by the modules, against a real master."""

import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from tests.ansible.conftest import Cluster, Run
from tests.ansible.test_requests import Reply, Serve, serve
from tests.integration.marathon_stack import wait_for

__all__ = ["serve"]


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, run_module: Run) -> Iterator[list[str]]:
    """The master's URLs; one agent has 8 CPUs and 4000 MiB."""
    running = Cluster(tmp_path_factory.mktemp("mesos"))
    try:
        running.start_mesos()
        urls = [f"http://{running.master}"]
        asked: dict[str, Any] = {"master_url": urls, "wait_for_agents": 1}
        wait_for(lambda: not run_module("mesos_info", **asked).get("failed"), "the agent")
        yield urls
    finally:
        running.close()


@pytest.fixture
def quota(master: list[str], run_module: Run) -> Run:
    return lambda **given: run_module("mesos_quota", master_url=master, **given)


def test_a_quota_is_set_once_changed_in_parts_and_removed(quota: Run) -> None:
    first: dict[str, Any] = {"role": "web", "guarantees": {"cpus": "2", "mem": "1 GB"}}
    predicted = quota(check=True, **first)
    assert predicted["changed"] and quota(check=True, **first)["changed"]
    done = quota(**first)
    assert done["diff"] == predicted["diff"]
    assert done["diff"]["after"] == "guarantees.cpus: 2\nguarantees.mem: 1024\n"
    assert not quota(role="web", guarantees={"mem": 1024.0, "cpus": 2, "disk": 0})["changed"]

    limited = quota(role="web", limits={"cpus": 4})
    assert limited["changes"] == ["limits.cpus"]
    assert limited["quota"]["guarantees"] == {"cpus": 2, "mem": 1024}
    nothing = quota(role="web", limits={"cpus": 4, "gpus": 0})
    assert nothing["changed"] and nothing["quota"]["limits"] == {"cpus": 4, "gpus": 0}

    assert quota(role="web", state="absent", check=True)["changed"]
    assert quota(role="web", state="absent")["quota"] == {"guarantees": {}, "limits": {}}
    assert not quota(role="web", state="absent")["changed"]


def test_what_the_cluster_does_not_have_needs_force(quota: Run) -> None:
    refused = quota(role="big", guarantees={"cpus": 900})
    assert "UPDATE_QUOTA: POST " in refused["msg"]
    assert "exceed cluster capacity" in refused["msg"]
    assert quota(role="big", guarantees={"cpus": 900}, force=True)["changed"]
    assert quota(role="big", state="absent")["changed"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"guarantees": {"cpus": "many"}}, "cpus: 'many' is no amount; give a number, not below"),
        ({"guarantees": {"cpus": -1}}, "cpus: -1 is no amount"),
        ({"guarantees": {"cpus": True}}, "cpus: True is no amount"),
        ({"limits": {"mem": "4 GHz"}}, "give a number of MiB or a size such as 4GB"),
        (
            {"guarantees": {"mem": "2GB"}, "limits": {"mem": 512}},
            "mem: the guarantee of 2048 is more than the limit of 512",
        ),
        ({"role": "eng/web", "limits": {"cpus": 1}}, "nested role 'eng/web' is not supported"),
    ],
)
def test_a_quota_that_is_none_is_one_sentence(quota: Run, given: dict[str, Any], said: str) -> None:
    refused = quota(**{"role": "web", **given})
    assert refused["failed"] and said in refused["msg"]


def test_a_master_before_1_9_gets_the_calls_that_it_knows(serve: Serve, run_module: Run) -> None:
    asked = []
    guarantee = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}]

    def answer(method: str, path: str, body: str) -> Reply:
        call = json.loads(body)
        if call["type"] == "GET_QUOTA":
            infos = [{"role": "web", "guarantee": guarantee}]
            return 200, {}, json.dumps({"get_quota": {"status": {"infos": infos}}})
        if call["type"] == "GET_MASTER":
            return 200, {}, json.dumps({"get_master": {"master_info": {"id": "m"}}})
        asked.append(call)
        return 200, {}, ""

    url = [serve(answer)]
    both: dict[str, Any] = {"guarantees": {"cpus": 2}, "limits": {"cpus": 2}}
    assert run_module("mesos_quota", master_url=url, role="web", **both)["changed"]
    assert [call["type"] for call in asked] == ["REMOVE_QUOTA", "SET_QUOTA"]
    request = asked[1]["set_quota"]["quota_request"]
    assert request["guarantee"][0]["scalar"] == {"value": 2}
    both["limits"] = {}
    refused = run_module("mesos_quota", master_url=url, role="web", **both)
    assert "is a master before 1.9, where limits are what the guarantees are" in refused["msg"]
    assert len(asked) == 2


def test_sizes_are_compared_in_thousandths(load_module: Callable[[str], ModuleType]) -> None:
    module = load_module("mesos_quota")
    given = {"mem": "1.5GiB", "disk": "2t", "cpus": 0.1, "gpus": "1"}
    expected = {"mem": 1_536_000, "disk": 2 * 1024**2 * 1000, "cpus": 100, "gpus": 1000}
    assert module.amounts(given) == expected
    assert module.amounts({"mem": "512 KB"}) == {"mem": 500}


def test_weights_are_set_in_one_call_and_once(master: list[str], run_module: Run) -> None:
    def weigh(**given: Any) -> dict[str, Any]:
        return run_module("mesos_weight", master_url=master, **given)

    assert not weigh(weights={"web": 1})["changed"]  # what every role has
    wanted = {"web": "2.5", "batch": 0.5}
    predicted = weigh(weights=wanted, check=True)
    done = weigh(weights=wanted)
    assert done["diff"] == predicted["diff"] and done["changes"] == ["batch", "web"]
    assert not weigh(weights=wanted)["changed"]
    assert weigh(weights={"web": 1})["weights"] == {"web": 1.0, "batch": 0.5}
    for value in (0, -1, "heavy", True, "inf"):
        assert "give a number above 0" in weigh(weights={"web": value})["msg"]
    assert "Invalid role" in weigh(weights={"a b": 2})["msg"]
