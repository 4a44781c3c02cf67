"""A master, an agent and Marathons as processes on free ports, with or without ZooKeeper."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

DEADLINE_S = 120.0
JARS = Path("/usr/share/java")
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port


def wait_for(condition: Callable[[], T], what: str) -> T:
    """The condition's first true value; servers that do not answer yet count as false."""
    until = time.monotonic() + DEADLINE_S
    while True:
        value: T | None = None
        with contextlib.suppress(requests.RequestException, LookupError, ValueError):
            value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)


class Stack:
    """Processes of one test; `close` ends them and every task."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports: dict[str, int] = {}
        self.master = ""
        self.zookeeper = ""

    def start(self, name: str, component: str, *flags: str) -> subprocess.Popen[bytes]:
        """Start a component, or start it again."""
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mesosphere", component, *flags],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": "src"},
            )
        self.processes[name] = process
        return process

    def start_mesos(self) -> None:
        port, agent = free_port(), free_port()
        self.master = f"127.0.0.1:{port}"
        self._master_flags = (f"--ip=127.0.0.1 --port={port}").split()
        self._agent_flags = (
            f"--master={self.master} --ip=127.0.0.1 --port={agent} --hostname=127.0.0.1"
            " --isolation=posix --resources=cpus:8;mem:4000;disk:4000;ports:[33000-33200]"
        ).split()
        self.start_master()
        self.start_agent()

    def start_master(self) -> None:
        work_dir = f"--work_dir={self.directory / 'master'}"
        self.start("master", "master", *self._master_flags, work_dir)

    def start_agent(self) -> None:
        work_dir = f"--work_dir={self.directory / 'agent'}"
        self.start("agent", "agent", *self._agent_flags, work_dir)

    def start_zookeeper(self) -> None:
        port = int(self.zookeeper.rpartition(":")[2]) if self.zookeeper else free_port()
        config = self.directory / "zoo.cfg"
        config.write_text(
            f"clientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=500\n"
            f"dataDir={self.directory / 'zookeeper'}\nadmin.enableServer=false\n"
            "minSessionTimeout=1000\nmaxSessionTimeout=60000\n"
        )
        jars = [str(jar) for jar in JARS.glob("*.jar")]
        with (self.directory / "zookeeper.log").open("ab") as log:
            self.processes["zookeeper"] = subprocess.Popen(
                [
                    "java",
                    "-Xmx128m",
                    "-cp",
                    ":".join(["/usr/share/java/zookeeper.jar", *jars]),
                    "org.apache.zookeeper.server.ZooKeeperServerMain",
                    str(config),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.zookeeper = f"zk://127.0.0.1:{port}"

        def listening() -> bool:
            with socket.socket() as probing:
                return probing.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listening, "ZooKeeper")

    def start_marathon(self, name: str = "marathon", *flags: str) -> None:
        port = self.ports.setdefault(name, free_port())
        state = f"--state_dir={self.directory / name}"
        if self.zookeeper:
            state = f"--zk={self.zookeeper}/marathon"
        self.start(
            name,
            "marathon",
            f"--master={self.master}",
            f"--http_port={port}",
            "--http_address=127.0.0.1",
            "--hostname=127.0.0.1",
            state,
            "--zk_session_timeout=4000",
            *flags,
        )

    def stop(self, name: str, number: int = signal.SIGKILL) -> int:
        """Signal a process and wait for its end."""
        self.processes[name].send_signal(number)
        return self.processes[name].wait(DEADLINE_S)

    def ask(self, method: str, path: str, body: Any = None, name: str = "marathon") -> Any:
        response = requests.request(
            method, f"http://127.0.0.1:{self.ports[name]}{path}", json=body, timeout=30
        )
        response.raise_for_status()
        return response.json()

    def app(self, app_id: str = "/web", name: str = "marathon") -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/v2/apps{app_id}", name=name)["app"]
        return found

    def wait_until_running(self, count: int, name: str = "marathon") -> list[dict[str, Any]]:
        """Until the app has so many running (and healthy) tasks and no deployment."""

        def settled() -> list[dict[str, Any]]:
            app = self.app(name=name)
            checked = not app.get("healthChecks") or app["tasksHealthy"] == count
            if app["tasksRunning"] == count and checked and not app["deployments"]:
                return list(app["tasks"])
            return []

        return wait_for(settled, f"{count} running tasks")

    def close(self) -> None:
        """End everything: apps first, so that no task is left behind."""
        for name in self.ports:
            with contextlib.suppress(requests.RequestException, AssertionError):
                self.ask("DELETE", "/v2/groups?force=true", name=name)
                wait_for(
                    lambda name=name: self.ask("GET", "/v2/tasks", name=name) == {"tasks": []},
                    "the end of all tasks",
                )  # type: ignore[misc]
                break
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
