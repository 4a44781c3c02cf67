"""The table of an executor's life, walked whole."""

import itertools

import pytest

from mesosphere.agent.core.executor_life import (
    EXECUTOR_LIFE,
    ExecutorAction,
    ExecutorInput,
    ExecutorPhase,
)

PAIRS = list(itertools.product(ExecutorPhase, ExecutorInput))
NEVER = {
    # A grace is armed by a shutdown only.
    (ExecutorPhase.REGISTERING, ExecutorInput.GRACE_OVER),
    (ExecutorPhase.RUNNING, ExecutorInput.GRACE_OVER),
    # Who is ready is not late, and has started.
    (ExecutorPhase.RUNNING, ExecutorInput.LATE),
    (ExecutorPhase.RUNNING, ExecutorInput.FAILED),
    (ExecutorPhase.TERMINATING, ExecutorInput.LATE),
}


@pytest.mark.parametrize(("phase", "given"), PAIRS)
def test_every_pair_of_the_table_is_planned(phase: ExecutorPhase, given: ExecutorInput) -> None:
    step = EXECUTOR_LIFE.step(phase, given)
    if phase is ExecutorPhase.ENDED or (phase, given) in NEVER:
        assert step is None
        return
    assert step is not None
    ends = step.state is ExecutorPhase.ENDED
    assert ends == (ExecutorAction.END_TASKS in step.actions)
    assert ends == (given in (ExecutorInput.EXITED, ExecutorInput.FAILED))


def test_only_an_executor_that_listens_is_asked_before_it_is_destroyed() -> None:
    asked = EXECUTOR_LIFE.step(ExecutorPhase.RUNNING, ExecutorInput.SHUTDOWN)
    assert asked is not None
    assert asked.actions == (ExecutorAction.ASK_TO_END, ExecutorAction.ARM_GRACE)
    unheard = EXECUTOR_LIFE.step(ExecutorPhase.REGISTERING, ExecutorInput.SHUTDOWN)
    assert unheard is not None and unheard.actions == (ExecutorAction.DESTROY,)
