"""Schedules: what a text means, when it is due, what is left after a launch."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesosphere.chronos.core.schedule import (
    INFINITE,
    ScheduleError,
    add_period,
    first_after,
    parse_period,
    parse_schedule,
)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_r3_runs_three_times_in_total() -> None:
    schedule = parse_schedule("R3/2014-01-01T00:00:00Z/PT1H", "", 0)
    now = at("2014-01-01T00:00:01+00:00")
    launches = 0
    while schedule.is_due(now):
        schedule = schedule.after_launch(now)
        launches += 1
        now += 3600
    assert launches == 3
    assert schedule.repeats == 0


def test_r0_never_runs() -> None:
    schedule = parse_schedule("R0/2014-01-01T00:00:00Z/PT60M", "", 0)
    assert not schedule.is_due(at("2030-01-01T00:00:00+00:00"))


def test_missed_runs_collapse_into_one_and_the_grid_is_rejoined() -> None:
    schedule = parse_schedule("R/2014-01-01T00:00:00Z/PT1H", "", 0)
    after = schedule.after_launch(at("2014-01-05T10:20:00+00:00"))
    assert after.render() == "R/2014-01-05T11:00:00.000Z/PT1H"
    assert after.repeats == INFINITE


def test_a_months_end_clamps_and_the_clamp_sticks() -> None:
    schedule = parse_schedule("R/2014-01-31T00:00:00Z/P1M", "", 0)
    first = schedule.after_launch(at("2014-02-01T00:00:00+00:00"))
    second = first.after_launch(at("2014-03-01T00:00:00+00:00"))
    assert first.render() == "R/2014-02-28T00:00:00.000Z/P1M"
    assert second.render() == "R/2014-03-28T00:00:00.000Z/P1M"


def test_a_monthly_job_launched_late_does_not_run_twice() -> None:
    schedule = parse_schedule("R/2014-02-01T00:00:00Z/P1M", "", 0)
    now = at("2014-03-01T00:00:01+00:00")
    assert schedule.after_launch(now).due_at > now


def test_an_empty_start_is_due_at_once() -> None:
    schedule = parse_schedule("R1//PT24H", "", 1_000_000.0)
    assert schedule.is_due(1_000_000.0)


def test_a_zero_period_runs_once_and_keeps_its_start() -> None:
    schedule = parse_schedule("R1/2014-01-01T00:00:00Z/P", "", 0)
    after = schedule.after_launch(at("2014-06-01T00:00:00+00:00"))
    assert after.repeats == 0
    assert after.start == schedule.start


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("PST", "2008-03-01T21:00:00+00:00"),
        ("America/New_York", "2008-03-01T18:00:00+00:00"),
        ("BST", "2008-03-01T07:00:00+00:00"),  # Asia/Dhaka, as Joda has it
        ("Nowhere/AtAll", "2008-03-01T13:00:00+00:00"),
    ],
)
def test_the_zone_relabels_the_local_fields(zone: str, utc: str) -> None:
    schedule = parse_schedule("R/2008-03-01T13:00:00-04:00/P1D", zone, 0)
    assert schedule.due_at == at(utc)


def test_a_day_keeps_the_wall_clock_over_daylight_saving_and_24_hours_do_not() -> None:
    now = at("2014-03-09T03:00:00-08:00")
    daily = parse_schedule("R/2014-03-08T12:00:00/P1D", "PST", 0).after_launch(now)
    elapsed = parse_schedule("R/2014-03-08T12:00:00/PT24H", "PST", 0).after_launch(now)
    assert daily.render() == "R/2014-03-09T12:00:00.000-07:00/P1D"
    assert elapsed.render() == "R/2014-03-09T13:00:00.000-07:00/PT24H"


def test_a_time_in_the_gap_moves_forward() -> None:
    schedule = parse_schedule("R/2014-03-09T02:30:00/P1D", "PST", 0)
    assert schedule.render() == "R/2014-03-09T03:30:00.000-07:00/P1D"


def test_a_rendered_schedule_means_the_same_when_parsed_again_in_its_zone() -> None:
    schedule = parse_schedule("R5/2014-06-09T02:30:00/P1D", "PST", 0)
    again = parse_schedule(schedule.render(), "PST", 0)
    assert again.due_at == schedule.due_at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "R",
        "R/2014-01-01T00:00:00Z",
        "X/2014-01-01T00:00:00Z/PT1H",
        "R-1/2014-01-01T00:00:00Z/PT1H",
        "R/2014-13-01T00:00:00Z/PT1H",
        "R/2014-02-30T00:00:00Z/PT1H",
        "R/tomorrow/PT1H",
        "R/2014-01-01T00:00:00Z/1H",
        "R/2014-01-01T00:00:00Z/PT",
        "R99999999999/2014-01-01T00:00:00Z/PT1H",
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse_schedule(text, "", 0)
    assert text in str(refused.value)


@given(
    start=st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2060, 1, 1)),
    late_s=st.integers(min_value=1, max_value=365 * 86400),
    period=st.sampled_from(["PT1S", "PT15M", "PT24H", "P1D", "P1W", "P1M", "P1M2DT3H"]),
)
def test_the_next_start_is_the_first_grid_point_after_now(
    start: datetime, late_s: int, period: str
) -> None:
    begin = start.replace(tzinfo=UTC)
    now = begin.timestamp() + late_s
    step = parse_period(period)
    found = first_after(begin, step, now)
    assert found.timestamp() > now
    low, high = 0, int(late_s / step.least_s) + 2
    while low < high:
        middle = (low + high) // 2
        if add_period(begin, step, middle).timestamp() > now:
            high = middle
        else:
            low = middle + 1
    assert found == add_period(begin, step, low)
