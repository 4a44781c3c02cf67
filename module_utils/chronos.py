"""Chronos's jobs as a user writes them, against those that Chronos shows."""

import re
from datetime import datetime, timezone

from ansible.module_utils.mesosphere_http import differences

# `datetime.UTC` is newer than the Python of some hosts.
UTC = timezone.utc  # noqa: UP017
UNORDERED = ("constraints", "environmentVariables", "parents")
WHOLE = ()


def normal_job(definition, name):
    """A definition with its name; environment values as text."""
    job = {key: value for key, value in definition.items() if value is not None}
    job["name"] = name
    if isinstance(job.get("environmentVariables"), list):
        job["environmentVariables"] = [
            {"name": each.get("name"), "value": _text(each.get("value", ""))}
            for each in job["environmentVariables"]
        ]
    return job


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def job_differences(wanted, actual):
    """What is to be changed, by path. A schedule that has moved on is the same schedule."""
    wanted = dict(wanted)
    schedule = wanted.pop("schedule", None)
    found = differences(wanted, actual, WHOLE, UNORDERED)
    if schedule is not None and not same_schedule(schedule, actual.get("schedule", "")):
        found["schedule"] = (actual.get("schedule"), schedule)
    return found


def same_schedule(wanted, actual):
    """Whether `actual` is `wanted`, perhaps some runs later.

    Chronos counts the repetitions down and moves the start on; an empty start is the moment of
    the request. So: the period is equal, no more repetitions are left than were wanted, and the
    starts lie a whole number of fixed periods apart.
    """
    one, other = wanted.split("/"), actual.split("/")
    if len(one) != 3 or len(other) != 3 or one[2].upper() != other[2].upper():
        return wanted == actual
    if not _fewer(one[0], other[0]):
        return False
    if not one[1]:
        return True
    began, now = _instant(one[1]), _instant(other[1])
    if began is None or now is None:
        return one[1] == other[1]
    period_s = _fixed_seconds(one[2])
    apart_s = now - began
    if not period_s:
        return apart_s >= 0
    return apart_s >= 0 and abs(apart_s / period_s - round(apart_s / period_s)) * period_s < 1


def _fewer(wanted, actual):
    if wanted == "R" or actual == "R":
        return wanted == actual
    try:
        return 0 <= int(actual[1:]) <= int(wanted[1:])
    except ValueError:
        return wanted == actual


def _instant(text):
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _fixed_seconds(period):
    """Seconds of a period without years and months, whose lengths differ; None with them."""
    shape = r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?"
    match = re.fullmatch(shape, period.upper())
    if match is None:
        return None
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return weeks * 604800 + days * 86400 + hours * 3600 + minutes * 60 + seconds
