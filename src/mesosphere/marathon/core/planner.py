"""From an original and a target tree to the steps that lead from one to the other.

Decides: which apps are stopped, started, scaled, restarted, and in which order.
Vocabulary: a *step* is a list of actions that run side by side; the next step begins when all of
them are done. The Start action is kept for compatibility: it scales to zero.
Invariants: pure; every changed app is in some step; an app comes after all that it depends on.
Source: Marathon, "Deployments"; DeploymentPlan.scala.
"""

from collections.abc import Container
from enum import Enum

import msgspec

from mesosphere.marathon.core.groups import Root, dependencies_of
from mesosphere.wire.marathon.app import App


class Kind(Enum):
    """What an action does, as the API names it."""

    START = "StartApplication"
    STOP = "StopApplication"
    SCALE = "ScaleApplication"
    RESTART = "RestartApplication"


class Action(msgspec.Struct, frozen=True):
    """One app's part of a step."""

    kind: Kind
    app: str


class Plan(msgspec.Struct, frozen=True):
    """Steps in order, and each affected app with its (original, target) version; None: absent."""

    steps: tuple[tuple[Action, ...], ...]
    changes: dict[str, tuple[str | None, str | None]]


def plan(original: Root, target: Root, outdated: Container[str] = ()) -> Plan:
    """The steps from `original` to `target`.

    `outdated` apps still have instances of an earlier configuration: their update was cancelled.
    """
    removed = [name for name in original.apps if name not in target.apps]
    added = [name for name in target.apps if name not in original.apps]
    changed = [
        name
        for name, app in target.apps.items()
        if name in original.apps and app is not original.apps[name] and app != original.apps[name]
    ]
    steps = [
        tuple(Action(Kind.STOP, name) for name in sorted(removed)),
        tuple(Action(Kind.START, name) for name in sorted(added)),
    ]
    layers: dict[int, list[Action]] = {}
    depths: dict[str, int] = {}
    for name in sorted([*added, *changed]):
        app = target.apps[name]
        kind = Kind.SCALE if name not in original.apps else kind_of(original.apps[name], app)
        if kind is Kind.SCALE and name in outdated and app.instances > 0:
            kind = Kind.RESTART
        layers.setdefault(_depth(target, app, depths), []).append(Action(kind, name))
    steps += [tuple(layers[depth]) for depth in sorted(layers)]
    changes: dict[str, tuple[str | None, str | None]] = {
        name: (original.apps[name].version, None) for name in removed
    }
    changes.update({name: (None, target.apps[name].version) for name in added})
    changes.update(
        {name: (original.apps[name].version, target.apps[name].version) for name in changed}
    )
    return Plan(tuple(step for step in steps if step), changes)


def kind_of(original: App, target: App) -> Kind:
    """Whether a change needs new tasks, or only more or fewer of them."""
    config = (
        original.version_info.last_config_change_at,
        target.version_info.last_config_change_at,
    )
    return Kind.SCALE if config[0] == config[1] or target.instances == 0 else Kind.RESTART


def _depth(root: Root, app: App, depths: dict[str, int]) -> int:
    """Length of the longest chain of dependencies; the tree is known to be free of cycles."""
    trail = [(app.id, dependencies_of(root, app))]
    while trail:
        name, needed = trail[-1]
        missing = [other for other in needed if other not in depths]
        if missing:
            trail.append((missing[0], dependencies_of(root, root.apps[missing[0]])))
        else:
            depths[name] = 1 + max((depths[other] for other in needed), default=0)
            trail.pop()
    return depths[app.id]
