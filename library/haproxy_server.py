#!/usr/bin/python
"""Ansible module: servers of HAProxy take requests, take no new ones, or none."""

DOCUMENTATION = r"""
module: haproxy_server
short_description: Drain servers of HAProxy, bring them back, weigh them
description:
  - Speaks to HAProxy's admin socket on the host where it runs; needs no other program.
  - What is set holds until HAProxy reloads its configuration.
version_added: "0.2.0"
options:
  socket:
    description: Path of the admin socket, or C(host:port) if it is one of TCP.
    type: str
    default: /var/run/mesosphere-haproxy/admin.sock
  backend:
    description: The backend; every one that has such a server if not given.
    type: str
  server:
    description:
      - Name of the server, or its address with or without port. An address without port means all
        servers of that host.
    type: str
    required: true
  state:
    description:
      - V(ready) takes requests; V(drain) ends those that it has and takes none but of clients that
        stick to it; V(maint) takes none. It stays as it is if not given.
    type: str
    choices: [ready, drain, maint]
  weight:
    description: From 0 to 256, or a percentage of what the configuration says, such as V(50%).
    type: str
  wait:
    description:
      - Wait until a server that is ready is up, and one that is not has no sessions left.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait before the task fails.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Says which servers would be changed.
  diff_mode:
    support: full
    description: Shows states and weights that differ.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Nothing new for the tasks of one host, until they have nothing to do
  haproxy_server:
    server: 192.0.2.27
    state: drain
    wait: true
    wait_timeout: 120

- name: A canary gets little
  haproxy_server:
    backend: web_10000
    server: canary
    state: ready
    weight: 10%
"""

RETURN = r"""
servers:
  description:
    - Of each server its backend, name, address, state, weight, status as HAProxy shows it, and
      sessions; after the change if there was one.
  type: list
  elements: dict
  returned: always
"""

import csv
import re
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesosphere_http import RequestError, outcome, report, wait_until

ARGUMENTS = {
    "socket": {"type": "str", "default": "/var/run/mesosphere-haproxy/admin.sock"},
    "backend": {"type": "str"},
    "server": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["ready", "drain", "maint"]},
    "weight": {"type": "str"},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 60},
}
COMMAND_TIMEOUT_S = 10
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
FORCED_MAINT = 0x01
FORCED_DRAIN = 0x08
WEIGHT = re.compile(r"(\d+)(%?)")
WEIGHT_LIMIT = 256


def ask(where, command):
    """What HAProxy answers to a command. Raises RequestError."""
    host, colon, port = where.rpartition(":")
    is_path = where.startswith("/") or not colon
    try:
        family = socket.AF_UNIX if is_path else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(COMMAND_TIMEOUT_S)
            connection.connect(where if is_path else (host, int(port)))
            connection.sendall(command.encode() + b"\n")
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
                if len(received) > ANSWER_LIMIT_BYTES:
                    raise RequestError(f"{where} answered {command!r} with too much")
    except (OSError, ValueError) as error:
        raise RequestError(f"HAProxy does not answer at {where}: {error}") from error
    text = received.decode("utf-8", "replace").strip()
    if text.startswith("Permission denied"):
        raise RequestError(f"{where} is no admin socket: {text}")
    return text


def table(text, mark):
    """The rows of an answer as dictionaries by the names in its line of titles."""
    lines = [line for line in text.splitlines() if line]
    start = next((n for n, line in enumerate(lines) if line.startswith("# ")), len(lines))
    return list(csv.DictReader([line.removeprefix("# ") for line in lines[start:]], delimiter=mark))


def state_of(row):
    """ready, drain or maint, as an operator set it."""
    admin = int(row["srv_admin_state"])
    if admin & FORCED_MAINT:
        return "maint"
    return "drain" if admin & FORCED_DRAIN else "ready"


def servers(where):
    """Every server of HAProxy, in its order. Raises RequestError."""
    states = table(ask(where, "show servers state"), " ")
    shown = {(row["pxname"], row["svname"]): row for row in table(ask(where, "show stat"), ",")}
    found = []
    for row in states:
        seen = shown.get((row["be_name"], row["srv_name"]), {})
        found.append(
            {
                "backend": row["be_name"],
                "server": row["srv_name"],
                "address": f"{row['srv_addr']}:{row['srv_port']}",
                "state": state_of(row),
                "weight": int(row["srv_uweight"]),
                "initial_weight": int(row["srv_iweight"]),
                "status": seen.get("status", ""),
                "sessions": int(seen.get("scur") or 0) + int(seen.get("qcur") or 0),
            }
        )
    return found


def select(known, backend, server):
    """Those that are meant. Raises RequestError if there are none."""
    if backend is not None and backend not in {each["backend"] for each in known}:
        names = ", ".join(sorted({each["backend"] for each in known})[:20])
        raise RequestError(f"HAProxy has no backend {backend}; it has {names or 'none'}")
    among = [each for each in known if backend in (None, each["backend"])]
    named = [
        each
        for each in among
        if server in (each["server"], each["address"], each["address"].rpartition(":")[0])
    ]
    if not named:
        names = ", ".join(f"{each['backend']}/{each['server']}" for each in among[:20])
        raise RequestError(f"HAProxy has no server {server}; it has {names or 'none'}")
    return named


def wanted_weight(text, initial):
    """The weight that a text means. Raises RequestError."""
    match = WEIGHT.fullmatch(text.strip())
    if match is None or int(match[1]) > (100 if match[2] else WEIGHT_LIMIT):
        raise RequestError(f"{text!r} is no weight; give 0 to {WEIGHT_LIMIT}, or 0% to 100%")
    if not match[2]:
        return int(match[1])
    return initial * int(match[1]) // 100


def plan(selected, given):
    """(commands, {path: (before, after)}). Raises RequestError."""
    commands, found = [], {}
    for each in selected:
        name = f"{each['backend']}/{each['server']}"
        if given["weight"] is not None:
            weight = wanted_weight(given["weight"], each["initial_weight"])
            if weight != each["weight"]:
                commands.append(f"set server {name} weight {weight}")
                found[f"{name}.weight"] = (each["weight"], weight)
        if given["state"] not in (None, each["state"]):
            commands.append(f"set server {name} state {given['state']}")
            found[f"{name}.state"] = (each["state"], given["state"])
    return commands, found


def unsettled(selected):
    """Which servers are not yet what their state promises, a few words each."""
    left = []
    for each in selected:
        name = f"{each['backend']}/{each['server']}"
        if each["state"] == "ready":
            # A server without checks is up; `UP 1/3` is about to go down, but serves.
            if not each["status"].startswith(("UP", "no check", "OPEN")):
                left.append(f"{name} is {each['status']}")
        elif each["sessions"]:
            left.append(f"{name} has {each['sessions']} sessions")
    return left


def run(module):
    """Change the servers, wait for them; the module's result. Raises RequestError."""
    given = module.params
    where = given["socket"]
    selected = select(servers(where), given["backend"], given["server"])
    commands, found = plan(selected, given)
    result = {**outcome(found, "servers of HAProxy"), "servers": selected}
    if module.check_mode:
        return result
    for command in commands:
        said = ask(where, command)
        if said:
            raise RequestError(f"HAProxy answered {command!r}: {said}")

    def settled():
        result["servers"] = select(servers(where), given["backend"], given["server"])
        return not (given["wait"] and unsettled(result["servers"]))

    if not wait_until(settled, given["wait_timeout"], 0.5):
        left = "; ".join(unsettled(result["servers"])[:10])
        raise RequestError(f"after {given['wait_timeout']} s {left}")
    return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    report(module, lambda: run(module))


if __name__ == "__main__":
    main()
