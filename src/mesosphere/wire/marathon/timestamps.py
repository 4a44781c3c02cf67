"""Marathon's timestamps: UTC, exactly three digits of milliseconds, "Z".

Versions are timestamps; as text they sort in the order of time.
"""

import re
from datetime import UTC, datetime

_FORM = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)$")


def format_timestamp(seconds: float) -> str:
    """ "2014-03-01T23:29:30.158Z" of seconds since 1970."""
    milliseconds = round(seconds * 1000)
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def parse_timestamp(text: str) -> float:
    """Seconds since 1970. Raises ValueError when `text` is no timestamp."""
    if _FORM.match(text) is None:
        raise ValueError(f'Invalid format: "{text}" is not a timestamp')
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def next_version(now: float, latest: str) -> str:
    """A version for `now` that is certainly later than `latest` ("" for none)."""
    version = format_timestamp(now)
    if version <= latest:
        version = format_timestamp(parse_timestamp(latest) + 0.001)
    return version
