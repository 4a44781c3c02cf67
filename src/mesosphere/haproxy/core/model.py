"""The model: what HAProxy is to do, before it is text.

Decides, from Marathon's apps: which service ports are served, in which mode, by which instances.
An instance that ended, is being killed, or that Marathon does not call alive is left out; one that
is lost or unreachable stays, because a partition must not take it out of service.

Invariants: the same apps give the same model in the same order; a port taken twice belongs to the
first app by id and the other is reported; a service without an instance has no frontend, so that
connections are refused at once.

Source: marathon-lb, marathon_lb.py (get_apps, generateConfig) and utils.py.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mesosphere.haproxy.core.labels import LabelError, PortLabels, app_groups, is_served, read_port

ENDED = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
    "TASK_UNKNOWN",
)
"""States that get no new connection."""

HTTP_CHECKS = ("HTTP", "HTTPS", "MESOS_HTTP", "MESOS_HTTPS")


class Server(msgspec.Struct, frozen=True, order=True):
    """An instance behind a service port. `task` is Marathon's id of it."""

    host: str
    port: int
    name: str
    task: str


class Check(msgspec.Struct, frozen=True):
    """How HAProxy itself looks at the servers of a backend."""

    is_http: bool
    path: str
    interval_s: int
    timeout_s: int
    falls: int


class Service(msgspec.Struct, frozen=True):
    """One service port of one app."""

    app: str
    port: int
    name: str  # of frontend and backend: <app with _>_<port>
    mode: str
    labels: PortLabels
    check: Check | None
    servers: tuple[Server, ...]


class Model(msgspec.Struct, frozen=True):
    """Services by (app, port), and what was left out with its reason."""

    services: tuple[Service, ...]
    excluded: tuple[tuple[str, str], ...] = ()


def build(
    apps: Sequence[Mapping[str, Any]],
    groups: tuple[str, ...],
    *,
    ended_tasks: Mapping[str, Any] = {},
    reserved_ports: tuple[int, ...] = (),
    only_alive: bool = True,
    strict: bool = False,
    left_out: Mapping[str, str] = {},
    served: Mapping[str, Any] = {},
) -> Model:
    """The model of Marathon's apps (`/v2/apps?embed=apps.tasks`).

    `ended_tasks` are known to have ended since the apps were read; `left_out` are apps whose
    configuration HAProxy refused, with the reason; `served` are the tasks served now: they
    stay while Marathon does not know their health, as after a change of its leader.
    """
    services: list[Service] = []
    excluded: dict[str, str] = dict(left_out)
    taken: dict[tuple[str, int], str] = {}
    for app in sorted(apps, key=lambda app: str(app["id"])):
        identifier = str(app["id"])
        if identifier in left_out:
            continue
        tasks = _living(app, ended_tasks, only_alive, served)
        for index, port in enumerate(service_ports(app)):
            try:
                service = _service(app, index, port, groups, strict, tasks)
            except LabelError as error:
                excluded[identifier] = str(error)
                continue
            if service is None:
                continue
            key = (service.labels.bind_address, service.port)
            if service.port in reserved_ports:
                excluded[identifier] = f"port {service.port} is the load balancer's own"
            elif key in taken:
                excluded[identifier] = f"port {service.port} belongs to {taken[key]}"
            else:
                taken[key] = identifier
                services.append(service)
    return Model(tuple(services), tuple(sorted(excluded.items())))


def _service(
    app: Mapping[str, Any],
    index: int,
    port: int,
    groups: tuple[str, ...],
    strict: bool,
    tasks: Sequence[Mapping[str, Any]],
) -> Service | None:
    texts = {name: str(value) for name, value in (app.get("labels") or {}).items()}
    labels = read_port(texts, index)
    wanted = labels.groups if labels.groups is not None else app_groups(texts)
    enabled = labels.is_enabled if labels.is_enabled is not None else not strict
    if not enabled or not is_served(groups, wanted):
        return None
    servers = _servers(app, index, tasks)
    if not servers:
        return None
    check = _check(app, index)
    bound = labels.port or port
    return Service(
        app=str(app["id"]),
        port=bound,
        name=f"{str(app['id']).strip('/').replace('/', '_')}_{bound}",
        mode=labels.mode or ("http" if _speaks_http(app, index, labels) else "tcp"),
        labels=labels,
        check=check,
        servers=servers,
    )


def networking(app: Mapping[str, Any]) -> str:
    """host, container or container/bridge."""
    networks = app.get("networks") or []
    if networks:
        return str(networks[0].get("mode", "container"))
    docker = (app.get("container") or {}).get("docker") or {}
    if app.get("ipAddress") or docker.get("network") == "USER":
        return "container"
    return "container/bridge" if docker.get("network") == "BRIDGE" else "host"


def service_ports(app: Mapping[str, Any]) -> list[int]:
    """The app's service ports in order."""
    if networking(app) != "host":
        container = app.get("container") or {}
        docker = container.get("docker") or {}
        mappings = docker.get("portMappings") or container.get("portMappings") or []
        found = [mapping.get("servicePort") for mapping in mappings]
        ports = [int(port) for port in found if port]
        if ports:
            return ports
    if app.get("portDefinitions") is not None:
        return [int(entry["port"]) for entry in app["portDefinitions"] if entry.get("port")]
    return [int(port) for port in app.get("ports") or []]


def _living(
    app: Mapping[str, Any],
    ended_tasks: Mapping[str, Any],
    only_alive: bool,
    served: Mapping[str, Any],
) -> list[Mapping[str, Any]]:
    """The tasks that get new connections."""
    is_checked = only_alive and bool(app.get("healthChecks"))
    found = []
    for task in app.get("tasks") or []:
        if task.get("state") in ENDED or task.get("id") in ended_tasks or not task.get("host"):
            continue
        is_kept = task.get("id") in served and _is_unknown(task)
        if is_checked and not _is_alive(task) and not is_kept:
            continue
        found.append(task)
    return found


def _servers(
    app: Mapping[str, Any], index: int, tasks: Sequence[Mapping[str, Any]]
) -> tuple[Server, ...]:
    mode = networking(app)
    servers: dict[str, Server] = {}
    for task in tasks:
        host, port = _address(app, task, index, mode)
        if host is None or port is None:
            continue
        name = re.sub(r"[^A-Za-z0-9-]", "_", f"{task['host']}_{host}_{port}")
        if task["host"] == host:
            name = re.sub(r"[^A-Za-z0-9-]", "_", f"{host}_{port}")
        servers[name] = Server(host=host, port=port, name=name, task=str(task.get("id", "")))
    return tuple(sorted(servers.values()))


def _is_alive(task: Mapping[str, Any]) -> bool:
    return any(result.get("alive") for result in task.get("healthCheckResults") or [])


def _is_unknown(task: Mapping[str, Any]) -> bool:
    """Whether nobody has looked at a task yet."""
    results = task.get("healthCheckResults") or []
    return not any(result.get("consecutiveFailures") for result in results)


def _address(
    app: Mapping[str, Any], task: Mapping[str, Any], index: int, mode: str
) -> tuple[str | None, int | None]:
    ports = task.get("ports") or []
    if mode == "container":
        addresses = task.get("ipAddresses") or []
        container = app.get("container") or {}
        mappings = container.get("portMappings") or (container.get("docker") or {}).get(
            "portMappings"
        )
        if addresses and mappings and index < len(mappings):
            return addresses[0].get("ipAddress"), int(mappings[index]["containerPort"])
    if index < len(ports):
        return _host_address(task), int(ports[index])
    return None, None


def _host_address(task: Mapping[str, Any]) -> str:
    """The agent's address: runtime commands take no names, and a name may change its meaning."""
    host = str(task["host"])
    addresses = task.get("ipAddresses") or []
    if not is_literal(host) and addresses and addresses[0].get("ipAddress"):
        return str(addresses[0]["ipAddress"])
    return host


def is_literal(host: str) -> bool:
    """Whether a host is an IPv4 address, and not a name."""
    return re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", host) is not None


def _chosen_check(app: Mapping[str, Any], index: int) -> Mapping[str, Any] | None:
    for check in app.get("healthChecks") or []:
        if check.get("port") or check.get("portIndex", 0) == index:
            return dict(check)
    return None


def _speaks_http(app: Mapping[str, Any], index: int, labels: PortLabels) -> bool:
    check = _chosen_check(app, index)
    return bool(labels.vhosts) or (check is not None and check.get("protocol") in HTTP_CHECKS)


def _check(app: Mapping[str, Any], index: int) -> Check | None:
    check = _chosen_check(app, index)
    if check is None or check.get("protocol") == "COMMAND" or check.get("port"):
        return None
    return Check(
        is_http=check.get("protocol") in HTTP_CHECKS,
        path=re.sub(r"\s", "", str(check.get("path") or "/")),
        interval_s=max(int(check.get("intervalSeconds") or 10), 1),
        timeout_s=max(int(check.get("timeoutSeconds") or 10), 1),
        falls=int(check.get("maxConsecutiveFailures") or 3) + 1,
    )


def server_id(name: str, used: Mapping[int, Any]) -> int:
    """A stable number for a server's line, unique in its backend."""
    text = name
    while True:
        digest = hashlib.sha256(text.encode()).hexdigest()
        number = int(digest, 16) % 32767
        if number and number not in used:
            return number
        text = f"{name} {digest}"
