"""Whether an offer can take one more instance of an app, and with which resources and ports.

Decides: match, or the first reason against it. Vocabulary: a *pool* is what is left of an offer
while instances are placed on it; a *match* holds the resources for one task.
Invariants: a pool never goes below zero; amounts are whole thousandths, never floats; a refusal
takes nothing; the order of reasons is that of the API's statistics.
Source: Marathon, "Constraints", "Ports"; ResourceMatcher.scala, PortsMatcher.scala.
"""

from collections.abc import Callable, Sequence
from enum import Enum

import msgspec

from mesosphere.marathon.core import constraints
from mesosphere.marathon.core.constraints import Place
from mesosphere.wire.marathon.app import App
from mesosphere.wire.mesos import Offer, Range, Ranges, Resource, Scalar

SCALARS = ("cpus", "mem", "disk", "gpus")


class Reason(Enum):
    """Why an offer was of no use, in the order in which they are looked at."""

    ROLE = "UnfulfilledRole"
    CONSTRAINT = "UnfulfilledConstraint"
    RESERVATION = "NoCorrespondingReservationFound"
    MAINTENANCE = "AgentMaintenance"
    CPUS = "InsufficientCpus"
    MEMORY = "InsufficientMemory"
    DISK = "InsufficientDisk"
    GPUS = "InsufficientGpus"
    PORTS = "InsufficientPorts"
    SCARCE = "DeclinedScarceResources"


_SHORT = {
    "cpus": Reason.CPUS,
    "mem": Reason.MEMORY,
    "disk": Reason.DISK,
    "gpus": Reason.GPUS,
}


class Match(msgspec.Struct):
    """What one task takes. `ports`: host port of each port, None where it has none."""

    resources: list[Resource]
    ports: list[int | None]


class _Piece:
    """One resource of the offer: thousandths of a scalar, or port ranges."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.role = _role(resource)
        value = resource.scalar.value if resource.scalar is not None else 0.0
        self.milli = round(value * 1000)
        ranges = resource.ranges.range if resource.ranges is not None else []
        self.ranges = [(piece.begin, piece.end) for piece in ranges]


def _role(resource: Resource) -> str:
    if resource.reservations:
        return resource.reservations[-1].role or "*"
    return resource.role or "*"


class Pool:
    """What is left of one offer."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.place = place_of(offer)
        self._pieces = [
            _Piece(resource)
            for resource in offer.resources
            if resource.disk is None and resource.revocable is None
        ]
        self.role = offer.allocation_info.role if offer.allocation_info is not None else None

    def has_gpus(self) -> bool:
        """Whether the agent offers GPUs."""
        return any(piece.resource.name == "gpus" and piece.milli > 0 for piece in self._pieces)

    def match(
        self,
        app: App,
        taken: Sequence[Place],
        fraction: Callable[[], float],
        now: float,
        *,
        draining_s: float = 0.0,
        maintenance: bool = True,
    ) -> Match | Reason:
        """Take one instance's share out of the pool, or say why not.

        `taken`: places of the app's instances that count for constraints; `fraction`: draws in
        [0, 1) for the choice of ports.
        """
        if self.role is not None and self.role != app.role:
            return Reason.ROLE
        if not all(constraints.allows(rule, self.place, taken) for rule in app.constraints):
            return Reason.CONSTRAINT
        if maintenance and self._is_closing(now, draining_s):
            return Reason.MAINTENANCE
        roles = app.accepted_resource_roles or tuple(dict.fromkeys((app.role, "*")))
        planned: list[tuple[_Piece, int]] = []
        wanted = {"cpus": app.cpus, "mem": app.mem, "disk": app.disk, "gpus": float(app.gpus)}
        for name in SCALARS:
            shares = self._shares(name, round(wanted[name] * 1000), roles)
            if shares is None:
                return _SHORT[name]
            planned += shares
        if not app.gpus and self.has_gpus():
            return Reason.SCARCE
        ports = self._choose_ports(app, roles, fraction)
        if ports is None:
            return Reason.PORTS
        resources = []
        for piece, milli in planned:
            piece.milli -= milli
            resources.append(
                msgspec.structs.replace(piece.resource, scalar=Scalar(value=milli / 1000))
            )
        resources += self._take_ports([port for port in ports if port is not None], roles)
        return Match(resources, ports)

    def _is_closing(self, now: float, draining_s: float) -> bool:
        closing = self.offer.unavailability
        if closing is None:
            return False
        start = closing.start.nanoseconds / 1e9 - draining_s
        if now < start:
            return False
        return (
            closing.duration is None
            or now < (closing.start.nanoseconds + closing.duration.nanoseconds) / 1e9
        )

    def _shares(
        self, name: str, milli: int, roles: Sequence[str]
    ) -> list[tuple[_Piece, int]] | None:
        shares: list[tuple[_Piece, int]] = []
        for role in roles:
            for piece in self._pieces:
                if milli <= 0:
                    return shares
                if piece.resource.name == name and piece.role == role and piece.milli > 0:
                    share = min(milli, piece.milli)
                    shares.append((piece, share))
                    milli -= share
        return shares if milli <= 0 else None

    def _choose_ports(
        self, app: App, roles: Sequence[str], fraction: Callable[[], float]
    ) -> list[int | None] | None:
        wanted = requested_ports(app)
        ranges = [
            bounds
            for piece in self._pieces
            if piece.resource.name == "ports" and piece.role in roles
            for bounds in piece.ranges
        ]
        fixed = [port for port in wanted if port]
        for port in fixed:
            if not any(begin <= port <= end for begin, end in ranges):
                return None
        if len(fixed) != len(dict.fromkeys(fixed)):
            return None
        count = sum(port == 0 for port in wanted)
        drawn = _draw(ranges, count, frozenset(fixed), fraction) if count else []
        if len(drawn) < count:
            return None
        return [drawn.pop(0) if port == 0 else port for port in wanted]

    def _take_ports(self, ports: Sequence[int], roles: Sequence[str]) -> list[Resource]:
        resources = []
        left = list(ports)
        for piece in self._pieces:
            if piece.resource.name != "ports" or piece.role not in roles:
                continue
            mine = [
                port for port in left if any(begin <= port <= end for begin, end in piece.ranges)
            ]
            if not mine:
                continue
            left = [port for port in left if port not in mine]
            for port in mine:
                piece.ranges = _without(piece.ranges, port)
            taken = Ranges(range=[Range(begin=port, end=port) for port in sorted(mine)])
            resources.append(msgspec.structs.replace(piece.resource, ranges=taken))
        return resources


def requested_ports(app: App) -> list[int | None]:
    """For each port: a fixed host port, 0 for any, None for none."""
    if app.is_host_network:
        definitions = app.port_definitions or ()
        return [definition.port if app.require_ports else 0 for definition in definitions]
    return [mapping.host_port for mapping in app.port_mappings]


def _draw(
    ranges: Sequence[tuple[int, int]],
    count: int,
    excluded: frozenset[int],
    fraction: Callable[[], float],
) -> list[int]:
    """Consecutive ports from a random one on, wrapping around, ranges in random order."""
    shuffled = [bounds for _, bounds in sorted((fraction(), bounds) for bounds in ranges)]
    total = sum(end - begin + 1 for begin, end in shuffled)
    if total == 0:
        return []
    start = int(fraction() * total)
    drawn: list[int] = []
    for offset in range(total):
        port = _at(shuffled, (start + offset) % total)
        if port not in excluded:
            drawn.append(port)
            if len(drawn) == count:
                break
    return drawn


def _at(ranges: Sequence[tuple[int, int]], index: int) -> int:
    for begin, end in ranges:
        if index <= end - begin:
            return begin + index
        index -= end - begin + 1
    raise AssertionError("an index beyond the offered ports")


def _without(ranges: Sequence[tuple[int, int]], port: int) -> list[tuple[int, int]]:
    left = []
    for begin, end in ranges:
        if begin <= port <= end:
            left += [(a, b) for a, b in ((begin, port - 1), (port + 1, end)) if a <= b]
        else:
            left.append((begin, end))
    return left


def place_of(offer: Offer) -> Place:
    """The offer's agent as constraints see it."""
    domain = offer.domain.fault_domain if offer.domain is not None else None
    attributes: dict[str, str] = {}
    for attribute in offer.attributes:
        if attribute.text is not None:
            attributes[attribute.name] = attribute.text.value
        elif attribute.scalar is not None:
            attributes[attribute.name] = _decimal(attribute.scalar.value)
        elif attribute.ranges is not None:
            pieces = ",".join(f"{piece.begin}-{piece.end}" for piece in attribute.ranges.range)
            attributes[attribute.name] = f"[{pieces}]"
        elif attribute.set is not None:
            attributes[attribute.name] = "{" + ",".join(sorted(attribute.set.item)) + "}"
    return Place(
        offer.hostname,
        domain.region.name if domain is not None else None,
        domain.zone.name if domain is not None else None,
        attributes,
    )


def _decimal(value: float) -> str:
    text = f"{value:.3f}".rstrip("0")
    return text.rstrip(".")
