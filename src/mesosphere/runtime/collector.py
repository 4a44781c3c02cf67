"""When garbage is looked for: young objects often, everything seldom.

What a daemon knows lives long, is freed by reference counts and makes no cycles; still Python's own
rule looks at all of it each time it has grown by a quarter: half a second of standing still with
100,000 tasks. So full collections are made once an hour instead, and what survived one is not
looked at again. Cycles (of exceptions, tasks, closed connections) die young.
"""

import gc
from collections.abc import Callable

YOUNG = 10_000
"""Objects made since the last look at the young ones."""

MIDDLE = 5
"""Looks at the young ones between looks at those that survived one: about 20 ms at most."""

NEVER = 1_000_000_000

FULL_INTERVAL_S = 3600.0


class Collector:
    """Makes a full collection now and then; `now` in seconds of any clock."""

    def __init__(self, now: float, collect: Callable[[], object] = gc.collect) -> None:
        self._collect = collect
        self._due = now + FULL_INTERVAL_S

    def tick(self, now: float) -> bool:
        """Call it every few seconds; whether everything was looked at."""
        if now < self._due:
            return False
        self._due = now + FULL_INTERVAL_S
        self._collect()
        gc.freeze()
        return True


def tune() -> None:
    """Call it once, when everything is imported: what is there now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)
