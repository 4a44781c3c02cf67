"""The table of a task's life, walked whole."""

import pytest

from mesosphere.master.core.life_cycle import STATES, TASK, Action
from mesosphere.wire.mesos.enums import TASK_STATES, is_terminal


def test_the_table_knows_every_state_that_a_task_can_be_in() -> None:
    assert set(STATES) == set(TASK_STATES) - {"TASK_UNKNOWN"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("given", STATES)
def test_resources_are_held_by_exactly_the_states_that_run(state: str, given: str) -> None:
    """Terminal states are for ever; whoever enters a state without resources releases them."""

    def holds(name: str) -> bool:
        return not is_terminal(name) and name != "TASK_UNREACHABLE"

    step = TASK.step(state, given)
    if is_terminal(state):
        assert step is None
        return
    assert step is not None and step.state == given
    if holds(state) and not holds(given):
        assert step.actions == (Action.RELEASE,)
    if not holds(state) and holds(given):
        assert step.actions == (Action.HOLD,)
    if holds(given):
        assert Action.RELEASE not in step.actions
    else:
        assert Action.HOLD not in step.actions
