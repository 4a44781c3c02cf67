"""HAPROXY_* labels of an app: what each port of it wants.

Labels are applied in alphabetical order of name, as the original does, so that BACKEND_WEIGHT comes
before PATH. A label that can't be understood excludes the port it is on, not the others.
Source: marathon-lb, config.py and Longhelp.md.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

PREFIX = "HAPROXY_"
_INDEXED = re.compile(r"^HAPROXY_(\d{1,4})_([A-Z_]+)$")
_TRUE = ("true", "t", "yes", "y")
_NO_NEWLINE = re.compile(r"[\r\n\x00-\x08\x0b-\x1f]")


class LabelError(ValueError):
    """A label that makes no sense; the message names it."""


class PortLabels(msgspec.Struct, frozen=True):
    """What is asked for one service port."""

    vhosts: tuple[str, ...] = ()
    path: str | None = None
    groups: tuple[str, ...] | None = None
    is_enabled: bool | None = None
    is_sticky: bool = False
    mode: str | None = None
    balance: str = "roundrobin"
    port: int | None = None
    bind_address: str = "*"
    bind_options: str = ""
    weight: int = 0
    allowed_networks: str = ""
    auth: tuple[str, str, str] | None = None  # realm, user, crypted password
    redirect: str | None = None
    strip_path: str | None = None
    backend_head: str = ""
    backend_options: str = ""


def truth(text: str) -> bool:
    """The original's reading of a boolean: anything but these words is false."""
    return text.strip().lower() in _TRUE


def _line(name: str, text: str) -> str:
    if _NO_NEWLINE.search(text):
        raise LabelError(f"{name} must be a single line")
    return text


def _balance(name: str, text: str) -> str:
    if not text.strip():
        raise LabelError(f"{name} must name an algorithm")
    return _line(name, text).strip()


def _lines(name: str, text: str) -> str:
    return text.replace("\r\n", "\n")


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text.strip()):
        raise LabelError(f"{name} must be a whole number, not '{text}'")
    return int(text)


def _port(name: str, text: str) -> int:
    port = _number(name, text)
    if not 0 < port < 65536:
        raise LabelError(f"{name} must be a port, not {port}")
    return port


def _hosts(name: str, text: str) -> tuple[str, ...]:
    hosts = tuple(part for part in _line(name, text).lower().split(",") if part)
    for host in hosts:
        if not re.fullmatch(r"[a-z0-9._:*-]+", host.strip()):
            raise LabelError(f"{name} has the impossible host '{host}'")
    return tuple(host.strip() for host in hosts)


def _mode(name: str, text: str) -> str:
    mode = text.strip().lower()
    if mode not in ("tcp", "http"):
        raise LabelError(f"{name} must be tcp or http, not '{text}'")
    return mode


def _auth(name: str, text: str) -> tuple[str, str, str]:
    parts = _line(name, text).split(":")
    if len(parts) != 3 or not all(parts) or any(" " in part for part in parts):
        raise LabelError(f"{name} must be realm:user:encryptedpassword")
    return parts[0], parts[1], parts[2]


_FIELDS: Mapping[str, tuple[str, Callable[[str, str], object]]] = {
    "VHOST": ("vhosts", _hosts),
    "PATH": ("path", _line),
    "GROUP": ("groups", lambda name, text: tuple(text.split(","))),
    "ENABLED": ("is_enabled", lambda name, text: truth(text)),
    "STICKY": ("is_sticky", lambda name, text: truth(text)),
    "MODE": ("mode", _mode),
    "BALANCE": ("balance", _balance),
    "PORT": ("port", _port),
    "BIND_ADDR": ("bind_address", _line),
    "BIND_OPTIONS": ("bind_options", _line),
    "BACKEND_WEIGHT": ("weight", _number),
    "BACKEND_NETWORK_ALLOWED_ACL": ("allowed_networks", _line),
    "AUTH": ("auth", _auth),
    "HTTP_BACKEND_REDIR": ("redirect", _line),
    "HTTP_BACKEND_PROXYPASS_PATH": ("strip_path", _line),
    "BACKEND_HEAD": ("backend_head", _lines),
    "BACKEND_HTTP_OPTIONS": ("backend_options", _lines),
}
"""Label after its index -> field. Others are ignored, as unknown labels always were."""

SUPPORTED = tuple(_FIELDS)


def read_port(labels: Mapping[str, str], index: int) -> PortLabels:
    """The labels of port `index`. Raises LabelError."""
    values: dict[str, object] = {}
    for name in sorted(labels):
        found = _INDEXED.match(name)
        if found is None or int(found.group(1)) != index:
            continue
        field = _FIELDS.get(found.group(2))
        if field is None:
            continue
        values[field[0]] = field[1](name, labels[name])
        if found.group(2) == "PATH" and not values.get("weight"):
            values["weight"] = 1  # paths come before plain hosts
    return msgspec.convert(values, PortLabels)


def app_groups(labels: Mapping[str, str]) -> tuple[str, ...]:
    """HAPROXY_GROUP of the app."""
    text = labels.get("HAPROXY_GROUP", "")
    return tuple(part for part in text.split(",") if part)


def is_served(wanted: tuple[str, ...], groups: tuple[str, ...]) -> bool:
    """Whether a load balancer that serves `wanted` serves a port in `groups`."""
    return "*" in wanted or any(group in wanted for group in groups)
