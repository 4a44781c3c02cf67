"""What a launch looks like to Mesos: commands, containers, networks, checks."""

from typing import Any

from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.instances import Instance
from mesosphere.marathon.core.normalization import canonical, completed
from mesosphere.marathon.core.tasks import Launch, effective_ports, environment, task_info
from mesosphere.wire.marathon.app import App
from mesosphere.wire.marathon.app_shapes import APP
from mesosphere.wire.marathon.shapes import Faults
from mesosphere.wire.mesos import TaskInfo

CONFIG = MarathonConfig(master="m:5050")


def app(**fields: Any) -> App:
    faults: Faults = []
    clean = APP.clean({"id": "/s/a", **fields}, "", faults)
    made = completed(canonical(clean, CONFIG, faults), CONFIG)
    assert not faults
    return made


def launch(definition: App, host_ports: list[int | None], **extra: Any) -> Launch:
    effective = effective_ports(definition, host_ports, 0.5)
    instance = Instance(
        id="s_a.instance-u",
        app_id=definition.id,
        version="v",
        incarnation=2,
        agent_id="S1",
        hostname="h1",
        role="*",
        ports=tuple(port for port in host_ports if port),
        effective_ports=tuple(effective),
        staged_at=0,
        since=0,
    )
    return Launch(definition, instance, [], host_ports, effective, **extra)


def info(definition: App, host_ports: list[int | None], **extra: Any) -> TaskInfo:
    return task_info(launch(definition, host_ports, **extra))


def test_a_command_runs_in_a_shell_and_arguments_do_not() -> None:
    shell = info(app(cmd="echo hi"), [1]).command
    assert shell is not None and (shell.shell, shell.value) == (True, "echo hi")
    plain = info(app(args=["echo", "hi"]), [1]).command
    assert plain is not None
    assert (plain.shell, plain.value, plain.arguments) == (False, "echo", ["echo", "hi"])
    image = info(app(args=["-v"], container={"docker": {"image": "x"}}), [1]).command
    assert image is not None and (image.value, image.arguments) == (None, ["-v"])


def test_a_bridged_docker_app_maps_its_ports() -> None:
    mappings = [
        {"containerPort": 80, "hostPort": 0, "protocol": "udp,tcp", "name": "http"},
        {"containerPort": 0},
    ]
    definition = app(
        networks=[{"mode": "container/bridge"}],
        container={
            "docker": {"image": "nginx", "forcePullImage": True, "privileged": True},
            "portMappings": mappings,
            "volumes": [{"containerPath": "/d", "hostPath": "/h", "mode": "RO"}],
        },
    )
    task = info(definition, [31000, 31001])
    assert task.container is not None and task.container.docker is not None
    docker = task.container.docker
    assert (docker.image, docker.network, docker.privileged) == ("nginx", "BRIDGE", True)
    assert docker.force_pull_image is True
    assert [(one.host_port, one.container_port, one.protocol) for one in docker.port_mappings] == [
        (31000, 80, "udp"),
        (31000, 80, "tcp"),
        (31001, 31001, "tcp"),
    ]
    assert [(one.key, one.value) for one in docker.parameters] == [
        ("label", "MESOS_TASK_ID=s_a.instance-u._app.2")
    ]
    assert task.container.volumes[0].host_path == "/h"
    variables = environment(launch(definition, [31000, 31001]))
    assert variables["PORT_80"] == variables["PORT_HTTP"] == variables["PORT0"] == "31000"
    assert variables["MARATHON_APP_DOCKER_IMAGE"] == "nginx"


def test_a_mesos_container_joins_its_networks() -> None:
    definition = app(
        cmd="x",
        networks=[{"mode": "container", "name": "dcos", "labels": {"a": "b"}}],
        container={
            "type": "MESOS",
            "docker": {"image": "alpine"},
            "portMappings": [{"containerPort": 80}, {"containerPort": 0}],
        },
    )
    task = info(definition, [None, None])
    container = task.container
    assert container is not None and container.mesos is not None
    assert container.mesos.image is not None and container.mesos.image.docker is not None
    assert container.mesos.image.docker.name == "alpine"
    assert container.network_infos[0].name == "dcos"
    assert task.discovery is not None and task.discovery.ports is not None
    first = task.discovery.ports.ports[0]
    assert first.number == 80 and first.labels is not None
    assert {one.key: one.value for one in first.labels.labels} == {
        "network-scope": "container",
        "network-name": "dcos",
    }
    drawn = int(environment(launch(definition, [None, None]))["PORT1"])
    assert 1025 <= drawn <= 65535


def test_without_ports_there_are_no_port_variables() -> None:
    variables = environment(launch(app(cmd="x", ports=[]), []))
    assert not [name for name in variables if name.startswith("PORT")]
    assert variables["HOST"] == "h1"


def test_a_prefix_applies_to_ports_and_host_only() -> None:
    variables = environment(launch(app(cmd="x"), [31000], prefix="P_"))
    assert variables["P_PORT"] == "31000" and variables["P_HOST"] == "h1"
    assert "PORT" not in variables and "MARATHON_APP_ID" in variables


def test_labels_too_long_for_the_environment_are_left_out() -> None:
    labels = {"ok": "1", "x" * 493: "1", "long": "v" * 512}
    variables = environment(launch(app(cmd="x", labels=labels), [1]))
    assert variables["MARATHON_APP_LABELS"] == "OK"


def test_a_custom_executor_runs_the_command() -> None:
    task = info(app(cmd="run", executor="/opt/exec"), [1])
    assert task.command is None and task.executor is not None
    assert task.executor.command is not None
    assert task.executor.command.value == "chmod ug+rx '/opt/exec' && exec '/opt/exec' run"
    assert info(app(cmd="run"), [1], default_executor="/opt/e").executor is not None


def test_a_check_of_mesos_asks_inside_the_container() -> None:
    definition = app(
        networks=[{"mode": "container/bridge"}],
        container={"docker": {"image": "x"}, "portMappings": [{"containerPort": 80}]},
        healthChecks=[{"protocol": "MESOS_HTTP", "path": "/h", "maxConsecutiveFailures": 5}],
    )
    check = info(definition, [31000]).health_check
    assert check is not None and check.http is not None
    assert (check.http.port, check.http.path, check.http.scheme) == (80, "/h", "http")
    assert check.consecutive_failures == 5
    tcp = info(app(cmd="x", healthChecks=[{"protocol": "MESOS_TCP"}]), [31007]).health_check
    assert tcp is not None and tcp.tcp is not None and tcp.tcp.port == 31007


def test_limits_reach_the_task() -> None:
    limits = info(app(cmd="x", resourceLimits={"cpus": "unlimited", "mem": 512}), [1]).limits
    assert limits["mem"].value == 512 and limits["cpus"].value == float("inf")
