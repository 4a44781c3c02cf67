"""Durations as Mesos writes them: a number and one of ns us ms secs mins hrs days weeks."""

import re

UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1.0,
    "mins": 60.0,
    "hrs": 3600.0,
    "days": 86400.0,
    "weeks": 604800.0,
}

_DURATION = re.compile(r"^(-?\d+(?:\.\d+)?)([a-z]+)$")


def parse_duration(text: str) -> float:
    """Seconds of "10secs", "1weeks", ... Raises ValueError saying what is wrong."""
    found = _DURATION.match(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not a duration: a number and a unit, such as 10secs")
    unit = found.group(2)
    if unit not in UNITS_S:
        raise ValueError(f"'{text}' has the unknown unit '{unit}': use one of {', '.join(UNITS_S)}")
    return float(found.group(1)) * UNITS_S[unit]


def format_duration(seconds: float) -> str:
    """The shortest exact form, in the largest unit that gives a whole number ("15secs")."""
    for unit in ("weeks", "days", "hrs", "mins", "secs", "ms", "us", "ns"):
        count = seconds / UNITS_S[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9:
            return f"{round(count)}{unit}"
    return f"{seconds:g}secs"
