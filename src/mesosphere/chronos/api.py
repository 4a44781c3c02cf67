"""Chronos's HTTP interface: both generations of URLs, one route table.

Version 3 has its root at `/v1/scheduler`, version 2 at `/scheduler`; both are served. A Chronos
that does not lead hands every request but `/ping` and its own metrics to the leader.
Source: Chronos, api package; codes and bodies as there (an unknown job is 400, not 404).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from mesosphere.chronos import views
from mesosphere.chronos.core import commands
from mesosphere.chronos.core.commands import Rejected
from mesosphere.chronos.core.machine import ChronosMachine, error_response, open_to_all
from mesosphere.chronos.core.runs import job_name_of
from mesosphere.chronos.core.schedule import format_utc
from mesosphere.kernel.http import (
    Answer,
    Api,
    Request,
    Response,
    Route,
    Router,
    is_authorized,
    json_response,
    text_response,
)
from mesosphere.wire.chronos import Job, job_document, parse_job
from mesosphere.wire.errors import WireError

SEARCH_LIMIT = 10
SEARCH_LIMIT_MOST = 100_000
LOCAL = ("/ping", "/metrics")
ROOT = "/v1/scheduler"
LEGACY_ROOT = "/scheduler"


def _parse(machine: ChronosMachine, now: float, request: Request) -> Job:
    try:
        document = msgspec.json.decode(request.body)
        return parse_job(document, machine.config.defaults, format_utc(now))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(400, f"the body is not JSON: {error}") from error
    except WireError as error:
        raise Rejected(400, str(error)) from error


def submit_scheduled(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """A job with a schedule (or none at all: it runs once, now)."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Rejected(415, "Content-Type must be application/json")
    job = _parse(machine, now, request)
    if job.is_dependent:
        raise Rejected(400, "a job with parents belongs to /dependency")
    return commands.JobSubmitted(request.id, job, _is_legacy(request))


def submit_dependent(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """A job that runs after its parents."""
    job = _parse(machine, now, request)
    if not job.is_dependent:
        raise Rejected(400, "a job without parents belongs to /iso8601")
    return commands.JobSubmitted(request.id, job, _is_legacy(request))


def _is_legacy(request: Request) -> bool:
    return request.path.startswith(f"{LEGACY_ROOT}/")


def list_jobs(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """All jobs, on one line."""
    return json_response(200, views.jobs(machine.book))


def _number(request: Request, name: str, default: int) -> int:
    text = request.first(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Rejected(400, f"'{name}' must be a whole number, not '{text}'")
    return min(int(text), SEARCH_LIMIT_MOST)


def search_jobs(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """Jobs by name and command."""
    found = views.search(
        machine.book,
        request.first("name"),
        request.first("command"),
        request.first("any"),
        _number(request, "limit", SEARCH_LIMIT),
        _number(request, "offset", 0),
    )
    return json_response(200, found)


def summarize(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """State of every job, for dashboards."""
    return json_response(200, views.summary(machine.book))


def show_job(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """One job."""
    job = commands.known(machine.book, name)
    return json_response(200, job_document(job))


def run_job(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """Run it now."""
    commands.known(machine.book, name)
    return commands.RunRequested(request.id, name, request.first("arguments"))


def delete_job(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """Remove it; its children inherit its place."""
    commands.known(machine.book, name)
    return commands.JobDeleted(request.id, name)


def mark_success(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """Count a success by hand."""
    return commands.SuccessMarked(request.id, name)


def show_statistics(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """Histogram and history."""
    commands.known(machine.book, name)
    return json_response(200, views.statistics(machine.book, name))


def explain_job(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """Why it does not run now (an answer that the original does not give)."""
    job = commands.known(machine.book, name)
    reason = views.waiting_reason(machine.book, machine.book.runs[name], job)
    return json_response(200, {"name": name, "reason": reason})


def report_progress(
    machine: ChronosMachine, now: float, request: Request, name: str, task: str
) -> Answer:
    """Elements that a task has processed."""
    job = commands.known(machine.book, name)
    if not job.data_processing_job_type:
        raise Rejected(400, f"requirement failed: '{name}' is not a data processing job")
    if job_name_of(task) != name:
        raise Rejected(400, f"requirement failed: '{task}' is not a task id of '{name}'")
    try:
        document: Any = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(400, f"the body is not JSON: {error}") from error
    elements = document.get("numAdditionalElementsProcessed") if isinstance(document, dict) else 0
    if not isinstance(elements, int) or isinstance(elements, bool) or elements <= 0:
        raise Rejected(400, "numAdditionalElementsProcessed: must be a whole number above 0")
    return commands.ProgressReported(request.id, name, task, elements)


def kill_tasks(machine: ChronosMachine, now: float, request: Request, name: str) -> Answer:
    """Kill the running tasks of a job."""
    commands.known(machine.book, name)
    return commands.TasksKilled(request.id, name)


def purge_queue(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """Drop every run that waits for an offer (version 2)."""
    return commands.QueuePurged(request.id)


def show_dot(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """The graph for Graphviz."""
    return text_response(200, views.graph_dot(machine.book))


def show_csv(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """The graph as lines."""
    return text_response(200, views.graph_csv(machine.book))


def show_slowest(machine: ChronosMachine, now: float, request: Request, percentile: str) -> Answer:
    """Run times of all jobs."""
    return json_response(200, views.slowest(machine.book, percentile))


def show_leader(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """Who leads."""
    return json_response(200, {"leader": machine.leader or ""})


def ping(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """Liveness of this process."""
    return text_response(200, "pong")


def show_metrics(machine: ChronosMachine, now: float, request: Request) -> Answer:
    """Counters and gauges of this process."""
    return json_response(
        200, views.metrics(machine.book, machine.counters, machine.gauges, machine.is_leader)
    )


def _scheduler_routes(root: str, submit_methods: tuple[str, ...]) -> list[Route]:
    routes = [
        Route("GET", f"{root}/jobs", list_jobs, "all jobs"),
        Route("GET", f"{root}/jobs/search", search_jobs, "jobs by name and command"),
        Route("GET", f"{root}/jobs/summary", summarize, "state of every job"),
        Route("GET", f"{root}/job/{{name}}", show_job, "one job"),
        Route("PUT", f"{root}/job/{{name}}", run_job, "run it now"),
        Route("DELETE", f"{root}/job/{{name}}", delete_job, "remove it"),
        Route("PUT", f"{root}/job/success/{{name}}", mark_success, "count a success"),
        Route("GET", f"{root}/job/stat/{{name}}", show_statistics, "run times and history"),
        Route("GET", f"{root}/job/{{name}}/explain", explain_job, "why it does not run now"),
        Route(
            "POST",
            f"{root}/job/{{name}}/task/{{task}}/progress",
            report_progress,
            "elements processed",
        ),
        Route("DELETE", f"{root}/task/kill/{{name}}", kill_tasks, "kill its tasks"),
        Route("GET", f"{root}/graph/dot", show_dot, "the graph for Graphviz"),
        Route("GET", f"{root}/graph/csv", show_csv, "the graph as lines"),
        Route("GET", f"{root}/stats/{{percentile}}", show_slowest, "run times of all jobs"),
        Route("GET", f"{root}/leader", show_leader, "who leads"),
    ]
    for method in submit_methods:
        routes += [
            Route(method, f"{root}/iso8601", submit_scheduled, "add or replace a scheduled job"),
            Route(method, f"{root}/dependency", submit_dependent, "add or replace a dependent job"),
        ]
    return routes


ROUTES: tuple[Route, ...] = (
    *_scheduler_routes(ROOT, ("POST",)),
    *_scheduler_routes(LEGACY_ROOT, ("POST", "PUT")),
    Route("DELETE", f"{LEGACY_ROOT}/task/all", purge_queue, "forget the queued runs"),
    Route("GET", "/ping", ping, "liveness"),
    Route("GET", "/metrics", show_metrics, "counters and gauges"),
)


def _guarded(handler: Callable[..., Answer]) -> Callable[..., Answer]:
    def answer(machine: ChronosMachine, now: float, request: Request, **parameters: str) -> Answer:
        try:
            result = handler(machine, now, request, **parameters)
        except Rejected as rejected:
            result = error_response(rejected.status, rejected.message)
        return open_to_all(result) if isinstance(result, Response) else result

    return answer


def _intercept(machine: ChronosMachine, now: float, request: Request) -> Answer | None:
    if not is_authorized(request, machine.config.http_credentials):
        refusal = open_to_all(error_response(401, "these credentials are not known"))
        challenge = {"WWW-Authenticate": f'Basic realm="{machine.config.http_realm}"'}
        return Response(401, {**refusal.headers, **challenge}, refusal.body)
    if request.path.rstrip("/") in LOCAL or machine.is_loaded:
        return None
    return commands.ProxyNeeded(request)


def api(machine: ChronosMachine) -> Api:
    """The routes bound to a machine."""
    routes = [route._replace(handler=_guarded(route.handler)) for route in ROUTES]
    return Api(
        Router(routes),
        machine,
        intercept=_intercept,
        not_found=lambda request: open_to_all(
            error_response(404, f"there is nothing at {request.path}")
        ),
        not_allowed=lambda request, allowed: open_to_all(
            Response(405, {"Allow": ", ".join(allowed)})
        ),
    )
