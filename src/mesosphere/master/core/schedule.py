"""The maintenance schedule: which machines are to be away when, and which are away now.

Vocabulary: a *machine* is a host by name and address, with as many agents as there are; a *window*
gives machines an unavailability. A machine is UP; in the schedule it is DRAINING; the operator
takes it DOWN and brings it UP again, which takes it out of the schedule.

Invariants: a machine is in one window at most; one that is down stays in the schedule.
Source: Mesos, src/master/maintenance.cpp, docs/maintenance.md.
"""

import zlib
from collections.abc import Sequence
from enum import Enum
from ipaddress import AddressValueError, IPv4Address

import msgspec

from mesosphere.kernel.transitions import Step, Table
from mesosphere.wire.mesos import MachineID, Schedule, Unavailability, Window, codec

Key = tuple[str, str]  # host name in lower case, address

MACHINES_LIMIT = 100_000
"""Machines in a schedule."""

PACKED_LIMIT_BYTES = 450_000
"""What is kept of maintenance is one node of the store: some ten bytes for each machine."""


class Mode(Enum):
    """How a machine stands."""

    UP = "UP"
    DRAINING = "DRAINING"
    DOWN = "DOWN"


class Change(Enum):
    """What an operator does with a machine."""

    SCHEDULE = "put into the schedule"
    UNSCHEDULE = "leave out of the schedule"
    START = "brought down"
    STOP = "brought up"


MODES: Table[Mode, Change, None] = Table(
    "machine",
    {
        (Mode.UP, Change.SCHEDULE): Step(Mode.DRAINING),
        (Mode.DRAINING, Change.SCHEDULE): Step(Mode.DRAINING),
        (Mode.DRAINING, Change.UNSCHEDULE): Step(Mode.UP),
        (Mode.DRAINING, Change.START): Step(Mode.DOWN),
        (Mode.DOWN, Change.SCHEDULE): Step(Mode.DOWN),
        (Mode.DOWN, Change.STOP): Step(Mode.UP),
    },
)
"""(mode, change) -> mode. Missing: the change is refused."""


def key_of(machine: MachineID) -> Key:
    """What two names of one machine have in common."""
    return (machine.hostname or "").lower(), machine.ip or ""


class Maintenance(msgspec.Struct, gc=False):
    """What is kept of maintenance: the schedule, and which of its machines are down."""

    schedule: Schedule = msgspec.field(default_factory=Schedule)
    down: list[MachineID] = []

    def packed(self) -> bytes:
        """As it is kept."""
        return zlib.compress(codec.encode(self))

    @staticmethod
    def unpacked(data: bytes) -> "Maintenance":
        """What was kept. Raises ValueError."""
        try:
            return codec.decode(zlib.decompress(data), Maintenance)
        except zlib.error as error:
            raise ValueError(f"the maintenance schedule: {error}") from error

    def machines(self) -> dict[Key, tuple[MachineID, Unavailability, Mode]]:
        """Every machine of the schedule."""
        down = {key_of(machine) for machine in self.down}
        return {
            key_of(machine): (
                machine,
                window.unavailability,
                Mode.DOWN if key_of(machine) in down else Mode.DRAINING,
            )
            for window in self.schedule.windows
            for machine in window.machine_ids
        }


def shown(machine: MachineID) -> str:
    """A machine in a text for an operator."""
    return f"Machine '{codec.encode(machine).decode()}'"


def _check_machine(machine: MachineID) -> str | None:
    if not machine.hostname and not machine.ip:
        return "Both 'hostname' and 'ip' for a machine are empty"
    if machine.ip:
        try:
            IPv4Address(machine.ip)
        except AddressValueError:
            return f"Failed to parse the IP '{machine.ip}' of a machine"
    return None


def check_machines(machines: Sequence[MachineID]) -> str | None:
    """What is wrong with a list of machines by itself."""
    found: set[Key] = set()
    for machine in machines:
        fault = _check_machine(machine)
        if fault is not None:
            return fault
        if key_of(machine) in found:
            return f"{shown(machine)} appears more than once in the schedule"
        found.add(key_of(machine))
    return None if found else "List of machines is empty"


def check_schedule(known: Maintenance, wanted: Schedule) -> str | None:
    """Why a schedule can't replace the one that is known."""
    listed: list[MachineID] = []
    for window in wanted.windows:
        if not window.machine_ids:
            return "List of machines in the maintenance window is empty"
        duration = window.unavailability.duration
        if duration is not None and duration.nanoseconds < 0:
            return "Unavailability 'duration' is negative"
        listed += window.machine_ids
    if len(listed) > MACHINES_LIMIT:
        return f"The schedule has {len(listed)} machines, more than {MACHINES_LIMIT}"
    fault = check_machines(listed) if listed else None
    if fault is not None:
        return fault
    keys = {key_of(machine) for machine in listed}
    for machine in known.down:
        if key_of(machine) not in keys:
            return f"{shown(machine)} is deactivated and cannot be removed from the schedule"
    return None


def check_change(known: Maintenance, machines: Sequence[MachineID], change: Change) -> str | None:
    """Why machines can't be brought down or up."""
    fault = check_machines(machines)
    if fault is not None:
        return fault
    there = known.machines()
    needed = Mode.DRAINING if change is Change.START else Mode.DOWN
    for machine in machines:
        found = there.get(key_of(machine))
        if found is None:
            return f"{shown(machine)} is not part of a maintenance schedule"
        if MODES.step(found[2], change) is None:
            return f"{shown(machine)} is not in {needed.value} mode and cannot be {change.value}"
    return None


def check_size(wanted: Maintenance) -> str | None:
    """Whether it can be kept."""
    size = len(wanted.packed())
    if size <= PACKED_LIMIT_BYTES:
        return None
    return f"The schedule takes {size} bytes, more than {PACKED_LIMIT_BYTES}"


def replaced(known: Maintenance, wanted: Schedule) -> Maintenance:
    """With another schedule, which was checked."""
    return Maintenance(wanted, known.down)


def brought_down(known: Maintenance, machines: Sequence[MachineID]) -> Maintenance:
    """With machines, which were checked, away."""
    return Maintenance(known.schedule, [*known.down, *machines])


def brought_up(known: Maintenance, machines: Sequence[MachineID]) -> Maintenance:
    """With machines, which were checked, back and out of the schedule."""
    back = {key_of(machine) for machine in machines}

    def without(listed: list[MachineID]) -> list[MachineID]:
        return [machine for machine in listed if key_of(machine) not in back]

    windows = [
        Window(machine_ids=left, unavailability=window.unavailability)
        for window in known.schedule.windows
        if (left := without(window.machine_ids))
    ]
    return Maintenance(Schedule(windows=windows), without(known.down))
