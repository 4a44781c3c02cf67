"""A schedule as a value: `R[n]/start/period`, and when it is due.

Decides: what a schedule text means, the first grid point after an instant, what is left after a
scheduled launch. Vocabulary: *repeats* is the number of runs in total that are left (INFINITE or
0 and more), not ISO 8601's repetitions after the first; the *grid* is start + k * period.

Invariants: missed grid points collapse into one run; only scheduled launches use up a repeat, and
never below 0; calendar parts (years to days) are added on the wall clock of the zone, hours and
less as elapsed time, so P1D keeps the local time over a change of daylight saving and PT24H does
not. Local times in a gap move forward by the gap; in an overlap the earlier instant is taken.

Source: Chronos, Iso8601Expressions and JobUtils, without the double run of month periods.
"""

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from mesosphere.chronos.core.zones import find_zone

INFINITE = -1
"""Repeats of a schedule that begins with a bare "R"."""

REPEATS_LIMIT = 2**31 - 1

_PERIOD = re.compile(
    r"^P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,7})D)?"
    r"(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:[.,]\d{1,9})?)S)?)?$"
)
_START = re.compile(
    r"^(\d{4})-(\d{2})-(\d{2})"
    r"(?:T(\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d{2}:?(?:\d{2})?)?)?$"
)


class ScheduleError(ValueError):
    """A schedule text that can't be understood; the message contains it."""


class Period(NamedTuple):
    """Calendar months and days are added on the wall clock, `elapsed_s` as elapsed time."""

    months: int
    days: int
    elapsed_s: float
    text: str

    @property
    def is_zero(self) -> bool:
        """Whether adding it changes nothing ("P", "PT0S")."""
        return not (self.months or self.days or self.elapsed_s)

    @property
    def least_s(self) -> float:
        """A lower bound of its length in seconds (a day may have 23 hours, a month 28 days)."""
        return self.months * 28 * 86400.0 + self.days * 82800.0 + self.elapsed_s

    @property
    def most_s(self) -> float:
        """An upper bound of its length in seconds."""
        return self.months * 31 * 86400.0 + self.days * 90000.0 + self.elapsed_s


class Schedule(NamedTuple):
    """`start` is aware; its zone is the one that calendar parts are added in."""

    repeats: int
    start: datetime
    period: Period

    @property
    def due_at(self) -> float:
        """Seconds since 1970 of the next run."""
        return self.start.timestamp()

    def is_due(self, now: float) -> bool:
        """Whether it should run: repeats are left and the start is strictly past."""
        return self.repeats != 0 and self.due_at < now

    def after_launch(self, now: float) -> "Schedule":
        """What is left after a scheduled launch at `now`."""
        repeats = self.repeats if self.repeats == INFINITE else max(self.repeats - 1, 0)
        return Schedule(repeats, first_after(self.start, self.period, now), self.period)

    def render(self) -> str:
        """The text that clients see."""
        repeats = "R" if self.repeats == INFINITE else f"R{self.repeats}"
        return f"{repeats}/{format_instant(self.start)}/{self.period.text}"


def parse_schedule(text: str, zone: str, now: float, default_zone: tzinfo = UTC) -> Schedule:
    """Understand `R[n]/start/period`.

    `zone` re-labels the local fields of the start ("" leaves them as written); `default_zone` is
    for a start without offset. An empty start is one second before `now`.
    Raises ScheduleError.
    """
    parts = text.strip().split("/")
    if len(parts) != 3:
        raise ScheduleError(f"'{text}' is not a schedule: R[n]/start/period")
    repeats_text, start_text, period_text = parts
    if not re.fullmatch(r"R\d{0,10}", repeats_text):
        raise ScheduleError(f"'{text}' must begin with R or R and a number of runs")
    repeats = INFINITE if repeats_text == "R" else int(repeats_text[1:])
    if repeats > REPEATS_LIMIT:
        raise ScheduleError(f"'{text}' asks for more than {REPEATS_LIMIT} runs")
    period = parse_period(period_text, text)
    label = find_zone(zone) if zone else None
    if not start_text:
        start = datetime.fromtimestamp(now - 1.0, label or default_zone)
    else:
        start = _parse_start(start_text, text, label, default_zone)
    return Schedule(repeats, start, period)


def parse_period(text: str, whole: str = "") -> Period:
    """Understand an ISO 8601 period such as P1M or PT15M. Raises ScheduleError."""
    found = _PERIOD.match(text)
    if found is None or text.endswith("T"):
        raise ScheduleError(f"'{whole or text}' has the period '{text}', which can't be understood")
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[:6])
    seconds = float((found.group(7) or "0").replace(",", "."))
    return Period(
        months=years * 12 + months,
        days=weeks * 7 + days,
        elapsed_s=hours * 3600.0 + minutes * 60.0 + seconds,
        text=text,
    )


def _parse_start(text: str, whole: str, label: tzinfo | None, default_zone: tzinfo) -> datetime:
    found = _START.match(text)
    if found is None:
        raise ScheduleError(f"'{whole}' has the start '{text}', which can't be understood")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        )
        zone = label or (_offset(offset) if offset else default_zone)
        return resolve(local, zone)
    except (ValueError, OverflowError) as error:
        raise ScheduleError(f"'{whole}' has an impossible start: {error}") from error


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def resolve(local: datetime, zone: tzinfo) -> datetime:
    """The instant of wall-clock fields: gaps move forward, overlaps take the earlier instant."""
    aware = local.replace(tzinfo=zone, fold=0)
    # A round trip through UTC moves a time that does not exist forward by the gap.
    return aware.astimezone(UTC).astimezone(zone)


def add_period(start: datetime, period: Period, times: int) -> datetime:
    """start + period * times, the multiple applied at once (so a month's end clamps once)."""
    zone = start.tzinfo or UTC
    moved = start
    if period.months or period.days:
        count = (start.year * 12 + start.month - 1) + period.months * times
        year, month = divmod(count, 12)
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        local = start.replace(year=year, month=month + 1, day=day, tzinfo=None, fold=0)
        moved = resolve(local + timedelta(days=period.days * times), zone)
    if period.elapsed_s:
        elapsed = timedelta(seconds=period.elapsed_s * times)
        moved = (moved.astimezone(UTC) + elapsed).astimezone(zone)
    return moved


def first_after(start: datetime, period: Period, now: float) -> datetime:
    """The first grid point strictly after `now`; the start itself if that is not before `now`."""
    behind_s = now - start.timestamp()
    if behind_s <= 0 or period.is_zero:
        return start
    # Bounds of the period's length leave a handful of multiples to try.
    low = max(int(behind_s / period.most_s) - 1, 1)
    high = int(behind_s / period.least_s) + 2
    try:
        while low < high:
            middle = (low + high) // 2
            if add_period(start, period, middle).timestamp() > now:
                high = middle
            else:
                low = middle + 1
        return add_period(start, period, low)
    except (ValueError, OverflowError):
        # Past the year 9999 there is no next run.
        return datetime.max.replace(tzinfo=UTC)


def format_instant(instant: datetime) -> str:
    """ISO 8601 with milliseconds and offset, "Z" for UTC, as Joda-Time prints it."""
    text = instant.isoformat(timespec="milliseconds")
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def format_utc(now: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds and Z (lastSuccess, lastError)."""
    return format_instant(datetime.fromtimestamp(now, UTC))
