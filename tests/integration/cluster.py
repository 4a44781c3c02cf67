"""A whole cluster as processes on free ports of 127.0.0.1: what the tests of failures break."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from tests.integration.marathon_stack import Stack, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello" / "app.py"


class Cluster(Stack):
    """ZooKeeper, masters, agents, Marathons, a Chronos and a load balancer."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.commands: dict[str, tuple[str, ...]] = {}
        self.addresses: dict[str, str] = {}
        self.held: set[str] = set()
        self.ended: list[str] = []
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self.service_port = free_port()
        self.stats_port = free_port()

    def run(self, name: str, component: str, port: int, *flags: str) -> None:
        """Start a component and remember how, so that it can be started again."""
        self.commands[name] = (component, *flags)
        self.addresses[name] = f"http://127.0.0.1:{port}"
        self.start(name, component, *flags)

    def stop(self, name: str, number: int = signal.SIGKILL) -> int:
        """Signal a process and wait for its end; it stays away until `again`."""
        self.held.add(name)
        return super().stop(name, number)

    def again(self, name: str) -> None:
        """Start a component that was stopped."""
        self.start(name, *self.commands[name])
        self.held.discard(name)

    def _keep(self) -> None:
        """Restart what ends by itself, as a service manager does."""
        while not self._closing.wait(0.5):
            for name in list(self.commands):
                code = self.processes[name].poll()
                if code is not None and name not in self.held:
                    self.ended.append(f"{name} {code}")
                    self.start(name, *self.commands[name])

    def start_all(self, masters: int = 3, agents: int = 2, marathons: int = 2) -> None:
        self.start_mesos_cluster(masters, agents)
        for number in range(marathons):
            self._start_marathon(f"marathon{number}")
        self._start_chronos()
        self._start_balancer()
        self._keeper.start()

    def start_mesos_cluster(self, masters: int, agents: int) -> None:
        """ZooKeeper, masters and agents."""
        self.start_zookeeper()
        self.master = f"{self.zookeeper}/mesos"
        for number in range(masters):
            port = free_port()
            self.run(
                f"master{number}", "master", port, "--ip=127.0.0.1", f"--port={port}",
                f"--work_dir={self.directory / f'master{number}'}", f"--zk={self.master}",
                "--zk_session_timeout=4secs", "--hostname=127.0.0.1",
            )  # fmt: skip
        for number in range(agents):
            port, first = free_port(), 33000 + 200 * number
            self.run(
                f"agent{number}", "agent", port, f"--master={self.master}", "--ip=127.0.0.1",
                f"--port={port}", "--hostname=127.0.0.1", "--isolation=posix",
                f"--work_dir={self.directory / f'agent{number}'}",
                f"--resources=cpus:4;mem:4000;disk:4000;ports:[{first}-{first + 199}]",
                "--registration_backoff_factor=200ms",
            )  # fmt: skip

    def _start_marathon(self, name: str) -> None:
        port = self.ports[name] = free_port()
        self.run(
            name, "marathon", port, f"--master={self.master}", f"--http_port={port}",
            "--http_address=127.0.0.1", "--hostname=127.0.0.1", f"--zk={self.zookeeper}/marathon",
            "--zk_session_timeout=4000",
        )  # fmt: skip

    def _start_chronos(self) -> None:
        port = free_port()
        hosts = self.zookeeper.removeprefix("zk://")
        self.run(
            "chronos", "chronos", port, f"--master={self.master}", f"--http_port={port}",
            "--http_address=127.0.0.1", "--hostname=127.0.0.1", f"--zk_hosts={hosts}",
            "--zk_path=/chronos/state",
        )  # fmt: skip

    def _start_balancer(self) -> None:
        port = free_port()
        run_dir = self.directory / "haproxy"
        run_dir.mkdir(exist_ok=True)
        self.run(
            "balancer", "haproxy", port,
            *(f"--marathon={self.addresses[name]}" for name in self.ports),
            f"--haproxy_config={run_dir / 'haproxy.cfg'}", f"--run_dir={run_dir}",
            "--http_bind=-", f"--stats_bind=127.0.0.1:{self.stats_port}",
            f"--listen=127.0.0.1:{port}", "--max_backoff=2",
        )  # fmt: skip

    # --- what is asked of it ----------------------------------------------------------------

    def hello(self, instances: int = 2) -> dict[str, Any]:
        return {
            "id": "/web",
            "cmd": f"exec /usr/bin/python3 {HELLO}",
            "instances": instances,
            "cpus": 0.1,
            "mem": 32,
            "portDefinitions": [{"port": self.service_port, "protocol": "tcp"}],
            "healthChecks": [{
                "protocol": "HTTP", "path": "/health", "gracePeriodSeconds": 60,
                "intervalSeconds": 1, "timeoutSeconds": 10, "delaySeconds": 1,
            }],
            "backoffSeconds": 1,
            "taskKillGracePeriodSeconds": 10,
            "labels": {"HAPROXY_GROUP": "external"},
        }  # fmt: skip

    def get(self, name: str, path: str) -> Any:
        answer = requests.get(self.addresses[name] + path, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def leader_of_masters(self) -> str:
        """The name of the master that leads."""
        for name in self.addresses:
            if name.startswith("master") and self.processes[name].poll() is None:
                with contextlib.suppress(requests.RequestException):
                    metrics = self.get(name, "/metrics/snapshot")
                    if metrics.get("master/elected") == 1:
                        return name
        return ""

    def leader_of_marathons(self) -> str:
        """The name of the Marathon that leads."""
        for name in self.ports:
            with contextlib.suppress(requests.RequestException, LookupError):
                leader = self.get(name, "/v2/leader")["leader"]
                return next(
                    each for each, address in self.addresses.items() if address.endswith(leader)
                )
        return ""

    def page(self) -> bool:
        """Whether the app answers through HAProxy."""
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"http://127.0.0.1:{self.service_port}/", timeout=5)
            return answer.status_code == 200 and "Hello from" in answer.text
        return False

    def pids(self) -> dict[str, int]:
        """Task -> process of its command, as the agents see them."""
        found = {}
        for name in self.addresses:
            if not name.startswith("agent"):
                continue
            for framework in self.get(name, "/state")["frameworks"]:
                for executor in framework["executors"]:
                    for task in executor["tasks"]:
                        status = task["statuses"][-1]["container_status"]
                        found[task["id"]] = status["executor_pid"]
        return found

    def close(self) -> None:
        self._closing.set()
        super().close()
        for line in (self.directory / "haproxy").glob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(line.read_text().split()[0]), signal.SIGKILL)
        subprocess.run(["pkill", "-9", "-f", str(self.directory)], check=False)


class Load:
    """Requests through HAProxy from several threads, all the while."""

    def __init__(self, url: str, threads: int = 6) -> None:
        self.url = url
        self.done = 0
        self.failures: list[str] = []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def _ask(self) -> None:
        session = requests.Session()
        while not self._ending.is_set():
            try:
                answer = session.get(self.url, timeout=20)
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code} {answer.text[:80]}")
            except requests.RequestException as error:
                self.failures.append(str(error))
            self.done += 1
            time.sleep(0.005)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()


__all__ = ["Cluster", "Load", "wait_for"]
