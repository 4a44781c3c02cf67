"""What each route answers: codes, bodies, headers. One world per story, no network."""

import re
from typing import Any

import pytest

from mesosphere.kernel.http import Response
from tests.scenarios.marathon.harness import World, decoded

VERSION = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@pytest.fixture
def world() -> World:
    return World().lead()


def raw(world: World, method: str, path: str, body: Any = None, **more: Any) -> Response:
    response = world.send(method, path, body, **more)[1]
    assert response is not None
    return response


# --- refusals ---------------------------------------------------------------------------------

REFUSALS: list[tuple[str, str, Any, int, Any]] = [
    ("POST", "/v2/apps", b"{", 400, {"message": "Invalid JSON"}),
    ("POST", "/v2/apps", b"", 400, {"message": "Please specify data in JSON format"}),
    ("POST", "/v2/apps", {"cmd": "x"}, 422, [("/id", ["error.path.missing"])]),
    ("POST", "/v2/apps", {"id": 5, "cmd": "x"}, 422, [("/id", ["error.expected.jsstring"])]),
    ("POST", "/v2/apps", [], 422, [("/", ["error.expected.jsobject"])]),
    ("POST", "/v2/apps", {"id": "/x", "cmd": "x", "cpus": 0}, 422, [("/cpus", ["error.min"])]),
    (
        "POST",
        "/v2/apps",
        {"id": "/x"},
        422,
        [
            (
                "/",
                ["AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."],
            )
        ],
    ),
    (
        "POST",
        "/v2/apps",
        {"id": "/web/y", "cmd": "x"},
        422,
        [("/web/y", ["Groups and Applications may not have the same identifier."])],
    ),
    (
        "POST",
        "/v2/apps",
        {"id": "/web", "cmd": "x"},
        409,
        {"message": "An app with id [/web] already exists."},
    ),
    ("PUT", "/v2/apps", {}, 422, [("/", ["error.expected.jsarray"])]),
    ("PUT", "/v2/apps", [{"cmd": "x"}], 422, [("(0)/id", ["error.path.missing"])]),
    ("PATCH", "/v2/apps/none", {"cmd": "x"}, 404, {"message": "App '/none' does not exist"}),
    ("GET", "/v2/apps/none", None, 404, {"message": "App '/none' does not exist"}),
    ("GET", "/v2/apps//web/versions/x", None, 404, "App '/web' does not exist in version x"),
    ("GET", "/v2/apps/none/tasks", None, 404, {"message": "App '/none' does not exist"}),
    ("GET", "/v2/apps/none/*", None, 404, {"message": "Group '/none' does not exist"}),
    ("DELETE", "/v2/apps/none", None, 404, {"message": "App '/none' does not exist"}),
    ("POST", "/v2/apps/none/restart", None, 404, {"message": "App '/none' does not exist"}),
    ("DELETE", "/v2/apps/web/tasks/x", None, 404, {"message": "Task 'x' does not exist"}),
    ("POST", "/v2/tasks/delete", {"ids": ["x"]}, 400, None),
    ("POST", "/v2/tasks/delete", {}, 422, [("/ids", ["error.path.missing"])]),
    ("GET", "/v2/groups/none", None, 404, {"message": "Group '/none' does not exist"}),
    ("DELETE", "/v2/groups/none", None, 404, {"message": "Group '/none' does not exist"}),
    ("POST", "/v2/groups", {"id": "/web"}, 409, "An app with the path /web already exists."),
    ("PUT", "/v2/groups/g", {"version": "2000-01-01T00:00:00.000Z"}, 422, None),
    ("PUT", "/v2/groups/g", {"version": "x", "scaleBy": 2}, 422, None),
    ("DELETE", "/v2/deployments/x", None, 404, "DeploymentPlan x does not exist"),
    ("DELETE", "/v2/queue/none/delay", None, 404, "Application /none not found in tasks queue."),
    ("GET", "/v2/nothing", None, 404, {"message": "URI not found"}),
    ("POST", "/v2/info", None, 405, {"message": "Method Not Allowed"}),
    ("GET", "/v2/events", None, 405, {"message": "Method Not Allowed"}),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "expected"), REFUSALS)
def test_refusals(
    world: World, method: str, path: str, body: Any, status: int, expected: Any
) -> None:
    world.create("/web", instances=0)
    stored = dict(world.store)
    response = raw(world, method, path, body)
    assert response.status == status
    value = decoded(response)
    if isinstance(expected, list):
        assert [(one["path"], one["errors"]) for one in value["details"]] == expected
    elif isinstance(expected, dict):
        assert expected.items() <= value.items()
    elif expected is not None:
        assert value["message"] == expected
    assert world.store == stored, "a refused request leaves no trace"


def test_a_body_needs_its_content_type(world: World) -> None:
    headers = {"content-type": "text/plain"}
    response = raw(world, "POST", "/v2/apps", {"id": "x", "cmd": "x"}, headers=headers)
    assert response.status == 415
    headers = {"content-type": "application/json; charset=utf-8"}
    assert raw(world, "POST", "/v2/apps", {"id": "x", "cmd": "x"}, headers=headers).status == 201


def test_scale_and_wipe_exclude_each_other(world: World) -> None:
    world.create()
    status, value = world.ask("DELETE", "/v2/apps/web/tasks", scale=True, wipe=True)
    assert (status, value["message"]) == (400, "You cannot use scale and wipe at the same time.")


def test_a_version_stands_alone_in_an_update(world: World) -> None:
    world.create(instances=0)
    body = {"version": "2000-01-01T00:00:00.000Z", "cmd": "y"}
    status, value = world.ask("PUT", "/v2/apps/web", body, force=True)
    assert status == 422
    assert value["details"][0]["errors"] == [
        "The 'version' field may only be combined with the 'id' field."
    ]


def test_too_many_deployments_are_refused() -> None:
    world = World(max_running_deployments=1).lead()
    world.create("/a")
    status, value = world.ask("POST", "/v2/apps", {"id": "/b", "cmd": "x"})
    assert status == 403 and value["message"].startswith("Max number (1) of running deployments")


def test_too_many_apps_are_refused() -> None:
    world = World(max_apps=1).lead()
    world.create("/a")
    assert world.ask("POST", "/v2/apps", {"id": "/b", "cmd": "x"})[0] == 422


def test_a_deeply_nested_body_is_refused_not_fatal(world: World) -> None:
    assert raw(world, "POST", "/v2/apps", b"[" * 100_000).status == 400


# --- answers ----------------------------------------------------------------------------------


def test_a_created_app_is_answered_whole(world: World) -> None:
    response = raw(world, "POST", "/v2/apps", {"id": "shop/web", "cmd": "x"})
    value = decoded(response)
    assert response.status == 201
    assert response.headers["Location"] == "/shop/web"
    assert response.headers["Marathon-Deployment-Id"] == value["deployments"][0]["id"]
    assert set(value) == {
        "id",
        "cmd",
        "backoffFactor",
        "backoffSeconds",
        "cpus",
        "disk",
        "executor",
        "instances",
        "labels",
        "maxLaunchDelaySeconds",
        "mem",
        "gpus",
        "networks",
        "portDefinitions",
        "killSelection",
        "requirePorts",
        "role",
        "unreachableStrategy",
        "upgradeStrategy",
        "version",
        "versionInfo",
        "tasksStaged",
        "tasksRunning",
        "tasksHealthy",
        "tasksUnhealthy",
        "deployments",
    }
    assert VERSION.match(value["version"])
    assert value["portDefinitions"][0]["port"] == 10000


def test_an_update_is_answered_with_version_and_deployment(world: World) -> None:
    world.create(instances=0)
    response = raw(world, "PUT", "/v2/apps/web", {"mem": 64})
    value = decoded(response)
    assert response.status == 200
    assert set(value) == {"version", "deploymentId"}
    assert UUID.match(value["deploymentId"])
    assert response.headers["Marathon-Deployment-Id"] == value["deploymentId"]


def test_a_put_of_a_new_app_creates_it(world: World) -> None:
    response = raw(world, "PUT", "/v2/apps/new", {"cmd": "x", "id": "/ignored"})
    assert response.status == 201
    assert response.headers["Location"] == "/new"
    assert world.app("/new")["cmd"] == "x"


def test_a_full_put_goes_back_to_defaults(world: World) -> None:
    world.create(instances=0, labels={"a": "b"})
    status, _ = world.ask("PUT", "/v2/apps/web", {"cmd": "y", "instances": 0}, partialUpdate=False)
    assert status == 200
    assert world.app()["labels"] == {}


def test_a_task_has_the_fields_that_clients_read(world: World) -> None:
    world.create()
    world.settle()
    task = world.app()["tasks"][0]
    assert re.match(r"^web\.instance-[0-9a-f-]{36}\._app\.1$", task["id"])
    assert set(task) == {
        "id",
        "appId",
        "host",
        "ports",
        "servicePorts",
        "slaveId",
        "state",
        "stagedAt",
        "startedAt",
        "version",
        "ipAddresses",
        "localVolumes",
        "healthCheckResults",
        "role",
    }
    assert task["servicePorts"] == []
    listed = world.get("/v2/tasks")["tasks"][0]
    assert listed["servicePorts"] == [10000]
    assert world.get("/v2/apps/web/tasks")["tasks"] == world.app()["tasks"]


def test_tasks_are_filtered_by_status(world: World) -> None:
    world.create(instances=2)
    world.offer()
    world.update(next(iter(world.tasks)), "TASK_RUNNING")
    assert len(world.get("/v2/tasks", status=["running"])["tasks"]) == 1
    assert len(world.get("/v2/tasks", **{"status[]": ["staging"]})["tasks"]) == 1
    assert len(world.get("/v2/tasks")["tasks"]) == 2


def test_tasks_as_text(world: World) -> None:
    world.create("/shop/web", instances=2)
    world.create("/batch", ports=[])
    world.settle()
    response = raw(world, "GET", "/v2/tasks", headers={"accept": "text/plain"})
    lines = decoded(response).splitlines(keepends=True)
    assert re.fullmatch(r"batch\t \tagent\d\t\n", lines[0])
    assert re.fullmatch(r"shop_web\t10000\tagent\d:\d+\tagent\d:\d+\t\n", lines[1])


def test_listing_filters(world: World) -> None:
    world.create("/a/one", instances=0, labels={"tier": "web", "x": "1"})
    world.create("/b/two", instances=0, cmd="Other", labels={"tier": "db"})

    def ids(**query: Any) -> list[str]:
        return [app["id"] for app in world.get("/v2/apps", **query)["apps"]]

    assert ids() == ["/a/one", "/b/two"]
    assert ids(id="ONE") == ["/a/one"]
    assert ids(cmd="oth") == ["/b/two"]
    assert ids(label="tier==web") == ["/a/one"]
    assert ids(label="tier!=web") == ["/b/two"]
    assert ids(label="x") == ["/a/one"]
    assert ids(label="tier in (web, db)") == ["/a/one", "/b/two"]
    assert ids(label="tier notin (web),tier") == ["/b/two"]
    assert world.ask("GET", "/v2/apps", label="a=b=c")[0] == 422
    assert [app["id"] for app in world.get("/v2/apps/a/*")["*"]] == ["/a/one"]
    assert len(world.get("/v2/apps/*")["*"]) == 2


def test_embeds(world: World) -> None:
    world.create()
    world.settle()
    plain = world.get("/v2/apps")["apps"][0]
    assert plain["tasksRunning"] == 1 and plain["deployments"] == []
    assert "tasks" not in plain
    rich = world.get("/v2/apps", embed=["apps.tasks", "app.taskStats", "lastTaskFailure"])
    assert len(rich["apps"][0]["tasks"]) == 1
    stats = rich["apps"][0]["taskStats"]["totalSummary"]["stats"]
    assert stats["counts"] == {"staged": 0, "running": 1, "healthy": 0, "unhealthy": 0}
    assert "medianSeconds" in stats["lifeTime"]
    assert rich["apps"][0]["tasksStats"] == rich["apps"][0]["taskStats"]


def test_a_group_shows_what_is_in_it(world: World) -> None:
    world.create("/a/b/one", instances=0)
    root = world.get("/v2/groups")
    assert root["id"] == "/" and root["apps"] == [] and root["pods"] == []
    assert root["dependencies"] == [] and VERSION.match(root["version"])
    inner = root["groups"][0]
    assert inner["id"] == "/a"
    assert set(inner) == {"id", "apps", "groups", "pods", "dependencies", "version"}
    assert inner["groups"][0]["apps"][0]["id"] == "/a/b/one"
    assert "tasksRunning" not in inner["groups"][0]["apps"][0]
    only = world.get("/v2/groups/a/b", embed=["group.apps", "group.apps.counts"])
    assert only["apps"][0]["tasksRunning"] == 0 and "groups" not in only
    assert [app["id"] for app in world.get("/v2/groups/a/apps")] == ["/a/b/one"]
    assert len(world.get("/v2/groups/a/versions")) == 1


def test_a_deployment_is_shown_with_its_place(world: World) -> None:
    world.create()
    shown = world.get("/v2/deployments")[0]
    assert shown["affectedApps"] == ["/web"] and shown["affectedPods"] == []
    assert (shown["currentStep"], shown["totalSteps"]) == (2, 2)
    assert shown["currentActions"] == [
        {"action": "ScaleApplication", "app": "/web", "readinessCheckResults": []}
    ]
    assert [one["actions"][0]["action"] for one in shown["steps"]] == [
        "StartApplication",
        "ScaleApplication",
    ]


def test_the_queue_says_why_no_offer_was_taken(world: World) -> None:
    world.create(cpus=64)
    world.offer()
    item = world.get("/v2/queue", embed=["lastUnusedOffers"])["queue"][0]
    assert item["count"] == 1 and item["delay"] == {"timeLeftSeconds": 0, "overdue": True}
    assert item["app"]["id"] == "/web" and item["role"] == "*"
    summary = item["processedOffersSummary"]
    assert (summary["processedOffersCount"], summary["unusedOffersCount"]) == (1, 1)
    reasons = summary["rejectSummaryLastOffers"]
    assert [one["reason"] for one in reasons] == [
        "UnfulfilledRole",
        "UnfulfilledConstraint",
        "NoCorrespondingReservationFound",
        "AgentMaintenance",
        "InsufficientCpus",
        "InsufficientMemory",
        "InsufficientDisk",
        "InsufficientGpus",
        "InsufficientPorts",
        "DeclinedScarceResources",
    ]
    assert [one["declined"] for one in reasons] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert [one["processed"] for one in reasons] == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    unused = item["lastUnusedOffers"][0]
    assert unused["reason"] == ["InsufficientCpus"]
    assert unused["offer"]["hostname"] == "agent0"
    assert {"name": "cpus", "role": "*", "scalar": 4} in unused["offer"]["resources"]


def test_info_and_ping_and_metrics(world: World) -> None:
    info = world.get("/v2/info")
    assert info["name"] == "marathon" and info["elected"] is True
    assert info["leader"] == "here:8080" and info["frameworkId"] == "F-0000"
    assert re.match(r"^\d+\.\d+\.\d+$", info["version"])
    assert world.get("/ping") == "pong"
    assert raw(world, "GET", "/ping").headers["Content-Type"].startswith("text/plain")
    json_only = raw(world, "GET", "/ping", headers={"accept": "application/json"})
    assert decoded(json_only) == "pong"
    metrics = world.get("/metrics")
    assert set(metrics) >= {"version", "counters", "gauges", "histograms", "meters", "timers"}
    assert metrics["gauges"]["marathon.apps.active.gauge"] == {"value": 0}
    assert "marathon_apps_active_gauge 0" in world.get("/metrics/prometheus")


def test_every_answer_carries_the_leader_and_forbids_caching(world: World) -> None:
    for method, path in (("GET", "/v2/apps"), ("GET", "/none"), ("DELETE", "/v2/apps/none")):
        headers = raw(world, method, path).headers
        assert headers["X-Marathon-Leader"] == "http://here:8080"
        assert headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
        assert (headers["Pragma"], headers["Expires"]) == ("no-cache", "0")


# --- events -----------------------------------------------------------------------------------


def test_events_are_framed_as_the_original_frames_them(world: World) -> None:
    stream = world.listen()
    first = world.sent[stream].split(b"\r\n\r\n")[0]
    name, data = first.split(b"\r\n")
    assert name == b"event: event_stream_attached"
    assert data.startswith(b"data: {") and b'"remoteAddress":"10.9.9.9"' in data
    world.pass_time(10)
    assert world.sent[stream].endswith(b"\r\n")


def test_a_listener_gets_only_what_it_asked_for(world: World) -> None:
    stream = world.listen("status_update_event", "api_post_event")
    world.create()
    world.settle()
    assert {one["eventType"] for one in world.events(stream)} == {
        "status_update_event",
        "api_post_event",
    }


def test_events_carry_the_fields_that_consumers_read(world: World) -> None:
    stream = world.listen()
    world.create()
    world.settle()
    by_type = {one["eventType"]: one for one in world.events(stream)}
    fields = {
        "api_post_event": {"clientIp", "uri", "appDefinition"},
        "group_change_success": {"groupId", "version"},
        "deployment_info": {"plan", "currentStep"},
        "deployment_step_success": {"plan", "currentStep"},
        "deployment_success": {"id", "plan"},
        "instance_changed_event": {
            "instanceId",
            "condition",
            "runSpecId",
            "agentId",
            "host",
            "runSpecVersion",
        },
        "status_update_event": {
            "slaveId",
            "taskId",
            "taskStatus",
            "message",
            "appId",
            "host",
            "ipAddresses",
            "ports",
            "version",
        },
    }
    for name, expected in fields.items():
        assert set(by_type[name]) == expected | {"eventType", "timestamp"}, name
    assert set(by_type["deployment_success"]["plan"]) == {"id", "version", "steps"}


def test_the_task_environment(world: World) -> None:
    world.create(
        "/shop/web",
        ports=[8080, 0],
        labels={"my-label": "v"},
        env={"MINE": "1", "PORT1": "user wins"},
        fetch=[{"uri": "file:///app.tgz"}],
        taskKillGracePeriodSeconds=7,
    )
    world.offer()
    task = world.launched()[0]
    listed = task["command"]["environment"]["variables"]
    variables = {one["name"]: one["value"] for one in listed}
    tasks = world.get("/v2/apps/shop/web/tasks")["tasks"][0]
    first, second = tasks["ports"]
    assert variables["PORT"] == variables["PORT0"] == str(first)
    assert variables["PORTS"] == f"{first},{second}"
    assert variables["PORT_8080"] == str(first)
    assert variables["PORT1"] == "user wins" and variables["MINE"] == "1"
    assert variables["HOST"] == "agent0"
    assert variables["MARATHON_APP_ID"] == "/shop/web"
    assert variables["MESOS_TASK_ID"] == tasks["id"]
    assert variables["MARATHON_APP_RESOURCE_CPUS"] == "0.1"
    assert variables["MARATHON_APP_RESOURCE_MEM"] == "16.0"
    assert variables["MARATHON_APP_LABELS"] == "MY_LABEL"
    assert variables["MARATHON_APP_LABEL_MY_LABEL"] == "v"
    assert task["name"] == "web.shop" and task["discovery"]["name"] == "web.shop"
    assert task["command"]["uris"][0]["value"] == "file:///app.tgz"
    assert task["kill_policy"]["grace_period"]["nanoseconds"] == 7_000_000_000
    assert [port["number"] for port in task["discovery"]["ports"]["ports"]] == [first, second]
