"""From one model to the next: nothing, runtime commands, or a reload.

Instances come and go by runtime commands, which cost a millisecond and no connection; a new or
changed frontend or backend takes a reload. A server that goes is put into maintenance, so that no
new connection reaches it and those under way end by themselves; it is deleted later.

Source: HAProxy management guide: `add server`, `del server`, `set server`.
"""

from enum import Enum
from typing import NamedTuple

import msgspec

from mesosphere.haproxy.core.model import Model, Server, Service, is_literal, server_id
from mesosphere.haproxy.core.render import server_options

DYNAMIC_BALANCE = ("roundrobin", "leastconn", "random", "first")
COMMANDS_LIMIT = 2_000
"""More commands than these are slower than a reload."""


class Step(Enum):
    """What leads to the next model."""

    NOTHING = "nothing"
    COMMANDS = "commands"
    RELOAD = "reload"


class Difference(NamedTuple):
    """The step, its runtime commands, and the servers ("backend/name") on their way out."""

    step: Step
    commands: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


def compare(old: Model | None, new: Model, leaving: tuple[str, ...] = ()) -> Difference:
    """What is to be done; `leaving` are servers in maintenance that still exist."""
    if old is None:
        return Difference(Step.RELOAD)
    if old.services == new.services:
        return Difference(Step.NOTHING, leaving=leaving)
    if [_frame(service) for service in old.services] != [
        _frame(service) for service in new.services
    ]:
        return Difference(Step.RELOAD)
    commands: list[str] = []
    going = dict.fromkeys(leaving)
    for before, after in zip(old.services, new.services, strict=True):
        if before.servers == after.servers:
            continue
        if not _is_dynamic(after):
            return Difference(Step.RELOAD)
        commands += _server_commands(before, after, going)
    if len(commands) > COMMANDS_LIMIT:
        return Difference(Step.RELOAD)
    return Difference(Step.COMMANDS, tuple(commands), tuple(going))


def _is_dynamic(service: Service) -> bool:
    """Whether servers of a backend may be added at run time."""
    return (
        not service.labels.is_sticky
        and service.labels.balance.split()[0] in DYNAMIC_BALANCE
        and all(is_literal(server.host) for server in service.servers)
    )


def _frame(service: Service) -> Service:
    """A service without its servers: what a reload is needed for."""
    return msgspec.structs.replace(service, servers=())


def _server_commands(before: Service, after: Service, going: dict[str, None]) -> list[str]:
    old = {server.name: server for server in before.servers}
    new = {server.name: server for server in after.servers}
    commands = []
    used = {server_id(name, {}): name for name in new}
    for name, server in new.items():
        if name not in old:
            commands += _add(after, server, used, going)
    # Those that stay take over before those that go are closed.
    for name in old:
        if name not in new:
            place = f"{after.name}/{name}"
            commands.append(f"set server {place} state maint")
            going[place] = None
    return commands


def _add(
    service: Service, server: Server, used: dict[int, str], going: dict[str, None]
) -> list[str]:
    place = f"{service.name}/{server.name}"
    if place in going:
        del going[place]
        return [f"set server {place} state ready"]
    taken = {number: name for number, name in used.items() if name != server.name}
    number = server_id(server.name, taken)
    commands = [
        f"add server {place} {server_options(service, server, number)}",
        f"set server {place} state ready",
    ]
    if service.check is not None:
        commands.append(f"enable health {place}")
    return commands


def corrections(model: Model, state: str) -> list[str] | None:
    """Commands that bring a running HAProxy to the model; None: only a reload can.

    `state` is the answer of `show servers state`.
    """
    running = _running(state)
    commands: list[str] = []
    for service in model.services:
        there = running.pop(service.name, None)
        if there is None:
            return None
        wanted = {server.name: server for server in service.servers}
        for name, server in wanted.items():
            found = there.pop(name, None)
            if found is None or found[:2] != (server.host, server.port):
                return None
            if found[2]:
                commands.append(f"set server {service.name}/{name} state ready")
        commands += [
            f"set server {service.name}/{name} state maint"
            for name, found in there.items()
            if not found[2]
        ]
    return commands


def _running(state: str) -> dict[str, dict[str, tuple[str, int, bool]]]:
    """Backend -> server -> (address, port, is in maintenance by command)."""
    running: dict[str, dict[str, tuple[str, int, bool]]] = {}
    for line in state.splitlines():
        fields = line.split()
        if len(fields) < 19 or fields[0].startswith("#") or not fields[0].isdigit():
            continue
        backend, name, address = fields[1], fields[3], fields[4]
        # srv_admin_state bit 0: forced maintenance; bit 5 (0x20): set by address resolution.
        forced = bool(int(fields[6]) & 0x01)
        port = int(fields[18]) if fields[18].isdigit() else 0
        running.setdefault(backend, {})[name] = (address, port, forced)
    return running
