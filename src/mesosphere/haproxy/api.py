"""The daemon's own endpoint; HAProxy's stats endpoint passes `/_haproxy_*` on to it.

Source: marathon-lb, the endpoints on port 9090.
"""

from typing import Any

from mesosphere.haproxy.core.machine import ProxyMachine, RegenerateRequested
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import (
    Api,
    Request,
    Response,
    Route,
    Router,
    json_response,
    text_response,
)

Answer = Response | Event


def ping(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """Liveness of this daemon."""
    return text_response(200, "pong")


def status(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """What is served, what was left out and why."""
    active = machine.active
    body: dict[str, Any] = {
        "marathon": machine.config.endpoints[machine.endpoint],
        "generation": machine.generation,
        "last_read_at": machine.last_read_at,
        "last_applied_at": machine.last_applied_at,
        "last_error": machine.last_error,
        "services": []
        if active is None
        else [
            {
                "app": service.app,
                "port": service.port,
                "backend": service.name,
                "mode": service.mode,
                "servers": [f"{server.host}:{server.port}" for server in service.servers],
            }
            for service in active.services
        ],
        "excluded": {} if active is None else dict(active.excluded),
    }
    return json_response(200, body)


def metrics(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """Counters for Prometheus."""
    values = {f"haproxy_lb_{name}": value for name, value in machine.counters.items()}
    services = 0 if machine.active is None else len(machine.active.services)
    lines = [f"{name} {value}" for name, value in values.items()]
    lines += [
        f"haproxy_lb_services {services}",
        f"haproxy_lb_generation {machine.generation}",
        f"haproxy_lb_last_read_age_seconds {max(now - machine.last_read_at, 0):.3f}",
    ]
    for name, value in machine.gauges.items():
        lines.append(f"{name.replace('/', '_')} {value:g}")
    return text_response(200, "\n".join(lines) + "\n")


def show_config(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """The configuration that is active."""
    return text_response(200, machine.text)


def show_vhosts(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """Virtual hosts and their backends, a line each."""
    active = machine.active
    lines = [
        f"{host} {service.name}"
        for service in (() if active is None else active.services)
        for host in service.labels.vhosts
    ]
    return text_response(200, "".join(f"{line}\n" for line in lines))


def show_apps(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """Apps and their backends, a line each."""
    active = machine.active
    services = () if active is None else active.services
    lines = [f"{service.app} {service.name}" for service in services]
    return text_response(200, "".join(f"{line}\n" for line in lines))


def regenerate(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """Read and apply anew."""
    return RegenerateRequested(request.id, reload=False)


def reload(machine: ProxyMachine, now: float, request: Request) -> Answer:
    """Read, apply and reload."""
    return RegenerateRequested(request.id, reload=True)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/ping", ping, "liveness"),
    Route("GET", "/v1/status", status, "what is served, what was left out and why"),
    Route("GET", "/metrics", metrics, "counters"),
    Route("GET", "/_haproxy_getconfig", show_config, "the active configuration"),
    Route("GET", "/_haproxy_getvhostmap", show_vhosts, "virtual hosts and backends"),
    Route("GET", "/_haproxy_getappmap", show_apps, "apps and backends"),
    Route("GET", "/_mlb_signal/hup", regenerate, "read and apply anew"),
    Route("GET", "/_mlb_signal/usr1", reload, "read, apply and reload"),
)


def api(machine: ProxyMachine) -> Api:
    """The routes bound to a machine."""
    return Api(Router(ROUTES), machine)
