"""Requests about tasks. Source: Marathon, TasksResource.scala, AppTasksResource.scala."""

from mesosphere.kernel.http import Request, Response, json_response, text_response
from mesosphere.marathon.api.reading import Answer, app_of, body_of, flag, origin, route, wants_text
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.instances import Condition, Instance, parse_task_id
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.marathon.core.shown import task_json
from mesosphere.marathon.views import apps as app_views
from mesosphere.wire.marathon import app_shapes, paths
from mesosphere.wire.marathon.app import App


def _members(machine: MarathonMachine, app_id: str) -> list[App]:
    root = machine.state.root
    if app_id.rstrip("/").endswith("*"):
        group = paths.resolve(app_id.rstrip("/").removesuffix("*"))
        if not root.has_group(group):
            raise Rejected(answers.group_missing(group))
        return root.apps_of(group)
    return [app_of(machine, app_id)]


@route
def list_app_tasks(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """GET the tasks of an app, or of a group with "*"."""
    state = machine.state
    chosen = _members(machine, app_id)
    if wants_text(request):
        return _tasks_text(machine, request, chosen)
    tasks = [task_json(state, one) for app in chosen for one in state.instances.of_app(app.id)]
    return json_response(200, {"tasks": tasks})


def _tasks_text(machine: MarathonMachine, request: Request, chosen: list[App]) -> Response:
    networks = (request.first("containerNetworks") or "").split(",")
    return text_response(200, app_views.tasks_text(machine.state, chosen, networks))


def _kill(request: Request, chosen: list[Instance], *, single: bool = False) -> Answer:
    return commands.KillTasks(
        **origin(request),
        instances=tuple(instance.id for instance in chosen),
        scale=flag(request, "scale"),
        wipe=flag(request, "wipe"),
        force=flag(request, "force"),
        single=single,
    )


@route
def kill_app_tasks(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """DELETE tasks of an app, all or those on one host."""
    app = app_of(machine, app_id)
    host = request.first("host")
    chosen = [
        one
        for one in machine.state.instances.of_app(app.id)
        if host in (None, "*") or one.hostname == host
    ]
    return _kill(request, chosen)


@route
def kill_app_task(machine: MarathonMachine, request: Request, app_id: str, task_id: str) -> Answer:
    """DELETE one task."""
    app = app_of(machine, app_id)
    instance = machine.state.instances.of_task(task_id) or machine.state.instances.by_id.get(
        task_id
    )
    if instance is None or instance.app_id != app.id:
        raise Rejected(answers.task_missing(task_id))
    return _kill(request, [instance], single=True)


@route
def list_tasks(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/tasks."""
    state = machine.state
    if wants_text(request):
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


@route
def kill_tasks(machine: MarathonMachine, request: Request) -> Answer:
    """POST /v2/tasks/delete."""
    ids = body_of(request, app_shapes.TASK_IDS)["ids"]
    chosen: dict[str, Instance] = {}
    for task_id in ids:
        if parse_task_id(task_id) is None:
            text = f"Invalid task id '{task_id}'. [it names neither an app nor an instance]"
            raise Rejected(answers.message(400, text))
        instance = machine.state.instances.of_task(task_id)
        if instance is not None:
            chosen[instance.id] = instance
    return _kill(request, list(chosen.values()))
