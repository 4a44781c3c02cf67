"""Reservations and volumes by the module, against a real master and agent; plans by themselves."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.mesos_reservations import Plan, find_base
from ansible.module_utils.mesos_resources import as_text, coalesced, minus, ranges
from ansible.module_utils.mesosphere_http import RequestError
from tests.ansible.conftest import Cluster, Run
from tests.integration.marathon_stack import wait_for


@pytest.fixture(scope="module")
def reserve(tmp_path_factory: pytest.TempPathFactory, run_module: Run) -> Iterator[Run]:
    """The module for an agent of 8 CPUs, 4000 MiB of memory and of disk, ports 33000-33200."""
    running = Cluster(tmp_path_factory.mktemp("mesos"))
    try:
        running.start_mesos()
        urls = [f"http://{running.master}"]
        asked: dict[str, Any] = {"master_url": urls, "wait_for_agents": 1}
        wait_for(lambda: not run_module("mesos_info", **asked).get("failed"), "the agent")
        where: dict[str, Any] = {"master_url": urls, "agent": "127.0.0.1", "wait_timeout": 30}
        yield lambda **given: run_module("mesos_reservation", **{**where, **given})
    finally:
        running.close()


def test_a_reservation_grows_shrinks_and_goes(reserve: Run) -> None:
    wanted: dict[str, Any] = {
        "role": "database",
        "resources": {"cpus": "2", "mem": "1GB", "ports": "33000-33009,33020"},
    }
    predicted = reserve(check=True, **wanted)
    done = reserve(**wanted)
    assert done["changed"] and predicted["diff"] == done["diff"]
    assert done["reserved"] == {"cpus": 2, "mem": 1024, "ports": "33000-33009,33020"}
    again = {"cpus": 2.0, "mem": 1024, "ports": ["33020", "33005-33009", "33000-33004"]}
    assert not reserve(role="database", resources=again)["changed"]
    assert not reserve(role="database")["changed"]

    other = {"cpus": 1, "ports": "33005-33012"}
    moved = reserve(role="database", resources=other)
    assert moved["changes"] == ["cpus", "ports"]
    assert moved["reserved"] == {"cpus": 1, "mem": 1024, "ports": "33005-33012"}
    too_much = reserve(role="other", resources={"cpus": 7.5}, check=True)
    assert too_much["msg"] == (
        "agent 127.0.0.1: cpus: 7.5 more are wanted, and 7 are there that are neither reserved"
        " nor used"
    )
    assert reserve(role="database", state="absent")["reserved"] == {}
    assert not reserve(role="database", state="absent")["changed"]


def test_volumes_are_made_resized_and_destroyed_only_by_name(reserve: Run) -> None:
    volume: dict[str, Any] = {"id": "tables", "size": "100MB", "container_path": "data"}
    made = reserve(role="database", volumes=[volume])
    assert made["reserved"] == {"disk": 100} and made["volumes"] == {"tables": 100}
    assert not reserve(role="database", volumes=[{**volume, "size": 100.0}])["changed"]

    grown = reserve(role="database", volumes=[{**volume, "size": 300}])
    assert grown["volumes"] == {"tables": 300} and grown["reserved"] == {"disk": 300}
    shrunk = reserve(
        role="database", volumes=[{**volume, "size": 50}], resources={"disk": 50, "cpus": 0.5}
    )
    assert shrunk["volumes"] == {"tables": 50} and shrunk["reserved"] == {"cpus": 0.5, "disk": 50}
    short = reserve(role="database", resources={"disk": 20})
    assert "disk: 20 is less than the volumes need, 50" in short["msg"]

    kept = reserve(role="database", state="absent")
    assert "there are volumes in the reservation: tables" in kept["msg"]
    gone = reserve(role="database", state="absent", volumes=[{"id": "tables"}])
    assert gone["changed"] and gone["volumes"] == {} and gone["reserved"] == {}


def test_a_reservation_refines_another(reserve: Run) -> None:
    web: dict[str, Any] = {"role": "eng/web", "refines": ["eng"], "resources": {"cpus": 1}}
    assert "the agent has nothing reserved to eng" in reserve(**web)["msg"]
    labels = {"owner": "eng", "cost": 7}
    assert reserve(role="eng", resources={"cpus": 3}, labels=labels)["changed"]
    assert not reserve(role="eng", resources={"cpus": 3}, labels=labels)["changed"]
    assert reserve(**web)["reserved"] == {"cpus": 1}
    assert not reserve(**web)["changed"]
    # What is refined is no longer in the one beneath.
    assert reserve(role="eng", labels=labels)["reserved"] == {"cpus": 2}
    assert "and 2 are there" in reserve(**{**web, "resources": {"cpus": 4}})["msg"]
    assert reserve(role="eng/web", refines=["eng"], state="absent")["changed"]
    assert reserve(role="eng", labels=labels)["reserved"] == {"cpus": 3}
    assert reserve(role="eng", labels=labels, state="absent")["changed"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"agent": "nowhere"}, "agent nowhere: it is not registered"),
        ({"resources": {"gpus": 1}}, "it has no gpus to reserve; it has cpus, disk, mem, ports"),
        ({"resources": {"ports": "9-1"}}, "ports: '9-1' is no range; give one such as"),
        ({"resources": {"ports": "100"}}, "ports: 100 are not there, reserved or used"),
        ({"volumes": [{"id": "x"}]}, "volume x needs a size"),
        ({"volumes": [{"id": "x", "size": 0}]}, "volume x has no size"),
        ({"role": "a b", "resources": {"cpus": 1}}, "RESERVE_RESOURCES: POST "),
    ],
)
def test_what_can_not_be_reserved_is_one_sentence(
    reserve: Run, given: dict[str, Any], said: str
) -> None:
    refused = reserve(**{"role": "database", **given})
    assert refused["failed"] and said in refused["msg"]


# --- plans ----------------------------------------------------------------------------------------

DATABASE = [{"type": "DYNAMIC", "role": "database"}]


def scalar(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def given(**more: Any) -> dict[str, Any]:
    plain = {"role": "database", "refines": [], "principal": None, "labels": {}, "volumes": []}
    return {**plain, "state": "present", "resources": {}, **more}


def test_what_tasks_use_is_not_given_back() -> None:
    volume = scalar("disk", 10, disk={"persistence": {"id": "x"}}, reservations=DATABASE)
    agent = {
        "total_resources": [scalar("cpus", 4, reservations=DATABASE), volume],
        "allocated_resources": [scalar("cpus", 3, reservations=DATABASE), volume],
    }
    with pytest.raises(RequestError, match="cpus: 3 are in use, 2 would stay"):
        Plan(agent, [], given(resources={"cpus": 2}))
    with pytest.raises(RequestError, match="volume x is in use"):
        Plan(agent, [], given(state="absent", volumes=[{"id": "x"}]))
    with pytest.raises(RequestError, match="its size can't change"):
        Plan(agent, [], given(volumes=[{"id": "x", "size": 5, "state": "present"}]))
    assert not Plan(agent, [], given(resources={"cpus": 4})).calls


def test_both_formats_of_the_wire_are_one_reservation() -> None:
    old = scalar("cpus", 4, role="database", reservation={"principal": "me"})
    plan = Plan({"total_resources": [old]}, [], given(principal="me", state="absent"))
    (kind, body), stack = plan.calls[0], [{**DATABASE[0], "principal": "me"}]
    assert kind == "UNRESERVE_RESOURCES"
    assert body["resources"] == [scalar("cpus", 4, reservations=stack)]
    assert not Plan({"total_resources": [old]}, [], given(state="absent")).calls


def test_what_is_reserved_in_several_ways_is_not_guessed() -> None:
    agent = {
        "total_resources": [
            scalar("cpus", 1, role="eng"),
            scalar("cpus", 1, role="eng", reservation={}),
        ]
    }
    with pytest.raises(RequestError, match="resources in several ways reserved to eng"):
        find_base(agent, ["eng"])


def test_ranges_are_taken_apart(load_module: Callable[[str], ModuleType]) -> None:
    assert ranges("ports", "[5-9, 1-2, 3]") == [(1, 3), (5, 9)]
    assert coalesced([(5, 9), (7, 8), (1, 4)]) == [(1, 9)]
    assert minus([(1, 9)], [(3, 4), (9, 20)]) == [(1, 2), (5, 8)]
    assert minus([(1, 2), (5, 6)], [(1, 6)]) == []
    assert as_text([(1, 1), (3, 4)]) == "1,3-4"
