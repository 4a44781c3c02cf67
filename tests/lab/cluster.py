"""The lab's cluster as the scenarios in `molecule/` see it.

Its hosts, what they answer, playbooks that are run on it, a load through its balancers.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import testinfra
import yaml
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "lab" / "hosts.yml"
DEADLINE_S = 120.0
PLAY_TIMEOUT_S = 1500.0


def described() -> Any:
    """The inventory as it is now: scenarios add hosts, and take some out of groups."""
    return yaml.safe_load(INVENTORY.read_text())["all"]


def addresses() -> dict[str, str]:
    """Each host's address."""
    return {name: each["ansible_host"] for name, each in described()["hosts"].items()}


def members(group: str) -> list[str]:
    """The hosts of a group."""
    return list(described()["children"][group]["hosts"])


def regroup(group: str, hosts: list[str]) -> None:
    """Other hosts are in the group."""
    known = described()
    known["children"][group]["hosts"] = dict.fromkeys(hosts)
    INVENTORY.write_text(yaml.safe_dump({"all": known}, sort_keys=False))


def host(name: str) -> Host:
    """The host, over SSH."""
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}&force_ansible=true")


def lab(*arguments: str) -> str:
    """What `script/lab` says."""
    done = subprocess.run(
        [ROOT / "script" / "lab", *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of the condition, while servers come and go."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            value = condition()
        except (requests.RequestException, LookupError, ValueError):
            value = None
        if value:
            return value
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.5)


def get(name: str, port: int, path: str) -> Any:
    """JSON of a host's server."""
    return requests.get(f"http://{addresses()[name]}:{port}{path}", timeout=5).json()


def leader() -> str:
    """The host whose master leads; nothing while none does."""
    for name in members("masters"):
        try:
            if get(name, 5050, "/metrics/snapshot")["master/elected"] == 1:
                return name
        except requests.RequestException:
            continue
    return ""


def agents_active() -> int:
    """How many agents get offers."""
    return int(get(leader(), 5050, "/metrics/snapshot")["master/slaves_active"])


def app_tasks(host_name: str = "") -> set[str]:
    """The running tasks of the sample app, of one host or all."""
    app = get(members("marathon")[0], 8080, "/v2/apps//hello")["app"]
    return {
        task["id"]
        for task in app["tasks"]
        if task["state"] == "TASK_RUNNING"
        and (not host_name or task["host"] == addresses()[host_name])
    }


def app_scaled(instances: int) -> set[str]:
    """The sample app has so many instances: its tasks."""
    url = f"http://{addresses()[members('marathon')[0]]}:8080/v2/apps//hello"
    answer = requests.put(url, json={"instances": instances}, timeout=5)
    assert answer.status_code == 200, answer.text
    wait_for(lambda: len(app_tasks()) == instances, f"{instances} instances")
    return app_tasks()


def page(name: str) -> bool:
    """Whether a load balancer gives the sample app's page."""
    answer = requests.get(f"http://{addresses()[name]}:10000/", timeout=5)
    return answer.status_code == 200 and "Hello from Mesosphere" in answer.text


class Played:
    """A playbook that has run."""

    def __init__(self, returncode: int, said: str) -> None:
        self.returncode = returncode
        self.said = said

    @property
    def changed(self) -> int:
        """Changes on all hosts."""
        return sum(int(count) for count in re.findall(r" changed=(\d+) ", self.said))


def surroundings() -> dict[str, str]:
    """What a playbook is run in: molecule's own settings are relative to its scenarios."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}


def play(playbook: str, *arguments: str, checkout: Path = ROOT, fails: bool = False) -> Played:
    """Run a playbook on the lab, from this checkout or another one."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [program, "-i", str(INVENTORY.parent), f"playbooks/{playbook}", *arguments],
        cwd=checkout,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=PLAY_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode != 0) is fails, done.stdout[-6000:] + done.stderr[-2000:]
    return Played(done.returncode, done.stdout)


@contextmanager
def load() -> Iterator[None]:
    """Requests to the sample app through every load balancer meanwhile; none may fail."""
    urls = [f"http://{addresses()[name]}:10000/" for name in members("loadbalancers")]
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "load.json"
        program = ROOT / "molecule" / "shared" / "load.py"
        running = subprocess.Popen([sys.executable, str(program), str(out), *urls])
        try:
            yield
        finally:
            running.terminate()
            running.wait(30)
        seen = json.loads(out.read_text())
    assert seen["asked"] > 20 and seen["failed"] == [], (seen["asked"], seen["failed"][:5])
