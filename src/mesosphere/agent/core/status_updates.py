"""Delivers the status updates of tasks until they are acknowledged.

Decides which update of a task is sent when. Vocabulary: a *stream* is the queue of updates of one
task; its *front* is the one on its way. Invariants: one update per task is outstanding; updates
leave in order; an update is on disk before it is sent (checkpointing frameworks); the retry of a
front starts at 10 s and doubles to 10 min; while the link is down nothing is sent, and everything
outstanding is sent again on re-registration. The acknowledgement of a terminal update closes the
stream. Source: "Mesos: task status updates" (apache/mesos
src/slave/task_status_update_manager.cpp).
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum

import msgspec

from mesosphere.kernel.effects import CancelTimer, Effect, SetTimer
from mesosphere.wire.mesos.enums import is_terminal
from mesosphere.wire.mesos.tasks import TaskStatus

RETRY_LEAST_S = 10.0
RETRY_MOST_S = 600.0
PENDING_LIMIT = 1_000
"""Updates of one task that may wait; health updates beyond it are dropped, never terminal ones."""


class Acknowledgement(Enum):
    """What an acknowledgement leads to."""

    SEND_NEXT = "the next update goes out"
    WAIT = "nothing waits"
    CLOSED = "the terminal update was acknowledged: forget the task"
    UNEXPECTED = "not the outstanding update: ignore it"


class UpdateStream(msgspec.Struct):
    """The updates of one task, the oldest unacknowledged first."""

    framework_id: str
    task_id: str
    pending: deque[TaskStatus] = msgspec.field(default_factory=deque)
    retry_s: float = RETRY_LEAST_S

    @property
    def timer(self) -> str:
        """The name of the retry timer."""
        return f"update/{self.framework_id}/{self.task_id}"

    @property
    def front(self) -> TaskStatus | None:
        """The update that is on its way, or would be if the master were there."""
        return self.pending[0] if self.pending else None

    def add(self, status: TaskStatus) -> bool:
        """Queue an update; whether it is now the front and must be sent."""
        if len(self.pending) >= PENDING_LIMIT and not is_terminal(status.state):
            return False
        self.pending.append(status)
        return len(self.pending) == 1

    def acknowledge(self, uuid: bytes) -> Acknowledgement:
        """Take the front off if it is the one acknowledged."""
        front = self.front
        if front is None or front.uuid != uuid:
            return Acknowledgement.UNEXPECTED
        self.pending.popleft()
        self.retry_s = RETRY_LEAST_S
        if is_terminal(front.state):
            return Acknowledgement.CLOSED
        return Acknowledgement.SEND_NEXT if self.pending else Acknowledgement.WAIT


class UpdateStreams:
    """All streams of the agent, by framework and task."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], UpdateStream] = {}

    def stream(self, framework_id: str, task_id: str) -> UpdateStream:
        """The stream of a task, made on first use."""
        key = (framework_id, task_id)
        found = self._streams.get(key)
        if found is None:
            found = self._streams[key] = UpdateStream(framework_id, task_id)
        return found

    def find(self, framework_id: str, task_id: str) -> UpdateStream | None:
        """The stream of a task, if there is one."""
        return self._streams.get((framework_id, task_id))

    def outstanding(self) -> Iterable[UpdateStream]:
        """Streams with an update on its way, in order of creation."""
        return [stream for stream in self._streams.values() if stream.pending]

    def close(self, framework_id: str, task_id: str) -> list[Effect]:
        """Forget a stream and its timer."""
        stream = self._streams.pop((framework_id, task_id), None)
        return [] if stream is None else [CancelTimer(stream.timer)]

    @staticmethod
    def arm(stream: UpdateStream) -> Effect:
        """The retry timer of an update that goes out now; the next interval is twice as long."""
        timer = SetTimer(stream.timer, stream.retry_s)
        stream.retry_s = min(stream.retry_s * 2, RETRY_MOST_S)
        return timer
