"""Service ports: one number per port of an app that load balancers listen on.

Decides: the number for each port that was left 0: first the app's own earlier numbers that its new
definition does not name, then the lowest free one of the range.
Invariants: a number that was assigned is used by no other app, in the old tree or in the new;
numbers that were chosen by the user may be shared and are never changed.
Source: Marathon, "Ports"; AssignDynamicServiceLogic.scala.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from mesosphere.wire.marathon.app import App


class PortsExhausted(Exception):
    """No service port is left in the range."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(f"All ports in the range [{least}-{most}) are already in use")


class ServicePorts:
    """Which service ports are in use, counted by app."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._used: Counter[int] = Counter()
        self._first = least  # every number of the range below it is in use

    def hold(self, app: App) -> None:
        """Count the ports of an app that is in the tree now."""
        self._used.update(app.service_ports)

    def release(self, app: App) -> None:
        """Take back what `hold` counted."""
        for port in app.service_ports:
            self._used[port] -= 1
            if self._used[port] <= 0:
                del self._used[port]
                if self._least <= port < self._first:
                    self._first = port

    def assign(self, apps: Iterable[tuple[App, App | None]]) -> list[App]:
        """The apps (each with its previous version) with every port numbered.

        Raises PortsExhausted.
        """
        pairs = list(apps)
        taken = {port for app, _ in pairs for port in app.service_ports if port}
        return [self._assign(app, previous, taken) for app, previous in pairs]

    def _assign(self, app: App, previous: App | None, taken: set[int]) -> App:
        if 0 not in app.service_ports:
            return app
        own = (
            []
            if previous is None
            else [
                port
                for port in previous.service_ports
                if self._least <= port <= self._most and port not in app.service_ports
            ]
        )
        numbers = []
        for port in app.service_ports:
            if port == 0:
                port = own.pop(0) if own else self._lowest(taken)
                taken.add(port)
            numbers.append(port)
        return _with_ports(app, numbers)

    def _lowest(self, taken: set[int]) -> int:
        while self._first in self._used:
            self._first += 1
        for port in range(self._first, self._most + 1):
            if port not in taken and port not in self._used:
                return port
        raise PortsExhausted(self._least, self._most)


def _with_ports(app: App, numbers: list[int]) -> App:
    if app.is_host_network:
        definitions = tuple(
            msgspec.structs.replace(definition, port=number)
            for definition, number in zip(app.port_definitions or (), numbers, strict=True)
        )
        return msgspec.structs.replace(app, port_definitions=definitions)
    if app.container is None:
        return app
    mappings = tuple(
        msgspec.structs.replace(mapping, service_port=number)
        for mapping, number in zip(app.port_mappings, numbers, strict=True)
    )
    container = msgspec.structs.replace(app.container, port_mappings=mappings)
    return msgspec.structs.replace(app, container=container)
