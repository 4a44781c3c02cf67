"""The maintenance schedule: the modes of machines, walked whole, and what is refused."""

import pytest

from mesosphere.master.core import schedule
from mesosphere.master.core.schedule import MODES, Change, Maintenance, Mode
from mesosphere.wire.mesos import (
    DurationInfo,
    MachineID,
    Schedule,
    TimeInfo,
    Unavailability,
    Window,
)

ONE = MachineID(hostname="One", ip="10.0.0.1")
TWO = MachineID(hostname="two", ip="10.0.0.2")


def window(*machines: MachineID, duration: int | None = 60) -> Window:
    length = None if duration is None else DurationInfo(nanoseconds=duration)
    away = Unavailability(start=TimeInfo(nanoseconds=1), duration=length)
    return Window(machine_ids=list(machines), unavailability=away)


def planned(*windows: Window) -> Maintenance:
    return schedule.replaced(Maintenance(), Schedule(windows=list(windows)))


def mode_of(known: Maintenance, machine: MachineID) -> Mode:
    found = known.machines().get(schedule.key_of(machine))
    return Mode.UP if found is None else found[2]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("change", Change)
def test_the_table_of_modes_is_what_is_done(mode: Mode, change: Change) -> None:
    known = Maintenance() if mode is Mode.UP else planned(window(ONE))
    if mode is Mode.DOWN:
        known = schedule.brought_down(known, [ONE])
    step = MODES.step(mode, change)
    if change in (Change.START, Change.STOP):
        assert (schedule.check_change(known, [ONE], change) is None) == (step is not None)
        if step is not None:
            does = schedule.brought_down if change is Change.START else schedule.brought_up
            assert mode_of(does(known, [ONE]), ONE) is step.state
        return
    wanted = Schedule(windows=[window(ONE)] if change is Change.SCHEDULE else [])
    if mode is Mode.UP and change is Change.UNSCHEDULE:
        return  # it is not there to be left out
    assert (schedule.check_schedule(known, wanted) is None) == (step is not None)
    if step is not None:
        assert mode_of(schedule.replaced(known, wanted), ONE) is step.state


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ([window()], "List of machines in the maintenance window is empty"),
        ([window(ONE, duration=-1)], "Unavailability 'duration' is negative"),
        ([window(MachineID())], "Both 'hostname' and 'ip' for a machine are empty"),
        ([window(MachineID(ip="10.0.0"))], "Failed to parse the IP '10.0.0' of a machine"),
        ([window(ONE), window(ONE)], "appears more than once in the schedule"),
        (
            [window(ONE), window(MachineID(hostname="ONE", ip="10.0.0.1"))],
            "appears more than once in the schedule",
        ),
    ],
)
def test_a_wrong_schedule_is_refused(wanted: list[Window], fault: str) -> None:
    found = schedule.check_schedule(Maintenance(), Schedule(windows=wanted))
    assert found is not None and fault in found


def test_a_schedule_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "MACHINES_LIMIT", 1)
    found = schedule.check_schedule(Maintenance(), Schedule(windows=[window(ONE, TWO)]))
    assert found == "The schedule has 2 machines, more than 1"


def test_a_schedule_that_can_not_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = planned(window(ONE, TWO))
    assert schedule.check_size(wanted) is None
    monkeypatch.setattr(schedule, "PACKED_LIMIT_BYTES", 10)
    found = schedule.check_size(wanted)
    assert found is not None and found.endswith("more than 10")


def test_what_is_kept_of_a_large_cluster_is_small() -> None:
    many = [
        MachineID(
            hostname=f"agent-{number:05d}.example.com",
            ip=f"10.{number >> 8 & 255}.{number & 255}.1",
        )
        for number in range(20_000)
    ]
    wanted = schedule.brought_down(planned(window(*many)), many)
    assert schedule.check_size(wanted) is None
    assert Maintenance.unpacked(wanted.packed()) == wanted


def test_a_damaged_schedule_is_told() -> None:
    with pytest.raises(ValueError, match="maintenance schedule"):
        Maintenance.unpacked(b"nonsense")


def test_a_machine_that_is_down_stays_in_the_schedule() -> None:
    down = schedule.brought_down(planned(window(ONE, TWO)), [ONE])
    found = schedule.check_schedule(down, Schedule(windows=[window(TWO)]))
    assert found == (
        'Machine \'{"hostname":"One","ip":"10.0.0.1"}\' is deactivated and cannot be removed '
        "from the schedule"
    )
    assert schedule.check_schedule(down, Schedule(windows=[window(ONE)])) is None


@pytest.mark.parametrize(
    ("machines", "change", "fault"),
    [
        ([], Change.START, "List of machines is empty"),
        ([ONE, ONE], Change.START, "appears more than once"),
        ([MachineID(hostname="three")], Change.START, "is not part of a maintenance schedule"),
        ([TWO], Change.START, "is not in DRAINING mode and cannot be brought down"),
        ([ONE], Change.STOP, "is not in DOWN mode and cannot be brought up"),
    ],
)
def test_a_wrong_change_is_refused(machines: list[MachineID], change: Change, fault: str) -> None:
    known = schedule.brought_down(planned(window(ONE, TWO)), [TWO])
    found = schedule.check_change(known, machines, change)
    assert found is not None and fault in found


def test_a_machine_that_is_up_again_leaves_the_schedule_and_its_empty_window() -> None:
    known = schedule.brought_down(planned(window(ONE), window(TWO)), [ONE, TWO])
    back = schedule.brought_up(known, [ONE])
    assert back.schedule.windows == [window(TWO)]
    assert mode_of(back, ONE) is Mode.UP and mode_of(back, TWO) is Mode.DOWN
