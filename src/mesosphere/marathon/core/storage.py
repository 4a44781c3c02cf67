"""What survives: the layout of the store, and the writes that a step collects.

Layout, below the state path:

    epoch                   who leads; every transaction checks its version, so that a leader that
                            was deposed without noticing can write nothing
    framework               the framework id
    root                    version, groups and history of the tree
    apps/<id>/<version>     one version of an app; the newest is the present one, empty: deleted
    deployments/<id>        a running deployment
    instances/<bucket>      up to BUCKET_SIZE instances; full buckets keep single writes small
    failures/<id>           the last failure of an app

Invariants: what a step changed is written in one transaction; nothing is said before it is.
"""

from collections.abc import Mapping

import msgspec

from mesosphere.kernel.store import ANY, Check, Put, Remove, Write
from mesosphere.marathon.core.deployments import Deployment, decode_deployment, encode_deployment
from mesosphere.marathon.core.groups import Group, Root
from mesosphere.marathon.core.instances import Instance
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App, decode_app, encode_app

BUCKET_SIZE = 32
"""Instances in one node of the store."""

TRANSACTION_BYTES = 300_000
"""Bytes of instances in one transaction; more go into the next."""

MERGE_LIMIT_WRITES = 300
MERGE_LIMIT_BYTES = 100_000
"""What may wait for an earlier transaction; beyond, it is sent without waiting."""

CHANGE_LIMIT_APPS = 400
"""Apps that one request may change: the store takes 2,000 writes in one transaction."""

CHANGE_LIMIT_BYTES = 400_000
"""Their size: the store takes 1,000,000 bytes at once, with the deployment and the tree."""

APP_LIMIT_BYTES = 250_000
"""Size of one app."""

ROOT_LIMIT_BYTES = 200_000
"""Size of the record of the tree; the oldest history is given up to stay below it."""

History = list[tuple[str, Mapping[str, Group]]]
"""(version, groups) of the tree, oldest first; neighbours share the groups that did not change."""


class RootRecord(msgspec.Struct, frozen=True):
    """The tree without its apps. `history`: (version, which of `trees`), oldest first."""

    version: str
    trees: list[dict[str, Group]]
    history: list[tuple[str, int]]


def encode_root(root: Root, history: History) -> bytes:
    """The record of the tree, with as much history as fits."""
    kept = list(history)
    while True:
        trees: list[Mapping[str, Group]] = []
        listed = []
        for version, groups in [*kept, (root.version, root.groups)]:
            if not trees or trees[-1] is not groups:
                trees.append(groups)
            listed.append((version, len(trees) - 1))
        record = {"version": root.version, "trees": trees, "history": listed[:-1]}
        data = msgspec.json.encode(record)
        if len(data) <= ROOT_LIMIT_BYTES or not kept:
            return data
        del kept[: (len(kept) + 1) // 2]


class Failure(msgspec.Struct, frozen=True):
    """The last failure of an app, as `lastTaskFailure` shows it. `at` in seconds since 1970."""

    app_id: str
    task_id: str
    state: str
    message: str
    host: str
    agent_id: str
    version: str
    at: float


def _size(write: Write) -> int:
    """Bytes that a write takes up in a transaction, about."""
    return len(write.path) + (len(write.data) if isinstance(write, Put) else 0)


class Versions:
    """Every stored version of every app, encoded; the newest is last."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, bytes]] = {}

    def of(self, app_id: str) -> list[str]:
        """The versions of an app, oldest first, without the mark of its deletion."""
        return [version for version, data in self._of.get(app_id, {}).items() if data]

    def get(self, app_id: str, version: str) -> App | None:
        """One version."""
        data = self._of.get(app_id, {}).get(version)
        return decode_app(data) if data else None

    def at(self, app_id: str, version: str) -> App | None:
        """The version that was present at a moment; None if there was none."""
        found = b""
        for stored, data in self._of.get(app_id, {}).items():
            if stored <= version:
                found = data
        return decode_app(found) if found else None

    def ids(self) -> list[str]:
        """The apps that have any version."""
        return list(self._of)

    def put(self, app_id: str, version: str, data: bytes) -> None:
        """Remember a version; empty data marks a deletion."""
        self._of.setdefault(app_id, {})[version] = data

    def drop(self, app_id: str, version: str) -> None:
        """Forget a version."""
        versions = self._of.get(app_id, {})
        versions.pop(version, None)
        if not versions:
            self._of.pop(app_id, None)


class Loaded(msgspec.Struct):
    """Everything that was in the store."""

    epoch_version: int | None
    framework_id: str | None
    root: Root
    history: History
    deployments: list[Deployment]
    failures: dict[str, Failure]


class Storage:
    """Collects the writes of a step and keeps what the store holds that others look up."""

    def __init__(self, base: str, max_versions: int) -> None:
        self._base = base.rstrip("/")
        self._max_versions = max_versions
        self._writes: dict[str, Write] = {}
        self._buckets: dict[int, dict[str, Instance]] = {}
        self._bucket_of: dict[str, int] = {}
        self._open: dict[int, None] = {}
        self._next_bucket = 0
        self._dirty: dict[int, None] = {}
        self._epoch_version: int | None = None
        self.versions = Versions()

    # --- collecting -------------------------------------------------------------------------

    @property
    def is_dirty(self) -> bool:
        """Whether anything waits to be written."""
        return bool(self._writes or self._dirty)

    @property
    def may_wait(self) -> bool:
        """Whether what waits is little enough to be joined by more."""
        if len(self._writes) > MERGE_LIMIT_WRITES:
            return False
        return sum(map(_size, self._writes.values())) <= MERGE_LIMIT_BYTES

    def take(self) -> list[tuple[Write, ...]]:
        """The transactions of what has changed, in order: all but instances is in the first."""
        fence: tuple[Write, ...] = ()
        if self._epoch_version is not None:
            fence = (Check(f"{self._base}/epoch", self._epoch_version),)
        transactions = [[*fence, *self._writes.values()]]
        room = TRANSACTION_BYTES - sum(map(_size, self._writes.values()))
        for bucket in self._dirty:
            write = self._bucket_write(bucket)
            if _size(write) > room and len(transactions[-1]) > len(fence):
                transactions.append(list(fence))
                room = TRANSACTION_BYTES
            transactions[-1].append(write)
            room -= _size(write)
        self._writes = {}
        self._dirty = {}
        return [tuple(writes) for writes in transactions]

    def _bucket_write(self, bucket: int) -> Write:
        instances = self._buckets[bucket]
        path = f"{self._base}/instances/{bucket:06d}"
        if instances:
            return Put(path, msgspec.json.encode(list(instances.values())))
        return Remove(path, ANY)

    def _put(self, name: str, data: bytes) -> None:
        path = f"{self._base}/{name}"
        self._writes[path] = Put(path, data)

    def _remove(self, name: str) -> None:
        path = f"{self._base}/{name}"
        self._writes[path] = Remove(path, ANY)

    # --- what is kept -----------------------------------------------------------------------

    @property
    def epoch_path(self) -> str:
        """The node whose version tells one leader's writes from another's."""
        return f"{self._base}/epoch"

    def begin_epoch(self, version: int) -> None:
        """From now on every transaction checks that nobody else leads."""
        self._epoch_version = version

    def put_framework_id(self, framework_id: str) -> None:
        """Keep the framework id."""
        self._put("framework", msgspec.json.encode(framework_id))

    def drop_framework_id(self) -> None:
        """Forget the framework id."""
        self._remove("framework")

    def put_root(self, root: Root, history: History) -> None:
        """Keep the tree without its apps."""
        self._put("root", encode_root(root, history))

    def put_app(self, app: App) -> None:
        """Keep a new version of an app."""
        data = encode_app(app)
        self.versions.put(app.id, app.version, data)
        # The app may have been deleted earlier in this step: its node is needed after all.
        self._writes.pop(f"{self._base}/apps/{paths.safe_path(app.id)}", None)
        self._put(f"apps/{paths.safe_path(app.id)}/{app.version}", data)

    def put_deletion(self, app_id: str, version: str) -> None:
        """Mark an app as deleted; its versions stay until `drop_app` (they may be rolled back)."""
        self.versions.put(app_id, version, b"")
        self._put(f"apps/{paths.safe_path(app_id)}/{version}", b"")

    def trim_app(self, app_id: str, in_use: frozenset[str]) -> None:
        """Forget the oldest versions beyond the limit, except those in use."""
        versions = self.versions.of(app_id)
        for version in versions[: max(0, len(versions) - self._max_versions)]:
            if version not in in_use:
                self._drop_version(app_id, version)

    def drop_app(self, app_id: str) -> None:
        """Forget every version of a deleted app, and its last failure."""
        for version in list(self.versions._of.get(app_id, {})):
            self._drop_version(app_id, version)
        self._remove(f"apps/{paths.safe_path(app_id)}")
        self._remove(f"failures/{paths.safe_path(app_id)}")

    def _drop_version(self, app_id: str, version: str) -> None:
        self.versions.drop(app_id, version)
        self._remove(f"apps/{paths.safe_path(app_id)}/{version}")

    def put_deployment(self, deployment: Deployment) -> None:
        """Keep a running deployment as it stands."""
        self._put(f"deployments/{deployment.id}", encode_deployment(deployment))

    def drop_deployment(self, deployment_id: str) -> None:
        """Forget a deployment that ended."""
        self._remove(f"deployments/{deployment_id}")

    def put_failure(self, failure: Failure) -> None:
        """Keep the last failure of an app."""
        self._put(f"failures/{paths.safe_path(failure.app_id)}", msgspec.json.encode(failure))

    def put_instance(self, instance: Instance) -> None:
        """Keep an instance, new or changed."""
        bucket = self._bucket_of.get(instance.id)
        if bucket is None:
            bucket = next(iter(self._open), None)
            if bucket is None:
                bucket = self._next_bucket
                self._next_bucket += 1
                self._buckets[bucket] = {}
                self._open[bucket] = None
            self._bucket_of[instance.id] = bucket
        members = self._buckets[bucket]
        members[instance.id] = instance
        if len(members) >= BUCKET_SIZE:
            self._open.pop(bucket, None)
        self._dirty[bucket] = None

    def drop_instance(self, instance_id: str) -> None:
        """Forget an instance."""
        bucket = self._bucket_of.pop(instance_id, None)
        if bucket is None:
            return
        self._buckets[bucket].pop(instance_id, None)
        self._open[bucket] = None
        self._dirty[bucket] = None

    # --- reading ----------------------------------------------------------------------------

    def load(self, entries: Mapping[str, tuple[bytes, int]]) -> tuple[Loaded, list[Instance]]:
        """Take in the whole store. Raises msgspec errors on data that is not ours."""
        loaded = Loaded(None, None, Root(), [], [], {})
        instances: list[Instance] = []
        record = RootRecord("", [{}], [])
        for path in sorted(entries):
            data, version = entries[path]
            kind, _, name = path.removeprefix(f"{self._base}/").partition("/")
            if kind == "epoch":
                loaded.epoch_version = version
            elif kind == "framework" and data:
                loaded.framework_id = msgspec.json.decode(data, type=str)
            elif kind == "root" and data:
                record = msgspec.json.decode(data, type=RootRecord)
            elif kind == "apps" and "/" in name:
                key, _, app_version = name.partition("/")
                self.versions.put(paths.from_safe_path(key), app_version, data)
            elif kind == "deployments" and data:
                loaded.deployments.append(decode_deployment(data))
            elif kind == "instances" and data:
                instances += self._load_bucket(int(name), data)
            elif kind == "failures" and data:
                failure = msgspec.json.decode(data, type=Failure)
                loaded.failures[failure.app_id] = failure
        loaded.root = Root(record.version, self._newest(), record.trees[-1])
        loaded.history = [(version, record.trees[index]) for version, index in record.history]
        loaded.deployments.sort(key=lambda deployment: deployment.version)
        return loaded, instances

    def _load_bucket(self, bucket: int, data: bytes) -> list[Instance]:
        members = msgspec.json.decode(data, type=list[Instance])
        self._buckets[bucket] = {instance.id: instance for instance in members}
        self._next_bucket = max(self._next_bucket, bucket + 1)
        for instance in members:
            self._bucket_of[instance.id] = bucket
        if len(members) < BUCKET_SIZE:
            self._open[bucket] = None
        return members

    def _newest(self) -> dict[str, App]:
        apps = {}
        for app_id in self.versions.ids():
            newest = max(self.versions._of[app_id])
            app = self.versions.get(app_id, newest)
            if app is not None:
                apps[app_id] = app
        return apps
