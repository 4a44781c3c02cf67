"""The life of a task as the master sees it, as a table.

Source: Mesos, src/common/protobuf_utils.cpp (isTerminalState) and src/master/master.cpp
(updateTask): a terminal state never changes; unreachable frees resources but is not terminal.
"""

from enum import Enum

from mesosphere.kernel.transitions import Step, Table
from mesosphere.wire.mesos.enums import is_terminal


class Action(Enum):
    """What the master does on the way."""

    RELEASE = "release resources"
    HOLD = "hold resources again"


STATES = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_UNREACHABLE",
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
)


def _steps() -> dict[tuple[str, str], Step[str, Action]]:
    steps: dict[tuple[str, str], Step[str, Action]] = {}
    for state in STATES:
        for given in STATES:
            if is_terminal(state):
                continue  # illegal: what is over stays over
            if state == "TASK_UNREACHABLE":
                actions = (Action.HOLD,) if not is_terminal(given) and given != state else ()
            elif is_terminal(given) or given == "TASK_UNREACHABLE":
                actions = (Action.RELEASE,)
            else:
                actions = ()
            steps[state, given] = Step(given, actions)
    return steps


TASK: Table[str, str, Action] = Table("task", _steps())
"""(state, state of an update) -> what follows. Missing: the update changes nothing."""
