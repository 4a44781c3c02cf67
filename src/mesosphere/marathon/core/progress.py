"""Brings apps to what is wanted of them, and deployments through their steps.

Decides nothing by itself: it asks `rollout` about each app that something happened to, queues and
kills what the answer says, and moves a deployment on when every action of its step is done.
Invariants: a deployment's step is stored before its actions begin; an app is moved by at most one
deployment; events come in the order: deployment_info, deployment_step_success, deployment_success.
Source: Marathon, "Deployments"; DeploymentActor, SchedulerActions.scala.
"""

from mesosphere.kernel.effects import SetTimer
from mesosphere.marathon.core import rollout
from mesosphere.marathon.core.deployments import Deployment, actions_json
from mesosphere.marathon.core.instances import Condition, Instance
from mesosphere.marathon.core.launcher import Launcher
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.planner import Kind
from mesosphere.marathon.core.rollout import Decision, Seen
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import Supervisor
from mesosphere.wire.marathon.app import App

_RANKS = {
    Condition.UNREACHABLE: 0,
    Condition.UNREACHABLE_INACTIVE: 0,
    Condition.KILLING: 0,  # for ill health: it goes anyway, and must not be replaced
    Condition.PROVISIONED: 1,
    Condition.STAGING: 1,
    Condition.STARTING: 2,
    Condition.RUNNING: 3,
}
LOOK_PREFIX = "look/"
LARGE = 200
"""Instances above which an app is not looked at after every single update."""

LOOK_S_PER_INSTANCE = 1e-4
"""Least time between two looks at a large app, per instance: a look takes a tenth of it."""

ROUNDS_LIMIT = 10_000
"""Looks at apps within one step; more would mean that two decisions undo each other for ever."""


class Progress:
    """See the module."""

    def __init__(self, state: State, supervisor: Supervisor, launcher: Launcher) -> None:
        self._state = state
        self._supervisor = supervisor
        self._launcher = launcher
        self._looked_at: dict[str, float] = {}  # large apps only
        self._open: dict[str, dict[str, None]] = {}  # deployment -> apps its step still waits for

    # --- deployments ------------------------------------------------------------------------

    def begin(self, outcome: Outcome, deployment: Deployment) -> None:
        """Start a deployment that was accepted."""
        self._state.deployments.add(deployment)
        self._state.count("deployments")
        self._begin_step(outcome, deployment)

    def resume(self, outcome: Outcome) -> None:
        """Take up the deployments that the store held."""
        for deployment in list(self._state.deployments.running.values()):
            self._begin_step(outcome, deployment)

    def cancel(self, outcome: Outcome, deployment_id: str, reason: str) -> None:
        """End a deployment where it stands."""
        deployment = self._state.deployments.remove(deployment_id)
        if deployment is None:
            return
        self._open.pop(deployment_id, None)
        self._state.storage.drop_deployment(deployment_id)
        self._state.publish(
            outcome,
            "deployment_failed",
            id=deployment_id,
            plan=deployment.plan_json(),
            reason=reason,
        )
        self._forget_deleted(deployment)
        self._state.touch(*deployment.plan.changes)

    def _forget_deleted(self, deployment: Deployment) -> None:
        gone = [name for name in deployment.plan.changes if name not in self._state.root.apps]
        for app_id in gone:
            self._state.storage.drop_app(app_id)
            self._state.failures.pop(app_id, None)
        if gone:
            self._state.forget_definitions(gone)

    def _begin_step(self, outcome: Outcome, deployment: Deployment) -> None:
        if deployment.is_done:
            self._finish(outcome, deployment)
            return
        step = deployment.plan.steps[deployment.current_step]
        self._state.storage.put_deployment(deployment)
        self._open[deployment.id] = {action.app: None for action in step}
        for action in step:
            if action.kind is Kind.RESTART:
                self._state.backoff.reset(action.app)
        self._tell_step(outcome, "deployment_info", deployment)
        self._state.touch(*self._open[deployment.id])

    def _action_done(self, outcome: Outcome, deployment: Deployment, app_id: str) -> None:
        waiting = self._open.get(deployment.id, {})
        if app_id not in waiting:
            return
        del waiting[app_id]
        action = deployment.action_of(app_id)
        if action is not None and action.kind is Kind.STOP:
            self._state.backoff.reset(app_id)
            self._state.publish(outcome, "app_terminated_event", appId=app_id)
        if not waiting:
            self._tell_step(outcome, "deployment_step_success", deployment)
            deployment.current_step += 1
            self._begin_step(outcome, deployment)

    def _finish(self, outcome: Outcome, deployment: Deployment) -> None:
        state = self._state
        state.deployments.remove(deployment.id)
        self._open.pop(deployment.id, None)
        if deployment.plan.steps:
            state.storage.drop_deployment(deployment.id)
        self._forget_deleted(deployment)
        for app_id in deployment.plan.changes:
            in_use = frozenset(one.version for one in state.instances.of_app(app_id))
            state.storage.trim_app(app_id, in_use)
        state.publish(outcome, "deployment_success", id=deployment.id, plan=deployment.plan_json())
        outcome.log("info", "deployment_finished", deployment=deployment.id)
        state.touch(*deployment.plan.changes)

    def _tell_step(self, outcome: Outcome, name: str, deployment: Deployment) -> None:
        step = deployment.plan.steps[deployment.current_step]
        self._state.publish(
            outcome,
            name,
            plan=deployment.plan_json(),
            currentStep={"actions": actions_json(step)},
        )

    # --- apps -------------------------------------------------------------------------------

    def look(self, outcome: Outcome) -> None:
        """Look at every app that was touched, until nothing is left to do."""
        rounds = 0
        while self._state.touched:
            app_id = next(iter(self._state.touched))
            del self._state.touched[app_id]
            if not self._is_put_off(outcome, app_id):
                self._look_at(outcome, app_id)
            rounds += 1
            if rounds > ROUNDS_LIMIT + 20 * len(self._state.root.apps):
                raise AssertionError(f"decisions about {app_id} never come to rest")
        self._launcher.settle(outcome)

    def _is_put_off(self, outcome: Outcome, app_id: str) -> bool:
        """Whether a large app was looked at just now; it will be again in a moment."""
        count = self._state.instances.count(app_id)
        if count <= LARGE:
            self._looked_at.pop(app_id, None)
            return False
        due = self._looked_at.get(app_id, -1e9) + count * LOOK_S_PER_INSTANCE
        if outcome.now < due:
            outcome.do(SetTimer(LOOK_PREFIX + app_id, due - outcome.now))
            return True
        self._looked_at[app_id] = outcome.now
        return False

    def look_at_all(self) -> None:
        """Look at every app: the periodic check that nothing was missed."""
        self._state.touch(*self._state.root.apps)
        self._state.touch(*[one.app_id for one in self._state.instances.by_id.values()])

    def _look_at(self, outcome: Outcome, app_id: str) -> None:
        deployment = self._state.deployments.of_app(app_id)
        decision = self._decide(deployment, app_id)
        for instance_id in decision.kill:
            instance = self._state.instances.by_id.get(instance_id)
            if instance is not None:
                self._supervisor.decommission(outcome, instance)
        self._launcher.want(outcome, app_id, decision.start)
        if decision.done and deployment is not None:
            self._action_done(outcome, deployment, app_id)

    def _decide(self, deployment: Deployment | None, app_id: str) -> Decision:
        app = self._state.root.apps.get(app_id)
        seen = self._seen(app, app_id)
        if deployment is None:
            return rollout.stop(seen) if app is None else rollout.keep(app, seen)
        action = deployment.action_of(app_id)
        if action is None:
            if app is not None and _is_past(deployment, app_id):
                return _without_done(rollout.keep(app, seen))
            return Decision(0)
        if app is None or action.kind is Kind.STOP:
            return rollout.stop(seen)
        if action.kind is Kind.START:
            return Decision(0, (), done=True)
        if action.kind is Kind.RESTART:
            return rollout.restart(app, seen)
        return rollout.scale(app, app.instances, seen)

    def _seen(self, app: App | None, app_id: str) -> list[Seen]:
        config = app.version_info.last_config_change_at if app is not None else ""
        fields = [one[0] for one in app.constraints if one[1] == "GROUP_BY"] if app else []
        return [self._see(one, config, fields) for one in self._state.instances.of_app(app_id)]

    def _see(self, instance: Instance, config: str, fields: list[str]) -> Seen:
        serving = self._state.is_serving(instance)
        return Seen(
            id=instance.id,
            is_old=instance.version < config,
            is_ready=serving and self._has_passed(instance),
            is_healthy=serving,
            is_leaving=instance.is_leaving,
            is_missed=instance.condition is Condition.UNREACHABLE_INACTIVE,
            rank=_RANKS.get(instance.condition, 4),
            started_at=instance.started_at or instance.staged_at,
            spread=tuple(instance.place.value(name) or "" for name in fields),
        )

    def _has_passed(self, instance: Instance) -> bool:
        app = self._state.definition_of(instance)
        return app is None or not app.readiness_checks or instance.is_ready


def _is_past(deployment: Deployment, app_id: str) -> bool:
    return any(
        action.app == app_id and action.kind is not Kind.START
        for step in deployment.plan.steps[: deployment.current_step]
        for action in step
    )


def _without_done(decision: Decision) -> Decision:
    return Decision(decision.start, decision.kill)
