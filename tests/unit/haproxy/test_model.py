"""Apps to model, model to text, model to model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.haproxy.core.diff import Step, compare, corrections
from mesosphere.haproxy.core.labels import LabelError, read_port
from mesosphere.haproxy.core.model import Model, build
from mesosphere.haproxy.core.render import Front, render

FRONT = Front()


def task(name: str, port: int, **changes: Any) -> dict[str, Any]:
    alive = [{"alive": True, "consecutiveFailures": 0}]
    return {
        "id": name, "host": "127.0.0.1", "ports": [port], "state": "TASK_RUNNING",
        "healthCheckResults": alive, **changes,
    }  # fmt: skip


def app(name: str = "/web", port: int = 10000, **changes: Any) -> dict[str, Any]:
    return {
        "id": name, "labels": {"HAPROXY_GROUP": "external"},
        "portDefinitions": [{"port": port}], "healthChecks": [{"protocol": "HTTP", "path": "/"}],
        "tasks": [task(f"{name}-1", 31001), task(f"{name}-2", 31002)], **changes,
    }  # fmt: skip


def model_of(*apps: dict[str, Any], **options: Any) -> Model:
    return build(list(apps), ("external",), **options)


def ports(model: Model) -> list[list[int]]:
    return [[server.port for server in service.servers] for service in model.services]


@pytest.mark.parametrize(
    ("labels", "wanted", "served"),
    [
        ({"HAPROXY_GROUP": "external"}, ("external",), True),
        ({"HAPROXY_GROUP": "internal,external"}, ("external",), True),
        ({"HAPROXY_GROUP": "internal"}, ("external",), False),
        ({}, ("external",), False),
        ({}, ("*",), True),
        ({"HAPROXY_GROUP": "internal", "HAPROXY_0_GROUP": "external"}, ("external",), True),
        ({"HAPROXY_GROUP": "external", "HAPROXY_0_GROUP": "internal"}, ("external",), False),
        ({"HAPROXY_GROUP": "external", "HAPROXY_0_ENABLED": "false"}, ("external",), False),
    ],
)
def test_groups_decide_who_is_served(
    labels: dict[str, str], wanted: tuple[str, ...], served: bool
) -> None:
    assert bool(build([app(labels=labels)], wanted).services) is served


def test_strict_mode_serves_only_what_says_so() -> None:
    assert not model_of(app(), strict=True).services
    labels = {"HAPROXY_GROUP": "external", "HAPROXY_0_ENABLED": "true"}
    assert model_of(app(labels=labels), strict=True).services


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "TASK_KILLING"},
        {"state": "TASK_STAGING"},
        {"state": "TASK_FAILED"},
        {"host": ""},
        {"ports": []},
        {"healthCheckResults": []},
        {"healthCheckResults": [{"alive": False, "consecutiveFailures": 2}]},
    ],
)
def test_an_instance_that_does_not_live_is_left_out(changes: dict[str, Any]) -> None:
    tasks = [task("a", 31001), task("b", 31002, **changes)]
    assert ports(model_of(app(tasks=tasks))) == [[31001]]


@pytest.mark.parametrize("state", ["TASK_UNREACHABLE", "TASK_LOST", "TASK_RUNNING"])
def test_a_partition_takes_no_instance_out(state: str) -> None:
    assert ports(model_of(app(tasks=[task("a", 31001, state=state)]))) == [[31001]]


def test_a_served_instance_stays_while_its_health_is_unknown() -> None:
    unknown = [task("a", 31001, healthCheckResults=[{"alive": False, "consecutiveFailures": 0}])]
    assert ports(model_of(app(tasks=unknown))) == []
    assert ports(model_of(app(tasks=unknown), served={"a": None})) == [[31001]]
    ill = [task("a", 31001, healthCheckResults=[{"alive": False, "consecutiveFailures": 1}])]
    assert ports(model_of(app(tasks=ill), served={"a": None})) == []


def test_a_port_taken_twice_belongs_to_the_first_and_the_other_is_named() -> None:
    model = model_of(app("/b"), app("/a"))
    assert [service.app for service in model.services] == ["/a"]
    assert model.excluded == (("/b", "port 10000 belongs to /a"),)


def test_the_load_balancers_own_port_is_refused() -> None:
    model = model_of(app(port=9090), reserved_ports=(9090,))
    assert model.excluded == (("/web", "port 9090 is the load balancer's own"),)


@pytest.mark.parametrize(
    "labels",
    [
        {"HAPROXY_0_MODE": "carrier-pigeon"},
        {"HAPROXY_0_PORT": "70000"},
        {"HAPROXY_0_VHOST": "a b"},
        {"HAPROXY_0_AUTH": "realm"},
        {"HAPROXY_0_PATH": "/a\n  bind *:1"},
    ],
)
def test_a_label_that_makes_no_sense_leaves_out_its_app_only(labels: dict[str, str]) -> None:
    with pytest.raises(LabelError):
        read_port(labels, 0)
    wrong = app("/wrong", 10001, labels={"HAPROXY_GROUP": "external", **labels})
    model = model_of(app(), wrong)
    assert [service.app for service in model.services] == ["/web"]
    assert [name for name, _ in model.excluded] == ["/wrong"]


def test_the_text_has_the_originals_names() -> None:
    labels = {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "web.example.com,www.example.com"}
    text = render(model_of(app("/shop/web", labels=labels)), FRONT)
    for line in (
        "frontend shop_web_10000",
        "  bind *:10000",
        "backend shop_web_10000",
        "frontend marathon_http_in",
        "  use_backend shop_web_10000 if host_web_example_com_shop_web_10000",
        "  monitor-uri /_haproxy_health_check",
    ):
        assert f"{line}\n" in text, line
    assert "  server 127_0_0_1_31001 127.0.0.1:31001 id " in text


def test_the_order_of_apps_and_tasks_changes_nothing() -> None:
    apps = [app("/a", 10001), app("/b", 10002)]
    turned = [{**each, "tasks": each["tasks"][::-1]} for each in apps[::-1]]
    assert render(model_of(*apps), FRONT) == render(model_of(*turned), FRONT)


def test_equal_models_mean_nothing_to_do() -> None:
    assert compare(model_of(app()), model_of(app())).step is Step.NOTHING


def test_instances_come_and_go_by_commands() -> None:
    old = model_of(app(tasks=[task("a", 31001), task("b", 31002)]))
    new = model_of(app(tasks=[task("a", 31001), task("c", 31003)]))
    difference = compare(old, new)
    assert difference.step is Step.COMMANDS
    added = [line for line in difference.commands if line.startswith("add server")]
    assert added and "127.0.0.1:31003" in added[0]
    assert "set server web_10000/127_0_0_1_31002 state maint" in difference.commands
    assert difference.leaving == ("web_10000/127_0_0_1_31002",)
    # Those that stay or come take over before those that go are closed.
    assert difference.commands.index(added[0]) < difference.commands.index(
        "set server web_10000/127_0_0_1_31002 state maint"
    )


def test_an_instance_that_returns_is_made_ready_and_not_added() -> None:
    place = "web_10000/127_0_0_1_31002"
    old = model_of(app(tasks=[task("a", 31001)]))
    new = model_of(app(tasks=[task("a", 31001), task("b", 31002)]))
    difference = compare(old, new, (place,))
    assert difference.commands == (f"set server {place} state ready",)
    assert difference.leaving == ()


@pytest.mark.parametrize(
    "changed",
    [
        app(port=10001),
        app(labels={"HAPROXY_GROUP": "external", "HAPROXY_0_MODE": "tcp"}),
        app(labels={"HAPROXY_GROUP": "external", "HAPROXY_0_STICKY": "true"}),
        app(healthChecks=[]),
    ],
)
def test_what_is_more_than_instances_takes_a_reload(changed: dict[str, Any]) -> None:
    assert compare(model_of(app()), model_of(changed)).step is Step.RELOAD


numbers = st.sets(st.integers(31000, 31012), min_size=1)


@given(numbers, numbers)
def test_commands_lead_from_any_model_to_any_other(old: set[int], new: set[int]) -> None:
    def of(wanted: set[int]) -> Model:
        return model_of(app(tasks=[task(f"t{port}", port) for port in sorted(wanted)]))

    difference = compare(of(old), of(new))
    ready = set(old)
    for line in difference.commands:
        words = line.split()
        port = int(words[2].rsplit("_", 1)[1])
        if words[:2] == ["set", "server"]:
            (ready.add if words[4] == "ready" else ready.discard)(port)
    assert ready == new
    assert {int(place.rsplit("_", 1)[1]) for place in difference.leaving} == old - new


def state_line(port: int, admin: int = 0) -> str:
    fields = ["4", "web_10000", "1", f"127_0_0_1_{port}", "127.0.0.1", "2", str(admin)]
    return " ".join([*fields, *["0"] * 11, str(port), "-"])


def test_a_running_haproxy_is_brought_to_the_model() -> None:
    model = model_of(app(tasks=[task("a", 31001), task("b", 31002)]))
    assert corrections(model, "\n".join([state_line(31001), state_line(31002)])) == []
    drifted = "\n".join([state_line(31001, admin=1), state_line(31002), state_line(31009)])
    assert corrections(model, drifted) == [
        "set server web_10000/127_0_0_1_31001 state ready",
        "set server web_10000/127_0_0_1_31009 state maint",
    ]
    assert corrections(model, state_line(31001)) is None
    assert corrections(model, "") is None
