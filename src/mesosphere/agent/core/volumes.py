"""Where persistent volumes lie, and how a task sees them.

A volume on the root disk is `<work_dir>/volumes/roles/<role>/<id>`, on a PATH disk the same below
its root, on a MOUNT disk the mount itself. A "/" of a hierarchical role becomes a space, which no
role may contain, so that no role's directory lies within another's.

Source: apache/mesos src/slave/paths.cpp (getPersistentVolumePath).
"""

import posixpath
from collections.abc import Iterable

from mesosphere.agent.core.refusals import Unsupported
from mesosphere.agent.core.surroundings import Volume
from mesosphere.kernel.conversions import is_volume
from mesosphere.kernel.resources import Identity, Resources
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.resources import DiskSource, Resource
from mesosphere.wire.mesos.resources_codec import from_wire


def volume_path(work_dir: str, identity: Identity) -> str:
    """The directory of a volume on this host."""
    disk = identity.disk
    assert disk is not None and disk.persistence_id is not None
    root = work_dir
    if disk.source:
        source = codec.decode(disk.source, DiskSource)
        place = source.mount or source.path
        root = posixpath.join(work_dir, (None if place is None else place.root) or "")
        if source.type == "MOUNT":
            return root
    role = (identity.reservation_role or "*").replace("/", " ")
    return posixpath.join(root, "volumes/roles", role, disk.persistence_id)


def is_movable(path: str) -> bool:
    """Whether a volume is a directory among others, and not a disk of its own."""
    return posixpath.dirname(posixpath.dirname(path)).endswith("volumes/roles")


def paths(work_dir: str, resources: Resources) -> tuple[str, ...]:
    """The directories of all volumes in it."""
    return tuple(
        volume_path(work_dir, identity) for identity, _ in resources if is_volume(identity)
    )


def mounts(work_dir: str, resources: Iterable[Resource]) -> tuple[Volume, ...]:
    """The volumes of a task as its container sees them: where the task itself wants each."""
    found: dict[str, Volume] = {}
    for resource in resources:
        wanted = None if resource.disk is None else resource.disk.volume
        if wanted is None:
            continue
        for identity, _ in from_wire([resource]):
            found.setdefault(
                wanted.container_path,
                Volume(
                    container_path=wanted.container_path,
                    host_path=volume_path(work_dir, identity),
                    read_only=wanted.mode == "RO",
                    owned="shared" if identity.is_shared else "alone",
                ),
            )
    return tuple(found.values())


def check_mounts(resources: Iterable[Resource], isolation: str) -> None:
    """Raises Unsupported if a task wants a volume where it can't be."""
    for volume in mounts("/", resources):
        path = volume.container_path
        if ".." in path.split("/") or not path.strip("/.") or "\0" in path:
            raise Unsupported(f"the volume's container path {path!r} is no place in the sandbox")
        if isolation == "oci":
            continue
        if path.startswith("/"):
            raise Unsupported(
                "Specifying an absolute container path for persistent volume is not supported"
            )
        if volume.read_only:
            raise Unsupported("Read-only persistent volume not supported")
