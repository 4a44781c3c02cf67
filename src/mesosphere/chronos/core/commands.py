"""What a user may ask for: the commands of the API, and their checks.

Checks raise `Rejected` with the status and a sentence; then nothing was changed. A command that
passes changes the book; the machine answers once the change is durable.
Source: Chronos, Iso8601JobResource, DependentJobResource, JobManagementResource.
"""

import re

import msgspec

from mesosphere.chronos.core.graph import count_success, find_cycle, parents_without
from mesosphere.chronos.core.runs import Run, clean_arguments
from mesosphere.chronos.core.schedule import INFINITE, ScheduleError, format_utc
from mesosphere.chronos.core.state import JOB_LIMIT_BYTES, JOBS_LIMIT, Book
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request
from mesosphere.wire.chronos import Job, job_document

NAME = re.compile(r"^[\w.-]+$", re.ASCII)
LEGACY_NAME = re.compile(r"^[\w #.-]+$", re.ASCII)
"""Version 2 took spaces and "#"."""

NAME_LIMIT = 200
"""A name is part of task ids, which Mesos limits to 255 characters."""

EARLIEST_START_S = 1.0


class Rejected(Exception):
    """A command that was refused: HTTP status and one sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class JobSubmitted(Event, frozen=True):
    """POST of a job, as it was parsed. `is_legacy`: through version 2's URLs."""

    request: str
    job: Job
    is_legacy: bool = False


class RunRequested(Event, frozen=True):
    """PUT job/{name}: run it now. `arguments` None: the job's own."""

    request: str
    name: str
    arguments: str | None


class JobDeleted(Event, frozen=True):
    """DELETE job/{name}."""

    request: str
    name: str


class SuccessMarked(Event, frozen=True):
    """PUT job/success/{name}."""

    request: str
    name: str


class TasksKilled(Event, frozen=True):
    """DELETE task/kill/{name}."""

    request: str
    name: str


class QueuePurged(Event, frozen=True):
    """DELETE task/all."""

    request: str


class ProgressReported(Event, frozen=True):
    """POST job/{name}/task/{id}/progress."""

    request: str
    name: str
    task_id: str
    elements: int


class ProxyNeeded(Event, frozen=True):
    """A request that the leader must answer."""

    request: Request


def known(book: Book, name: str) -> Job:
    """The job, or the original's answer for an unknown one (400, not 404)."""
    job = book.jobs.get(name)
    if job is None:
        raise Rejected(400, f"requirement failed: Job '{name}' not found")
    return job


def submit(book: Book, now: float, job: Job, is_legacy: bool = False) -> None:
    """Add or replace a job; `is_legacy` allows the names that version 2 took."""
    old = book.jobs.get(job.name)
    if old is None:
        _check_new(book, job, LEGACY_NAME if is_legacy else NAME)
    if len(msgspec.json.encode(job_document(job))) > JOB_LIMIT_BYTES:
        raise Rejected(400, f"requirement failed: the job is larger than {JOB_LIMIT_BYTES} bytes")
    if min(job.cpus, job.mem, job.disk) < 0:
        raise Rejected(400, "requirement failed: cpus, mem and disk must not be negative")
    if job.is_dependent:
        _check_parents(book, job)
    try:
        schedule = book.schedule_of(job, now)
    except ScheduleError as error:
        raise Rejected(400, f"requirement failed: {error}") from error
    if schedule is not None and schedule.due_at < EARLIEST_START_S and old is None:
        raise Rejected(400, "requirement failed: the start must not be before 1970-01-01T00:00:01Z")
    if old is not None and old.parents != job.parents:
        # An edge that comes anew starts counting at zero.
        runs = book.change_runs(job.name)
        runs.edges = {
            parent: count for parent, count in runs.edges.items() if parent in (old.parents or ())
        }
    if job.name in book.runs and job.disabled:
        book.unqueue(job.name)
    book.put_job(job, schedule)


def _check_new(book: Book, job: Job, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(job.name) or len(job.name) > NAME_LIMIT:
        raise Rejected(
            400,
            f"requirement failed: the job's name '{job.name}' is invalid."
            f" Allowed: letters, digits, '_', '-' and '.', at most {NAME_LIMIT}",
        )
    if job.uris and job.fetch:
        raise Rejected(400, "requirement failed: 'uris' is deprecated and may not go with 'fetch'")
    if len(book.jobs) >= JOBS_LIMIT:
        raise Rejected(400, f"requirement failed: there are {JOBS_LIMIT} jobs, the most allowed")


def _check_parents(book: Book, job: Job) -> None:
    if not job.parents:
        raise Rejected(400, "requirement failed: a dependent job needs at least one parent")
    cycle = find_cycle({**book.parents, job.name: job.parents}, job.name)
    if cycle is not None:
        raise Rejected(400, f"requirement failed: a cycle: {' -> '.join(cycle)}")


def run_now(book: Book, now: float, name: str, arguments: str | None) -> None:
    """Queue a manual run; it uses up none of the schedule's runs."""
    job = known(book, name)
    words = clean_arguments(arguments or "") or " ".join(job.arguments)
    book.enqueue(name, Run(due_ms=int(now * 1000), arguments=words))


def purge(book: Book, now: float) -> None:
    """Drop every run that waits for an offer; for a schedule it counts as the run that was due."""
    for name in book.queue():
        run, schedule = book.runs[name].queued, book.schedules.get(name)
        book.unqueue(name)
        if run is not None and run.counted and schedule is not None:
            book.schedules[name] = schedule.after_launch(now)
            book.change_job(name, schedule=book.schedules[name].render())


def delete(book: Book, now: float, name: str) -> list[str]:
    """Remove a job and rewire its children; returns the ids of its tasks, which must be killed.

    Children of a dependent job inherit its parents. A child of a scheduled job that has no other
    parent takes over its schedule, all of its own other fields kept.
    """
    job = known(book, name)
    tasks = list(book.runs[name].tasks)
    for child in list(book.children.get(name, ())):
        dependent = book.jobs[child]
        parents = parents_without(name, job.parents or (), dependent.parents or ())
        if parents:
            heir = msgspec.structs.replace(dependent, parents=parents)
        else:
            heir = msgspec.structs.replace(
                dependent,
                parents=None,
                schedule=job.schedule,
                schedule_time_zone=job.schedule_time_zone,
            )
        runs = book.change_runs(child)
        runs.edges = {parent: count for parent, count in runs.edges.items() if parent in parents}
        book.put_job(heir, book.schedule_of(heir, now))
    book.remove_job(name)
    return tasks


def mark_success(book: Book, now: float, name: str) -> bool:
    """Count a success by hand; False for an unknown job."""
    if name not in book.jobs:
        return False
    book.change_runs(name).edges = {}
    count_job_success(book, now, name)
    return True


def count_job_success(book: Book, now: float, name: str) -> list[str]:
    """A success of a job: its counters and its children. Returns the children released."""
    job = book.jobs[name]
    schedule = book.schedules.get(name)
    spent = schedule is not None and schedule.repeats == 0
    book.change_job(
        name,
        success_count=job.success_count + 1,
        errors_since_last_success=0,
        last_success=format_utc(now),
        disabled=job.disabled or spent,
    )
    return release_children(book, now, name)


def release_children(book: Book, now: float, name: str) -> list[str]:
    """Count a success of `name` on the edges to its children and queue those released."""
    released = []
    for child in list(book.children.get(name, ())):
        job = book.jobs[child]
        runs = book.change_runs(child)
        runs.edges, is_released = count_success(runs.edges, job.parents or (), name)
        if is_released and not job.disabled:
            book.enqueue(child, Run(due_ms=int(now * 1000), arguments=" ".join(job.arguments)))
            released.append(child)
    return released


def is_exhausted(book: Book, name: str) -> bool:
    """Whether a scheduled job has no run left."""
    schedule = book.schedules.get(name)
    return schedule is not None and schedule.repeats != INFINITE and schedule.repeats <= 0
