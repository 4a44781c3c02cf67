"""Requests about apps. Source: Marathon, AppsResource.scala."""

from mesosphere.kernel.http import Request, json_response
from mesosphere.marathon.api.reading import (
    Answer,
    app_of,
    body_of,
    embeds_of,
    encoded,
    flag,
    origin,
    route,
)
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.marathon.views import apps as app_views
from mesosphere.wire.marathon import app_shapes, paths
from mesosphere.wire.marathon.app import app_json


@route
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
    wanted = app_views.embeds([*embeds_of(request), "counts", "deployments"])
    return encoded(app_views.apps_bytes(state, chosen, wanted, "apps"))


@route
def create_app(machine: MarathonMachine, request: Request) -> Answer:
    """POST /v2/apps."""
    definition = body_of(request, app_shapes.APP)
    return commands.CreateApp(
        **origin(request), definition=definition, force=flag(request, "force")
    )


def _many(request: Request, *, partial: bool, may_create: bool) -> Answer:
    updates = body_of(request, app_shapes.APP_UPDATES)
    for index, update in enumerate(updates):
        if "id" not in update:
            raise Rejected(answers.invalid_json([(f"({index})/id", "error.path.missing")]))
    return commands.UpdateApps(
        **origin(request),
        updates=tuple((paths.resolve(update["id"]), update) for update in updates),
        force=flag(request, "force"),
        partial=partial,
        may_create=may_create,
        single=False,
    )


@route
def put_apps(machine: MarathonMachine, request: Request) -> Answer:
    """PUT /v2/apps."""
    partial = flag(request, "partialUpdate", default=True)
    return _many(request, partial=partial, may_create=True)


@route
def patch_apps(machine: MarathonMachine, request: Request) -> Answer:
    """PATCH /v2/apps."""
    return _many(request, partial=True, may_create=False)


@route
def get_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """GET /v2/apps/{app_id...}; an id that ends in "*" lists a group."""
    state = machine.state
    if app_id.rstrip("/").endswith("*"):
        group = paths.resolve(app_id.rstrip("/").removesuffix("*"))
        if not state.root.has_group(group):
            raise Rejected(answers.group_missing(group))
        wanted = app_views.embeds(embeds_of(request))
        return encoded(app_views.apps_bytes(state, state.root.apps_of(group), wanted, "*"))
    app = app_of(machine, app_id)
    always = ["counts", "tasks", "lastTaskFailure", "deployments"]
    wanted = app_views.embeds([*embeds_of(request), *always])
    return encoded(b'{"app":' + app_views.app_bytes(state, app, wanted) + b"}")


def _single(request: Request, app_id: str, *, partial: bool, may_create: bool) -> Answer:
    update = body_of(request, app_shapes.APP_UPDATE)
    return commands.UpdateApps(
        **origin(request),
        updates=((paths.resolve(app_id), update),),
        force=flag(request, "force"),
        partial=partial,
        may_create=may_create,
        single=True,
    )


@route
def put_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """PUT /v2/apps/{app_id...}."""
    partial = flag(request, "partialUpdate", default=True)
    return _single(request, app_id, partial=partial, may_create=True)


@route
def patch_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """PATCH /v2/apps/{app_id...}."""
    return _single(request, app_id, partial=True, may_create=False)


@route
def delete_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """DELETE /v2/apps/{app_id...}; force is on unless it is turned off."""
    return commands.DeleteApp(
        **origin(request),
        app_id=paths.resolve(app_id),
        force=flag(request, "force", default=True),
    )


@route
def restart_app(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """POST /v2/apps/{app_id...}/restart."""
    return commands.RestartApp(
        **origin(request), app_id=paths.resolve(app_id), force=flag(request, "force")
    )


@route
def list_versions(machine: MarathonMachine, request: Request, app_id: str) -> Answer:
    """GET the versions of an app, newest first."""
    app = app_of(machine, app_id)
    versions = machine.state.storage.versions.of(app.id)
    return json_response(200, {"versions": list(reversed(versions))})


@route
def get_version(machine: MarathonMachine, request: Request, app_id: str, version: str) -> Answer:
    """GET one version of an app."""
    app = machine.state.definition(paths.resolve(app_id), version)
    if app is None:
        raise Rejected(answers.app_missing(paths.resolve(app_id), version))
    return json_response(200, app_json(app))
