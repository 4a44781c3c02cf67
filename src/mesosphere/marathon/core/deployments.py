"""Running deployments: what they lock, where they stand, how they are stored and undone.

Vocabulary: a deployment *locks* the apps of its plan; its *current step* counts from 0.
Invariants: two running deployments never share an app; one that is stored is resumed at its
current step, whose actions may be repeated without harm.
Source: Marathon, "Deployments"; DeploymentManager, DeploymentPlanReverter.scala.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from mesosphere.marathon.core.planner import Action, Kind, Plan


class Deployment(msgspec.Struct):
    """A plan on its way."""

    id: str
    version: str
    plan: Plan
    current_step: int = 0
    groups_added: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether no step is left."""
        return self.current_step >= len(self.plan.steps)

    def action_of(self, app_id: str) -> Action | None:
        """What the current step does with an app."""
        if self.is_done:
            return None
        for action in self.plan.steps[self.current_step]:
            if action.app == app_id:
                return action
        return None

    def plan_json(self) -> dict[str, Any]:
        """The plan as events carry it."""
        return {
            "id": self.id,
            "version": self.version,
            "steps": [{"actions": actions_json(step)} for step in self.plan.steps],
        }


def actions_json(step: Iterable[Action]) -> list[dict[str, str]]:
    """The actions of a step as events carry them."""
    return [{"action": action.kind.value, "app": action.app} for action in step]


class Deployments:
    """All running deployments in the order they began, and which app each one locks."""

    def __init__(self) -> None:
        self.running: dict[str, Deployment] = {}
        self._locks: dict[str, str] = {}

    def add(self, deployment: Deployment) -> None:
        """Begin one; its apps must be free."""
        self.running[deployment.id] = deployment
        for app_id in deployment.plan.changes:
            self._locks[app_id] = deployment.id

    def remove(self, deployment_id: str) -> Deployment | None:
        """End one."""
        deployment = self.running.pop(deployment_id, None)
        if deployment is not None:
            for app_id in deployment.plan.changes:
                self._locks.pop(app_id, None)
        return deployment

    def of_app(self, app_id: str) -> Deployment | None:
        """The deployment that locks an app."""
        deployment_id = self._locks.get(app_id)
        return None if deployment_id is None else self.running[deployment_id]

    def conflicts(self, app_ids: Iterable[str]) -> list[str]:
        """The ids of the deployments that lock any of the apps, oldest first."""
        found = dict.fromkeys(self._locks[name] for name in app_ids if name in self._locks)
        return [name for name in self.running if name in found]


def encode_deployment(deployment: Deployment) -> bytes:
    """For the store."""
    return msgspec.json.encode(deployment)


_DECODER = msgspec.json.Decoder(Deployment)


def decode_deployment(data: bytes) -> Deployment:
    """From the store."""
    return _DECODER.decode(data)


def step_names(step: Iterable[Action]) -> list[str]:
    """The apps of a step that it really moves (Start is a formality)."""
    return [action.app for action in step if action.kind is not Kind.START]
