"""The runs of a job: queued, under way, to be retried, and what came of them.

Decides: what a status update means for a run, and whether a failed run is tried again.
Everything here is durable per job, so that a change of leader forgets no running task, no retry,
no queued manual run and no dependency progress.

Invariants: a job is in the queue at most once; a run ends once; a launch that never reached an
agent is repeated without using up an attempt.
Source: Chronos, TaskUtils, JobScheduler (handling of finished and failed tasks).
"""

import re
from enum import Enum

import msgspec

TASK_ID_LIMIT = 255
HISTORY_DURATIONS = 100
"""Durations kept per job for the percentiles."""

RUNNING_LIMIT = 1_000
"""Tasks of one concurrent job at a time."""

_TASK_ID = re.compile(r"^ct:(\d+):(\d+):([^:]+):?(.*)$", re.DOTALL)


class Run(msgspec.Struct, frozen=True):
    """A run that waits for its turn. `counted`: the schedule asked for it."""

    due_ms: int
    attempt: int = 0
    arguments: str = ""
    counted: bool = False


class Task(msgspec.Struct, frozen=True):
    """A run under way. `seen`: an agent has reported it, so it certainly was launched."""

    run: Run
    launched_ms: int
    agent_id: str = ""
    seen: bool = False
    killing: bool = False


class Record(msgspec.Struct, frozen=True):
    """A finished run, for the history. `status`: Success, Fail."""

    task_id: str
    agent_id: str
    start_ms: int
    end_ms: int
    status: str
    elements: int = 0


class Runs(msgspec.Struct):
    """All that is durable about the runs of one job."""

    queued: Run | None = None
    retry: Run | None = None
    tasks: dict[str, Task] = {}
    edges: dict[str, int] = {}
    history: list[Record] = []
    durations_ms: list[int] = []
    elements: dict[str, int] = {}
    last_due_ms: int = 0
    """In the newest task id; ids never come twice."""

    @property
    def is_running(self) -> bool:
        """Whether a task of the job is under way."""
        return bool(self.tasks)


class Outcome(Enum):
    """What the caller does about a status update."""

    NOTE_RUNNING = "note running"
    COUNT_SUCCESS = "count success"
    COUNT_FAILURE = "count failure"
    NOTE_KILLED = "note killed"
    LAUNCH_AGAIN = "launch again"


_OUTCOMES = {
    "TASK_STAGING": Outcome.NOTE_RUNNING,
    "TASK_STARTING": Outcome.NOTE_RUNNING,
    "TASK_RUNNING": Outcome.NOTE_RUNNING,
    "TASK_KILLING": Outcome.NOTE_RUNNING,
    "TASK_UNREACHABLE": Outcome.NOTE_RUNNING,
    "TASK_FINISHED": Outcome.COUNT_SUCCESS,
    "TASK_FAILED": Outcome.COUNT_FAILURE,
    "TASK_ERROR": Outcome.COUNT_FAILURE,
    "TASK_LOST": Outcome.COUNT_FAILURE,
    "TASK_DROPPED": Outcome.COUNT_FAILURE,
    "TASK_GONE": Outcome.COUNT_FAILURE,
    "TASK_GONE_BY_OPERATOR": Outcome.COUNT_FAILURE,
    "TASK_UNKNOWN": Outcome.COUNT_FAILURE,
    "TASK_KILLED": Outcome.NOTE_KILLED,
}

_NEVER_LAUNCHED = ("TASK_LOST", "TASK_DROPPED", "TASK_UNKNOWN", "TASK_GONE")


def judge(task: Task, state: str, source: str) -> Outcome:
    """What an update in `state` means for `task`.

    A loss that the master reports for a task that no agent ever reported (an offer that was gone,
    an ACCEPT that did not arrive) is no failure of the job: it is launched again.
    """
    if not task.seen and state in _NEVER_LAUNCHED and source == "SOURCE_MASTER":
        return Outcome.LAUNCH_AGAIN
    return _OUTCOMES.get(state, Outcome.COUNT_FAILURE)


def task_id(name: str, run: Run) -> str:
    """`ct:<due millis>:<attempt>:<job>:<arguments>`.

    Arguments that a Mesos task id can't hold are left out: they are kept with the run.
    """
    head = f"ct:{run.due_ms}:{run.attempt}:{name}:"
    fits = len(head) + len(run.arguments) <= TASK_ID_LIMIT
    clean = not re.search(r"[/\\\x00-\x1f\x7f]", run.arguments)
    return head + run.arguments if fits and clean else head


def job_name_of(identifier: str) -> str | None:
    """The job of a task id, None if it is none of ours."""
    found = _TASK_ID.match(identifier)
    return found.group(3) if found else None


def clean_arguments(text: str) -> str:
    """Arguments of a manual run: every ";" is removed, blank means none."""
    return text.replace(";", "").strip()


def percentiles(durations_ms: list[int]) -> dict[str, float]:
    """The histogram of run times in milliseconds; zeros when nothing ran yet."""
    ordered = sorted(durations_ms)

    def quantile(fraction: float) -> float:
        if not ordered:
            return 0.0
        position = fraction * (len(ordered) - 1)
        low = int(position)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (position - low)

    return {
        "75thPercentile": quantile(0.75),
        "95thPercentile": quantile(0.95),
        "98thPercentile": quantile(0.98),
        "99thPercentile": quantile(0.99),
        "median": quantile(0.5),
        "mean": sum(ordered) / len(ordered) if ordered else 0.0,
        "count": len(ordered),
    }
