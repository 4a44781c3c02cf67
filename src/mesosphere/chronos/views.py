"""What clients read of the jobs, their runs and the graph. Pure.

Source: Chronos, JobManagementResource, JobSummary, Exporter, StatsResource.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from mesosphere import __version__
from mesosphere.chronos.core.graph import dot
from mesosphere.chronos.core.runs import Record, Runs, percentiles
from mesosphere.chronos.core.state import Book
from mesosphere.wire.chronos import Fetch, Job, job_document

PERCENTILES = (
    "99thPercentile",
    "98thPercentile",
    "95thPercentile",
    "75thPercentile",
    "median",
    "mean",
)


def jobs(book: Book) -> list[dict[str, Any]]:
    """Every job; `uris` and `fetch` are mirrored into one another, here only."""
    return [job_document(_mirrored(job)) for job in book.jobs.values()]


def _mirrored(job: Job) -> Job:
    if job.uris and not job.fetch:
        return msgspec.structs.replace(job, fetch=tuple(Fetch(uri=uri) for uri in job.uris))
    if job.fetch and not job.uris:
        return msgspec.structs.replace(job, uris=tuple(fetch.uri for fetch in job.fetch))
    return job


def search(
    book: Book, name: str | None, command: str | None, text: str | None, limit: int, offset: int
) -> list[dict[str, Any]]:
    """Jobs whose name and command contain the texts, or where `text` is in either of them."""
    found = []
    for job in book.jobs.values():
        fits = _contains(job.name, name) and _contains(job.command, command)
        if not fits and text:
            fits = _contains(job.name, text) or _contains(job.command, text)
        if fits:
            found.append(job_document(job))
    return found[offset : offset + limit]


def _contains(value: str, part: str | None) -> bool:
    return part is None or part.lower() in value.lower()


def last_result(job: Job) -> str:
    """success, failure or fresh: the later of the two timestamps, a tie is a failure."""
    if not job.last_success and not job.last_error:
        return "fresh"
    if not job.last_error:
        return "success"
    if not job.last_success:
        return "failure"
    return "success" if job.last_success > job.last_error else "failure"


def run_state(book: Book, name: str) -> str:
    """idle, queued or "<n> running"."""
    running = len(book.runs[name].tasks)
    if running:
        return f"{running} running"
    return "queued" if book.is_queued(name) else "idle"


def summary(book: Book) -> dict[str, Any]:
    """What the web page polls."""
    return {
        "jobs": [
            {
                "name": job.name,
                "status": last_result(job),
                "state": run_state(book, job.name),
                "schedule": job.schedule,
                "parents": list(job.parents or ()),
                "disabled": job.disabled,
            }
            for job in book.jobs.values()
        ]
    }


def statistics(book: Book, name: str) -> dict[str, Any]:
    """Histogram (ms) and the latest runs of one job."""
    job, runs = book.jobs[name], book.runs[name]
    shown = [_history_entry(name, record, job) for record in reversed(runs.history)]
    running = [
        _history_entry(name, Record(identifier, task.agent_id, task.launched_ms, 0, "Running"), job)
        for identifier, task in runs.tasks.items()
    ]
    return {"histogram": percentiles(runs.durations_ms), "taskStatHistory": running + shown}


def _history_entry(name: str, record: Record, job: Job) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "taskId": record.task_id,
        "jobName": name,
        "slaveId": record.agent_id,
        "startTime": _moment(record.start_ms),
        "endTime": _moment(record.end_ms) if record.end_ms else "N/A",
        "status": record.status,
    }
    if record.end_ms:
        entry["duration"] = _duration((record.end_ms - record.start_ms) // 1000)
    if job.data_processing_job_type:
        entry["numElementsProcessed"] = record.elements
    return entry


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%m/%d/%y %H:%M:%S")


def _duration(seconds: int) -> str:
    days, rest = divmod(max(seconds, 0), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def slowest(book: Book, percentile: str) -> list[dict[str, Any]]:
    """Every job's run time in seconds at a percentile, the slowest first; [] for an unknown one."""
    if percentile not in PERCENTILES:
        return []
    times = [
        {"jobNameLabel": name, "time": percentiles(runs.durations_ms)[percentile] / 1000}
        for name, runs in book.runs.items()
    ]
    return sorted(times, key=lambda entry: -float(str(entry["time"])))


def graph_csv(book: Book) -> str:
    """A line per job, then a line per edge."""
    lines = [
        f"node,{name},{last_result(job)},{run_state(book, name)}" for name, job in book.jobs.items()
    ]
    for child, parents in book.parents.items():
        lines += [f"link,{parent},{child}" for parent in parents if parent in book.jobs]
    return "".join(f"{line}\n" for line in lines)


def graph_dot(book: Book) -> str:
    """Graphviz."""
    parents = {
        child: tuple(parent for parent in above if parent in book.jobs)
        for child, above in book.parents.items()
    }
    return dot(book.jobs, parents)


def metrics(
    book: Book, counters: dict[str, int], gauges: dict[str, float], is_leader: bool
) -> dict[str, Any]:
    """Dropwizard's shape."""
    values: dict[str, float] = {
        "org.apache.mesos.chronos.scheduler.jobs.TaskManager.queueSize": len(book.normal),
        "org.apache.mesos.chronos.scheduler.jobs.TaskManager.highQueueSize": len(book.high),
        "chronos.leader": int(is_leader),
        "chronos.jobs": len(book.jobs),
        "chronos.tasks": len(book.tasks),
        **gauges,
    }
    histograms = {
        f"jobs.run.time.{name}": percentiles(runs.durations_ms)
        for name, runs in book.runs.items()
        if runs.durations_ms
    }
    return {
        "version": "3.0.0",
        "mesosphere": __version__,
        "gauges": {name: {"value": value} for name, value in values.items()},
        "counters": {name: {"count": count} for name, count in counters.items()},
        "histograms": histograms,
        "meters": {},
        "timers": {},
    }


def waiting_reason(book: Book, runs: Runs, job: Job) -> str:
    """Why a job does not run now, in one sentence."""
    if job.disabled:
        return "the job is disabled"
    if runs.tasks:
        return f"{len(runs.tasks)} task(s) run"
    if runs.queued is not None:
        return "waiting for an offer with enough resources that meets the constraints"
    if runs.retry is not None:
        return f"attempt {runs.retry.attempt + 1} is planned for {_moment(runs.retry.due_ms)} UTC"
    missing = [parent for parent in job.parents or () if parent not in book.jobs]
    if missing:
        return f"unknown parents: {', '.join(missing)}"
    if job.parents is not None:
        return "waiting for its parents"
    schedule = book.schedules[job.name]
    return "no run is left" if schedule.repeats == 0 else f"next run: {schedule.render()}"
