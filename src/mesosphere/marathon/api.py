"""Marathon's routes. Reads are answered here, from the state; changes become commands.

Every answer of a leader carries the same headers; who does not lead hands every request on.
Source: Marathon, "REST API"; api/v2/*.scala. Routes and differences: docs/compatibility/marathon.md.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec

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
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.instances import Condition, Instance, parse_task_id
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.marathon.core.shown import task_json
from mesosphere.marathon.views import apps as app_views
from mesosphere.marathon.views import groups as group_views
from mesosphere.marathon.views import system
from mesosphere.wire.marathon import app_shapes, paths
from mesosphere.wire.marathon.app import App, app_json
from mesosphere.wire.marathon.shapes import Faults, Shape

Answer = Response | Event
Handler = Callable[..., Answer]


def _route(handler: Handler) -> Handler:
    """Refusals become answers, and answers get the headers of every answer."""

    @wraps(handler)
    def handle(machine: MarathonMachine, now: float, request: Request, **parameters: str) -> Answer:
        machine.state.clock = now
        try:
            answer = handler(machine, request, **parameters)
        except Rejected as rejected:
            answer = rejected.response
        return machine.dressed(answer) if isinstance(answer, Response) else answer

    return handle


# --- reading requests -----------------------------------------------------------------------


def _body(request: Request, shape: Shape) -> Any:
    """The cleaned body. Raises Rejected."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Rejected(answers.message(415, "Unsupported Media Type"))
    if not request.body.strip():
        details = "No content to map due to end-of-input"
        raise Rejected(
            json_response(
                400, {"message": "Please specify data in JSON format", "details": details}
            )
        )
    try:
        value = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(
            json_response(400, {"message": "Invalid JSON", "details": str(error)})
        ) from error
    except RecursionError as error:
        raise Rejected(
            json_response(400, {"message": "Invalid JSON", "details": "nested too deeply"})
        ) from error
    faults: Faults = []
    clean = shape.clean(value, "", faults)
    if faults:
        raise Rejected(answers.invalid_json(faults))
    return clean


def _flag(request: Request, name: str, *, default: bool = False) -> bool:
    value = request.first(name)
    return default if value is None else value.lower() in ("true", "", "1")


def _origin(request: Request) -> dict[str, str]:
    return {"request": request.id, "peer": request.peer, "uri": request.path}


def _app(machine: MarathonMachine, app_id: str) -> App:
    app = machine.state.root.apps.get(paths.resolve(app_id))
    if app is None:
        raise Rejected(answers.app_missing(paths.resolve(app_id)))
    return app


def _embed(request: Request) -> list[str]:
    return request.query.get("embed", [])


def _bytes(data: bytes) -> Response:
    return Response(200, {"Content-Type": "application/json"}, data)


def _wants_text(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/plain" in accept and "json" not in accept and "*/*" not in accept


# --- apps -----------------------------------------------------------------------------------


@_route
def list_apps(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/apps."""
    state = machine.state
    ordered = [state.root.apps[name] for name in sorted(state.root.apps)]
    try:
        chosen = app_views.selected(
            ordered, request.first("id"), request.first("cmd"), request.first("label")
        )
    except ValueError as error:
        raise Rejected(answers.message(422, str(error))) from error
    wanted = app_views.embeds([*_embed(request), "counts", "deployments"])
    return _bytes(app_views.apps_bytes(state, chosen, wanted, "apps"))


@_route
def create_app(machine: MarathonMachine, request: Request) -> Answer:
    """POST /v2/apps."""
    definition = _body(request, app_shapes.APP)
    return commands.CreateApp(
        **_origin(request), definition=definition, force=_flag(request, "force")
    )


def _many(request: Request, *, partial: bool, may_create: bool) -> Answer:
    updates = _body(request, app_shapes.APP_UPDATES)
    for index, update in enumerate(updates):
        if "id" not in update:
            raise Rejected(answers.invalid_json([(f"({index})/id", "error.path.missing")]))
    return commands.UpdateApps(
        **_origin(request),
        updates=tuple((paths.resolve(update["id"]), update) for update in updates),
        force=_flag(request, "force"),
        partial=partial,
        may_create=may_create,
    )


@_route
def put_apps(machine: MarathonMachine, request: Request) -> Answer:
    """PUT /v2/apps."""
    partial = _flag(request, "partialUpdate", default=True)
    return _many(request, partial=partial, may_create=True)


@_route
def patch_apps(machine: MarathonMachine, request: Request) -> Answer:
    """PATCH /v2/apps."""
    return _many(request, partial=True, may_create=False)


@_route
def get_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """GET /v2/apps/{app_id...}; an id that ends in "*" lists a group."""
    state = machine.state
    if app_id.rstrip("/").endswith("*"):
        group = paths.resolve(app_id.rstrip("/").removesuffix("*"))
        if not state.root.has_group(group):
            raise Rejected(answers.group_missing(group))
        wanted = app_views.embeds(_embed(request))
        return _bytes(app_views.apps_bytes(state, state.root.apps_of(group), wanted, "*"))
    app = _app(machine, app_id)
    always = ["counts", "tasks", "lastTaskFailure", "deployments"]
    wanted = app_views.embeds([*_embed(request), *always])
    return _bytes(b'{"app":' + app_views.app_bytes(state, app, wanted) + b"}")


def _single(request: Request, app_id: str, *, partial: bool, may_create: bool) -> Answer:
    update = _body(request, app_shapes.APP_UPDATE)
    return commands.UpdateApps(
        **_origin(request),
        updates=((paths.resolve(app_id), update),),
        force=_flag(request, "force"),
        partial=partial,
        may_create=may_create,
        single=True,
    )


@_route
def put_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """PUT /v2/apps/{app_id...}."""
    partial = _flag(request, "partialUpdate", default=True)
    return _single(request, app_id, partial=partial, may_create=True)


@_route
def patch_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """PATCH /v2/apps/{app_id...}."""
    return _single(request, app_id, partial=True, may_create=False)


@_route
def delete_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """DELETE /v2/apps/{app_id...}; force is on unless it is turned off."""
    return commands.DeleteApp(
        **_origin(request),
        app_id=paths.resolve(app_id),
        force=_flag(request, "force", default=True),
    )


@_route
def restart_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """POST /v2/apps/{app_id...}/restart."""
    return commands.RestartApp(
        **_origin(request), app_id=paths.resolve(app_id), force=_flag(request, "force")
    )


@_route
def list_versions(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """GET the versions of an app, newest first."""
    app = _app(machine, app_id)
    versions = machine.state.storage.versions.of(app.id)
    return json_response(200, {"versions": list(reversed(versions))})


@_route
def get_version(machine: MarathonMachine, request: Request, app_id: str, version: str) -> Answer:
    """GET one version of an app."""
    app = machine.state.definition(paths.resolve(app_id), version)
    if app is None:
        raise Rejected(answers.app_missing(paths.resolve(app_id), version))
    return json_response(200, app_json(app))


# --- tasks ----------------------------------------------------------------------------------


def _members(machine: MarathonMachine, app_id: str) -> list[App]:
    root = machine.state.root
    if app_id.rstrip("/").endswith("*"):
        group = paths.resolve(app_id.rstrip("/").removesuffix("*"))
        if not root.has_group(group):
            raise Rejected(answers.group_missing(group))
        return root.apps_of(group)
    return [_app(machine, app_id)]


@_route
def list_app_tasks(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """GET the tasks of an app, or of a group with "*"."""
    state = machine.state
    chosen = _members(machine, app_id)
    if _wants_text(request):
        return _tasks_text(machine, request, chosen)
    tasks = [task_json(state, one) for app in chosen for one in state.instances.of_app(app.id)]
    return json_response(200, {"tasks": tasks})


def _tasks_text(machine: MarathonMachine, request: Request, chosen: list[App]) -> Response:
    networks = (request.first("containerNetworks") or "").split(",")
    return text_response(200, app_views.tasks_text(machine.state, chosen, networks))


def _kill(request: Request, chosen: list[Instance], *, single: bool = False) -> Answer:
    return commands.KillTasks(
        **_origin(request),
        instances=tuple(instance.id for instance in chosen),
        scale=_flag(request, "scale"),
        wipe=_flag(request, "wipe"),
        force=_flag(request, "force"),
        single=single,
    )


@_route
def kill_app_tasks(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """DELETE tasks of an app, all or those on one host."""
    app = _app(machine, app_id)
    host = request.first("host")
    chosen = [
        one
        for one in machine.state.instances.of_app(app.id)
        if host in (None, "*") or one.hostname == host
    ]
    return _kill(request, chosen)


@_route
def kill_app_task(machine: MarathonMachine, request: Request, app_id: str, task_id: str) -> Answer:
    """DELETE one task."""
    app = _app(machine, app_id)
    instance = machine.state.instances.of_task(task_id) or machine.state.instances.by_id.get(
        task_id
    )
    if instance is None or instance.app_id != app.id:
        raise Rejected(answers.task_missing(task_id))
    return _kill(request, [instance], single=True)


@_route
def list_tasks(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/tasks."""
    state = machine.state
    if _wants_text(request):
        ordered = [state.root.apps[name] for name in sorted(state.root.apps)]
        return _tasks_text(machine, request, ordered)
    wanted = [*request.query.get("status", ()), *request.query.get("status[]", ())]
    conditions = [
        condition
        for name in wanted
        for condition in (
            (Condition.RUNNING,)
            if name == "running"
            else (Condition.STAGING, Condition.PROVISIONED)
            if name == "staging"
            else ()
        )
    ]
    tasks = [
        task_json(state, one, with_service_ports=True)
        for one in state.instances.by_id.values()
        if not wanted or one.condition in conditions
    ]
    return json_response(200, {"tasks": tasks})


@_route
def kill_tasks(machine: MarathonMachine, request: Request) -> Answer:
    """POST /v2/tasks/delete."""
    ids = _body(request, app_shapes.TASK_IDS)["ids"]
    chosen: dict[str, Instance] = {}
    for task_id in ids:
        if parse_task_id(task_id) is None:
            text = f"Invalid task id '{task_id}'. [it names neither an app nor an instance]"
            raise Rejected(answers.message(400, text))
        instance = machine.state.instances.of_task(task_id)
        if instance is not None:
            chosen[instance.id] = instance
    return _kill(request, list(chosen.values()))


# --- groups ---------------------------------------------------------------------------------


@_route
def get_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """GET a group."""
    group = paths.resolve(group)
    root = machine.state.root
    if not root.has_group(group):
        raise Rejected(answers.group_missing(group))
    embed = group_views.group_embed(_embed(request))
    return _bytes(group_views.group_bytes(machine.state, root, group, embed))


@_route
def list_group_apps(machine: MarathonMachine, request: Request, group: str) -> Answer:
    """GET all apps in or below a group."""
    group = paths.resolve(group)
    root = machine.state.root
    if not root.has_group(group):
        raise Rejected(answers.group_missing(group))
    wanted = app_views.embeds(_embed(request))
    listed = [app_views.app_bytes(machine.state, app, wanted) for app in root.apps_of(group)]
    return _bytes(b"[" + b",".join(listed) + b"]")


@_route
def list_group_versions(
    machine: MarathonMachine, request: Request, group: str = paths.ROOT
) -> Answer:
    """GET the versions in which a group existed."""
    group = paths.resolve(group)
    if not machine.state.root.has_group(group):
        raise Rejected(answers.group_missing(group))
    return json_response(200, group_views.group_versions(machine.state, group))


@_route
def get_group_version(
    machine: MarathonMachine, request: Request, version: str, group: str = paths.ROOT
) -> Answer:
    """GET a group as it was."""
    group = paths.resolve(group)
    earlier = machine.changes.at_version(group, version)
    if earlier is None or not earlier.has_group(group):
        text = f"Group '{group}' does not exist in version {version}"
        raise Rejected(answers.message(404, text))
    earlier = msgspec.structs.replace(earlier, version=version)
    embed = group_views.group_embed(_embed(request))
    return _bytes(group_views.group_bytes(machine.state, earlier, group, embed))


def _change(request: Request, group: str, *, create: bool) -> Answer:
    return commands.ChangeGroup(
        **_origin(request),
        group=paths.resolve(group),
        update=_body(request, app_shapes.GROUP_UPDATE),
        force=_flag(request, "force"),
        dry_run=not create and _flag(request, "dryRun"),
        create=create,
    )


@_route
def create_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """POST a group."""
    return _change(request, group, create=True)


@_route
def put_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """PUT a group."""
    return _change(request, group, create=False)


@_route
def delete_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """DELETE a group with all that is in it; without an id, everything."""
    return commands.DeleteGroup(
        **_origin(request), group=paths.resolve(group), force=_flag(request, "force")
    )


@_route
def list_pods(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/pods: there are none."""
    return json_response(200, [])


# --- deployments, queue, system ---------------------------------------------------------------


@_route
def list_deployments(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/deployments."""
    return json_response(200, system.deployments_json(machine.state))


@_route
def cancel_deployment(machine: MarathonMachine, request: Request, deployment: str) -> Answer:
    """DELETE a deployment."""
    return commands.CancelDeployment(
        **_origin(request), deployment=deployment, force=_flag(request, "force")
    )


@_route
def get_queue(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/queue."""
    with_offers = "lastUnusedOffers" in _embed(request)
    state = machine.state
    return json_response(200, system.queue_json(state, state.clock, with_offers=with_offers))


@_route
def reset_delay(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """DELETE the launch delay of an app."""
    return commands.ResetDelay(**_origin(request), app_id=paths.resolve(app_id))


@_route
def get_info(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/info."""
    leader = machine.leadership.leader
    return json_response(
        200, system.info_json(machine.state, leader, elected=machine.leadership.is_leading)
    )


@_route
def get_leader(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/leader."""
    return json_response(200, {"leader": machine.leadership.leader})


@_route
def abdicate(machine: MarathonMachine, request: Request) -> Answer:
    """DELETE /v2/leader."""
    if request.first("backup") or request.first("restore"):
        text = "Backup and restore by this call are not supported"
        raise Rejected(answers.message(400, text))
    return commands.Abdicate(**_origin(request))


@_route
def open_events(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/events."""
    if "text/event-stream" not in request.headers.get("accept", ""):
        raise Rejected(answers.message(405, "Method Not Allowed"))
    return commands.OpenEvents(**_origin(request), types=tuple(request.query.get("event_type", ())))


@_route
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


@_route
def get_metrics(machine: MarathonMachine, request: Request) -> Answer:
    """GET /metrics."""
    return json_response(200, system.metrics_json(machine.state, machine.state.clock))


@_route
def get_metrics_text(machine: MarathonMachine, request: Request) -> Answer:
    """GET /metrics/prometheus."""
    return text_response(200, system.metrics_text(machine.state, machine.state.clock))


_APP = "/v2/apps/{app_id...}"
_GROUP = "/v2/groups/{group...}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/ping", ping, "whether Marathon answers"),
    Route("GET", "/metrics", get_metrics, "counters and gauges"),
    Route("GET", "/metrics/prometheus", get_metrics_text, "the same for Prometheus"),
    Route("GET", "/v2/apps", list_apps, "all apps; filters id, cmd, label; embed"),
    Route("POST", "/v2/apps", create_app, "create an app"),
    Route("PUT", "/v2/apps", put_apps, "create or change many apps in one deployment"),
    Route("PATCH", "/v2/apps", patch_apps, "change many apps that exist"),
    Route("GET", _APP + "/versions/{version}", get_version, "one version of an app"),
    Route("GET", _APP + "/versions", list_versions, "the versions of an app"),
    Route("DELETE", _APP + "/tasks/{task_id}", kill_app_task, "kill one task"),
    Route("GET", _APP + "/tasks", list_app_tasks, "the tasks of an app"),
    Route("DELETE", _APP + "/tasks", kill_app_tasks, "kill tasks of an app"),
    Route("POST", _APP + "/restart", restart_app, "replace all tasks of an app"),
    Route("GET", _APP, get_app, "one app, or with a last segment of * a group's"),
    Route("PUT", _APP, put_app, "create or change an app"),
    Route("PATCH", _APP, patch_app, "change an app that exists"),
    Route("DELETE", _APP, delete_app, "stop and forget an app"),
    Route("GET", "/v2/groups", get_group, "the whole tree"),
    Route("POST", "/v2/groups", create_group, "create a group"),
    Route("PUT", "/v2/groups", put_group, "change the tree"),
    Route("DELETE", "/v2/groups", delete_group, "remove everything"),
    Route("GET", "/v2/groups/versions", list_group_versions, "versions of the tree"),
    Route("GET", "/v2/groups/versions/{version}", get_group_version, "the tree as it was"),
    Route("GET", _GROUP + "/versions/{version}", get_group_version, "a group as it was"),
    Route("GET", _GROUP + "/versions", list_group_versions, "versions of a group"),
    Route("GET", _GROUP + "/apps", list_group_apps, "all apps of a group"),
    Route("GET", _GROUP, get_group, "a group"),
    Route("POST", _GROUP, create_group, "create a group"),
    Route("PUT", _GROUP, put_group, "create or change a group"),
    Route("DELETE", _GROUP, delete_group, "remove a group"),
    Route("GET", "/v2/pods", list_pods, "pods: none yet"),
    Route("GET", "/v2/deployments", list_deployments, "running deployments"),
    Route("DELETE", "/v2/deployments/{deployment}", cancel_deployment, "roll back or cancel"),
    Route("GET", "/v2/tasks", list_tasks, "all tasks"),
    Route("POST", "/v2/tasks/delete", kill_tasks, "kill tasks by id"),
    Route("GET", "/v2/queue", get_queue, "what waits for offers, and why"),
    Route("DELETE", "/v2/queue/{app_id...}/delay", reset_delay, "launch again at once"),
    Route("GET", "/v2/info", get_info, "version, leader, configuration"),
    Route("GET", "/v2/leader", get_leader, "who leads"),
    Route("DELETE", "/v2/leader", abdicate, "give leadership up"),
    Route("GET", "/v2/events", open_events, "the event stream"),
)


def api(machine: MarathonMachine) -> Api:
    """The API of a machine."""

    def intercept(machine: MarathonMachine, now: float, request: Request) -> Answer | None:
        return None if machine.leadership.is_leading else commands.Forward(request)

    def not_found(request: Request) -> Response:
        return machine.dressed(answers.message(404, "URI not found"))

    def not_allowed(request: Request, allowed: tuple[str, ...]) -> Response:
        refusal = answers.message(405, "Method Not Allowed")
        allow = {"Allow": ", ".join(allowed)}
        return machine.dressed(Response(405, {**refusal.headers, **allow}, refusal.body))

    return Api(
        Router(ROUTES),
        machine,
        not_found=not_found,
        not_allowed=not_allowed,
        intercept=intercept,
    )
