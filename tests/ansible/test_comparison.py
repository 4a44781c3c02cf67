"""What counts as a change: the comparison of what a user wrote with what a server has."""

from typing import Any

import pytest
from ansible.module_utils.chronos import job_differences, job_to_write, normal_job, same_schedule
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
        {"constraints": [["zone", "group_by"], ["rack", "UNIQUE"]]},
        {"uris": []},
        {"user": None},
        {"env": {"A": "1", "B": None}},
        {"instances": "2", "cpus": "0.1"},
        {"dependencies": []},
        {"version": "2020-01-01T00:00:00.000Z", "tasks": [], "tasksRunning": 7},
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


def test_ports_of_containers_are_compared_in_their_new_place() -> None:
    docker = {"image": "web", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}
    written = normal_app({"container": {"type": "DOCKER", "docker": docker}}, "web")
    mapping = {"containerPort": 80, "hostPort": 0, "servicePort": 10001, "protocol": "tcp"}
    shown = {
        "id": "/web",
        "networks": [{"mode": "container/bridge"}],
        "container": {
            "type": "DOCKER",
            "docker": {"image": "web", "forcePullImage": False},
            "portMappings": [mapping],
        },
    }
    assert app_differences(written, shown) == {}
    written["container"]["portMappings"][0]["servicePort"] = 10002
    assert list(app_differences(written, shown)) == ["container.portMappings[0].servicePort"]


def test_dependencies_are_relative_to_the_app() -> None:
    app = normal_app({"dependencies": ["db", "../cache", "/x"]}, "/shop/web")
    assert app["dependencies"] == ["/shop/db", "/cache", "/x"]


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
        ("R/2026-01-31T02:00:00Z/P1M", "R/2026-02-15T02:00:00.000Z/P1M", False),
        ("R/2026-01-31T02:00:00Z/P1M", "R/2026-02-28T03:00:00.000Z/P1M", False),
        ("R/2026-01-15T02:00:00Z/P1Y", "R/2028-01-15T02:00:00.000Z/P1Y", True),
        ("R/2026-01-15T02:00:00Z/P1Y", "R/2028-02-15T02:00:00.000Z/P1Y", False),
        ("R1/2026-01-15T02:00:00Z/P", "R0/2026-01-15T02:00:00.000Z/P", True),
        ("R1/2026-01-15T02:00:00Z/P", "R0/2026-01-16T02:00:00.000Z/P", False),
        ("nonsense", "nonsense", True),
        ("nonsense", "R//PT1H", False),
    ],
)
def test_a_schedule_that_moved_on_is_the_same(wanted: str, actual: str, same: bool) -> None:
    assert same_schedule(wanted, actual) is same


@pytest.mark.parametrize(
    ("wanted", "actual", "same"),
    [
        # Daylight saving time began meanwhile: the clock on the wall stays, the offset moves.
        ("R/2026-03-01T02:00:00+01:00/P1D", "R/2026-06-01T02:00:00.000+02:00/P1D", True),
        ("R/2026-03-01T02:00:00Z/P1D", "R/2026-06-01T02:00:00.000+02:00/P1D", True),
        ("R/2026-03-01T02:00:00/P1D", "R/2026-06-01T03:00:00.000+02:00/P1D", False),
        ("R/2026-03-01T02:00:00/PT24H", "R/2026-06-01T03:00:00.000+02:00/PT24H", True),
    ],
)
def test_in_a_time_zone_the_clock_on_the_wall_counts(wanted: str, actual: str, same: bool) -> None:
    assert same_schedule(wanted, actual, "Europe/Berlin") is same


def test_a_changed_job_keeps_what_was_not_written() -> None:
    shown: dict[str, Any] = {"name": "j", "command": "a", "retries": 5, "successCount": 3}
    shown["schedule"] = "R2/2026-03-05T02:00:00.000Z/P1D"
    written = {"name": "j", "command": "b", "schedule": "R3/2026-03-04T02:00:00Z/P1D"}
    assert job_to_write(written, shown) == {**shown, "command": "b"}
    assert job_to_write({**written, "schedule": "R//PT1H"}, shown)["schedule"] == "R//PT1H"
    dependent = job_to_write({"name": "j", "command": "b", "parents": ["p"]}, shown)
    assert "schedule" not in dependent and dependent["successCount"] == 3
    assert "parents" not in job_to_write(written, dependent)
    assert job_to_write(written, {}) == written


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
