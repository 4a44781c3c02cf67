"""Which apps are accepted: the semantic rules, in Marathon's words.

Decides: 422 "Object is not valid" with one path and its sentences for each fault. The types and
literals were checked before by `wire.marathon.app_shapes`.
Invariants: a pure function of the app and the configuration; every fault is listed, none raised.
Source: Marathon, AppValidation.scala, NetworkValidation.scala, SchedulingValidation.scala.
"""

from urllib.parse import urlsplit

from mesosphere.marathon.core import constraints
from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import (
    BRIDGE,
    CONTAINER,
    HOST,
    MESOS_CHECKS,
    SINGLE_INSTANCE_LABEL,
    App,
    HealthCheck,
    UnreachableStrategy,
)
from mesosphere.wire.marathon.shapes import Faults

_PORT_CHECKS = ("HTTP", "HTTPS", "TCP", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP")


def app_faults(app: App, config: MarathonConfig) -> Faults:
    """Every fault of one app as (path, sentence); empty when it is valid."""
    faults: Faults = [("/id", text) for text in paths.problems(app.id)]
    if app.id == paths.ROOT:
        faults.append(("/id", "must not be the root '/'"))
    _check_command(app, faults)
    _check_resources(app, config, faults)
    _check_networks(app, faults)
    _check_ports(app, faults)
    _check_volumes(app, config, faults)
    _check_health(app, faults)
    _check_readiness(app, faults)
    _check_placement(app, config, faults)
    _check_strategies(app, faults)
    _check_secrets(app, config, faults)
    return faults


def _check_command(app: App, faults: Faults) -> None:
    container = app.container
    image = container is not None and (container.docker is not None or container.type == "MESOS")
    if (app.cmd is not None and app.args) or (app.cmd is None and not app.args and not image):
        faults.append(
            (
                "/",
                "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.",
            )
        )
    if container is not None and container.type == "DOCKER" and container.docker is None:
        faults.append(("/container/docker", "not defined"))
    for index, fetch in enumerate(app.fetch):
        try:
            urlsplit(fetch.uri)
        except ValueError:
            faults.append((f"/fetch({index})/uri", "URI has invalid syntax."))
        if any(character.isspace() for character in fetch.uri):
            faults.append((f"/fetch({index})/uri", "URI has invalid syntax."))


def _check_resources(app: App, config: MarathonConfig, faults: Faults) -> None:
    if app.gpus and "gpu_resources" not in config.features:
        faults.append(
            (
                "/gpus",
                "Feature gpu_resources is not enabled."
                " Enable with --enable_features gpu_resources)",
            )
        )
    if app.gpus and app.container is not None and app.container.type == "DOCKER":
        faults.append(("/", "GPU resources only work with the Mesos containerizer"))
    for name, request in (("cpus", app.cpus), ("mem", app.mem)):
        limit = (app.resource_limits or {}).get(name)
        if isinstance(limit, float | int) and limit < request:
            faults.append(
                (f"/resourceLimits/{name}", f"must be greater than or equal to {request:g}")
            )


def _check_networks(app: App, faults: Faults) -> None:
    modes = [network.mode for network in app.networks]
    counts = {mode: modes.count(mode) for mode in (HOST, BRIDGE, CONTAINER)}
    if len(modes) > 1 and (counts[HOST] or counts[BRIDGE]):
        faults.append(
            (
                "/networks",
                "may only contain a single network with mode 'host' or 'container/bridge', or"
                " else networks with mode 'container'",
            )
        )
    for index, network in enumerate(app.networks):
        if network.mode == CONTAINER and not network.name:
            faults.append(
                (
                    "/networks" if len(modes) == 1 else f"/networks({index})/name",
                    "Network name must be specified when container network is selected.",
                )
            )
        if network.mode != CONTAINER and network.name:
            faults.append((f"/networks({index})/name", "is only allowed with mode 'container'"))
    names = [network.name for network in app.networks if network.name]
    if len(names) != len(dict.fromkeys(names)):
        faults.append(("/networks", "network names must be unique"))
    docker = app.container is not None and app.container.type == "DOCKER"
    if docker and counts[CONTAINER] > 1:
        faults.append(("/networks", "may only specify a single container network with DOCKER"))


def _check_ports(app: App, faults: Faults) -> None:
    definitions = app.port_definitions
    mappings = app.container.port_mappings if app.container is not None else None
    if app.is_host_network:
        if mappings:
            faults.append(
                (
                    "/container/portMappings",
                    "portMappings are not allowed with host-networking",
                )
            )
        ports = [definition.port for definition in definitions or () if definition.port]
        if len(ports) != len(dict.fromkeys(ports)):
            faults.append(("/portDefinitions", "Ports must be unique."))
        where = "/portDefinitions"
    else:
        if definitions:
            faults.append(
                (
                    "/portDefinitions",
                    "portDefinitions are only allowed with host-networking",
                )
            )
        where = "/container/portMappings"
        _check_mappings(app, faults)
    names = [name for name in app.port_names if name]
    if len(names) != len(dict.fromkeys(names)):
        faults.append((where, "Port names must be unique."))


def _check_mappings(app: App, faults: Faults) -> None:
    names = [network.name for network in app.networks if network.name]
    for index, mapping in enumerate(app.port_mappings):
        where = f"/container/portMappings({index})"
        for name in mapping.network_names:
            if name not in names:
                faults.append((f"{where}/networkNames", f"network '{name}' is not declared"))
        if len(names) > 1 and mapping.host_port is not None and len(mapping.network_names) != 1:
            faults.append(
                (
                    where,
                    "hostPort requires exactly one network name when an app joins several",
                )
            )


def _check_volumes(app: App, config: MarathonConfig, faults: Faults) -> None:
    for index, volume in enumerate(app.container.volumes if app.container else ()):
        where = f"/container/volumes({index})"
        kinds = [
            kind for kind in ("hostPath", "persistent", "external", "secret") if kind in volume
        ]
        if len(kinds) != 1:
            faults.append(
                (where, "must be exactly one of a host, persistent, external or secret volume")
            )
            continue
        if "containerPath" not in volume:
            faults.append((f"{where}/containerPath", "not defined"))
        if "mode" not in volume and kinds[0] != "secret":
            faults.append((f"{where}/mode", "not defined"))
        if kinds[0] == "persistent":
            # Reservations are not made yet, and an app that could never start helps nobody.
            faults.append((f"{where}/persistent", "persistent volumes are not supported yet"))
        if kinds[0] == "external" and "external_volumes" not in config.features:
            faults.append((where, "Feature external_volumes is not enabled"))
        if kinds[0] == "secret" and volume["secret"] not in app.secrets:
            faults.append((f"{where}/secret", "volume.secret must refer to an existing secret"))


def _check_health(app: App, faults: Faults) -> None:
    mesos = [check for check in app.health_checks if check.protocol in MESOS_CHECKS]
    if len(mesos) > 1:
        faults.append(("/healthChecks", "AppDefinition can contain at most one Mesos health check"))
    for index, check in enumerate(app.health_checks):
        where = f"/healthChecks({index})"
        if check.protocol == "COMMAND":
            if check.command is None:
                faults.append((f"{where}/command", "not defined"))
            continue
        if check.command is not None:
            faults.append((f"{where}/command", "is only allowed with the protocol COMMAND"))
        if check.protocol in _PORT_CHECKS:
            _check_health_port(app, check, where, faults)


def _check_health_port(app: App, check: HealthCheck, where: str, faults: Faults) -> None:
    if check.port is not None and check.port_index is not None:
        faults.append((where, "HealthCheck must specify either a port or a portIndex"))
    elif check.port is None:
        count = len(app.service_ports)
        if check.port_index is None or check.port_index >= count:
            faults.append(
                (
                    f"{where}/portIndex" if check.port_index is not None else where,
                    "Health check port indices must address an element of the ports array or"
                    " container port mappings.",
                )
            )


def _check_readiness(app: App, faults: Faults) -> None:
    if len(app.readiness_checks) > 1:
        faults.append(("/readinessChecks", "may contain at most one readiness check"))
    for index, check in enumerate(app.readiness_checks):
        where = f"/readinessChecks({index})"
        if check.port_name not in app.port_names:
            known = ", ".join(name for name in app.port_names if name)
            faults.append(
                (
                    f"{where}/portName",
                    f"No port definition reference for portName {check.port_name}."
                    f" Names known to this app are {known}",
                )
            )
        if check.timeout_seconds >= check.interval_seconds:
            faults.append((f"{where}/timeoutSeconds", "must be less than intervalSeconds"))


def _check_placement(app: App, config: MarathonConfig, faults: Faults) -> None:
    if len(app.constraints) != len(dict.fromkeys(app.constraints)):
        faults.append(("/constraints", "must be unique"))
    for index, constraint in enumerate(app.constraints):
        problem = constraints.problem(constraint)
        if problem is not None:
            faults.append((f"/constraints({index})", problem))
    if app.role != config.mesos_role:
        # Offers come for one role only, and an app that could never start helps nobody.
        faults.append(("/role", f"got {app.role}, expected one of: [{config.mesos_role}]"))
    allowed = ("*", app.role)
    wrong = [role for role in app.accepted_resource_roles if role not in allowed]
    if wrong:
        faults.append(
            (
                "/acceptedResourceRoles",
                f"acceptedResourceRoles can only contain {' and '.join(dict.fromkeys(allowed))}",
            )
        )


def _check_strategies(app: App, faults: Faults) -> None:
    strategy = app.unreachable_strategy
    if isinstance(strategy, UnreachableStrategy) and (
        strategy.inactive_after_seconds > strategy.expunge_after_seconds
    ):
        faults.append(
            (
                "/unreachableStrategy",
                "inactiveAfterSeconds must be less or equal to expungeAfterSeconds",
            )
        )
    if app.labels.get(SINGLE_INSTANCE_LABEL) == "true":
        if app.instances > 1:
            faults.append(
                ("/instances", f"must be at most 1 with the label {SINGLE_INSTANCE_LABEL}")
            )
        upgrade = app.upgrade_strategy
        if upgrade.minimum_health_capacity or upgrade.maximum_over_capacity:
            faults.append(
                (
                    "/upgradeStrategy",
                    f"both capacities must be 0 with the label {SINGLE_INSTANCE_LABEL}",
                )
            )


def _check_secrets(app: App, config: MarathonConfig, faults: Faults) -> None:
    enabled = "secrets" in config.features
    for name, value in app.env.items():
        if not name:
            faults.append(("/env", "must not contain an empty name"))
        if isinstance(value, dict):
            if not enabled:
                faults.append(("/env", "Feature secrets is not enabled."))
            elif value.get("secret") not in app.secrets:
                faults.append((f"/env/{name}", "references an undefined secret"))
    if app.secrets and not enabled:
        faults.append(
            ("/secrets", "Feature secrets is not enabled. Enable with --enable_features secrets)")
        )
