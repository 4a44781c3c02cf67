"""Requests about groups. Source: Marathon, GroupsResource.scala."""

import msgspec

from mesosphere.kernel.http import Request, json_response
from mesosphere.marathon.api.reading import Answer, body_of, embeds_of, encoded, flag, origin, route
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.marathon.views import apps as app_views
from mesosphere.marathon.views import groups as group_views
from mesosphere.wire.marathon import app_shapes, paths


@route
def get_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """GET a group."""
    group = paths.resolve(group)
    root = machine.state.root
    if not root.has_group(group):
        raise Rejected(answers.group_missing(group))
    embed = group_views.group_embed(embeds_of(request))
    return encoded(group_views.group_bytes(machine.state, root, group, embed))


@route
def list_group_apps(machine: MarathonMachine, request: Request, group: str) -> Answer:
    """GET all apps in or below a group."""
    group = paths.resolve(group)
    root = machine.state.root
    if not root.has_group(group):
        raise Rejected(answers.group_missing(group))
    wanted = app_views.embeds(embeds_of(request))
    listed = [app_views.app_bytes(machine.state, app, wanted) for app in root.apps_of(group)]
    return encoded(b"[" + b",".join(listed) + b"]")


@route
def list_group_versions(
    machine: MarathonMachine, request: Request, group: str = paths.ROOT
) -> Answer:
    """GET the versions in which a group existed."""
    group = paths.resolve(group)
    if not machine.state.root.has_group(group):
        raise Rejected(answers.group_missing(group))
    return json_response(200, group_views.group_versions(machine.state, group))


@route
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
    embed = group_views.group_embed(embeds_of(request))
    return encoded(group_views.group_bytes(machine.state, earlier, group, embed))


def _change(request: Request, group: str, *, create: bool) -> Answer:
    return commands.ChangeGroup(
        **origin(request),
        group=paths.resolve(group),
        update=body_of(request, app_shapes.GROUP_UPDATE),
        force=flag(request, "force"),
        dry_run=not create and flag(request, "dryRun"),
        create=create,
    )


@route
def create_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """POST a group."""
    return _change(request, group, create=True)


@route
def put_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """PUT a group."""
    return _change(request, group, create=False)


@route
def delete_group(machine: MarathonMachine, request: Request, group: str = paths.ROOT) -> Answer:
    """DELETE a group with all that is in it; without an id, everything."""
    return commands.DeleteGroup(
        **origin(request), group=paths.resolve(group), force=flag(request, "force")
    )


@route
def list_pods(machine: MarathonMachine, request: Request) -> Answer:
    """GET /v2/pods: there are none."""
    return json_response(200, [])
