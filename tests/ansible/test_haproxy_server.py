"""Servers drained, taken out, weighed and awaited through the admin socket of a real HAProxy."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from tests.ansible.conftest import Run
from tests.integration.marathon_stack import free_port, wait_for
from tests.integration.test_haproxy import start_server

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed")


class Proxy:
    """HAProxy with two backends of the same two instances; `held` holds requests back."""

    def __init__(self, directory: Path) -> None:
        self.held = threading.Event()
        self.held.set()
        self.instances = [start_server(self.answer), start_server(self.answer)]
        self.port, self.closed = free_port(), free_port()
        self.socket, config = directory / "admin.sock", directory / "haproxy.cfg"
        one, two = (f"127.0.0.1:{each.server_port}" for each in self.instances)
        config.write_text(
            f"""
global
  stats socket {self.socket} mode 600 level admin
  stats socket {directory}/user.sock mode 600 level user
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{self.port}
  default_backend web
backend web
  server one {one} check inter 200 weight 100
  server two {two}
backend api
  server one {one}
  server sick 127.0.0.1:{self.closed} check inter 200 fall 1
backend fixed
  balance static-rr
  server one {one}
"""
        )
        log = (directory / "log").open("wb")
        with log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(config)], stdout=log, stderr=log
            )
        wait_for(lambda: requests.get(self.url, timeout=5).ok, "HAProxy")

    def answer(self, path: str) -> tuple[int, bytes]:
        self.held.wait(60)
        return 200, b"hello"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def close(self) -> None:
        self.held.set()
        self.process.kill()
        self.process.wait()
        for each in self.instances:
            each.shutdown()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    running = Proxy(tmp_path)
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def server(proxy: Proxy, run_module: Run) -> Run:
    return lambda **given: run_module("haproxy_server", **{"socket": str(proxy.socket), **given})


def test_a_server_is_drained_taken_out_and_back_once(server: Run) -> None:
    web: dict[str, Any] = {"backend": "web", "server": "one"}
    assert not server(state="ready", **web)["changed"]
    for state in ("drain", "maint", "drain", "ready"):
        predicted = server(state=state, check=True, **web)
        done = server(state=state, **web)
        assert done["changed"] and done["diff"] == predicted["diff"]
        assert done["servers"][0]["state"] == state
        assert not server(state=state, **web)["changed"]
    back = server(state="ready", wait=True, **web)
    assert back["servers"][0]["status"].startswith("UP")


def test_an_address_means_every_server_of_a_host(proxy: Proxy, server: Run) -> None:
    one = f"127.0.0.1:{proxy.instances[0].server_port}"
    drained = server(server=one, state="drain")
    assert drained["changes"] == ["api/one.state", "fixed/one.state", "web/one.state"]
    assert len(server(server="127.0.0.1")["servers"]) == 5
    assert server(server="one", state="ready")["changed"]


def test_weights_are_numbers_or_parts_of_the_first(server: Run) -> None:
    web: dict[str, Any] = {"backend": "web", "server": "one"}
    assert server(weight="25%", **web)["diff"]["after"] == "web/one.weight: 25\n"
    assert not server(weight="25", **web)["changed"]
    assert server(weight="100%", state="drain", **web)["changes"] == [
        "web/one.state",
        "web/one.weight",
    ]
    for wrong in ("heavy", "257", "101%", "-1"):
        assert "is no weight; give 0 to 256, or 0% to 100%" in server(weight=wrong, **web)["msg"]
    fixed = server(backend="fixed", server="one", weight="0.5")
    assert fixed["failed"]
    refused = server(backend="fixed", server="one", weight="7")
    assert "HAProxy answered 'set server fixed/one weight 7': Backend is using" in refused["msg"]


def test_draining_waits_for_the_last_session(proxy: Proxy, server: Run) -> None:
    server(backend="web", server="two", state="maint")
    proxy.held.clear()
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(requests.get(proxy.url, timeout=60).status_code)
    )
    asking.start()
    one: dict[str, Any] = {"backend": "web", "server": "one", "state": "drain"}
    wait_for(lambda: server(backend="web", server="one")["servers"][0]["sessions"] == 1, "it")
    late = server(wait=True, wait_timeout=1, **one)
    assert late["msg"] == "after 1 s web/one has 1 sessions"
    assert server(wait_timeout=1, **one)["changed"] is False
    releasing = threading.Timer(1, proxy.held.set)
    releasing.start()
    done = server(wait=True, wait_timeout=60, **one)
    assert done["servers"][0]["sessions"] == 0
    asking.join(60)
    assert answers == [200]


def test_waiting_for_a_server_that_is_down_ends(server: Run) -> None:
    def is_down() -> bool:
        return bool(server(backend="api", server="sick")["servers"][0]["status"] == "DOWN")

    wait_for(is_down, "the check")
    late = server(backend="api", server="sick", state="ready", wait=True, wait_timeout=1)
    assert late["msg"] == "after 1 s api/sick is DOWN"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backend": "none"}, "HAProxy has no backend none; it has api, fixed, web"),
        ({"server": "three"}, "HAProxy has no server three; it has web/one, web/two, api/one, a"),
        ({"socket": "/nowhere"}, "HAProxy does not answer at /nowhere: [Errno 2] No such file"),
        ({"socket": "127.0.0.1:none"}, "HAProxy does not answer at 127.0.0.1:none: invalid liter"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    server: Run, given: dict[str, Any], said: str
) -> None:
    assert said in server(**{"server": "one", "state": "drain", **given})["msg"]


def test_a_socket_without_the_right_is_told(proxy: Proxy, server: Run) -> None:
    user = str(proxy.socket.with_name("user.sock"))
    refused = server(socket=user, server="one", state="drain")
    assert f"{user} is no admin socket: Permission denied" in refused["msg"]


def test_an_answer_without_end_is_refused(
    load_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_module("haproxy_server")
    monkeypatch.setattr(module, "ANSWER_LIMIT_BYTES", 10)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        def talk() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"x" * 20)

        threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(module.RequestError, match="with too much"):
            module.ask(str(tmp_path / "s"), "show stat")
