"""Groups as the API shows them.

Source: Marathon, "REST API", group.raml; InfoEmbedResolver.scala, GroupConversion.scala.
"""

from collections.abc import Sequence

import msgspec

from mesosphere.marathon.core.groups import Group, Root
from mesosphere.marathon.core.state import State
from mesosphere.marathon.views.apps import app_bytes, embeds
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App

PARTS = ("group.groups", "group.apps", "group.pods")


class GroupEmbed(msgspec.Struct, frozen=True):
    """Which parts of a group are shown, and what of its apps."""

    groups: bool = True
    apps: bool = True
    of_apps: frozenset[str] = frozenset()


def group_embed(values: Sequence[str]) -> GroupEmbed:
    """What `embed` asks for: everything, plainly, when it is not given."""
    if not values:
        return GroupEmbed()
    return GroupEmbed(
        "group.groups" in values,
        "group.apps" in values,
        embeds(value for value in values if value.startswith("group.apps.")),
    )


def group_bytes(state: State, root: Root, group: str, embed: GroupEmbed) -> bytes:
    """A group with what is in it."""
    children: dict[str, list[str]] = {}
    apps: dict[str, list[App]] = {}
    for name in sorted(root.groups):
        if name != paths.ROOT:
            children.setdefault(paths.parent(name), []).append(name)
    for app in root.apps_of(group):
        apps.setdefault(paths.parent(app.id), []).append(app)
    return _one(state, root, group, embed, children, apps)


def _one(
    state: State,
    root: Root,
    group: str,
    embed: GroupEmbed,
    children: dict[str, list[str]],
    apps: dict[str, list[App]],
) -> bytes:
    known = root.groups.get(group, Group())
    parts = [b'"id":' + msgspec.json.encode(group)]
    if embed.apps:
        listed = [app_bytes(state, app, embed.of_apps) for app in apps.get(group, ())]
        parts.append(b'"apps":[' + b",".join(listed) + b"]")
    if embed.groups:
        inner = [
            _one(state, root, child, embed, children, apps) for child in children.get(group, ())
        ]
        parts.append(b'"groups":[' + b",".join(inner) + b"]")
    parts.append(b'"pods":[]')
    parts.append(b'"dependencies":' + msgspec.json.encode(known.dependencies))
    parts.append(b'"version":' + msgspec.json.encode(root.version))
    if known.enforce_role:
        # Left out where it says nothing: clients older than the field stumble over it.
        parts.append(b'"enforceRole":true')
    return b"{" + b",".join(parts) + b"}"


def group_versions(state: State, group: str) -> list[str]:
    """Versions of the tree in which a group existed, newest first."""
    found = [version for version, groups in state.history if group == paths.ROOT or group in groups]
    return list(reversed(found))
