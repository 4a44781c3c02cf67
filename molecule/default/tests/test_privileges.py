"""Least privilege as docs/operations/privileges.md says it: users, files, confined units."""

import re
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host
from tests.lab.cluster import INVENTORY, addresses, app_tasks, get, page, wait_for

PAGE = Path(__file__).resolve().parents[3] / "docs/operations/privileges.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| `([a-z-]+)` \| ([0-9.]+) \| .+ \|$", re.MULTILINE)
TABLE = {name: (user, float(most)) for name, user, most in ROW.findall(PAGE.read_text())}
TASK_USER = "mesosphere"


def host(name: str) -> Host:
    """By SSH alone: there is much to ask."""
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")


def test_the_table_has_every_service() -> None:
    assert set(TABLE) == {
        "zookeeper", "mesos-master", "marathon", "chronos", "mesosphere-haproxy", "mesos-agent",
    }  # fmt: skip


@pytest.mark.parametrize("service", sorted(TABLE))
def test_a_unit_is_no_more_exposed_than_the_table_says(service: str) -> None:
    most = round(TABLE[service][1] * 10)
    found = host("host1").run(f"systemd-analyze security --no-pager --threshold={most} {service}")
    assert found.rc == 0, found.stdout[-3000:] + found.stderr


@pytest.mark.parametrize("service", sorted(TABLE))
def test_every_process_of_a_service_is_its_users(service: str) -> None:
    main = host("host1").check_output(f"systemctl show -p MainPID --value {service}")
    users = host("host1").check_output(f"ps -o user:32= -p {main} --ppid {main}").split()
    assert users and set(users) == {TABLE[service][0]}


def test_nobody_else_runs_anything_of_ours() -> None:
    listed = host("host1").check_output("ps axo user:32=,args=").splitlines()
    ours = {line.split()[0] for line in listed if re.search(r" .*(mesosphere|haproxy -W)", line)}
    assert ours <= {user for user, _ in TABLE.values()} | {"root"}
    as_root = [line for line in listed if line.startswith("root ") and "mesosphere" in line]
    named = ("mesosphere agent", "mesosphere.agent", "mesosphere-agent", "ansible", "ps axo")
    assert all(any(name in line for name in named) for line in as_root), as_root


USERS = {user for user, _ in TABLE.values()} - {"root"} | {TASK_USER}


@pytest.mark.parametrize("user", sorted(USERS))
def test_a_user_reads_nothing_of_a_service_but_its_own(user: str) -> None:
    # What a task has fetched, and its output, are the task's; the sample's archive is nobody's.
    found = host("host1").check_output(
        f"setpriv --reuid {user} --regid {user} --clear-groups find /etc/mesosphere"
        " /var/lib/mesosphere /run/mesosphere-agent -type f -readable -printf '%u %p\\n'"
        " 2>/dev/null || true"
    )
    others = [
        line
        for line in found.splitlines()
        if line.split()[0] != user and not re.search(r"/examples/|/agent/slaves/", line)
    ]
    assert others == []


def test_environments_are_for_root_alone() -> None:
    found = host("host1").check_output("stat -c '%a %U' /etc/mesosphere/*.env").splitlines()
    assert len(found) == len(TABLE) and set(found) == {"600 root"}


def test_a_task_inherits_nothing_that_confines_the_agent() -> None:
    wait_for(app_tasks, "the app")
    name = next(each for each in addresses() if host(each).run("pgrep -f '[h]ello/app.py'").rc == 0)
    shown = host(name).check_output(
        "cat /proc/1/status /proc/$(pgrep -f '[h]ello/app.py' | head -n 1)/status"
    )
    for key in ("NoNewPrivs", "Seccomp_filters"):
        of_host, of_task = re.findall(rf"^{key}:\s*(\d+)$", shown, re.MULTILINE)
        assert of_host == of_task, key
    assert re.findall(r"^Uid:\s*(\d+)", shown, re.MULTILINE)[1] != "0"


def test_haproxy_stays_when_its_daemon_restarts() -> None:
    before = host("host1").check_output("pgrep -u haproxy -f 'haproxy -W'")
    assert host("host1").run("systemctl restart mesosphere-haproxy").rc == 0
    wait_for(lambda: get("host1", 9090, "/v1/status"), "the daemon")
    assert wait_for(lambda: page("host1"), "the page")
    assert host("host1").check_output("pgrep -u haproxy -f 'haproxy -W'") == before
