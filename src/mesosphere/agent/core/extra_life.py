"""The life of an extra container, as one table.

An extra container is launched by an operator's call and not for a task: nested in one that runs, or
on its own. Decides what follows when it starts, can't be started, ends, or is to end. `ENDING` is
one that is being destroyed.

Invariants: it ends exactly once, by TELL_END; `ENDED` has no way out; who launched it hears
whether it runs, once. Source: apache/mesos src/slave/containerizer/mesos/containerizer.cpp.
"""

from enum import Enum

from mesosphere.kernel.transitions import Step, Table


class ExtraPhase(Enum):
    """Where an extra container is."""

    LAUNCHING = "launching"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


class ExtraInput(Enum):
    """What can happen to it."""

    STARTED = "started"
    FAILED = "launch failed"
    EXITED = "exited"
    DESTROY = "somebody wants it to end, or its parent has ended"


class ExtraAction(Enum):
    """What the machine does next."""

    ANSWER = "tell who launched it that it runs, or join a session to its output"
    DESTROY = "kill everything in the container"
    TELL_END = "write down how it ended and tell who waits"


_PHASE, _GIVEN, _DO = ExtraPhase, ExtraInput, ExtraAction

EXTRA_LIFE: Table[ExtraPhase, ExtraInput, ExtraAction] = Table(
    "extra container",
    {
        (_PHASE.LAUNCHING, _GIVEN.STARTED): Step(_PHASE.RUNNING, (_DO.ANSWER,)),
        (_PHASE.LAUNCHING, _GIVEN.FAILED): Step(_PHASE.ENDED, (_DO.TELL_END,)),
        (_PHASE.LAUNCHING, _GIVEN.EXITED): Step(_PHASE.ENDED, (_DO.TELL_END,)),
        (_PHASE.LAUNCHING, _GIVEN.DESTROY): Step(_PHASE.ENDING, (_DO.DESTROY,)),
        (_PHASE.RUNNING, _GIVEN.EXITED): Step(_PHASE.ENDED, (_DO.TELL_END,)),
        (_PHASE.RUNNING, _GIVEN.DESTROY): Step(_PHASE.ENDING, (_DO.DESTROY,)),
        # The start was under way when the end was wanted: what has started must go.
        (_PHASE.ENDING, _GIVEN.STARTED): Step(_PHASE.ENDING, (_DO.ANSWER, _DO.DESTROY)),
        (_PHASE.ENDING, _GIVEN.FAILED): Step(_PHASE.ENDED, (_DO.TELL_END,)),
        (_PHASE.ENDING, _GIVEN.EXITED): Step(_PHASE.ENDED, (_DO.TELL_END,)),
        (_PHASE.ENDING, _GIVEN.DESTROY): Step(_PHASE.ENDING, (_DO.DESTROY,)),
    },
)
