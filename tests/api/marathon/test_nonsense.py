"""Whatever a client sends: an answer below 500, and Marathon goes on."""

from typing import Any

import pytest

from mesosphere.marathon.api import ROUTES
from tests.scenarios.marathon.harness import World, decoded

NAMES = ("app_id...", "group...", "task_id", "version", "deployment")
IDS = ("..", "/", "//", "a//b", ".", "a/../..", "\xe9", "a b", "*", "A", "\0", "a" * 5000, "web/")
QUERIES: list[dict[str, Any]] = [
    {"label": "a in (", "force": "true", "scale": "true", "host": "*"},
    {"label": "(", "embed": ["x", "apps.", "group.apps.tasks"], "status": ["x"], "dryRun": "x"},
    {"partialUpdate": "false", "wipe": "true", "force": "true"},
]
BODIES = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b'"x"',
    b"\xff",
    b'{"id":"/"}',
    b'{"id":"..","cmd":"x"}',
    b'[{"id":"."}]',
    b'[{"id":"/q","cmd":"x"},{"id":"/q","cmd":"y"}]',
    b'{"ids":["x","/"]}',
    b'{"version":"x"}',
    b'{"scaleBy":1e300}',
    b'{"scaleBy":999999}',
    b'{"apps":[{"id":"a","cmd":"x"}]}',
    b'{"groups":[{"id":"g"},{"id":"g"}]}',
    b'{"groups":[{}]}',
    b'{"id":"/a/b/c","groups":[{"id":"/z"}]}',
)


# Giving up leadership ends the process, as asked.
ASKED = [route for route in ROUTES if (route.method, route.pattern) != ("DELETE", "/v2/leader")]


@pytest.mark.parametrize("route", ASKED, ids=lambda route: f"{route.method} {route.pattern}")
def test_nonsense_is_answered(route: Any) -> None:
    world = World().lead()
    world.create("/web")
    for odd in IDS if "{" in route.pattern else ("",):
        path = route.pattern
        for name in NAMES:
            path = path.replace("{" + name + "}", odd)
        for body in BODIES if route.method in ("POST", "PUT", "PATCH") else (None,):
            for query in QUERIES:
                response = world.send(route.method, path, body, **query)[1]
                assert response is not None and response.status < 500, (path, body, query)
                decoded(response)
                assert world.halted is None
    assert world.get("/ping") == "pong"


APPS: list[dict[str, Any]] = [
    {"constraints": [["hostname", "MAX_PER", "\N{SUPERSCRIPT TWO}"]]},
    {"constraints": [["hostname", "LIKE", "a{99999999999999999999}"]]},
    {"constraints": [["hostname", "IS", "nan"]]},
    {"cpus": 1e306},
    {"cpus": 1e12, "mem": 1e12, "disk": 1e12},
    {"backoffFactor": 1e308, "backoffSeconds": 2**31 - 1},
    {"maxLaunchDelaySeconds": 2**31 - 1, "backoffFactor": 1e300},
    {"instances": 2**31 - 1},
    {"cmd": "\0", "env": {"A": "\0"}, "labels": {"": "", "a\n": "b\n"}},
    {"taskKillGracePeriodSeconds": 2**31 - 1},
    {"healthChecks": [{"path": "http://elsewhere/ x\r\nA: b"}]},
    {"portDefinitions": [{"port": 0}] * 2000},
    {"requirePorts": True, "ports": [80, 0]},
    {"dependencies": ["/"]},
    {"unreachableStrategy": "disabled"},
    {"networks": []},
]


@pytest.mark.parametrize("fields", APPS)
def test_an_odd_app_ends_no_process_now_or_after_a_restart(fields: dict[str, Any]) -> None:
    world = World().lead()
    status, _ = world.ask("POST", "/v2/apps", {"id": "/x", "cmd": "serve", "mem": 1, **fields})
    assert status in (201, 422)
    for state in ("TASK_RUNNING", "TASK_FAILED"):
        world.offer_all(rounds=1)
        for task_id in list(world.tasks):
            world.update(task_id, state)
        world.pass_time(5)
    world.get("/metrics")
    world.get("/v2/queue", embed=["lastUnusedOffers"])
    again = World(store=world.store, tasks=world.tasks, seed=b"two", now=world.now).lead()
    again.offer_all(rounds=1)
    assert again.halted is None
    assert len(again.get("/v2/apps")["apps"]) == (status == 201)
