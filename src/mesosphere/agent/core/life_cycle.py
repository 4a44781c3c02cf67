"""The life of a command task on its agent, as one table.

Decides what follows when a container starts, fails or ends, when a kill arrives, a deadline
passes or a task stays unhealthy. Vocabulary: a *phase* is where the container is, an *input* what
happened, an *action* what the machine does about it, in order. `CANCELLING` is a kill that came
before the container ran; `KILLING` one that came after.

Invariants: every task ends exactly once, by one of the `TELL_..` ends; `ENDED` has no way out.
Source: "Mesos: task states" and the command executor (apache/mesos src/launcher/executor.cpp).
"""

from enum import Enum

from mesosphere.kernel.transitions import Step, Table


class Phase(Enum):
    """Where the container of a task is."""

    LAUNCHING = "launching"
    CANCELLING = "cancelling"
    RUNNING = "running"
    KILLING = "killing"
    ENDED = "ended"


class Input(Enum):
    """What can happen to it."""

    STARTED = "started"
    LAUNCH_FAILED = "launch failed"
    EXITED = "exited"
    KILL = "kill"
    GRACE_OVER = "grace over"
    EXPIRED = "expired"
    UNHEALTHY = "unhealthy"


class Action(Enum):
    """What the machine does next."""

    TELL_RUNNING = "send TASK_RUNNING"
    WATCH = "arm the completion deadline and the checks"
    TELL_KILLING = "send TASK_KILLING to a framework that can take it"
    TERMINATE = "SIGTERM to the whole tree and arm the grace timer"
    SHORTEN_GRACE = "re-arm the grace timer if it ends earlier"
    DESTROY = "kill everything in the container"
    TELL_LAUNCH_FAILED = "send TASK_FAILED with what went wrong before the command ran"
    TELL_CANCELLED = "send TASK_KILLED, killed during launch"
    TELL_END = "send the terminal state that the exit means"


LIFE_CYCLE: Table[Phase, Input, Action] = Table(
    "task",
    {
        (Phase.LAUNCHING, Input.STARTED): Step(Phase.RUNNING, (Action.TELL_RUNNING, Action.WATCH)),
        (Phase.LAUNCHING, Input.LAUNCH_FAILED): Step(Phase.ENDED, (Action.TELL_LAUNCH_FAILED,)),
        (Phase.LAUNCHING, Input.EXITED): Step(Phase.ENDED, (Action.TELL_END,)),
        (Phase.LAUNCHING, Input.KILL): Step(Phase.CANCELLING, (Action.DESTROY,)),
        # The start was under way when the kill arrived: what has started must go.
        (Phase.CANCELLING, Input.STARTED): Step(Phase.CANCELLING, (Action.DESTROY,)),
        (Phase.CANCELLING, Input.LAUNCH_FAILED): Step(Phase.ENDED, (Action.TELL_CANCELLED,)),
        (Phase.CANCELLING, Input.EXITED): Step(Phase.ENDED, (Action.TELL_CANCELLED,)),
        (Phase.CANCELLING, Input.KILL): Step(Phase.CANCELLING),
        (Phase.RUNNING, Input.EXITED): Step(Phase.ENDED, (Action.TELL_END,)),
        (Phase.RUNNING, Input.KILL): Step(Phase.KILLING, (Action.TELL_KILLING, Action.TERMINATE)),
        (Phase.RUNNING, Input.UNHEALTHY): Step(
            Phase.KILLING, (Action.TELL_KILLING, Action.TERMINATE)
        ),
        # A task over its time gets no grace.
        (Phase.RUNNING, Input.EXPIRED): Step(Phase.KILLING, (Action.DESTROY,)),
        (Phase.KILLING, Input.EXITED): Step(Phase.ENDED, (Action.TELL_END,)),
        (Phase.KILLING, Input.KILL): Step(Phase.KILLING, (Action.SHORTEN_GRACE,)),
        (Phase.KILLING, Input.GRACE_OVER): Step(Phase.KILLING, (Action.DESTROY,)),
        (Phase.KILLING, Input.EXPIRED): Step(Phase.KILLING, (Action.DESTROY,)),
        (Phase.KILLING, Input.UNHEALTHY): Step(Phase.KILLING),
    },
)
