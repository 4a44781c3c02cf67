"""The agent's HTTP endpoints: one table, thin handlers.

Every path answers below `/`, `/slave(1)` and `/agent`, with or without `.json`; reads take
`?jsonp=`. Source: "Mesos: agent endpoints" (apache/mesos src/slave/http.cpp, src/files/files.cpp).
"""

import re
from typing import Any

from mesosphere.agent import executor_api, operator_api, views
from mesosphere.agent.core.commands import FileRequested
from mesosphere.agent.core.files import attached, real_path
from mesosphere.agent.core.machine import AgentMachine
from mesosphere.agent.operator_api import encoded
from mesosphere.kernel import verbosity
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Api, Request, Response, Route, Router, text_response

PREFIXES = ("/slave(1)", "/slave%281%29", "/slave", "/agent")
_CALLBACK = re.compile(r"^[A-Za-z_$][\w$.]{0,200}$")


def _shown(request: Request, value: Any) -> Response:
    body = encoded(value)
    callback = request.first("jsonp")
    if callback is None:
        return Response(200, {"Content-Type": "application/json"}, body)
    if not _CALLBACK.match(callback):
        return text_response(400, "'jsonp' is not the name of a function\n")
    return Response(
        200, {"Content-Type": "text/javascript"}, callback.encode() + b"(" + body + b");"
    )


def _state(machine: AgentMachine, now: float, request: Request) -> Response:
    if not machine.state.recovered:
        return text_response(503, "Agent has not finished recovery\n")
    return _shown(request, views.state(machine.state))


def _health(machine: AgentMachine, now: float, request: Request) -> Response:
    return Response(200, {}, b"")


def _version(machine: AgentMachine, now: float, request: Request) -> Response:
    return _shown(request, views.version())


def _flags(machine: AgentMachine, now: float, request: Request) -> Response:
    return _shown(request, {"flags": machine.config.flags})


def _snapshot(machine: AgentMachine, now: float, request: Request) -> Response:
    return _shown(request, views.metrics(machine.state, now))


def _prometheus(machine: AgentMachine, now: float, request: Request) -> Response:
    text = views.prometheus(views.metrics(machine.state, now))
    return Response(200, {"Content-Type": "text/plain; version=0.0.4"}, text.encode())


def _monitor(machine: AgentMachine, now: float, request: Request) -> Response:
    return _shown(request, views.monitor(machine.state))


def _containers(machine: AgentMachine, now: float, request: Request) -> Response:
    if not machine.state.recovered:
        return text_response(503, "Agent has not finished recovery\n")
    ids = (request.first(name) for name in ("container_id", "framework_id", "executor_id"))
    return _shown(request, views.containers(machine.state, *ids))


def _file(machine: AgentMachine, request: Request, action: str) -> Response | Event:
    shown = request.first("path")
    if not shown:
        return text_response(400, "Expecting 'path=value' in query.\n")
    offset, length = -1, None
    try:
        if action == "read":
            offset = int(request.first("offset") or -1)
            given = request.first("length")
            length = int(given) if given is not None and given != "-1" else None
    except ValueError:
        return text_response(400, "'offset' and 'length' must be numbers.\n")
    if offset < -1 or (length is not None and length < 0):
        return text_response(400, "'offset' and 'length' must not be negative.\n")
    path = real_path(machine.config, machine.state.agent_id, shown)
    if path is None:
        return text_response(404, f"'{shown}' was not found.\n")
    return FileRequested(request.id, action, path, shown, offset, length)


def _browse(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    return _file(machine, request, "browse")


def _read(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    return _file(machine, request, "read")


def _download(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    return _file(machine, request, "download")


def _debug(machine: AgentMachine, now: float, request: Request) -> Response:
    sandboxes = [task.sandbox for task in machine.state.tasks()]
    return _shown(request, attached(machine.config, machine.state.agent_id, sandboxes))


def _pending(machine: AgentMachine, now: float, request: Request) -> Response:
    return _shown(request, views.pending(machine.state))


def _toggle(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    return verbosity.toggle(machine.verbosity, request)


def _operator(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    return operator_api.answer(machine, now, request)


def _executor(machine: AgentMachine, now: float, request: Request) -> Response | Event:
    return executor_api.answer(machine, now, request)


ROUTES = (
    Route("GET", "/state", _state, "Everything that runs here, and what ended lately"),
    Route("GET", "/health", _health, "200 while the agent answers"),
    Route("GET", "/version", _version, "Version, in digits and dots"),
    Route("GET", "/flags", _flags, "Flags as text"),
    Route("GET", "/metrics/snapshot", _snapshot, "All metrics as one JSON object"),
    Route("GET", "/metrics", _prometheus, "All metrics as text for Prometheus"),
    Route("GET", "/monitor/statistics", _monitor, "Resource statistics of the containers"),
    Route("GET", "/containers", _containers, "The containers, by any of three ids"),
    Route("GET", "/files/browse", _browse, "List a directory of a sandbox"),
    Route("GET", "/files/read", _read, "Read a part of a file"),
    Route("GET", "/files/download", _download, "Read a whole file"),
    Route("GET", "/files/debug", _debug, "Which virtual paths are attached"),
    Route("GET", "/containerizer/debug", _pending, "Containers that are being made or ended"),
    Route("POST", "/api/v1/executor", _executor, "The executor API v1"),
    Route("GET", "/logging/toggle", _toggle, "How much is logged, for a time"),
    Route("POST", "/logging/toggle", _toggle, "How much is logged, for a time"),
    Route("POST", "/api/v1", _operator, "The operator API v1"),
)


class _AgentRouter(Router):
    """Old tools ask for `/state.json`."""

    def match(self, method: str, path: str) -> Any:
        """See Router."""
        if path.endswith(".json"):
            path = path.removesuffix(".json")
        return super().match(method, path)


def api(machine: AgentMachine) -> Api:
    """The endpoints bound to a machine."""
    return Api(_AgentRouter(ROUTES, prefixes=PREFIXES, longest_prefix=True), machine)
