"""Takes what clients want changed, and accepts or refuses it.

Decides whether a change of the tree is valid, what it locks, and which deployment follows.
Order of acceptance: apply to the tree, check the limits, validate, number the service ports, set
versions, plan, look for conflicts; then everything is stored in one transaction and answered.
Invariants: a refused change leaves no trace; two deployments never move the same app.
Source: Marathon, GroupManagerImpl.scala, AppsResource.scala, DeploymentPlanReverter.scala.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mesosphere.kernel.http import Response
from mesosphere.marathon.core import answers
from mesosphere.marathon.core.answers import Rejected
from mesosphere.marathon.core.deployments import Deployment
from mesosphere.marathon.core.groups import Root, root_faults, versioned, without_group
from mesosphere.marathon.core.groups import is_empty as is_empty_group
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.planner import Plan, plan
from mesosphere.marathon.core.progress import Progress
from mesosphere.marathon.core.service_ports import PortsExhausted
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.storage import (
    APP_LIMIT_BYTES,
    CHANGE_LIMIT_APPS,
    CHANGE_LIMIT_BYTES,
)
from mesosphere.marathon.core.validation import app_faults
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App, encode_app
from mesosphere.wire.marathon.shapes import Faults
from mesosphere.wire.marathon.timestamps import next_version


class Accepted(msgspec.Struct, frozen=True):
    """A change that was made: the version of the tree, and the deployment that follows."""

    version: str
    deployment_id: str
    plan: Plan

    def response(self, status: int = 200, headers: Mapping[str, str] = {}) -> Response:
        """The usual answer."""
        return answers.deployment_result(status, self.version, self.deployment_id, headers)


class Changes:
    """See the module."""

    def __init__(self, state: State, progress: Progress) -> None:
        self._state = state
        self._progress = progress

    def prepare(
        self,
        now: float,
        target: Root,
        *,
        group: str = paths.ROOT,
        restart: Iterable[str] = (),
        faults: Sequence[tuple[str, str]] = (),
    ) -> Root:
        """The target validated, with service ports and versions. Raises Rejected."""
        state = self._state
        restarted = frozenset(restart)
        changed = [
            (app, state.root.apps.get(app_id))
            for app_id, app in target.apps.items()
            if app is not state.root.apps.get(app_id) or app_id in restarted
        ]
        removed = [name for name in state.root.apps if name not in target.apps]
        if len(changed) + len(removed) > CHANGE_LIMIT_APPS:
            raise Rejected(
                answers.message(
                    422, f"At most {CHANGE_LIMIT_APPS} apps may be changed by one request"
                )
            )
        found = [*faults, *self._faults(target, changed, group)]
        if found:
            raise Rejected(answers.not_valid(found))
        try:
            numbered = state.ports.assign(changed)
        except PortsExhausted as error:
            raise Rejected(answers.message(422, str(error))) from error
        self._check_size(numbered)
        version = next_version(now, state.root.version)
        apps = dict(target.apps)
        for app, (_, previous) in zip(numbered, changed, strict=True):
            apps[app.id] = versioned(app, previous, version, restart=app.id in restarted)
        return msgspec.structs.replace(target, version=version, apps=apps)

    def _check_size(self, apps: Sequence[App]) -> None:
        sizes = [len(encode_app(app)) for app in apps]
        for app, size in zip(apps, sizes, strict=True):
            if size > APP_LIMIT_BYTES:
                text = f"App '{app.id}' has {size} bytes; at most {APP_LIMIT_BYTES} are stored"
                raise Rejected(answers.message(422, text))
        if sum(sizes) > CHANGE_LIMIT_BYTES:
            text = f"The apps have {sum(sizes)} bytes; one request may change {CHANGE_LIMIT_BYTES}"
            raise Rejected(answers.message(422, text))

    def _faults(
        self, target: Root, changed: Sequence[tuple[App, App | None]], group: str
    ) -> Faults:
        config = self._state.config
        found: Faults = []
        for app, _ in changed:
            ours = app_faults(app, config)
            # In a change of a group the app's id leads to the fault.
            where = "" if len(changed) == 1 and group == paths.ROOT else app.id
            found += [
                (where + ("" if path == "/" and where else path), text) for path, text in ours
            ]
        found += root_faults(target, [app.id for app, _ in changed])
        limit = config.max_apps
        if limit is not None and len(target.apps) > limit:
            found.append(
                (
                    "/",
                    f"This Marathon instance may only handle up to {limit} Apps! (Override with"
                    " command line option --max_apps)",
                )
            )
        return found

    def accept(
        self,
        outcome: Outcome,
        target: Root,
        *,
        force: bool,
        group: str = paths.ROOT,
        restart: Iterable[str] = (),
        faults: Sequence[tuple[str, str]] = (),
        cancelling: str | None = None,
    ) -> Accepted:
        """Make the tree the target, as a deployment. Raises Rejected.

        `cancelling` names a running deployment that this one takes the place of.
        """
        state = self._state
        try:
            prepared = self.prepare(
                outcome.now, target, group=group, restart=restart, faults=faults
            )
            made = plan(state.root, prepared, self._outdated(prepared))
            conflicts = self._conflicts(made, force, cancelling)
        except Rejected:
            state.publish(
                outcome,
                "group_change_failed",
                groupId=group,
                version=next_version(outcome.now, state.root.version),
                reason="the change was refused",
            )
            raise
        for deployment_id in conflicts:
            self._progress.cancel(outcome, deployment_id, "The upgrade has been cancelled")
        groups_added = tuple(name for name in prepared.groups if name not in state.root.groups)
        self._store(state.root, prepared, made)
        deployment = Deployment(state.ids.uuid(), prepared.version, made, 0, groups_added)
        state.publish(outcome, "group_change_success", groupId=group, version=prepared.version)
        outcome.log(
            "info",
            "deployment_accepted",
            deployment=deployment.id,
            apps=len(made.changes),
            steps=len(made.steps),
        )
        self._progress.begin(outcome, deployment)
        return Accepted(prepared.version, deployment.id, made)

    def _outdated(self, target: Root) -> list[str]:
        """Changed apps whose last update was cancelled before every instance was replaced.

        If such an app were only scaled, the old instances would stay for ever.
        """
        state = self._state
        found = []
        for app_id, app in state.root.apps.items():
            if target.apps.get(app_id) is app:
                continue
            config = app.version_info.last_config_change_at
            if any(
                not one.is_leaving and one.version < config
                for one in state.instances.of_app(app_id)
            ):
                found.append(app_id)
        return found

    def _conflicts(self, made: Plan, force: bool, cancelling: str | None) -> list[str]:
        deployments = self._state.deployments
        conflicts = deployments.conflicts(made.changes)
        if conflicts and not force:
            raise Rejected(answers.locked(conflicts))
        if cancelling is not None and cancelling not in conflicts:
            conflicts.append(cancelling)
        limit = self._state.config.max_running_deployments
        if made.steps and len(deployments.running) - len(conflicts) >= limit:
            raise Rejected(
                answers.message(
                    403,
                    f"Max number ({limit}) of running deployments is achieved."
                    " Wait for existing deployments to complete or cancel one using force=true"
                    " parameter. You can increase max deployment number by using"
                    " --max_running_deployments parameter",
                )
            )
        return conflicts

    def _store(self, original: Root, target: Root, made: Plan) -> None:
        state = self._state
        if not made.changes and target.groups == original.groups:
            return
        for app_id in made.changes:
            before, after = original.apps.get(app_id), target.apps.get(app_id)
            if before is not None:
                state.ports.release(before)
            if after is not None:
                state.ports.hold(after)
                state.storage.put_app(after)
            else:
                state.storage.put_deletion(app_id, target.version)
        state.history.append((target.version, target.groups))
        del state.history[: -state.config.max_versions]
        state.root = target
        state.storage.put_root(target, state.history)

    def cancel(self, outcome: Outcome, deployment_id: str, force: bool) -> Response:
        """End a deployment; without force the reverse change is deployed. Raises Rejected."""
        deployment = self._state.deployments.running.get(deployment_id)
        if deployment is None:
            raise Rejected(answers.message(404, f"DeploymentPlan {deployment_id} does not exist"))
        if force:
            self._progress.cancel(outcome, deployment_id, "The upgrade has been cancelled")
            return Response(202)
        target = self._reverted(deployment)
        return self.accept(outcome, target, force=True, cancelling=deployment_id).response()

    def _reverted(self, deployment: Deployment) -> Root:
        apps = dict(self._state.root.apps)
        for app_id, (original, _) in deployment.plan.changes.items():
            before = (
                None if original is None else self._state.storage.versions.get(app_id, original)
            )
            if before is not None:
                apps[app_id] = before
            else:
                apps.pop(app_id, None)
        target = msgspec.structs.replace(self._state.root, apps=apps)
        for name in sorted(deployment.groups_added, reverse=True):
            if name in target.groups and is_empty_group(target, name):
                target = without_group(target, name)
        return target

    def at_version(self, group: str, version: str) -> Root | None:
        """The present tree with one group as it was at a version; None if that is not known."""
        state = self._state
        known = dict(state.history).get(version)
        if known is None:
            return None
        apps: dict[str, Any] = {
            name: app for name, app in state.root.apps.items() if not paths.is_within(name, group)
        }
        for app_id in state.storage.versions.ids():
            app = state.storage.versions.at(app_id, version)
            if app is not None and paths.is_within(app_id, group):
                apps[app_id] = app
        groups = {
            name: one for name, one in state.root.groups.items() if not paths.is_within(name, group)
        }
        groups.update({name: one for name, one in known.items() if paths.is_within(name, group)})
        return msgspec.structs.replace(state.root, apps=apps, groups=groups)
