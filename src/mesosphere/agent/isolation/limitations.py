"""Limits that a container ran into: from what the host tells to a reason with its facts.

Source: apache/mesos src/slave/containerizer/mesos/isolators/cgroups/subsystems/memory.cpp and
isolators/posix/disk.cpp, whose messages people search for.
"""

import os
from typing import Any, NamedTuple

MIB = 1024 * 1024
STATISTICS_LIMIT = 4096
"""Most characters of memory statistics in a message."""


class Limitation(NamedTuple):
    """`kind` is "" (none), "memory" or "disk"; `amount_mib` what was used, or allowed of disk."""

    kind: str = ""
    message: str = ""
    amount_mib: float = 0.0


NONE = Limitation()


def has_run_out(events: str) -> bool:
    """Whether a control group tells that a process was killed for lack of memory."""
    words = events.split()
    return dict(zip(words[::2], words[1::2], strict=False)).get("oom_kill", "0") != "0"


def judge_memory(memory: dict[str, str]) -> Limitation:
    """What the control group told at the end: whether the kernel killed for lack of memory."""
    if not has_run_out(memory.get("events", "")):
        return NONE
    limit, peak = memory.get("limit", "").strip(), memory.get("peak", "").strip()
    message, amount = "Memory limit exceeded", 0.0
    if limit.isdigit():
        message += f": Requested: {int(limit) // MIB}MB"
        amount = int(limit) / MIB
    if peak.isdigit():
        message += f" Maximum Used: {int(peak) // MIB}MB"
        amount = int(peak) / MIB
    statistics = memory.get("stat", "")[:STATISTICS_LIMIT].strip()
    if statistics:
        message += f"\n\nMEMORY STATISTICS: \n{statistics}\n"
    return Limitation("memory", message, round(amount, 3))


def judge_disk(used_bytes: int, quota_bytes: int) -> Limitation:
    """Whether a sandbox has grown over its task's disk."""
    if used_bytes <= quota_bytes:
        return NONE
    message = f"Disk usage ({_megabytes(used_bytes)}) exceeds quota ({_megabytes(quota_bytes)})"
    return Limitation("disk", message, round(quota_bytes / MIB, 3))


def _megabytes(count: int) -> str:
    return f"{count / MIB:.0f}MB" if count % MIB == 0 or count > 10 * MIB else f"{count}B"


def disk_usage(directory: str) -> int:
    """Bytes on disk below a directory, as `du` counts: links once, no other file systems."""
    total = 0
    try:
        device = os.stat(directory).st_dev
    except OSError:
        return 0
    seen: set[int] = set()
    waiting = [directory]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    total += _size(entry, device, seen, waiting)
        except OSError:
            # The task may remove what is being counted.
            continue
    return total


def _size(entry: os.DirEntry[Any], device: int, seen: set[int], waiting: list[str]) -> int:
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    if facts.st_dev != device:
        return 0
    if entry.is_dir(follow_symlinks=False):
        waiting.append(entry.path)
    elif facts.st_nlink > 1:
        if facts.st_ino in seen:
            return 0
        seen.add(facts.st_ino)
    return facts.st_blocks * 512
