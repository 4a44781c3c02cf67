"""ZooKeeper through kazoo: the store, and the election in Mesos's layout.

kazoo works in threads of its own; everything here lives on the event loop, and answers cross over
with `call_soon_threadsafe`. Candidates are ephemeral sequential nodes `<label>NNNNNNNNNN` below the
group; the lowest sequence number leads. Source: apache/mesos src/zookeeper/group.cpp.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import make_digest_acl

from mesosphere.kernel.events import Event, LeaderChanged, SessionLost
from mesosphere.kernel.store import ABSENT, ANY, Check, Put, Remove, Write
from mesosphere.runtime.store import Entries, StoreInDoubt, StoreRefused, check_limits, parents_of

Deliver = Callable[[Event], None]

RETRY_S = 1.0
"""Pause after a lost connection before the group is read again."""

REFRESH_S = 30.0
"""The group is read again after so long even if no watch fired."""

COMMIT_TRIES = 4
"""How often a transaction is shaped anew because a node that may exist or not had changed."""

_BROKEN = (
    ConnectionLoss,
    ConnectionClosedError,
    SessionExpiredError,
    OperationTimeoutError,
    KazooTimeoutError,
)
_MEMBER = re.compile(r"^(.*?)(\d{10})$")


async def _finish(result: Any) -> Any:
    """Await an asynchronous result of kazoo on the event loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle() -> None:
        if future.done():
            return
        if result.exception is not None:
            future.set_exception(result.exception)
        else:
            future.set_result(result.value)

    def cross(_: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle)

    result.rawlink(cross)
    return await future


def parse_url(url: str) -> tuple[str, str | None, str]:
    """(hosts, "user:password" or None, path) of `zk://[user:password@]h1:p1,h2/path`.

    Raises ValueError.
    """
    rest = url.removeprefix("zk://")
    if rest == url:
        raise ValueError(f"'{url}' is not a zk:// URL")
    authority, _, path = rest.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    if not hosts or not all(
        re.fullmatch(r"[^:,\s]+(:\d+)?|\[[^\]]+\](:\d+)?", part) for part in hosts.split(",")
    ):
        raise ValueError(f"'{url}' names no hosts: zk://host:port,host:port/path")
    with_ports = ",".join(
        part if re.search(r":\d+$", part) else f"{part}:2181" for part in hosts.split(",")
    )
    return with_ports, unquote(credentials) or None, "/" + path.strip("/")


class Ensembles:
    """Clients by ensemble, and the groups that are followed."""

    def __init__(self, session_timeout_s: float) -> None:
        self._session_timeout_s = session_timeout_s
        self._clients: dict[tuple[str, str | None], KazooClient] = {}
        self._groups: dict[str, Group] = {}

    def open(self, url: str) -> tuple[KazooClient, str]:
        """A started client of the URL's ensemble, and the URL's path."""
        hosts, credentials, path = parse_url(url)
        key = (hosts, credentials)
        if key not in self._clients:
            acl = None
            auth = None
            if credentials is not None:
                user, _, password = credentials.partition(":")
                acl = [
                    make_digest_acl(user, password, all=True),
                    *_world_readable(),
                ]
                auth = [("digest", credentials)]
            client = KazooClient(
                hosts=hosts,
                timeout=self._session_timeout_s,
                default_acl=acl,
                auth_data=auth,
                connection_retry={"max_tries": -1, "delay": 0.2, "backoff": 2, "max_delay": 5.0},
                command_retry={"max_tries": 0},
            )
            client.start_async()
            self._clients[key] = client
        return self._clients[key], path

    def _group(self, url: str, name: str, deliver: Deliver) -> "Group":
        if url not in self._groups:
            client, path = self.open(url)
            self._groups[url] = Group(client, path, name, deliver, self._session_timeout_s)
        return self._groups[url]

    def detect(self, url: str, label: str, name: str, deliver: Deliver) -> None:
        """Follow who leads; events carry `name` as the group."""
        self._group(url, name, deliver).follow(label)

    def contend(self, url: str, label: str, payload: bytes, name: str, deliver: Deliver) -> None:
        """Stand for leader, and follow who leads."""
        group = self._group(url, name, deliver)
        group.stand(label, payload)
        group.follow(label)

    def withdraw(self, url: str) -> None:
        """Give up a candidacy."""
        if url in self._groups:
            self._groups[url].withdraw()

    async def close(self) -> None:
        """End the sessions, so that others need not wait for their expiry."""
        for group in self._groups.values():
            group.close()
        for client in self._clients.values():
            await asyncio.to_thread(_stop, client)


def _stop(client: KazooClient) -> None:
    client.stop()
    client.close()


def _world_readable() -> list[Any]:
    from kazoo.security import READ_ACL_UNSAFE

    return list(READ_ACL_UNSAFE)


class Group:
    """One election: who leads, and our own candidacy if we stand."""

    def __init__(
        self,
        client: KazooClient,
        path: str,
        name: str,
        deliver: Deliver,
        session_timeout_s: float,
    ) -> None:
        self._client = client
        self._path = path
        self._name = name
        self._deliver = deliver
        self._session_timeout_s = session_timeout_s
        self._label = ""
        self._payload: bytes | None = None
        self._own: str | None = None
        self._told: tuple[bytes | None, bool] | None = None
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._suspended: asyncio.TimerHandle | None = None
        client.add_listener(self._on_state)

    def follow(self, label: str) -> None:
        """Start to read the group."""
        self._label = label
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        self._wake.set()

    def stand(self, label: str, payload: bytes) -> None:
        """Have a node of our own in the group."""
        self._label, self._payload = label, payload
        self._wake.set()

    def withdraw(self) -> None:
        """Remove our node."""
        self._payload = None
        own, self._own = self._own, None
        if own is not None:
            self._client.delete_async(f"{self._path}/{own}")
        self._wake.set()

    def close(self) -> None:
        """Stop following."""
        self._client.remove_listener(self._on_state)
        if self._task is not None:
            self._task.cancel()

    # --- session state ------------------------------------------------------------------------

    def _on_state(self, state: str) -> None:
        # Called in a thread of kazoo.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._state_changed, state)

    def _state_changed(self, state: str) -> None:
        if self._suspended is not None:
            self._suspended.cancel()
            self._suspended = None
        if state == KazooState.LOST:
            self._lose("the session expired")
        elif state == KazooState.SUSPENDED:
            # The servers will expire the session; nobody tells a client that can't reach them.
            self._suspended = self._loop.call_later(
                self._session_timeout_s, self._lose, "no server answered for a session's time"
            )
        self._wake.set()

    def _lose(self, reason: str) -> None:
        had = self._own is not None
        self._own = None
        self._told = None
        if had:
            self._deliver(SessionLost(reason))

    # --- reading the group --------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look()
                timeout = REFRESH_S
            except _BROKEN:
                timeout = RETRY_S
            except KazooException:
                timeout = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()

    def _on_watch(self, event: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _look(self) -> None:
        await self._have_node()
        try:
            children = await _finish(
                self._client.get_children_async(self._path, watch=self._on_watch)
            )
        except NoNodeError:
            await _finish(self._client.exists_async(self._path, watch=self._on_watch))
            self._tell(None, mine=False)
            return
        if self._own is not None and self._own not in children:
            # Somebody removed our node: a leader must end, others stand again.
            led = self._told is not None and self._told[1]
            self._own = None
            if led:
                self._lose_node()
            self._wake.set()
        members = sorted(
            (found.group(2), name)
            for name in children
            if (found := _MEMBER.match(name)) and found.group(1) == self._label
        )
        if not members:
            self._tell(None, mine=False)
            return
        leader = members[0][1]
        try:
            data, _ = await _finish(
                self._client.get_async(f"{self._path}/{leader}", watch=self._on_watch)
            )
        except NoNodeError:
            self._wake.set()
            return
        self._tell(data, mine=leader == self._own)

    def _lose_node(self) -> None:
        self._told = None
        self._deliver(SessionLost("the candidate's node was removed"))

    async def _have_node(self) -> None:
        payload = self._payload
        if payload is None or self._own is not None:
            return
        # A create whose answer was lost may have happened: look for a node of this session first.
        found = await self._find_own()
        if found is None:
            path = await _finish(
                self._client.create_async(
                    f"{self._path}/{self._label}",
                    payload,
                    ephemeral=True,
                    sequence=True,
                    makepath=True,
                )
            )
            found = path.rsplit("/", 1)[1]
        self._own = found

    async def _find_own(self) -> str | None:
        try:
            children = await _finish(self._client.get_children_async(self._path))
        except NoNodeError:
            return None
        session = self._client.client_id[0] if self._client.client_id else None
        for name in sorted(children):
            if not name.startswith(self._label):
                continue
            stat = await _finish(self._client.exists_async(f"{self._path}/{name}"))
            if stat is not None and stat.ephemeralOwner == session:
                return str(name)
        return None

    def _tell(self, payload: bytes | None, mine: bool) -> None:
        if self._told != (payload, mine):
            self._told = (payload, mine)
            self._deliver(LeaderChanged(self._name, payload, mine))


class ZooKeeperStore:
    """A store below a path of an ensemble. One transaction at a time, in order."""

    def __init__(self, client: KazooClient, root: str) -> None:
        self._client = client
        self._root = root.rstrip("/")
        self._known: set[str] = set()  # full paths that exist, as far as this client has seen
        self._lock = asyncio.Lock()

    async def commit(self, writes: Sequence[Write]) -> dict[str, int]:
        """See `store.Store`."""
        check_limits(writes)
        async with self._lock:
            for _ in range(COMMIT_TRIES):
                try:
                    return await self._try(writes)
                except _Stale:
                    continue
                except _BROKEN as error:
                    raise StoreInDoubt(f"ZooKeeper: {type(error).__name__}") from error
                except KazooException as error:
                    raise StoreRefused(f"ZooKeeper: {type(error).__name__} {error}") from error
            raise StoreRefused("the nodes kept changing under the transaction")

    async def _try(self, writes: Sequence[Write]) -> dict[str, int]:
        await self._make_parents(writes)
        transaction = self._client.transaction()
        steps: list[tuple[Write, str]] = []
        for write in writes:
            step = await self._add(transaction, write)
            if step:
                steps.append((write, step))
        if not steps:
            return {}
        results = await _finish(transaction.commit_async())
        self._judge(steps, results)
        versions = {}
        for (write, step), result in zip(steps, results, strict=True):
            full = self._root + write.path
            if step == "create":
                versions[write.path] = 0
                self._known.add(full)
            elif step == "set":
                versions[write.path] = result.version
                self._known.add(full)
            elif step == "delete":
                self._known.discard(full)
        return versions

    async def _add(self, transaction: Any, write: Write) -> str:
        """Add a write to the transaction; says as what ("" for nothing to do)."""
        full = self._root + write.path
        if isinstance(write, Check):
            if write.version == ABSENT:
                if await _finish(self._client.exists_async(full)) is not None:
                    raise StoreRefused(f"{write.path} exists")
                return ""
            transaction.check(full, write.version)
            return "check"
        if isinstance(write, Put):
            if write.version == ABSENT or (write.version == ANY and not await self._exists(full)):
                transaction.create(full, write.data)
                return "create"
            transaction.set_data(full, write.data, write.version)
            return "set"
        if isinstance(write, Remove):
            if write.version == ANY and not await self._exists(full):
                return ""
            transaction.delete(full, write.version)
            return "delete"
        raise TypeError(f"{type(write).__name__} is no write")

    async def _exists(self, full: str) -> bool:
        if full in self._known:
            return True
        found = await _finish(self._client.exists_async(full)) is not None
        if found:
            self._known.add(full)
        return found

    async def _make_parents(self, writes: Sequence[Write]) -> None:
        for write in writes:
            if not isinstance(write, Put):
                continue
            for parent in parents_of(self._root + write.path):
                if parent in self._known:
                    continue
                with contextlib.suppress(NodeExistsError):
                    await _finish(self._client.create_async(parent, b"", makepath=True))
                self._known.add(parent)

    def _judge(self, steps: list[tuple[Write, str]], results: list[Any]) -> None:
        """Raise unless everything was done; _Stale when only our knowledge was old."""
        for (write, step), result in zip(steps, results, strict=True):
            if not isinstance(result, BadVersionError | NodeExistsError | NoNodeError):
                continue
            full = self._root + write.path
            may_differ = isinstance(write, Put | Remove) and write.version == ANY
            if may_differ and isinstance(result, NoNodeError) and step in ("set", "delete"):
                self._known.discard(full)
                raise _Stale
            if may_differ and isinstance(result, NodeExistsError):
                self._known.add(full)
                raise _Stale
            if isinstance(result, NoNodeError) and step == "create":
                self._known -= set(parents_of(full))
                raise _Stale
            raise StoreRefused(f"{write.path}: {type(result).__name__}")
        for (write, _), result in zip(steps, results, strict=True):
            if isinstance(result, KazooException):
                raise StoreRefused(f"{write.path}: {type(result).__name__}")

    async def load(self, path: str) -> Entries:
        """See `store.Store`."""
        entries: Entries = {}
        try:
            await self._walk(path.rstrip("/"), entries)
        except _BROKEN as error:
            raise StoreInDoubt(f"ZooKeeper: {type(error).__name__}") from error
        return entries

    async def _walk(self, path: str, entries: Entries) -> None:
        """Read level by level, each level pipelined."""
        level = [path]
        while level:
            nodes = [self._client.get_async(self._root + name or "/") for name in level]
            lists = [self._client.get_children_async(self._root + name or "/") for name in level]
            below: list[str] = []
            for name, node, children in zip(level, nodes, lists, strict=True):
                try:
                    data, stat = await _finish(node)
                    names = await _finish(children)
                except NoNodeError:
                    continue
                if name:
                    entries[name] = (data or b"", stat.version)
                    self._known.add(self._root + name)
                below += [f"{name}/{child}" for child in sorted(names)]
            level = below

    async def close(self) -> None:
        """The client is closed by its Ensembles."""


class _Stale(Exception):
    """A node that may exist or not was assumed wrongly; shape the transaction again."""
