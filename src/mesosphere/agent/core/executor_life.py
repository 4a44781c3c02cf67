"""The life of an executor on its agent, as one table.

Decides what follows when an executor's container starts or ends, when the executor subscribes or
does not, and when it is asked to end. Vocabulary: *ready* is a custom executor that has subscribed,
or a pod whose container runs. `REGISTERING` is the time before, also after a restart of the agent.

Invariants: every executor ends exactly once, by END_TASKS; `ENDED` has no way out; whoever ends one
first asks it, if it can hear, and gives it its grace. Source: apache/mesos src/slave/slave.cpp
(Executor::State, subscribe, registerExecutorTimeout, shutdownExecutor, executorTerminated).
"""

from enum import Enum

from mesosphere.kernel.transitions import Step, Table


class ExecutorPhase(Enum):
    """Where an executor is."""

    REGISTERING = "registering"
    RUNNING = "running"
    TERMINATING = "terminating"
    ENDED = "terminated"


class ExecutorInput(Enum):
    """What can happen to it."""

    STARTED = "its container started"
    READY = "it is ready"
    LATE = "it is not ready in time"
    SHUTDOWN = "shutdown"
    GRACE_OVER = "grace over"
    IDLE = "nothing is left to do"
    FAILED = "its container could not be started"
    EXITED = "its container has ended"


class ExecutorAction(Enum):
    """What the machine does next."""

    DELIVER = "give it the tasks that wait for it"
    ASK_TO_END = "tell it SHUTDOWN, end the tasks of a pod"
    ARM_GRACE = "arm the grace timer"
    DESTROY = "kill everything in its container"
    END_TASKS = "tell the end of each of its tasks, and its own"


_PHASE, _GIVEN, _DO = ExecutorPhase, ExecutorInput, ExecutorAction

EXECUTOR_LIFE: Table[ExecutorPhase, ExecutorInput, ExecutorAction] = Table(
    "executor",
    {
        (_PHASE.REGISTERING, _GIVEN.STARTED): Step(_PHASE.REGISTERING),
        (_PHASE.REGISTERING, _GIVEN.READY): Step(_PHASE.RUNNING, (_DO.DELIVER,)),
        (_PHASE.REGISTERING, _GIVEN.LATE): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        # It does not listen yet, so nobody can be asked.
        (_PHASE.REGISTERING, _GIVEN.SHUTDOWN): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        (_PHASE.REGISTERING, _GIVEN.IDLE): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        (_PHASE.REGISTERING, _GIVEN.FAILED): Step(_PHASE.ENDED, (_DO.END_TASKS,)),
        (_PHASE.REGISTERING, _GIVEN.EXITED): Step(_PHASE.ENDED, (_DO.END_TASKS,)),
        (_PHASE.RUNNING, _GIVEN.STARTED): Step(_PHASE.RUNNING),
        (_PHASE.RUNNING, _GIVEN.READY): Step(_PHASE.RUNNING, (_DO.DELIVER,)),
        (_PHASE.RUNNING, _GIVEN.SHUTDOWN): Step(
            _PHASE.TERMINATING, (_DO.ASK_TO_END, _DO.ARM_GRACE)
        ),
        (_PHASE.RUNNING, _GIVEN.IDLE): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        (_PHASE.RUNNING, _GIVEN.EXITED): Step(_PHASE.ENDED, (_DO.END_TASKS,)),
        # It started, or came back, while it was already given up.
        (_PHASE.TERMINATING, _GIVEN.STARTED): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        (_PHASE.TERMINATING, _GIVEN.READY): Step(_PHASE.TERMINATING, (_DO.ASK_TO_END,)),
        (_PHASE.TERMINATING, _GIVEN.SHUTDOWN): Step(_PHASE.TERMINATING),
        (_PHASE.TERMINATING, _GIVEN.IDLE): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        (_PHASE.TERMINATING, _GIVEN.GRACE_OVER): Step(_PHASE.TERMINATING, (_DO.DESTROY,)),
        (_PHASE.TERMINATING, _GIVEN.FAILED): Step(_PHASE.ENDED, (_DO.END_TASKS,)),
        (_PHASE.TERMINATING, _GIVEN.EXITED): Step(_PHASE.ENDED, (_DO.END_TASKS,)),
    },
)
