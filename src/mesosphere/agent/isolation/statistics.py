"""What containers use, read from their control groups or, without them, from /proc.

Names are those of the original's ResourceStatistics. Source: mesos.proto.
"""

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def measure(groups: dict[str, Any], root: str, leaders: dict[str, int]) -> dict[str, Any]:
    """Statistics by container. `leaders` maps a container to its first process; `root` is the
    parent control group, "" when the containers have none."""
    now = time.time()
    found: dict[str, Any] = {}
    sessions = {} if root else _sessions()
    for container, pid in leaders.items():
        if not root:
            values = sessions.get(pid, {})
        elif groups["version"] == 2:
            values = _version_2(Path(groups["mounts"]["unified"], root, container))
        else:
            values = _version_1(groups["mounts"], root, container)
        if values:
            found[container] = {"timestamp": now, **values}
    return found


def disk_used(work_dir: str) -> float:
    """How full the file system of the work directory is, between 0 and 1."""
    try:
        usage = shutil.disk_usage(work_dir)
    except OSError:
        return 0.0
    return usage.used / (usage.used + usage.free) if usage.total else 0.0


def _numbers(path: Path) -> dict[str, int]:
    try:
        words = path.read_text().split()
    except OSError:
        return {}
    pairs = zip(words[::2], words[1::2], strict=False)
    return {key: int(value) for key, value in pairs if value.isdigit()}


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _version_1(mounts: dict[str, str], root: str, container: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    cpu = _numbers(Path(mounts.get("cpuacct", mounts["cpu"]), root, container, "cpuacct.stat"))
    if cpu:
        values["cpus_user_time_secs"] = cpu.get("user", 0) / TICKS_PER_S
        values["cpus_system_time_secs"] = cpu.get("system", 0) / TICKS_PER_S
    quota = _numbers(Path(mounts["cpu"], root, container, "cpu.stat"))
    if quota:
        values["cpus_nr_periods"] = quota.get("nr_periods", 0)
        values["cpus_nr_throttled"] = quota.get("nr_throttled", 0)
        values["cpus_throttled_time_secs"] = quota.get("throttled_time", 0) / 1e9
    group = Path(mounts["memory"], root, container)
    total = _number(group / "memory.usage_in_bytes")
    memory = _numbers(group / "memory.stat")
    if total is not None:
        values["mem_total_bytes"] = total
        values["mem_rss_bytes"] = memory.get("total_rss", memory.get("rss", 0))
        values["mem_cache_bytes"] = memory.get("total_cache", memory.get("cache", 0))
    processes = _number(Path(mounts["pids"], root, container, "pids.current"))
    if processes is not None:
        values["threads"] = processes
    return values


def _version_2(group: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    cpu = _numbers(group / "cpu.stat")
    if cpu:
        values["cpus_user_time_secs"] = cpu.get("user_usec", 0) / 1e6
        values["cpus_system_time_secs"] = cpu.get("system_usec", 0) / 1e6
        values["cpus_nr_periods"] = cpu.get("nr_periods", 0)
        values["cpus_nr_throttled"] = cpu.get("nr_throttled", 0)
        values["cpus_throttled_time_secs"] = cpu.get("throttled_usec", 0) / 1e6
    total = _number(group / "memory.current")
    if total is not None:
        memory = _numbers(group / "memory.stat")
        values["mem_total_bytes"] = total
        values["mem_rss_bytes"] = memory.get("anon", 0)
        values["mem_cache_bytes"] = memory.get("file", 0)
    processes = _number(group / "pids.current")
    if processes is not None:
        values["threads"] = processes
    return values


def _sessions() -> dict[int, dict[str, Any]]:
    """One pass over /proc: sums by session, which is the leader's process id."""
    found: dict[int, dict[str, Any]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = Path(f"/proc/{entry}/stat").read_text()
            fields = text[text.rindex(")") + 2 :].split()
            sums = found.setdefault(
                int(fields[3]),
                {
                    "cpus_user_time_secs": 0.0, "cpus_system_time_secs": 0.0,
                    "mem_rss_bytes": 0, "processes": 0, "threads": 0,
                },
            )  # fmt: skip
            sums["cpus_user_time_secs"] += int(fields[11]) / TICKS_PER_S
            sums["cpus_system_time_secs"] += int(fields[12]) / TICKS_PER_S
            sums["mem_rss_bytes"] += int(fields[21]) * PAGE_BYTES
            sums["processes"] += 1
            sums["threads"] += int(fields[17])
    return found
