"""Requests about deployments, the queue, leadership, events and Marathon itself.

Source: Marathon, DeploymentsResource, QueueResource, InfoResource, LeaderResource, SystemResource.
"""

from mesosphere.kernel.http import Request, Response, json_response, text_response
from mesosphere.marathon.api.reading import Answer, embeds_of, flag, origin, route
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.marathon.views import system
from mesosphere.wire.marathon import paths


@route
def list_deployments(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/deployments."""
    return json_response(200, system.deployments_json(machine.state))


@route
def cancel_deployment(machine: MarathonMachine, request: Request, deployment: str) -> Answer:
    """DELETE a deployment."""
    return commands.CancelDeployment(
        **origin(request), deployment=deployment, force=flag(request, "force")
    )


@route
def get_queue(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/queue."""
    with_offers = "lastUnusedOffers" in embeds_of(request)
    state = machine.state
    return json_response(200, system.queue_json(state, state.clock, with_offers=with_offers))


@route
def reset_delay(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """DELETE the launch delay of an app."""
    return commands.ResetDelay(**origin(request), app_id=paths.resolve(app_id))


@route
def get_info(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/info."""
    leader = machine.leadership.leader
    return json_response(
        200, system.info_json(machine.state, leader, elected=machine.leadership.is_leading)
    )


@route
def list_plugins(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/plugins."""
    return json_response(200, {"plugins": []})


@route
def get_leader(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/leader."""
    return json_response(200, {"leader": machine.leadership.leader})


@route
def abdicate(machine: MarathonMachine, request: Request) -> Answer:
    """DELETE /v2/leader."""
    if request.first("backup") or request.first("restore"):
        text = "Backup and restore by this call are not supported"
        raise Rejected(answers.message(400, text))
    return commands.Abdicate(**origin(request))


@route
def open_events(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/events."""
    if "text/event-stream" not in request.headers.get("accept", ""):
        raise Rejected(answers.message(405, "Method Not Allowed"))
    return commands.OpenEvents(**origin(request), types=tuple(request.query.get("event_type", ())))


@route
def ping(machine: MarathonMachine, request: Request) -> Answer:
    """GET /ping."""
    accept = request.headers.get("accept", "*/*") or "*/*"
    if any(kind in accept for kind in ("*/*", "text/*", "text/plain")):
        return text_response(200, "pong")
    if "application/json" in accept:
        return json_response(200, "pong")
    if "text/html" in accept:
        return Response(200, {"Content-Type": "text/html"}, b"pong")
    return Response(204)


@route
def get_metrics(machine: MarathonMachine, request: Request) -> Answer:
    """GET /metrics."""
    return json_response(200, system.metrics_json(machine.state, machine.state.clock))


@route
def get_metrics_text(machine: MarathonMachine, request: Request) -> Answer:
    """GET /metrics/prometheus."""
    return text_response(200, system.metrics_text(machine.state, machine.state.clock))
