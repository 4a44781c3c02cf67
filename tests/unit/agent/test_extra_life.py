"""The table of an extra container's life, walked whole."""

import itertools

import pytest

from mesosphere.agent.core.extra_life import EXTRA_LIFE, ExtraAction, ExtraInput, ExtraPhase

NEVER = {
    # What runs was started, once.
    (ExtraPhase.RUNNING, ExtraInput.STARTED),
    (ExtraPhase.RUNNING, ExtraInput.FAILED),
}


@pytest.mark.parametrize(("phase", "given"), list(itertools.product(ExtraPhase, ExtraInput)))
def test_every_pair_of_the_table_is_planned(phase: ExtraPhase, given: ExtraInput) -> None:
    step = EXTRA_LIFE.step(phase, given)
    if phase is ExtraPhase.ENDED or (phase, given) in NEVER:
        assert step is None
        return
    assert step is not None
    ends = step.state is ExtraPhase.ENDED
    assert ends == (ExtraAction.TELL_END in step.actions)
    assert ends == (given in (ExtraInput.EXITED, ExtraInput.FAILED))
    wanted = given is ExtraInput.DESTROY or phase is ExtraPhase.ENDING
    assert (ExtraAction.DESTROY in step.actions) == (wanted and not ends)
