"""What one step leads to, sorted by when it may be done.

Vocabulary: *now* needs nothing; *saying* (answers) waits until what the step changed is stored;
*after* holds calls to the master and to event streams, which also wait. Both keep the order of the
steps even when a later step had nothing to store: its answer may tell what an earlier one changed.
Invariant: nobody hears of a change that could still be lost.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mesosphere.kernel.effects import Commit, Effect, Log, Reply
from mesosphere.kernel.http import Response
from mesosphere.kernel.store import Write

After = Callable[[], list[Effect]]

UNDER_WAY = 2
"""Commits under way at which further changes wait and are merged into one transaction."""


class Outcome:
    """The effects of one step, being collected."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._effects: list[Effect] = []
        self._saying: list[Effect] = []
        self._after: list[After] = []

    def do(self, *effects: Effect) -> None:
        """Perform at once: timers, probes, reads."""
        self._effects += effects

    def say(self, *effects: Effect) -> None:
        """Perform once this step's and all earlier changes are stored."""
        self._saying += effects

    def reply(self, request: str, response: Response) -> None:
        """Answer a request once this step's and all earlier changes are stored."""
        self._saying.append(Reply(request, response))

    def after(self, call: After) -> None:
        """Call once this step's and all earlier changes are stored; its effects are performed."""
        self._after.append(call)

    def log(self, level: str, event: str, **fields: Any) -> None:
        """Write a line to the log."""
        self._effects.append(Log(level, event, fields))


class Pipeline:
    """Commits under way, in order, with what waits for each."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[str, list[After]] = {}
        self._parked_saying: list[Effect] = []
        self._parked_after: list[After] = []

    @property
    def is_busy(self) -> bool:
        """Whether enough commits are under way; what comes now had better be merged."""
        return len(self._waiting) >= UNDER_WAY

    def park(self, outcome: Outcome) -> list[Effect]:
        """The step's changes wait, to be stored together with those of later steps."""
        self._parked_saying += outcome._saying
        self._parked_after += outcome._after
        return outcome._effects

    def commit(self, outcome: Outcome, transactions: Sequence[tuple[Write, ...]]) -> list[Effect]:
        """The step's effects, with the transactions of what changed in it and in parked ones."""
        effects = outcome._effects
        saying = (*self._parked_saying, *outcome._saying)
        after = [*self._parked_after, *outcome._after]
        self._parked_saying, self._parked_after = [], []
        for index, writes in enumerate(transactions):
            last = index == len(transactions) - 1
            self._count += 1
            token = f"marathon/{self._count}"
            self._waiting[token] = after if last else []
            effects.append(Commit(token, writes, saying if last else ()))
        return effects

    def close(self, outcome: Outcome) -> list[Effect]:
        """The effects of a step that changed nothing: it may still speak of earlier changes."""
        effects, saying = outcome._effects, outcome._saying
        if self._waiting:
            waiting = self._waiting[next(reversed(self._waiting))]
            if saying:
                waiting.append(lambda: saying)
            waiting += outcome._after
            return effects
        effects += saying
        for call in outcome._after:
            effects += call()
        return effects

    def owns(self, token: str) -> bool:
        """Whether a commit is one of these."""
        return token in self._waiting

    def committed(self, token: str) -> list[Effect]:
        """A transaction is stored: do what waited for it."""
        effects: list[Effect] = []
        for call in self._waiting.pop(token, []):
            effects += call()
        return effects
