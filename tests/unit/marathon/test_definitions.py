"""Shapes, normalisation and validation of app definitions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.normalization import canonical, completed, merged
from mesosphere.marathon.core.validation import app_faults
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App, app_definition, app_json, decode_app, encode_app
from mesosphere.wire.marathon.app_shapes import AMOUNT_LIMIT, APP
from mesosphere.wire.marathon.shapes import Faults
from mesosphere.wire.marathon.timestamps import format_timestamp, next_version, parse_timestamp

CONFIG = MarathonConfig(master="m:5050")


def made(**fields: Any) -> App:
    faults: Faults = []
    clean = APP.clean({"id": "/a", "cmd": "x", **fields}, "", faults)
    full = canonical(clean, CONFIG, faults)
    assert not faults, faults
    return completed(full, CONFIG)


def shape_faults(**fields: Any) -> Faults:
    faults: Faults = []
    APP.clean({"id": "/a", **fields}, "", faults)
    return faults


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"id": 1}, "/id", "error.expected.jsstring"),
        ({"id": None}, "/id", "error.path.missing"),
        ({"id": "A_B"}, "/id", "error.pattern"),
        ({"cmd": ""}, "/cmd", "error.minLength"),
        ({"cpus": "1"}, "/cpus", "error.expected.jsnumber"),
        ({"cpus": 0}, "/cpus", "error.min"),
        ({"cpus": 1e306}, "/cpus", "error.max"),
        ({"mem": 2 * AMOUNT_LIMIT}, "/mem", "error.max"),
        ({"disk": 1e308}, "/disk", "error.max"),
        ({"instances": -1}, "/instances", "error.min"),
        ({"instances": 1.5}, "/instances", "error.expected.int"),
        ({"env": []}, "/env", "error.expected.jsobject"),
        ({"env": {"A": 1}}, "/env/A", "error.expected.jsobject"),
        ({"fetch": [{}]}, "/fetch(0)/uri", "error.path.missing"),
        ({"fetch": "x"}, "/fetch", "error.expected.jsarray"),
        ({"healthChecks": [{"protocol": "X"}]}, "/healthChecks(0)/protocol", "literal"),
        ({"upgradeStrategy": {"minimumHealthCapacity": 2}}, "minimumHealthCapacity", "error.max"),
        ({"requirePorts": "yes"}, "/requirePorts", "error.expected.jsboolean"),
        ({"portDefinitions": [{"port": 70000}]}, "/portDefinitions(0)/port", "error.max"),
    ],
)
def test_wrong_shapes_are_told_with_path_and_code(fields: Any, path: str, code: str) -> None:
    found = shape_faults(**fields)
    assert any(path in where and code in what for where, what in found), found


def test_every_fault_is_listed() -> None:
    assert len(shape_faults(cpus="1", mem="2", cmd=3)) == 3


def test_unknown_fields_and_nulls_are_ignored() -> None:
    assert app_json(made(colour="red", container=None, args=None)) == app_json(made())


def test_defaults_are_filled_in() -> None:
    shown = app_json(made())
    assert shown["networks"] == [{"mode": "host"}]
    assert shown["portDefinitions"] == [
        {"port": 0, "name": "default", "protocol": "tcp", "labels": {}}
    ]
    assert (shown["cpus"], shown["mem"], shown["instances"]) == (1, 128, 1)
    assert shown["upgradeStrategy"] == {"minimumHealthCapacity": 1, "maximumOverCapacity": 1}
    assert shown["unreachableStrategy"] == {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0}
    assert "env" not in shown and "args" not in shown and "user" not in shown


def test_old_ports_become_port_definitions() -> None:
    shown = app_json(made(ports=[8080, 0]))
    assert [one["port"] for one in shown["portDefinitions"]] == [8080, 0]
    assert "ports" not in shown
    assert app_json(made(ports=[]))["portDefinitions"] == []


def test_old_uris_become_fetches() -> None:
    shown = app_json(made(uris=["http://h/a.tgz", "http://h/b"]))
    assert [(one["uri"], one["extract"]) for one in shown["fetch"]] == [
        ("http://h/a.tgz", True),
        ("http://h/b", False),
    ]


def test_an_old_bridged_docker_app_is_translated() -> None:
    docker = {
        "image": "nginx",
        "network": "BRIDGE",
        "portMappings": [{"containerPort": 80, "servicePort": 10080}],
    }
    shown = app_json(made(cmd=None, container={"docker": docker}))
    assert shown["networks"] == [{"mode": "container/bridge"}]
    assert "network" not in shown["container"]["docker"]
    assert shown["container"]["portMappings"] == [
        {
            "containerPort": 80,
            "hostPort": 0,
            "servicePort": 10080,
            "protocol": "tcp",
            "labels": {},
        }
    ]
    assert "portDefinitions" not in shown


def test_an_old_ip_address_is_translated() -> None:
    ports = [{"number": 80, "name": "http", "protocol": "tcp"}]
    address = {"networkName": "dcos", "discovery": {"ports": ports}}
    shown = app_json(made(ipAddress=address))
    assert shown["networks"] == [{"mode": "container", "name": "dcos"}]
    assert shown["container"]["type"] == "MESOS"
    mapping = shown["container"]["portMappings"][0]
    assert (mapping["containerPort"], mapping["name"]) == (80, "http")
    assert "hostPort" not in mapping


def test_contradictions_of_old_and_new_fields_are_told() -> None:
    for fields in (
        {"uris": ["a"], "fetch": [{"uri": "b"}]},
        {"ports": [1], "portDefinitions": [{"port": 2}]},
        {
            "networks": [{"mode": "host"}],
            "container": {"docker": {"image": "x", "network": "BRIDGE"}},
        },
        {"ports": [80], "ipAddress": {}},
    ):
        faults: Faults = []
        canonical(APP.clean({"id": "/a", **fields}, "", faults), CONFIG, faults)
        assert faults, fields


def test_relative_ids_and_dependencies_are_resolved() -> None:
    app = completed({"id": "web", "cmd": "x", "dependencies": ["../db/one", "two"]}, CONFIG, "/s")
    assert app.id == "/s/web"
    assert app.dependencies == ("/db/one", "/s/two")


def test_a_check_without_a_port_gets_the_first() -> None:
    shown = app_json(made(healthChecks=[{"path": "/"}]))
    check = shown["healthChecks"][0]
    assert check["portIndex"] == 0
    assert (check["protocol"], check["gracePeriodSeconds"], check["delaySeconds"]) == (
        "HTTP",
        300,
        15,
    )
    assert check["ignoreHttp1xx"] is False and check["ipProtocol"] == "IPv4"


def test_an_update_replaces_what_it_names_and_nothing_else() -> None:
    current = made(env={"A": "1"}, labels={"x": "y"}, instances=3)
    result = completed(merged(current, {"env": {"B": "2"}}), CONFIG)
    assert (result.env, result.labels, result.instances) == ({"B": "2"}, {"x": "y"}, 3)


def test_an_update_to_another_network_drops_what_does_not_fit() -> None:
    changed = {"networks": [{"mode": "container/bridge"}], "container": {"type": "MESOS"}}
    result = completed(merged(made(ports=[0, 0]), changed), CONFIG)
    assert not app_faults(result, CONFIG)
    assert len(result.port_mappings) == 1


def test_a_command_gives_way_to_arguments() -> None:
    result = completed(merged(made(), {"args": ["a", "b"]}), CONFIG)
    assert result.cmd is None and result.args == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ({"cmd": None}, "/", "must either contain one of 'cmd' or 'args'"),
        ({"args": ["x"]}, "/", "must either contain one of 'cmd' or 'args'"),
        ({"id": "/a/tasks"}, "/id", "reserved keywords"),
        ({"portDefinitions": [{"port": 5}, {"port": 5}]}, "/portDefinitions", "unique"),
        ({"constraints": [["a", "NEAR"]]}, "/constraints(0)", "operator"),
        ({"healthChecks": [{"portIndex": 7}]}, "/healthChecks(0)/portIndex", "ports array"),
        ({"networks": [{"mode": "container"}]}, "/networks", "Network name must be specified"),
        ({"gpus": 1}, "/gpus", "gpu_resources"),
        ({"readinessChecks": [{"portName": "x"}]}, "portName", "No port definition reference"),
        ({"acceptedResourceRoles": ["z"]}, "/acceptedResourceRoles", "can only contain"),
        ({"id": "/dev/x", "role": "dev"}, "/role", "got dev, expected one of: [*]"),
        (
            {"unreachableStrategy": {"inactiveAfterSeconds": 9, "expungeAfterSeconds": 1}},
            "/unreachableStrategy",
            "less or equal",
        ),
        ({"env": {"A": {"secret": "s"}}}, "/env", "secrets is not enabled"),
        ({"container": {"volumes": [{"containerPath": "x"}]}}, "volumes(0)", "exactly one"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_path(fields: Any, path: str, text: str) -> None:
    faults = app_faults(made(**fields), CONFIG)
    assert any(path in where and text in what for where, what in faults), faults


def test_a_sound_app_has_no_faults_and_survives_the_store() -> None:
    app = made(
        constraints=[["hostname", "unique"]],
        healthChecks=[{"protocol": "COMMAND", "command": {"value": "true"}}],
        fetch=[{"uri": "file:///x.tgz"}],
        env={"A": "b"},
    )
    assert app_faults(app, CONFIG) == []
    assert decode_app(encode_app(app)) == app


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "instances": st.integers(0, 5),
            "ports": st.lists(st.integers(0, 3), max_size=3),
            "labels": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
            "container": st.fixed_dictionaries({"type": st.just("MESOS")}),
            "networks": st.just([{"mode": "container/bridge"}]),
            "backoffSeconds": st.integers(0, 9),
            "healthChecks": st.lists(st.just({"protocol": "TCP"}), max_size=1),
        },
    )
)
def test_normalising_twice_changes_nothing(fields: dict[str, Any]) -> None:
    faults: Faults = []
    clean = APP.clean({"id": "/a", "cmd": "x", **fields}, "", faults)
    once = completed(canonical(clean, CONFIG, []), CONFIG)
    shown = app_definition(once)
    again = APP.clean(shown, "", faults)
    assert not faults
    assert completed(canonical(again, CONFIG, []), CONFIG) == once


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), st.lists))
def test_no_json_breaks_a_shape(value: Any) -> None:
    for name in ("env", "container", "healthChecks", "constraints", "upgradeStrategy", "fetch"):
        shape_faults(**{name: value})


def test_ids_are_resolved_and_checked() -> None:
    assert paths.resolve("//a/../b/./c/", "/x") == "/b/c"
    assert paths.resolve("c", "/a/b") == "/a/b/c"
    assert paths.safe_path("/a/b.c") == "a_b.c"
    assert paths.from_safe_path("a_b.c") == "/a/b.c"
    assert paths.host_form("/a/b/c") == "c.b.a"
    assert paths.problems("/a/B") and paths.problems("/a/-b") and not paths.problems("/a/b-1.c")


def test_timestamps_have_three_digits_and_grow() -> None:
    assert format_timestamp(1393716570.158) == "2014-03-01T23:29:30.158Z"
    assert format_timestamp(1393716570.0) == "2014-03-01T23:29:30.000Z"
    assert parse_timestamp("2014-03-01T23:29:30.158Z") == 1393716570.158
    assert next_version(10.0, format_timestamp(10.0)) == format_timestamp(10.001)
    with pytest.raises(ValueError, match="Invalid format"):
        parse_timestamp("yesterday")
