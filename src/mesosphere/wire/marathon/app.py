"""An app definition as Marathon keeps it: the canonical fields of version 1.5 and later.

Field names are the wire's in snake case. None and (for the fields that say so) empty values are
left out of JSON. Source: Marathon, "REST API", app.raml; mesosphere/marathon AppDefinition.scala.
"""

from typing import Any

import msgspec

HOST = "host"
BRIDGE = "container/bridge"
CONTAINER = "container"

HTTP_CHECKS = ("HTTP", "HTTPS")
MARATHON_CHECKS = ("HTTP", "HTTPS", "TCP")
MESOS_CHECKS = ("COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP")

SINGLE_INSTANCE_LABEL = "MARATHON_SINGLE_INSTANCE_APP"


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the values below."""


class Fetch(Wire, frozen=True):
    """One artifact that the agent fetches into the sandbox."""

    uri: str
    extract: bool = True
    executable: bool = False
    cache: bool = False
    dest_path: str | None = None


class PortDefinition(Wire, frozen=True):
    """A port of an app with host networking; `port` is its service port."""

    port: int = 0
    name: str | None = None
    protocol: str = "tcp"
    labels: dict[str, str] = {}


class PortMapping(Wire, frozen=True):
    """A port of an app with a network of its own."""

    container_port: int = 0
    host_port: int | None = None
    service_port: int = 0
    protocol: str = "tcp"
    name: str | None = None
    labels: dict[str, str] = {}
    network_names: tuple[str, ...] = ()


class Docker(Wire, frozen=True):
    """An image and how the engine runs it."""

    image: str
    force_pull_image: bool = False
    privileged: bool = False
    parameters: tuple[dict[str, str], ...] = ()
    pull_config: dict[str, str] | None = None


class Container(Wire, frozen=True):
    """What a task runs in."""

    type: str = "DOCKER"
    docker: Docker | None = None
    volumes: tuple[dict[str, Any], ...] = ()
    port_mappings: tuple[PortMapping, ...] | None = None
    linux_info: dict[str, Any] | None = None


class Network(Wire, frozen=True):
    """A network that a task joins."""

    mode: str = CONTAINER
    name: str | None = None
    labels: dict[str, str] = {}


class HealthCheck(Wire, frozen=True):
    """How to tell that a running task works. Times in seconds."""

    protocol: str = "HTTP"
    path: str | None = None
    port_index: int | None = None
    port: int | None = None
    command: dict[str, str] | None = None
    grace_period_seconds: int = 300
    interval_seconds: int = 60
    timeout_seconds: int = 20
    max_consecutive_failures: int = 3
    delay_seconds: int = 15
    ignore_http1xx: bool = msgspec.field(default=False, name="ignoreHttp1xx")
    ip_protocol: str = msgspec.field(default="IPv4", name="ipProtocol")

    @property
    def by_marathon(self) -> bool:
        """Whether Marathon itself runs this check (the others are Mesos's)."""
        return self.protocol in MARATHON_CHECKS


class ReadinessCheck(Wire, frozen=True):
    """How to tell that a new task may take the place of an old one. Times in seconds."""

    name: str = "readinessCheck"
    protocol: str = "HTTP"
    path: str = "/"
    port_name: str = "http-api"
    interval_seconds: int = 30
    timeout_seconds: int = 10
    http_status_codes_for_ready: tuple[int, ...] = (200,)
    preserve_last_response: bool = False


class UpgradeStrategy(Wire, frozen=True):
    """Bounds of a rolling update, as fractions of `instances`."""

    minimum_health_capacity: float = 1.0
    maximum_over_capacity: float = 1.0


class UnreachableStrategy(Wire, frozen=True):
    """When an unreachable instance is replaced, and when it is forgotten. Seconds."""

    inactive_after_seconds: int = 0
    expunge_after_seconds: int = 0


class VersionInfo(Wire, frozen=True):
    """When an app was last scaled, and when its configuration last changed."""

    last_scaling_at: str
    last_config_change_at: str


class App(Wire, frozen=True):
    """One version of an app."""

    id: str
    cmd: str | None = None
    args: tuple[str, ...] = ()
    user: str | None = None
    env: dict[str, str | dict[str, str]] = {}
    instances: int = 1
    cpus: float = 1.0
    mem: float = 128.0
    disk: float = 0.0
    gpus: int = 0
    executor: str = ""
    executor_resources: dict[str, float] | None = None
    resource_limits: dict[str, float | str] | None = None
    constraints: tuple[tuple[str, ...], ...] = ()
    accepted_resource_roles: tuple[str, ...] = ()
    role: str = "*"
    fetch: tuple[Fetch, ...] = ()
    container: Container | None = None
    networks: tuple[Network, ...] = (Network(mode=HOST),)
    port_definitions: tuple[PortDefinition, ...] | None = None
    require_ports: bool = False
    health_checks: tuple[HealthCheck, ...] = ()
    check: dict[str, Any] | None = None
    readiness_checks: tuple[ReadinessCheck, ...] = ()
    dependencies: tuple[str, ...] = ()
    upgrade_strategy: UpgradeStrategy = UpgradeStrategy()
    labels: dict[str, str] = {}
    backoff_seconds: float = 1.0
    backoff_factor: float = 1.15
    max_launch_delay_seconds: float = 300.0
    task_kill_grace_period_seconds: float | None = None
    unreachable_strategy: UnreachableStrategy | str = UnreachableStrategy()
    kill_selection: str = "YOUNGEST_FIRST"
    residency: dict[str, Any] | None = None
    secrets: dict[str, Any] = {}
    tty: bool | None = None
    version: str = ""
    version_info: VersionInfo = VersionInfo(last_scaling_at="", last_config_change_at="")

    @property
    def is_resident(self) -> bool:
        """Whether its instances own persistent volumes."""
        return self.container is not None and any(
            "persistent" in volume for volume in self.container.volumes
        )

    @property
    def is_host_network(self) -> bool:
        """Whether its tasks use the agent's network."""
        return all(network.mode == HOST for network in self.networks)

    @property
    def port_mappings(self) -> tuple[PortMapping, ...]:
        """The container's mappings, none in host mode."""
        if self.container is None or self.container.port_mappings is None:
            return ()
        return self.container.port_mappings

    @property
    def service_ports(self) -> tuple[int, ...]:
        """The service port of each port, in order."""
        if self.is_host_network:
            return tuple(definition.port for definition in self.port_definitions or ())
        return tuple(mapping.service_port for mapping in self.port_mappings)

    @property
    def port_names(self) -> tuple[str | None, ...]:
        """The name of each port, in order."""
        if self.is_host_network:
            return tuple(definition.name for definition in self.port_definitions or ())
        return tuple(mapping.name for mapping in self.port_mappings)


OMITTED_WHEN_EMPTY = (
    "args",
    "constraints",
    "dependencies",
    "env",
    "fetch",
    "healthChecks",
    "readinessChecks",
    "secrets",
    "acceptedResourceRoles",
)


def without_nulls(value: Any) -> Any:
    """JSON without nulls, and with whole numbers written as such (1, not 1.0)."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def app_json(app: App) -> dict[str, Any]:
    """The app as GET shows it."""
    shown: dict[str, Any] = without_nulls(msgspec.to_builtins(app))
    for name in OMITTED_WHEN_EMPTY:
        if not shown[name]:
            del shown[name]
    for network in shown["networks"]:
        if not network["labels"]:
            del network["labels"]
    for mapping in shown.get("container", {}).get("portMappings", ()):
        if not mapping["networkNames"]:
            del mapping["networkNames"]
    return shown


def app_definition(app: App) -> dict[str, Any]:
    """The app as its owner could have written it: no version, canonical fields only."""
    shown = app_json(app)
    del shown["version"], shown["versionInfo"]
    return shown


_DECODER = msgspec.json.Decoder(App)


def encode_app(app: App) -> bytes:
    """For the store."""
    return msgspec.json.encode(app)


def decode_app(data: bytes) -> App:
    """From the store."""
    return _DECODER.decode(data)
