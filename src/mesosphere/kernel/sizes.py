"""Numbers of bytes as the originals write them: "2GB", "500MB", "10KB", "7B"; units of 1024.

Source: apache/mesos 3rdparty/stout/include/stout/bytes.hpp.
"""

import re

UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_SIZE = re.compile(r"^([0-9]{1,15})\s*(B|KB|MB|GB|TB)?$", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of a text; a plain number counts bytes. Raises ValueError."""
    found = _SIZE.match(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is no size: write 2GB, 500MB, 10KB or 7B")
    return int(found.group(1)) * UNITS[(found.group(2) or "B").upper()]


def format_size(count: int) -> str:
    """The text in the biggest unit that needs no fraction."""
    for unit in ("TB", "GB", "MB", "KB"):
        if count and count % UNITS[unit] == 0:
            return f"{count // UNITS[unit]}{unit}"
    return f"{count}B"
