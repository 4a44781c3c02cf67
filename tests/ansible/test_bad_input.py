"""Wrong flags, names that are nearly right, hosts that don't answer: refused before a change."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.ansible.test_playbooks import GROUPS, ROOT, inventory, play
from tests.ansible.test_preflight import faults, preflight

__all__ = ["preflight"]  # a fixture


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"mesos_master_flags": {"quorrum": 2}},
            "a: the variable 'mesos_master_flags': there is no flag 'quorrum'; did you mean quorum",
        ),
        (
            {"mesos_agent_flags": {"attributes": "rack:r1", "gc_delay": "soon"}},
            "a: the variable 'mesos_agent_flags': 'gc_delay' is 'soon', no duration.",
        ),
        (
            {"marathon_flags": {"http_port": "web"}},
            "a: the variable 'marathon_flags': 'http_port' is 'web', no port.",
        ),
        (
            {"chronos_flags": {"failure_retry": 1.5}},
            "a: the variable 'chronos_flags': 'failure_retry' is '1.5', no integer.",
        ),
        (
            {"haproxy_flags": {"health_check": "maybe"}},
            "a: the variable 'haproxy_flags': 'health_check' is 'maybe', no switch.",
        ),
        (
            {"haproxy_flags": {"logging_level": "LOUD"}},
            "'logging_level' is 'LOUD', not one of DEBUG, INFO, WARNING, ERROR.",
        ),
        (
            {"zookeper_id": 1},
            "a: nobody reads the variable 'zookeper_id'; did you mean zookeeper_id.",
        ),
        (
            {"groups": {"agent": ["c"]}},
            "c is in the group 'agent', which nobody reads; did you mean 'agents'.",
        ),
    ],
)
def test_each_fault_names_the_host_and_what_was_perhaps_meant(
    preflight: ModuleType, changed: dict[str, Any], said: str
) -> None:
    found = faults(preflight, **changed)
    assert len(found) == 1 and said in found[0], found


@pytest.mark.parametrize(
    ("variable", "flags", "environment"),
    [
        ("marathon", {"http_credentials": "u:hunter2"}, "MARATHON_HTTP_CREDENTIALS"),
        ("chronos", {"zk_auth": "u:hunter2"}, "CHRONOS_ZK_AUTH"),
        ("haproxy", {"auth_credentials": "u:hunter2"}, "HAPROXY_LB_AUTH_CREDENTIALS"),
        ("mesos_master", {"zk": "zk://u:hunter2@h:2181/mesos"}, "MESOS_ZK"),
    ],
)
def test_a_secret_is_kept_off_the_command_line_and_out_of_the_sentence(
    preflight: ModuleType, variable: str, flags: dict[str, str], environment: str
) -> None:
    (found,) = faults(preflight, **{f"{variable}_flags": flags})
    assert found.startswith(
        f"a: the variable '{variable}_flags' has the secret '{next(iter(flags))}'"
    )
    assert f"put it into '{variable}_environment' as {environment}, or name a file" in found
    assert "hunter2" not in found


def test_good_flags_are_let_through(preflight: ModuleType) -> None:
    given = {
        "mesos_master_flags": {
            "slave_ping_timeout": "15secs",
            "zk": None,
            "no-hostname_lookup": True,
        },
        "mesos_agent_flags": {"gc_delay": "1weeks", "isolation": "posix", "port": 5052},
        "marathon_flags": {"http_credentials": "file:///etc/pass", "failover_timeout": 60},
        "chronos_flags": {"user": "", "http-port": "4401"},
        "haproxy_flags": {"group": ["external", "internal"], "health_check": False},
        "my_own_variable": 1,
        "groups": {"agents_active": ["b"], "agent": ["b"], "new_agents": ["b"]},
    }
    assert faults(preflight, **given) == []


def test_a_run_that_is_limited_to_a_host_is_checked_too(tmp_path: Path) -> None:
    groups = {group: ["m1"] for group in GROUPS} | {"masters": ["m1", "m2"]}
    hosts = inventory(tmp_path, groups)
    for playbook in ("site", "agents", "loadbalancers"):
        done = play("-i", hosts, f"playbooks/{playbook}.yml", "--limit", "m1")
        assert done.returncode != 0
        assert "The group 'masters' has 2 hosts; it needs an odd number" in done.stdout
        assert "UNREACHABLE" not in done.stdout and "changed=0" in done.stdout


def test_a_host_that_does_not_answer_stops_the_run_before_any_is_changed(tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'ssh: No route to host' >&2\nexit 255\n")
    ssh.chmod(0o755)
    groups = {group: ["dead"] for group in GROUPS} | {"agents": ["dead", "well"]}
    path = Path(inventory(tmp_path, groups))
    hosts = yaml.safe_load(path.read_text())
    hosts["all"]["hosts"] = {
        "dead": {"ansible_host": "192.0.2.7", "ansible_ssh_executable": str(ssh)},
        "well": {"ansible_connection": "local", "ansible_host": "127.0.0.1"},
    }
    path.write_text(yaml.safe_dump(hosts))
    done = play("-i", str(path), "playbooks/site.yml")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "dead does not answer at 192.0.2.7 (ansible_host); " in said
    assert "ssh: No route to host" in said and "Nothing was changed." in said
    assert "Prepare the hosts" not in said and "changed=1" not in said


def test_every_role_of_a_daemon_has_its_flags_checked(preflight: ModuleType) -> None:
    roles = {
        path.parent.parent.name
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
        if f"{path.parent.parent.name}_flags:" in path.read_text()
    }
    assert roles == set(preflight.DAEMONS)
    flags = preflight.specified_flags((ROOT / preflight.FLAGS).read_text())
    assert {component for component, _ in preflight.DAEMONS.values()} <= set(flags)
