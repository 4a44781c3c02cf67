"""The filters for inventories."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.plugins.filter
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from tests.ansible.conftest import ROOT, load

HOSTVARS: Mapping[str, Mapping[str, Any]] = {
    "a": {"mesosphere_address": "10.0.0.1", "ansible_host": "192.0.2.1"},
    "b": {"ansible_host": "192.0.2.2"},
    "c": {},
}


@pytest.fixture(scope="module")
def filters() -> ModuleType:
    return load(ROOT / "filter_plugins" / "mesosphere.py", "mesosphere_filters")


@pytest.mark.parametrize(("count", "majority"), [(1, 1), (3, 2), (5, 3), (7, 4)])
def test_a_quorum_is_the_smallest_majority(filters: ModuleType, count: int, majority: int) -> None:
    assert filters.quorum(["host"] * count) == majority


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ([], "at least one master"),
        (["a", "b"], "odd number of masters, not 2"),
        ("abc", "needs a list of hosts"),
        (3, "needs a list of hosts"),
    ],
)
def test_no_and_even_masters_have_no_quorum(filters: ModuleType, hosts: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        filters.quorum(hosts)


def test_the_address_is_the_one_for_other_hosts_first(filters: ModuleType) -> None:
    assert filters.addresses(["c", "a", "b"], HOSTVARS) == ["c", "10.0.0.1", "192.0.2.2"]


def test_zookeeper_is_named_with_every_host(filters: ModuleType) -> None:
    assert filters.zookeeper_hosts(["a", "b"], HOSTVARS) == "10.0.0.1:2181,192.0.2.2:2181"
    url = filters.zookeeper_url(["a", "c"], HOSTVARS, "/mesos/", 2000)
    assert url == "zk://10.0.0.1:2000,c:2000/mesos"
    with pytest.raises(AnsibleFilterError, match="is empty"):
        filters.zookeeper_url([], HOSTVARS, "mesos")


def test_no_filter_hides_behind_a_file_of_ansible(filters: ModuleType) -> None:
    # ansible-doc from 2.20 on looks for a plugin's documentation in a file of its name.
    theirs = {path.stem for path in Path(ansible.plugins.filter.__path__[0]).iterdir()}
    assert not theirs & set(filters.FilterModule().filters())


def test_a_url_has_brackets_around_an_address_of_version_6(filters: ModuleType) -> None:
    assert filters.server_urls(["b"], HOSTVARS, 5050) == ["http://192.0.2.2:5050"]
    assert filters.server_urls(["a"], HOSTVARS, 5050, "https") == ["https://10.0.0.1:5050"]
    six = {"a": {"mesosphere_address": "2001:db8::1"}}
    assert filters.server_urls(["a"], six, 5050) == ["http://[2001:db8::1]:5050"]
    assert filters.zookeeper_hosts(["a"], six) == "[2001:db8::1]:2181"


def test_the_leader_is_changed_last_and_what_does_not_run_all_at_once(filters: ModuleType) -> None:
    servers = [
        {"url": "http://10.0.0.1:5050", "answers": True},
        {"url": "http://192.0.2.2:5050", "answers": True},
        {"url": "http://c:5050", "answers": False},
    ]
    state = {"servers": servers, "leader": "http://10.0.0.1:5050"}
    assert filters.restart_order(["a", "b", "c"], HOSTVARS, state) == {
        "parallel": ["c"],
        "serial": ["b", "a"],
        "leader": ["a"],
    }
    zookeeper = {"servers": [{"address": "c:2181", "answers": True}], "leader": "c:2181"}
    assert filters.restart_order(["c"], HOSTVARS, zookeeper)["serial"] == ["c"]
    with pytest.raises(AnsibleFilterError, match="needs a component"):
        filters.restart_order(["c"], HOSTVARS, {})


def test_flags_become_arguments(filters: ModuleType) -> None:
    flags = {"port": 5050, "on": True, "off": False, "group": ["a", "b"], "none": None, "no": ""}
    assert filters.command_line(flags) == [
        "--port=5050",
        "--on=true",
        "--off=false",
        "--group=a",
        "--group=b",
    ]


def test_every_filter_is_documented(filters: ModuleType) -> None:
    preflight = load(ROOT / "filter_plugins" / "preflight.py", "preflight_filters")
    named = [*filters.FilterModule().filters(), *preflight.FilterModule().filters()]
    assert sorted(named) == sorted(path.stem for path in (ROOT / "filter_plugins").glob("*.yml"))
    for name in named:
        path = Path(ROOT / "filter_plugins" / f"{name}.yml")
        page = yaml.safe_load(path.read_text())
        assert page["DOCUMENTATION"]["name"] == name
        assert page["DOCUMENTATION"]["options"]["_input"]["description"]
        assert page["EXAMPLES"] and page["RETURN"]["_value"]["description"]


def test_members_keep_the_numbers_that_they_have(filters: ModuleType) -> None:
    hostvars = {
        "a": {"mesosphere_address": "10.0.0.1", "zookeeper_number": "5", "zookeeper_id": 5},
        "b": {"mesosphere_address": "2001:db8::2", "zookeeper_id": 7},
        "c": {"zookeeper_id": 0},
    }
    assert filters.zookeeper_members(["a", "b", "c"], hostvars) == [
        "server.5=10.0.0.1:2888:3888:participant;0.0.0.0:2181",
        "server.7=[2001:db8::2]:2888:3888:participant;0.0.0.0:2181",
        "server.3=c:2888:3888:participant;0.0.0.0:2181",
    ]
    member = {"id": 1, "host": "c", "peer": 1, "election": 2, "role": "participant", "client": 3}
    assert filters.zookeeper_line(member) == "server.1=c:1:2:participant;0.0.0.0:3"


def test_a_digest_is_what_zookeeper_makes_of_a_password(filters: ModuleType) -> None:
    # ZooKeeper's own DigestAuthenticationProvider says so of super:superpw.
    assert filters.zookeeper_digest("super", "superpw") == "super:g9oN2HttPfn8MMWJZ2r45Np/LIA="


def test_a_member_gets_its_number_once_and_no_other_gets_it(filters: ModuleType) -> None:
    hostvars = {
        "a": {"zookeeper_kept": 2},
        "b": {"zookeeper_kept": 0},
        "c": {"zookeeper_id": 7},
        "d": {"mesosphere_address": "10.0.0.4"},
    }
    hosts = ["a", "b", "c", "d"]
    assert filters.zookeeper_numbers(hosts, hostvars) == {"a": 2, "b": 1, "c": 7, "d": 3}
    # A host that has lost its disk is known to the others.
    state = {"servers": [{"members": {"5": {"host": "10.0.0.4"}, "1": {"host": "gone"}}}]}
    assert filters.zookeeper_numbers(hosts, hostvars, state) == {"a": 2, "b": 3, "c": 7, "d": 5}
