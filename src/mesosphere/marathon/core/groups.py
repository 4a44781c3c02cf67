"""The tree of groups and apps, and how a request changes it.

Decides: what the whole tree looks like after a change, and which versions the changed apps get.
Vocabulary: *root* is the whole tree at one version; apps are kept flat, by absolute id; a group
is known by its id and exists as long as it was named or has something in it.
Invariants: a root is a value, a change makes a new one; an app that did not change is the same
object in both, which is how changes are found.
Source: Marathon, "Application Groups"; RootGroup.scala, GroupVersioningUtil.scala.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.normalization import canonical, completed
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App, VersionInfo
from mesosphere.wire.marathon.app_shapes import INSTANCES_LIMIT
from mesosphere.wire.marathon.shapes import Faults

SAME_ID = "Groups and Applications may not have the same identifier."
CYCLE = "Dependency graph has cyclic dependencies."


class Group(msgspec.Struct, frozen=True):
    """What a group has of its own."""

    dependencies: tuple[str, ...] = ()
    enforce_role: bool | None = None


class Root(msgspec.Struct, frozen=True):
    """All apps and groups at one version."""

    version: str = ""
    apps: Mapping[str, App] = {}
    groups: Mapping[str, Group] = {}

    def apps_of(self, group: str) -> list[App]:
        """All apps in or below a group, by id."""
        return [self.apps[app_id] for app_id in sorted(self.apps) if paths.is_within(app_id, group)]

    def has_group(self, group: str) -> bool:
        """Whether there is such a group; the root always is."""
        return group == paths.ROOT or group in self.groups


def with_apps(root: Root, changed: Iterable[App], removed: Iterable[str] = ()) -> Root:
    """The root with apps set and removed. Missing groups are made; groups never vanish here."""
    apps = dict(root.apps)
    groups = root.groups
    for app_id in removed:
        apps.pop(app_id, None)
    for app in changed:
        apps[app.id] = app
        missing = [name for name in paths.ancestors(app.id) if name not in groups]
        if missing or app.id in groups:
            groups = {**groups, **{name: Group() for name in missing if name != paths.ROOT}}
            if app.id in groups and is_empty(Root(root.version, apps, groups), app.id):
                groups = {name: group for name, group in groups.items() if name != app.id}
    return msgspec.structs.replace(root, apps=apps, groups=groups)


def is_empty(root: Root, group: str) -> bool:
    """Whether nothing lives below a group."""
    inside = group.rstrip("/") + "/"
    return not any(name.startswith(inside) for name in root.apps) and not any(
        name.startswith(inside) for name in root.groups
    )


def without_group(root: Root, group: str) -> Root:
    """The root without a group and everything in it."""
    return msgspec.structs.replace(
        root,
        apps={name: app for name, app in root.apps.items() if not paths.is_within(name, group)},
        groups={
            name: kept for name, kept in root.groups.items() if not paths.is_within(name, group)
        },
    )


def versioned(new: App, old: App | None, version: str, *, restart: bool = False) -> App:
    """The app with the version it deserves: none of its own when nothing changed."""
    if old is None:
        info = VersionInfo(last_scaling_at=version, last_config_change_at=version)
        return msgspec.structs.replace(new, version=version, version_info=info)
    same = msgspec.structs.replace(new, version=old.version, version_info=old.version_info)
    if restart:
        info = msgspec.structs.replace(old.version_info, last_config_change_at=version)
    elif same == old:
        return old
    elif msgspec.structs.replace(same, instances=old.instances) == old:
        info = msgspec.structs.replace(old.version_info, last_scaling_at=version)
    else:
        info = VersionInfo(last_scaling_at=version, last_config_change_at=version)
    return msgspec.structs.replace(new, version=version, version_info=info)


def scaled(root: Root, group: str, factor: float) -> Root:
    """Every app of a group times a factor, rounded up, at most as many as an app may have."""
    return with_apps(
        root,
        [
            msgspec.structs.replace(
                app, instances=min(math.ceil(app.instances * factor), INSTANCES_LIMIT)
            )
            for app in root.apps_of(group)
        ],
    )


class GroupChange:
    """Applies a group update to a root; the faults are collected with their paths."""

    def __init__(self, root: Root, config: MarathonConfig) -> None:
        self._apps = dict(root.apps)
        self._groups = dict(root.groups)
        self._root = root
        self._config = config
        self.faults: Faults = []

    def apply(self, group: str, update: Mapping[str, Any]) -> Root:
        """The root after `update` of `group`: what is named replaces, what is not stays."""
        self._merge(group, update, "")
        return msgspec.structs.replace(self._root, apps=self._apps, groups=self._groups)

    def _merge(self, group: str, update: Mapping[str, Any], path: str) -> None:
        if group != paths.ROOT:
            for name in (group, *paths.ancestors(group)):
                if name != paths.ROOT:
                    self._groups.setdefault(name, Group())
        known = self._groups.get(group, Group())
        dependencies = known.dependencies
        if "dependencies" in update:
            dependencies = tuple(paths.resolve(name, group) for name in update["dependencies"])
        enforce = update.get("enforceRole", known.enforce_role)
        if group != paths.ROOT or dependencies:
            self._groups[group] = Group(dependencies, enforce)
        self.faults += [(f"{path}/id", text) for text in paths.problems(group)]
        if "apps" in update:
            self._set_apps(group, update["apps"], path)
        if "groups" in update:
            self._set_groups(group, update["groups"], path)

    def _set_apps(self, group: str, definitions: list[dict[str, Any]], path: str) -> None:
        named: dict[str, App] = {}
        for index, definition in enumerate(definitions):
            where = f"{path}/apps({index})"
            faults: Faults = []
            clean = canonical(definition, self._config, faults)
            app = completed(clean, self._config, group)
            self.faults += [(where + ("" if name == "/" else name), text) for name, text in faults]
            if paths.parent(app.id) != group:
                self.faults.append((f"{where}/id", f"Identifier is not child of '{group}'"))
            if app.id in named:
                self.faults.append((f"{path}/apps", "Applications must have unique ids"))
            named[app.id] = app
        for app_id in [name for name in self._apps if paths.parent(name) == group]:
            if app_id not in named:
                del self._apps[app_id]
        self._apps.update(named)

    def _set_groups(self, group: str, updates: list[dict[str, Any]], path: str) -> None:
        named = []
        for index, update in enumerate(updates):
            where = f"{path}/groups({index})"
            if "id" not in update:
                self.faults.append((f"{where}/id", "not defined"))
                continue
            child = paths.resolve(update["id"], group)
            if paths.parent(child) != group or child == group:
                self.faults.append((f"{where}/id", f"Identifier is not child of '{group}'"))
                continue
            named.append(child)
            self._merge(child, update, where)
        children = [
            name for name in self._groups if name != paths.ROOT and paths.parent(name) == group
        ]
        for gone in [name for name in children if name not in named]:
            for name in [name for name in self._groups if paths.is_within(name, gone)]:
                del self._groups[name]
            for name in [name for name in self._apps if paths.is_within(name, gone)]:
                del self._apps[name]


def root_faults(root: Root, changed: Iterable[str]) -> Faults:
    """Faults between apps and groups: shared ids, cycles."""
    faults: Faults = []
    for app_id in changed:
        clash = app_id in root.groups or any(name in root.apps for name in paths.ancestors(app_id))
        if clash:
            faults.append((app_id, SAME_ID))
    # Who depends on its own group waits for the others in it, not for itself.
    on_itself = any(
        app_id in root.apps and app_id in root.apps[app_id].dependencies for app_id in changed
    )
    if on_itself or _has_cycle(root):
        faults.append(("/", CYCLE))
    return faults


def dependencies_of(root: Root, app: App) -> list[str]:
    """The apps that must run before this one: its own and its groups' dependencies, resolved."""
    wanted = list(app.dependencies)
    for group in (*paths.ancestors(app.id),):
        known = root.groups.get(group)
        if known is not None:
            wanted += known.dependencies
    found: dict[str, None] = {}
    for name in wanted:
        if name in root.apps:
            found[name] = None
        else:
            found.update(dict.fromkeys(other.id for other in root.apps_of(name)))
    found.pop(app.id, None)
    return list(found)


def _has_cycle(root: Root) -> bool:
    depending = (
        {
            app.id: None
            for app in root.apps.values()
            if app.dependencies
            or any(root.groups.get(g, Group()).dependencies for g in paths.ancestors(app.id))
        }
        if _any_dependencies(root)
        else {}
    )
    finished: dict[str, bool] = {}
    for start in depending:
        trail = [(start, iter(dependencies_of(root, root.apps[start])))]
        if start in finished:
            continue
        finished[start] = False
        while trail:
            name, rest = trail[-1]
            following = next(rest, None)
            if following is None:
                finished[name] = True
                trail.pop()
            elif following not in finished:
                finished[following] = False
                trail.append((following, iter(dependencies_of(root, root.apps[following]))))
            elif not finished[following]:
                return True
    return False


def _any_dependencies(root: Root) -> bool:
    return any(app.dependencies for app in root.apps.values()) or any(
        group.dependencies for group in root.groups.values()
    )
