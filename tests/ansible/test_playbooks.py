"""Playbooks as a user runs them: refusals come before any host is touched."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
GROUPS = ("zookeeper", "masters", "agents", "marathon", "chronos", "loadbalancers")


def play(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOWS": "1",
            "MESOSPHERE_SUPPORT_BUNDLE": "false",
            **environment,
        },
    )


def inventory(directory: Path, groups: dict[str, list[str]]) -> str:
    # A host that answers nobody: a playbook that touched it would say "unreachable".
    hosts = {
        name: {"ansible_host": "192.0.2.1"}
        for name in dict.fromkeys(name for names in groups.values() for name in names)
    }
    children = {
        group: {"hosts": dict.fromkeys(names)} if names else {} for group, names in groups.items()
    }
    path = directory / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": children}}))
    return str(path)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_playbook_is_well_formed(playbook: str) -> None:
    done = play("-i", "inventories/sample", "--syntax-check", f"playbooks/{playbook}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("masters", [["m1", "m2"], ["m1", "m2", "m3", "m4"]])
def test_an_even_number_of_masters_is_refused(tmp_path: Path, masters: list[str]) -> None:
    groups = {group: ["m1"] for group in GROUPS} | {"masters": masters}
    done = play("-i", inventory(tmp_path, groups), "playbooks/site.yml")
    assert done.returncode != 0
    said = done.stdout.replace("''", "'")  # as 2.18 quotes it
    assert f"The group 'masters' has {len(masters)} hosts; it needs an odd number" in said
    assert "UNREACHABLE" not in done.stdout and "changed=0" in done.stdout


def test_no_masters_are_refused(tmp_path: Path) -> None:
    groups: dict[str, list[str]] = {group: ["m1"] for group in GROUPS} | {"masters": []}
    done = play("-i", inventory(tmp_path, groups), "playbooks/site.yml")
    assert done.returncode != 0
    assert "The group 'masters' has 0 hosts" in done.stdout
    assert "UNREACHABLE" not in done.stdout


def test_a_missing_group_is_refused(tmp_path: Path) -> None:
    groups = {group: ["m1"] for group in GROUPS if group != "agents"}
    done = play("-i", inventory(tmp_path, groups), "playbooks/site.yml")
    assert done.returncode != 0
    assert "The inventory has no group 'agents'" in done.stdout


def test_a_variable_of_the_wrong_type_is_refused() -> None:
    wrong = '{"marathon_flags": "no object"}'
    done = play("-i", "inventories/local", "playbooks/frameworks.yml", "-e", wrong)
    assert done.returncode != 0
    assert "argument 'marathon_flags' is of type" in done.stdout
    assert "changed=0" in done.stdout


def test_a_host_without_python_is_told_so(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    role = {"name": "common", "tasks_from": "preflight"}
    task = {"ansible.builtin.include_role": role}
    playbook.write_text(yaml.safe_dump([{"hosts": "bare", "gather_facts": False, "tasks": [task]}]))
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("all: {hosts: {bare: {ansible_connection: local}}}")
    # A shell that finds no program.
    shell = tmp_path / "sh"
    shell.write_text('#!/bin/sh\nPATH=/nonexistent exec /bin/sh "$@"\n')
    shell.chmod(0o755)
    done = play("-i", str(hosts), str(playbook), ANSIBLE_EXECUTABLE=str(shell))
    assert done.returncode != 0
    assert "bare has no Python 3; run `apt-get install python3` on it first" in done.stdout


def include(directory: Path, role: dict[str, str], **variables: object) -> str:
    playbook = directory / "play.yml"
    task = {"ansible.builtin.include_role": role, "vars": variables}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    playbook.write_text(yaml.safe_dump(plays))
    return str(playbook)


def test_a_distribution_that_the_roles_do_not_know_is_refused(tmp_path: Path) -> None:
    role = {"name": "common", "tasks_from": "preflight"}
    playbook = include(tmp_path, role, common_distributions={"plan9": "4", "multics": "12"})
    done = play("-i", "inventories/local", playbook)
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "the roles are written for multics and plan9 (common_distributions)." in said
    assert "changed=0" in said


def test_a_service_that_does_not_get_healthy_shows_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "sick.log").write_text("first\nno memory left\n")
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probing.getsockname()[1]}/ping"  # bound, but nobody listens
        playbook = include(
            tmp_path,
            {"name": "service", "tasks_from": "health"},
            service_name="sick",
            service_health_url=url,
            service_health_timeout_s=1,
            service_log_directory=str(tmp_path),
        )
        done = play("-i", "inventories/local", playbook)
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert f"sick did not answer at {url} within 1 s (last: " in said
    if not Path("/run/systemd/system").is_dir():
        assert "It wrote: first no memory left" in said


def test_hosts_keep_the_order_that_they_were_put_in() -> None:
    # Ansible's union and intersect give sets: the leader would not come last, numbers would move.
    content = [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").rglob("*.yml")]
    sets = [path.name for path in content if re.search(r"[|] *(union|intersect)", path.read_text())]
    assert sets == []


def test_a_server_that_joins_the_ensemble_has_its_number_where_the_role_looks_for_it() -> None:
    # A lower number may be free again, that of a dead member: the role would take it.
    plays = yaml.safe_load((ROOT / "playbooks" / "scale_zookeeper.yml").read_text())
    tasks = [task for play in plays for task in play.get("tasks", ())]
    [joining] = [task["ansible.builtin.add_host"] for task in tasks if "add_host" in str(task)]
    assert joining["groups"] == ["zookeeper_joining"] and "zookeeper_id" in joining
