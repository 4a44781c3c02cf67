"""Measures the sandboxes of running containers, and ends those that outgrow their disk.

Only with `--enforce_container_disk_quota` is a container ended; the usage is always told. Measuring
walks the sandbox, so it runs in a thread, one sandbox after the other.
Source: "Mesos: disk/du isolator" (apache/mesos src/slave/containerizer/mesos/isolators/posix/disk).
"""

import asyncio
from typing import Any

from mesosphere.agent.containerizer import Containerizer
from mesosphere.agent.isolation.limitations import disk_usage, judge_disk


class DiskWatch:
    """The latest usage by container, in bytes."""

    def __init__(self, containerizer: Containerizer, interval_s: float, enforce: bool) -> None:
        self._containerizer = containerizer
        self._interval_s = max(interval_s, 0.1)
        self._enforce = enforce
        self.used: dict[str, int] = {}

    async def run(self) -> None:
        """Look again and again, as long as the agent lives."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """One round over all running containers."""
        running = list(self._containerizer.leaders)
        for name in running:
            kept = self._containerizer.kept(name)
            if not kept.get("sandbox"):
                continue
            used = await asyncio.to_thread(disk_usage, kept["sandbox"])
            self.used[name] = used
            quota = kept.get("disk_bytes")
            limited = judge_disk(used, quota) if quota else None
            if self._enforce and limited is not None and limited.kind:
                await self._containerizer.limit(name, limited)
        self.used = {name: used for name, used in self.used.items() if name in running}

    def statistics(self, name: str) -> dict[str, Any]:
        """What a container's ResourceStatistics say of its disk."""
        if name not in self.used:
            return {}
        quota = self._containerizer.kept(name).get("disk_bytes")
        told = {"disk_used_bytes": self.used[name]}
        return {**told, "disk_limit_bytes": quota} if quota else told
