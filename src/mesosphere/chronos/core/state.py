"""What a Chronos leader knows, and which of it must still be written.

The book holds jobs, their schedules and runs. Every change marks its node in the ledger, which
commits at the end of a step; what may only be said once a change is durable (replies, launches,
acknowledgements) is registered with `ledger.after`.

Layout below the store's root: `/epoch` (the leader's fence), `/framework_id`, `/jobs/<name>` (the
job document in JSON), `/runs/<name>` (its runs).
"""

import msgspec

from mesosphere.chronos.core.agenda import Agenda
from mesosphere.chronos.core.runs import Run, Runs
from mesosphere.chronos.core.schedule import Schedule, parse_schedule
from mesosphere.kernel.ledger import Ledger
from mesosphere.kernel.store import Put, Remove, Write
from mesosphere.wire.chronos import Defaults, Job, job_document, parse_job
from mesosphere.wire.errors import WireError

JOBS_LIMIT = 200_000
JOB_LIMIT_BYTES = 500_000
"""Largest job document; a store's node holds 1 MB."""

_ENCODER = msgspec.json.Encoder()
_RUNS_DECODER = msgspec.json.Decoder(Runs)


class Book:
    """The state of one Chronos."""

    def __init__(self, defaults: Defaults) -> None:
        self.defaults = defaults
        self.framework_id: str | None = None
        self.jobs: dict[str, Job] = {}
        self.schedules: dict[str, Schedule] = {}
        self.runs: dict[str, Runs] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.children: dict[str, dict[str, None]] = {}
        self.high: dict[str, None] = {}  # queued names, in order
        self.normal: dict[str, None] = {}
        self.agenda = Agenda()
        self.tasks: dict[str, str] = {}  # task id -> job name
        self.ledger = Ledger("book", self._write)

    # --- jobs ---------------------------------------------------------------------------------

    def put_job(self, job: Job, schedule: Schedule | None) -> None:
        """Add or replace a job; `schedule` is None for a dependent one."""
        self._unlink(job.name)
        self.jobs[job.name] = job
        self.runs.setdefault(job.name, Runs())
        if schedule is None:
            self.schedules.pop(job.name, None)
            self.parents[job.name] = job.parents or ()
            for parent in self.parents[job.name]:
                self.children.setdefault(parent, {})[job.name] = None
        else:
            self.schedules[job.name] = schedule
        self.plan(job.name)
        self.ledger.mark(f"/jobs/{job.name}")

    def remove_job(self, name: str) -> None:
        """Forget a job and its runs (its tasks are killed as strangers)."""
        self._unlink(name)
        self.jobs.pop(name)
        self.schedules.pop(name, None)
        for identifier in self.runs.pop(name).tasks:
            self.tasks.pop(identifier, None)
        self.unqueue(name)
        self.agenda.drop(f"due/{name}")
        self.agenda.drop(f"retry/{name}")
        self.ledger.mark(f"/jobs/{name}")
        self.ledger.mark(f"/runs/{name}")

    def _unlink(self, name: str) -> None:
        for parent in self.parents.pop(name, ()):
            self.children.get(parent, {}).pop(name, None)
            if not self.children.get(parent):
                self.children.pop(parent, None)

    def change_job(self, name: str, **changes: object) -> Job:
        """Replace fields of a job."""
        job = msgspec.structs.replace(self.jobs[name], **changes)
        self.jobs[name] = job
        self.plan(name)
        self.ledger.mark(f"/jobs/{name}")
        return job

    def change_runs(self, name: str) -> Runs:
        """The runs of a job, to be changed in place; they will be written."""
        self.ledger.mark(f"/runs/{name}")
        return self.runs[name]

    def plan(self, name: str) -> None:
        """Put the next instant of a scheduled job on the agenda, or take it off."""
        schedule = self.schedules.get(name)
        job = self.jobs[name]
        if schedule is None or job.disabled or schedule.repeats == 0 or self.is_queued(name):
            self.agenda.drop(f"due/{name}")
        else:
            self.agenda.put(f"due/{name}", schedule.due_at)

    # --- the queue ----------------------------------------------------------------------------

    def is_queued(self, name: str) -> bool:
        """Whether the job waits for an offer."""
        return name in self.high or name in self.normal

    def enqueue(self, name: str, run: Run) -> bool:
        """Queue a run; a job that is queued already keeps its place and the new run is dropped."""
        if self.is_queued(name):
            return False
        (self.high if self.jobs[name].high_priority else self.normal)[name] = None
        self.change_runs(name).queued = run
        self.plan(name)
        return True

    def unqueue(self, name: str) -> None:
        """Take a job out of the queue."""
        self.high.pop(name, None)
        self.normal.pop(name, None)
        if name in self.runs and self.runs[name].queued is not None:
            self.change_runs(name).queued = None

    def queue(self) -> list[str]:
        """Names in the order of their turn: high priority first."""
        return [*self.high, *self.normal]

    # --- durability ---------------------------------------------------------------------------

    def _write(self, path: str) -> Write:
        if path == "/framework_id":
            return Put(path, (self.framework_id or "").encode())
        kind, name = path[1:].split("/", 1)
        if name not in self.jobs:
            return Remove(path)
        if kind == "jobs":
            return Put(path, _ENCODER.encode(job_document(self.jobs[name])))
        return Put(path, _ENCODER.encode(self.runs[name]))

    def load(self, entries: dict[str, tuple[bytes, int]], now: float) -> list[str]:
        """Read the store's content; returns what could not be read, which is left untouched."""
        faults = []
        for path in sorted(entries):
            data = entries[path][0]
            if path == "/framework_id":
                self.framework_id = data.decode() or None
            elif path.startswith("/jobs/"):
                try:
                    job = parse_job(msgspec.json.decode(data), self.defaults, "")
                    schedule = self.schedule_of(job, now)
                except (ValueError, WireError, msgspec.DecodeError) as error:
                    faults.append(f"{path}: {error}")
                    continue
                self.put_job(job, schedule)
        for path in sorted(entries):
            name = path.removeprefix("/runs/")
            if path.startswith("/runs/") and name in self.jobs:
                try:
                    self._load_runs(name, _RUNS_DECODER.decode(entries[path][0]))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    faults.append(f"{path}: {error}")
        self.ledger.forget()
        return faults

    def _load_runs(self, name: str, runs: Runs) -> None:
        self.runs[name] = runs
        for identifier in runs.tasks:
            self.tasks[identifier] = name
        if runs.queued is not None:
            (self.high if self.jobs[name].high_priority else self.normal)[name] = None
        if runs.retry is not None:
            self.agenda.put(f"retry/{name}", runs.retry.due_ms / 1000)
        self.plan(name)

    def schedule_of(self, job: Job, now: float) -> Schedule | None:
        """The schedule of a job, None for a dependent one. Raises ScheduleError."""
        if job.is_dependent:
            return None
        return parse_schedule(job.schedule, job.schedule_time_zone, now)
