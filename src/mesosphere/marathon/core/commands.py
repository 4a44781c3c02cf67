"""What clients ask of the machine. Each carries the id of the request that it answers."""

from typing import Any

from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request


class Command(Event, frozen=True, kw_only=True):
    """Base: `request` is answered with Reply, StartStream or Proxy; `peer` is who asked."""

    request: str
    peer: str = ""
    uri: str = ""


class Forward(Event, frozen=True):
    """A request that the leader must answer, not we."""

    request: Request


class CreateApp(Command, frozen=True, kw_only=True):
    """POST /v2/apps: a cleaned definition."""

    definition: dict[str, Any]
    force: bool = False


class UpdateApps(Command, frozen=True, kw_only=True):
    """PUT or PATCH of apps: cleaned updates by absolute id, in order. `single`: of one app."""

    updates: tuple[tuple[str, dict[str, Any]], ...]
    force: bool = False
    partial: bool = True
    may_create: bool = True
    single: bool = False


class DeleteApp(Command, frozen=True, kw_only=True):
    """DELETE /v2/apps/{id}."""

    app_id: str
    force: bool = True


class RestartApp(Command, frozen=True, kw_only=True):
    """POST /v2/apps/{id}/restart."""

    app_id: str
    force: bool = False


class KillTasks(Command, frozen=True, kw_only=True):
    """Kill instances; with `scale` also lower the counts. `single` shapes the answer."""

    instances: tuple[str, ...]
    scale: bool = False
    wipe: bool = False
    force: bool = False
    single: bool = False


class ChangeGroup(Command, frozen=True, kw_only=True):
    """POST or PUT of a group: a cleaned update."""

    group: str
    update: dict[str, Any]
    force: bool = False
    dry_run: bool = False
    create: bool = False


class DeleteGroup(Command, frozen=True, kw_only=True):
    """DELETE of a group with all that is in it."""

    group: str
    force: bool = False


class CancelDeployment(Command, frozen=True, kw_only=True):
    """DELETE /v2/deployments/{id}; with `force` nothing is rolled back."""

    deployment: str
    force: bool = False


class ResetDelay(Command, frozen=True, kw_only=True):
    """DELETE /v2/queue/{id}/delay."""

    app_id: str


class Abdicate(Command, frozen=True, kw_only=True):
    """DELETE /v2/leader."""


class OpenEvents(Command, frozen=True, kw_only=True):
    """GET /v2/events. `types`: the event types wanted, all when empty."""

    types: tuple[str, ...] = ()
