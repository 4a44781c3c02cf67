"""What came of a task: success, failure and retry, or killed.

Decides: counters, history, the next attempt, disabling, who is told. An update is acknowledged
after its effects are durable, so a crash between the two only repeats it.

Invariants: a task ends once (a repeated terminal update finds no task and is only acknowledged); a
task of ours that the book does not know is killed; attempts never exceed 1 + retries.
Source: Chronos, JobScheduler.handleFinishedTask, handleFailedTask, handleKilledTask; unlike the
original, a job whose last run failed still gets its retries.
"""

from typing import TYPE_CHECKING

import msgspec

from mesosphere.chronos.core import commands, dispatch
from mesosphere.chronos.core.notifications import messages
from mesosphere.chronos.core.runs import (
    HISTORY_DURATIONS,
    Outcome,
    Record,
    Run,
    Task,
    judge,
)
from mesosphere.chronos.core.schedule import format_utc
from mesosphere.kernel.effects import Effect, Log
from mesosphere.wire.chronos import Job
from mesosphere.wire.mesos import TaskStatus
from mesosphere.wire.mesos.enums import is_terminal

if TYPE_CHECKING:
    from mesosphere.chronos.core.machine import ChronosMachine


def take_update(machine: "ChronosMachine", now: float, status: TaskStatus) -> list[Effect]:
    """Take a status update."""
    identifier = status.task_id.value
    # The acknowledgement waits for what the update changes.
    effects: list[Effect] = []
    name = machine.book.tasks.get(identifier)
    if is_terminal(status.state):
        machine.killing.pop(identifier, None)
    if name is None:
        machine.book.ledger.after(lambda later: machine.client.acknowledge(status))
        if not is_terminal(status.state) and status.state != "TASK_UNREACHABLE":
            effects.append(Log("warning", "unknown_task_killed", {"task": identifier}))
            effects += machine.kill([identifier])
        return effects
    task = machine.book.runs[name].tasks[identifier]
    outcome = judge(task, status.state, status.source or "")
    effects.append(
        Log("info", "task_update", {"task": identifier, "state": status.state, "outcome": outcome})
    )
    if outcome is Outcome.NOTE_RUNNING:
        _note_running(machine, name, identifier, task, status)
    elif outcome is Outcome.LAUNCH_AGAIN:
        _end(machine, name, identifier)
        # With an id of its own, for the lost one may yet turn up; its repeat was counted already.
        again = msgspec.structs.replace(task.run, counted=False)
        machine.book.enqueue(name, again)
    else:
        _conclude(machine, now, name, identifier, outcome, status)
    machine.book.ledger.after(lambda later: machine.client.acknowledge(status))
    return effects


def _note_running(
    machine: "ChronosMachine", name: str, identifier: str, task: Task, status: TaskStatus
) -> None:
    agent_id = status.agent_id.value if status.agent_id is not None else task.agent_id
    noted = msgspec.structs.replace(
        task, agent_id=agent_id, seen=task.seen or status.source != "SOURCE_MASTER"
    )
    if noted != task:
        machine.book.change_runs(name).tasks[identifier] = noted


def _end(machine: "ChronosMachine", name: str, identifier: str) -> Task:
    machine.book.tasks.pop(identifier)
    return machine.book.change_runs(name).tasks.pop(identifier)


def _conclude(
    machine: "ChronosMachine",
    now: float,
    name: str,
    identifier: str,
    outcome: Outcome,
    status: TaskStatus,
) -> None:
    task = _end(machine, name, identifier)
    succeeded = outcome is Outcome.COUNT_SUCCESS
    _remember(machine, now, name, identifier, task, succeeded)
    if succeeded:
        machine.count(f"jobs.run.success.{name}")
        commands.count_job_success(machine.book, now, name)
        if commands.is_exhausted(machine.book, name):
            subject = f"[Chronos] job '{name}' disabled"
            notify(machine, machine.book.jobs[name], subject, "")
    elif outcome is Outcome.COUNT_FAILURE:
        machine.count(f"jobs.run.failure.{name}")
        _fail(machine, now, name, identifier, task.run, status)
    dispatch.requeue_due(machine, now, name)


def _remember(
    machine: "ChronosMachine", now: float, name: str, identifier: str, task: Task, succeeded: bool
) -> None:
    runs = machine.book.change_runs(name)
    record = Record(
        task_id=identifier,
        agent_id=task.agent_id,
        start_ms=task.launched_ms,
        end_ms=int(now * 1000),
        status="Success" if succeeded else "Fail",
        elements=runs.elements.pop(identifier, 0),
    )
    runs.history = [*runs.history, record][-max(machine.config.history_limit, 1) :]
    if succeeded:
        spent_ms = max(int(now * 1000) - task.run.due_ms, 0)
        runs.durations_ms = [*runs.durations_ms, spent_ms][-HISTORY_DURATIONS:]


def _fail(
    machine: "ChronosMachine",
    now: float,
    name: str,
    identifier: str,
    run: Run,
    status: TaskStatus,
) -> None:
    book = machine.book
    job = book.jobs[name]
    if run.attempt < job.retries:
        at = now + machine.config.failure_retry_s
        retry = Run(due_ms=int(at * 1000), attempt=run.attempt + 1, arguments=run.arguments)
        book.change_runs(name).retry = retry
        book.agenda.put(f"retry/{name}", at)
        return
    errors = job.errors_since_last_success + 1
    limit = machine.config.disable_after_failures
    is_disabling = 0 < limit <= errors
    job = book.change_job(
        name,
        error_count=job.error_count + 1,
        errors_since_last_success=errors,
        last_error=format_utc(now),
        disabled=job.disabled or is_disabling,
    )
    if job.soft_error:
        commands.release_children(book, now, name)
    if is_disabling:
        notify(machine, job, f"[Chronos] job '{name}' disabled", "")
        return
    text = f"'{identifier}' failed after {run.attempt + 1} attempts at {format_utc(now)}"
    if status.message:
        text += f": {status.message}"
    notify(machine, job, f"[Chronos] job '{name}' failed!", text)


def notify(machine: "ChronosMachine", job: Job, subject: str, message: str) -> None:
    """Tell whom it concerns, once what happened is durable."""
    machine.notified += 1
    calls = messages(machine.config.channels, job, subject, message, machine.notified)
    machine.book.ledger.after(lambda later: calls)
