"""The Mesos task of an app's instance: command, container, environment, discovery, checks.

Decides nothing about when or where; it spells out one launch.
Invariants: pure; the user's environment wins over ports and HOST, those over Marathon's context.
Source: Marathon, "Task Environment Variables"; EnvironmentHelper.scala, TaskBuilder.scala,
DiscoveryInfo in PortDiscovery.scala.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from mesosphere.marathon.core.instances import Instance
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import BRIDGE, HOST, App, HealthCheck
from mesosphere.wire.mesos import (
    URI,
    AgentID,
    CommandInfo,
    ContainerInfo,
    DiscoveryInfo,
    DockerImage,
    DockerInfo,
    DurationInfo,
    Environment,
    ExecutorID,
    ExecutorInfo,
    HTTPCheckInfo,
    Image,
    KillPolicy,
    Label,
    Labels,
    MesosInfo,
    NetworkInfo,
    Parameter,
    Port,
    PortMapping,
    Ports,
    Resource,
    Scalar,
    TaskID,
    TaskInfo,
    TCPCheckInfo,
    Variable,
    Volume,
)
from mesosphere.wire.mesos import HealthCheck as MesosHealthCheck

LABEL_NAME_LIMIT = 493
LABEL_VALUE_LIMIT = 512
"""Labels with longer names or values do not become environment variables."""

_ODD = re.compile(r"[^a-zA-Z0-9_]+")


class Launch(msgspec.Struct, frozen=True):
    """One launch. `host_ports`: of each port, None where it has none; `effective`: what the task
    should listen on or be found at, for each port."""

    app: App
    instance: Instance
    resources: list[Resource]
    host_ports: Sequence[int | None]
    effective: Sequence[int]
    prefix: str = ""
    default_executor: str = "//cmd"
    enforce_role: bool = False


def effective_ports(app: App, host_ports: Sequence[int | None], fraction: float) -> list[int]:
    """The port of each port: host ports where there are, else container ports; a container port
    of 0 without a host port becomes one of 1025..65535."""
    if app.is_host_network:
        return [port or 0 for port in host_ports]
    ports = []
    for index, mapping in enumerate(app.port_mappings):
        host = host_ports[index]
        if host is not None:
            ports.append(host)
        elif mapping.container_port:
            ports.append(mapping.container_port)
        else:
            ports.append(1025 + (int(fraction * 64511) + index) % 64511)
    return ports


def task_info(launch: Launch) -> TaskInfo:
    """The task to launch."""
    app = launch.app
    command = _command(launch)
    custom = app.executor or launch.default_executor
    executor = None if custom == "//cmd" else _executor(launch, custom, command)
    grace_s = app.task_kill_grace_period_seconds
    return TaskInfo(
        name=paths.host_form(app.id),
        task_id=TaskID(value=launch.instance.task_id),
        agent_id=AgentID(value=launch.instance.agent_id),
        resources=launch.resources,
        executor=executor,
        command=command if executor is None else None,
        container=_container(launch),
        health_check=_mesos_check(launch),
        kill_policy=None
        if grace_s is None
        else KillPolicy(grace_period=DurationInfo(nanoseconds=round(grace_s * 1e9))),
        labels=Labels(labels=[Label(key=key, value=text) for key, text in app.labels.items()])
        if app.labels
        else None,
        discovery=_discovery(launch),
        limits={
            name: Scalar(value=float("inf") if limit == "unlimited" else float(limit))
            for name, limit in (app.resource_limits or {}).items()
        },
    )


def _command(launch: Launch) -> CommandInfo:
    app = launch.app
    command = CommandInfo(
        environment=Environment(
            variables=[Variable(name=key, value=text) for key, text in environment(launch).items()]
        ),
        uris=[
            URI(
                value=fetch.uri,
                extract=fetch.extract,
                executable=fetch.executable,
                cache=fetch.cache,
                output_file=fetch.dest_path,
            )
            for fetch in app.fetch
        ],
        user=app.user,
    )
    if app.cmd is not None:
        return msgspec.structs.replace(command, shell=True, value=app.cmd)
    value = app.args[0] if app.args and app.container is None else None
    return msgspec.structs.replace(command, shell=False, value=value, arguments=list(app.args))


def _executor(launch: Launch, path: str, command: CommandInfo) -> ExecutorInfo:
    spelled = f"chmod ug+rx '{path}' && exec '{path}' {launch.app.cmd or ''}".rstrip()
    return ExecutorInfo(
        executor_id=ExecutorID(value=f"marathon-{launch.instance.task_id}"),
        command=msgspec.structs.replace(command, shell=True, value=spelled, arguments=[]),
        name=paths.host_form(launch.app.id),
        source=launch.app.id,
    )


def environment(launch: Launch) -> dict[str, str]:
    """The task's environment."""
    variables = _context(launch)
    prefix = launch.prefix
    variables[f"{prefix}HOST"] = launch.instance.hostname
    variables.update({f"{prefix}{name}": text for name, text in _ports(launch).items()})
    variables.update({name: text for name, text in launch.app.env.items() if isinstance(text, str)})
    return variables


def _context(launch: Launch) -> dict[str, str]:
    app = launch.app
    variables = {
        "MESOS_TASK_ID": launch.instance.task_id,
        "MARATHON_APP_ID": app.id,
        "MARATHON_APP_VERSION": app.version,
        "MARATHON_APP_RESOURCE_CPUS": str(float(app.cpus)),
        "MARATHON_APP_RESOURCE_MEM": str(float(app.mem)),
        "MARATHON_APP_RESOURCE_DISK": str(float(app.disk)),
        "MARATHON_APP_RESOURCE_GPUS": str(app.gpus),
        "MARATHON_APP_ENFORCE_GROUP_ROLE": "TRUE" if launch.enforce_role else "FALSE",
        "MARATHON_APP_LABELS": "",
    }
    if app.container is not None and app.container.type == "DOCKER" and app.container.docker:
        variables["MARATHON_APP_DOCKER_IMAGE"] = app.container.docker.image
    labels = {
        _variable(name): text
        for name, text in app.labels.items()
        if len(name) < LABEL_NAME_LIMIT and len(text) < LABEL_VALUE_LIMIT
    }
    variables["MARATHON_APP_LABELS"] = " ".join(labels)
    variables.update({f"MARATHON_APP_LABEL_{name}": text for name, text in labels.items()})
    return variables


def _variable(name: str) -> str:
    return _ODD.sub("_", name).strip("_").upper()


def _ports(launch: Launch) -> Mapping[str, str]:
    app = launch.app
    if not launch.effective:
        return {}
    if app.is_host_network:
        requested = [definition.port for definition in app.port_definitions or ()]
    else:
        requested = [mapping.container_port for mapping in app.port_mappings]
    variables: dict[str, str] = {}
    for index, port in enumerate(launch.effective):
        variables[f"PORT{index}"] = str(port)
        variables[f"PORT_{requested[index] or port}"] = str(port)
        name = app.port_names[index]
        if name:
            variables[f"PORT_{_variable(name)}"] = str(port)
    variables["PORT"] = str(launch.effective[0])
    variables["PORTS"] = ",".join(str(port) for port in launch.effective)
    return variables


def _container(launch: Launch) -> ContainerInfo | None:
    app = launch.app
    container = app.container
    if container is None:
        return None
    volumes = [
        Volume(
            mode=volume["mode"],
            container_path=volume["containerPath"],
            host_path=volume["hostPath"],
        )
        for volume in container.volumes
        if "hostPath" in volume
    ]
    networks = _networks(launch)
    if container.type == "MESOS" or container.docker is None:
        image = None
        if container.docker is not None:
            image = Image(
                type="DOCKER",
                docker=DockerImage(name=container.docker.image),
                cached=not container.docker.force_pull_image,
            )
        return ContainerInfo(
            type="MESOS", volumes=volumes, mesos=MesosInfo(image=image), network_infos=networks
        )
    parameters = [
        Parameter(key=item["key"], value=item["value"]) for item in container.docker.parameters
    ]
    parameters.append(Parameter(key="label", value=f"MESOS_TASK_ID={launch.instance.task_id}"))
    mode = app.networks[0].mode
    return ContainerInfo(
        type="DOCKER",
        volumes=volumes,
        docker=DockerInfo(
            image=container.docker.image,
            network="HOST" if mode == HOST else "BRIDGE" if mode == BRIDGE else "USER",
            privileged=container.docker.privileged,
            force_pull_image=container.docker.force_pull_image,
            parameters=parameters,
            port_mappings=_mappings(launch),
        ),
        network_infos=networks if mode not in (HOST, BRIDGE) else [],
    )


def _mappings(launch: Launch) -> list[PortMapping]:
    found = []
    for index, mapping in enumerate(launch.app.port_mappings):
        host = launch.host_ports[index]
        if host is not None:
            found += [
                PortMapping(
                    host_port=host,
                    container_port=mapping.container_port or host,
                    protocol=protocol,
                )
                for protocol in mapping.protocol.split(",")
            ]
    return found


def _networks(launch: Launch) -> list[NetworkInfo]:
    app = launch.app
    if app.is_host_network:
        return []
    mappings = _mappings(launch)
    return [
        NetworkInfo(
            name=network.name or ("mesos-bridge" if network.mode == BRIDGE else None),
            labels=Labels(labels=[Label(key=k, value=v) for k, v in network.labels.items()])
            if network.labels
            else None,
            port_mappings=mappings,
        )
        for network in app.networks
    ]


def _discovery(launch: Launch) -> DiscoveryInfo:
    app = launch.app
    ports = []
    if app.is_host_network:
        entries = [
            (one.name, one.protocol, one.labels, "host") for one in app.port_definitions or ()
        ]
    else:
        entries = [
            (
                one.name,
                one.protocol,
                one.labels,
                "container" if launch.host_ports[index] is None else "host",
            )
            for index, one in enumerate(app.port_mappings)
        ]
    for index, (name, protocols, labels, scope) in enumerate(entries):
        spelled = {**labels, "network-scope": scope}
        if scope == "container" and app.networks[0].name:
            spelled["network-name"] = app.networks[0].name
        ports += [
            Port(
                number=launch.effective[index],
                name=name,
                protocol=protocol,
                labels=Labels(labels=[Label(key=k, value=v) for k, v in spelled.items()]),
            )
            for protocol in protocols.split(",")
        ]
    return DiscoveryInfo(
        visibility="FRAMEWORK", name=paths.host_form(app.id), ports=Ports(ports=ports)
    )


def _mesos_check(launch: Launch) -> MesosHealthCheck | None:
    checks = [check for check in launch.app.health_checks if not check.by_marathon]
    if not checks:
        return None
    check = checks[0]
    base = MesosHealthCheck(
        delay_seconds=float(check.delay_seconds),
        interval_seconds=float(check.interval_seconds),
        timeout_seconds=float(check.timeout_seconds),
        consecutive_failures=check.max_consecutive_failures,
        grace_period_seconds=float(check.grace_period_seconds),
    )
    if check.protocol == "COMMAND":
        text = (check.command or {}).get("value", "")
        return msgspec.structs.replace(
            base, type="COMMAND", command=CommandInfo(shell=True, value=text)
        )
    port = check_port(launch.app, check, launch.effective, inside=True)
    if check.protocol == "MESOS_TCP":
        return msgspec.structs.replace(base, type="TCP", tcp=TCPCheckInfo(port=port))
    scheme = "https" if check.protocol == "MESOS_HTTPS" else "http"
    return msgspec.structs.replace(
        base, type="HTTP", http=HTTPCheckInfo(scheme=scheme, port=port, path=check.path or "/")
    )


def check_port(
    app: App, check: HealthCheck, effective: Sequence[int], *, inside: bool = False
) -> int:
    """The port that a check goes to; `inside`: as seen in the task's own network."""
    if check.port is not None:
        return check.port
    index = check.port_index or 0
    if inside and not app.is_host_network and app.port_mappings[index].container_port:
        return app.port_mappings[index].container_port
    return effective[index] if index < len(effective) else 0
