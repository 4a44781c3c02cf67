"""The gate between steps: what is not well, what can't be lost; ZooKeeper's own words."""

import contextlib
import importlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.ansible.conftest import Cluster, Run
from tests.integration.marathon_stack import Stack, free_port, wait_for

gate = importlib.import_module("ansible.module_utils.cluster")
words = importlib.import_module("ansible.module_utils.zookeeper")


def server(number: int, answers: bool = True, port: int = 5050) -> dict[str, Any]:
    return {"url": f"http://10.0.0.{number}:{port}", "answers": answers}


def state(**changed: Any) -> dict[str, Any]:
    ensemble = [{"address": f"10.0.0.{n}:2181", "answers": True} for n in (1, 2, 3)]
    well: dict[str, Any] = {
        "zookeeper": {"servers": ensemble, "has_quorum": True},
        "masters": {
            "servers": [server(1), server(2), server(3)],
            "leader": "http://10.0.0.1:5050",
            "leaders": ["http://10.0.0.1:5050"],
            "agents_active": 3,
        },
        "marathon": {
            "servers": [server(1, port=8080), server(2, port=8080)],
            "leader": "http://10.0.0.1:8080",
        },
        "chronos": {"servers": [server(1, port=4400)], "leader": ""},
        "loadbalancers": {"servers": [server(1, port=9090)]},
    }
    for name, value in changed.items():
        well[name] = {**well[name], **value}
    return well


def test_a_whole_cluster_has_no_problem() -> None:
    assert gate.problems(state(), agents=3) == []


@pytest.mark.parametrize(
    ("changed", "agents", "said"),
    [
        ({"zookeeper": {"has_quorum": False}}, 0, "ZooKeeper has no quorum"),
        ({"masters": {"leader": "", "leaders": []}}, 0, "no master leads"),
        (
            {"masters": {"leader": "", "leaders": ["a", "b"]}},
            0,
            "2 masters say that they lead",
        ),
        ({"marathon": {"leader": ""}}, 0, "no Marathon leads"),
        (
            {"chronos": {"servers": [server(1, False, 4400)]}},
            0,
            "Chronos at http://10.0.0.1:4400 does not answer",
        ),
        ({}, 4, "3 of 4 agents are active"),
    ],
)
def test_each_fault_is_a_sentence(changed: dict[str, Any], agents: int, said: str) -> None:
    assert gate.problems(state(**changed), agents) == [said]


def test_a_host_that_is_taken_away_need_not_answer() -> None:
    silent = state(masters={"servers": [server(1), server(2), server(3, False)]})
    assert gate.problems(silent, losing=["10.0.0.3"]) == []
    assert gate.problems(silent) == ["master at http://10.0.0.3:5050 does not answer"]


def test_a_quorum_and_the_last_of_a_kind_are_not_lost() -> None:
    assert gate.losses(state(), ["10.0.0.2"]) == []
    assert gate.losses(state(), ["10.0.0.1"]) == [
        "no Chronos would be left that answers",
        "no load balancer would be left that answers",
    ]
    assert gate.losses(state(), ["10.0.0.1"], ["chronos", "loadbalancers"]) == []
    ensemble = [{"address": f"10.0.0.{n}:2181", "answers": n != 3} for n in (1, 2, 3)]
    assert gate.losses(state(zookeeper={"servers": ensemble}), ["10.0.0.2"]) == [
        "ZooKeeper would have 1 of 3 servers left, and needs 2 for its quorum"
    ]


def test_the_gate_opens_for_a_whole_cluster(cluster: Cluster, run_module: Run) -> None:
    given: dict[str, Any] = {
        "masters": [f"http://{cluster.master}"],
        "marathon": [cluster.url("marathon")],
        "chronos": [cluster.url("chronos")],
        "agents": 1,
        "wait_timeout": 30,
    }
    well = run_module("cluster_gate", **given)
    assert not well["changed"] and well["problems"] == []
    assert well["masters"]["leader"] == f"http://{cluster.master}"
    assert well["masters"]["agents_active"] == 1
    last = run_module("cluster_gate", **given, losing=["127.0.0.1"])
    assert last["msg"].startswith("127.0.0.1 can't be taken away now: no master would be left")
    few = run_module("cluster_gate", **{**given, "agents": 2, "wait_timeout": 1})
    assert few["msg"] == "The cluster is not well after 1 s: 1 of 2 agents are active."
    nobody = f"http://127.0.0.1:{free_port()}"
    seen = run_module("cluster_gate", masters=[nobody], expect="any")
    assert seen["problems"] == [f"master at {nobody} does not answer", "no master leads"]


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    stack = Stack(tmp_path_factory.mktemp("ensemble"))
    try:
        stack.start_zookeeper()
        yield stack.zookeeper.removeprefix("zk://")
    finally:
        stack.close()


def test_a_real_zookeeper_says_what_it_is(ensemble: str, run_module: Run) -> None:
    wait_for(lambda: run_module("zookeeper_info", servers=[ensemble])["has_quorum"], "ZooKeeper")
    known = run_module("zookeeper_info", servers=[ensemble], wait=True, wait_timeout=10)
    assert known["leader"] == ensemble and known["answering"] == [ensemble]
    assert known["servers"][0]["mode"] == "standalone"
    assert known["servers"][0]["version"].count(".") == 2


def test_a_zookeeper_that_is_away_is_one_sentence(run_module: Run) -> None:
    address = f"127.0.0.1:{free_port()}"
    seen = run_module("zookeeper_info", servers=[address])
    assert seen["servers"][0]["fault"].startswith(f"{address} does not answer: ")
    waited = run_module("zookeeper_info", servers=[address], wait=True, wait_timeout=1)
    assert waited["msg"].startswith("the ensemble is not whole after 1 s: ")


def test_members_are_read_from_a_configuration() -> None:
    text = (
        "clientPort=2181\nserver.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\n"
        "server.2=[2001:db8::2]:2888:3888:observer;2181\nserver.3=c:2888:3888\nversion=0\n"
    )
    members = words.parse_members(text)
    assert [members[number]["host"] for number in (1, 2, 3)] == ["10.0.0.1", "2001:db8::2", "c"]
    assert [members[number]["client"] for number in (1, 2, 3)] == [2181, 2181, None]
    assert members[2]["role"] == "observer" and members[3]["role"] == "participant"


def test_a_word_that_is_not_allowed_and_an_endless_answer_are_faults() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"

        def answer() -> None:
            for body in (
                b"srvr is not executed because it is not in the whitelist.",
                b"x" * (words.ANSWER_LIMIT_BYTES + 1),
            ):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4)
                    with contextlib.suppress(OSError):
                        connection.sendall(body)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(words.EnsembleError, match="does not allow srvr"):
            words.ask(address, "srvr")
        with pytest.raises(words.EnsembleError, match="with too much"):
            words.ask(address, "srvr")
        thread.join()
