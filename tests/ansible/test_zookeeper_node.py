"""Nodes with data and rights, made, guarded and removed in a real ZooKeeper."""

import base64
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from kazoo.client import KazooClient
from tests.ansible.conftest import Cluster, Run
from tests.integration.marathon_stack import free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = Cluster(tmp_path_factory.mktemp("zookeeper"))
    try:
        running.start_zookeeper()
        yield running.zookeeper.removeprefix("zk://")
    finally:
        running.close()


@pytest.fixture
def client(server: str) -> Iterator[KazooClient]:
    opened = KazooClient(server)
    opened.start()
    try:
        yield opened
    finally:
        opened.stop()
        opened.close()


@pytest.fixture
def node(server: str, run_module: Run) -> Run:
    return lambda path, **given: run_module(
        "zookeeper_node", **{"servers": [server], "path": path, **given}
    )


def test_a_node_is_made_written_and_removed_once(node: Run, client: KazooClient) -> None:
    assert node("/one", data="a", check=True)["version"] == -1
    made = node("/one", data="a")
    assert made["changed"] and made["version"] == 0
    assert made["diff"]["after"] == 'acl: ["world:anyone:cdrwa"]\ndata: "a"\n'
    assert not node("/one", data="a")["changed"] and not node("/one")["changed"]

    predicted = node("/one", data="ü", check=True)
    written = node("/one", data="ü")
    assert written["diff"] == predicted["diff"] and written["version"] == 1
    assert client.get("/one")[0] == "ü".encode()
    assert not node("/one", data=base64.b64encode("ü".encode()).decode(), encoding="base64")[
        "changed"
    ]
    binary = node("/one", data="//79", encoding="base64")
    assert "3 bytes, " in binary["diff"]["after"]
    assert node("/one", state="absent", check=True)["removed"] == 1
    assert node("/one", state="absent")["version"] == -1
    assert not node("/one", state="absent")["changed"]


def test_what_is_above_and_below_needs_recursive(node: Run, client: KazooClient) -> None:
    refused = node("/deep/er/node", data="x", check=True)
    assert refused["msg"] == "there is no node /deep/er; set recursive to make it too"
    assert node("/deep/er/node", data="x", recursive=True)["changed"]
    client.create("/deep/other")
    kept = node("/deep", state="absent")
    assert kept["msg"] == "/deep has 2 nodes below it; set recursive to remove them"
    assert node("/deep", state="absent", recursive=True, check=True)["removed"] == 4
    gone = node("/deep", state="absent", recursive=True)
    assert gone["diff"] == {**gone["diff"], "before": "nodes: 4\n", "after": "nodes: 0\n"}
    assert client.exists("/deep") is None


def test_a_version_guards_the_node(node: Run) -> None:
    assert node("/guarded", version=0, data="a")["msg"] == "/guarded is not there, not version 0"
    node("/guarded", data="a")
    assert node("/guarded", data="b", version=0)["version"] == 1
    late = node("/guarded", data="c", version=0)
    assert late["msg"] == "/guarded has version 1, not version 0"
    assert not node("/guarded", data="b", version=0)["changed"]  # as wanted already
    assert "has version 1" in node("/guarded", state="absent", version=0)["msg"]
    assert node("/guarded", state="absent", version=1)["changed"]


def test_who_writes_in_between_is_not_overwritten(
    node: Run, client: KazooClient, load_module: Callable[[str], ModuleType]
) -> None:
    node("/raced", data="a")
    module = load_module("zookeeper_node")
    read = module.Node(client, "/raced")
    client.set("/raced", b"b")
    given = type("Given", (), {"params": {"username": None, "acl": None}})
    with pytest.raises(module.EnsembleError, match="changed by somebody else meanwhile"):
        module.change(given, read, lambda: read.write(b"c", None))
    with pytest.raises(module.EnsembleError, match="BadVersionError"):
        module.change(given, read, lambda: read.remove([]))
    assert client.get("/raced")[0] == b"b"


def test_rights_have_no_order_and_are_held_to(node: Run) -> None:
    me: dict[str, Any] = {"username": "me", "password": "only for tests"}
    everyone = {"scheme": "world", "id": "anyone", "permissions": "r"}
    own = {"scheme": "auth", "permissions": "awdrc"}
    made = node("/mine", data="a", acl=[everyone, own], **me)
    assert "only for tests" not in str(made)
    assert not node("/mine", acl=[own, everyone], **me)["changed"]
    assert node("/mine", data="b")["msg"] == "anyone has no right to change /mine"
    assert node("/mine", data="b", **me)["changed"]
    assert node("/mine", acl=[{**everyone, "permissions": "cdrwa"}], **me)["changes"] == ["acl"]
    assert node("/mine", data="c")["changed"]
    unknown = node("/mine", acl=[{"scheme": "magic", "id": "x", "permissions": "r"}])
    assert unknown["msg"] == "the servers don't know such rights: magic:x"


def test_an_ephemeral_node_belongs_to_its_session(node: Run, client: KazooClient) -> None:
    client.create("/election", b"leader", ephemeral=True)
    assert not node("/election", data="leader")["changed"]
    assert "/election is ephemeral" in node("/election", data="usurper")["msg"]


@pytest.mark.parametrize(
    ("path", "given", "said"),
    [
        ("shop", {}, "'shop' is no path of a node"),
        ("/", {}, "'/' is no path of a node"),
        ("/a/../b", {}, "is no path of a node"),
        ("/zookeeper/quota", {"state": "absent"}, "/zookeeper/quota is ZooKeeper's own"),
        ("/x", {"data": "§", "encoding": "base64"}, "data is no base64"),
        ("/x", {"data": "x" * 1_000_001}, "data has 1000001 bytes; a node takes 1000000"),
        ("/x", {"acl": []}, "acl must name somebody"),
        ("/x", {"acl": [{"scheme": "auth", "permissions": "r"}]}, "auth needs a username"),
        ("/x", {"acl": [{"scheme": "ip", "permissions": "rx"}]}, "letters of cdrwa, not 'rx'"),
    ],
)
def test_what_is_no_node_is_one_sentence(
    node: Run, path: str, given: dict[str, Any], said: str
) -> None:
    refused = node(path, **given)
    assert refused["failed"] and said in refused["msg"]


def test_servers_that_do_not_answer_are_given_up(run_module: Run) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    late = run_module("zookeeper_node", servers=[nobody], path="/x", timeout=1)
    assert late["msg"].startswith(f"{nobody}: KazooTimeoutError")
