"""How modules ask: fallback, redirects, and one sentence for every kind of bad answer."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.mesosphere_http import Api, RequestError, once_led, wait_until
from tests.ansible.conftest import Run
from tests.integration.marathon_stack import free_port

Reply = tuple[int, dict[str, str], str]
Serve = Callable[[Callable[[str, str, str], Reply]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(answer)`: the URL of a server; `answer` gets method, path and body."""
    servers = []

    def start(answer: Callable[[str, str, str], Reply]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                asked = f"{self.path} {self.headers.get('Authorization', '')}".strip()
                status, headers, text = answer(self.command, asked, body)
                if status == 0:  # hang up
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def api(*urls: str, **params: Any) -> Any:
    return Api(SimpleNamespace(params=params), urls)


def test_a_redirect_to_the_leader_keeps_method_and_body(serve: Serve, run_module: Run) -> None:
    asked = []
    master = {"get_master": {"master_info": {"address": {"hostname": "m2", "port": 5050}}}}

    def lead(method: str, path: str, body: str) -> Reply:
        asked.append((method, path, json.loads(body)))
        return 200, {}, json.dumps(master)

    leader = serve(lead)
    follower = serve(lambda method, path, body: (307, {"Location": f"{leader[5:]}{path}"}, ""))
    found = run_module("mesos_info", master_url=[follower], gather=["leader"])
    assert found["leader"] == "m2:5050"
    assert asked == [("POST", "/api/v1", {"type": "GET_MASTER"})]


def test_redirects_in_a_circle_end(serve: Serve) -> None:
    url = serve(lambda method, path, body: (307, {"Location": path}, ""))
    with pytest.raises(RequestError, match="redirected more than 5 times"):
        api(url).ask("GET", "/x")


def test_a_leader_that_died_is_waited_for_as_one_that_is_not_elected(serve: Serve) -> None:
    gone = f"//127.0.0.1:{free_port()}/x"
    locations = [gone, "/x", gone]

    def follow(method: str, path: str, body: str) -> Reply:
        # Dead, then a new process at its address that still reads of the old one, then dead again.
        if locations and locations[-1] == "/x" and path == "/x":
            following.append(path)
            if len(following) > 5:
                locations.pop()
            return 307, {"Location": "/x"}, ""
        return (307, {"Location": locations.pop()}, "") if locations else (200, {}, "{}")

    following: list[str] = []
    url = serve(follow)
    assert once_led(lambda: api(url).expect("POST", "/x", {}), 60, 0).status == 200
    assert len(following) > 5
    circle = serve(lambda method, path, body: (307, {"Location": gone}, ""))
    with pytest.raises(RequestError, match=r"its leader at .* refused") as caught:
        api(circle).ask("GET", "/x")
    assert caught.value.leaderless


def test_the_next_url_is_asked_when_one_is_gone_hangs_up_or_has_no_leader(serve: Serve) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    silent = serve(lambda method, path, body: (0, {}, ""))
    leaderless = serve(lambda method, path, body: (503, {}, "no leader"))
    good = serve(lambda method, path, body: (200, {}, "[]"))
    asking = api(gone, silent, leaderless, good)
    assert asking.ask("PUT", "/x", {}).status == 200
    assert asking.urls[0] == good
    with pytest.raises(RequestError) as caught:
        api(gone, silent).ask("GET", "/x")
    assert caught.value.passing
    assert str(caught.value).startswith(f"GET {gone}/x: [Errno 111] Connection refused; GET ")


def test_a_change_that_a_proxy_lost_is_not_sent_twice(serve: Serve) -> None:
    asked = []

    def proxy(method: str, path: str, body: str) -> Reply:
        asked.append(method)
        return 504, {}, "too late"

    lost = serve(proxy)
    other = serve(proxy)
    with pytest.raises(RequestError, match="was answered 504: too late"):
        api(lost, other).expect("POST", "/x", {})
    assert asked == ["POST"]


def test_credentials_are_sent_at_once_and_never_shown(serve: Serve) -> None:
    url = serve(lambda method, path, body: (403, {}, path))
    with pytest.raises(RequestError) as caught:
        api(url, url_username="me", url_password="secret").expect("GET", "/x")
    assert "Basic bWU6c2VjcmV0" in str(caught.value)  # the server's echo, not ours
    gone = f"http://me:secret@127.0.0.1:{free_port()}"
    with pytest.raises(RequestError) as caught:
        api(gone).ask("GET", "/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("marathon_app", {"id": "/a", "instances": 1}, "with no JSON object, but: <p>It works</p>"),
        ("chronos_job", {"name": "a", "state": "absent"}, "with no JSON array, but: <p>It works"),
        ("mesos_info", {"wait_timeout": 0}, "no master leads after 0 s (last: 200 <p>It works</p>"),
    ],
)
def test_another_server_at_the_url_is_one_sentence(
    serve: Serve, run_module: Run, module: str, arguments: dict[str, Any], said: str
) -> None:
    url = serve(lambda method, path, body: (200, {}, "<p>It works</p>"))
    component = {"marathon_app": "marathon", "chronos_job": "chronos", "mesos_info": "master"}
    failed = run_module(module, **{f"{component[module]}_url": [url]}, **arguments)
    assert failed["failed"] and said in failed["msg"]


def test_waiting_bears_what_passes_and_nothing_else() -> None:
    faults = [RequestError("away", passing=True), RequestError("away", passing=True)]

    def condition() -> bool:
        if faults:
            raise faults.pop()
        return True

    assert wait_until(condition, 60, pause_s=0)
    faults.append(RequestError("forbidden"))
    with pytest.raises(RequestError, match=r"^forbidden$"):
        wait_until(condition, 60, pause_s=0)
    faults.append(RequestError("away", passing=True))
    with pytest.raises(RequestError, match=r"^after 0 s: away$"):
        wait_until(condition, 0, pause_s=0)


def test_a_module_waits_for_a_leader_to_be_elected(serve: Serve, run_module: Run) -> None:
    answers = [(200, "[]"), (502, "no leader is known"), (503, "")]
    url = serve(lambda method, path, body: (answers[-1][0], {}, answers.pop()[1]))
    done = run_module("chronos_job", chronos_url=[url], name="a", state="absent")
    done.pop("invocation", None)  # ansible-core 2.21 leaves it to the controller
    assert done == {"changed": False, "changes": []}
    assert answers == []
    url = serve(lambda method, path, body: (503, {}, "no leader"))
    with pytest.raises(RequestError, match=r"after 0 s: GET .* was answered 503: no leader"):
        once_led(lambda: api(url).expect("GET", "/x"), 0)


def test_a_url_where_nobody_answers_is_told_at_once() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        api(f"http://127.0.0.1:{free_port()}").ask("GET", "/x")

    with pytest.raises(RequestError, match="Connection refused"):
        once_led(ask, 60)
    assert asked == [1]
