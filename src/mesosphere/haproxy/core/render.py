"""The model as HAProxy's configuration text.

One frontend per service port, one HTTP front for virtual hosts, one stats endpoint. The text of a
model is always the same, so that equal texts mean nothing to do. Names of frontends, backends and
servers are marathon-lb's, which dashboards and deployment scripts read.

Source: marathon-lb, the templates of config.py; HAProxy configuration manual, 2.4 to 3.0.
"""

import hashlib
import re
from collections.abc import Sequence

import msgspec

from mesosphere.haproxy.core.model import Check, Model, Server, Service, server_id

RETRY_ON = "conn-failure empty-response response-timeout"


class Front(msgspec.Struct, frozen=True):
    """What is the same whatever the apps are. Addresses are "host:port" or "*:port"."""

    http: str | None = "*:80"
    stats: str = "*:9090"
    daemon: str = "127.0.0.1:9092"
    socket: str = "/var/run/mesosphere-haproxy/admin.sock"
    maxconn: int = 10_000
    has_metrics: bool = True
    user: str | None = None
    hard_stop_after_s: int = 600


def render(model: Model, front: Front) -> str:
    """The whole file."""
    parts = [_head(front), _stats(front)]
    parts += [_userlist(service) for service in model.services if service.labels.auth]
    if front.http is not None:
        parts.append(_http_front(model.services, front.http))
    parts += [_frontend(service) for service in model.services]
    parts += [backend(service) for service in model.services]
    return "\n".join(parts)


def _head(front: Front) -> str:
    lines = [
        "# Written by mesosphere haproxy from Marathon's apps. Changes by hand are lost.",
        "global",
        "  log stderr format raw local0 notice",
        f"  maxconn {front.maxconn}",
        "  spread-checks 5",
        "  max-spread-checks 15000",
        f"  hard-stop-after {front.hard_stop_after_s}s",
        f"  stats socket {front.socket} mode 600 level admin expose-fd listeners",
        "  stats timeout 30s",
    ]
    if front.user is not None:
        lines += [f"  user {front.user}", f"  group {front.user}"]
    lines += [
        "defaults",
        "  log global",
        "  retries 3",
        "  backlog 10000",
        f"  maxconn {front.maxconn}",
        "  timeout connect 3s",
        "  timeout client 30s",
        "  timeout server 30s",
        "  timeout tunnel 3600s",
        "  timeout http-keep-alive 1s",
        "  timeout http-request 15s",
        "  timeout queue 30s",
        "  timeout tarpit 60s",
        "  option redispatch 1",
        "  option dontlognull",
        "",
    ]
    return "\n".join(lines)


def _stats(front: Front) -> str:
    lines = [
        "listen stats",
        f"  bind {front.stats}",
        "  mode http",
        "  balance roundrobin",
        "  maxconn 1000",
        "  monitor-uri /_haproxy_health_check",
    ]
    if front.has_metrics:
        lines.append("  http-request use-service prometheus-exporter if { path /metrics }")
    lines += [
        "  stats enable",
        "  stats uri /haproxy?stats",
        "  stats refresh 10s",
        "  acl daemon path_beg /_haproxy_ /_mlb_signal /v1/status",
        "  use_backend mesosphere_daemon if daemon",
        "",
        "backend mesosphere_daemon",
        "  mode http",
        f"  server daemon {front.daemon}",
        "",
    ]
    return "\n".join(lines)


def _userlist(service: Service) -> str:
    assert service.labels.auth is not None
    _, user, password = service.labels.auth
    return f"userlist user_{service.name}\n  user {user} password {password}\n"


def _acl_name(service: Service) -> str:
    host = re.sub(r"[^A-Za-z0-9-]", "_", service.labels.vhosts[0])
    return f"{host}_{service.app.strip('/').replace('/', '_')}_{service.port}"


def _http_front(services: Sequence[Service], bind: str) -> str:
    lines = ["frontend marathon_http_in", f"  bind {bind}", "  mode http"]
    # Heavier rules come first; sorting keeps the order of equals.
    listed = sorted(
        (service for service in services if service.labels.vhosts and service.mode == "http"),
        key=lambda service: -service.labels.weight,
    )
    for service in listed:
        name = _acl_name(service)
        condition = f"host_{name}"
        lines += [f"  acl host_{name} hdr(host) -i {host}" for host in service.labels.vhosts]
        # A client that names the port in the Host header means the same host.
        port = bind.rsplit(":", 1)[-1].split()[0]
        lines += [
            f"  acl host_{name} hdr(host) -i {host}:{port}"
            for host in service.labels.vhosts
            if ":" not in host
        ]
        if service.labels.path:
            lines.append(f"  acl path_{service.name} path_beg {service.labels.path}")
            condition += f" path_{service.name}"
        if service.labels.auth:
            realm = service.labels.auth[0]
            lines += [
                f"  acl auth_{service.name} http_auth(user_{service.name})",
                f"  http-request auth realm {realm} if {condition} !auth_{service.name}",
            ]
        lines.append(f"  use_backend {service.name} if {condition}")
    return "\n".join([*lines, ""])


def _frontend(service: Service) -> str:
    options = f" {service.labels.bind_options}" if service.labels.bind_options else ""
    lines = [
        f"frontend {service.name}",
        f"  bind {service.labels.bind_address}:{service.port}{options}",
        f"  mode {service.mode}",
        f"  use_backend {service.name}",
        "",
    ]
    return "\n".join(lines)


def backend(service: Service) -> str:
    """The backend of a service with its servers."""
    labels = service.labels
    lines = [f"backend {service.name}", f"  balance {labels.balance}", f"  mode {service.mode}"]
    lines += [f"  {line}" for line in labels.backend_head.splitlines() if line.strip()]
    if labels.allowed_networks:
        source = f"{{ src {labels.allowed_networks} }}"
        verb = "http-request deny" if service.mode == "http" else "tcp-request content reject"
        lines.append(f"  {verb} unless {source}")
    if service.mode == "http":
        lines += _http_options(service)
    if labels.is_sticky:
        lines.append("  cookie mesosphere_server_id insert indirect nocache")
    if service.check is not None and service.check.is_http and service.mode == "http":
        lines += [
            f"  option httpchk GET {service.check.path}",
            f"  timeout check {service.check.timeout_s}s",
        ]
    used: dict[int, str] = {}
    for server in service.servers:
        number = server_id(server.name, used)
        used[number] = server.name
        lines.append(f"  server {server.name} {server_options(service, server, number)}")
    return "\n".join([*lines, ""])


def _http_options(service: Service) -> list[str]:
    labels = service.labels
    lines = [
        "  option forwardfor",
        "  http-request set-header X-Forwarded-Port %[dst_port]",
        "  http-request add-header X-Forwarded-Proto https if { ssl_fc }",
        # An instance that ends while a request is on its way is no reason to fail the request;
        # one that may have had an effect is not sent twice.
        f"  retry-on {RETRY_ON}",
        "  http-request disable-l7-retry if ! METH_GET ! { method HEAD OPTIONS }",
    ]
    if labels.redirect:
        host = f"{{ hdr(host) -i {labels.vhosts[0]} }} " if labels.vhosts else ""
        lines.append(
            f"  http-request redirect code 301 location {labels.redirect} if {host}{{ path / }}"
        )
    if labels.strip_path:
        prefix = labels.strip_path.rstrip("/")
        lines.append(f"  http-request replace-path {prefix}(/)?(.*) /\\2")
    lines += [f"  {line}" for line in labels.backend_options.splitlines() if line.strip()]
    return lines


def server_options(service: Service, server: Server, number: int) -> str:
    """What follows a server's name, in the file and in `add server` alike."""
    words = [f"{server.host}:{server.port}", f"id {number}"]
    if service.labels.is_sticky:
        cookie = hashlib.sha1(server.name.encode(), usedforsecurity=False).hexdigest()[:10]
        words.append(f"check cookie {cookie}")
    elif service.check is not None:
        words.append(check_options(service.check))
    return " ".join(words)


def check_options(check: Check) -> str:
    """The part of a server's line about its health check."""
    return f"check inter {check.interval_s}s fall {check.falls}"
