"""From due to launched: the queue meets the offers.

Decides: which due jobs join the queue, which queued run goes on which offer, when offers are wanted
at all. While nothing waits, offers are suppressed, so that other frameworks get them at once.

Invariants: a run is launched only after the transaction that records its task (and advances its
schedule) is durable; a job that fits nowhere does not stop those behind it.
Source: Chronos, TaskManager, MesosJobFramework.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesosphere.chronos.core.matcher import Pool, build_task
from mesosphere.chronos.core.runs import RUNNING_LIMIT, Run, Task, task_id
from mesosphere.kernel.effects import Effect, Log
from mesosphere.wire.mesos import Launch, Offer, Operation

if TYPE_CHECKING:
    from mesosphere.chronos.core.machine import ChronosMachine

ROUND_LIMIT = 5_000
"""Queued runs looked at in one round of offers."""


def enqueue_due(machine: "ChronosMachine", now: float) -> list[Effect]:
    """The alarm rang: queue what is due and the retries whose time has come."""
    book = machine.book
    for key in book.agenda.take_due(now):
        kind, name = key.split("/", 1)
        job = book.jobs.get(name)
        if job is None:
            continue
        runs = book.runs[name]
        if kind == "retry":
            retry = runs.retry
            book.change_runs(name).retry = None
            if retry is not None and not job.disabled:
                book.enqueue(name, retry)
        elif not job.concurrent and runs.is_running:
            pass  # it stays due, and is queued when its task ends (see `requeue_due`)
        else:
            _enqueue_scheduled(machine, now, name)
    return []


def requeue_due(machine: "ChronosMachine", now: float, name: str) -> None:
    """A task of the job has ended: if the schedule became due meanwhile, it runs now, once."""
    schedule = machine.book.schedules.get(name)
    job = machine.book.jobs.get(name)
    if job is None or job.disabled or schedule is None:
        return
    if schedule.is_due(now):
        _enqueue_scheduled(machine, now, name)
    else:
        machine.book.plan(name)


def _enqueue_scheduled(machine: "ChronosMachine", now: float, name: str) -> None:
    book = machine.book
    schedule = book.schedules[name]
    if not schedule.is_due(now):
        book.plan(name)
        return
    words = " ".join(book.jobs[name].arguments)
    book.enqueue(name, Run(due_ms=int(now * 1000), arguments=words, counted=True))


def steer_offers(machine: "ChronosMachine") -> list[Effect]:
    """Ask for offers when runs wait, and for none when nothing does."""
    if not machine.client.is_subscribed:
        return []
    wanted = bool(machine.book.high or machine.book.normal)
    if wanted and machine.is_suppressed:
        machine.is_suppressed = False
        return machine.client.revive()
    if not wanted and not machine.is_suppressed:
        machine.is_suppressed = True
        return machine.client.suppress()
    return []


def use_offers(machine: "ChronosMachine", now: float, offers: Sequence[Offer]) -> list[Effect]:
    """Launch what fits, decline the rest."""
    pools = [Pool(offer, machine.config.role) for offer in offers]
    if machine.book.framework_id is not None:
        _fill(machine, now, pools)
    effects: list[Effect] = []
    unused = [pool.offer.id.value for pool in pools if not pool.tasks]
    if unused:
        effects += machine.client.decline(unused, machine.config.decline_s)
    used = [pool for pool in pools if pool.tasks]
    if used:
        # The client sends at once, so it must not be asked before the launch is durable.
        machine.book.ledger.after(lambda later: _launch(machine, used))
    return effects


def _launch(machine: "ChronosMachine", pools: list[Pool]) -> list[Effect]:
    effects: list[Effect] = []
    for pool in pools:
        launch = Operation(type="LAUNCH", launch=Launch(task_infos=pool.tasks))
        effects += machine.client.accept([pool.offer.id.value], [launch], machine.config.decline_s)
    names = [task.task_id.value for pool in pools for task in pool.tasks]
    return [*effects, Log("info", "launched", {"tasks": names[:20], "count": len(names)})]


def _fill(machine: "ChronosMachine", now: float, pools: list[Pool]) -> None:
    book = machine.book
    for name in book.queue()[:ROUND_LIMIT]:
        job = book.jobs[name]
        runs = book.runs[name]
        run = runs.queued
        full = runs.is_running and (not job.concurrent or len(runs.tasks) >= RUNNING_LIMIT)
        if run is None or job.disabled or full:
            book.unqueue(name)
            if full and not job.disabled and run is not None and not run.counted:
                machine.count("runs_dropped_while_running")
            continue
        pool = next((pool for pool in pools if pool.missing(job) is None), None)
        if pool is None:
            continue
        book.unqueue(name)
        identifier = _unused_id(machine, name, run)
        pool.tasks.append(build_task(job, run, identifier, pool.offer, pool.take(job)))
        runs = book.change_runs(name)
        runs.tasks[identifier] = Task(
            run=run, launched_ms=int(now * 1000), agent_id=pool.offer.agent_id.value
        )
        runs.edges = dict.fromkeys(runs.edges, 0)
        book.tasks[identifier] = name
        if run.counted and name in book.schedules:
            _advance(machine, now, name)
        else:
            book.plan(name)


def _advance(machine: "ChronosMachine", now: float, name: str) -> None:
    book = machine.book
    book.schedules[name] = book.schedules[name].after_launch(now)
    book.change_job(name, schedule=book.schedules[name].render())


def _unused_id(machine: "ChronosMachine", name: str, run: Run) -> str:
    """An id that no task of the job has had: two runs may fall in one millisecond, a launch may
    be repeated, and a clock may have been set back."""
    runs = machine.book.change_runs(name)
    runs.last_due_ms = max(run.due_ms, runs.last_due_ms + 1)
    named = Run(due_ms=runs.last_due_ms, attempt=run.attempt, arguments=run.arguments)
    return task_id(name, named)
