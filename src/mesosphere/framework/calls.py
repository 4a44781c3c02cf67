"""The queue of scheduler calls: one at a time, in order.

HTTP requests on several connections may overtake each other, and a SUPPRESS that overtakes a
REVIVE leaves a framework without offers for ever. So calls whose order matters share one lane, one
outstanding at a time; ACKNOWLEDGE has no order (the agent sends the next update only after it)
and goes at once. Neighbouring DECLINEs with the same filter travel as one.

Invariants: at most one ordered call is outstanding; the queue is bounded; nothing is sent on a
subscription other than the one it was made for.
"""

from collections import deque

import msgspec

from mesosphere.kernel.effects import Call, Effect
from mesosphere.wire.mesos import codec, scheduler
from mesosphere.wire.mesos.offers import OfferID

QUEUE_LIMIT = 10_000
"""Calls waiting; more are dropped oldest first, which the callers survive (see `CallLost`)."""

DECLINE_LIMIT = 1_000
"""Offers declined by one call."""

CALL_TIMEOUT_S = 15.0


class Queued(msgspec.Struct, gc=False):
    """A call that waits. `tasks` are the ids of the tasks that it launches or kills."""

    call: scheduler.Call
    tasks: tuple[str, ...] = ()


class Outbox:
    """Calls of one subscription."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self._queue: deque[Queued] = deque()
        self._flying: dict[str, Queued] = {}
        self._lane: str | None = None  # the ordered call under way
        self._url = ""
        self._headers: dict[str, str] = {}

    def open(self, url: str, stream_id: str) -> None:
        """Start sending to the master at `url` under its stream id."""
        self._url = url
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Mesos-Stream-Id": stream_id,
        }

    def close(self) -> list[Queued]:
        """Stop; returns what was not certainly delivered, in order."""
        lost = [*self._flying.values(), *self._queue]
        self._queue.clear()
        self._flying.clear()
        self._lane = None
        self._url = ""
        return lost

    def send(self, queued: Queued) -> tuple[list[Effect], list[Queued]]:
        """Queue a call; returns (effects, calls dropped for room)."""
        if not self._url:
            return [], [queued]
        if queued.call.type == "ACKNOWLEDGE":
            return [self._launch(queued)[1]], []
        if self._merge(queued):
            return [], []
        dropped = []
        if len(self._queue) >= QUEUE_LIMIT:
            dropped.append(self._queue.popleft())
        self._queue.append(queued)
        return self._next(), dropped

    def settle(self, name: str) -> tuple[Queued | None, list[Effect]]:
        """A call has its answer or its failure: (the call, effects that send the next)."""
        queued = self._flying.pop(name, None)
        if name != self._lane:
            return queued, []
        self._lane = None
        return queued, self._next()

    def _merge(self, queued: Queued) -> bool:
        if queued.call.type != "DECLINE" or not self._queue:
            return False
        last = self._queue[-1].call
        if last.type != "DECLINE" or last.decline is None or queued.call.decline is None:
            return False
        if last.decline.filters != queued.call.decline.filters:
            return False
        merged: list[OfferID] = [*last.decline.offer_ids, *queued.call.decline.offer_ids]
        if len(merged) > DECLINE_LIMIT:
            return False
        self._queue[-1] = Queued(
            msgspec.structs.replace(
                last, decline=msgspec.structs.replace(last.decline, offer_ids=merged)
            )
        )
        return True

    def _next(self) -> list[Effect]:
        if self._lane is not None or not self._queue:
            return []
        name, effect = self._launch(self._queue.popleft())
        self._lane = name
        return [effect]

    def _launch(self, queued: Queued) -> tuple[str, Effect]:
        self._count += 1
        name = f"{self._prefix}{self._count}/{queued.call.type}"
        self._flying[name] = queued
        return name, Call(
            call=name,
            method="POST",
            url=self._url,
            headers=self._headers,
            body=codec.encode(queued.call),
            timeout_s=CALL_TIMEOUT_S,
        )
