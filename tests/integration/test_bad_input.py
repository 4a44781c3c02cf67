"""Bad input over real sockets: the right code, a clear sentence, and nothing lost."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.integration.cluster import Cluster, wait_for
from tests.integration.marathon_stack import free_port

from mesosphere.kernel.exit_codes import ExitCode

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
SUBSCRIBE = b'{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"x"}}}'
DEEP = b'{"id":"/x","cmd":"x","labels":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("bad"))
    try:
        made.start_all(masters=1, agents=1, marathons=1)
        wait_for(made.leader_of_marathons, "a leading Marathon")
        wait_for(lambda: made.ask("POST", "/v2/apps", made.hello(1), "marathon0"), "the app")
        made.wait_until_running(1, "marathon0")
        url = made.addresses["chronos"] + "/v1/scheduler/jobs"
        wait_for(lambda: requests.get(url, timeout=10).status_code == 200, "Chronos")
        yield made
    finally:
        made.close()


def job(**changes: Any) -> dict[str, Any]:
    return {"name": "j", "command": "true", "schedule": "R//PT1H", **changes}


@pytest.mark.parametrize(
    ("name", "method", "path", "body", "headers", "status", "words"),
    [
        ("marathon0", "POST", "/v2/apps", b"{nonsense", JSON, 400, "Invalid JSON"),
        ("marathon0", "POST", "/v2/apps", DEEP, JSON, 400, ""),
        ("marathon0", "POST", "/v2/apps", b'{"id":"/x","cpus":"many"}', JSON, 422, "/cpus"),
        ("marathon0", "POST", "/v2/apps", b'{"id":"/x y","cmd":"x"}', JSON, 422, "id"),
        ("marathon0", "POST", "/v2/apps", b'{"id":"/x","cmd":"x","instances":-1}', JSON, 422,
         "instances"),
        ("marathon0", "POST", "/v2/apps", b'{"id":"/web","cmd":"x"}', JSON, 409, "already exists"),
        ("marathon0", "GET", "/v2/apps//nobody", None, {}, 404, "does not exist"),
        ("marathon0", "PUT", "/v2/apps//web", b'{"instances":"six"}', JSON, 422, "instances"),
        ("marathon0", "PATCH", "/v2/info", b"", JSON, 405, ""),
        ("chronos", "POST", "/v1/scheduler/iso8601", b"{nonsense", JSON, 400, ""),
        ("chronos", "POST", "/v1/scheduler/iso8601", b'{"name":"j","schedule":"never"}', JSON, 400,
         ""),
        ("chronos", "POST", "/v1/scheduler/dependency",
         b'{"name":"k","command":"x","parents":[]}', JSON, 400, "parent"),
        ("chronos", "GET", "/v1/scheduler/job/nobody", None, {}, 400, "nobody"),
        ("chronos", "DELETE", "/v1/scheduler/job/nobody", None, {}, 400, ""),
        ("master0", "POST", "/api/v1/scheduler", b"{nonsense", JSON, 400, "JSON"),
        ("master0", "POST", "/api/v1/scheduler", SUBSCRIBE, TEXT, 415, ""),
        ("master0", "POST", "/api/v1/scheduler", SUBSCRIBE,
         {**JSON, "Accept": "image/png"}, 406, ""),
        ("master0", "POST", "/api/v1/scheduler", b'{"type":"NOTHING"}', JSON, 400, ""),
        ("master0", "POST", "/api/v1/scheduler",
         b'{"type":"KILL","framework_id":{"value":"nobody"},"kill":{"task_id":{"value":"t"}}}',
         JSON, 400, "Framework cannot be found"),
        ("master0", "GET", "/api/v1/scheduler", None, {}, 405, ""),
        ("master0", "POST", "/teardown", b"frameworkId=nobody", {}, 400, ""),
        ("master0", "POST", "/api/v1", b'{"type":"MARK_AGENT_GONE"}', JSON, 400, ""),
        ("master0", "GET", "/tasks?limit=many", None, {}, 400, "limit"),
        ("master0", "GET", "/nothing", None, {}, 404, ""),
        ("agent0", "POST", "/api/v1", b"{nonsense", JSON, 400, "JSON"),
        ("agent0", "POST", "/api/v1", b'{"type":"NOTHING"}', JSON, 400, ""),
        ("agent0", "GET", "/files/read?path=/etc/passwd", None, {}, 404, ""),
        ("agent0", "GET", "/files/read?path=/../../etc/passwd", None, {}, 404, ""),
    ],
)  # fmt: skip
def test_it_is_refused_with_the_right_code(
    cluster: Cluster, name: str, method: str, path: str, body: bytes | None,
    headers: dict[str, str], status: int, words: str,
) -> None:  # fmt: skip
    answer = requests.request(
        method, cluster.addresses[name] + path, data=body, headers=headers, timeout=30
    )
    assert (answer.status_code, words in answer.text) == (status, True), answer.text[:300]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("marathon0", "/v2/apps"),
        ("chronos", "/v1/scheduler/iso8601"),
        ("master0", "/api/v1/scheduler"),
        ("agent0", "/api/v1"),
    ],
)
def test_a_body_that_is_too_large_is_refused(cluster: Cluster, name: str, path: str) -> None:
    body = b'{"id":"/x","cmd":"' + b"x" * (80 * 1024 * 1024) + b'"}'
    try:
        answer = requests.post(cluster.addresses[name] + path, data=body, headers=JSON, timeout=60)
    except requests.ConnectionError:
        pass  # it hung up while we were still talking
    else:
        assert answer.status_code == 413, answer.text[:300]
    assert cluster.processes[name].poll() is None


def test_a_demand_that_nobody_can_meet_waits_and_says_why(cluster: Cluster) -> None:
    wish = {"id": "/huge", "cmd": "sleep 1", "cpus": 1000, "mem": 32, "instances": 1}
    cluster.ask("POST", "/v2/apps", wish, "marathon0")

    def reasons() -> Any:
        [entry] = cluster.ask("GET", "/v2/queue", name="marathon0")["queue"]
        summary = entry["processedOffersSummary"]["rejectSummaryLastOffers"]
        return [
            each for each in summary if each["reason"] == "InsufficientCpus" and each["declined"]
        ]

    wait_for(reasons, "the reason in the queue")
    cluster.ask("DELETE", "/v2/apps//huge?force=true", name="marathon0")


def test_nothing_was_lost(cluster: Cluster) -> None:
    assert cluster.ended == []
    assert [app["id"] for app in cluster.ask("GET", "/v2/apps", name="marathon0")["apps"]] == [
        "/web"
    ]
    cluster.wait_until_running(1, "marathon0")


@pytest.mark.parametrize(
    ("component", "flags"),
    [
        ("master", "--ip=127.0.0.1 --port={port} --work_dir={dir}"),
        ("agent", "--master=127.0.0.1:1 --ip=127.0.0.1 --port={port} --work_dir={dir}"
                  " --isolation=posix"),
        ("marathon", "--master=127.0.0.1:1 --http_port={port} --http_address=127.0.0.1"
                     " --state_dir={dir}"),
        ("chronos", "--master=127.0.0.1:1 --http_port={port} --http_address=127.0.0.1"
                    " --state_dir={dir}"),
    ],
)  # fmt: skip
def test_a_port_that_is_taken_ends_the_daemon_with_a_sentence(
    cluster: Cluster, component: str, flags: str
) -> None:
    port = int(cluster.addresses["master0"].rpartition(":")[2])
    command = flags.format(port=port, dir=cluster.directory / f"taken-{component}")
    done = subprocess.run(
        [sys.executable, "-m", "mesosphere", component, *command.split()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.PORT_TAKEN
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    ("component", "flags", "words"),
    [
        ("master", "--ip=127.0.0.1 --port=none", "port"),
        ("master", "--nonsense=1", "nonsense"),
        ("agent", "--master=127.0.0.1:1 --resources=cpus:many --work_dir=/tmp/x", "resources"),
        ("marathon", "--http_port=70000 --master=127.0.0.1:1", "http_port"),
        ("chronos", "", "master"),
        ("haproxy", "--stats_bind=nonsense", "stats_bind"),
        ("nobody", "", "nobody"),
    ],
)
def test_a_wrong_command_line_ends_with_usage(component: str, flags: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesosphere", component, *flags.split()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr


def test_a_work_directory_that_is_in_use_is_refused(cluster: Cluster) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesosphere", "master", "--ip=127.0.0.1", f"--port={free_port()}",
         f"--work_dir={cluster.directory / 'master0'}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.WORK_DIR_FAILED
