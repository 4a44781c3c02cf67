"""Chronos's jobs as a user writes them, against those that Chronos shows."""

import re
from datetime import datetime, timezone

from ansible.module_utils.mesosphere_http import as_number, as_text, differences, without_nulls

# `datetime.UTC` is newer than the Python of some hosts.
UTC = timezone.utc  # noqa: UP017
HOUR_S = 3600
UNORDERED = ("constraints", "environmentVariables", "parents")
NUMBERS = ("cpus", "disk", "mem", "retries", "maxCompletionTime")
TRUTHS = ("concurrent", "dataProcessingJobType", "disabled", "highPriority", "shell", "softError")
COUNTED = (
    "errorCount",
    "errorsSinceLastSuccess",
    "lastError",
    "lastSuccess",
    "successCount",
)
"""What Chronos counts; a definition that was copied from it may hold it."""


def normal_job(definition, name):
    """A definition with its name, in the form that Chronos shows."""
    job = {key: value for key, value in definition.items() if key not in COUNTED}
    job = without_nulls(job)
    job["name"] = name
    for key in NUMBERS:
        if key in job:
            job[key] = as_number(job[key])
    for key in TRUTHS:
        if isinstance(job.get(key), str):
            job[key] = job[key].strip().lower() == "true"
    if isinstance(job.get("environmentVariables"), list):
        job["environmentVariables"] = [
            {"name": each.get("name"), "value": as_text(each.get("value", ""))}
            if isinstance(each, dict)
            else each
            for each in job["environmentVariables"]
        ]
    if isinstance(job.get("arguments"), list):
        job["arguments"] = [as_text(each) for each in job["arguments"]]
    if "parents" in job:
        job.pop("schedule", None)
        job.pop("scheduleTimeZone", None)
    return job


def job_differences(wanted, actual):
    """What is to be changed, by path. A schedule that has moved on is the same schedule."""
    wanted = dict(wanted)
    schedule = wanted.pop("schedule", None)
    for key in ("cpus", "disk", "mem"):
        # Chronos takes 0 for "not given".
        if key in wanted and not wanted[key] and actual:
            wanted.pop(key)
    found = differences(wanted, actual, (), UNORDERED)
    zone = wanted.get("scheduleTimeZone", actual.get("scheduleTimeZone", ""))
    if schedule is not None and not same_schedule(schedule, actual.get("schedule", ""), zone):
        found["schedule"] = (actual.get("schedule"), schedule)
    return found


def job_to_write(wanted, actual):
    """The whole document to send: Chronos replaces a job whole, its counts and defaults included.

    What was not written stays as it is, and so does a schedule that has moved on: sending the
    original again would begin its repetitions anew.
    """
    job = {**actual, **wanted}
    if "parents" in wanted:
        job.pop("schedule", None)
        job.pop("scheduleTimeZone", None)
    elif "schedule" in wanted:
        job.pop("parents", None)
        if actual.get("schedule") and "schedule" not in job_differences(wanted, actual):
            job["schedule"] = actual["schedule"]
    return job


def same_schedule(wanted, actual, zone=""):
    """Whether `actual` is `wanted`, perhaps some runs later.

    Chronos counts the repetitions down and moves the start on; an empty start is the moment of
    the request. So: the period is equal, no more repetitions are left than were wanted, and the
    starts lie a whole number of periods apart. With a time zone the wall clock counts.
    """
    one, other = wanted.split("/"), actual.split("/")
    if len(one) != 3 or len(other) != 3 or one[2].upper() != other[2].upper():
        return wanted == actual
    if not _fewer(one[0], other[0]):
        return False
    if not one[1]:
        return True
    began, now = _start(one[1], zone), _start(other[1], zone)
    if began is None or now is None:
        return one[1] == other[1]
    return now >= began and _on_the_grid(began, now, one[2].upper(), zone)


def _fewer(wanted, actual):
    if wanted == "R" or actual == "R":
        return wanted == actual
    try:
        return 0 <= int(actual[1:]) <= int(wanted[1:])
    except ValueError:
        return wanted == actual


def _start(text, zone):
    """An instant; with a zone the wall clock, whose offset Chronos ignores."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    if zone:
        return found.replace(tzinfo=UTC)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _on_the_grid(began, now, period, zone):
    """Whether `now` is `began` and a whole number of periods."""
    months = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?", period)
    if months is not None and any(months.groups()):
        step = 12 * int(months.group(1) or 0) + int(months.group(2) or 0)
        apart = (now.year - began.year) * 12 + now.month - began.month
        # The 31st becomes the 28th in February, and stays so.
        same_day = now.day == began.day or 28 <= now.day < began.day
        same_time = abs((now - began).total_seconds() % 86400) < 1
        return same_day and same_time and bool(step) and apart % step == 0
    period_s = _fixed_seconds(period)
    if period_s is None:
        return True
    if not period_s:
        return now == began
    apart_s = (now - began).total_seconds()
    beside_s = abs(apart_s - round(apart_s / period_s) * period_s)
    # Hours go by the clock on the wall but for daylight saving time.
    return beside_s < 1 or (bool(zone) and period.startswith("PT") and abs(beside_s - HOUR_S) < 1)


def _fixed_seconds(period):
    """Seconds of a period without years and months, whose lengths differ; None with them."""
    shape = r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?"
    match = re.fullmatch(shape, period)
    if match is None:
        return None
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return weeks * 604800 + days * 86400 + hours * 3600 + minutes * 60 + seconds
