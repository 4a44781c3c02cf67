"""Turns commands into changes of the tree, kills and answers.

Each handler takes a command and returns the answer, or raises `Rejected` with it; the machine
sends it once what changed is stored. The rules of acceptance are in `changes`.
Source: Marathon, AppsResource, TasksResource, GroupsResource, DeploymentsResource.scala.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mesosphere.kernel.http import Response, json_response
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.changes import Accepted, Changes
from mesosphere.marathon.core.groups import (
    GroupChange,
    Root,
    scaled,
    with_apps,
    without_group,
)
from mesosphere.marathon.core.instances import Instance
from mesosphere.marathon.core.launcher import Launcher
from mesosphere.marathon.core.normalization import canonical, completed, merged
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.planner import plan
from mesosphere.marathon.core.shown import task_json
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import Supervisor
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App, app_json
from mesosphere.wire.marathon.shapes import Faults


class Requests:
    """See the module."""

    def __init__(
        self, state: State, changes: Changes, supervisor: Supervisor, launcher: Launcher
    ) -> None:
        self._state = state
        self._changes = changes
        self._supervisor = supervisor
        self._launcher = launcher

    def answer(self, outcome: Outcome, command: commands.Command) -> Response:
        """Do what a command asks for; a refusal is an answer too."""
        handler = _HANDLERS[type(command)]
        try:
            return handler(self, outcome, command)
        except Rejected as rejected:
            return rejected.response

    # --- apps -------------------------------------------------------------------------------

    def create_app(self, outcome: Outcome, command: commands.CreateApp) -> Response:
        """POST /v2/apps."""
        faults: Faults = []
        clean = canonical(command.definition, self._state.config, faults)
        app = completed(clean, self._state.config)
        root = self._state.root
        if app.id in root.apps:
            raise Rejected(answers.message(409, f"An app with id [{app.id}] already exists."))
        accepted = self._changes.accept(
            outcome, with_apps(root, [app]), force=command.force, faults=faults
        )
        created = self._state.root.apps[app.id]
        self._tell_post(outcome, command, created)
        shown = app_json(created)
        shown.update(tasksStaged=0, tasksRunning=0, tasksHealthy=0, tasksUnhealthy=0)
        shown["deployments"] = [{"id": accepted.deployment_id}]
        headers = {"Location": app.id, answers.DEPLOYMENT_HEADER: accepted.deployment_id}
        return json_response(201, shown, headers)

    def update_apps(self, outcome: Outcome, command: commands.UpdateApps) -> Response:
        """PUT and PATCH of one app or of many."""
        root = self._state.root
        faults: Faults = []
        created = [app_id for app_id, _ in command.updates if app_id not in root.apps]
        if created and not command.may_create:
            raise Rejected(answers.app_missing(created[0]))
        apps = [
            self._updated(app_id, update, command.partial, faults)
            for app_id, update in command.updates
        ]
        accepted = self._changes.accept(
            outcome, with_apps(root, apps), force=command.force, faults=faults
        )
        if command.single:
            self._tell_post(outcome, command, self._state.root.apps[apps[0].id])
            if created:
                return accepted.response(201, {"Location": created[0]})
        return accepted.response()

    def _updated(
        self, app_id: str, update: Mapping[str, Any], partial: bool, faults: Faults
    ) -> App:
        config = self._state.config
        current = self._state.root.apps.get(app_id)
        if current is not None and "version" in update:
            if [name for name in update if name not in ("id", "version")]:
                text = "The 'version' field may only be combined with the 'id' field."
                raise Rejected(answers.not_valid([("/version", text)]))
            stored = self._state.storage.versions.get(app_id, update["version"])
            if stored is None:
                raise Rejected(answers.app_missing(app_id, update["version"]))
            return stored
        clean = canonical(update, config, faults)
        clean["id"] = app_id
        if "dependencies" in clean:
            within = paths.parent(app_id)
            clean["dependencies"] = [paths.resolve(one, within) for one in clean["dependencies"]]
        if current is not None and partial:
            return completed(merged(current, clean), config)
        return completed(clean, config)

    def delete_app(self, outcome: Outcome, command: commands.DeleteApp) -> Response:
        """DELETE of an app."""
        root = self._state.root
        if command.app_id not in root.apps:
            raise Rejected(answers.app_missing(command.app_id))
        target = with_apps(root, [], [command.app_id])
        return self._changes.accept(outcome, target, force=command.force).response()

    def restart_app(self, outcome: Outcome, command: commands.RestartApp) -> Response:
        """Replace all instances of an app."""
        root = self._state.root
        if command.app_id not in root.apps:
            raise Rejected(answers.app_missing(command.app_id))
        accepted = self._changes.accept(
            outcome, root, force=command.force, restart=[command.app_id]
        )
        return accepted.response()

    def _tell_post(self, outcome: Outcome, command: commands.Command, app: App) -> None:
        self._state.publish(
            outcome,
            "api_post_event",
            clientIp=command.peer,
            uri=command.uri,
            appDefinition=app_json(app),
        )

    # --- tasks ------------------------------------------------------------------------------

    def kill_tasks(self, outcome: Outcome, command: commands.KillTasks) -> Response:
        """Kill instances, with `scale` for good."""
        if command.scale and command.wipe:
            raise Rejected(answers.message(400, "You cannot use scale and wipe at the same time."))
        known = self._state.instances.by_id
        chosen = [known[name] for name in command.instances if name in known]
        if command.scale:
            return self._kill_and_scale(outcome, chosen, command.force).response()
        tasks = [task_json(self._state, instance) for instance in chosen]
        for instance in chosen:
            self._supervisor.kill(outcome, instance)
        if command.single:
            return json_response(200, {"task": tasks[0]})
        return json_response(200, {"tasks": tasks})

    def _kill_and_scale(self, outcome: Outcome, chosen: list[Instance], force: bool) -> Accepted:
        root = self._state.root
        fewer: dict[str, int] = {}
        for instance in chosen:
            if instance.app_id in root.apps and not instance.is_leaving:
                fewer[instance.app_id] = fewer.get(instance.app_id, 0) + 1
        apps = [
            msgspec.structs.replace(
                root.apps[app_id], instances=max(0, root.apps[app_id].instances - count)
            )
            for app_id, count in fewer.items()
        ]
        accepted = self._changes.accept(outcome, with_apps(root, apps), force=force)
        for instance in chosen:
            self._supervisor.decommission(outcome, instance)
        return accepted

    # --- groups -----------------------------------------------------------------------------

    def change_group(self, outcome: Outcome, command: commands.ChangeGroup) -> Response:
        """POST and PUT of a group."""
        update = dict(command.update)
        group = paths.resolve(update.pop("id"), command.group) if "id" in update else command.group
        root = self._state.root
        if command.create and group in root.apps:
            text = f"An app with the path {group} already exists."
            raise Rejected(answers.message(409, text))
        if command.create and root.has_group(group):
            text = f"Group {group} is already created. Use PUT to change this group."
            raise Rejected(answers.message(409, text))
        faults: Faults = []
        target = self._changed_group(group, update, faults, len(command.update))
        if command.dry_run:
            prepared = self._changes.prepare(outcome.now, target, group=group, faults=faults)
            steps = plan(root, prepared).steps
            return json_response(
                200,
                {
                    "steps": [
                        {"actions": [{"action": a.kind.value, "app": a.app} for a in step]}
                        for step in steps
                    ]
                },
            )
        accepted = self._changes.accept(
            outcome, target, force=command.force, group=group, faults=faults
        )
        if command.create:
            return accepted.response(201, {"Location": group})
        return accepted.response()

    def _changed_group(
        self, group: str, update: Mapping[str, Any], faults: Faults, fields: int
    ) -> Root:
        root = self._state.root
        for alone in ("version", "scaleBy"):
            if alone in update and fields > 1:
                text = f"The '{alone}' field may not be combined with others."
                raise Rejected(answers.not_valid([(f"/{alone}", text)]))
        if update.get("enforceRole"):
            text = "enforceRole is not supported yet: all apps have the role of this Marathon"
            raise Rejected(answers.not_valid([("/enforceRole", text)]))
        if "version" in update:
            earlier = self._changes.at_version(group, update["version"])
            if earlier is None:
                text = f"Group {group} not available in version {update['version']}"
                raise Rejected(answers.message(422, text))
            return earlier
        if "scaleBy" in update:
            return scaled(root, group, update["scaleBy"])
        change = GroupChange(root, self._state.config)
        target = change.apply(group, update)
        faults += change.faults
        return target

    def delete_group(self, outcome: Outcome, command: commands.DeleteGroup) -> Response:
        """DELETE of a group."""
        root = self._state.root
        if not root.has_group(command.group):
            raise Rejected(answers.group_missing(command.group))
        target = without_group(root, command.group)
        return self._changes.accept(
            outcome, target, force=command.force, group=command.group
        ).response()

    # --- the rest ---------------------------------------------------------------------------

    def cancel_deployment(self, outcome: Outcome, command: commands.CancelDeployment) -> Response:
        """DELETE of a deployment."""
        return self._changes.cancel(outcome, command.deployment, command.force)

    def reset_delay(self, outcome: Outcome, command: commands.ResetDelay) -> Response:
        """DELETE of an app's launch delay."""
        if command.app_id not in self._state.queue.entries:
            text = f"Application {command.app_id} not found in tasks queue."
            raise Rejected(answers.message(404, text))
        self._launcher.delay_reset(outcome, command.app_id)
        return Response(204)


_HANDLERS: Mapping[type[commands.Command], Callable[..., Response]] = {
    commands.CreateApp: Requests.create_app,
    commands.UpdateApps: Requests.update_apps,
    commands.DeleteApp: Requests.delete_app,
    commands.RestartApp: Requests.restart_app,
    commands.KillTasks: Requests.kill_tasks,
    commands.ChangeGroup: Requests.change_group,
    commands.DeleteGroup: Requests.delete_group,
    commands.CancelDeployment: Requests.cancel_deployment,
    commands.ResetDelay: Requests.reset_delay,
}
