"""Gauges of host and process for `Sampled`, read from /proc."""

import contextlib
import os
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def sample() -> dict[str, float]:
    """Load, memory, process memory and open descriptors; what can't be read is left out."""
    values = {"system/cpus_total": float(os.cpu_count() or 1)}
    load = os.getloadavg()
    for minutes, value in zip((1, 5, 15), load, strict=True):
        values[f"system/load_{minutes}min"] = value
    for line in _lines("/proc/meminfo"):
        name, _, rest = line.partition(":")
        if name in ("MemTotal", "MemFree"):
            key = "mem_total_bytes" if name == "MemTotal" else "mem_free_bytes"
            values[f"system/{key}"] = float(rest.split()[0]) * 1024
    statm = _lines("/proc/self/statm")
    if statm:
        values["process/rss_bytes"] = float(statm[0].split()[1]) * PAGE_BYTES
    times = os.times()
    values["process/cpu_seconds"] = times.user + times.system
    with contextlib.suppress(OSError):
        values["process/descriptors"] = float(len(os.listdir("/proc/self/fd")))
    return values


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
