"""The table of a task's life, walked whole, and what ends mean."""

import itertools

import pytest

from mesosphere.agent.core.exits import Circumstances, describe_status, judge_exit
from mesosphere.agent.core.life_cycle import LIFE_CYCLE, Action, Input, Phase

ENDS = (Action.TELL_END, Action.TELL_CANCELLED, Action.TELL_LAUNCH_FAILED)

IGNORED = {
    (Phase.LAUNCHING, Input.GRACE_OVER),
    (Phase.LAUNCHING, Input.EXPIRED),
    (Phase.LAUNCHING, Input.UNHEALTHY),
    (Phase.CANCELLING, Input.GRACE_OVER),
    (Phase.CANCELLING, Input.EXPIRED),
    (Phase.CANCELLING, Input.UNHEALTHY),
    (Phase.RUNNING, Input.STARTED),
    (Phase.RUNNING, Input.LAUNCH_FAILED),
    (Phase.RUNNING, Input.GRACE_OVER),
    (Phase.KILLING, Input.STARTED),
    (Phase.KILLING, Input.LAUNCH_FAILED),
    *((Phase.ENDED, given) for given in Input),
}


@pytest.mark.parametrize(("phase", "given"), list(itertools.product(Phase, Input)))
def test_every_pair_is_a_step_or_is_named_as_ignored(phase: Phase, given: Input) -> None:
    step = LIFE_CYCLE.step(phase, given)
    assert (step is None) == ((phase, given) in IGNORED)


def test_a_task_ends_exactly_when_its_end_is_told() -> None:
    for (phase, given), step in LIFE_CYCLE.steps.items():
        told = [action for action in step.actions if action in ENDS]
        assert len(told) == (1 if step.state is Phase.ENDED else 0), (phase, given)


def test_a_container_that_ended_or_failed_always_ends_its_task() -> None:
    for phase in (Phase.LAUNCHING, Phase.CANCELLING, Phase.RUNNING, Phase.KILLING):
        step = LIFE_CYCLE.step(phase, Input.EXITED)
        assert step is not None and step.state is Phase.ENDED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "Command exited with status 0"),
        (7 << 8, "Command exited with status 7"),
        (9, "Command terminated with signal Killed"),
        (15, "Command terminated with signal Terminated"),
        (11 | 0x80, "Command terminated with signal Segmentation fault (core dumped)"),
        (127 - 63, "Command terminated with signal Real-time signal 30"),
    ],
)
def test_statuses_read_as_the_original_writes_them(status: int, words: str) -> None:
    assert describe_status(status) == words


def test_what_an_exit_means() -> None:
    plain = Circumstances()
    assert judge_exit(0, "", "", plain).state == "TASK_FINISHED"
    assert judge_exit(256, "", "", plain).state == "TASK_FAILED"
    assert judge_exit(15, "", "", Circumstances(killed=True)).state == "TASK_KILLED"
    assert judge_exit(0, "", "", Circumstances(killed=True)).state == "TASK_KILLED"
    expired = judge_exit(9, "", "", Circumstances(killed=True, expired=True))
    assert (expired.state, expired.reason) == (
        "TASK_FAILED",
        "REASON_MAX_COMPLETION_TIME_REACHED",
    )
    memory = judge_exit(9, "memory", "Memory limit exceeded", plain)
    assert memory == (
        "TASK_FAILED",
        "REASON_CONTAINER_LIMITATION_MEMORY",
        "Memory limit exceeded",
        "SOURCE_AGENT",
        None,
    )
    unknown = judge_exit(None, "", "the host was restarted", plain)
    assert unknown.state == "TASK_FAILED"
    assert unknown.reason == "REASON_EXECUTOR_TERMINATED"
    assert "not known: the host was restarted" in unknown.message
