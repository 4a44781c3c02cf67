"""Reconciliation: a framework asks after its tasks, all of them or some.

A hundred thousand answers are not given in one breath: they would hold everybody up and fill the
framework's stream before it can read. A part is answered at once, the next when others have had
their turn. Asking twice for what has not been answered yet asks once.
Source: Mesos, src/master/master.cpp, reconcile.
"""

from itertools import islice
from typing import TYPE_CHECKING

from mesosphere.kernel.effects import SetTimer
from mesosphere.master.core import tasks
from mesosphere.master.core.state import Framework
from mesosphere.wire.mesos import scheduler

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

TIMER = "reconcile/"

PART = 1_000

WAITING_LIMIT = 500_000
"""Tasks of a framework that wait for an answer; beyond it they are answered at once."""


def ask(
    master: "MasterMachine",
    now: float,
    framework: Framework,
    asked: list[scheduler.ReconcileTask],
) -> None:
    """Answer for these tasks, or for all of them if none is named."""
    waiting = framework.unanswered
    is_first = not waiting
    if asked:
        waiting.update((task.task_id.value, task) for task in asked)
    else:
        for task_id in framework.tasks:
            waiting.setdefault(task_id)
    if is_first:
        answer_some(master, now, framework)
    while len(waiting) > WAITING_LIMIT:
        _answer(master, now, framework)


def answer_some(master: "MasterMachine", now: float, framework: Framework) -> None:
    """Answer for the next part."""
    _answer(master, now, framework)
    if framework.unanswered:
        master.out.append(SetTimer(TIMER + framework.id, 0.0))


def _answer(master: "MasterMachine", now: float, framework: Framework) -> None:
    waiting = framework.unanswered
    for task_id in list(islice(waiting, PART)):
        asked = waiting.pop(task_id)
        if asked is not None:
            tasks.reconcile(master, now, framework, asked)
        elif task_id in framework.tasks:
            tasks.answer_known(master, now, framework, framework.tasks[task_id])
