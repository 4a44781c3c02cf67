"""Members of a live ensemble: what is planned and refused, and a real reconfiguration."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.ansible.conftest import Run
from tests.integration.marathon_stack import free_port, wait_for

PASSWORD = "only for tests"
DIGEST = "super:u5CJCFsb+qRXcFCE/+d5+pxjqeY="
ONE = "server.1=10.0.0.1:2888:3888:participant;2181"
TWO = "server.2=10.0.0.2:2888:3888:participant;2181"


@pytest.fixture
def module(load_module: Callable[[str], ModuleType]) -> ModuleType:
    return load_module("zookeeper_ensemble")


def members(module: ModuleType, *lines: str) -> Any:
    return module.parse_members("\n".join(lines))


def test_a_member_joins_and_leaves_once(module: ModuleType) -> None:
    known = members(module, ONE)
    assert module.plan(known, TWO, "present") == (TWO, None)
    both = members(module, ONE, TWO)
    bound = TWO.replace(";2181", ";0.0.0.0:2181")
    assert module.plan(both, bound, "present") == (None, None)
    assert module.plan(both, "2", "absent") == (None, "2")
    assert module.plan(both, "server.2=", "absent") == (None, "2")
    assert module.plan(known, "2", "absent") == (None, None)


@pytest.mark.parametrize(
    ("member", "state", "said"),
    [
        ("1", "absent", "member 1 is the last one; add another before it leaves"),
        ("one", "absent", "'one' names no member"),
        ("server.2=10.0.0.2", "present", "is no member; write server.N="),
        (TWO.replace("0.2", "0.1"), "present", "10.0.0.1 is member 1; a member keeps its number"),
        (ONE.replace("0.1", "0.9"), "present", "member 1 is 10.0.0.1; give 10.0.0.9 another numb"),
    ],
)
def test_what_would_lose_the_ensemble_is_refused(
    module: ModuleType, member: str, state: str, said: str
) -> None:
    with pytest.raises(module.EnsembleError) as refused:
        module.plan(members(module, ONE), member, state)
    assert said in str(refused.value)


def test_a_change_needs_a_quorum_that_answers(module: ModuleType) -> None:
    three = members(module, ONE, TWO, TWO.replace("2=10.0.0.2", "3=10.0.0.3"))
    module.guard(three, None, lambda member: member["id"] != 3)
    with pytest.raises(module.EnsembleError, match="1 of the 3 members would answer"):
        module.guard(three, None, lambda member: member["id"] == 1)
    with pytest.raises(module.EnsembleError, match="1 of the 2 members would answer"):
        module.guard(three, "1", lambda member: member["id"] != 3)


class Servers:
    """Real servers on loopback, started by number."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lines: dict[int, str] = {}
        self.clients: dict[int, str] = {}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, number: int) -> None:
        host, client = f"127.0.0.{number}", free_port()
        self.clients[number] = f"{host}:{client}"
        ports = f"{free_port()}:{free_port()}"
        self.lines[number] = f"server.{number}={host}:{ports}:participant;{host}:{client}"
        home = self.directory / str(number)
        (home / "data").mkdir(parents=True)
        (home / "data" / "myid").write_text(str(number))
        (home / "list").write_text("\n".join(self.lines.values()) + "\n")
        (home / "zoo.cfg").write_text(
            f"tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir={home}/data\n"
            "admin.enableServer=false\nstandaloneEnabled=false\nreconfigEnabled=true\n"
            "4lw.commands.whitelist=srvr,conf\n"
            f"DigestAuthenticationProvider.superDigest={DIGEST}\n"
            f"dynamicConfigFile={home}/list\n"
        )
        jars = ":".join(
            ["/usr/share/java/zookeeper.jar", *map(str, Path("/usr/share/java").glob("*.jar"))]
        )
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        command = ["java", "-Xmx128m", "-Dzookeeper.admin.enableServer=false", "-cp", jars, main]
        with (home / "log").open("wb") as log:
            self.processes.append(
                subprocess.Popen([*command, str(home / "zoo.cfg")], stdout=log, stderr=log)
            )

    def close(self) -> None:
        for process in self.processes:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    running = Servers(tmp_path)
    try:
        yield running
    finally:
        running.close()


def test_a_real_ensemble_grows_and_shrinks_without_a_restart(
    servers: Servers, run_module: Run
) -> None:
    servers.start(1)
    known = [servers.clients[1]]
    wait_for(lambda: run_module("zookeeper_info", servers=known)["has_quorum"], "ZooKeeper")
    last = run_module(
        "zookeeper_ensemble", servers=known, member="1", state="absent", password=PASSWORD
    )
    assert last["msg"] == "member 1 is the last one; add another before it leaves"

    servers.start(2)
    wait_for(
        lambda: run_module("zookeeper_info", servers=[servers.clients[2]])["answering"],
        "the second",
    )
    given: dict[str, Any] = {
        "servers": known,
        "member": servers.lines[2],
        "password": PASSWORD,
        "wait_timeout": 60,
    }
    refused = run_module("zookeeper_ensemble", **{**given, "password": "guessed"})
    assert "NoAuthError" in refused["msg"] and "guessed" not in str(refused)
    predicted = run_module("zookeeper_ensemble", check=True, **given)
    joined = run_module("zookeeper_ensemble", **given)
    assert joined["changed"] and predicted["diff"] == joined["diff"]
    assert [line.split("=")[0] for line in joined["members"]] == ["server.1", "server.2"]
    assert not run_module("zookeeper_ensemble", **given)["changed"]
    both = [servers.clients[1], servers.clients[2]]
    assert run_module("zookeeper_info", servers=both, wait=True)["voters"] == [1, 2]

    # The leader itself may leave: the other one leads.
    left = run_module(
        "zookeeper_ensemble", servers=both, member="1", state="absent", password=PASSWORD
    )
    assert left["changed"] and len(left["members"]) == 1
    other = [servers.clients[2]]
    wait_for(lambda: run_module("zookeeper_info", servers=other)["voters"] == [2], "one voter")
