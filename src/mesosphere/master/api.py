"""The master's HTTP interface: v1 APIs and the legacy endpoints, one route table.

A master that does not lead redirects (307, `//host:port/path`) but for a few endpoints of its own;
without a leader it answers 503. Paths may begin with /master, end in .json, and be longer than the
route ("/api/v1/operator" is "/api/v1"). Source: Mesos, src/master/http.cpp, libprocess.
"""

import re
from urllib.parse import parse_qs, urlencode

import msgspec

from mesosphere.kernel.effects import ServeFile
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import (
    Api,
    Request,
    Response,
    Route,
    Router,
    json_response,
    text_response,
)
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.validation import check_call
from mesosphere.master.views import explain, legacy, metrics, operator
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, link, scheduler
from mesosphere.wire.mesos import operator as operator_wire

Answer = Response | Event

LOCAL = (
    "/health",
    "/version",
    "/flags",
    "/metrics",
    "/metrics/snapshot",
    "/redirect",
    "/logging/toggle",
)
LOCAL_PREFIXES = ("/files",)
WITH_BODY = ("TEARDOWN", "MARK_AGENT_GONE", "LIST_FILES", "READ_FILE")
"""Operator calls that mean nothing without their object."""

TASKS_LIMIT = 100
TASKS_LIMIT_MOST = 100_000


# --- v1 -----------------------------------------------------------------------------------------


def _check_media(request: Request) -> Response | None:
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if not kind:
        return text_response(400, "Expecting 'Content-Type' to be present")
    if kind != "application/json":
        return text_response(415, f"Expecting 'Content-Type' of application/json, not {kind}")
    return None


def _check_accept(request: Request) -> Response | None:
    accept = request.headers.get("accept", "*/*")
    wanted = [
        kind.strip()
        for kind, _, weight in (part.partition(";") for part in accept.split(","))
        if not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    ]
    if not any(part in ("*/*", "application/*", "application/json", "") for part in wanted):
        return text_response(406, "Expecting 'Accept' to allow application/json")
    return None


def call_scheduler(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1/scheduler`."""
    fault = _check_media(request)
    if fault is not None:
        return fault
    try:
        call = codec.decode(request.body, scheduler.Call)
    except WireError as error:
        return text_response(400, str(error))
    text = check_call(call)
    if text is not None:
        return text_response(400, f"Failed to validate scheduler::Call: {text}")
    if call.type == "SUBSCRIBE" and (fault := _check_accept(request)) is not None:
        return fault
    stream_id = request.headers.get("mesos-stream-id")
    return commands.SchedulerCalled(request.id, call, stream_id, request.peer)


def call_agent_link(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1/agent`: the link of agents."""
    try:
        call = codec.decode(request.body, link.Call)
    except WireError as error:
        return text_response(400, str(error))
    stream_id = request.headers.get("mesos-stream-id")
    return commands.AgentCalled(request.id, call, stream_id, request.peer)


def call_operator(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/api/v1`."""
    fault = _check_media(request) or _check_accept(request)
    if fault is not None:
        return fault
    try:
        call = codec.decode(request.body, operator_wire.Call)
    except WireError as error:
        return text_response(400, str(error))
    kind = call.type
    if kind in operator.READS:
        return Response(
            200, {"Content-Type": "application/json"}, codec.encode(operator.read(master, kind))
        )
    if kind == "SUBSCRIBE":
        return commands.OperatorSubscribed(request.id)
    if kind in WITH_BODY and getattr(call, kind.lower()) is None:
        text = f"Failed to validate master::Call: Expecting '{kind.lower()}' to be present"
        return text_response(400, text)
    if kind == "TEARDOWN" and call.teardown is not None:
        return commands.TeardownRequested(request.id, call.teardown.framework_id.value)
    if kind == "MARK_AGENT_GONE" and call.mark_agent_gone is not None:
        return commands.AgentGone(request.id, call.mark_agent_gone.agent_id.value)
    if kind == "LIST_FILES" and call.list_files is not None:
        return _file(master, request, "browse", call.list_files.path, v1=True)
    if kind == "READ_FILE" and call.read_file is not None:
        body = call.read_file
        return _file(
            master, request, "read", body.path, offset=body.offset, length=body.length, v1=True
        )
    if not kind:
        return text_response(400, "Failed to validate master::Call: Unknown call type")
    return text_response(501, f"{kind} is not supported by this master yet")


# --- legacy -------------------------------------------------------------------------------------


def _json(request: Request, value: object) -> Response:
    """JSON, or JSONP when a callback is named."""
    callback = request.first("jsonp")
    if callback is None:
        return json_response(200, value)
    if not re.fullmatch(r"[A-Za-z_$][\w$.]{0,127}", callback):
        return text_response(400, "'jsonp' is not the name of a function")
    body = b"%b(%b);" % (callback.encode(), msgspec.json.encode(value))
    return Response(200, {"Content-Type": "text/javascript"}, body)


def show_state(master: MasterMachine, now: float, request: Request) -> Answer:
    """Everything."""
    return _json(request, legacy.state(master))


def show_summary(master: MasterMachine, now: float, request: Request) -> Answer:
    """Agents and frameworks with task counts."""
    return _json(request, legacy.state_summary(master))


def show_agents(master: MasterMachine, now: float, request: Request) -> Answer:
    """Agents with full resources."""
    wanted = request.first("slave_id")
    found = [
        legacy.agent(agent, full=True)
        for agent in master.state.agents.values()
        if wanted is None or agent.id == wanted
    ]
    return _json(request, {"slaves": found, "recovered_slaves": legacy.recovered_agents(master)})


def show_frameworks(master: MasterMachine, now: float, request: Request) -> Answer:
    """Frameworks with tasks."""
    wanted = request.first("framework_id")

    def shown(known: object) -> list[object]:
        assert isinstance(known, dict)
        return [
            legacy.framework(found)
            for found in known.values()
            if wanted is None or found.id == wanted
        ]

    return _json(
        request,
        {
            "frameworks": shown(master.state.frameworks),
            "completed_frameworks": shown(master.state.completed),
            "unregistered_frameworks": [],
        },
    )


def _whole(request: Request, name: str, default: int) -> int | None:
    text = request.first(name)
    if text is None:
        return default
    return min(int(text), TASKS_LIMIT_MOST) if text.isdigit() and len(text) < 12 else None


def show_tasks(master: MasterMachine, now: float, request: Request) -> Answer:
    """Tasks of all frameworks, newest first."""
    limit, offset = _whole(request, "limit", TASKS_LIMIT), _whole(request, "offset", 0)
    if limit is None or offset is None:
        return text_response(400, "'limit' and 'offset' must be whole numbers\n")
    found = legacy.tasks(
        master,
        limit,
        offset,
        request.first("order") == "asc",
        request.first("framework_id"),
        request.first("task_id"),
    )
    return _json(request, found)


def show_roles(master: MasterMachine, now: float, request: Request) -> Answer:
    """Roles with what they hold."""
    return _json(request, legacy.roles(master))


def show_health(master: MasterMachine, now: float, request: Request) -> Answer:
    """Liveness."""
    return Response(200)


def show_version(master: MasterMachine, now: float, request: Request) -> Answer:
    """Version."""
    return _json(request, legacy.version())


def show_flags(master: MasterMachine, now: float, request: Request) -> Answer:
    """Flags as text."""
    return _json(request, {"flags": master.config.flags})


def show_snapshot(master: MasterMachine, now: float, request: Request) -> Answer:
    """Metrics as one flat object."""
    return _json(request, metrics.snapshot(master))


def show_prometheus(master: MasterMachine, now: float, request: Request) -> Answer:
    """Metrics for Prometheus."""
    return text_response(200, metrics.prometheus(master))


def show_explanation(master: MasterMachine, now: float, request: Request) -> Answer:
    """Why a framework gets no offers."""
    wanted = request.first("framework")
    if wanted is None:
        return text_response(400, "'framework' must name a framework id\n")
    found = explain.explain(master, now, wanted)
    if found is None:
        return text_response(404, f"No framework found with ID {wanted}\n")
    return _json(request, found)


def redirect(master: MasterMachine, now: float, request: Request) -> Answer:
    """To the leading master."""
    if request.path.rstrip("/").rsplit("/", 1)[-1] != "redirect":
        return text_response(404, "Not Found\n")
    return _redirect_to_leader(master, "")


def tear_down(master: MasterMachine, now: float, request: Request) -> Answer:
    """Remove a framework: form-encoded `frameworkId`."""
    form = parse_qs(request.body.decode("utf-8", "replace"))
    wanted = form.get("frameworkId", [""])[0]
    if not wanted:
        return text_response(400, "Missing 'frameworkId' query parameter in the request body\n")
    return commands.TeardownRequested(request.id, wanted)


def show_system(master: MasterMachine, now: float, request: Request) -> Answer:
    """The host's gauges."""
    gauges = master.gauges
    return _json(
        request,
        {
            "avg_load_1min": gauges.get("system/load_1min", 0.0),
            "avg_load_5min": gauges.get("system/load_5min", 0.0),
            "avg_load_15min": gauges.get("system/load_15min", 0.0),
            "cpus_total": gauges.get("system/cpus_total", 0.0),
            "mem_total_bytes": gauges.get("system/mem_total_bytes", 0.0),
            "mem_free_bytes": gauges.get("system/mem_free_bytes", 0.0),
        },
    )


def _file(
    master: MasterMachine,
    request: Request,
    action: str,
    path: str | None,
    offset: int = -1,
    length: int | None = None,
    v1: bool = False,
) -> Answer:
    if path is None:
        return text_response(400, "Expecting 'path=value' in query.\n")
    log = master.config.flags.get("external_log_file")
    if path not in ("/master/log", "/log") or log is None:
        return text_response(404, f"'{path}' was not found.\n")
    return commands.FileWanted(ServeFile(request.id, action, log, path, offset, length, v1))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,18}", text) else None


def browse_files(master: MasterMachine, now: float, request: Request) -> Answer:
    """A directory of the master's."""
    return _file(master, request, "browse", request.first("path"))


def read_file(master: MasterMachine, now: float, request: Request) -> Answer:
    """A part of a file of the master's."""
    offset, length = (
        _number(request.first("offset", "-1")),
        _number(request.first("length", "65536")),
    )
    if offset is None or length is None or offset < -1:
        return text_response(400, "Failed to parse offset or length.\n")
    return _file(master, request, "read", request.first("path"), offset, length)


def download_file(master: MasterMachine, now: float, request: Request) -> Answer:
    """A file of the master's."""
    return _file(master, request, "download", request.first("path"))


def list_files(master: MasterMachine, now: float, request: Request) -> Answer:
    """Virtual paths and what they stand for."""
    log = master.config.flags.get("external_log_file")
    return _json(request, {} if log is None else {"/master/log": log})


ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/v1/scheduler", call_scheduler, "the scheduler API"),
    Route("POST", "/api/v1/agent", call_agent_link, "the link of agents (ours)"),
    Route("POST", "/api/v1", call_operator, "the operator API"),
    Route("GET", "/state", show_state, "everything"),
    Route("GET", "/state-summary", show_summary, "agents and frameworks with task counts"),
    Route("GET", "/slaves", show_agents, "agents with full resources"),
    Route("GET", "/frameworks", show_frameworks, "frameworks with tasks"),
    Route("GET", "/tasks", show_tasks, "tasks of all frameworks"),
    Route("GET", "/roles", show_roles, "roles with what they hold"),
    Route("GET", "/health", show_health, "liveness"),
    Route("GET", "/version", show_version, "version"),
    Route("GET", "/flags", show_flags, "flags as text"),
    Route("GET", "/redirect", redirect, "to the leading master"),
    Route("GET", "/metrics/snapshot", show_snapshot, "metrics as one flat object"),
    Route("GET", "/metrics", show_prometheus, "metrics for Prometheus"),
    Route("GET", "/explain", show_explanation, "why a framework gets no offers"),
    Route("POST", "/teardown", tear_down, "remove a framework"),
    Route("GET", "/system/stats", show_system, "the host's gauges"),
    Route("GET", "/files/browse", browse_files, "a directory of the master's"),
    Route("GET", "/files/read", read_file, "a part of a file of the master's"),
    Route("GET", "/files/download", download_file, "a file of the master's"),
    Route("GET", "/files/debug", list_files, "virtual paths"),
)


def _plain_path(path: str) -> str:
    """Without the delegate's prefix and the old suffix."""
    path = path.removeprefix("/master") if path.startswith("/master/") else path
    return (path.rstrip("/") or "/").removesuffix(".json")


def _redirect_to_leader(master: MasterMachine, path: str) -> Response:
    leader = master.leader
    if leader is None:
        return text_response(503, "No leader elected")
    host = leader.hostname or (leader.address.ip if leader.address is not None else "")
    return Response(307, {"Location": f"//{host}:{leader.port}{path}"})


def _intercept(master: MasterMachine, now: float, request: Request) -> Answer | None:
    plain = _plain_path(request.path)
    if plain in LOCAL or plain.startswith(LOCAL_PREFIXES) or plain.startswith("/redirect"):
        return None
    if not master.is_leader:
        query = urlencode(request.query, doseq=True)
        return _redirect_to_leader(master, request.path + (f"?{query}" if query else ""))
    if not master.is_recovered:
        return text_response(503, "Master has not finished recovery")
    return None


class _Aliases(Api):
    """`.json` at the end of a path is an old way to say the same."""

    def dispatch(self, now: float, request: Request) -> Answer:
        if request.path.endswith(".json"):
            request = msgspec.structs.replace(request, path=request.path.removesuffix(".json"))
        return super().dispatch(now, request)


def api(machine: MasterMachine) -> Api:
    """The routes bound to a machine."""
    router = Router(ROUTES, prefixes=("/master",), longest_prefix=True)
    return _Aliases(router, machine, intercept=_intercept)
