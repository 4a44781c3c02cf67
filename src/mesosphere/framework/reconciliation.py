"""Explicit reconciliation until each task was answered.

The master may stay silent about a task whose agent has not come back yet, so the question is
repeated with back-off. Any update for a task, whatever its reason, is an answer.
Source: Mesos, "Task reconciliation", algorithm.
"""

from collections.abc import Mapping

FIRST_DELAY_S = 2.0
DELAY_LIMIT_S = 60.0
BATCH = 1_000
"""Tasks asked for in one call."""


class Reconciliation:
    """The tasks whose state is being asked for, in the order they were asked."""

    def __init__(self) -> None:
        self._open: dict[str, str | None] = {}
        self._delay_s = FIRST_DELAY_S

    def ask(self, tasks: Mapping[str, str | None]) -> None:
        """Add tasks (id -> agent id if known)."""
        self._open.update(tasks)
        self._delay_s = FIRST_DELAY_S

    def answered(self, task_id: str) -> None:
        """An update for this task arrived."""
        self._open.pop(task_id, None)

    def batches(self) -> list[list[tuple[str, str | None]]]:
        """What to ask now."""
        asked = list(self._open.items())
        return [asked[start : start + BATCH] for start in range(0, len(asked), BATCH)]

    def next_delay_s(self, fraction: float) -> float | None:
        """When to ask again (None: everything is answered); `fraction` in [0, 1) spreads it."""
        if not self._open:
            return None
        delay_s = self._delay_s
        self._delay_s = min(delay_s * 2, DELAY_LIMIT_S)
        return delay_s * (0.75 + fraction / 2)
