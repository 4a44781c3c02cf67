"""What counts as a change: the comparison of what a user wrote with what a server has."""

from typing import Any

import pytest
from ansible.module_utils.chronos import job_differences, normal_job, same_schedule
from ansible.module_utils.marathon import app_differences, app_id, normal_app, why_not_settled
from ansible.module_utils.mesosphere_http import as_diff, differences

SHOWN = {
    "id": "/web",
    "cmd": "serve",
    "instances": 2,
    "cpus": 0.1,
    "mem": 64,
    "env": {"A": "1"},
    "portDefinitions": [{"port": 10003, "protocol": "tcp", "labels": {}}],
    "healthChecks": [{"protocol": "HTTP", "path": "/health", "intervalSeconds": 60}],
    "labels": {},
    "constraints": [["rack", "UNIQUE"], ["zone", "GROUP_BY"]],
}


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"cmd": "serve", "mem": 64.0},
        {"env": {"A": 1}},
        {"ports": [0]},
        {"portDefinitions": [{"port": 0, "protocol": "tcp"}]},
        {"portDefinitions": [{"port": 10003}]},
        {"healthChecks": [{"protocol": "HTTP", "path": "/health"}]},
        {"labels": {}},
        {"constraints": [["zone", "GROUP_BY"], ["rack", "UNIQUE"]]},
        {"uris": []},
        {"user": None},
    ],
)
def test_what_the_server_filled_in_is_no_change(definition: dict[str, Any]) -> None:
    assert app_differences(normal_app(definition, "web"), SHOWN) == {}


@pytest.mark.parametrize(
    ("definition", "changes"),
    [
        ({"instances": 3}, ["instances"]),
        ({"env": {}}, ["env.A"]),
        ({"env": {"A": "2", "B": True}}, ["env.A", "env.B"]),
        ({"ports": [10004]}, ["portDefinitions[0].port"]),
        ({"portDefinitions": [{"port": 0}, {"port": 0}]}, ["portDefinitions"]),
        ({"healthChecks": []}, ["healthChecks"]),
        ({"labels": {"x": "y"}}, ["labels.x"]),
        ({"uris": ["file:///a"]}, ["fetch"]),
        ({"user": "web"}, ["user"]),
    ],
)
def test_what_is_otherwise_is_a_change(definition: dict[str, Any], changes: list[str]) -> None:
    assert sorted(app_differences(normal_app(definition, "web"), SHOWN)) == changes


def test_a_new_app_is_all_change() -> None:
    assert sorted(app_differences(normal_app({"cmd": "x"}, "/a/"), {})) == ["cmd", "id"]
    assert app_id("a/b") == "/a/b"


@pytest.mark.parametrize(
    ("wanted", "actual", "same"),
    [
        ("R//PT1H", "R/2026-11-24T14:29:50.096Z/PT1H", True),
        ("R3//PT1H", "R2/2026-11-24T14:29:50.096Z/PT1H", True),
        ("R3//PT1H", "R4/2026-11-24T14:29:50.096Z/PT1H", False),
        ("R//PT1H", "R5/2026-11-24T14:29:50.096Z/PT1H", False),
        ("R//PT1H", "R/2026-11-24T14:29:50.096Z/PT2H", False),
        ("R/2026-01-01T02:00:00Z/P1D", "R/2026-03-05T02:00:00.000Z/P1D", True),
        ("R/2026-01-01T02:00:00Z/P1D", "R/2026-03-05T03:00:00.000Z/P1D", False),
        ("R/2026-01-01T02:00:00Z/P1D", "R/2025-12-31T02:00:00.000Z/P1D", False),
        ("R/2026-01-31T02:00:00Z/P1M", "R/2026-02-28T02:00:00.000Z/P1M", True),
        ("nonsense", "nonsense", True),
        ("nonsense", "R//PT1H", False),
    ],
)
def test_a_schedule_that_moved_on_is_the_same(wanted: str, actual: str, same: bool) -> None:
    assert same_schedule(wanted, actual) is same


def test_a_job_differs_by_what_was_written_only() -> None:
    shown = {
        "name": "j",
        "command": "true",
        "schedule": "R/2026-11-24T14:29:50.096Z/PT1H",
        "environmentVariables": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
        "retries": 2,
    }
    written = {
        "command": "true",
        "schedule": "R//PT1H",
        "environmentVariables": [{"name": "A", "value": 1}, {"name": "B", "value": 2}],
    }
    assert job_differences(normal_job(written, "j"), shown) == {}
    written["command"] = "false"
    assert job_differences(normal_job(written, "j"), shown) == {"command": ("true", "false")}


def test_an_app_settles_when_its_instances_are_healthy() -> None:
    app = {"id": "/web", "instances": 2, "tasksRunning": 1, "tasksHealthy": 0}
    assert "1 of 2 instances run" in why_not_settled(app, [])
    app["tasksRunning"] = 2
    assert why_not_settled(app, []) == ""
    app["healthChecks"] = [{}]
    assert "0 of 2 instances are healthy" in why_not_settled(app, [])
    assert "d1" in why_not_settled(app, [{"id": "d1", "affectedApps": ["/web"]}])


def test_a_diff_shows_only_what_differs() -> None:
    diff = as_diff(differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}), "x")
    assert diff["before"] == "b.c: 3\n" and diff["after"] == "b.c: 2\n"
