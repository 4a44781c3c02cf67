"""Makes one canonical app out of everything that Marathon ever accepted.

Decides: how old fields (`ports`, `uris`, `ipAddress`, `docker.network`, `docker.portMappings`)
become new ones, which defaults are filled in, and what a partial update leaves alone.
Vocabulary: a *definition* is the cleaned JSON of a request (see `wire.marathon.app_shapes`), with
only what was given; a *canonical* definition has the fields of version 1.5 and later.
Invariants: normalising a canonical definition changes nothing; faults are listed, not raised.
Source: Marathon, "Ports", "Networking", AppNormalization.scala, NetworkNormalization.scala.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import (
    BRIDGE,
    CONTAINER,
    HOST,
    SINGLE_INSTANCE_LABEL,
    App,
    app_definition,
)
from mesosphere.wire.marathon.shapes import Faults

_EXTRACTED = (
    ".tar",
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".gz",
    ".tgz",
    ".tbz2",
    ".txz",
    ".zip",
)
_PORT_BASED = ("HTTP", "HTTPS", "TCP", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP")
_DOCKER_MODES = {"HOST": HOST, "BRIDGE": BRIDGE, "USER": CONTAINER}


def canonical(
    definition: Mapping[str, Any], config: MarathonConfig, faults: Faults
) -> dict[str, Any]:
    """A definition in the fields of today, without defaults. Faults are appended."""
    app = dict(definition)
    for ignored in ("storeUrls", "version", "versionInfo"):
        app.pop(ignored, None)
    _translate_uris(app, faults)
    _translate_networks(app, config, faults)
    _translate_ports(app, faults)
    return app


def _translate_uris(app: dict[str, Any], faults: Faults) -> None:
    uris = app.pop("uris", None)
    if uris is None:
        return
    if uris and app.get("fetch"):
        faults.append(("/uris", "cannot specify both uris and fetch fields"))
    if not app.get("fetch"):
        app["fetch"] = [
            {"uri": uri, "extract": uri.lower().endswith(_EXTRACTED), "executable": False}
            for uri in uris
        ]


def _translate_networks(app: dict[str, Any], config: MarathonConfig, faults: Faults) -> None:
    container = app.get("container")
    docker = dict(container.get("docker") or {}) if container else {}
    address = app.pop("ipAddress", None)
    old_mode = docker.pop("network", None)
    old_mappings = docker.pop("portMappings", None)
    if docker.pop("credential", None) is not None:
        faults.append(("/container/docker/credential", "is not supported any more"))
    if container is not None:
        container = dict(container)
        if "docker" in container:
            container["docker"] = docker
        if old_mappings is not None:
            if container.get("portMappings"):
                faults.append(
                    ("/container/portMappings", "cannot specify both portMappings and docker's")
                )
            container["portMappings"] = old_mappings
        app["container"] = container
    if old_mode is not None and app.get("networks"):
        faults.append(("/networks", "must not specify both container.docker.network and networks"))
        return
    if old_mode == "NONE":
        faults.append(("/container/docker/network", "NONE is not supported"))
        return
    if old_mode is not None:
        network: dict[str, Any] = {"mode": _DOCKER_MODES[old_mode]}
        if old_mode == "USER" and address and address.get("networkName"):
            network["name"] = address["networkName"]
        app["networks"] = [network]
    elif address is not None:
        _translate_address(app, address, config, faults)


def _translate_address(
    app: dict[str, Any], address: Mapping[str, Any], config: MarathonConfig, faults: Faults
) -> None:
    if app.get("ports") or app.get("portDefinitions"):
        faults.append(("/", "cannot specify both an IP address and port"))
    name = address.get("networkName")
    network: dict[str, Any] = {"mode": BRIDGE}
    if name != config.mesos_bridge_name:
        network = {"mode": CONTAINER, **({"name": name} if name else {})}
    if address.get("labels"):
        network["labels"] = address["labels"]
    app["networks"] = [network]
    container = dict(app.get("container") or {"type": "MESOS"})
    ports = (address.get("discovery") or {}).get("ports")
    if ports and not container.get("portMappings"):
        container["portMappings"] = [
            {
                "containerPort": port.get("number", 0),
                "protocol": port.get("protocol", "tcp"),
                **({"name": port["name"]} if port.get("name") else {}),
                "labels": port.get("labels", {}),
            }
            for port in ports
        ]
    app["container"] = container


def _translate_ports(app: dict[str, Any], faults: Faults) -> None:
    ports = app.pop("ports", None)
    if ports is None:
        return
    definitions = app.get("portDefinitions")
    if definitions is not None:
        if [definition.get("port", 0) for definition in definitions] != ports:
            faults.append(("/portDefinitions", "cannot specify both ports and port definitions"))
        return
    nonzero = [port for port in ports if port]
    if len(nonzero) != len(dict.fromkeys(nonzero)):
        faults.append(("/ports", "ports must be unique"))
    networks = app.get("networks") or [{"mode": HOST}]
    if all(network.get("mode") == HOST for network in networks):
        app["portDefinitions"] = [{"port": port} for port in ports]
        return
    # With a network of its own, old `ports` were the service ports of the mappings.
    mappings = (app.get("container") or {}).get("portMappings")
    if mappings is not None:
        app["container"] = {
            **app["container"],
            "portMappings": [
                mapping
                if mapping.get("servicePort") or index >= len(ports)
                else {**mapping, "servicePort": ports[index]}
                for index, mapping in enumerate(mappings)
            ],
        }


def merged(current: App, update: Mapping[str, Any]) -> dict[str, Any]:
    """The current app overlaid with a canonical update: top-level fields are replaced whole."""
    base = app_definition(current)
    if "networks" in update:
        hosted = all(network.get("mode") == HOST for network in update["networks"])
        if hosted != current.is_host_network:
            if hosted and "container" not in update and "container" in base:
                base["container"].pop("portMappings", None)
            if not hosted:
                base.pop("portDefinitions", None)
                base.pop("requirePorts", None)
    if "cmd" in update and "args" not in update:
        base.pop("args", None)
    if "args" in update and "cmd" not in update:
        base.pop("cmd", None)
    result = {**base, **update}
    result["id"] = current.id
    return result


def completed(app: Mapping[str, Any], config: MarathonConfig, group: str = "/") -> App:
    """The whole app: a canonical definition with all defaults. `group` resolves relative ids."""
    full = dict(app)
    full["id"] = paths.resolve(full["id"], group)
    within = paths.parent(full["id"])
    full["dependencies"] = list(
        dict.fromkeys(paths.resolve(name, within) for name in full.get("dependencies", ()))
    )
    _complete_networks(full, config)
    _complete_ports(full)
    full["healthChecks"] = [_complete_check(check, full) for check in full.get("healthChecks", ())]
    full["constraints"] = [
        [constraint[0], constraint[1].upper(), *constraint[2:]]
        for constraint in full.get("constraints", ())
    ]
    full.setdefault("role", config.mesos_role)
    _complete_strategies(full)
    return msgspec.convert(full, App)


def _complete_networks(app: dict[str, Any], config: MarathonConfig) -> None:
    networks = app.get("networks") or [{"mode": HOST}]
    app["networks"] = [
        {**network, "name": config.default_network_name}
        if network.get("mode", CONTAINER) == CONTAINER
        and not network.get("name")
        and config.default_network_name
        else network
        for network in networks
    ]


def _complete_ports(app: dict[str, Any]) -> None:
    hosted = all(network.get("mode", CONTAINER) == HOST for network in app["networks"])
    container = app.get("container")
    if hosted:
        if app.get("portDefinitions") is None:
            app["portDefinitions"] = [{"port": 0, "name": "default", "protocol": "tcp"}]
    else:
        app["requirePorts"] = False
        container = dict(container or {"type": "MESOS"})
        if container.get("portMappings") is None:
            container["portMappings"] = [{"containerPort": 0, "name": "default"}]
        bridged = any(network.get("mode") == BRIDGE for network in app["networks"])
        container["portMappings"] = [
            {"hostPort": 0, **mapping} if bridged else mapping
            for mapping in container["portMappings"]
        ]
    if container is not None:
        container = dict(container)
        container.setdefault("type", "DOCKER")
        app["container"] = container


def _complete_check(check: Mapping[str, Any], app: Mapping[str, Any]) -> dict[str, Any]:
    full = dict(check)
    protocol = full.get("protocol", "HTTP")
    if protocol in _PORT_BASED and "portIndex" not in full and "port" not in full:
        has_ports = app.get("portDefinitions") or (app.get("container") or {}).get("portMappings")
        if has_ports:
            full["portIndex"] = 0
    return full


def _complete_strategies(app: dict[str, Any]) -> None:
    volumes = (app.get("container") or {}).get("volumes", ())
    resident = any("persistent" in volume for volume in volumes)
    external = any("external" in volume for volume in volumes)
    single = app.get("labels", {}).get(SINGLE_INSTANCE_LABEL) == "true"
    defaults = {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 1.0}
    if resident or external:
        defaults = {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.0}
    if single:
        defaults = {"minimumHealthCapacity": 0.0, "maximumOverCapacity": 0.0}
    app["upgradeStrategy"] = {**defaults, **app.get("upgradeStrategy", {})}
    if resident:
        app.setdefault("unreachableStrategy", "disabled")
