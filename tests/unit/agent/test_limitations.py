"""Limits that a container ran into: which it was, in whose words, and what `du` would say."""

import os
from pathlib import Path

import pytest

from mesosphere.agent.core.exits import Circumstances, judge_exit
from mesosphere.agent.isolation.limitations import (
    NONE,
    Limitation,
    disk_usage,
    judge_disk,
    judge_memory,
)

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ({}, NONE),
        ({"events": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"}, NONE),
        (
            {"events": "oom_kill 2", "limit": f"{64 * MIB}\n", "peak": f"{63 * MIB}\n"},
            Limitation("memory", "Memory limit exceeded: Requested: 64MB Maximum Used: 63MB", 63),
        ),
        (
            {"events": "oom_kill 1", "limit": f"{64 * MIB}", "stat": "cache 0\nrss 7\n"},
            Limitation(
                "memory",
                "Memory limit exceeded: Requested: 64MB\n\nMEMORY STATISTICS: \ncache 0\nrss 7\n",
                64,
            ),
        ),
        (
            {"events": "low 0 high 0 max 3 oom 1 oom_kill 1", "limit": "max"},
            Limitation("memory", "Memory limit exceeded"),
        ),
    ],
)
def test_memory_kills_are_read_from_the_control_group(
    memory: dict[str, str], expected: Limitation
) -> None:
    assert judge_memory(memory) == expected


def test_a_sandbox_may_be_as_big_as_its_disk() -> None:
    assert judge_disk(64 * MIB, 64 * MIB) == NONE
    assert judge_disk(65 * MIB, 64 * MIB) == Limitation(
        "disk", "Disk usage (65MB) exceeds quota (64MB)", 64
    )


def test_the_framework_learns_which_resource_was_short_and_how_much_of_it() -> None:
    end = judge_exit(9, "disk", "Disk usage", Circumstances(), 64)
    assert end.reason == "REASON_CONTAINER_LIMITATION_DISK"
    assert end.limited == ("disk", 64)
    end = judge_exit(9, "memory", "Memory limit exceeded", Circumstances(killed=True), 48.5)
    assert (end.state, end.reason) == ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY")
    assert end.limited == ("mem", 48.5)


def test_usage_counts_blocks_and_hard_links_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * MIB)
    before = disk_usage(str(tmp_path))
    assert MIB <= before < 2 * MIB
    os.link(tmp_path / "a" / "file", tmp_path / "again")
    (tmp_path / "link").symlink_to("/usr")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert disk_usage(str(tmp_path)) - before < MIB
    assert disk_usage(str(tmp_path / "absent")) == 0
