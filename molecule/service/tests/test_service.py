"""A service by systemd and one by supervisor: its user, its one privilege, its secrets, its end."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host
from tests.lab.cluster import INVENTORY, ROOT, surroundings

SECRET = 'a "second\\ $secret'


@pytest.fixture(params=["host1", "plain"])
def machine(request: pytest.FixtureRequest) -> Host:
    where = f"ansible://{request.param}?ansible_inventory={INVENTORY}&sudo=true"
    return testinfra.get_host(where)


def pid(machine: Host) -> int:
    found = machine.run("pgrep -u echo-service -f '^/usr/bin/python3 -m http.server 81'")
    return int(found.stdout.split()[0]) if found.rc == 0 else 0


def test_it_is_its_users_with_one_privilege(machine: Host) -> None:
    shown = dict(
        line.split(":\t", 1)
        for line in machine.check_output(f"cat /proc/{pid(machine)}/status").splitlines()
        if ":\t" in line
    )
    assert {shown["CapEff"], shown["CapBnd"]} == {f"{1 << 10:016x}"}
    assert shown["NoNewPrivs"] == "1"
    assert machine.user("echo-service").shell == "/usr/sbin/nologin"


def test_it_has_its_secret_and_nobody_else_reads_it(machine: Host) -> None:
    # Root of a host without privileges may not read it; the user with the same privilege may.
    kept = "-all,+net_bind_service"
    become = (
        "setpriv --reuid=echo-service --regid=echo-service --init-groups"
        f" --inh-caps={kept} --ambient-caps={kept}"
    )
    environment = machine.check_output(f"{become} cat /proc/{pid(machine)}/environ")
    assert f"PASSWORD={SECRET}" in environment.split("\0")
    written = "/etc/mesosphere/echo.env /etc/supervisor/conf.d/echo.conf"
    modes = machine.run(f"stat -c '%a %U' {written}").stdout.splitlines()
    assert modes == ["600 root"]
    assert machine.file("/srv/echo").mode == 0o700
    assert "second" not in machine.run("cat /etc/systemd/system/echo.service").stdout


def test_it_comes_back_when_it_dies(machine: Host) -> None:
    before = pid(machine)
    machine.check_output(f"kill -9 {before}")
    until = time.monotonic() + 30
    while pid(machine) in (0, before):
        assert time.monotonic() < until, "it did not come back"
        time.sleep(0.3)


def test_it_leaves_nothing_when_it_is_taken_away(machine: Host) -> None:
    playbook = ROOT / "molecule" / "service" / "absent.yml"
    ansible = Path(sys.executable).with_name("ansible-playbook")
    for _ in range(2):
        done = subprocess.run(
            [str(ansible), "-i", str(INVENTORY), str(playbook)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            env={**surroundings(), "MESOSPHERE_SUPPORT_BUNDLE": "false"},
        )
        assert done.returncode == 0, done.stdout
    assert done.stdout.count("changed=0") == 2
    assert pid(machine) == 0
    left = (
        "/etc/mesosphere/echo.env /etc/supervisor/conf.d/echo.conf /etc/systemd/system/echo.service"
    )
    assert machine.run(f"ls {left}").stdout == ""
