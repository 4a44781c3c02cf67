"""Apps as people write them, on a real master and a real agent: checks, files, environment."""

import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.integration.marathon_stack import Stack, wait_for

SERVE = f"exec {sys.executable} -m http.server $PORT0 --bind 127.0.0.1"
SLEEP = "sleep 1000"
CHECK = {
    "gracePeriodSeconds": 60,
    "intervalSeconds": 1,
    "timeoutSeconds": 10,
    "maxConsecutiveFailures": 3,
    "delaySeconds": 0,
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    try:
        made.start_mesos()
        made.start_marathon()
        wait_for(lambda: made.ask("GET", "/v2/info")["frameworkId"], "the framework's id")
        yield made
    finally:
        made.close()


def put(stack: Stack, apps: list[dict[str, Any]]) -> None:
    """All of them, in one deployment."""
    small = {"cpus": 0.05, "mem": 16, "backoffSeconds": 1, "taskKillGracePeriodSeconds": 1}
    stack.ask("PUT", "/v2/apps", [{**small, **app} for app in apps])


def checked(protocol: str, **more: Any) -> dict[str, Any]:
    return {"cmd": SERVE, "healthChecks": [{**CHECK, "protocol": protocol, **more}]}


def test_every_kind_of_app_comes_to_run(stack: Stack) -> None:
    script = stack.directory / "script.sh"
    script.write_text("#!/bin/sh\n")
    archive = stack.directory / "archive.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(script, "inside/script.sh")
    environment = (
        'test "$A" = "b c" && test "$MARATHON_APP_ID" = /env && test "$PORT_HTTP" = "$PORT0"'
    )
    apps = [
        {"id": "/check/http", **checked("HTTP", path="/")},
        {"id": "/check/tcp", **checked("TCP")},
        {"id": "/check/command", **checked("COMMAND", command={"value": 'test -n "$PORT0"'})},
        {"id": "/check/mesos-http", **checked("MESOS_HTTP", path="/")},
        {"id": "/check/mesos-tcp", **checked("MESOS_TCP")},
        {"id": "/args", "args": ["sleep", "1000"]},
        {
            "id": "/files",
            "cmd": f"test -f inside/script.sh && test -f script.sh && {SLEEP}",
            "uris": [f"file://{archive}", f"file://{script}"],
        },
        {
            "id": "/env",
            "cmd": f"{environment} && {SLEEP}",
            "env": {"A": "b c"},
            "portDefinitions": [{"port": 0, "name": "http"}],
        },
        {
            "id": "/ready",
            "cmd": SERVE,
            "portDefinitions": [{"port": 0, "name": "http-api"}],
            "readinessChecks": [{"intervalSeconds": 2, "timeoutSeconds": 1}],
        },
        {"id": "/fixed", "cmd": SERVE, "requirePorts": True, "ports": [33111]},
    ]
    put(stack, apps)
    wait_for(lambda: stack.ask("GET", "/v2/deployments") == [], "the end of the deployment")
    shown = {app["id"]: app for app in stack.ask("GET", "/v2/apps?embed=apps.tasks")["apps"]}
    assert {name: app["tasksRunning"] for name, app in shown.items()} == dict.fromkeys(shown, 1)
    assert len(shown) == len(apps)
    for name, app in shown.items():
        assert app["tasksHealthy"] == int(name.startswith("/check/")), name
    assert shown["/fixed"]["tasks"][0]["ports"] == [33111]


def test_why_an_app_does_not_come_to_run_is_told(stack: Stack) -> None:
    ill = {"gracePeriodSeconds": 1, "maxConsecutiveFailures": 1}
    put(
        stack,
        [
            {"id": "/wrong", "cmd": "exit 3"},
            {"id": "/deaf", **checked("HTTP", **ill), "cmd": SLEEP},
            {"id": "/ill", **checked("COMMAND", **ill, command={"value": "exit 4"}), "cmd": SLEEP},
            {"id": "/large", "cmd": SLEEP, "cpus": 1000},
        ],
    )

    def failure(app_id: str) -> str:
        return wait_for(
            lambda: str(stack.app(app_id)["lastTaskFailure"]["message"]), f"{app_id}'s failure"
        )

    assert failure("/wrong") == "Command exited with status 3"
    deaf, ill_one = failure("/deaf"), failure("/ill")
    assert "health check failed" in deaf and "Connection refused" in deaf
    assert "health check failed" in ill_one and "status 4" in ill_one
    queue = stack.ask("GET", "/v2/queue")["queue"]
    [large] = [one for one in queue if one["app"]["id"] == "/large"]
    refused = large["processedOffersSummary"]["rejectSummaryLastOffers"]
    assert [one["reason"] for one in refused if one["declined"]] == ["InsufficientCpus"]
    [deployment] = stack.ask("GET", "/v2/deployments")
    url = f"http://127.0.0.1:{stack.ports['marathon']}/v2/deployments/{deployment['id']}"
    assert requests.delete(url, timeout=30).status_code == 200
    wait_for(lambda: stack.ask("GET", "/v2/apps") == {"apps": []}, "the way back")
