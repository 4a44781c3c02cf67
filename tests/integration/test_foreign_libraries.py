"""Framework libraries that others wrote, as they are, against masters, ZooKeeper and an agent.

Each subscribes, launches, lives through the end of the leading master, fails over to another
instance of itself with the same id, kills and tears down; once told of a master that does not lead,
which redirects, and once of ZooKeeper.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from mesoshttp.client import MesosClient
from tests.integration.cluster import Cluster
from tests.integration.foreign import add_pymesos
from tests.integration.marathon_stack import wait_for

FAILOVER_TIMEOUT_S = 600
MODES = ("redirect", "zookeeper")


class Scheduler(Protocol):
    """What the story asks of a library."""

    statuses: list[dict[str, Any]]

    def start(self, framework_id: str | None) -> None: ...

    def framework_id(self) -> str | None: ...

    def subscriptions(self) -> int: ...

    def launch(self, name: str, command: str) -> None: ...

    def kill(self, name: str) -> None: ...

    def leave(self) -> None: ...

    def tear_down(self) -> None: ...


def task(name: str, command: str, agent_id: Any) -> dict[str, Any]:
    return {
        "name": name, "task_id": {"value": name}, "agent_id": agent_id,
        "command": {"value": command},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
        ],
    }  # fmt: skip


class MesosHttp:
    """mesoshttp: blocking requests in a thread of its own."""

    def __init__(self, master: str) -> None:
        self.url = master if master.startswith("zk://") else f"http://{master}"
        self.statuses: list[dict[str, Any]] = []
        self.wanted: list[tuple[str, str]] = []
        self.seen = 0

    def start(self, framework_id: str | None) -> None:
        client = MesosClient([self.url], frameworkId=framework_id, frameworkName="mesoshttp",
                             frameworkUser="root", max_reconnect=1000)  # fmt: skip
        client.set_failover_timeout(FAILOVER_TIMEOUT_S)
        client.on(MesosClient.SUBSCRIBED, self._subscribed)
        client.on(MesosClient.OFFERS, self._offered)
        client.on(MesosClient.UPDATE, lambda update: self.statuses.append(update["status"]))
        self.client = client
        self.thread = threading.Thread(target=client.register, daemon=True)
        self.thread.start()

    def _subscribed(self, driver: Any) -> None:
        self.seen += 1
        self.driver = driver

    def _offered(self, offers: list[Any]) -> None:
        for offer in offers:
            if not self.wanted:
                offer.decline({"filters": {"refuse_seconds": 0.5}})
                continue
            name, command = self.wanted.pop(0)
            agent_id = offer.get_offer()["agent_id"]
            offer.accept([task(name, command, agent_id)], {"filters": {"refuse_seconds": 0.5}})

    def framework_id(self) -> str | None:
        return self.client.frameworkId if self.seen else None

    def subscriptions(self) -> int:
        return self.seen

    def launch(self, name: str, command: str) -> None:
        self.wanted.append((name, command))

    def kill(self, name: str) -> None:
        [status, *_] = [each for each in self.statuses if each["task_id"]["value"] == name]
        self.driver.kill(status["agent_id"]["value"], name)

    def leave(self) -> None:
        self.client.disconnect_framework()

    def tear_down(self) -> None:
        self.client.tearDown()  # with the next event


class PyMesos:
    """pymesos: its driver's own thread."""

    def __init__(self, master: str) -> None:
        self.master = master
        self.statuses: list[dict[str, Any]] = []
        self.wanted: list[tuple[str, str]] = []
        self.seen = 0

    def start(self, framework_id: str | None) -> None:
        from pymesos import MesosSchedulerDriver
        from pymesos import Scheduler as Base

        mine = self

        class Callbacks(Base):  # type: ignore[misc]
            def registered(self, driver: Any, framework_id: Any, info: Any) -> None:
                mine.seen += 1

            def reregistered(self, driver: Any, info: Any) -> None:
                mine.seen += 1

            def resourceOffers(self, driver: Any, offers: list[Any]) -> None:
                mine.offered(driver, offers)

            def statusUpdate(self, driver: Any, status: Any) -> None:
                mine.statuses.append(status)

        info = {"user": "root", "name": "pymesos", "failover_timeout": FAILOVER_TIMEOUT_S,
                "checkpoint": True}  # fmt: skip
        if framework_id is not None:
            info["id"] = {"value": framework_id}
        self.driver = MesosSchedulerDriver(Callbacks(), info, self.master)
        self.driver.start()

    def offered(self, driver: Any, offers: list[Any]) -> None:
        for offer in offers:
            if not self.wanted:
                driver.declineOffer(offer["id"], {"refuse_seconds": 0.5})
                continue
            name, command = self.wanted.pop(0)
            infos = [task(name, command, offer["agent_id"])]
            driver.launchTasks(offer["id"], infos, {"refuse_seconds": 0.5})

    def framework_id(self) -> str | None:
        found: str | None = self.driver.framework_id
        return found if self.seen else None

    def subscriptions(self) -> int:
        return self.seen

    def launch(self, name: str, command: str) -> None:
        self.wanted.append((name, command))

    def kill(self, name: str) -> None:
        self.driver.killTask({"value": name})

    def leave(self) -> None:
        self.driver.stop(failover=True)
        self.driver.join()

    def tear_down(self) -> None:
        self.driver.stop()
        self.driver.join()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    try:
        found.start_mesos_cluster(masters=2, agents=1)
        wait_for(lambda: found.leader_of_masters(), "a leading master")
        yield found
    finally:
        found.close()


@pytest.fixture(scope="session")
def pymesos(tmp_path_factory: pytest.TempPathFactory) -> None:
    if sys.version_info >= (3, 12):
        pytest.skip("http-parser, which pymesos needs, can't be had for Pythons after 3.11")
    add_pymesos(tmp_path_factory.mktemp("foreign"))


@pytest.mark.parametrize("mode", MODES)
def test_mesoshttp_lives_its_life(
    cluster: Cluster, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MesosClient, "WAIT_TIME", 1)  # seconds between its attempts
    live(cluster, MesosHttp, mode)


@pytest.mark.parametrize("mode", MODES)
def test_pymesos_lives_its_life(cluster: Cluster, mode: str, pymesos: None) -> None:
    live(cluster, PyMesos, mode)


def live(cluster: Cluster, library: Callable[[str], Scheduler], mode: str) -> None:
    leader = cluster.leader_of_masters()
    [standby] = [name for name in ("master0", "master1") if name != leader]
    where = {"redirect": cluster.addresses[standby].removeprefix("http://"),
             "zookeeper": cluster.master}  # fmt: skip
    scheduler = library(where[mode])
    scheduler.start(None)
    wait_for(scheduler.framework_id, "the first subscription")
    framework_id = scheduler.framework_id()
    scheduler.launch("keeps", "sleep 1000")
    wait_for(lambda: state_of(scheduler, "keeps") == "TASK_RUNNING", "the task to run")
    scheduler.launch("fails", "exit 3")
    wait_for(lambda: state_of(scheduler, "fails") == "TASK_FAILED", "the task to fail")

    # The master that leads ends; the other one leads on.
    before = scheduler.subscriptions()
    cluster.stop(leader, signal.SIGKILL)
    wait_for(lambda: cluster.leader_of_masters() == standby, "the other master to lead")
    cluster.again(leader)  # to send on those who know no other address
    wait_for(lambda: scheduler.subscriptions() > before, "a subscription to the new leader")
    assert scheduler.framework_id() == framework_id
    wait_for(lambda: known(cluster)["keeps"] == "TASK_RUNNING", "the agent to bring the task")
    scheduler.launch("after", "sleep 1000")
    wait_for(lambda: state_of(scheduler, "after") == "TASK_RUNNING", "a task of the new leader")

    # Another instance of the framework takes over its id.
    scheduler.leave()
    other = library(where[mode])
    other.start(framework_id)
    wait_for(lambda: other.framework_id() == framework_id, "the failover of the framework")
    assert known(cluster)["keeps"] == "TASK_RUNNING"
    other.launch("mine", "sleep 1000")
    wait_for(lambda: state_of(other, "mine") == "TASK_RUNNING", "a task of the second instance")
    other.kill("mine")
    wait_for(lambda: state_of(other, "mine") == "TASK_KILLED", "the kill")

    other.tear_down()
    wait_for(lambda: completed(cluster) == [framework_id], "the teardown")
    wait_for(lambda: cluster.pids() == {}, "the tasks to end")


def state_of(scheduler: Scheduler, name: str) -> str:
    found = [each["state"] for each in scheduler.statuses if each["task_id"]["value"] == name]
    return found[-1] if found else ""


def known(cluster: Cluster) -> dict[str, str]:
    """Tasks as the leading master shows them."""
    frameworks = cluster.get(cluster.leader_of_masters(), "/state")["frameworks"]
    return {each["id"]: each["state"] for one in frameworks for each in one["tasks"]}


def completed(cluster: Cluster) -> list[str]:
    shown = cluster.get(cluster.leader_of_masters(), "/frameworks")
    time.sleep(0.2)
    return [each["id"] for each in shown["completed_frameworks"]]
