"""Each fault of an inventory or a host is refused in a sentence before anything is changed."""

import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.ansible.conftest import ROOT, Run, load
from tests.ansible.test_playbooks import play

SHARED: dict[str, Any] = {
    "mesosphere_zookeeper_port": 2181,
    "mesosphere_zookeeper_peer_port": 2888,
    "mesosphere_zookeeper_election_port": 3888,
    "mesosphere_master_port": 5050,
    "mesosphere_agent_port": 5051,
    "mesosphere_marathon_port": 8080,
    "mesosphere_chronos_port": 4400,
    "mesosphere_http_port": 80,
    "mesosphere_stats_port": 9090,
}
NAMES = ("zookeeper", "masters", "agents", "marathon", "chronos", "loadbalancers")


@pytest.fixture(scope="module")
def preflight() -> ModuleType:
    return load(ROOT / "filter_plugins" / "preflight.py", "preflight_filters")


def faults(preflight: ModuleType, **changed: Any) -> list[str]:
    """Of one host `a` in all groups, and `b`, an agent; `changed` are variables of `a`."""
    groups = {name: ["a"] for name in NAMES}
    groups["agents"] = ["a", "b"]
    groups.update(changed.pop("groups", {}))
    hostvars = {
        "a": {**SHARED, "mesosphere_address": "192.0.2.1", **changed},
        "b": {**SHARED, "mesosphere_address": "192.0.2.2"},
    }
    found: list[str] = preflight.inventory_faults(groups, hostvars, str(ROOT / "roles"))
    return found


def test_a_good_inventory_has_no_fault(preflight: ModuleType) -> None:
    assert faults(preflight, zookeeper_id=3, marathon_flags={"hostname": "x"}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"marathon_flag": {}}, "a: there is no variable 'marathon_flag'; did you mean"),
        ({"mesosphere_masterport": 1}, "did you mean mesosphere_master_port."),
        ({"release_keep": "three"}, "a: the variable 'release_keep': argument 'release_keep'"),
        ({"zookeeper_heap_mb": []}, "the variable 'zookeeper_heap_mb'"),
        ({"health_expect": "good"}, "value of health_expect must be one of: whole, any"),
        (
            {"mesosphere_http_port": 8080},
            "'mesosphere_marathon_port' and 'mesosphere_http_port' are both port 8080",
        ),
        ({"mesosphere_agent_port": 70000}, "'mesosphere_agent_port' is 70000, no port from 1 to"),
        ({"mesosphere_agent_port": "http"}, "'mesosphere_agent_port' is 'http', no port"),
        (
            {"mesosphere_address": "192.0.2.2"},
            "b: the variable 'mesosphere_address' is 192.0.2.2, which a has too.",
        ),
        ({"zookeeper_id": 256}, "a: the variable 'zookeeper_id' is 256, no number from 1 to 255."),
        ({"zookeeper_id": -1}, "'zookeeper_id' is -1, no number from 1 to 255."),
        ({"groups": {"masters": ["a", "b"]}}, "The group 'masters' has 2 hosts; it needs an odd"),
        ({"groups": {"zookeeper": []}}, "The group 'zookeeper' has 0 hosts; it needs an odd"),
    ],
)
def test_each_fault_names_the_host_and_the_variable(
    preflight: ModuleType, changed: dict[str, Any], said: str
) -> None:
    found = faults(preflight, **changed)
    assert len(found) == 1 and said in found[0], found


def test_a_number_that_two_members_have_is_a_fault(preflight: ModuleType) -> None:
    hostvars = {
        name: {**SHARED, "mesosphere_address": name, "zookeeper_id": 1} for name in ("a", "b", "c")
    }
    groups = {name: ["a"] for name in NAMES} | {"zookeeper": ["a", "b", "c"]}
    found = preflight.inventory_faults(groups, hostvars, str(ROOT / "roles"))
    assert "b: the variable 'zookeeper_id' is 1, which a has too." in found


def test_a_fault_of_many_hosts_is_said_once(preflight: ModuleType) -> None:
    hostvars = {
        name: {**SHARED, "mesosphere_address": name, "chronos_flag": 1} for name in ("a", "b", "c")
    }
    groups = {name: ["a"] for name in NAMES} | {"agents": ["a", "b", "c"]}
    found = preflight.inventory_faults(groups, hostvars, str(ROOT / "roles"))
    assert len(found) == 1 and found[0].startswith("a and 2 more: there is no variable")
    assert preflight.inventory_faults(groups, hostvars, str(ROOT / "roles"), hosts=[]) == []


def test_every_port_of_the_shared_variables_is_in_the_table(preflight: ModuleType) -> None:
    shared = yaml.safe_load((ROOT / "playbooks/group_vars/all/cluster.yml").read_text())
    assert set(preflight.PORTS) == {name for name in shared if name.endswith("_port")}


def test_a_fault_stops_every_playbook_on_the_controller() -> None:
    given = json.dumps({"marathon_flag": {}, "mesosphere_http_port": 5050})
    done = play("-i", "inventories/local", "playbooks/preflight.yml", "-e", given)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "localhost: there is no variable ''marathon_flag''; did you mean marathon_flags" in said
    assert "are both port 5050" in said and "Ask whether the host has a Python" not in said


HOST: dict[str, Any] = {
    "release": ("debian", "12"),
    "memory_mb": 2000,
    "skew_s": 0.5,
    "listening": {},
    "number": None,
}
GIVEN: dict[str, Any] = {
    "distributions": {"debian": "12", "ubuntu": "22.04"},
    "memory_mb": 480,
    "memory_variables": "common_memory_minimum_mb",
    "member": {"number": 2, "file": "/x/myid", "variable": "zookeeper_id"},
    "clock_skew_s": 30,
    "ports": [{"port": 5051, "variable": "mesosphere_agent_port", "group": "agents"}],
    "own_commands": ["mesosphere"],
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"release": ("fedora", "42")},
            "h runs fedora; the roles are written for debian and ubuntu (common_distributions).",
        ),
        ({"release": ("debian", "11")}, "h runs debian 11; the roles need 12 or later (common_d"),
        ({"release": ("ubuntu", "20.04")}, "h runs ubuntu 20.04; the roles need 22.04 or later"),
        ({"number": 3}, "h is member 3 of the ensemble, and the inventory says zookeeper_id is 2;"),
        ({"memory_mb": 200}, "h has 200 MB of memory; its services need 480 MB (common_memory_m"),
        ({"skew_s": -90.0}, "The clock of h is 90 s behind the controller's; set it right first"),
        ({"skew_s": 31.0}, "The clock of h is 31 s ahead of the controller's"),
        (
            {"listening": {5051: "/usr/bin/java -jar x"}},
            "which agents needs (mesosphere_agent_port), is taken by: /usr/bin/java -jar x.",
        ),
        ({"listening": {5051: ""}}, "is taken by: a process of another user."),
    ],
)
def test_a_host_that_will_not_do_is_told_why(
    load_module: Callable[[str], ModuleType], changed: dict[str, Any], said: str
) -> None:
    module = load_module("host_check")
    assert module.faults("h", HOST, GIVEN) == []
    found = module.faults("h", {**HOST, **changed}, GIVEN)
    assert len(found) == 1 and said in found[0], found


def test_a_member_without_a_number_of_its_own_is_no_fault(
    load_module: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    module = load_module("host_check")
    unset = {**GIVEN, "member": {**GIVEN["member"], "number": 0}}
    assert module.faults("h", {**HOST, "number": 3}, unset) == []
    assert module.faults("h", {**HOST, "number": 2}, GIVEN) == []
    assert module.number_of(tmp_path / "myid") is None
    (tmp_path / "myid").write_text("3\n")
    assert module.number_of(tmp_path / "myid") == 3


def test_the_clusters_own_services_may_hold_their_ports(
    load_module: Callable[[str], ModuleType],
) -> None:
    own = {**HOST, "listening": {5051: "/opt/mesosphere/current/bin/mesosphere agent"}}
    assert load_module("host_check").faults("h", own, GIVEN) == []


def test_this_host_is_looked_at(run_module: Run) -> None:
    with socket.socket() as holding:
        holding.bind(("127.0.0.1", 0))
        holding.listen()
        port = holding.getsockname()[1]
        asked = {"port": port, "variable": "some_port", "group": "agents"}
        given: dict[str, Any] = {"ports": [asked], "now": time.time(), "distributions": {}}
        refused = run_module("host_check", host="here", **given)
        sentence = f"Port {port} of here, which agents needs (some_port), is taken by: "
        assert sentence + sys.executable.split("/")[0] in refused["msg"]
        assert "here runs" in refused["msg"] and abs(refused["skew_s"]) < 30
    name = Path("/etc/os-release").read_text().split("\nID=")[1].split()[0].strip('"')
    given = {"ports": [asked], "now": time.time(), "distributions": {name: "1"}}
    assert run_module("host_check", **given)["faults"] == []
