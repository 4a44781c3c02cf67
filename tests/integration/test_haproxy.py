"""The load balancer with the real HAProxy, a Marathon played by the test, and real instances."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.integration.marathon_stack import free_port, wait_for

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed")

HOST = "web.example"


def start_server(answer: Any) -> ThreadingHTTPServer:
    """Serve `answer(path) -> (status, body)` on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def answer_name(name: bytes, path: str) -> tuple[int, bytes]:
    """What an instance answers: its name."""
    return 200, name


class Balancer:
    """The daemon, its HAProxy, and what Marathon says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.status = 200
        self.apps: list[dict[str, Any]] = []
        self.instances = [
            start_server(partial(answer_name, str(number).encode())) for number in range(6)
        ]
        self.marathon = start_server(self._marathon)
        self.service_port, self.stats_port = free_port(), free_port()
        self.http_port, self.own_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def _marathon(self, path: str) -> tuple[int, bytes]:
        if path.startswith("/v2/apps"):
            return self.status, json.dumps({"apps": self.apps}).encode()
        return 503, b"no stream"

    def start(self, *flags: str) -> None:
        log = (self.directory / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "mesosphere", "haproxy",
                    f"--marathon=http://127.0.0.1:{self.marathon.server_port}",
                    f"--haproxy_config={self.directory}/haproxy.cfg",
                    f"--run_dir={self.directory}/run",
                    f"--http_bind=127.0.0.1:{self.http_port}",
                    f"--stats_bind=127.0.0.1:{self.stats_port}",
                    f"--listen=127.0.0.1:{self.own_port}",
                    "--maxconn=200",
                    *flags,
                ],
                stdout=log, stderr=log,
            )  # fmt: skip

    def scale(self, numbers: range, **labels: str) -> None:
        """Marathon now says that these instances run; wait until HAProxy has them."""
        self.apps = [
            {
                "id": "/web",
                "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": HOST, **labels},
                "portDefinitions": [{"port": self.service_port}],
                "tasks": [
                    {
                        "id": f"web.{number}",
                        "host": "127.0.0.1",
                        "ports": [self.instances[number].server_port],
                        "state": "TASK_RUNNING",
                    }
                    for number in numbers
                ],
            }
        ]
        wait_for(lambda: self._has(len(numbers)), "the scaled app in HAProxy")

    def _has(self, count: int) -> bool:
        with contextlib.suppress(requests.RequestException):
            requests.get(self.own("/_mlb_signal/hup"), timeout=5)
            services = requests.get(self.own("/v1/status"), timeout=5).json()["services"]
            return [len(service["servers"]) for service in services] == [count]
        return False

    def own(self, path: str) -> str:
        return f"http://127.0.0.1:{self.own_port}{path}"

    def get(self) -> str | None:
        """Which instance answers on the service port; None if none does."""
        with contextlib.suppress(requests.RequestException):
            found = requests.get(f"http://127.0.0.1:{self.service_port}/", timeout=5)
            return found.text if found.status_code == 200 else None
        return None

    def counter(self, name: str) -> int:
        for line in requests.get(self.own("/metrics"), timeout=5).text.splitlines():
            if line.startswith(f"haproxy_lb_{name} "):
                return int(line.split()[1])
        return 0

    def master_pid(self) -> int:
        """HAProxy's. Raises LookupError for the moment in which HAProxy replaces its file."""
        with contextlib.suppress(FileNotFoundError):
            return int((self.directory / "run" / "haproxy.pid").read_text())
        raise LookupError("no pid file")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError, ValueError, LookupError):
            os.kill(self.master_pid(), signal.SIGTERM)
        for server in [*self.instances, self.marathon]:
            server.shutdown()
            server.server_close()


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    made = Balancer(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_scaling_up_and_down_loses_no_request_and_needs_no_reload(balancer: Balancer) -> None:
    balancer.start()
    balancer.scale(range(2))
    wait_for(lambda: balancer.get() is not None, "an answer")
    reloads = balancer.counter("applied_by_reload")
    answers: list[str | None] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.wait(0.01):
            answers.append(balancer.get())

    thread = threading.Thread(target=load)
    thread.start()
    try:
        balancer.scale(range(6))
        wait_for(lambda: set(map(str, range(6))) <= set(map(str, answers)), "an answer")
        balancer.scale(range(2))
        before = len(answers) + 5
        wait_for(lambda: len(answers) > before + 20, "an answer")
    finally:
        ended.set()
        thread.join()
    assert None not in answers
    assert set(answers[before:]) == {"0", "1"}
    assert balancer.counter("applied_by_reload") == reloads


def test_a_virtual_host_is_served_on_the_front(balancer: Balancer) -> None:
    balancer.start()
    balancer.scale(range(1))
    url = f"http://127.0.0.1:{balancer.http_port}/"
    wait_for(lambda: balancer.get() is not None, "an answer")
    assert requests.get(url, headers={"Host": HOST}, timeout=5).text == "0"
    assert requests.get(url, headers={"Host": "other"}, timeout=5).status_code == 503


def test_traffic_goes_on_without_marathon_and_without_the_daemon(balancer: Balancer) -> None:
    balancer.start()
    balancer.scale(range(1))
    wait_for(lambda: balancer.get() is not None, "an answer")
    balancer.status = 500
    requests.get(balancer.own("/_mlb_signal/hup"), timeout=5)
    wait_for(lambda: balancer.counter("read_failures") > 0, "an answer")
    assert balancer.get() == "0"
    pid = balancer.master_pid()
    assert balancer.process is not None
    balancer.process.kill()
    balancer.process.wait()
    assert balancer.get() == "0"
    balancer.status = 200
    balancer.start()
    balancer.scale(range(3))
    assert balancer.master_pid() == pid


def test_a_killed_haproxy_comes_back(balancer: Balancer) -> None:
    balancer.start()
    balancer.scale(range(1))
    wait_for(lambda: balancer.get() is not None, "an answer")
    pid = balancer.master_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: balancer.master_pid() != pid and balancer.get() == "0", "an answer")


def test_a_refused_option_leaves_the_last_good_configuration(balancer: Balancer) -> None:
    balancer.start()
    balancer.scale(range(1))
    wait_for(lambda: balancer.get() is not None, "an answer")
    bad = {**balancer.apps[0], "id": "/bad", "portDefinitions": [{"port": free_port()}]}
    bad["labels"] = {"HAPROXY_GROUP": "external", "HAPROXY_0_BACKEND_HEAD": "nonsense here"}
    balancer.apps = [bad, *balancer.apps]
    requests.get(balancer.own("/_mlb_signal/hup"), timeout=5)

    def excluded() -> dict[str, str]:
        found: dict[str, str] = requests.get(balancer.own("/v1/status"), timeout=5).json()[
            "excluded"
        ]
        return found

    wait_for(lambda: "nonsense" in excluded().get("/bad", ""), "an answer")
    assert balancer.get() == "0"


@pytest.mark.parametrize("flag", ["--stats_bind=nowhere", "--listen=:1", "--haproxy_binary=/none"])
def test_a_wrong_flag_is_named_and_ends_the_daemon(balancer: Balancer, flag: str) -> None:
    balancer.start(flag)
    assert balancer.process is not None
    assert balancer.process.wait(60) != 0
    assert flag.split("=")[0] in (balancer.directory / "log").read_text()


def test_a_reload_cuts_no_connection_and_a_taken_port_leaves_what_was(balancer: Balancer) -> None:
    balancer.start()
    balancer.scale(range(1))
    wait_for(lambda: balancer.get() is not None, "an answer")
    with socket.create_connection(("127.0.0.1", balancer.service_port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        reloads = balancer.counter("applied_by_reload")
        balancer.scale(range(1), HAPROXY_0_BALANCE="leastconn")
        wait_for(lambda: balancer.counter("applied_by_reload") > reloads, "a reload")
        connection.sendall(b"\r\n")
        assert b" 200 " in connection.recv(1000)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        other = {**balancer.apps[0], "id": "/other"}
        other["portDefinitions"] = [{"port": holder.getsockname()[1]}]
        balancer.apps = [*balancer.apps, other]
        requests.get(balancer.own("/_mlb_signal/hup"), timeout=5)
        wait_for(lambda: balancer.counter("refusals") > 0, "a refusal")
        assert balancer.get() == "0"
